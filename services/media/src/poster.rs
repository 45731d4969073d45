//! The still picture shown for a video before it plays, 1280×720 for the player and 480×270 for lists: a JPEG of a frame
//! that ffmpeg chooses from the beginning, or the sound's wave when there is no picture.

use std::path::Path;

use crate::command::Command;
use crate::encode::tonemap;
use crate::source::{Source, Video};

/// The large file that [`command`] writes into the folder it is started in.
pub const FILE: &str = "poster.jpg";

/// The small file that [`command`] writes beside it.
pub const SMALL_FILE: &str = "still.jpg";

/// Width of the poster in pixels.
pub const WIDTH: u32 = 1280;

/// Height of the poster in pixels.
pub const HEIGHT: u32 = 720;

/// How much of a video is looked at for a good frame.
const LOOK_MS: u64 = 8_000;

/// Makes the large and the small picture of one frame.
const SIZES: &str = "format=yuvj420p,split[large][frame];[frame]scale=480:270[small]";

/// The command that draws the poster of `source`, the file at `path`, in both sizes.
#[must_use]
pub fn command(source: &Source, path: &Path) -> Command {
    let picture = |name, quality, file| {
        ["-map", name, "-map_metadata", "-1", "-frames:v", "1", "-q:v", quality, "-f", "mjpeg", file]
    };
    let image = [picture("[large]", "3", FILE), picture("[small]", "6", SMALL_FILE)].concat();
    let Some(video) = &source.video else {
        let index = source.audio.first().map_or(0, |audio| audio.index);
        let command = Command::ffmpeg().option("-t", source.duration_ms / 1000 + 1).source(path);
        return command.option("-filter_complex", wave(index)).args(&image);
    };
    // Titles fade in: look a tenth in, through eight seconds, where a clip is long enough for that.
    let start_ms = if source.duration_ms < 2_000 { 0 } else { source.duration_ms / 10 };
    let left_ms = source.duration_ms.saturating_sub(start_ms).min(LOOK_MS);
    // Where two keyframes surely stand in what is looked at, the frames between them need not be decoded.
    let is_dense = video.keyframe_gap_ms.is_some_and(|gap_ms| gap_ms.saturating_mul(2) <= left_ms);
    let skip: &[&str] = if is_dense { &["-skip_frame", "nokey"] } else { &[] };
    Command::ffmpeg()
        .option("-ss", format!("{}.{:03}", start_ms / 1000, start_ms % 1000))
        .option("-t", LOOK_MS / 1000)
        .args(skip)
        .source(path)
        .option("-filter_complex", still(video))
        .args(&image)
}

fn wave(index: u32) -> String {
    let picture = format!("showwavespic=s={WIDTH}x{HEIGHT}:split_channels=0:colors=0x8899aa");
    format!("[0:{index}]aformat=channel_layouts=mono,{picture},{SIZES}")
}

/// Picks the frame nearest to the average of those looked at (two a second), which is neither black nor a flash.
fn still(video: &Video) -> String {
    let (width, height) = fitted(video.shown());
    let deinterlace = if video.interlaced { "bwdif," } else { "" };
    let scale = match video.hdr {
        Some(transfer) => tonemap(transfer, width, height),
        None => format!("scale={width}:{height}"),
    };
    let few = "select='isnan(prev_selected_t)+gte(t-prev_selected_t,0.5)'";
    let pick = format!("[0:{}]{deinterlace}{few},{scale},setsar=1,thumbnail=16", video.index);
    if (width, height) == (WIDTH, HEIGHT) {
        return format!("{pick},{SIZES}");
    }
    let around =
        format!("scale={WIDTH}:{HEIGHT}:force_original_aspect_ratio=increase,crop={WIDTH}:{HEIGHT},boxblur=24:2");
    format!("{pick},split[a][b];[a]{around}[c];[c][b]overlay=(W-w)/2:(H-h)/2,{SIZES}")
}

/// The largest even size of this shape inside the poster; the poster's own when the shapes hardly differ.
fn fitted((width, height): (u32, u32)) -> (u32, u32) {
    let (wide, high) = (u64::from(width) * u64::from(HEIGHT), u64::from(height) * u64::from(WIDTH));
    if wide.abs_diff(high) * 50 <= wide.max(high) {
        return (WIDTH, HEIGHT);
    }
    let even = |length: u64| u32::try_from(length & !1).unwrap_or(WIDTH).max(2);
    if wide > high {
        (WIDTH, even(u64::from(height) * u64::from(WIDTH) / u64::from(width)))
    } else {
        (even(u64::from(width) * u64::from(HEIGHT) / u64::from(height)), HEIGHT)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_widescreen_picture_fills_the_poster_and_an_upright_one_stands_in_it() {
        assert_eq!(fitted((1920, 1080)), (1280, 720));
        assert_eq!(fitted((1366, 768)), (1280, 720));
        assert_eq!(fitted((1080, 1920)), (404, 720));
        assert_eq!(fitted((640, 480)), (960, 720));
        assert_eq!(fitted((2390, 1000)), (1280, 534));
    }

    proptest! {
        #[test]
        fn a_fitted_picture_is_even_and_inside(width in 1u32..100_000, height in 1u32..100_000) {
            let (w, h) = fitted((width, height));
            prop_assert!(w >= 2 && h >= 2 && w <= WIDTH && h <= HEIGHT && w % 2 == 0 && h % 2 == 0);
        }
    }
}
