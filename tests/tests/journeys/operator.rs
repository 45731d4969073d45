//! The operator's commands, on a folder that nobody uses and on one that a server uses.

use crate::channel::{Channel, showrunner};
use std::os::unix::fs::PermissionsExt;

/// What a command prints; it must succeed.
fn said(channel: &Channel, arguments: &[&str]) -> String {
    let data = channel.data();
    let output = showrunner(&[arguments, &["--data", data.to_str().unwrap()]].concat()).output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn the_same_commands_work_with_and_without_a_server() {
    let mut channel = Channel::closed();
    let look = |channel: &Channel| {
        assert_eq!(said(channel, &["dead", "list"]), "there are no dead letters\n");
        assert_eq!(said(channel, &["flows", "list"]), "there are no runs\n");
        assert!(said(channel, &["queues", "--format", "json"]).contains("\"stale\": 0"));
        assert_eq!(said(channel, &["dead", "discard", "--all"]), "0 thrown away\n");
        said(channel, &["schedules"]);
        let data = channel.data();
        let unknown = showrunner(&["dead", "show", "7", "--data", data.to_str().unwrap()]).output().unwrap();
        assert!(!unknown.status.success());
        assert!(String::from_utf8_lossy(&unknown.stderr).contains("there is no dead letter 7"));
    };
    look(&channel);
    channel.start();
    let socket = channel.data().join("operator.sock");
    assert_eq!(std::fs::metadata(socket).unwrap().permissions().mode() & 0o777, 0o600);
    look(&channel);
}
