//! Peers of functions: workerd from npm, the Runtime API's client for Python and `cargo lambda` from PyPI, each in a folder below
//! `target`, on free ports of this machine.

use super::Site;
use crate::process::{self, Output};
use std::fs;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::thread;
use std::time::{Duration, Instant};

const WORKERD: &str = "workerd@1";
const PACKAGES: &str = "awslambdaric==4.2.2 cargo-lambda==1.*";
const START_LIMIT: Duration = Duration::from_secs(300);

const WORKER: &str = "export default { async fetch() { return Response.json(\"Hello, world\"); } };\n";
const ECHO: &str = "use lambda_runtime::{Error, LambdaEvent, run, service_fn};\nuse serde_json::Value;\n
#[tokio::main(flavor = \"current_thread\")]\nasync fn main() -> Result<(), Error> {\n    run(service_fn(|_: LambdaEvent<Value>| async { Ok::<_, Error>(\"hello\") })).await\n}\n";
const MANIFEST: &str = "[package]\nname = \"echo\"\nversion = \"0.1.0\"\nedition = \"2024\"\n\n[dependencies]\n\
    lambda_runtime = { version = \"1\", default-features = false }\nserde_json = \"1\"\n\
    tokio = { version = \"1\", features = [\"macros\", \"rt\"] }\n\n[workspace]\n";

/// A server that ends when it is dropped.
pub(crate) struct Peer {
    child: Child,
    pub(crate) address: SocketAddr,
}

impl Drop for Peer {
    fn drop(&mut self) {
        // A polite end, so that what it started ends with it.
        drop(process::read(process::command(Path::new("kill"), Path::new(".")).args([
            "-s",
            "INT",
            &self.child.id().to_string(),
        ])));
        let start = Instant::now();
        while start.elapsed() < Duration::from_secs(5) && matches!(self.child.try_wait(), Ok(None)) {
            thread::sleep(Duration::from_millis(20));
        }
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// workerd with a worker that says hello.
pub(crate) fn workerd(site: &Site) -> Result<Peer, String> {
    let folder = site.peers.join("workerd");
    let failed = |error: std::io::Error| format!("cannot write {}: {error}", folder.display());
    fs::create_dir_all(&folder).map_err(failed)?;
    let program = folder.join("node_modules/.bin/workerd");
    if !process::is_executable(&program) {
        fs::write(folder.join("package.json"), "{\"name\": \"peer\", \"private\": true}").map_err(failed)?;
        let line = format!("npm install --no-audit --no-fund --loglevel=error {WORKERD}");
        process::run(&mut process::command_line(&line, &folder), &Output::Logged(folder.join("install.log")))?;
    }
    let address = free_address()?;
    let settings = format!(
        "using Workerd = import \"/workerd/workerd.capnp\";\nconst config :Workerd.Config = (\n  services = [(name = \"main\", \
         worker = .hello)],\n  sockets = [(name = \"http\", address = \"{address}\", http = (), service = \"main\")]\n);\n\
         const hello :Workerd.Worker = (modules = [(name = \"worker\", esModule = embed \"worker.mjs\")], \
         compatibilityDate = \"2024-01-01\");\n"
    );
    fs::write(folder.join("worker.mjs"), WORKER).map_err(failed)?;
    fs::write(folder.join("config.capnp"), settings).map_err(failed)?;
    let mut command = process::command(&program, &folder);
    command.args(["serve", "config.capnp"]);
    start(&mut command, address)
}

/// A Python with what figures need of PyPI.
pub(crate) fn python(site: &Site) -> Result<PathBuf, String> {
    let folder = site.peers.join("python");
    let (program, mark) = (folder.join("bin/python3"), folder.join("installed"));
    if fs::read_to_string(&mark).is_ok_and(|installed| installed == PACKAGES) {
        return Ok(program);
    }
    let log = site.peers.join("python.log");
    fs::create_dir_all(&site.peers).map_err(|error| error.to_string())?;
    let line = format!("python3 -m venv --clear {}", folder.display());
    process::run(&mut process::command_line(&line, &site.root), &Output::Logged(log.clone()))?;
    let line = format!("-m pip install --quiet --disable-pip-version-check {PACKAGES}");
    let mut install = process::command(&program, &site.root);
    process::run(install.args(line.split(' ')), &Output::Logged(log))?;
    fs::write(mark, PACKAGES).map_err(|error| error.to_string())?;
    Ok(program)
}

/// A function of Rust, and `cargo lambda watch` that answers with it.
pub(crate) fn cargo_lambda(site: &Site, python: &Path) -> Result<(PathBuf, Peer), String> {
    let folder = site.peers.join("echo");
    let failed = |error: std::io::Error| format!("cannot write {}: {error}", folder.display());
    fs::create_dir_all(folder.join("src")).map_err(failed)?;
    fs::write(folder.join("Cargo.toml"), MANIFEST).map_err(failed)?;
    fs::write(folder.join("src/main.rs"), ECHO).map_err(failed)?;
    let build = "cargo build --release --quiet";
    let mut build = process::command_line(build, &folder);
    // Both builds go below the folder, wherever ours go.
    build.env_remove("CARGO_TARGET_DIR");
    process::run(&mut build, &Output::Logged(folder.join("build.log")))?;
    let address = free_address()?;
    let program = python.with_file_name("cargo-lambda");
    let mut command = process::command(&program, &folder);
    command.args(["lambda", "watch", "--release", "--ignore-changes", "--invoke-address", "127.0.0.1"]);
    command.args(["--invoke-port", &address.port().to_string()]).env_remove("CARGO_TARGET_DIR");
    let peer = start(&mut command, address)?;
    Ok((folder.join("target/release/echo"), peer))
}

fn start(command: &mut std::process::Command, address: SocketAddr) -> Result<Peer, String> {
    let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
    let child = child.map_err(|error| format!("cannot start `{}`: {error}", process::line_of(command)))?;
    let mut peer = Peer { child, address };
    let start = Instant::now();
    while TcpStream::connect(address).is_err() {
        let has_ended = !matches!(peer.child.try_wait(), Ok(None));
        if has_ended || start.elapsed() > START_LIMIT {
            return Err(format!("`{}` does not start", process::line_of(command)));
        }
        thread::sleep(Duration::from_millis(50));
    }
    Ok(peer)
}

fn free_address() -> Result<SocketAddr, String> {
    let listener = TcpListener::bind("127.0.0.1:0").map_err(|error| format!("no port is free: {error}"))?;
    listener.local_addr().map_err(|error| error.to_string())
}
