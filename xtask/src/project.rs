//! Where things are: the checkout, what is built, what is logged.

use crate::process::Output;
use std::env;
use std::path::{Path, PathBuf};

/// A checkout.
pub(crate) struct Project {
    pub(crate) root: PathBuf,
    /// Cargo's target folder.
    pub(crate) target: PathBuf,
}

impl Project {
    /// The checkout that this program was started in by cargo.
    pub(crate) fn here() -> Self {
        let own =
            env::var_os("CARGO_MANIFEST_DIR").map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
        let root = own.parent().map(Path::to_path_buf).unwrap_or(own);
        let target = env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), |folder| root.join(folder));
        Self { root, target }
    }

    /// The folder of the islands.
    pub(crate) fn web(&self) -> PathBuf {
        self.root.join("web")
    }

    /// The folder of the browser tests.
    pub(crate) fn browser_tests(&self) -> PathBuf {
        self.root.join("tests").join("e2e")
    }

    /// The folder of what holds the documents of the application against their standards.
    pub(crate) fn contracts(&self) -> PathBuf {
        self.root.join("tests").join("contracts")
    }

    /// The binary as cargo builds it in this profile.
    pub(crate) fn binary(&self, profile: &str) -> PathBuf {
        let folder = if profile == "dev" { "debug" } else { profile };
        self.target.join(folder).join("showrunner")
    }

    /// Where a part of `cargo xtask` writes what it ran said.
    pub(crate) fn log(&self, name: &str) -> Output {
        Output::Logged(self.target.join("xtask").join(format!("{name}.log")))
    }
}
