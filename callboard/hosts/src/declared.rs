//! What is declared of a function: what triggers it, what runs, and what it may do. Nothing that is not said here is allowed.

use crate::sandbox::ProcessLimits;
use callboard::{Fault, Kind, Pattern, Router, Stranger, Uri, Who};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

/// A function as `space.toml`, or the head of its file, has it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Declared {
    /// Its name; without one that of its file.
    pub name: Option<String>,
    /// What triggers it: `GET /hello`, `created /uploads/{id}`.
    pub on: OneOrMany,
    /// The file with its handler, in Python or JavaScript.
    pub handler: Option<PathBuf>,
    /// The command that speaks the Lambda Runtime API, instead of a handler.
    pub command: Option<Vec<String>>,
    /// Its folder, below that of `space.toml`; it reads what is in there.
    pub folder: Option<PathBuf>,
    /// Further files and folders that it reads.
    #[serde(default)]
    pub files: Vec<PathBuf>,
    /// Who may call it: `anyone`, `signed_in`, `services`, or `role:NAME`.
    #[serde(default = "services")]
    pub who: String,
    /// What others see: `denied` or `not_found`.
    #[serde(default = "denied")]
    pub stranger: String,
    /// What it may read by `$CALLBOARD_URL`.
    #[serde(default)]
    pub reads: Vec<String>,
    /// Events it may publish: `greeted /people/{id}`.
    #[serde(default)]
    pub events: Vec<String>,
    /// Messages it may send: `POST /letters`.
    #[serde(default)]
    pub sends: Vec<String>,
    /// Flows of its service it may start.
    #[serde(default)]
    pub starts: Vec<String>,
    /// Whether it keeps documents.
    #[serde(default)]
    pub documents: bool,
    /// TCP ports of other machines it may connect to.
    #[serde(default)]
    pub network: Vec<u16>,
    /// Its environment; nothing else is in there but what the Runtime API wants.
    #[serde(default)]
    pub environment: BTreeMap<String, String>,
    /// How long it may take to begin.
    #[serde(default = "init_timeout_ms")]
    pub init_timeout_ms: u64,
    /// How long it may take to answer.
    #[serde(default = "timeout_ms")]
    pub timeout_ms: u64,
    /// How much memory it may take.
    #[serde(default = "memory_mb_max")]
    pub memory_mb_max: u64,
    /// How much the files may take that a process writes to its own folder; they are kept in memory.
    #[serde(default = "scratch_mb_max")]
    pub scratch_mb_max: u64,
    /// How many processes of it may run at once.
    #[serde(default = "processes_max")]
    pub processes_max: usize,
    /// How long a process may have nothing to do before it is ended.
    #[serde(default = "idle_ms")]
    pub idle_ms: u64,
    /// How often a delivered message is tried.
    #[serde(default = "attempts_max")]
    pub attempts_max: u32,
}

/// One text, or a list.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum OneOrMany {
    /// One.
    One(String),
    /// Many.
    Many(Vec<String>),
}

impl OneOrMany {
    /// All of them.
    pub fn all(&self) -> &[String] {
        match self {
            Self::One(text) => std::slice::from_ref(text),
            Self::Many(texts) => texts,
        }
    }
}

fn services() -> String {
    "services".to_owned()
}

fn denied() -> String {
    "denied".to_owned()
}

fn init_timeout_ms() -> u64 {
    10_000
}

fn timeout_ms() -> u64 {
    10_000
}

fn memory_mb_max() -> u64 {
    256
}

fn scratch_mb_max() -> u64 {
    128
}

fn processes_max() -> usize {
    4
}

fn idle_ms() -> u64 {
    60_000
}

fn attempts_max() -> u32 {
    8
}

/// Longest an invocation may take, in milliseconds.
const TIMEOUT_MS_MAX: u64 = 900_000;

/// What a function may be bound to, beside events.
const METHODS: &[&str] = &["GET", "POST", "PUT", "PATCH", "DELETE"];

/// How far a word is from a method that was meant.
const TYPOS_MAX: usize = 1;

/// A pattern with what happens there, such as `greeted /people/{id}`.
pub(crate) type Trigger = (Kind, Pattern);

