//! A function from nothing: written by `new`, run by `up`, changed while it runs, and wrong in every way a beginner gets it wrong.

use crate::channel::{Channel, complaint, showrunner};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};
use tempfile::{NamedTempFile, TempDir};

/// How long anything may take before the test has failed.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long a build may take that has to begin from nothing.
const BUILD_PATIENCE: Duration = Duration::from_secs(300);

/// A folder of functions that runs.
struct Folder {
    child: Child,
    port: u16,
    lines: mpsc::Receiver<String>,
    shown: String,
    log: NamedTempFile,
    patience: Duration,
}

impl Folder {
    fn up(folder: &Path) -> Self {
        Self::up_within(folder, PATIENCE, &[])
    }

    /// The same with variables of the environment, where a line may take longer.
    fn up_within(folder: &Path, patience: Duration, environment: &[(&str, &str)]) -> Self {
        let mut command = showrunner(&["up", "--listen", "127.0.0.1:0"]);
        command.envs(environment.iter().copied());
        let mut child = command.current_dir(folder).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let log = NamedTempFile::new().unwrap();
        let mut logged = log.reopen().unwrap();
        let stdout = BufReader::new(child.stdout.take().expect("a pipe"));
        let stderr = BufReader::new(child.stderr.take().expect("a pipe"));
        let (sender, lines) = mpsc::channel();
        let of_errors = sender.clone();
        thread::spawn(move || stdout.lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
        thread::spawn(move || {
            stderr.lines().map_while(Result::ok).try_for_each(|line| {
                writeln!(logged, "{line}").unwrap();
                of_errors.send(line)
            })
        });
        let mut folder = Self { child, port: 0, lines, shown: String::new(), log, patience };
        folder.wait_for("Confined by");
        let address = folder.shown.split("http://localhost:").nth(1).expect("an address");
        folder.port = address.split('/').next().and_then(|port| port.parse().ok()).expect("a port");
        folder
    }

    /// Waits until this is shown.
    fn wait_for(&mut self, part: &str) {
        while !self.shown.contains(part) {
            let line = self.lines.recv_timeout(self.patience);
            let line = line.unwrap_or_else(|_| panic!("{}\n{}\nno {part}", self.shown, self.logged()));
            self.shown += &line;
            self.shown.push('\n');
        }
    }

    fn logged(&self) -> String {
        std::fs::read_to_string(self.log.path()).unwrap()
    }

    fn get(&self, target: &str) -> String {
        ask(self.port, target, "")
    }

    /// The same with further headers, each with its end of line.
    fn get_with(&self, target: &str, headers: &str) -> String {
        ask(self.port, target, headers)
    }
}

/// The whole response of whoever listens on a port of this machine.
fn ask(port: u16, target: &str, headers: &str) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    write!(stream, "GET {target} HTTP/1.1\r\nhost: localhost\r\n{headers}connection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn new(lang: &str) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let output = showrunner(&["new", "hello", "--lang", lang]).current_dir(&folder).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    folder
}

#[test]
fn hello_takes_two_commands_in_python_and_javascript() {
    for lang in ["python", "node"] {
        let begun = Instant::now();
        let folder = new(lang);
        assert_eq!(folder.path().read_dir().unwrap().count(), 1, "one file");
        let running = Folder::up(folder.path());
        let answer = running.get("/hello?name=Ada");
        assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("\"Hello, Ada\""), "{answer}");
        assert!(begun.elapsed() < Duration::from_secs(15), "{lang} took {:?}", begun.elapsed());
        assert!(
            running.shown.contains("called by    anyone") && running.shown.contains("network      nothing"),
            "{}",
            running.shown
        );
    }
}

#[test]
fn hello_takes_two_commands_in_rust() {
    let folder = new("rust");
    // With the versions that the workspace has, which are on this machine.
    let locked = concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.lock");
    std::fs::copy(locked, folder.path().join("Cargo.lock")).unwrap();
    let built = concat!(env!("CARGO_TARGET_TMPDIR"), "/hello-in-rust");
    let environment = [("CARGO_NET_OFFLINE", "true"), ("CARGO_BUILD_BUILD_DIR", built)];
    let running = Folder::up_within(folder.path(), BUILD_PATIENCE, &environment);
    let (before, _) = running.shown.split_once("Ready at").expect("it is ready");
    assert!(before.contains("building hello with Cargo; the first time takes a minute or two\n"), "{}", running.shown);
    let answer = running.get("/hello?name=Ada");
    assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("\"Hello, Ada\""), "{answer}");
}

