//! A PostgreSQL for tests or figures alone: in a folder of its own, on a free port of this machine, ended with them.

use crate::process::{self, Output};
use std::fs;
use std::io::{self, Read};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::{Duration, Instant};

/// Where tests read its address.
pub(crate) const URL: &str = "CALLBOARD_TEST_POSTGRES";
/// Where tests read how to restart it.
pub(crate) const RESTART: &str = "CALLBOARD_POSTGRES_RESTART";
/// Where benches and journeys read where to keep their records.
pub(crate) const RECORDS: &str = "CALLBOARD_BENCH_RECORDS";
/// How long it may take to answer.
const START_LIMIT: Duration = Duration::from_secs(60);
/// A server for tests is thrown away, so it does not wait for the disk.
const CARELESS: &[&str] = &["fsync=off", "full_page_writes=off"];
/// What every server needs: room for many clients at once.
const SETTINGS: &[&str] = &[
    "listen_addresses=127.0.0.1",
    "max_connections=300",
    "max_locks_per_transaction=256",
    "max_wal_size=4GB",
    "shared_buffers=128MB",
];

/// A server that runs; it ends when this is dropped, and its folder goes.
pub(crate) struct Postgres {
    url: String,
    own: Option<Own>,
}

struct Own {
    server: Child,
    folder: PathBuf,
    user: Account,
    programs: PathBuf,
}

impl Postgres {
    /// Starts a server, unless the person has named one that may be used.
    pub(crate) fn start(output: &Output) -> Result<Self, String> {
        match std::env::var(URL) {
            Ok(url) => Ok(Self { url, own: None }),
            Err(_) => Self::start_in(&std::env::temp_dir(), CARELESS, output),
        }
    }

    /// Starts a server that loses nothing, with its data on this disk: for figures.
    pub(crate) fn start_durable(disk: &Path, output: &Output) -> Result<Self, String> {
        Self::start_in(disk, &[], output)
    }