/// A declared function, checked.
#[derive(Debug)]
pub(crate) struct Checked {
    pub(crate) name: String,
    pub(crate) triggers: Vec<Trigger>,
    /// What it uses of others: reads, events it publishes, functions it sends to.
    pub(crate) uses: Vec<Trigger>,
    pub(crate) who: Who,
    pub(crate) stranger: Stranger,
    pub(crate) may: Arc<May>,
    pub(crate) limits: ProcessLimits,
    pub(crate) declared: Declared,
}

/// What a function may do.
#[derive(Debug)]
pub(crate) struct May {
    reads: Router<()>,
    events: Vec<(Kind, Router<()>)>,
    sends: Vec<(Kind, Router<()>)>,
    starts: Vec<&'static str>,
    pub(crate) documents: bool,
}

impl May {
    pub(crate) fn read(&self, uri: &Uri) -> bool {
        self.reads.find(uri).is_some()
    }

    pub(crate) fn emit(&self, kind: &Kind, uri: &Uri) -> bool {
        self.events.iter().any(|(have, uris)| have == kind && uris.find(uri).is_some())
    }

    /// Whether it may make resources.
    pub(crate) fn create(&self) -> bool {
        self.events.iter().any(|(kind, _)| kind.as_str() == "created")
    }

    pub(crate) fn send(&self, kind: &Kind, uri: &Uri) -> bool {
        self.sends.iter().any(|(have, uris)| have == kind && uris.find(uri).is_some())
    }

    pub(crate) fn start(&self, flow: &str) -> Option<&'static str> {
        self.starts.iter().copied().find(|name| *name == flow)
    }
}

/// Tables are made at start and stay: what they are made of does too.
pub(crate) fn leak(text: impl Into<String>) -> &'static str {
    Box::leak(text.into().into_boxed_str())
}

impl Declared {
    /// What its author knows it by: its file, otherwise its name.
    pub fn label(&self) -> String {
        let file = self.handler.as_ref().map(|file| file.display().to_string());
        file.or_else(|| self.name.clone()).unwrap_or_default()
    }

    /// Checks what is declared.
    ///
    /// # Errors
    /// `space.invalid`, naming what is wrong and what to write.
    pub(crate) fn check(self, place: &str) -> Result<Checked, Fault> {
        let wrong = |what: String| Fault::bad_input("space.invalid", format!("{place}: {what}"));
        let stem = self.handler.as_ref().and_then(|file| file.file_stem()?.to_str()).map(str::to_owned);
        let name = self.name.clone().or(stem).ok_or_else(|| wrong("give it a `name`".to_owned()))?;
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        if name.is_empty() || name.len() > 64 || !name.bytes().all(is_plain) {
            return Err(wrong(format!("`{name}`: name it with up to 64 letters, digits, `-` and `_`")));
        }
        if self.handler.is_some() == self.command.as_ref().is_some_and(|command| !command.is_empty()) {
            return Err(wrong(format!("{name}: say either `handler` or `command`")));
        }
        let all = |texts: &[String]| texts.iter().map(|text| trigger(text)).collect::<Result<Vec<_>, _>>();
        let triggers = all(self.on.all()).map_err(|what| wrong(format!("{name}: on: {what}")))?;
        if triggers.is_empty() {
            return Err(wrong(format!("{name}: nothing triggers it; write `on = \"GET /{name}\"`")));
        }
        let events = all(&self.events).map_err(|what| wrong(format!("{name}: events: {what}")))?;
        let sends = all(&self.sends).map_err(|what| wrong(format!("{name}: sends: {what}")))?;
        let patterns = self.reads.iter().filter_map(|text| Pattern::parse(leak(text.as_str())).ok());
        let read = patterns.map(|pattern| (Kind::Get, pattern));
        let uses = read.chain(events.clone()).chain(sends.clone()).collect();
        let may = May {
            reads: reads(&self.reads).map_err(|what| wrong(format!("{name}: reads: {what}")))?,
            events: routers(events),
            sends: routers(sends),
            starts: self.starts.iter().map(leak).collect(),
            documents: self.documents,
        };
        let bounds = [
            ("timeout_ms", self.timeout_ms, 1, TIMEOUT_MS_MAX),
            ("init_timeout_ms", self.init_timeout_ms, 1, TIMEOUT_MS_MAX),
            ("memory_mb_max", self.memory_mb_max, 16, 65_536),
            ("scratch_mb_max", self.scratch_mb_max, 1, 65_536),
            ("processes_max", self.processes_max as u64, 1, 1_000),
        ];
        for (field, value, least, most) in bounds {
            if !(least..=most).contains(&value) {
                return Err(wrong(format!("{name}: {field} is from {least} to {most}, not {value}")));
            }
        }
        Ok(Checked {
            who: who(&self.who).map_err(|what| wrong(format!("{name}: {what}")))?,
            stranger: stranger(&self.stranger).map_err(|what| wrong(format!("{name}: {what}")))?,
            limits: ProcessLimits {
                memory_bytes_max: self.memory_mb_max << 20,
                scratch_bytes_max: self.scratch_mb_max << 20,
                ..ProcessLimits::default()
            },
            name,
            triggers,
            uses,
            may: Arc::new(may),
            declared: self,
        })
    }
}