#[test]
fn what_a_process_answered_is_replayed_in_its_folder() {
    let folder = new("python");
    let file = folder.path().join("hello.py");
    let code = std::fs::read_to_string(&file).unwrap();
    std::fs::write(
        &file,
        code.replace("    return", "    if name == 'nobody':\n        raise ValueError(name)\n    return"),
    )
    .unwrap();
    let mut running = Folder::up(folder.path());
    assert!(running.get("/hello?name=nobody").starts_with("HTTP/1.1 500"));
    let asked = |arguments: &[&str]| {
        let output = showrunner(arguments).current_dir(&folder).output().unwrap();
        (output.status.success(), String::from_utf8([output.stdout, output.stderr].concat()).unwrap())
    };
    let (is_well, said) = asked(&["invocations", "--format", "json", "--fault", "any", "--limit", "1"]);
    assert!(is_well, "{said}");
    let listed: serde_json::Value = serde_json::from_str(&said).unwrap();
    let span = listed[0]["span"].as_str().unwrap();
    let (is_same, said) = asked(&["replay", span]);
    assert!(is_same && said.contains("does what it did: nothing differs."), "{said}");
    std::fs::write(&file, code).unwrap();
    running.wait_for("new code after");
    let (is_same, said) = asked(&["replay", span]);
    assert!(!is_same && said.contains("Hello, nobody"), "{said}");
}