    fn start_in(parent: &Path, settings: &[&str], output: &Output) -> Result<Self, String> {
        let programs =
            programs().ok_or("PostgreSQL is not found; install it, or name a server in CALLBOARD_TEST_POSTGRES")?;
        let folder = parent.join(format!("showrunner-postgres-{}", std::process::id()));
        let wrong = |error: io::Error| format!("cannot prepare {}: {error}", folder.display());
        // What a process of the same number left.
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir(&folder).map_err(wrong)?;
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o700)).map_err(wrong)?;
        let password = random_word().map_err(wrong)?;
        fs::write(folder.join("password"), &password).map_err(wrong)?;
        let user = Account::fitting();
        user.own(&folder)?;
        let text = folder.display();
        // Other rules of sorting than the services expect: they must not depend on the server's.
        let line = format!(
            "initdb --pgdata={text}/data --username=showrunner --pwfile={text}/password --auth=password --encoding=UTF8 \
             --locale=C --locale-provider=icu --icu-locale=und --no-sync"
        );
        process::run(&mut user.command(&programs, &line), output)?;
        let port = free_port().map_err(wrong)?;
        let settings: Vec<String> = SETTINGS.iter().chain(settings).map(|setting| format!("-c {setting}")).collect();
        let line = format!("postgres -D {text}/data -p {port} -k {text} {}", settings.join(" "));
        let mut command = user.command(&programs, &line);
        let log = fs::File::create(folder.join("log")).map_err(wrong)?;
        command.stdout(log.try_clone().map_err(wrong)?).stderr(log);
        let server = command.spawn().map_err(|error| format!("cannot start PostgreSQL: {error}"))?;
        let url = format!("postgres://showrunner:{password}@127.0.0.1:{port}/postgres");
        let mut postgres = Self { url, own: Some(Own { server, folder, user, programs: programs.clone() }) };
        postgres.wait(&programs, port)?;
        Ok(postgres)
    }

    /// Its address.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// The command that ends the server without asking and starts it again.
    pub(crate) fn restart(&self) -> String {
        self.own.as_ref().map_or_else(String::new, |own| process::line_of(&own.control("restart -w -l log-after")))
    }

    fn wait(&mut self, programs: &Path, port: u16) -> Result<(), String> {
        let Some(own) = &mut self.own else { return Ok(()) };
        let start = Instant::now();
        let mut probe = process::command(programs.join("pg_isready"), Path::new("/"));
        probe.args(["--host", "127.0.0.1", "--port", &port.to_string()]);
        while process::read(&mut probe).is_none() {
            let has_ended = own.server.try_wait().map_err(|error| error.to_string())?.is_some();
            if has_ended || start.elapsed() > START_LIMIT {
                let log = fs::read_to_string(own.folder.join("log")).unwrap_or_default();
                return Err(format!("PostgreSQL does not start:\n{log}"));
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(())
    }
}

impl Own {
    /// A command to the server, whichever process it is by now.
    fn control(&self, what: &str) -> Command {
        let folder = self.folder.display();
        let what = what.replace("log-after", &format!("{folder}/log-after"));
        self.user.command(&self.programs, &format!("pg_ctl -D {folder}/data -m immediate {what}"))
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        if let Some(own) = &mut self.own {
            // Nobody needs its data any more, so nothing of this fails the tests.
            if process::read(&mut own.control("stop -w")).is_none() {
                let _ = own.server.kill();
            }
            let _ = own.server.wait();
            let _ = fs::remove_dir_all(&own.folder);
        }
    }
}

/// The folder of its programs: of the newest version that is installed.
pub(crate) fn programs() -> Option<PathBuf> {
    let has_server = |folder: &PathBuf| process::is_executable(&folder.join("initdb"));
    let mut versions: Vec<(u32, PathBuf)> = fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .filter_map(|entry| {
            let folder = entry.ok()?.path();
            Some((folder.file_name()?.to_str()?.parse().ok()?, folder.join("bin")))
        })
        .filter(|(_, folder)| has_server(folder))
        .collect();
    versions.sort();
    let found = process::find("initdb").and_then(|file| Some(fs::canonicalize(file).ok()?.parent()?.to_path_buf()));
    versions.pop().map(|(_, folder)| folder).or(found)
}

/// As whom the server runs: it refuses to run as root.
struct Account(Option<&'static str>);

impl Account {
    fn fitting() -> Self {
        let is_root = process::read(process::command("id", Path::new("/")).arg("-u")).as_deref() == Some("0");
        let is_there = |name: &&str| process::read(process::command("id", Path::new("/")).args(["-u", name])).is_some();
        Self(is_root.then(|| ["postgres"].into_iter().find(is_there).unwrap_or("nobody")))
    }

    /// Gives it a folder with what is in it.
    fn own(&self, folder: &Path) -> Result<(), String> {
        let Some(name) = self.0 else { return Ok(()) };
        let mut command = process::command("chown", Path::new("/"));
        command.args(["-R", name]).arg(folder);
        process::read(&mut command).map(drop).ok_or_else(|| format!("cannot give {} to {name}", folder.display()))
    }

    /// A program of PostgreSQL with its arguments.
    fn command(&self, programs: &Path, line: &str) -> Command {
        let line = format!("{}/{line}", programs.display());
        match self.0 {
            None => process::command_line(&line, Path::new("/")),
            Some(name) => {
                let line = format!("setpriv --reuid {name} --regid {} --clear-groups {line}", group_of(name));
                process::command_line(&line, Path::new("/"))
            }
        }
    }
}

fn group_of(name: &str) -> String {
    process::read(process::command("id", Path::new("/")).args(["-g", name])).unwrap_or_else(|| "nogroup".to_string())
}

fn free_port() -> io::Result<u16> {
    TcpListener::bind("127.0.0.1:0")?.local_addr().map(|address| address.port())
}

fn random_word() -> io::Result<String> {
    let mut bytes = [0; 16];
    fs::File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_server_has_a_password_and_a_port_of_its_own() {
        let words = [random_word().unwrap(), random_word().unwrap()];
        assert!(words[0] != words[1] && words[0].len() == 32);
        assert!(free_port().unwrap() > 1023);
    }

    #[test]
    fn a_program_runs_as_the_account_that_fits() {
        let line = |account: Account| process::line_of(&account.command(Path::new("/programs"), "postgres -p 1"));
        assert_eq!(line(Account(None)), "/programs/postgres -p 1");
        let given_up = line(Account(Some("nobody")));
        assert!(
            given_up.starts_with("setpriv --reuid nobody --regid ") && given_up.ends_with("/programs/postgres -p 1")
        );
    }
}
