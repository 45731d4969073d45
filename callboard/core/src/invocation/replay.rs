//! A recording against the code as it is now: the function runs on what was recorded, nothing happens, and what differs is told.

use super::player::Player;
use super::recording::{self, Recording};
use super::redact::Redactor;
use super::tape::Mode;
use crate::flow::{StepCall, What};
use crate::host::Call;
use crate::space::Target;
use crate::{Data, Env, Fault, Host, Msg};
use serde::Serialize;
use serde_json::Value;
use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt;

/// Something that differs.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Difference {
    /// Where in the reply, such as `effects.writes[0].params[2]`.
    pub path: String,
    /// As it was recorded; null where there was nothing.
    pub recorded: Value,
    /// As it is now; null where there is nothing.
    pub now: Value,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: it was {}, now it is {}", self.path, self.recorded, self.now)
    }
}

/// What a replay found.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Replayed {
    /// What differs in the reply and its effects. What is made of secrets does not count: they are not recorded.
    pub differences: Vec<Difference>,
    /// What the function reads otherwise than it did.
    pub reads: Vec<String>,
}

impl Replayed {
    /// Whether nothing differs.
    pub fn is_same(&self) -> bool {
        self.differences.is_empty() && self.reads.is_empty()
    }
}

impl Host {
    /// Runs the function of a recording on what was recorded.
    ///
    /// # Errors
    /// `replay.cut` where too little was recorded, `replay.unbound` where nothing is bound to its message any more.
    pub async fn replay(&self, recording: &Recording) -> Result<Replayed, Fault> {
        if recording.is_cut || recording.reply.is_null() {
            let message = "this recording is not whole: the function read too much, or did not return";
            return Err(Fault::bad_input("replay.cut", message));
        }
        let (first, mut reads) = self.play(recording, 1).await?;
        let (second, _) = self.play(recording, 2).await?;
        let secret: BTreeSet<String> = differences(&first, &second).into_iter().map(|one| one.path).collect();
        let mut found = differences(&recording.reply, &first);
        found.retain(|one| !secret.contains(&one.path));
        reads.dedup();
        Ok(Replayed { differences: found, reads })
    }

    /// Runs it once; the seed makes its secrets.
    async fn play(&self, recording: &Recording, seed: u8) -> Result<(Value, Vec<String>), Fault> {
        let space = &self.inner.space;
        let unbound =
            || Fault::not_found("replay.unbound", format!("nothing is bound as `{}` any more", recording.target));
        let mut msg = message(recording);
        let target = space.target(&recording.target).ok_or_else(unbound)?;
        let holder = space.holder(target);
        let call = match target {
            Target::Binding(at) => {
                let binding = space.binding(at).1;
                msg.params = binding.pattern.params(&msg.uri);
                let function = &*binding.function;
                Call {
                    service: at.service,
                    holder,
                    function,
                    binding: Some(binding),
                    settle: None,
                    turn: None,
                    step: None,
                    flow: None,
                }
            }
            Target::Due { service, schedule } => {
                let function = &*space.services[service].schedules[schedule].function;
                Call { service, holder, function, binding: None, settle: None, turn: None, step: None, flow: None }
            }
            Target::Flow(at) => {
                let What::Step { step, part } = at.what else { return Err(unbound()) };
                let function = self.step_function(at, step, part).ok_or_else(unbound)?;
                let step = Some(StepCall::read(&msg.data.read()?, msg.attempt, step, part)?);
                Call {
                    service: at.service,
                    holder,
                    function,
                    binding: None,
                    settle: None,
                    turn: None,
                    step,
                    flow: None,
                }
            }
            Target::Tick { .. } => return Err(unbound()),
        };
        let open = self.open(&call, &msg, Mode::Play(Player::new(recording, seed).into()));
        let env = Env {
            inner: self.inner.clone(),
            head: msg.head.clone(),
            service: call.service,
            is_relay: call.binding.is_some_and(|binding| binding.is_relay),
            step: call.step,
            open: open.clone(),
        };
        let mut reply = match call.function.call(env, msg).await {
            Ok(reply) => recording::reply(&reply, reply.effects.events.len()),
            Err(fault) => recording::fault(&fault),
        };
        let found = open.mode.player(|player| {
            Redactor::new(player.tape.secrets.clone()).value(&mut reply);
            let mut reads = std::mem::take(&mut player.unheard);
            reads.extend(player.left());
            reads
        });
        Ok((reply, found.unwrap_or_default()))
    }
}

