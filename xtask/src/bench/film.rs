//! A film to upload: drawn, sent as a browser sends it, and followed until it is as far as somebody waits for.

use super::client::{Client, base64};
use crate::process;
use serde_json::Value;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

/// What to do where nothing can be drawn.
pub(crate) const MISSING: &str =
    "`ffmpeg` is not installed; install it, on Debian with `apt-get install ffmpeg`, and measure again";
/// Between two looks.
const PAUSE: Duration = Duration::from_millis(5);
/// Longest wait for a state.
const LIMIT: Duration = Duration::from_secs(180);

/// Draws H.264 with AAC as a camera would record it: 30 frames a second, a keyframe every other second.
pub(crate) fn draw(ffmpeg: &Path, to: &Path, size: &str, time_s: u32) -> Result<(), String> {
    const CODECS: &str = "-c:v libx264 -preset veryfast -pix_fmt yuv420p -b:v 3M -maxrate 3M -bufsize 6M -g 60 \
                          -c:a aac -b:a 128k -ac 2 -movflags +faststart";
    let picture = format!("testsrc2=size={size}:rate=30:duration={time_s}");
    let sound = format!("sine=frequency=440:sample_rate=48000:duration={time_s}");
    let mut command = process::command(ffmpeg, to.parent().unwrap_or(Path::new(".")));
    command.args(["-nostdin", "-v", "error", "-y"]);
    command.args(["-f", "lavfi", "-i", &picture, "-f", "lavfi", "-i", &sound]);
    command.args(CODECS.split_whitespace()).arg(to);
    process::read(&mut command).map(drop).ok_or_else(|| format!("ffmpeg cannot draw {}", to.display()))
}

/// Uploads the film of an episode, up to its last byte.
pub(crate) fn send(owner: &Client, episode: &str, film: &[u8]) -> Result<(), String> {
    const TUS: (&str, &str) = ("tus-resumable", "1.0.0");
    let length = film.len().to_string();
    let metadata = format!("filename {},episode {}", base64("clip.mp4"), base64(episode));
    let headers = [TUS, ("upload-length", &length), ("upload-metadata", &metadata)];
    let made = owner.send("POST", "/api/uploads", &headers, b"")?;
    let place = made.header("location").ok_or("an upload has no location")?;
    let headers = [TUS, ("upload-offset", "0"), ("content-type", "application/offset+octet-stream")];
    owner.send("PATCH", place, &headers, film).map(drop)
}

/// Looks at an episode's video until it is as wanted.
pub(crate) fn wait_for(owner: &Client, episode: &str, is_there: impl Fn(&Value) -> bool) -> Result<(), String> {
    let start = Instant::now();
    while start.elapsed() < LIMIT {
        // Until its flow has begun there is no asset.
        if let Ok(asset) = owner.get(&format!("/api/episodes/{episode}/asset")).map(|answer| answer.json()) {
            if is_there(&asset) {
                return Ok(());
            }
            if asset["state"] == "failed" {
                return Err(format!("the video failed: {}", asset["reason"]));
            }
        }
        thread::sleep(PAUSE);
    }
    Err(format!("the video is not ready after {} s", LIMIT.as_secs()))
}
