//! Starts that cannot be: what keeps the server from starting is said in words, with what to do.

use crate::channel::{Channel, complaint, showrunner};
use crate::functions::request;
use crate::runtime::Function;
use serde_json::Value;
use std::fs;
use std::net::TcpListener;
use std::process::Command;

#[test]
fn a_taken_port_is_named() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let (code, said) = complaint(showrunner(&["up", "--listen", &address, "--data", data.to_str().unwrap()]));
    assert_eq!(code, Some(1), "{said}");
    assert!(
        said.contains(&format!("cannot listen on {address}")) && said.contains("another program listens there"),
        "{said}"
    );
    let (code, said) = complaint(showrunner(&["up", "--listen", "nonsense", "--data", data.to_str().unwrap()]));
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("`nonsense`") && said.contains("such as `127.0.0.1:8080`"), "{said}");
}

#[test]
fn a_folder_belongs_to_one_process() {
    let channel = Channel::open();
    let data = channel.data();
    let data = data.to_str().unwrap();
    for arguments in [
        &["up", "--listen", "127.0.0.1:0", "--data", data][..],
        &["owner", "second@channel.example", "--data", data],
        &["call", "--data-dir", data, "GET", "/series"],
    ] {
        let (code, said) = complaint(showrunner(arguments));
        assert_eq!(code, Some(1), "{arguments:?}: {said}");
        let words = format!("the data folder {data} is used by another process; stop it, or choose another folder\n");
        assert!(said.ends_with(&words), "{arguments:?}: {said}");
    }
    channel.nobody().get("/").ok();
}

#[test]
fn a_folder_that_cannot_be_written_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "not a folder").unwrap();
    for data in [file.clone(), file.join("below")] {
        let (code, said) = complaint(showrunner(&["up", "--listen", "127.0.0.1:0", "--data", data.to_str().unwrap()]));
        assert_eq!(code, Some(1), "{said}");
        assert!(said.contains(data.to_str().unwrap()) && said.contains("choose another"), "{said}");
    }
    assert_eq!(fs::read_to_string(&file).unwrap(), "not a folder");
}

#[test]
fn a_folder_on_a_read_only_disk_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().to_str().unwrap();
    let up = showrunner(&["up", "--listen", "127.0.0.1:0", "--data", data]);
    let mut mounted = Command::new("unshare");
    mounted.args(["--user", "--map-root-user", "--mount", "sh", "-c"]);
    mounted.args(["mount -t tmpfs -o ro tmpfs \"$0\" && exec \"$@\"", data]).arg(up.get_program()).args(up.get_args());
    let (code, said) = complaint(mounted);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains(data) && said.contains("choose another"), "{said}");
}

#[test]
fn settings_that_are_wrong_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("showrunner.toml");
    fs::write(&file, "lisen = \"127.0.0.1:1\"\n").unwrap();
    let (code, said) = complaint(showrunner(&["config", "--settings", file.to_str().unwrap()]));
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("`lisen`") && said.contains("did you mean `listen`"), "{said}");
    assert!(said.contains(file.to_str().unwrap()), "{said}");
    for command in ["config", "map"] {
        let (code, said) = complaint(showrunner(&[command, "--services", "site,nothing"]));
        assert_eq!(code, Some(1), "{said}");
        assert!(said.contains("there is no service `nothing`"), "{said}");
    }
    let data = folder.path().join("data");
    for (variable, value, words) in [
        ("SHOWRUNNER_LOG_FORMAT", "xml", "write human or json or auto"),
        ("SHOWRUNNER_MEDIA_UPLOADS_OPEN_MAX", "many", "write a whole number"),
        ("SHOWRUNNER_LISTEM", "127.0.0.1:1", "did you mean `SHOWRUNNER_LISTEN`"),
    ] {
        let mut call = showrunner(&["call", "--data-dir", data.to_str().unwrap(), "GET", "/series"]);
        call.env(variable, value);
        let (code, said) = complaint(call);
        assert_eq!(code, Some(1), "{said}");
        assert!(said.contains(words), "{said}");
    }
}

#[test]
fn a_function_without_shared_records_says_so_unless_it_is_only_tried() {
    let mut function = Function::begin(&[], std::iter::empty());
    let said = function.refusal();
    assert_eq!(said["errorType"], "lambda.records");
    assert!(said["errorMessage"].as_str().unwrap().contains("--dev-single"), "{said}");
    let mut single = Function::begin(&["--dev-single"], std::iter::empty());
    let answer = single.invoke(&request("GET", "/api/series", "", &Value::Null)).unwrap();
    assert_eq!(answer["body"], "{\"items\":[],\"next\":null}");
}
