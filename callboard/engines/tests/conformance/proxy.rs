//! A door in front of the database that can be shut, and that can lose the answer to a COMMIT.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// The door; what goes through it ends with it.
pub(crate) struct Door {
    pub(crate) port: u16,
    is_shut: watch::Sender<bool>,
    loses_commits: Arc<AtomicBool>,
    _tasks: JoinSet<()>,
}

impl Door {
    pub(crate) async fn to(host: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let port = listener.local_addr().expect("an address").port();
        let (is_shut, shut) = watch::channel(false);
        let loses_commits = Arc::new(AtomicBool::new(false));
        let (loses, mut tasks) = (loses_commits.clone(), JoinSet::new());
        tasks.spawn(async move {
            let mut through = JoinSet::new();
            while let Ok((client, _)) = listener.accept().await {
                if !*shut.borrow() {
                    through.spawn(pass(client, host.clone(), shut.clone(), loses.clone()));
                }
            }
        });
        Self { port, is_shut, loses_commits, _tasks: tasks }
    }

    /// Cuts every connection and lets none through until it is opened.
    pub(crate) fn shut(&self) {
        self.is_shut.send_replace(true);
    }

    pub(crate) fn open(&self) {
        self.is_shut.send_replace(false);
    }

    /// The next COMMIT reaches the database, and its answer reaches nobody.
    pub(crate) fn lose_a_commit(&self) {
        self.loses_commits.store(true, Ordering::SeqCst);
    }
}

async fn pass(client: TcpStream, host: String, mut shut: watch::Receiver<bool>, loses: Arc<AtomicBool>) {
    let server = TcpStream::connect(host).await.expect("the database");
    let ((mut from_client, mut to_client), (mut from_server, mut to_server)) =
        (client.into_split(), server.into_split());
    let loses_answers = AtomicBool::new(false);
    let there = async {
        let mut bytes = [0; 16 * 1024];
        while let Ok(count @ 1..) = from_client.read(&mut bytes).await {
            let has_commit = bytes[..count].windows(7).any(|window| window == b"COMMIT\0");
            if has_commit && loses.swap(false, Ordering::SeqCst) {
                loses_answers.store(true, Ordering::SeqCst);
            }
            if to_server.write_all(&bytes[..count]).await.is_err() {
                return;
            }
        }
    };
    let back = async {
        let mut bytes = [0; 16 * 1024];
        while let Ok(count @ 1..) = from_server.read(&mut bytes).await {
            // The database has answered, so the transaction is over.
            if loses_answers.load(Ordering::SeqCst) || to_client.write_all(&bytes[..count]).await.is_err() {
                return;
            }
        }
    };
    tokio::select! {
        () = there => {}
        () = back => {}
        _ = shut.wait_for(|is_shut| *is_shut) => {}
    }
}
