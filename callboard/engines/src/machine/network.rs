//! How a program is run without a network, where this machine allows it without privileges.

use super::program;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use tokio::process::Command;
use tokio::sync::OnceCell;

/// Ways to leave the network, the best first: with no more rights than before, or with those of a namespace of its own.
const WAYS: [&[&str]; 3] =
    [&["--user", "--map-current-user", "--net"], &["--user", "--map-root-user", "--net"], &["--net"]];

/// What stands before a program's name so that it has no network; found out once.
#[derive(Default)]
pub(super) struct Isolation {
    way: OnceCell<Option<Wrapper>>,
}

/// A program that runs another, with the arguments that come first.
pub(super) struct Wrapper {
    pub(super) path: PathBuf,
    pub(super) args: &'static [&'static str],
}

impl Isolation {
    /// The wrapper; none where this machine has no way.
    pub(super) async fn wrapper(&self) -> Option<&Wrapper> {
        self.way.get_or_init(find).await.as_ref()
    }
}

async fn find() -> Option<Wrapper> {
    if let (Ok(path), Ok(nothing)) = (program::find("unshare"), program::find("true")) {
        for args in WAYS {
            if works(&path, args, &nothing).await {
                tracing::info!(unshare.args = args.join(" "), "programs run without a network");
                return Some(Wrapper { path, args });
            }
        }
    }
    tracing::warn!(
        "programs run with the network of this machine; allow user namespaces and install `unshare` to cut them off"
    );
    None
}

async fn works(unshare: &Path, args: &[&str], program: &Path) -> bool {
    let mut command = Command::new(unshare);
    command.args(args).arg("--").arg(program).env_clear();
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().await.is_ok_and(|status| status.success())
}
