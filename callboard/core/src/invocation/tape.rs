//! What an invocation reads, while it is recorded or played again. Kept as it came, and made into JSON only where it is captured.

use super::player::Player;
use super::recording::{self, Entry};
use super::redact::{Known, Redactor};
use crate::outside::{Request, Response};
use crate::ports::{Exec, Exited};
use crate::{Answer, Data, Datum, Fault, Id, Kind, Rows};
use serde_json::{Map, Value, json};
use std::sync::{Arc, Mutex, PoisonError};

/// Most bytes of what one invocation reads that are kept.
const TAPE_BYTES_MAX: usize = 512 * 1024;
/// Most bytes that are kept of the output of one program, of what is read of one blob, or of one answer from outside.
pub(super) const OUTPUT_BYTES_MAX: usize = 64 * 1024;
/// Most things that one invocation reads that are kept.
const TAPE_ENTRIES_MAX: usize = 2_000;

/// Whether reads are recorded or come from a recording.
pub(super) enum Mode {
    Live,
    Record(Mutex<Tape>),
    Play(Mutex<Player>),
}

/// Something a function read, as it came.
pub(super) enum Taken {
    Query { statement: &'static str, params: Vec<Datum>, answer: Result<Rows, Fault> },
    Call { ask: Ask, answer: Result<Answer, Fault> },
    Fetch { ask: Request, answer: Result<Response, Fault> },
    Exec { ask: Run, lines: Vec<String>, answer: Result<Exited, Fault> },
    Contents { ask: String, bytes: Vec<u8>, is_whole: bool },
    Plain(Entry),
}

/// A program that is run, without the folder that it is run in.
#[derive(Clone)]
pub(super) struct Run {
    tool: &'static str,
    args: Vec<String>,
}

impl Run {
    pub(super) fn of(exec: &Exec) -> Self {
        let folder = exec.folder.to_string_lossy();
        let plain = |arg: &String| if folder.is_empty() { arg.clone() } else { arg.replace(&*folder, "{folder}") };
        Self { tool: exec.tool, args: exec.args.iter().map(plain).collect() }
    }

    pub(super) fn told(&self, redactor: &mut Redactor) -> Value {
        let mut told = json!({"tool": self.tool, "args": self.args});
        redactor.value(&mut told);
        told
    }
}

/// A call to another function, without what changes from time to time.
#[derive(Clone)]
pub(super) struct Ask {
    pub(super) kind: Kind,
    pub(super) uri: String,
    pub(super) data: Data,
    /// Whether it is made with the authority of the service.
    pub(super) is_own: bool,
}

/// Where streams that outlive a look at the tape put what was read of them.
pub(super) type Late = Arc<Mutex<Vec<Taken>>>;

#[derive(Default)]
pub(super) struct Tape {
    taken: Vec<Taken>,
    /// What was read of blobs, each when it is read to its end; made when the first is.
    late: Option<Late>,
    bytes: usize,
    pub(super) is_cut: bool,
    pub(super) secrets: Vec<Known>,
    drawn: usize,
}

impl Tape {
    pub(super) fn take(&mut self, taken: Taken) {
        self.bytes += taken.size_bytes();
        if self.bytes > TAPE_BYTES_MAX || self.taken.len() >= TAPE_ENTRIES_MAX {
            self.is_cut = true;
            self.taken.clear();
        } else if !self.is_cut {
            self.taken.push(taken);
        }
    }

    /// Where a stream puts what was read of it. Those that have ended are taken first, so that no more waits there than is open.
    fn late(&mut self) -> Late {
        self.take_late();
        self.late.get_or_insert_default().clone()
    }

    pub(super) fn take_late(&mut self) {
        let Some(late) = &self.late else { return };
        let ended = std::mem::take(&mut *late.lock().unwrap_or_else(PoisonError::into_inner));
        ended.into_iter().for_each(|taken| self.take(taken));
    }

    /// Something secret that the function was given.
    pub(super) fn secret(&mut self, name: Option<&str>, value: &str) {
        self.drawn += usize::from(name.is_none());
        let label = name.map_or_else(|| format!("[secret {}]", self.drawn), |name| format!("[secret {name}]"));
        self.secrets.push(Known { value: value.to_owned(), label });
    }

