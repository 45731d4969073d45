//! Videos made by ffmpeg, once each for all tests, and files that only claim to be videos.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

/// Four seconds of 480p: enough for two levels, and soon transcoded.
pub(crate) fn clip() -> Vec<u8> {
    made("clip", "854x480", &["-t", "4", "-g", "48"])
}

/// Half a minute of 720p: long enough to be interrupted while it is transcoded.
pub(crate) fn feature() -> Vec<u8> {
    made("feature", "1280x720", &["-t", "30", "-g", "48", "-preset", "ultrafast"])
}

/// The clip with its index at the front, as made for the web.
pub(crate) fn web_clip() -> Vec<u8> {
    made("web", "854x480", &["-t", "4", "-g", "48", "-movflags", "+faststart"])
}

/// The clip and 20 MB of nothing behind it: several parts of an upload, and as soon transcoded.
pub(crate) fn heavy_clip() -> Vec<u8> {
    let padding_bytes: u32 = 20 << 20;
    let mut bytes = clip();
    bytes.extend(padding_bytes.to_be_bytes());
    bytes.extend(b"free");
    bytes.resize(bytes.len() + padding_bytes as usize - 8, 0x5a);
    bytes
}

fn made(name: &str, size: &str, arguments: &[&str]) -> Vec<u8> {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    let file = folder.join(format!("{name}.mp4"));
    if let Ok(bytes) = fs::read(&file) {
        return bytes;
    }
    fs::create_dir_all(&folder).unwrap();
    // Tests may make it at the same time; whoever is last puts the same file in place of the same file.
    let draft = folder.join(format!("{name}-{}-{:?}.mp4", std::process::id(), std::thread::current().id()));
    let mut ffmpeg = Command::new("ffmpeg");
    ffmpeg.args(["-nostdin", "-v", "error", "-y", "-f", "lavfi", "-i", &format!("testsrc2=size={size}:rate=24")]);
    ffmpeg.args([
        "-f",
        "lavfi",
        "-i",
        "sine=frequency=440:sample_rate=48000",
        "-c:v",
        "libx264",
        "-pix_fmt",
        "yuv420p",
    ]);
    ffmpeg.args(["-preset", "veryfast", "-c:a", "aac", "-ac", "2"]).args(arguments).arg(&draft);
    let output = ffmpeg.output().expect("ffmpeg is installed");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    fs::rename(&draft, &file).unwrap();
    fs::read(&file).unwrap()
}
