//! Who may what, and why not: keys of programs, policies of a channel's own, and refusals that are explained with and without a
//! server.

use crate::channel::{Channel, complaint, showrunner};
use crate::exchange::Answer;
use serde_json::json;
use std::fs;
use std::process::Command;

const POLICY: &str = r#"
@id("keep")
forbid (principal, action == Action::"delete", resource in Function::"catalogue delete /series/{id}");
"#;

/// What a command prints; it must succeed.
fn said(channel: &Channel, arguments: &[&str]) -> String {
    let output = command(channel, arguments).output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn command(channel: &Channel, arguments: &[&str]) -> Command {
    showrunner(&[arguments, &["--data", channel.data().to_str().unwrap()]].concat())
}

/// The secret in what `key add` prints.
fn secret(said: &str) -> String {
    let line = said.lines().find_map(|line| line.strip_prefix("secret, shown once: "));
    line.unwrap_or_else(|| panic!("{said}")).to_owned()
}

fn id(answer: &Answer) -> String {
    answer.header("x-request-id").expect("an answer has an id").to_owned()
}

#[test]
fn a_refusal_is_explained_to_the_owner_on_the_command_line_and_after_a_restart() {
    let mut channel = Channel::closed();
    let policy = channel.data().with_file_name("policy.cedar");
    fs::write(&policy, POLICY).unwrap();
    let mut up = channel.up();
    channel.start_with(up.env("SHOWRUNNER_POLICY", &policy));
    let owner = channel.owner();
    let made = owner.post("/api/series", &json!({"title": "Kept"})).ok().json();
    let refused = owner.delete(&format!("/api/series/{}", made["id"].as_str().unwrap()));
    let problem = refused.json();
    assert_eq!((refused.status, &problem["code"]), (403, &json!("denied")));
    let place = format!("{}:2", policy.display());
    assert_eq!(problem["policy"]["rule"], format!("the policy `keep` at {place} forbids it"));
    assert_eq!(problem["policy"]["allow"], json!([format!("take away the policy `keep` at {place}, or narrow it")]));
    let nobody = channel.nobody().post("/api/series", &json!({"title": "Mine"}));
    assert_eq!((nobody.status, &nobody.json()["policy"]), (401, &json!(null)), "strangers hear nothing of rules");
    let explained = |channel: &Channel| {
        let told = said(channel, &["explain", &id(&refused)]);
        assert!(told.contains("to allow  take away the policy `keep`"), "{told}");
        let told = said(channel, &["explain", &id(&nobody)]);
        assert!(told.contains("who       nobody was signed in"), "{told}");
        assert!(told.contains("to allow  sign in to demo, and have the role editor in demo"), "{told}");
    };
    explained(&channel);
    let told = said(&channel, &["policy"]);
    let seen =
        |line: &str| line.split_whitespace().collect::<Vec<_>>().ends_with(&["emit", "created", "/series/{id}", "1"]);
    assert!(told.lines().any(seen), "{told}");
    assert!(said(&channel, &["policy", "--cedar"]).contains("@id(\"keep\")"), "the server's own policy");
    assert!(channel.end().success());
    explained(&channel);
    let unknown = complaint(command(&channel, &["explain", "00000000-0000-7000-8000-000000000000"]));
    assert!(unknown.1.contains("no refusal of this id is remembered"), "{unknown:?}");
    assert!(unknown.1.contains("`showrunner invocation 00000000-0000-7000-8000-000000000000` shows"), "{unknown:?}");
    let no_id = complaint(command(&channel, &["explain", "123"]));
    assert!(no_id.1.contains("`123` is no id; it is `instance` in the answer"), "{no_id:?}");
}

#[test]
fn a_policy_with_a_mistake_is_told_with_its_place_and_nothing_starts() {
    let channel = Channel::closed();
    let policy = channel.data().with_file_name("policy.cedar");
    for (text, place, what) in [
        (POLICY.replace("delete /series/{id}", "delete /seris"), ":2:1: ", "there is no Function::"),
        (format!("{POLICY}\npermit (principal"), ":5:", "unexpected end of input"),
    ] {
        fs::write(&policy, text).unwrap();
        let mut up = channel.up();
        up.env("SHOWRUNNER_POLICY", &policy);
        let (code, said) = complaint(up);
        assert!(code == Some(1) && said.contains(place) && said.contains(what), "{said}");
    }
    let mut up = channel.up();
    up.env("SHOWRUNNER_POLICY", channel.data().join("none.cedar"));
    assert!(complaint(up).1.contains("none.cedar"), "a policy that was named must be there");
}

#[test]
fn a_key_works_until_it_is_taken_back_and_only_in_its_channel() {
    let mut channel = Channel::closed();
    channel.make_tenant("rival");
    let before = secret(&said(&channel, &["key", "add", "Importer", "--role", "editor"]));
    channel.start();
    let while_it_runs = secret(&said(&channel, &["key", "add", "Cutter", "--role", "viewer"]));
    let call = |key: &str, path: &str| {
        let bearer = format!("Bearer {key}");
        let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
        channel.nobody().send("POST", path, &headers, br#"{"title": "By a program"}"#)
    };
    assert_eq!(call(&before, "/api/series").status, 201);
    assert_eq!(call(&while_it_runs, "/api/series").status, 403, "a viewer's key");
    let elsewhere = call(&before, "/@rival/api/series");
    assert_eq!(elsewhere.status, 401);
    assert!(elsewhere.header("www-authenticate").is_some_and(|value| value.contains("no such key works")));
    let list = said(&channel, &["key", "list"]);
    assert!(list.contains("Importer") && list.contains("Cutter") && !list.contains("srk_"), "{list}");
    let line = list.lines().find(|line| line.contains("Importer")).unwrap();
    assert_eq!(said(&channel, &["key", "revoke", line.split(' ').next().unwrap()]), "it works no longer\n");
    assert_eq!(call(&before, "/api/series").status, 401);
    assert!(!channel.log_text().contains("srk_"), "no key is logged");
}

#[test]
fn who_tries_passwords_from_one_address_is_slowed_down_for_every_account() {
    let mut channel = Channel::closed();
    let mut up = channel.up();
    channel.start_with(up.env("SHOWRUNNER_PROXIES", "127.0.0.1").env("SHOWRUNNER_LIMITS_SECRETS_PER_MINUTE", "4"));
    let attempt = |number: usize, address: &str| {
        let body = json!({"email": format!("person{number}@example.org"), "password": "a guess of some length"});
        let headers = [("content-type", "application/json"), ("x-forwarded-for", address)];
        channel.nobody().send("POST", "/api/sessions", &headers, body.to_string().as_bytes())
    };
    let statuses: Vec<u16> = (0..6).map(|number| attempt(number, "203.0.113.7").status).collect();
    assert_eq!(statuses, [401, 401, 401, 401, 429, 429]);
    let refused = attempt(7, "203.0.113.7");
    assert_eq!(refused.header("ratelimit-policy"), Some("\"secrets\";q=4;w=60"));
    assert!(refused.header("retry-after").is_some());
    assert_eq!(attempt(8, "203.0.113.8").status, 401, "another address");
}