    pub(super) fn entries(&self, redactor: &mut Redactor) -> Vec<Entry> {
        self.taken.iter().map(|taken| taken.entry(redactor)).collect()
    }
}

impl Taken {
    fn size_bytes(&self) -> usize {
        let datum = |datum: &Datum| match datum {
            Datum::Text(text) => text.len() + 8,
            Datum::Bytes(bytes) => bytes.len() + 8,
            Datum::List(items) => items.iter().map(|item| item.len() + 8).sum::<usize>() + 8,
            _ => 8,
        };
        match self {
            Self::Query { params, answer, .. } => {
                let cells = answer.as_ref().map_or(0, |rows| rows.rows.iter().flatten().map(datum).sum());
                64 + params.iter().map(datum).sum::<usize>() + cells
            }
            Self::Call { ask, answer } => {
                let body = match answer {
                    Ok(Answer { body: crate::AnswerBody::Bytes { bytes, .. }, .. }) => bytes.len(),
                    _ => 0,
                };
                128 + ask.uri.len() + ask.data.bytes.len() + body
            }
            Self::Fetch { ask, .. } => {
                128 + ask.path.len() + ask.body.bytes.len() + self.output_bytes().min(OUTPUT_BYTES_MAX)
            }
            Self::Exec { ask, answer, .. } => {
                128 + ask.args.iter().map(String::len).sum::<usize>()
                    + self.output_bytes().min(OUTPUT_BYTES_MAX)
                    + 64 * usize::from(answer.is_err())
            }
            Self::Contents { ask, .. } => 64 + ask.len() + self.output_bytes().min(OUTPUT_BYTES_MAX),
            Self::Plain(Entry::Blob(ask, answer)) => {
                64 + ask.len() + 96 * answer["blobs"].as_array().map_or(1, Vec::len)
            }
            Self::Plain(_) => 32,
        }
    }

    /// Size of what came from outside the application.
    fn output_bytes(&self) -> usize {
        match self {
            Self::Fetch { answer, .. } => answer.as_ref().map_or(0, |answer| answer.body.len()),
            Self::Contents { bytes, .. } => bytes.len(),
            Self::Exec { lines, answer, .. } => {
                let ended = answer.as_ref().map_or(0, |exited| exited.stdout.len() + exited.stderr.len());
                ended + lines.iter().map(|line| line.len() + 1).sum::<usize>()
            }
            _ => 0,
        }
    }