fn message(recording: &Recording) -> Msg {
    let told = &recording.message;
    let mut msg = Msg::new(told.kind.clone(), told.uri.clone(), told.tenant.clone(), told.id, told.time_ms);
    let head = msg.head_mut();
    head.source = Cow::Owned(told.source.clone());
    head.principal = told.principal.clone();
    head.correlation = told.correlation;
    head.causation = told.causation;
    head.attempt = told.attempt;
    head.hops = told.hops;
    head.meta = told.meta.iter().map(|(name, value)| (Cow::Owned(name.clone()), value.clone())).collect();
    let bytes = match &told.data {
        Value::String(text) => text.clone().into_bytes(),
        other => recording::read_bytes(other).unwrap_or_default(),
    };
    msg.with_data(Data { media_type: Cow::Owned(told.media_type.clone()), bytes: bytes.into() })
}

/// Every place at which two values differ.
fn differences(recorded: &Value, now: &Value) -> Vec<Difference> {
    let mut found = Vec::new();
    compare("", recorded, now, &mut found);
    found
}

fn compare(path: &str, recorded: &Value, now: &Value, found: &mut Vec<Difference>) {
    let nothing = &Value::Null;
    match (recorded, now) {
        (Value::Object(then), Value::Object(today)) => {
            for name in then.keys().chain(today.keys().filter(|name| !then.contains_key(*name))) {
                let below = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                compare(&below, then.get(name).unwrap_or(nothing), today.get(name).unwrap_or(nothing), found);
            }
        }
        (Value::Array(then), Value::Array(today)) => {
            for at in 0..then.len().max(today.len()) {
                let below = format!("{path}[{at}]");
                compare(&below, then.get(at).unwrap_or(nothing), today.get(at).unwrap_or(nothing), found);
            }
        }
        _ if recorded == now || is_rounded(recorded, now) => {}
        _ => found.push(Difference { path: path.to_owned(), recorded: recorded.clone(), now: now.clone() }),
    }
}

/// Whether two fractions are the same but for the last digits, which reading JSON may change.
fn is_rounded(one: &Value, other: &Value) -> bool {
    let fraction = |value: &Value| value.as_f64().filter(|_| value.is_f64());
    let near = |(one, other): (f64, f64)| (one - other).abs() <= 4.0 * f64::EPSILON * one.abs().max(other.abs());
    fraction(one).zip(fraction(other)).is_some_and(near)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn fractions_that_json_rounds_are_the_same() {
        let differ = |one: Value, other: Value| !differences(&one, &other).is_empty();
        assert!(!differ(json!(-947_293_065_419.459_6), json!(-947_293_065_419.459_7)));
        assert!(differ(json!(1.0), json!(1.000_001)) && differ(json!(7), json!(8)) && differ(json!(1), json!("1")));
    }

    #[test]
    fn what_differs_is_told_by_its_place() {
        let then = json!({"body": {"json": [1, {"a": 2}]}, "gone": true});
        let now = json!({"body": {"json": [1, {"a": 3}, 4]}, "new": "x"});
        let told: Vec<(String, Value, Value)> =
            differences(&then, &now).into_iter().map(|one| (one.path, one.recorded, one.now)).collect();
        let want = [
            ("body.json[1].a".to_owned(), json!(2), json!(3)),
            ("body.json[2]".to_owned(), json!(null), json!(4)),
            ("gone".to_owned(), json!(true), json!(null)),
            ("new".to_owned(), json!(null), json!("x")),
        ];
        assert_eq!(told, want);
    }
}
