//! What a function cannot reach: files of others, the network, other processes, and whatever it did not declare.

use crate::stage::{Stage, python};
use callboard_bench::{Bench, Kept};
use serde_json::{Value, json};

/// Tries what it is told, and says what became of each.
const TRY: &str = r#"
import os, socket, subprocess

def attempt(what):
    kind, _, rest = what.partition(" ")
    try:
        if kind == "read":
            return open(rest).read(1) and "read"
        if kind == "write":
            open(rest, "w").write("x")
            return "written"
        if kind == "list":
            return len(os.listdir(rest)) and "listed"
        if kind == "size":
            return os.stat(rest).st_size
        if kind == "truncate":
            os.truncate(rest, 0)
            return "truncated"
        if kind == "connect":
            host, port = rest.split(":")
            socket.create_connection((host, int(port)), timeout=2).close()
            return "connected"
        if kind == "multipath":
            host, port = rest.split(":")
            path = socket.socket(socket.AF_INET, socket.SOCK_STREAM, 262)
            path.connect((host, int(port)))
            return "connected"
        if kind == "fastopen":
            host, port = rest.split(":")
            return socket.socket().sendto(b"x", 0x20000000, (host, int(port))) and "connected"
        if kind == "listen":
            socket.socket().listen(1)
            return "listening"
        if kind == "unix":
            socket.socket(socket.AF_UNIX).connect(rest)
            return "connected"
        if kind == "kill":
            os.kill(int(rest), 0)
            return "signalled"
        if kind == "run":
            return subprocess.run(rest.split(), capture_output=True, timeout=5).returncode or "ran"
        if kind == "chmod":
            os.chmod(rest, 0o4777)
            return "changed"
        if kind == "fchmod":
            os.fchmod(os.open(rest, os.O_RDONLY), 0o4777)
            return "changed"
        if kind == "utime":
            os.utime(rest, (1, 1))
            return "changed"
        if kind == "mark":
            os.setxattr(rest, "user.mark", b"x")
            return "changed"
        if kind == "tell":
            ours, _ = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
            return ours.sendto(b"x", rest) and "told"
        if kind == "watch":
            import ctypes
            libc = ctypes.CDLL(None)
            return "watching" if libc.inotify_add_watch(libc.inotify_init1(0), rest.encode(), 0xfff) >= 0 else "refused"
        if kind == "memory":
            if rest == "anonymous":
                import mmap
                return mmap.mmap(-1, 1 << 20) and "made"
            if rest == "file":
                return os.memfd_create("x") and "made"
            import ctypes
            return "made" if ctypes.CDLL(None).shmget(0, 1 << 20, 0o1600) >= 0 else "refused"
        if kind == "call":
            import ctypes
            libc = ctypes.CDLL(None, use_errno=True)
            libc.syscall(*[ctypes.c_long(int(word, 0)) for word in rest.split()])
            return os.strerror(ctypes.get_errno())
        if kind == "open":
            return os.read(int(rest), 1) and "read"
        if kind == "see":
            return os.environ.get(rest, "nothing")
    except Exception as error:
        return type(error).__name__

def handler(event, context):
    return [attempt(what) for what in event["data"]]
"#;

const TOML: &str = "[[function]]\nname = \"one\"\non = \"POST /one\"\nhandler = \"try.py\"\nfolder = \"one\"\nwho = \"anyone\"\nenvironment = { DECLARED = \"yes\" }\n\
    [[function]]\nname = \"two\"\non = \"POST /two\"\nhandler = \"try.py\"\nfolder = \"two\"\nwho = \"anyone\"\n";

async fn stage() -> Stage {
    Stage::new(
        TOML,
        &[
            ("one/try.py", TRY),
            ("one/own.txt", "own"),
            ("one/.env", "secret"),
            ("two/try.py", TRY),
            ("two/theirs.txt", "theirs"),
            ("beside.txt", "beside"),
        ],
    )
    .await
}

async fn attempts(stage: &Stage, attempts: &[String]) -> Vec<Value> {
    let answer = stage.bench.nobody().post("/one", json!(attempts)).await.expect("an answer").json();
    answer.as_array().expect("a list").clone()
}