#[test]
fn a_folder_of_functions_is_drawn_and_described_as_it_is_served() {
    let folder = new("python");
    let said = |arguments: &[&str]| {
        let output = showrunner(arguments).current_dir(&folder).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    let map = said(&["map"]);
    assert!(map.starts_with("functions\n") && map.contains("functions::hello") && !map.contains("tenants"), "{map}");
    let document: serde_json::Value = serde_json::from_str(&said(&["openapi"])).unwrap();
    let paths: Vec<&String> = document["paths"].as_object().unwrap().keys().collect();
    assert_eq!(paths, ["/hello"]);
    assert_eq!(document["servers"][0]["url"], "/");
    let running = Folder::up(folder.path());
    let served = running.get("/openapi.json");
    assert!(served.contains(r#""servers":[{"url":"http://localhost/","#), "{served}");
    assert!(
        said(&["map", "--services", "tenants"]).starts_with("tenants\n"),
        "who chooses services means the platform"
    );
}

/// Issues a token for somebody of the tenant `demo`.
const ISSUE: &str = r#"
import base64, hashlib, hmac, json, sys, time
encode = lambda content: base64.urlsafe_b64encode(content).rstrip(b"=")
now = int(time.time())
claims = {"iss": "https://id.example.org", "aud": "greetings", "sub": "ada", "iat": now, "exp": now + 600, "tenant": "demo"}
signed = b".".join(encode(json.dumps(part).encode()) for part in [{"alg": "HS256", "typ": "JWT"}, claims])
print((signed + b"." + encode(hmac.digest(sys.argv[1].encode(), signed, "sha256"))).decode())
"#;

#[test]
fn callers_sign_in_to_a_folder_with_tokens_of_the_issuer_it_believes() {
    let folder = new("python");
    let file = folder.path().join("hello.py");
    let code = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, code.replace("\"anyone\"", "\"signed_in\"")).unwrap();
    let keys = NamedTempFile::new().unwrap();
    std::fs::write(
        keys.path(),
        r#"{"keys": [{"kty": "oct", "k": "bmlnaHQtZmVycnktbGVhdmVzLWF0LXNpeC1mcm9tLXBpZXI"}]}"#,
    )
    .unwrap();
    let environment = [
        ("SHOWRUNNER_TOKENS_KEYS", keys.path().to_str().unwrap()),
        ("SHOWRUNNER_TOKENS_ISSUER", "https://id.example.org"),
        ("SHOWRUNNER_TOKENS_AUDIENCE", "greetings"),
        ("SHOWRUNNER_TOKENS_ALGORITHMS", "HS256"),
    ];
    let running = Folder::up_within(folder.path(), PATIENCE, &environment);
    let issued = |secret: &str| {
        let output = Command::new("python3").args(["-c", ISSUE, secret]).output().unwrap();
        format!("authorization: Bearer {}\r\n", String::from_utf8(output.stdout).unwrap().trim())
    };
    assert!(running.get("/hello").starts_with("HTTP/1.1 401"));
    let answer = running.get_with("/hello", &issued("night-ferry-leaves-at-six-from-pier"));
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    let forged = running.get_with("/hello", &issued("night-ferry-leaves-at-ten-from-pier"));
    assert!(forged.starts_with("HTTP/1.1 401"), "{forged}");
}

/// Invokes as clients of AWS do: prints status, what kind of error, and the answer.
const INVOKE: &str = r#"
import datetime, hashlib, hmac, sys, urllib.error, urllib.parse, urllib.request
address, key, secret, name = sys.argv[1:]
date = datetime.datetime.now(datetime.timezone.utc).strftime("%Y%m%dT%H%M%SZ")
path, body, names = f"/2015-03-31/functions/{urllib.parse.quote(name)}/invocations", b"{}", "host;x-amz-date"
digest = lambda content: hashlib.sha256(content).hexdigest()
sign = lambda key, text: hmac.new(key, text.encode(), hashlib.sha256).digest()
asked = f"POST\n{urllib.parse.quote(path)}\n\nhost:{address}\nx-amz-date:{date}\n\n{names}\n{digest(body)}"
scope = [date[:8], "eu-central-1", "lambda", "aws4_request"]
last = ("AWS4" + secret).encode()
for part in scope:
    last = sign(last, part)
signature = sign(last, "\n".join(["AWS4-HMAC-SHA256", date, "/".join(scope), digest(asked.encode())])).hex()
by = f"AWS4-HMAC-SHA256 Credential={key}/{'/'.join(scope)}, SignedHeaders={names}, Signature={signature}"
request = urllib.request.Request(f"http://{address}{path}", body, {"x-amz-date": date, "authorization": by})
try:
    answer = urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request)
except urllib.error.HTTPError as error:
    answer = error
print(answer.status, answer.headers.get("x-amzn-errortype"), answer.read().decode())
"#;

/// An address at which nobody listens yet.
fn free_address() -> String {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string()
}

/// What a client of AWS hears at this address when it invokes a function with a key.
fn invoked(address: &str, (key, secret): (&str, &str), name: &str) -> String {
    let output = Command::new("python3").args(["-c", INVOKE, address, key, secret, name]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn functions_of_a_folder_run_beside_the_platform_and_are_invoked_by_whom_it_knows() {
    let folder = new("python");
    let (mut channel, secret, invoke) = (Channel::closed(), "night-ferry-leaves-at-six", free_address());
    let mut up = channel.up();
    up.env("SHOWRUNNER_FUNCTIONS", folder.path()).env("SHOWRUNNER_INVOKE", &invoke);
    channel.start_with(up.env("SHOWRUNNER_INVOKE_KEYS", format!("desk:{secret}")));
    assert_eq!(channel.nobody().get("/api/hello?name=Ada").ok().json(), "Hello, Ada");
    let said = |key: &str, secret: &str, name: &str| invoked(&invoke, (key, secret), name);
    assert_eq!(said("desk", secret, "hello"), "200 None \"Hello, world\"\n");
    assert!(said("desk", "night-ferry-leaves-at-seven", "hello").starts_with("403 InvalidSignatureException "));
    assert!(said("stranger", secret, "hello").starts_with("403 UnrecognizedClientException "));
    assert!(said("desk", secret, "nothing").starts_with("404 ResourceNotFoundException "));
}

/// Counts how often it was invoked in each channel.
const COUNTER: &str = "# /// showrunner
# on = \"POST /count\"
# documents = true
# ///
def handler(event, context):
    count = (context.document('count')[0] or 0) + 1
    return {'$reply': {'body': [event['tenant'], count], 'puts': [{'key': 'count', 'value': count}]}}
";

/// What nobody may do in the channel `valley`.
const CLOSED: &str = "@id(\"closed\") forbid (principal, action, resource in Tenant::\"valley\");";

#[test]
fn a_key_of_a_channel_acts_there_only_and_the_policy_knows_where() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("counter.py"), COUNTER).unwrap();
    let policy = folder.path().join("policy.cedar");
    std::fs::write(&policy, CLOSED).unwrap();
    let (mut channel, invoke) = (Channel::closed(), free_address());
    channel.make_tenant("harbour");
    channel.make_tenant("valley");
    let (crew, farm, desk) = ("lantern/fish+parade=31", "quiet/harbour+wind=7", "night/ferry+leaves=6");
    let mut up = channel.up();
    up.env("SHOWRUNNER_FUNCTIONS", folder.path()).env("SHOWRUNNER_INVOKE", &invoke).env("SHOWRUNNER_POLICY", &policy);
    let keys = format!("crew:{crew}@harbour,farm:{farm}@valley,desk:{desk}");
    channel.start_with(up.env("SHOWRUNNER_INVOKE_KEYS", keys));
    let said = |key: &str, secret: &str, name: &str| invoked(&invoke, (key, secret), name);
    assert_eq!(said("crew", crew, "counter"), "200 None [\"harbour\",1]\n");
    assert_eq!(said("crew", crew, "counter"), "200 None [\"harbour\",2]\n");
    assert_eq!(said("desk", desk, "counter"), "200 None [\"demo\",1]\n");
    let closed = said("farm", farm, "counter");
    assert!(closed.starts_with("200 None ") && closed.contains("\"errorType\":\"denied\""), "{closed}");
    assert!(said("crew", farm, "counter").starts_with("403 InvalidSignatureException "));
    for all in ["invocations::list", "registry::list"] {
        let refused = said("crew", crew, all);
        assert!(refused.starts_with("403 AccessDeniedException "), "{refused}");
        assert!(refused.contains("your key only of `harbour`; invoke it with a key that is of no tenant"), "{refused}");
    }
    let all = said("desk", desk, "registry::list");
    assert!(all.starts_with("200 None ") && all.contains("\"name\":\"valley\""), "{all}");
}

#[test]
fn keys_that_cannot_be_are_told_at_start_with_what_to_do() {
    let channel = Channel::closed();
    let told = |keys: &str| {
        let mut up = channel.up();
        up.env("SHOWRUNNER_INVOKE", "127.0.0.1:0").env("SHOWRUNNER_INVOKE_KEYS", keys);
        complaint(up)
    };
    let (code, said) = told("crew:lantern/fish+parade=31@habour");
    assert_eq!(code, Some(1), "{said}");
    let what_to_do = "there is no channel `habour`; make it with `showrunner tenant habour --title …`, or correct the key `crew` in `invoke_keys`";
    assert!(said.contains(what_to_do), "{said}");
    let (code, said) = told("crew:lantern/fish+parade=31@");
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("invoke_keys has a key `crew` with an `@` that no name of a tenant follows"), "{said}");
    assert!(!said.contains("parade"), "a secret is never repeated: {said}");
    let (code, said) = told("crew:lantern/fish+parade=31@demo");
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("a key `crew` of the channel demo, whose owners are the operators of this server"), "{said}");
    assert!(said.contains("write it without `@demo`"), "{said}");
}

