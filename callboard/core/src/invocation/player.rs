//! A recording that is played: what a function reads comes from it, in whatever order it asks.

use super::recording::{self, Entry, Recording};
use super::redact::Redactor;
use super::tape::{Ask, Run, Tape, kept_name, params, request, words_of_blob, words_of_fetch, words_of_run};
use crate::outside::{Request, Response};
use crate::ports::{Exec, Exited, Read};
use crate::{Answer, AnswerBody, BlobRef, Fault, FaultKind, FieldError, Id, Outcome, Rows};
use serde::Deserialize;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::borrow::Cow;
use std::collections::BTreeMap;

/// A recording that is played.
pub(super) struct Player {
    entries: Vec<Option<Entry>>,
    now_ms: i64,
    /// Secrets are not recorded; these are made from this.
    seed: u8,
    secrets: u32,
    ids: u32,
    /// Secrets as the recording has them.
    pub(super) tape: Tape,
    /// What the function asked that was not recorded.
    pub(super) unheard: Vec<String>,
}

impl Player {
    pub(super) fn new(recording: &Recording, seed: u8) -> Self {
        Self {
            entries: recording.read.iter().cloned().map(Some).collect(),
            now_ms: recording.started_ms,
            seed,
            secrets: 0,
            ids: 0,
            tape: Tape::default(),
            unheard: Vec::new(),
        }
    }

    fn redactor(&self) -> Redactor {
        Redactor::new(self.tape.secrets.clone())
    }

    /// The first entry that fits and was not given yet.
    fn next<T>(&mut self, fits: impl Fn(&Entry) -> Option<T>) -> Option<T> {
        self.entries.iter_mut().find_map(|slot| {
            let found = fits(slot.as_ref()?)?;
            *slot = None;
            Some(found)
        })
    }

    fn unheard(&mut self, what: String) -> Fault {
        self.unheard.push(what);
        Fault::unavailable("replay.diverged", "the function asks for something that was not recorded")
    }

    /// As [`Self::unheard`], where it may also have been too large to be recorded.
    fn missing(&mut self, (words, unheard): (String, String)) -> Fault {
        let is_it = |entry: &Entry| matches!(entry, Entry::Unrecorded(known) if *known == words).then_some(());
        if self.next(is_it).is_none() {
            return self.unheard(unheard);
        }
        self.unheard.push(format!("not recorded, too large: {words}"));
        Fault::unavailable("replay.unrecorded", format!("`{words}` was too large to be recorded"))
    }

    /// How a program ended; whoever listens hears its lines.
    pub(super) fn exec(&mut self, exec: &mut Exec) -> Result<Exited, Fault> {
        let asked = Run::of(exec).told(&mut self.redactor());
        let found = self.next(|entry| match entry {
            Entry::Exec { ask, answer } if *ask == asked => Some(answer.clone()),
            _ => None,
        });
        let words = words_of_run(&asked);
        let answer = found.ok_or_else(|| self.missing((words.clone(), format!("it runs {words}"))))?;
        if let Some(fault) = read_fault(&answer) {
            return Err(fault);
        }
        let lines = answer["lines"].as_array().into_iter().flatten().filter_map(Value::as_str);
        if let Some(on_line) = &mut exec.on_line {
            lines.for_each(on_line);
        }
        Ok(Exited {
            code: answer["code"].as_i64().and_then(|code| i32::try_from(code).ok()),
            stdout: read_data(&answer["stdout"]),
            stderr: answer["stderr"].as_str().unwrap_or_default().to_owned(),
        })
    }

    pub(super) fn now(&mut self) -> Option<i64> {
        if let Some(now_ms) = self.next(|entry| if let Entry::Now(now_ms) = entry { Some(*now_ms) } else { None }) {
            self.now_ms = now_ms;
        }
        Some(self.now_ms)
    }

    pub(super) fn id(&mut self) -> Option<Id> {
        let recorded = self.next(|entry| if let Entry::Id(id) = entry { Some(*id) } else { None });
        self.ids += 1;
        Some(recorded.unwrap_or_else(|| Id::from_u128(u128::from(self.ids))))
    }

    pub(super) fn pid(&mut self) -> Option<String> {
        let recorded = self.next(|entry| if let Entry::Pid(pid) = entry { Some(pid.clone()) } else { None });
        self.ids += 1;
        Some(recorded.unwrap_or_else(|| crate::pid(u64::from(self.ids))))
    }

    /// A secret: it is never recorded, so it is another one than it was.
    pub(super) fn token(&mut self) -> [u8; 32] {
        self.secrets += 1;
        let mut hash = Sha256::new();
        hash.update([self.seed]);
        hash.update(self.secrets.to_le_bytes());
        hash.finalize().into()
    }

    /// Settings and assets are read any number of times and stay what they are.
    pub(super) fn setting(&self, wanted: &str) -> Option<String> {
        self.entries.iter().flatten().find_map(|entry| match entry {
            Entry::Setting(name, value) if name == wanted => Some(value.clone()),
            _ => None,
        })
    }

    pub(super) fn asset(&self, wanted: &str) -> Option<String> {
        self.entries.iter().flatten().find_map(|entry| match entry {
            Entry::Asset(name, address) if name == wanted => Some(address.clone()),
            _ => None,
        })
    }

    pub(super) fn away(&mut self, wanted: &str) -> Option<Option<i64>> {
        self.next(|entry| match entry {
            Entry::Away(setting, wait_ms) if setting == wanted => Some(*wait_ms),
            _ => None,
        })
    }