#[tokio::test]
async fn it_reads_its_own_files_and_nobody_elses() {
    let stage = stage().await;
    let at = |file: &str| stage.folder.path().canonicalize().expect("a folder").join(file).display().to_string();
    let tries = [
        (format!("read {}", at("one/own.txt")), "read"),
        (format!("read {}", at("one/.env")), "PermissionError"),
        (format!("read {}", at("two/theirs.txt")), "PermissionError"),
        (format!("list {}", at("two")), "PermissionError"),
        (format!("read {}", at("beside.txt")), "PermissionError"),
        (format!("truncate {}", at("two/theirs.txt")), "PermissionError"),
        (format!("write {}", at("one/new.txt")), "PermissionError"),
        ("read /etc/passwd".to_owned(), "PermissionError"),
        (format!("read /proc/{}/environ", std::process::id()), "PermissionError"),
        (format!("write {}", std::env::temp_dir().join("escaped").display()), "PermissionError"),
        (format!("list {}", std::env::temp_dir().display()), "PermissionError"),
        ("read /usr/lib/os-release".to_owned(), "read"),
    ];
    let said = attempts(&stage, &tries.clone().map(|(what, _)| what)).await;
    for ((what, want), got) in tries.iter().zip(said) {
        assert_eq!(got, *want, "{what}");
    }
    assert_eq!(std::fs::read_to_string(at("two/theirs.txt")).expect("it is there"), "theirs");
}

#[tokio::test]
async fn it_changes_nothing_about_files_and_hears_of_none() {
    let stage = stage().await;
    let at = |file: &str| stage.folder.path().canonicalize().expect("a folder").join(file).display().to_string();
    let listener = std::os::unix::net::UnixDatagram::bind(at("told.sock")).expect("a socket");
    listener.set_nonblocking(true).expect("it does not wait");
    let home = attempts(&stage, &["see TMPDIR".to_owned()]).await.remove(0);
    let tries = [
        (format!("chmod {}", at("beside.txt")), "PermissionError"),
        (format!("fchmod {}", at("one/own.txt")), "PermissionError"),
        (format!("chmod {}", home.as_str().expect("a path")), "PermissionError"),
        (format!("utime {}", at("beside.txt")), "PermissionError"),
        (format!("mark {}", at("beside.txt")), "PermissionError"),
        (format!("tell {}", at("told.sock")), "PermissionError"),
        (format!("watch {}", at("two")), "refused"),
        ("memory file".to_owned(), "PermissionError"),
        ("memory shared".to_owned(), "refused"),
        ("memory anonymous".to_owned(), "PermissionError"),
        // `semget`, `msgget`, `io_setup`; `prctl` that takes back that it ends with whoever started it.
        (format!("call {} 0 8 0o1600", libc::SYS_semget), "Operation not permitted"),
        (format!("call {} 0 0o1600", libc::SYS_msgget), "Operation not permitted"),
        (format!("call {} 8 0", libc::SYS_io_setup), "Operation not permitted"),
        (format!("call {} {} 0", libc::SYS_prctl, libc::PR_SET_PDEATHSIG), "Operation not permitted"),
    ];
    let said = attempts(&stage, &tries.clone().map(|(what, _)| what)).await;
    for ((what, want), got) in tries.iter().zip(said) {
        assert_eq!(got, *want, "{what}");
    }
    let mode = std::os::unix::fs::PermissionsExt::mode(
        &std::fs::metadata(home.as_str().expect("a path")).expect("it is there").permissions(),
    );
    assert_eq!(mode & 0o7777, 0o700, "its folder is nobody else's");
    assert!(listener.recv(&mut [0; 8]).is_err(), "nobody was told anything");
}

#[cfg(target_arch = "x86_64")]
#[tokio::test]
async fn what_is_refused_is_refused_by_its_other_numbers_too() {
    let stage = stage().await;
    // `chmod`, `ptrace` and `socket(AF_UNIX)` with 32-bit pointers; `getpid` is not refused, and this kernel may have none such.
    let tries = ["call 0x4000005a 0 0", "call 0x40000209 0 0 0 0", "call 0x40000029 1 1 0"];
    let said = attempts(&stage, &tries.map(str::to_owned)).await;
    assert_eq!(said, ["Operation not permitted"; 3]);
    let other = attempts(&stage, &["call 0x40000027".to_owned()]).await;
    assert_ne!(other, ["Operation not permitted"]);
}