#[test]
fn what_is_saved_runs_and_a_mistake_is_told_where_it_is() {
    let folder = new("python");
    let mut running = Folder::up(folder.path());
    assert!(running.get("/hello").ends_with("\"Hello, world\""));
    let file = folder.path().join("hello.py");
    let code = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, code.replace("Hello", "Good morning")).unwrap();
    running.wait_for("new code after");
    assert!(running.get("/hello").ends_with("\"Good morning, world\""));
    std::fs::write(&file, format!("{code}\ndef broken(:\n")).unwrap();
    let line = code.lines().count() + 2;
    running.wait_for(&format!("hello.py\", line {line}"));
    running.wait_for("\nSyntaxError: invalid syntax");
    let answer = running.get("/hello");
    assert!(answer.starts_with("HTTP/1.1 500") && answer.contains("application/problem+json"), "{answer}");
    assert!(answer.contains("SyntaxError") && answer.contains(&format!("line {line}")), "{answer}");
    assert!(answer.contains("\"type\":\"/about/errors/function.init\""), "{answer}");
    let page = running.get("/about/errors/function.init");
    assert!(page.starts_with("HTTP/1.1 200") && page.contains("\r\n\r\n# function.init\n"), "{page}");
    std::fs::write(&file, code).unwrap();
    running.wait_for("new code after");
    let begun = Instant::now();
    while !running.get("/hello").ends_with("\"Hello, world\"") {
        assert!(begun.elapsed() < PATIENCE);
    }
}

