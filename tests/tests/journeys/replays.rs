//! What ran can be seen, replayed on a desk, and made into a test that compiles, passes, and fails when what is expected changes.

use crate::channel::{Channel, showrunner};
use crate::programs::eventually;
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A trace that its sender records.
const TRACE: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

fn run(channel: &Channel, arguments: &[&str]) -> (bool, String) {
    let data = channel.data();
    let output = showrunner(&[arguments, &["--data-dir", data.to_str().unwrap()]].concat()).output().unwrap();
    let said = if output.status.success() { output.stdout } else { [output.stdout, output.stderr].concat() };
    (output.status.success(), String::from_utf8(said).unwrap())
}

/// What a command prints; it must succeed.
#[track_caller]
fn said(channel: &Channel, arguments: &[&str]) -> String {
    let (is_success, said) = run(channel, arguments);
    assert!(is_success, "{arguments:?}: {said}");
    said
}

fn newest(channel: &Channel, arguments: &[&str]) -> Value {
    let said = said(channel, &[&["invocations", "--format", "json", "--limit", "1"], arguments].concat());
    serde_json::from_str::<Value>(&said).unwrap()[0].take()
}

/// A channel on which an owner has made a series and asked for its trace, and somebody asked for what is not there.
fn channel() -> Channel {
    let channel = Channel::open();
    let headers = [("content-type", "application/json"), ("traceparent", TRACE)];
    let title = json!({"title": "Night ferry"}).to_string();
    channel.owner().send("POST", "/api/series", &headers, title.as_bytes()).ok();
    let wrong = json!({"email": "ada@people.example", "password": "lighthouse keeper 9"});
    assert_eq!(channel.nobody().post("/api/sessions", &wrong).status, 401);
    channel
}

#[test]
fn an_invocation_is_followed_from_the_list_to_a_replay_and_a_bill() {
    let mut channel = channel();
    let made = newest(&channel, &["--function", "catalogue::series::create"]);
    assert_eq!(
        (&made["trigger"], &made["correlation"]),
        (&json!("http"), &json!("4bf92f35-77b3-4da6-a3ce-929d0e0e4736"))
    );
    assert!(made["waits"].as_array().unwrap().iter().any(|wait| wait["on"] == "records"), "{made}");
    let span = made["span"].as_str().unwrap();
    let told = said(&channel, &["replay", span]);
    assert!(told.starts_with("catalogue post /series does what it did: nothing differs."), "{told}");
    let refused = newest(&channel, &["--fault", "any", "--function", "identity::sessions"]);
    let recording = said(&channel, &["invocation", refused["span"].as_str().unwrap()]);
    assert!(!recording.contains("lighthouse"), "{recording}");
    assert!(recording.contains("[redacted]"), "{recording}");
    let bill: Value = serde_json::from_str(&said(&channel, &["cost", "--format", "json"])).unwrap();
    let line = bill["lines"].as_array().unwrap().iter().find(|line| line["of"] == made["function"]).unwrap();
    assert_eq!((&line["usage"]["invocations"], &line["usage"]["gateway_requests"]), (&json!(1), &json!(1)));
    assert!(said(&channel, &["cost", "--chain", made["correlation"].as_str().unwrap()]).contains("as a step"));
    assert!(channel.end().success());
    let told = said(&channel, &["replay", span]);
    assert!(told.contains("nothing differs"), "without a server: {told}");
    let bill: Value = serde_json::from_str(&said(&channel, &["cost", "--by", "tenant", "--format", "json"])).unwrap();
    assert_eq!(bill["lines"][0]["of"], "demo", "what was used is still known");
    let (is_success, why) = run(&channel, &["replay", "ffffffffffffffff"]);
    assert!(!is_success && why.contains("nothing was captured of ffffffffffffffff"), "{why}");
}