#[tokio::test]
async fn functions_of_one_folder_read_neither_what_declares_them_nor_the_code_of_another() {
    let toml = TOML
        .replace("folder = \"one\"\n", "")
        .replace("handler = \"try.py\"\nfolder = \"two\"", "handler = \"lib/other.py\"");
    let files = [
        ("try.py", TRY),
        ("lib/other.py", TRY),
        ("lib/shared.txt", "x"),
        ("space.toml", &toml),
        ("showrunner.toml", "x"),
    ];
    let stage = Stage::new(&toml, &files).await;
    let at = |file: &str| stage.folder.path().canonicalize().expect("a folder").join(file).display().to_string();
    let tries = [
        (format!("read {}", at("space.toml")), "PermissionError"),
        (format!("read {}", at("showrunner.toml")), "PermissionError"),
        (format!("read {}", at("lib/other.py")), "PermissionError"),
        (format!("read {}", at("lib/shared.txt")), "read"),
    ];
    let said = attempts(&stage, &tries.clone().map(|(what, _)| what)).await;
    for ((what, want), got) in tries.iter().zip(said) {
        assert_eq!(got, *want, "{what}");
    }
}

#[tokio::test]
async fn it_has_a_place_of_its_own_that_others_do_not_see() {
    let stage = stage().await;
    let home = attempts(&stage, &["see TMPDIR".to_owned()]).await.remove(0);
    let file = format!("{}/kept", home.as_str().expect("a path"));
    assert_eq!(attempts(&stage, &[format!("write {file}"), format!("read {file}")]).await, ["written", "read"]);
    let other = stage.bench.nobody().post("/two", json!([format!("read {file}")])).await.expect("an answer").json();
    let is_in_memory = stage.functions.protections.has_mounts;
    assert_eq!(other, json!([if is_in_memory { "FileNotFoundError" } else { "PermissionError" }]));
}

#[tokio::test]
async fn what_it_writes_is_bounded_also_where_it_hides_it() {
    const FILL: &str = "import os\n\ndef handler(event, context):\n\
        \x20   held, room = [], b'x' * (1 << 20)\n\
        \x20   try:\n\
        \x20       for at in range(100):\n\
        \x20           held.append(open(f\"{os.environ['TMPDIR']}/{at}\", 'wb', buffering=0))\n\
        \x20           if event['data'] == 'removed': os.unlink(held[-1].name)\n\
        \x20           held[-1].write(room)\n\
        \x20   except OSError as error:\n\
        \x20       return [error.strerror, at]\n\
        \x20   finally:\n\
        \x20       for file in held: file.close()\n";
    let stage = Stage::new(&python("scratch_mb_max = 8"), &[("do.py", FILL)]).await;
    assert!(
        stage.functions.protections.has_mounts,
        "this machine does not bound it: {:?}",
        stage.functions.protections
    );
    for how in ["removed", "kept", "kept"] {
        let said = stage.bench.nobody().post("/do", json!(how)).await.expect("it is told, not ended").json();
        assert_eq!(said[0], "No space left on device", "{how}: {said}");
        assert!(said[1].as_u64().is_some_and(|written| written <= 8), "{how}: {said}");
    }
}

#[tokio::test]
async fn it_does_not_see_what_is_in_hidden_folders_and_in_those_of_others() {
    let toml = "[[function]]\nname = \"one\"\non = \"POST /one\"\nhandler = \"try.py\"\nwho = \"anyone\"\n\
        [[function]]\nname = \"two\"\non = \"POST /two\"\nhandler = \"try.py\"\nfolder = \"two\"\nwho = \"anyone\"\n";
    let files = [("try.py", TRY), ("two/try.py", TRY), ("two/theirs.txt", "theirs"), (".git/HEAD", "secret")];
    let stage = Stage::new(toml, &files).await;
    assert!(stage.functions.protections.has_mounts, "this machine hides nothing: {:?}", stage.functions.protections);
    let at = stage.folder.path().canonicalize().expect("a folder");
    let tries = [".git", "two"].map(|folder| format!("list {}/{folder}", at.display()));
    assert_eq!(attempts(&stage, &tries).await, [0, 0]);
    let tries = [".git/HEAD", "two/theirs.txt"].map(|file| format!("size {}/{file}", at.display()));
    assert_eq!(attempts(&stage, &tries).await, ["FileNotFoundError", "FileNotFoundError"]);
    let theirs = json!([format!("size {}/two/theirs.txt", at.display())]);
    assert_eq!(stage.bench.nobody().post("/two", theirs).await.expect("its own").json(), json!([6]));
}