/// Answers once there is a file `go` in its folder.
const WAITING: &str = "# /// showrunner
# on = \"GET /hello\"
# who = \"anyone\"
# ///
import os, time
def handler(event, context):
    print('begun for', event['source'])
    while not os.path.exists('go'):
        time.sleep(0.01)
    return 'finished'
";

#[test]
fn whoever_waits_for_an_answer_gets_it_although_the_folder_is_told_to_end() {
    let (folder, key, invoke) = (tempfile::tempdir().unwrap(), ("desk", "night-ferry-leaves-at-six"), free_address());
    std::fs::write(folder.path().join("hello.py"), WAITING).unwrap();
    let keys = format!("{}:{}", key.0, key.1);
    let environment = [("SHOWRUNNER_INVOKE", invoke.as_str()), ("SHOWRUNNER_INVOKE_KEYS", keys.as_str())];
    let mut running = Folder::up_within(folder.path(), PATIENCE, &environment);
    let port = running.port;
    let asking = thread::spawn(move || ask(port, "/hello", ""));
    let invoking = thread::spawn(move || invoked(&invoke, key, "hello"));
    running.wait_for("begun for http");
    running.wait_for("begun for invoke");
    let id = running.child.id().to_string();
    assert!(Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
    running.wait_for("ending: what runs is finished first");
    std::fs::write(folder.path().join("go"), "").unwrap();
    let answer = asking.join().unwrap();
    assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("\"finished\""), "{answer}");
    assert_eq!(invoking.join().unwrap(), "200 None \"finished\"\n");
    assert!(running.child.wait().unwrap().success());
}

#[test]
fn what_is_declared_anew_holds_at_once_and_a_mistake_in_it_leaves_what_held() {
    let folder = new("python");
    let mut running = Folder::up(folder.path());
    assert!(running.get("/hello").starts_with("HTTP/1.1 200"));
    let file = folder.path().join("hello.py");
    let code = std::fs::read_to_string(&file).unwrap();
    let closed = code.replace("# who = \"anyone\"\n", "");
    std::fs::write(&file, closed.replace("# ///\n", "# nettwork = [1]\n# ///\n")).unwrap();
    running.wait_for("hello.py, line 4: its head: unknown field `nettwork`");
    assert!(running.get("/hello").starts_with("HTTP/1.1 200"), "the last one goes on");
    std::fs::write(&file, &closed).unwrap();
    running.wait_for("hello.py changed: declared anew");
    assert!(running.get("/hello").starts_with("HTTP/1.1 401"), "only services may call it now");
    assert!(!running.shown.contains("new code"), "{}", running.shown);
    std::fs::write(folder.path().join("bye.py"), code.replace("/hello", "/bye").replace("Hello", "Bye")).unwrap();
    running.wait_for("bye.py changed: declared anew");
    assert!(running.get("/bye").ends_with("\"Bye, world\""));
    let space = "[[function]]\non = \"GET /again\"\nhandler = \"hello.py\"\nwho = \"anyone\"\n";
    std::fs::write(folder.path().join("space.toml"), space).unwrap();
    running.wait_for("bye.py, hello.py changed: declared anew");
    assert!(running.get("/again").ends_with("\"Hello, world\""));
    assert!(running.get("/bye").starts_with("HTTP/1.1 404"));
}

#[test]
fn a_function_whose_file_is_gone_is_missing_until_the_file_is_back_or_elsewhere() {
    let (folder, outside) = (new("node"), tempfile::tempdir().unwrap());
    let mut running = Folder::up(folder.path());
    assert!(running.get("/hello").starts_with("HTTP/1.1 200"));
    let (file, away) = (folder.path().join("hello.mjs"), outside.path().join("hello.mjs"));
    std::fs::rename(&file, &away).unwrap();
    running.wait_for("hello.mjs is not there any more");
    let answer = running.get("/hello");
    assert!(answer.starts_with("HTTP/1.1 503") && answer.contains("function.missing"), "{answer}");
    assert!(answer.contains("hello.mjs is not there any more"), "{answer}");
    std::fs::rename(&away, &file).unwrap();
    running.wait_for("hello.mjs changed: new code");
    assert!(running.get("/hello").starts_with("HTTP/1.1 200"));
    std::fs::rename(&file, folder.path().join("greet.mjs")).unwrap();
    running.wait_for("greet.mjs, hello.mjs changed: declared anew");
    assert!(running.get("/hello").starts_with("HTTP/1.1 200"));
}

