//! The operator's gateway: a socket in the data folder, so that whoever may open the folder can ask the process that uses it.
//! One line of JSON asks, one answers. It reaches the operator's functions under `/-/` and keys of programs, and nothing else.

use callboard::{Data, Fault, Host, Kind, Principal, Tenant, Uri};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::task::JoinSet;

/// What the operator reaches: their own functions, and keys of programs.
const REACHED: [&str; 2] = ["/-", "/keys"];
/// Longest question.
const ASK_BYTES_MAX: u64 = 1 << 20;
/// Most questions at once.
const ASKING_MAX: usize = 16;
/// How long a question may take to arrive.
const ASK_TIME_MAX: Duration = Duration::from_secs(10);

/// A question of the operator.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Ask {
    /// In which tenant; what the host tells of itself is of its own, whatever the one who asks takes that to be.
    pub tenant: Tenant,
    /// What to do.
    pub kind: Kind,
    /// With which of the operator's resources.
    pub uri: Uri,
    /// Query, percent-encoded; for a call that only reads.
    pub query: String,
    /// Body, for every other.
    pub body: Value,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Said {
    Answer(Value),
    Problem { code: String, message: String },
}

/// Makes the socket, so that whoever is told of the start finds it, and gives what answers until `stop` is ready. Where it cannot
/// be made, that is logged, and everything else goes on without it.
pub fn serve(host: Host, path: PathBuf, stop: impl Future<Output = ()>) -> impl Future<Output = ()> {
    let listener = listen(&path);
    answer_all(host, path, listener, stop)
}

async fn answer_all(
    host: Host,
    path: PathBuf,
    listener: std::io::Result<UnixListener>,
    stop: impl Future<Output = ()>,
) {
    let listener = match listener {
        Ok(listener) => listener,
        Err(error) => {
            stop.await;
            return tracing::warn!(socket.path = %path.display(), %error, "the operator's socket cannot be made");
        }
    };
    let mut stop = std::pin::pin!(stop);
    let mut asking = JoinSet::new();
    loop {
        tokio::select! {
            biased;
            () = &mut stop => break,
            Some(_) = asking.join_next() => {}
            accepted = listener.accept(), if asking.len() < ASKING_MAX => match accepted {
                Ok((stream, _)) => drop(asking.spawn(answer(host.clone(), stream))),
                Err(error) => tracing::warn!(%error, "the operator's socket does not accept"),
            }
        }
    }
    // The next start would remove it too.
    drop(std::fs::remove_file(&path));
}

/// The folder belongs to this process, so a socket that is there was left by one that is gone.
fn listen(path: &Path) -> std::io::Result<UnixListener> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = UnixListener::bind(path)?;
    std::fs::set_permissions(path, Permissions::from_mode(0o600))?;
    Ok(listener)
}

async fn answer(host: Host, stream: UnixStream) {
    let (read, mut write) = stream.into_split();
    let mut line = String::new();
    let mut reader = BufReader::new(read.take(ASK_BYTES_MAX));
    let Ok(Ok(_)) = tokio::time::timeout(ASK_TIME_MAX, reader.read_line(&mut line)).await else { return };
    let said = match serde_json::from_str::<Ask>(&line) {
        Ok(ask) => match run(&host, ask).await {
            Ok(value) => Said::Answer(value),
            Err(fault) => Said::Problem { code: fault.code.to_owned(), message: fault.message },
        },
        Err(error) => Said::Problem { code: "data.invalid".to_owned(), message: error.to_string() },
    };
    let mut text = serde_json::to_vec(&said).expect("an answer of ours serialises to JSON");
    text.push(b'\n');
    // Whoever asked may have gone away.
    drop(write.write_all(&text).await);
}

/// Asks a function of the operator in this process.
///
/// # Errors
/// The function's fault.
pub async fn run(host: &Host, ask: Ask) -> Result<Value, Fault> {
    let path = ask.uri.as_str();
    if !REACHED
        .iter()
        .any(|above| path.strip_prefix(above).is_some_and(|rest| rest.is_empty() || rest.starts_with('/')))
    {
        return Err(Fault::not_found("no_such_uri", format!("{} is not the operator's", ask.uri)));
    }
    let data = if ask.kind.is_safe() { Data::form(ask.query) } else { Data::json(&ask.body) };
    let tenant = if path.starts_with("/-/") { host.home().clone() } else { ask.tenant };
    let mut msg = host.message(ask.kind, ask.uri, tenant).with_data(data);
    msg.head_mut().source = "cli".into();
    msg.head_mut().principal = Principal::Service("cli".into());
    host.run(msg).await.map(|answer| answer.json())
}

/// Asks the process that listens on the socket.
///
/// # Errors
/// `operator.refused` with what it said; `data.in_use` where nobody answers.
pub async fn ask(path: &Path, ask: &Ask) -> Result<Value, Fault> {
    let gone = |error: std::io::Error| {
        let message = format!("another process uses the data folder and does not answer on {}", path.display());
        Fault::conflict("data.in_use", message).detail(error.to_string())
    };
    let mut stream = UnixStream::connect(path).await.map_err(gone)?;
    let mut text = serde_json::to_vec(ask).expect("a question of ours serialises to JSON");
    text.push(b'\n');
    stream.write_all(&text).await.map_err(gone)?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.map_err(gone)?;
    match serde_json::from_str(&answer) {
        Ok(Said::Answer(value)) => Ok(value),
        Ok(Said::Problem { code, message }) => Err(Fault::conflict("operator.refused", format!("{message} ({code})"))),
        Err(error) => Err(Fault::bug(format!("the server's answer cannot be read: {error}"))),
    }
}