#[tokio::test]
async fn what_is_hidden_deeper_and_what_links_lead_to_is_not_read_either() {
    let files = [
        ("one/try.py", TRY),
        ("two/try.py", TRY),
        ("one/lib/.env", "secret"),
        ("one/lib/.deep/key", "secret"),
        ("one/lib/more/space.toml", "secret"),
        ("one/lib/more/plain.txt", "plain"),
        ("one/lib/plain.txt", "plain"),
        ("one/whole/plain.txt", "plain"),
        ("one/.hidden/key", "secret"),
        ("outside/secret.txt", "secret"),
    ];
    let stage = Stage::new(TOML, &files).await;
    let at = stage.folder.path().canonicalize().expect("a folder");
    let link = |to: &str, name: &str| std::os::unix::fs::symlink(at.join(to), at.join(name)).expect("a link");
    link("outside", "one/link");
    link("one/.hidden", "one/open");
    link("outside", "one/whole/link");
    // As it is when the folder is looked at anew.
    let functions = crate::stage::functions(TOML, &at, &stage.lines).await.expect("functions");
    let stage = Stage::of(functions, stage).await;
    let secrets =
        ["lib/.env", "lib/.deep/key", "lib/more/space.toml", "link/secret.txt", "open/key", "whole/link/secret.txt"];
    let said = attempts(&stage, &secrets.map(|file| format!("read {}/one/{file}", at.display()))).await;
    for (secret, said) in secrets.iter().zip(said) {
        assert!(said == "PermissionError" || said == "FileNotFoundError", "{secret}: {said}");
    }
    let plain = ["lib/more/plain.txt", "lib/plain.txt", "whole/plain.txt"];
    let said = attempts(&stage, &plain.map(|file| format!("read {}/one/{file}", at.display()))).await;
    assert_eq!(said, ["read"; 3]);
}

/// Speaks the Runtime API without any client, and says where its interpreter is from.
const BARE: &str = r#"
import os, sys, urllib.request as http
base = f"http://{os.environ['AWS_LAMBDA_RUNTIME_API']}/2018-06-01/runtime/invocation/"
while True:
    work = http.urlopen(base + "next")
    answer = '"%s"' % sys.prefix
    http.urlopen(base + work.headers["lambda-runtime-aws-request-id"] + "/response", answer.encode()).read()
"#;

