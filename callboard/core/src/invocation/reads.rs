//! What a function reads through its environment: from the engines, with the time it waits for them and a tape where it is
//! recorded; or from a recording.

use super::player::Player;
use super::recording::Entry;
use super::tape::{Ask, Mode, OUTPUT_BYTES_MAX, Run, Taken, Tape};
use super::{Dependency, Open, Used};
use crate::outside::{Request, Response};
use crate::ports::{Exec, Exited, Read};
use crate::{Answer, Fault, Head, Host, Id, Msg, Principal, Rows};
use std::borrow::Cow;
use std::sync::{Arc, Mutex, PoisonError};

impl Open {
    pub(crate) fn now_ms(&self) -> i64 {
        let clock = &self.inner.ports.clock;
        self.mode.plain(|| clock.now_ms(), |now_ms| Entry::Now(*now_ms), Player::now)
    }

    pub(crate) fn id(&self) -> Id {
        self.mode.id(|| self.inner.id())
    }

    pub(crate) fn pid(&self) -> String {
        let real = || {
            let mut bytes = [0; 8];
            self.inner.ports.entropy.fill(&mut bytes);
            crate::pid(u64::from_le_bytes(bytes))
        };
        self.mode.plain(real, |pid| Entry::Pid(pid.clone()), Player::pid)
    }

    /// 256 secret bits; in a replay others than they were.
    pub(crate) fn secret_bytes(&self) -> [u8; 32] {
        self.mode.player(Player::token).unwrap_or_else(|| {
            let mut bytes = [0; 32];
            self.inner.ports.entropy.fill_secret(&mut bytes);
            bytes
        })
    }

    /// Says that this text is a secret that the function was given, by its name where it has one.
    pub(crate) fn gave_secret(&self, name: Option<&str>, value: &str) {
        self.mode.secret(name, value);
    }

    /// A secret setting; in a replay something stands for one that this machine does not have.
    pub(crate) fn secret_setting(&self, value: String) -> String {
        if value.is_empty() && self.is_played() { "a secret that is not here".to_owned() } else { value }
    }

    pub(crate) fn setting<'t>(&self, name: &str, text: &'t str) -> Cow<'t, str> {
        if matches!(self.mode, Mode::Live) {
            return Cow::Borrowed(text);
        }
        let entry = |value: &String| Entry::Setting(name.to_owned(), value.clone());
        Cow::Owned(self.mode.plain(|| text.to_owned(), entry, |player| player.setting(name)))
    }

    pub(crate) fn asset(&self, name: &str, real: impl FnOnce() -> String) -> String {
        let entry = |value: &String| Entry::Asset(name.to_owned(), value.clone());
        self.mode.plain(real, entry, |player| player.asset(name))
    }

    pub(crate) fn away(&self, setting: &str, real: impl FnOnce() -> Option<i64>) -> Option<i64> {
        let entry = |wait_ms: &Option<i64>| Entry::Away(setting.to_owned(), *wait_ms);
        self.mode.plain(real, entry, |player| player.away(setting))
    }

    /// Whether a recording is played: then nothing is done to the world.
    pub(crate) fn is_played(&self) -> bool {
        matches!(self.mode, Mode::Play(_))
    }

    /// Runs a program, and records what it writes.
    pub(crate) async fn exec(&self, mut exec: Exec) -> Result<Exited, Fault> {
        if let Some(played) = self.mode.player(|player| player.exec(&mut exec)) {
            return played;
        }
        let used = Used::Tool(exec.tool);
        if !self.mode.is_recording() {
            return self.wait(used, self.inner.ports.machine.exec(exec)).await;
        }
        let (ask, heard) = (Run::of(&exec), Arc::new(Mutex::new((Vec::new(), 0_usize))));
        if let Some(mut on_line) = exec.on_line.take() {
            let heard = heard.clone();
            exec.on_line = Some(Box::new(move |line: &str| {
                let mut heard = heard.lock().unwrap_or_else(PoisonError::into_inner);
                // One line more than is kept tells that there was more.
                if heard.1 <= OUTPUT_BYTES_MAX {
                    heard.0.push(line.to_owned());
                }
                heard.1 += line.len() + 1;
                drop(heard);
                on_line(line);
            }));
        }
        let answer = self.wait(used, self.inner.ports.machine.exec(exec)).await;
        let lines = std::mem::take(&mut heard.lock().unwrap_or_else(PoisonError::into_inner).0);
        self.mode.record(|| Taken::Exec { ask, lines, answer: answer.clone() });
        answer
    }

    pub(crate) async fn query(&self, head: &Head, reads: Vec<Read>) -> Result<Vec<Rows>, Fault> {
        let played = self.mode.player(|player| reads.iter().map(|read| player.query(read)).collect());
        if let Some(played) = played {
            return played;
        }
        let records = &self.inner.ports.records;
        if !self.mode.is_recording() {
            self.note(Used::Records(&reads));
            return self.timed(Dependency::Records, self.in_turn(records.query(&head.tenant, reads))).await;
        }
        let result = self.wait(Used::Records(&reads), records.query(&head.tenant, reads.clone())).await;
        for (at, Read { statement, params }) in reads.into_iter().enumerate() {
            let answer = || match &result {
                Ok(rows) => Ok(rows.get(at).cloned().unwrap_or_default()),
                Err(fault) => Err(fault.clone()),
            };
            self.mode.record(|| Taken::Query { statement: statement.name, params, answer: answer() });
        }
        result
    }

    /// Runs another function for this one, and waits for it.
    pub(crate) async fn call(&self, msg: Msg) -> Result<Answer, Fault> {
        let (kind, uri) = (msg.kind.clone(), msg.uri.clone());
        let ask = || Ask {
            kind: kind.clone(),
            uri: uri.to_string(),
            data: msg.data.clone(),
            is_own: matches!(msg.principal, Principal::Service(_)),
        };
        if let Some(played) = self.mode.player(|player| player.call(&ask(), msg.id)) {
            return played;
        }
        let recorded = self.mode.is_recording().then(ask);
        let used = Used::Call(self.inner.space.find_call(&kind, &uri));
        let answer =
            self.wait(used, Box::pin(Host { inner: self.inner.clone() }.run_for(Some(self.holder), msg))).await;
        if let Some(ask) = recorded {
            self.mode.record(|| Taken::Call { ask, answer: answer.clone() });
        }
        answer
    }

    /// The answer that was recorded, where a recording is played.
    pub(crate) fn played(&self, request: &Request) -> Option<Result<Response, Fault>> {
        self.mode.player(|player| player.fetch(request))
    }

    pub(crate) fn fetched(&self, ask: Option<Request>, answer: &Result<Response, Fault>) {
        if let Some(ask) = ask {
            self.mode.record(|| Taken::Fetch { ask, answer: answer.clone() });
        }
    }

    /// What to record of a request, before it goes out.
    pub(crate) fn asked(&self, request: &Request) -> Option<Request> {
        self.mode.is_recording().then(|| Request { headers: Vec::new(), ..request.clone() })
    }

    /// What was recorded of an attempt that is made again does not count.
    pub(crate) fn again(&self) {
        if let Mode::Record(tape) = &self.mode {
            *tape.lock().unwrap_or_else(PoisonError::into_inner) = Tape::default();
        }
    }
}
