//! TLS on the way to PostgreSQL: with a server of its own that has a certificate, and with one whose TLS is broken.

use crate::stage::{WRITE, commit, postgres, service};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use callboard::ports::Records;
use callboard::{Fault, Space, params};
use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// Made for `localhost`, and for no address, by an authority that nobody else trusts.
const LEAF: &[u8] = include_bytes!("../../src/outside/certificate/leaf.der");
const LEAF_KEY: &[u8] = include_bytes!("../../src/outside/certificate/leaf.key.der");
const ROOT: &[u8] = include_bytes!("../../src/outside/certificate/root.der");

/// A server that takes nobody without TLS. It ends with this.
struct Server {
    folder: tempfile::TempDir,
    programs: PathBuf,
    port: u16,
}

fn pem(label: &str, der: &[u8]) -> String {
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", STANDARD.encode(der))
}

/// Where the programs of the newest PostgreSQL are.
fn programs() -> PathBuf {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut found: Vec<(u32, PathBuf)> = versions
        .filter_map(|entry| Some((entry.file_name().to_str()?.parse().ok()?, entry.path().join("bin"))))
        .filter(|(_, folder)| folder.join("initdb").is_file())
        .collect();
    found.sort();
    let newest = found.pop().map(|(_, folder)| folder);
    newest.expect("PostgreSQL is not installed; `cargo xtask test --only tools` does that")
}

impl Server {
    /// Starts it with these lines in the file that says who may come in how.
    fn start(who: &str) -> Self {
        let folder = tempfile::tempdir().expect("a scratch folder");
        let port = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("it has one").port();
        let server = Self { folder, programs: programs(), port };
        let at = |name: &str| server.folder.path().join(name);
        fs::set_permissions(server.folder.path(), fs::Permissions::from_mode(0o700)).expect("its own");
        fs::write(at("password"), "s3cret").expect("written");
        fs::write(at("leaf.pem"), pem("CERTIFICATE", LEAF)).expect("written");
        fs::write(at("leaf.key"), pem("PRIVATE KEY", LEAF_KEY)).expect("written");
        fs::write(at("root.pem"), pem("CERTIFICATE", ROOT)).expect("written");
        fs::set_permissions(at("leaf.key"), fs::Permissions::from_mode(0o600)).expect("its own");
        if let Some(account) = account() {
            for name in [".", "password", "leaf.pem", "leaf.key"] {
                chown(at(name), Some(account), Some(account)).expect("given to it");
            }
        }
        let folder = server.folder.path().display().to_string();
        server.run(&format!("initdb -D {folder}/data -U me --pwfile={folder}/password -A scram-sha-256 --no-sync"));
        fs::write(at("data/pg_hba.conf"), who).expect("written");
        let settings = [
            format!("port = {}", server.port),
            format!("unix_socket_directories = '{folder}'"),
            format!("ssl = on\nssl_cert_file = '{folder}/leaf.pem'\nssl_key_file = '{folder}/leaf.key'"),
            "listen_addresses = '127.0.0.1'\nfsync = off".to_owned(),
        ];
        fs::write(at("data/postgresql.auto.conf"), settings.join("\n")).expect("written");
        server.run(&format!("pg_ctl -D {folder}/data -l {folder}/data/log -w start"));
        server
    }

    /// Runs one of its programs: as somebody else where this is root, as whom it refuses to run.
    fn run(&self, line: &str) {
        let line = format!("{}/{line}", self.programs.display());
        let line = match account() {
            Some(account) => format!("setpriv --reuid {account} --regid {account} --clear-groups {line}"),
            None => line,
        };
        let mut words = line.split(' ');
        let log = fs::File::create(self.folder.path().join("log")).expect("a log");
        let mut command = Command::new(words.next().expect("a program"));
        command.args(words).current_dir("/").stdout(log.try_clone().expect("a log")).stderr(log);
        let done = command.status().expect("it can be run");
        let said = || fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
        assert!(done.success(), "{line}: {}", said());
    }

    fn url(&self, host: &str, query: &str) -> String {
        let root = self.folder.path().join("root.pem").display().to_string();
        format!("postgres://me:s3cret@{host}:{}/postgres?{}", self.port, query.replace("ROOT", &root))
    }

    async fn open(&self, host: &str, query: &str) -> Result<Arc<dyn Records>, Fault> {
        open(&self.url(host, query)).await
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.run(&format!("pg_ctl -D {}/data -m immediate -w stop", self.folder.path().display()));
    }
}

/// The number of an account that is not root's, where this is root.
fn account() -> Option<u32> {
    let is_root = fs::metadata("/proc/self").is_ok_and(|own| std::os::unix::fs::MetadataExt::uid(&own) == 0);
    is_root.then_some(65_534)
}

