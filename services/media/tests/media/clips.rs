//! Short files to upload, drawn by ffmpeg into a folder of their own that goes away with the test.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

/// A folder with room for clips and versions.
pub(crate) struct Desk(TempDir);

impl Desk {
    pub(crate) fn new() -> Self {
        Self(TempDir::new().expect("a temporary folder"))
    }

    pub(crate) fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.0.path().join(name)
    }

    /// Writes a file as it is.
    pub(crate) fn file(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, bytes).expect("a writable folder");
        path
    }

    /// Draws a clip with ffmpeg's own words for everything before the output's name.
    pub(crate) fn clip(&self, name: &str, words: &str) -> PathBuf {
        let path = self.path(name);
        let quiet = ["-nostdin", "-v", "error", "-y"];
        let args = quiet.into_iter().chain(words.split_whitespace()).map(OsStr::new);
        let run = Command::new("ffmpeg").args(args).arg(&path).current_dir(self.0.path()).output();
        let run = run.expect("ffmpeg must be installed");
        assert!(run.status.success(), "{words}: {}", String::from_utf8_lossy(&run.stderr));
        path
    }

    /// The upload of the walking skeleton: 10 s of 720p H.264 with AAC in an MP4.
    pub(crate) fn ordinary(&self) -> PathBuf {
        self.clip("ordinary.mp4", &format!("{} {} {H264} {AAC}", picture("1280x720", "30", 10), sound(10)))
    }
}

/// Encodes fast; what it looks like does not matter.
pub(crate) const H264: &str = "-c:v libx264 -preset ultrafast -pix_fmt yuv420p";

/// The sound most uploads have.
pub(crate) const AAC: &str = "-c:a aac -ac 2";

/// A moving test picture as input.
pub(crate) fn picture(size: &str, rate: &str, seconds: u32) -> String {
    format!("-f lavfi -i testsrc2=s={size}:r={rate}:d={seconds}")
}

/// A tone as input.
pub(crate) fn sound(seconds: u32) -> String {
    format!("-f lavfi -i sine=440:d={seconds}")
}
