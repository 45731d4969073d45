//! The command line of one ffprobe or ffmpeg process, as a value. It is never handed to a shell, and every uploaded
//! file enters it by [`Command::source`], which closes the ways a hostile file could reach anything but itself.

use std::ffi::OsString;
use std::path::Path;

/// Most pixels a frame may have (4096 × 2176); larger frames are refused before memory is taken for them.
pub const PIXELS_MAX: u64 = 8_912_896;

/// The only demuxers an upload may reach: no playlists, no AVI, no pictures, no network formats.
pub const FORMATS: &str = "mov,matroska,mpegts";

/// Most streams a file may have before it is refused.
pub const STREAMS_MAX: u32 = 64;

/// Most bytes one allocation inside ffmpeg may take; compressed containers cannot unfold beyond it.
pub const ALLOCATION_BYTES_MAX: u64 = 268_435_456;

/// A program and its arguments. Relative output names are meant for the folder the process is started in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Command {
    /// `ffmpeg` or `ffprobe`, found on the path.
    pub program: &'static str,
    /// The arguments, without the program's name.
    pub args: Vec<OsString>,
}

impl Command {
    /// An ffprobe that prints nothing but what is asked for, and its errors.
    #[must_use]
    pub fn ffprobe() -> Self {
        Self { program: "ffprobe", args: Vec::new() }.args(&["-hide_banner", "-v", "error"])
    }

    /// An ffmpeg that reads no keyboard and prints its progress to standard output, once a second.
    #[must_use]
    pub fn ffmpeg() -> Self {
        let quiet = ["-nostdin", "-hide_banner", "-v", "error", "-y", "-nostats"];
        Self { program: "ffmpeg", args: Vec::new() }.args(&quiet).args(&["-progress", "pipe:1", "-stats_period", "1"])
    }

    /// Appends arguments as they are.
    #[must_use]
    pub fn args<S: AsRef<str>>(mut self, args: &[S]) -> Self {
        self.args.extend(args.iter().map(|arg| OsString::from(arg.as_ref())));
        self
    }

    /// Appends one option and its value.
    #[must_use]
    pub fn option(self, name: &str, value: impl ToString) -> Self {
        self.args(&[name, &value.to_string()])
    }

    /// Appends an uploaded file as input, behind every limit that applies to reading it.
    ///
    /// The name follows the `file:` protocol, so that neither a leading `-` nor `concat:` means anything.
    #[must_use]
    pub fn source(self, path: &Path) -> Self {
        let mut name = OsString::from("file:");
        name.push(path);
        let mut command = self
            .option("-max_alloc", ALLOCATION_BYTES_MAX)
            .option("-protocol_whitelist", "file")
            .option("-format_whitelist", FORMATS)
            .option("-max_pixels", PIXELS_MAX)
            .option("-max_streams", STREAMS_MAX)
            .args(&["-i"]);
        command.args.push(name);
        command
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hostile_file_name_stays_a_file_name() {
        for name in ["-version", "concat:a|b", "http://127.0.0.1/x", "subfile,,start,0,end,9,,:x", "a b;rm"] {
            let command = Command::ffprobe().source(Path::new(name));
            let last = command.args.last().expect("the input is the last argument");
            assert_eq!(last, &OsString::from(format!("file:{name}")));
        }
    }

    #[test]
    fn limits_stand_before_the_input_they_apply_to() {
        let args = Command::ffmpeg().source(Path::new("/x")).args;
        let place = |word: &str| args.iter().position(|arg| arg == word).expect("the option is there");
        for limit in ["-protocol_whitelist", "-format_whitelist", "-max_pixels", "-max_alloc", "-max_streams"] {
            assert!(place(limit) < place("-i"), "{limit} must stand before -i");
        }
    }
}