#[test]
fn what_stands_beside_and_is_no_function_is_named_with_why() {
    let folder = new("python");
    let manifest = "[package]\nname = \"far\"\n[package.metadata.showrunner]\non = \"GET /far\"\n";
    std::fs::write(folder.path().join("Cargo.toml"), manifest).unwrap();
    let mut running = Folder::up(folder.path());
    running.wait_for("Cargo.toml is left out: a function of Rust wants a folder of its own");
    let space = "[[function]]\non = \"GET /hello\"\nhandler = \"hello.py\"\n";
    std::fs::write(folder.path().join("space.toml"), space).unwrap();
    running.wait_for("hello.py changed: declared anew");
    let other = "// /// showrunner\n// on = \"GET /other\"\n// ///\n";
    std::fs::write(folder.path().join("other.mjs"), other).unwrap();
    running.wait_for("other.mjs is left out: where there is a space.toml");
    assert!(!running.shown.contains("hello.py is left out"), "{}", running.shown);
}

#[test]
fn a_function_of_rust_is_made_only_in_a_folder_of_its_own() {
    let told = |folder: &TempDir, name: &str, lang: &str| {
        let mut again = showrunner(&["new", name, "--lang", lang]);
        again.current_dir(folder);
        let before = folder.path().read_dir().unwrap().count();
        let (code, said) = complaint(again);
        assert_eq!((code, folder.path().read_dir().unwrap().count()), (Some(1), before), "{said}");
        said
    };
    let what_to_do =
        "a function of Rust wants a folder of its own: `mkdir bye && cd bye && showrunner new bye --lang rust`";
    for lang in ["python", "rust"] {
        let said = told(&new(lang), "bye", "rust");
        assert!(said.contains(what_to_do), "{said}");
    }
    let said = told(&new("rust"), "bye", "node");
    assert!(said.contains("choose another folder for bye"), "{said}");
}

#[test]
fn nothing_is_said_to_be_ready_before_all_that_can_be_wrong_is_right() {
    let folder = new("python");
    let mut up = showrunner(&["up", "--listen", "127.0.0.1:0"]);
    up.current_dir(&folder).env("SHOWRUNNER_INVOKE", "127.0.0.1:0").env("SHOWRUNNER_INVOKE_KEYS", "desk");
    let output = up.output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(String::from_utf8(output.stdout).unwrap(), "");
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("invoke_keys"), "{said}");
}

#[test]
fn a_mistake_is_told_once_and_the_log_does_not_repeat_it() {
    let folder = new("python");
    let file = folder.path().join("hello.py");
    let code = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, format!("{code}\nimport nothing_there\n")).unwrap();
    let mut running = Folder::up(folder.path());
    running.wait_for("error: hello: ModuleNotFoundError");
    for _ in 0..3 {
        assert!(running.get("/hello").starts_with("HTTP/1.1 500"));
    }
    std::fs::write(&file, code).unwrap();
    running.wait_for("new code after");
    assert_eq!(running.shown.matches("error: ").count(), 1, "{}", running.shown);
    assert!(!running.logged().contains("nothing_there"), "{}", running.logged());
}

#[test]
fn what_is_missing_is_named_with_what_to_install() {
    let (folder, nothing) = (new("python"), tempfile::tempdir().unwrap());
    let mut up = showrunner(&["up", "--listen", "127.0.0.1:0"]);
    up.current_dir(&folder).env("PATH", nothing.path());
    let (code, said) = complaint(up);
    assert!(code == Some(1) && said.contains("install `python3`"), "{said}");
    let again = {
        let mut again = showrunner(&["new", "hello", "--lang", "python"]);
        again.current_dir(&folder);
        complaint(again)
    };
    assert!(again.1.contains("hello.py is there already"), "{}", again.1);
}

#[test]
fn two_functions_at_one_address_are_both_named() {
    let folder = new("python");
    std::fs::write(folder.path().join("other.mjs"), "// /// showrunner\n// on = \"GET /hello\"\n// ///\n").unwrap();
    let mut up = showrunner(&["up", "--listen", "127.0.0.1:0"]);
    up.current_dir(&folder);
    let (code, said) = complaint(up);
    assert!(code == Some(1) && said.contains("`hello` and `other` are both bound to GET /hello"), "{said}");
}
