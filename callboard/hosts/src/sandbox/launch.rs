//! Starts a command in a sandbox and ends it again, with everything it started.

use super::{Network, Policy, WORD};
use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags};
use serde::Deserialize;
use std::ffi::OsString;
use std::io::{self, IoSliceMut};
use std::mem::MaybeUninit;
use std::net::TcpListener;
use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt, Interest};
use tokio::net::UnixStream;
use tokio::process::{Child, ChildStderr, ChildStdout, Command};

/// How long the outer process may take to end the rest.
const END_MS: u64 = 1_000;

/// What to start.
pub(crate) struct Launch<'a> {
    /// The program that is a sandbox when it is started as one.
    pub(crate) program: &'a PathBuf,
    pub(crate) policy: Policy,
    pub(crate) command: &'a [OsString],
    pub(crate) folder: PathBuf,
    pub(crate) environment: Vec<(String, String)>,
}

/// A command in its sandbox. Dropped, it is ended: the outer process ends everything when the other end of its socket is closed.
pub(crate) struct Launched {
    child: Child,
    control: Option<UnixStream>,
    said: Vec<u8>,
    /// Where it finds the Runtime API.
    pub(crate) listener: Option<tokio::net::TcpListener>,
    pub(crate) stdout: Option<ChildStdout>,
    pub(crate) stderr: Option<ChildStderr>,
}

/// How a command ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
pub(crate) struct Exited {
    pub(crate) code: Option<i32>,
    pub(crate) signal: Option<i32>,
}

impl std::fmt::Display for Exited {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self { signal: Some(signal), .. } => write!(f, "Runtime exited with error: signal {signal}"),
            Self { code: Some(code), .. } => write!(f, "Runtime exited with error: exit status {code}"),
            _ => write!(f, "Runtime exited without providing a reason"),
        }
    }
}

/// Starts it.
///
/// # Errors
/// Where it cannot be started; what the sandbox says comes on its standard error.
pub(crate) async fn launch(mut what: Launch<'_>) -> io::Result<Launched> {
    let (ours, theirs) = std::os::unix::net::UnixStream::pair()?;
    let mut environment = what.environment;
    let mut listener = None;
    if let Network::Ports(ports) = &mut what.policy.network {
        let bound = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        let address = bound.local_addr()?;
        ports.push(address.port());
        environment.push(("AWS_LAMBDA_RUNTIME_API".to_owned(), address.to_string()));
        environment.push(("CALLBOARD_URL".to_owned(), format!("http://{address}")));
        listener = Some(bound);
    }
    let mut policy = serde_json::to_vec(&what.policy).map_err(io::Error::other)?;
    policy.push(b'\n');
    let mut command = Command::new(what.program);
    command.args([WORD, "outer", "--"]).args(what.command).current_dir(&what.folder);
    command.env_clear().envs(environment).stdin(Stdio::from(OwnedFd::from(theirs)));
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
    let mut child = command.spawn()?;
    // The command holds the other end of the socket open until it is gone.
    drop(command);
    ours.set_nonblocking(true)?;
    let mut control = UnixStream::from_std(ours)?;
    // It fails only where the sandbox has ended, which says why.
    drop(control.write_all(&policy).await);
    let handed = receive(&control).await?;
    if let Some(handed) = handed {
        handed.set_nonblocking(true)?;
        listener = Some(tokio::net::TcpListener::from_std(handed)?);
    }
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    Ok(Launched { child, control: Some(control), said: Vec::new(), listener, stdout, stderr })
}

/// Waits for the word that the process is started, and takes the listener that comes with it.
async fn receive(control: &UnixStream) -> io::Result<Option<TcpListener>> {
    control
        .async_io(Interest::READABLE, || {
            let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
            let mut rights = RecvAncillaryBuffer::new(&mut space);
            let mut byte = [0];
            rustix::net::recvmsg(control, &mut [IoSliceMut::new(&mut byte)], &mut rights, RecvFlags::CMSG_CLOEXEC)?;
            let handed = rights.drain().find_map(|message| match message {
                RecvAncillaryMessage::ScmRights(mut handed) => handed.next(),
                _ => None,
            });
            Ok(handed.map(TcpListener::from))
        })
        .await
}

impl Launched {
    /// Waits for the end of the command. Whoever stops waiting may wait again.
    pub(crate) async fn wait(&mut self) -> Exited {
        if let Some(control) = &mut self.control {
            // Where the outer process was killed itself it says nothing.
            while let Ok(1..) = control.read_buf(&mut self.said).await {}
        }
        serde_json::from_slice(&self.said).unwrap_or_default()
    }

    /// Another hold of the socket, for whoever ends the command without having it.
    pub(crate) fn hold(&self) -> Option<OwnedFd> {
        self.control.as_ref()?.as_fd().try_clone_to_owned().ok()
    }

    /// Whether the command still runs, as far as is known.
    pub(crate) fn is_alive(&mut self) -> bool {
        let mut byte = [0];
        match self.control.as_ref().map(|control| control.try_read(&mut byte)) {
            Some(Err(error)) => error.kind() == io::ErrorKind::WouldBlock,
            _ => false,
        }
    }

    /// Id of the outer process, whose descendants are everything that runs for this command.
    pub(crate) fn id(&self) -> Option<u32> {
        self.child.id()
    }

    /// Ends the command with everything it started, and waits until it is gone.
    pub(crate) async fn end(mut self) {
        if let Some(control) = self.control.take() {
            // Closing it is not enough where somebody else holds it too; it fails only where the other end is gone.
            let _ = rustix::net::shutdown(&control, rustix::net::Shutdown::Both);
        }
        if tokio::time::timeout(Duration::from_millis(END_MS), self.child.wait()).await.is_err() {
            drop(self.child.kill().await);
        }
    }
}