#[test]
fn a_recording_becomes_a_test_that_passes_and_fails_when_another_reply_is_expected() {
    let channel = channel();
    let span = newest(&channel, &["--function", "catalogue::series::create"])["span"].as_str().unwrap().to_owned();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("recorded.rs");
    said(&channel, &["replay", &span, "--as-test", "--out", file.to_str().unwrap()]);
    let (is_success, told) = run_test(&file, folder.path());
    assert!(is_success && told.contains("1 passed"), "{told}");
    let text = fs::read_to_string(&file).unwrap();
    let at = text.rfind("\"reply\"").unwrap();
    let other = format!("{}{}", &text[..at], text[at..].replace("Night ferry", "Day ferry"));
    assert_ne!(text, other);
    let file = folder.path().join("changed.rs");
    fs::write(&file, other).unwrap();
    let (is_success, told) = run_test(&file, folder.path());
    assert!(!is_success && told.contains("it was \\\"Day ferry\\\", now it is \\\"Night ferry\\\""), "{told}");
}

#[test]
fn recordings_go_with_the_member_who_is_removed() {
    let mut channel = Channel::closed();
    let mut up = channel.up();
    channel.start_with(up.env("SHOWRUNNER_CALLBOARD_CAPTURE", "all"));
    let ada = channel.member("ada", "viewer");
    let id = ada.get("/api/me").ok().json()["id"].as_str().unwrap().to_owned();
    let recorded = || -> String {
        let segments = fs::read_dir(channel.data().join("recordings")).unwrap();
        segments.filter_map(|segment| fs::read_to_string(segment.unwrap().path()).ok()).collect()
    };
    eventually("what she did is captured", recorded, |text| text.matches(&id).count() > 3);
    channel.owner().delete(&format!("/api/members/{id}")).ok();
    let text = eventually("she is forgotten", recorded, |text| !text.contains(&id));
    assert!(text.contains("identity post /sessions"), "what others did is still there");
}

/// Compiles a test against the crates that this test was built with, and runs it.
fn run_test(file: &Path, folder: &Path) -> (bool, String) {
    let own = std::env::current_exe().unwrap();
    let built = own.parent().unwrap();
    let out = folder.join("test");
    let mut last = String::new();
    for [service, bench] in candidates(built) {
        let extern_of = |name: &str, rlib: &Path| format!("{name}={}", rlib.display());
        let mut rustc = Command::new(std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()));
        rustc.args(["--test", "--edition", "2024", "-o"]).arg(&out).arg(file);
        rustc.arg("-L").arg(format!("dependency={}", built.display()));
        rustc.args(["--extern", &extern_of("catalogue", &service)]);
        rustc.args(["--extern", &extern_of("callboard_bench", &bench)]);
        let compiled = rustc.output().unwrap();
        if compiled.status.success() {
            let ran = Command::new(&out).output().unwrap();
            let said = String::from_utf8_lossy(&[ran.stdout, ran.stderr].concat()).into_owned();
            return (ran.status.success(), said);
        }
        last = String::from_utf8_lossy(&compiled.stderr).into_owned();
    }
    panic!("it does not compile: {last}");
}

/// The crates it needs, the newest first; a crate built with other features does not fit to the others.
fn candidates(built: &Path) -> Vec<[PathBuf; 2]> {
    let of = |name: &str| {
        let files = fs::read_dir(built).unwrap().map(|entry| entry.unwrap().path());
        let is_one = |path: &PathBuf| {
            let stem = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
            stem.strip_prefix("lib").and_then(|stem| stem.strip_prefix(name)).is_some_and(|rest| rest.starts_with('-'))
                && path.extension().is_some_and(|extension| extension == "rlib")
        };
        let mut found: Vec<PathBuf> = files.filter(is_one).collect();
        found.sort_by_key(|path| std::cmp::Reverse(fs::metadata(path).and_then(|meta| meta.modified()).ok()));
        found.truncate(4);
        found
    };
    let (services, benches) = (of("catalogue"), of("callboard_bench"));
    let mut all = Vec::new();
    for (one, service) in services.iter().enumerate() {
        for (other, bench) in benches.iter().enumerate() {
            all.push((one + other, [service.clone(), bench.clone()]));
        }
    }
    all.sort_by_key(|(distance, _)| *distance);
    all.into_iter().map(|(_, rlibs)| rlibs).collect()
}