    fn entry(&self, redactor: &mut Redactor) -> Entry {
        let is_large = self.output_bytes() > OUTPUT_BYTES_MAX;
        match self {
            Self::Fetch { ask, .. } if is_large => Entry::Unrecorded(words_of_fetch(&request(ask, redactor))),
            Self::Exec { ask, .. } if is_large => Entry::Unrecorded(words_of_run(&ask.told(redactor))),
            Self::Contents { ask, .. } if is_large => Entry::Unrecorded(words_of_blob(ask)),
            Self::Exec { ask, lines, answer } => Entry::Exec {
                ask: ask.told(redactor),
                answer: answer.as_ref().map_or_else(recording::fault, |exited| exit(exited, lines, redactor)),
            },
            Self::Contents { ask, bytes, is_whole } => {
                let data = Data { media_type: "".into(), bytes: bytes.clone().into() };
                Entry::Blob(ask.clone(), json!({"data": redactor.data(&data), "is_whole": is_whole}))
            }
            Self::Query { statement, params, answer } => Entry::Query {
                statement: (*statement).to_owned(),
                params: self::params(params, redactor),
                columns: answer.as_ref().map(|rows| rows.columns.to_vec()).unwrap_or_default(),
                answer: answer.as_ref().map_or_else(recording::fault, |rows| recording::rows(rows, redactor)),
            },
            Self::Call { ask, answer } => Entry::Call {
                ask: ask.told(redactor),
                answer: answer.as_ref().map_or_else(recording::fault, |answer| recording::answer(answer, redactor)),
            },
            Self::Fetch { ask, answer } => Entry::Fetch {
                ask: request(ask, redactor),
                answer: answer.as_ref().map_or_else(recording::fault, |answer| response(answer, redactor)),
            },
            Self::Plain(entry) => match entry {
                Entry::Setting(name, value) => {
                    let mut value = value.clone();
                    redactor.text(&mut value);
                    Entry::Setting(name.clone(), value)
                }
                other => other.clone(),
            },
        }
    }
}

impl Ask {
    pub(super) fn told(&self, redactor: &mut Redactor) -> Value {
        let data = redactor.data(&self.data);
        json!({"kind": self.kind, "uri": self.uri, "data": data, "is_own": self.is_own})
    }
}

pub(super) fn params(params: &[Datum], redactor: &mut Redactor) -> Vec<Value> {
    let mut params = Value::Array(params.iter().map(recording::datum).collect());
    redactor.value(&mut params);
    match params {
        Value::Array(params) => params,
        _ => Vec::new(),
    }
}

/// A request without its headers, which carry keys.
pub(super) fn request(request: &Request, redactor: &mut Redactor) -> Value {
    let mut path = request.path.clone();
    redactor.text(&mut path);
    json!({"to": request.to, "method": request.method, "path": path, "type": request.body.media_type,
        "data": redactor.data(&request.body)})
}

fn exit(exited: &Exited, lines: &[String], redactor: &mut Redactor) -> Value {
    let stdout = Data { media_type: "".into(), bytes: exited.stdout.clone().into() };
    let stdout = redactor.data(&stdout);
    let mut told = json!({"code": exited.code, "stderr": exited.stderr, "lines": lines});
    redactor.value(&mut told);
    told["stdout"] = stdout;
    told
}

/// Names what a function wanted, as a replay tells of it.
pub(super) fn words_of_run(ask: &Value) -> String {
    let args = ask["args"].as_array().into_iter().flatten().filter_map(Value::as_str);
    std::iter::once(ask["tool"].as_str().unwrap_or_default()).chain(args).collect::<Vec<_>>().join(" ")
}

pub(super) fn words_of_fetch(ask: &Value) -> String {
    let part = |name: &str| ask[name].as_str().unwrap_or_default().to_owned();
    format!("{} {} of {}", part("method"), part("path"), part("to"))
}

pub(super) fn words_of_blob(ask: &str) -> String {
    format!("of blobs {ask}")
}

fn response(response: &Response, redactor: &mut Redactor) -> Value {
    let headers: Map<String, Value> = response
        .headers
        .iter()
        .map(|(name, value)| {
            let mut value = json!(value);
            redactor.named(name, &mut value);
            (name.clone(), value)
        })
        .collect();
    let data = Data { media_type: "".into(), bytes: response.body.clone() };
    json!({"status": response.status, "headers": headers, "data": redactor.data(&data)})
}

impl Mode {
    /// A value that is read without waiting: the real one, or what was recorded.
    pub(super) fn plain<T>(
        &self,
        real: impl FnOnce() -> T,
        entry: impl FnOnce(&T) -> Entry,
        play: impl FnOnce(&mut Player) -> Option<T>,
    ) -> T {
        match self {
            Self::Live => real(),
            Self::Record(_) => {
                let value = real();
                self.record(|| Taken::Plain(entry(&value)));
                value
            }
            Self::Play(player) => {
                let played = play(&mut player.lock().unwrap_or_else(PoisonError::into_inner));
                played.unwrap_or_else(real)
            }
        }
    }

    pub(super) fn record(&self, taken: impl FnOnce() -> Taken) {
        if let Self::Record(tape) = self {
            tape.lock().unwrap_or_else(PoisonError::into_inner).take(taken());
        }
    }

    /// Where a stream puts what was read of it, while it is recorded.
    pub(super) fn late(&self) -> Option<Late> {
        match self {
            Self::Record(tape) => Some(tape.lock().unwrap_or_else(PoisonError::into_inner).late()),
            _ => None,
        }
    }

    pub(super) fn is_recording(&self) -> bool {
        matches!(self, Self::Record(_))
    }

    pub(super) fn player<T>(&self, play: impl FnOnce(&mut Player) -> T) -> Option<T> {
        match self {
            Self::Play(player) => Some(play(&mut player.lock().unwrap_or_else(PoisonError::into_inner))),
            _ => None,
        }
    }

    /// A secret that the function was given, so that it is found wherever it goes.
    pub(super) fn secret(&self, name: Option<&str>, value: &str) {
        match self {
            Self::Live => {}
            Self::Record(tape) => tape.lock().unwrap_or_else(PoisonError::into_inner).secret(name, value),
            Self::Play(player) => player.lock().unwrap_or_else(PoisonError::into_inner).tape.secret(name, value),
        }
    }

    /// Id of a thing the function read, where it is one.
    pub(super) fn id(&self, real: impl FnOnce() -> Id) -> Id {
        self.plain(real, |id| Entry::Id(*id), Player::id)
    }
}

/// Reads what has no place in JSON back out of it: a name that lives as long as the program. Only replays read it, and they end
/// with their program.
pub(super) fn kept_name(name: &str) -> &'static str {
    String::leak(name.to_owned())
}
