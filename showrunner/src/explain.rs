//! Why something was refused, in plain words; and the file in the data folder that keeps the latest refusals over a restart.

use callboard::{Denial, Host, Principal};
use serde_json::Value;
use std::fmt::Write as _;
use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::Path;
use std::time::Duration;

/// Name of the file in the data folder.
pub(crate) const FILE: &str = "denials.jsonl";
/// How often what is new is written.
const PAUSE: Duration = Duration::from_secs(1);
/// Most refusals that are written at once; of a flood of strangers it says enough.
const BATCH_MAX: usize = 200;
/// From this size on the file is made anew with those that are still remembered.
const FILE_BYTES_MAX: u64 = 2 * 1024 * 1024;

/// Remembers what the file tells. What cannot be read is left out: the file is no record.
pub(crate) fn restore(host: &Host, file: &Path) {
    let text = fs::read_to_string(file).unwrap_or_default();
    host.denials().restore(text.lines().filter_map(|line| serde_json::from_str::<Denial>(line).ok()));
}

/// Writes what is refused into the file until `stop` is ready.
pub(crate) async fn keep(host: Host, file: impl AsRef<Path>, stop: impl Future<Output = ()>) {
    let mut stop = std::pin::pin!(stop);
    drop(host.denials().take_new());
    loop {
        let is_over = tokio::select! {
            () = &mut stop => true,
            () = tokio::time::sleep(PAUSE) => false,
        };
        if let Err(error) = write(&host, file.as_ref()) {
            tracing::warn!(file = %file.as_ref().display(), %error, "refusals cannot be kept");
        }
        if is_over {
            return;
        }
    }
}

fn write(host: &Host, file: &Path) -> std::io::Result<()> {
    let mut new = host.denials().take_new();
    if new.is_empty() {
        return Ok(());
    }
    // Members first: strangers must not push them out here either.
    new.sort_by_key(|denial| denial.principal == Principal::Nobody);
    new.truncate(BATCH_MAX);
    let is_full = fs::metadata(file).is_ok_and(|meta| meta.len() > FILE_BYTES_MAX);
    if is_full {
        new = host.denials().list(None, usize::MAX);
        new.reverse();
    }
    let mut text = String::new();
    for denial in &new {
        let line = serde_json::to_string(denial).expect("a refusal serialises to JSON");
        writeln!(text, "{line}").expect("a string takes every write");
    }
    let mut options = OpenOptions::new();
    let options = options.create(true).write(true).append(!is_full).truncate(is_full);
    options.open(file)?.write_all(text.as_bytes())
}

/// A refusal in plain words.
pub(crate) fn words(denial: &Value) -> String {
    let text = |name: &str| denial[name].as_str().unwrap_or_default();
    let action = text("action");
    let mut out = format!("{action} {} in {} was refused\n", text("resource"), text("tenant"));
    let mut line = |head: &str, text: &str| {
        writeln!(out, "  {head:9} {text}").expect("a string takes every write");
    };
    line("who", &who(&denial["principal"]));
    line("function", text("function"));
    line("rule", text("rule"));
    line("answer", &denial["seen"].to_string());
    let allow: Vec<&str> = denial["allow"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    line("to allow", &allow.join(", and "));
    if let Some(or) = denial["or"].as_str() {
        line("or only", or);
    }
    out
}

fn who(principal: &Value) -> String {
    match (principal.as_str(), &principal["person"], &principal["service"]) {
        (Some(_), ..) => "nobody was signed in".to_owned(),
        (None, _, Value::String(service)) => format!("the service {service}"),
        (None, person, _) => {
            let roles: Vec<&str> = person["roles"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
            let roles = if roles.is_empty() { "no role".to_owned() } else { roles.join(", ") };
            format!("{} with {roles}", person["id"].as_str().unwrap_or("somebody"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_refusal_is_told_in_plain_words() {
        let denial = json!({"action": "post", "resource": "/series", "tenant": "demo", "function": "catalogue post /series",
            "principal": {"person": {"id": "p1", "roles": ["viewer"], "session": null}}, "seen": 403,
            "rule": "`post /series` of catalogue is for the role editor", "allow": ["have the role editor in demo"],
            "or": "add the policy `permit (…);`"});
        let want = "post /series in demo was refused\n  who       p1 with viewer\n  function  catalogue post /series\n  \
                    rule      `post /series` of catalogue is for the role editor\n  answer    403\n  \
                    to allow  have the role editor in demo\n  or only   add the policy `permit (…);`\n";
        assert_eq!(words(&denial), want);
        assert_eq!(who(&json!("nobody")), "nobody was signed in");
        assert_eq!(who(&json!({"service": "site"})), "the service site");
    }
}