async fn open(url: &str) -> Result<Arc<dyn Records>, Fault> {
    let records = postgres(url, "over_tls");
    records.open(Arc::new(Space::new(vec![service()]).unwrap_or_else(|error| panic!("{error}")))).await?;
    Ok(records)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_with_a_certificate_is_asked_over_tls_and_must_be_who_it_should() {
    let server = Server::start("hostssl all all all scram-sha-256\n");
    for (host, query) in [
        ("localhost", "sslmode=verify-full&sslrootcert=ROOT"),
        ("localhost", "sslmode=verify-full&sslrootcert=ROOT&channel_binding=require"),
        ("127.0.0.1", "sslmode=verify-ca&sslrootcert=ROOT"),
        ("127.0.0.1", "sslmode=require&sslrootcert=ROOT"),
        ("127.0.0.1", "sslmode=require"),
        ("127.0.0.1", "sslmode=prefer"),
        ("127.0.0.1", ""),
    ] {
        let records = server.open(host, query).await.unwrap_or_else(|fault| panic!("{host} {query}: {fault:?}"));
        records.commit(commit(WRITE.with(params![query, 1.0]))).await.expect("committed over it");
    }
    for (host, query, why) in [
        ("127.0.0.1", "sslmode=verify-full&sslrootcert=ROOT", "certificate not valid for name"),
        ("localhost", "sslmode=verify-full", "UnknownIssuer"),
        ("localhost", "sslmode=verify-ca&sslrootcert=system", "UnknownIssuer"),
    ] {
        let fault = server.open(host, query).await.err().unwrap_or_else(|| panic!("{host} {query} is taken"));
        assert!(fault.message.contains("`sslmode`, `sslrootcert`"), "{fault:?}");
        assert!(fault.detail.as_ref().is_some_and(|detail| detail.contains(why)), "{host} {query}: {fault:?}");
        assert!(!format!("{fault:?}").contains("s3cret"), "{fault:?}");
    }
    // The server takes nobody so: what was asked over above was TLS.
    let clear = server.open("localhost", "sslmode=disable").await.err().expect("refused");
    assert!(clear.detail.is_some_and(|detail| detail.contains("no encryption")));
}

/// Asks somebody who answers so whether they speak TLS, and then says nothing more: what becomes of it, and what they hear.
async fn ask(mode: &str, answer: &'static [u8]) -> (Fault, Vec<u8>) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("postgres://me:s3cret@{}/films?sslmode={mode}", listener.local_addr().expect("it has one"));
    let hearing = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.expect("somebody");
        let mut heard = [0; 8];
        stream.read_exact(&mut heard).await.expect("whether it speaks TLS");
        assert_eq!(heard, [0, 0, 0, 8, 4, 210, 22, 47]);
        stream.write_all(answer).await.expect("said");
        let mut heard = vec![0; 4096];
        let count = stream.read(&mut heard).await.unwrap_or(0);
        heard.truncate(count);
        // No more than a word of TLS that is none.
        drop(stream.write_all(b"R\0\0\0\x08\0\0\0\x03").await);
        drop(stream.shutdown().await);
        drop(stream.read_to_end(&mut heard).await);
        (heard, listener)
    });
    let fault = open(&url).await.err().expect("there is no server");
    let (heard, listener) = hearing.await.expect("it hears");
    let again = futures_util::poll!(std::pin::pin!(listener.accept()));
    assert!(again.is_pending(), "{mode}: nobody tries again in another way");
    (fault, heard)
}

fn says(heard: &[u8], word: &[u8]) -> bool {
    heard.windows(word.len()).any(|part| part == word)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_whose_tls_is_broken_is_told_nothing() {
    for mode in ["prefer", "require", "verify-full"] {
        let (fault, heard) = ask(mode, b"S").await;
        assert!(fault.message.contains("there is no TLS to PostgreSQL"), "{mode}: {fault:?}");
        assert_eq!(heard.first(), Some(&22), "{mode}: a handshake and nothing else");
        assert!(!says(&heard, b"s3cret") && !says(&heard, b"user\0"), "{mode}: {heard:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_without_tls_is_asked_without_only_where_that_may_be() {
    let (_, heard) = ask("prefer", b"N").await;
    assert!(says(&heard, b"user\0me\0"), "{heard:?}");
    for mode in ["require", "verify-ca", "verify-full"] {
        let (fault, heard) = ask(mode, b"N").await;
        assert!(fault.message.contains("there is no TLS to PostgreSQL"), "{mode}: {fault:?}");
        assert!(heard.is_empty(), "{mode}: {heard:?}");
    }
}

/// The name of a file that is there is no name of one that holds a certificate.
#[tokio::test]
async fn an_authority_that_cannot_be_read_is_said_at_the_start() {
    let wrong = Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml");
    let url = format!("postgres://me:s3cret@localhost/films?sslmode=verify-full&sslrootcert={}", wrong.display());
    let fault = open(&url).await.err().expect("refused");
    assert_eq!(fault.code, "settings");
    assert!(fault.message.contains("it holds no certificate in PEM"), "{fault:?}");
}
