//! Waking those who deliver: in this process at once, in others by NOTIFY. A notification that is lost costs time only, since
//! everybody looks again after a while.
//!
//! NOTIFY is sent on a connection of its own behind the commits: inside of them it would make all commits wait for each other.

use super::pool::Target;
use super::sql::quoted;
use futures_util::{StreamExt, stream};
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::Notify;
use tokio_postgres::{AsyncMessage, Error};

/// Pauses before connecting again: they double from the first to the longest.
const PAUSE_MIN: Duration = Duration::from_millis(50);
const PAUSE_MAX: Duration = Duration::from_secs(5);

/// Who waits for changes, and who is to tell others of them.
#[derive(Clone, Default)]
pub(super) struct Wake {
    changed: Arc<Notify>,
    to_tell: Arc<Notify>,
    /// How often something changed that this process knows of.
    count: Arc<AtomicU64>,
}

impl Wake {
    /// How often something may have become due: where it is the same as before, nothing was heard of since.
    pub(super) fn count(&self) -> u64 {
        self.count.load(Ordering::SeqCst)
    }

    /// Something may have become due for this process.
    pub(super) fn here(&self) {
        self.count.fetch_add(1, Ordering::SeqCst);
        self.changed.notify_one();
    }

    /// Something may have become due for any process.
    pub(super) fn everywhere(&self) {
        self.here();
        self.to_tell.notify_one();
    }

    /// Something will be there in a moment.
    pub(super) fn here_after(&self, pause: Duration) {
        let wake = self.clone();
        tokio::spawn(async move {
            tokio::time::sleep(pause).await;
            wake.here();
        });
    }

    pub(super) async fn changed(&self) {
        self.changed.notified().await;
    }

    /// Listens and tells until the task is ended.
    pub(super) async fn run(self, target: Arc<Target>) {
        let mut pause = PAUSE_MIN;
        loop {
            match self.listen(&target).await {
                Ok(()) => pause = PAUSE_MIN,
                Err(error) => {
                    tracing::debug!(%error, "nobody listens to other processes for a moment");
                    pause = (pause * 2).min(PAUSE_MAX);
                }
            }
            tokio::time::sleep(pause).await;
            // Whatever happened meanwhile was not heard.
            self.here();
        }
    }

    /// Listens until the connection is lost.
    async fn listen(&self, target: &Target) -> Result<(), Error> {
        let (client, mut connection) = target.connect().await?;
        let mut messages = stream::poll_fn(move |context| connection.poll_message(context));
        let own_process = AtomicI32::new(0);
        let channel = format!("callboard {}", target.schema);
        let speak = async {
            // What is told is on the disk already; telling it need not be.
            client.batch_execute(&format!("SET synchronous_commit TO off; LISTEN {}", quoted(&channel))).await?;
            let own: i32 = client.query_one("SELECT pg_backend_pid()", &[]).await?.get(0);
            own_process.store(own, Ordering::Relaxed);
            loop {
                self.to_tell.notified().await;
                client.batch_execute(&format!("NOTIFY {}", quoted(&channel))).await?;
            }
        };
        let hear = async {
            while let Some(message) = messages.next().await {
                // What this process told others comes back to it.
                if matches!(message?, AsyncMessage::Notification(told) if told.process_id() != own_process.load(Ordering::Relaxed))
                {
                    self.here();
                }
            }
            Ok(())
        };
        tokio::select! {
            ended = speak => ended,
            ended = hear => ended,
        }
    }
}
