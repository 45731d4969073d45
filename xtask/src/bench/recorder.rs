//! What the server tells ffmpeg to do, written down as it happens, so that the peer is exactly the same process.

use crate::process;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// A folder that stands first on the server's search path. Its `ffmpeg` writes down its arguments and its time, and runs
/// the real one.
pub(crate) struct Recorder {
    folder: PathBuf,
    ffmpeg: PathBuf,
}

impl Recorder {
    pub(crate) fn new(folder: &Path, ffmpeg: &Path) -> Result<Self, String> {
        let failed = |error: std::io::Error| format!("cannot write {}: {error}", folder.display());
        fs::create_dir_all(folder.join("runs")).map_err(failed)?;
        let folder = folder.canonicalize().map_err(failed)?;
        let program = folder.join("ffmpeg");
        let script = format!(
            "#!/bin/sh\nrun='{}/runs/'$$\nfor word in \"$@\"; do printf '%s\\n' \"$word\"; done > \"$run.words\"\n\
             date +%s%N > \"$run.begin\"\n'{}' \"$@\"\ncode=$?\ndate +%s%N > \"$run.end\"\nexit $code\n",
            folder.display(),
            ffmpeg.display()
        );
        fs::write(&program, script).map_err(failed)?;
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).map_err(failed)?;
        Ok(Self { folder, ffmpeg: ffmpeg.to_path_buf() })
    }

    /// The search path with the folder in front.
    pub(crate) fn search_path(&self) -> String {
        format!("{}:{}", self.folder.display(), std::env::var("PATH").unwrap_or_default())
    }

    /// Forgets the runs before.
    pub(crate) fn forget(&self) -> Result<(), String> {
        let runs = self.folder.join("runs");
        let cleared = fs::remove_dir_all(&runs).and_then(|()| fs::create_dir_all(&runs));
        cleared.map_err(|error| format!("cannot write {}: {error}", runs.display()))
    }

    /// The words of the run that made every rendition, and the file that tells about it, without its ending.
    fn ladder(&self) -> Result<(Vec<String>, PathBuf), String> {
        let failed = |error: std::io::Error| format!("cannot read {}: {error}", self.folder.display());
        for entry in fs::read_dir(self.folder.join("runs")).map_err(failed)? {
            let path = entry.map_err(failed)?.path();
            if path.extension().is_some_and(|ending| ending == "words") {
                let words: Vec<String> =
                    fs::read_to_string(&path).map_err(failed)?.lines().map(str::to_string).collect();
                if words.iter().any(|word| word.contains("split=")) {
                    return Ok((words, path.with_extension("")));
                }
            }
        }
        Err("the server has not encoded renditions by one process with a split filter".to_string())
    }

    /// How long the server's process ran.
    pub(crate) fn time_of_ladder(&self) -> Result<Duration, String> {
        let (_, run) = self.ladder()?;
        let at_ns = |ending: &str| {
            let text = fs::read_to_string(run.with_extension(ending)).ok();
            text.and_then(|text| text.trim().parse::<u64>().ok())
                .ok_or("a run of ffmpeg was not written down to its end")
        };
        Ok(Duration::from_nanos(at_ns("end")?.saturating_sub(at_ns("begin")?)))
    }

    /// Runs the same process on a file in an empty folder, and gives its time.
    pub(crate) fn repeat(&self, clip: &Path, folder: &Path) -> Result<Duration, String> {
        let (mut words, _) = self.ladder()?;
        let failed = |error: std::io::Error| format!("cannot write {}: {error}", folder.display());
        if folder.exists() {
            fs::remove_dir_all(folder).map_err(failed)?;
        }
        for word in &mut words {
            if word.starts_with("file:") {
                *word = format!("file:{}", clip.display());
            }
            if let Some((rendition, _)) = word.rsplit_once('/').filter(|(_, name)| *name == "%05d.m4s") {
                fs::create_dir_all(folder.join(rendition)).map_err(failed)?;
            }
        }
        let mut command = process::command(&self.ffmpeg, folder);
        let start = Instant::now();
        process::read(command.args(&words)).ok_or("the same process of ffmpeg fails alone")?;
        Ok(start.elapsed())
    }
}
