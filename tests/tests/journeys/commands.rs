//! What whoever runs the machine types: commands that make channels and owners, ask functions, and say what was mistyped.

use crate::channel::{Channel, complaint, showrunner};
use serde_json::json;
use std::path::Path;
use std::process::Command;

/// A command on a data folder.
fn on(data: &Path, arguments: &[&str]) -> Command {
    let data = data.to_str().expect("a path in UTF-8");
    showrunner(&[&arguments[..1], &["--data-dir", data], &arguments[1..]].concat())
}

/// What a command prints that succeeds.
#[track_caller]
fn said(mut command: Command) -> String {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// What a command complains about that fails.
#[track_caller]
fn refused(command: Command) -> String {
    let (code, words) = complaint(command);
    assert!(matches!(code, Some(1 | 2)), "{code:?}: {words}");
    words
}

#[test]
fn nothing_is_made_in_a_channel_that_does_not_exist() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let made = said(on(&data, &["tenant", "mychannel", "--title", "My channel"]));
    let next = format!("Next: `showrunner owner ADDRESS --tenant mychannel --data-dir {}`\n", data.display());
    assert!(made.ends_with(&next), "{made}");
    for arguments in [
        &["owner", "me@example.org", "--tenant", "nope"][..],
        &["owner", "me@example.org", "--tenant", "nope", "--reset"],
        &["call", "GET", "/series", "--tenant", "nope"],
        &["call", "PAGE", "/", "--tenant", "nope"],
    ] {
        let words = refused(on(&data, arguments));
        assert!(words.contains("there is no channel `nope`; make it with `showrunner tenant nope --title"), "{words}");
    }
    assert!(refused(on(&data, &["owner", "me@example.org"])).contains("there is no channel `demo`"));
    let found = said(on(&data, &["call", "GET", "/tenants/mychannel"]));
    assert!(found.starts_with("200 OK") && found.contains("My channel"), "{found}");
    let owner = said(on(&data, &["owner", "me@example.org", "--tenant", "mychannel"]));
    assert!(owner.starts_with("owner of `mychannel`: me@example.org\npassword, shown once: "), "{owner}");
}

#[test]
fn a_folder_that_is_not_there_is_not_made_by_asking() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("nowhere");
    for arguments in [&["call", "GET", "/series"][..], &["owner", "me@example.org"]] {
        let words = refused(on(&data, arguments));
        assert!(words.contains(&format!("there is no data folder {}", data.display())), "{words}");
        assert!(words.contains(&format!("--title TITLE --data-dir {}`", data.display())), "{words}");
        assert!(!data.exists());
    }
}

#[test]
fn a_lost_password_is_replaced_at_the_machine() {
    let mut channel = Channel::open();
    let before = channel.owner();
    channel.end();
    let again = refused(on(&channel.data(), &["owner", "owner@channel.example"]));
    assert!(again.contains("`--reset` gives it a new password"), "{again}");
    let reset = said(on(&channel.data(), &["owner", "owner@channel.example", "--reset"]));
    let password = reset.trim_end().rsplit_once("password, shown once: ").expect("it is told").1.to_owned();
    channel.start();
    let port = channel.running().port;
    let before = crate::exchange::Visitor { port, ..before };
    before.get("/api/me").refused(401, "not_signed_in", "");
    let credentials = json!({"email": "owner@channel.example", "password": password});
    channel.nobody().post("/api/sessions", &credentials).ok();
}

#[test]
fn what_is_wrong_is_said_once() {
    let folder = tempfile::tempdir().unwrap();
    let words = refused(on(folder.path(), &["tenant", "mychannel", "--title", ""]));
    assert_eq!(words.matches("give a title").count(), 1, "{words}");
}

#[test]
fn words_that_are_mistyped_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    for (arguments, words) in [
        (&["call", "GET", "/series", "--bogus"][..], "`--bogus` is no option"),
        (&["call", "GET", "/series", "--as", "me:king"], "`king` is no role; there are viewer, editor, owner"),
        (&["tenant", "My Channel", "--title", "x"], "2 to 31 characters"),
    ] {
        let complaint = refused(on(&data, arguments));
        assert!(complaint.contains(words), "{complaint}");
    }
}

#[test]
fn help_and_version_are_there() {
    assert!(said(showrunner(&["help"])).contains("Call a function without a server"));
    assert!(said(showrunner(&["help", "tenant"])).contains("2 to 31 of a–z, 0–9 and single hyphens"));
    assert_ne!(said(showrunner(&["--version"])), "showrunner 0.0.0\n");
}

#[test]
fn the_map_draws_the_services_that_are_chosen() {
    let map = said(showrunner(&["map", "--services", "tenants"]));
    assert!(map.starts_with("tenants\n  trigger  URI "), "{map}");
    assert!(map.contains("tenants::registry::create") && !map.contains("identity"), "{map}");
}

#[test]
fn whoever_starts_the_server_reads_where_the_channels_are() {
    let mut channel = Channel::closed();
    channel.make_tenant("mychannel");
    channel.start();
    let port = channel.running().port;
    let greeting = channel.greeting(6);
    for line in
        ["Lantern Street", &format!("http://localhost:{port}/studio"), &format!("http://localhost:{port}/@mychannel/")]
    {
        assert!(greeting.contains(line), "{greeting}");
    }
    assert_eq!(channel.nobody().get("/@mychannel/").status, 200);
}