fn who(text: &str) -> Result<Who, String> {
    match text.split_once(':').unwrap_or((text, "")) {
        ("anyone", "") => Ok(Who::Anyone),
        ("signed_in", "") => Ok(Who::SignedIn),
        ("services", "") => Ok(Who::Services),
        ("role", role) if !role.is_empty() => Ok(Who::Role(leak(role))),
        _ => Err(format!("who is `anyone`, `signed_in`, `services` or `role:NAME`, not `{text}`")),
    }
}

fn stranger(text: &str) -> Result<Stranger, String> {
    match text {
        "denied" => Ok(Stranger::Denied),
        "not_found" => Ok(Stranger::NotFound),
        _ => Err(format!("stranger is `denied` or `not_found`, not `{text}`")),
    }
}

fn trigger(text: &str) -> Result<Trigger, String> {
    let words: Vec<&str> = text.split_whitespace().collect();
    let [what, uris] = words.as_slice() else {
        return Err(format!(
            "`{text}`: write what happens and where, such as `GET /hello` or `created /uploads/{{id}}`"
        ));
    };
    let pattern = Pattern::parse(leak(*uris)).map_err(|error| error.to_string())?;
    match Kind::from(what.to_ascii_lowercase()) {
        Kind::Event(_) if what.contains(|letter: char| letter.is_ascii_uppercase()) => Err(no_method(what, uris)),
        kind => Ok((kind, pattern)),
    }
}

/// What is said of a word that has capitals as methods have, and is none.
fn no_method(word: &str, uris: &str) -> String {
    let near = |name: &&&str| strsim::osa_distance(name, &word.to_ascii_uppercase()) <= TYPOS_MAX;
    match METHODS.iter().find(near) {
        Some(method) => format!("`{word}` is no method; did you mean {method}? Events are in lower case"),
        None => format!(
            "`{word}` is no method: these are {}; an event is in lower case, such as `{} {uris}`",
            METHODS.join(", "),
            word.to_ascii_lowercase()
        ),
    }
}

fn reads(texts: &[String]) -> Result<Router<()>, String> {
    let mut router = Router::default();
    for text in texts {
        router.insert(&Pattern::parse(leak(text)).map_err(|error| error.to_string())?, ());
    }
    Ok(router)
}

fn routers(triggers: Vec<Trigger>) -> Vec<(Kind, Router<()>)> {
    let mut routers: Vec<(Kind, Router<()>)> = Vec::new();
    for (kind, pattern) in triggers {
        let at = routers.iter().position(|(have, _)| *have == kind).unwrap_or_else(|| {
            routers.push((kind, Router::default()));
            routers.len() - 1
        });
        routers[at].1.insert(&pattern, ());
    }
    routers
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_in_capitals_that_is_no_method_is_refused_with_what_was_meant() {
        for (word, method) in [("GTE", "GET"), ("PSOT", "POST"), ("Get_", "GET"), ("DELTE", "DELETE")] {
            let what = trigger(&format!("{word} /x")).unwrap_err();
            assert!(what.contains(&format!("`{word}` is no method; did you mean {method}?")), "{what}");
        }
        let what = trigger("Greeted /x").unwrap_err();
        assert!(what.contains("GET, POST, PUT, PATCH, DELETE") && what.contains("`greeted /x`"), "{what}");
        for (text, kind) in [("GET /x", "get"), ("get /x", "get"), ("greeted /x", "greeted")] {
            assert_eq!(trigger(text).unwrap().0.as_str(), kind);
        }
    }
}