    pub(super) fn blob(&mut self, wanted: &str) -> Result<Value, Fault> {
        let found = self.next(|entry| match entry {
            Entry::Blob(ask, answer) if ask == wanted => Some(answer.clone()),
            _ => None,
        });
        let unheard = || (words_of_blob(wanted), format!("of blobs it wants to {wanted}"));
        let answer = found.ok_or_else(|| self.missing(unheard()))?;
        read_fault(&answer).map_or(Ok(answer), Err)
    }

    pub(super) fn query(&mut self, read: &Read) -> Result<Rows, Fault> {
        let name = read.statement.name;
        let asked = params(&read.params, &mut self.redactor());
        let found = self.next(|entry| match entry {
            Entry::Query { statement, params, columns, answer } if statement == name && *params == asked => {
                Some((columns.clone(), answer.clone()))
            }
            _ => None,
        });
        let Some((columns, answer)) = found else {
            return Err(self.unheard(format!("it reads `{name}` with {}", json!(asked))));
        };
        if let Some(fault) = read_fault(&answer) {
            return Err(fault);
        }
        let rows = answer["rows"].as_array().into_iter().flatten();
        let row = |row: &Value| row.as_array().into_iter().flatten().map(recording::read_datum).collect();
        Ok(Rows { columns: columns.into(), rows: rows.map(row).collect() })
    }

    pub(super) fn call(&mut self, ask: &Ask, id: Id) -> Result<Answer, Fault> {
        let asked = ask.told(&mut self.redactor());
        let found = self.next(|entry| match entry {
            Entry::Call { ask, answer } if *ask == asked => Some(answer.clone()),
            _ => None,
        });
        let Some(answer) = found else {
            return Err(self.unheard(format!("it calls {} {}", ask.kind, ask.uri)));
        };
        if let Some(fault) = read_fault(&answer) {
            return Err(fault);
        }
        let body = &answer["body"];
        let media_type = body["type"].as_str().unwrap_or_default().to_owned();
        let body = match (&body["data"], body["blob"].as_str()) {
            (_, Some(key)) => AnswerBody::Blob(BlobRef { key: key.to_owned(), media_type }),
            (Value::Null, None) => AnswerBody::Nothing,
            (data, None) => AnswerBody::Bytes { media_type: Cow::Owned(media_type), bytes: read_data(data).into() },
        };
        let outcome = serde_json::from_value(answer["outcome"].clone()).unwrap_or(Outcome::Ok);
        let headers = read_headers(&answer["headers"]).into_iter().map(|(name, value)| (kept_name(&name), value));
        let version = answer["version"].as_i64();
        Ok(Answer { id, outcome, headers: headers.collect(), cookies: Vec::new(), version, body })
    }

    pub(super) fn fetch(&mut self, ask: &Request) -> Result<Response, Fault> {
        let asked = request(ask, &mut self.redactor());
        let found = self.next(|entry| match entry {
            Entry::Fetch { ask, answer } if *ask == asked => Some(answer.clone()),
            _ => None,
        });
        let Some(answer) = found else {
            let words = format!("it asks {} for {} {}", ask.to, ask.method, ask.path);
            return Err(self.missing((words_of_fetch(&asked), words)));
        };
        if let Some(fault) = read_fault(&answer) {
            return Err(fault);
        }
        let status = answer["status"].as_u64().and_then(|status| u16::try_from(status).ok()).unwrap_or(0);
        let headers = read_headers(&answer["headers"]).into_iter().collect();
        Ok(Response { status, headers, body: read_data(&answer["data"]).into() })
    }

    /// What was recorded and not asked for. The time and ids may be asked for less often without a difference.
    pub(super) fn left(&self) -> Vec<String> {
        let left = self.entries.iter().flatten();
        left.filter_map(|entry| match entry {
            Entry::Query { statement, params, .. } => {
                Some(format!("it no longer reads `{statement}` with {}", json!(params)))
            }
            Entry::Call { ask, .. } => {
                let (kind, uri) = (ask["kind"].as_str().unwrap_or_default(), ask["uri"].as_str().unwrap_or_default());
                Some(format!("it no longer calls {kind} {uri}"))
            }
            Entry::Fetch { ask, .. } => {
                let (to, path) = (ask["to"].as_str().unwrap_or_default(), ask["path"].as_str().unwrap_or_default());
                Some(format!("it no longer asks {to} for {path}"))
            }
            Entry::Exec { ask, .. } => Some(format!("it no longer runs {}", words_of_run(ask))),
            Entry::Blob(ask, _) => Some(format!("of blobs it no longer wants to {ask}")),
            _ => None,
        })
        .collect()
    }
}

pub(super) fn read_data(data: &Value) -> Vec<u8> {
    match data {
        Value::String(text) => text.as_bytes().to_vec(),
        other => recording::read_bytes(other).unwrap_or_default(),
    }
}

fn read_headers(value: &Value) -> BTreeMap<String, String> {
    serde_json::from_value(value.clone()).unwrap_or_default()
}

#[derive(Deserialize)]
struct ToldFault {
    kind: FaultKind,
    code: String,
    message: String,
    #[serde(default)]
    errors: Vec<ToldField>,
    #[serde(default)]
    headers: BTreeMap<String, String>,
}

#[derive(Deserialize)]
struct ToldField {
    field: String,
    message: String,
}

fn read_fault(answer: &Value) -> Option<Fault> {
    let told: ToldFault = serde_json::from_value(answer.get("fault")?.clone()).ok()?;
    let errors = told.errors.into_iter().map(|one| FieldError { field: one.field, message: one.message });
    let headers = told.headers.into_iter().map(|(name, value)| (kept_name(&name), value));
    Some(Fault {
        kind: told.kind,
        is_told: false,
        code: kept_name(&told.code),
        message: told.message,
        detail: None,
        errors: errors.collect(),
        headers: headers.collect(),
    })
}