#[tokio::test]
async fn nothing_of_a_function_runs_outside_its_sandbox_not_even_to_find_its_interpreter() {
    let folder = crate::stage::folder(&[("do.py", BARE)]);
    let at = folder.path().canonicalize().expect("a folder");
    let marker = at.join("ran");
    let made =
        std::process::Command::new("python3").args(["-m", "venv", "--without-pip"]).arg(at.join(".venv")).status();
    assert!(made.expect("python3 is installed").success());
    let lib = std::fs::read_dir(at.join(".venv/lib")).expect("a folder").next().expect("one").expect("it is read");
    let line = format!("import pathlib; pathlib.Path({marker:?}).touch()\n");
    std::fs::write(lib.path().join("site-packages/mark.pth"), line).expect("a file");
    std::fs::write(at.join("python-x"), format!("#!/bin/sh\ntouch {}\n", marker.display())).expect("a file");
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(at.join("python-x"), mode).expect("its rights");
    let lines = crate::stage::Lines::default();
    let declared = |command: &str| {
        format!("[[function]]\non = \"POST /do\"\nname = \"do\"\nwho = \"anyone\"\ncommand = {command}")
    };
    let of_a_script = crate::stage::functions(&declared(r#"["./python-x", "do.py"]"#), &at, &lines).await;
    assert!(of_a_script.is_ok() && !marker.exists(), "the script ran");
    let toml = declared(r#"[".venv/bin/python", "do.py"]"#);
    let functions = crate::stage::functions(&toml, &at, &lines).await.expect("functions");
    assert!(!marker.exists(), "the environment ran");
    let bench = Bench::shaped(vec![functions.service()], Kept::InMemory, |builder| builder).await;
    let said = bench.nobody().post("/do", json!({})).await.expect("it works in its sandbox").json();
    assert_eq!(said, json!(at.join(".venv").display().to_string()));
    assert!(!marker.exists(), "it wrote what it may not");
}

#[tokio::test]
async fn a_folder_of_very_many_files_is_read() {
    let names: Vec<String> = (0..5_000).map(|at| format!("one/a-file-with-quite-a-long-name-{at}.txt")).collect();
    let many = names.iter().map(|name| (name.as_str(), "x"));
    let files: Vec<_> = [("one/try.py", TRY), ("two/try.py", TRY)].into_iter().chain(many).collect();
    let stage = Stage::new(TOML, &files).await;
    let last = stage.folder.path().canonicalize().expect("a folder").join(&names[4_999]);
    assert_eq!(attempts(&stage, &[format!("read {}", last.display())]).await, ["read"]);
}

#[tokio::test]
async fn it_reaches_no_network_and_no_process() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let folder = tempfile::tempdir().expect("a folder");
    let socket = folder.path().join("operator.sock");
    let _unix = std::os::unix::net::UnixListener::bind(&socket).expect("a socket");
    let stage = stage().await;
    let said = attempts(
        &stage,
        &[
            format!("connect 127.0.0.1:{port}"),
            "connect 192.0.2.1:443".to_owned(),
            format!("unix {}", socket.display()),
            format!("kill {}", std::process::id()),
        ],
    )
    .await;
    assert_eq!(said, ["ConnectionRefusedError", "OSError", "PermissionError", "ProcessLookupError"]);
}

#[tokio::test]
async fn with_a_network_it_reaches_the_ports_it_declares() {
    let listen = || std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = |listener: &std::net::TcpListener| listener.local_addr().expect("an address").port();
    let (declared, other) = (listen(), listen());
    let toml = TOML.replacen("folder", &format!("network = [{}]\nfolder", port(&declared)), 1);
    let stage = Stage::new(&toml, &[("one/try.py", TRY), ("two/try.py", TRY)]).await;
    let tries = [&declared, &other].map(|listener| format!("connect 127.0.0.1:{}", port(listener)));
    assert_eq!(attempts(&stage, &tries).await, ["connected", "PermissionError"]);
    let others = ["multipath", "fastopen"].map(|how| format!("{how} 127.0.0.1:{}", port(&other)));
    assert_eq!(attempts(&stage, &others).await, ["PermissionError", "PermissionError"]);
    assert_eq!(attempts(&stage, &["listen".to_owned()]).await, ["PermissionError"]);
}

#[tokio::test]
async fn it_inherits_nothing_that_was_open() {
    let secret = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(secret.path(), "secret").expect("a text");
    let open = std::fs::File::open(secret.path()).expect("it is there");
    let open = rustix::io::fcntl_dupfd_cloexec(&open, 700).expect("a number that nothing else has");
    rustix::io::fcntl_setfd(&open, rustix::io::FdFlags::empty()).expect("it is passed on");
    let stage = stage().await;
    let tries = [format!("open {}", std::os::fd::AsRawFd::as_raw_fd(&open))];
    assert_eq!(attempts(&stage, &tries).await, ["OSError"]);
}

#[tokio::test]
async fn its_environment_is_what_is_declared() {
    let stage = stage().await;
    let tries =
        ["DECLARED", "USER", "CARGO_MANIFEST_DIR", "AWS_LAMBDA_FUNCTION_NAME"].map(|name| format!("see {name}"));
    assert_eq!(attempts(&stage, &tries).await, ["yes", "nothing", "nothing", "one"]);
}
