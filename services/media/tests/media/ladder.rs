//! All renditions: sizes, alignment, rates, rotation, light and sound, on clips of every awkward kind.

use media::encode::ladder;
use media::plan::Ladder;
use media::poster;

use crate::clips::{AAC, Desk, H264, picture, sound};
use crate::runs::{Version, encode, examine, run};

/// Draws a clip, and makes every rendition of it.
fn full(desk: &Desk, name: &str, words: &str) -> Version {
    let path = desk.clip(name, words);
    let source = examine(&path).expect("a video");
    let version = encode(desk, &format!("full {name}"), &ladder(&Ladder::of(&source), &path), source.duration_ms);
    version.check_continuity();
    version.check_alignment();
    version
}

fn sizes(version: &Version) -> Vec<String> {
    let size = |it| version.stream(it, "width,height,sample_aspect_ratio");
    version.pictures().map(size).collect()
}

fn lengths(version: &Version) -> Vec<u64> {
    version.renditions[0].playlist.segments.iter().map(|it| it.duration_us).collect()
}

#[test]
fn an_ordinary_upload_becomes_three_rungs_and_a_sound() {
    let desk = Desk::new();
    let path = desk.ordinary();
    let source = examine(&path).expect("a video");
    let version = encode(&desk, "full", &ladder(&Ladder::of(&source), &path), source.duration_ms);
    version.check_continuity();
    version.check_alignment();
    assert_eq!(sizes(&version), ["640,360,1:1", "854,480,1:1", "1280,720,1:1"]);
    assert_eq!(lengths(&version), [4_000_000, 4_000_000, 2_000_000]);
    let times = version.times_us(&version.renditions[0]);
    assert_eq!(times, [(10_000_000, 14_000_000), (14_000_000, 18_000_000), (18_000_000, 20_000_000)]);
    let master = version.master(true);
    assert!(master.independent_segments);
    let limits = [800_000, 1_400_000, 2_800_000];
    for (level, limit) in master.variants.iter().zip(limits) {
        let codecs = level.codecs.as_deref().expect("codecs");
        assert!(codecs.starts_with("avc1.6400") && codecs.ends_with(",mp4a.40.2"), "{codecs}");
        assert_eq!((level.audio.as_deref(), level.frame_rate), (Some("audio"), Some(30.0)));
        let average = level.average_bandwidth.expect("an average");
        assert!(average <= level.bandwidth && average < limit + 160_000, "{average} of {limit}");
    }
    let ends: Vec<u64> = version.renditions.iter().map(|it| it.playlist.duration_us()).collect();
    assert!(ends.iter().all(|it| it.abs_diff(10_000_000) < 50_000), "{ends:?}");
}

#[test]
fn every_frame_rate_is_cut_evenly() {
    let desk = Desk::new();
    let cases = [
        ("25", 4_000_000, 225),
        ("30000/1001", 4_004_000, 270),
        ("24000/1001", 4_004_000, 216),
        ("60", 4_000_000, 540),
        ("120", 4_000_000, 540),
        ("15", 4_004_000, 216),
    ];
    for (number, (rate, length, frames)) in cases.into_iter().enumerate() {
        let version = full(&desk, &format!("{number}.mp4"), &format!("{} {H264}", picture("160x90", rate, 9)));
        assert_eq!(lengths(&version)[..2], [length, length], "{rate}");
        let made = version.frames(&version.renditions[0]).len();
        assert!(made.abs_diff(frames) <= 1, "{made} frames at {rate}");
    }
}

#[test]
fn a_varying_frame_rate_becomes_even() {
    let desk = Desk::new();
    let drop = "-vf select='not(between(mod(n,20),5,11))' -vsync vfr";
    let words = format!("{} {} {drop} {H264} {AAC}", picture("320x180", "30", 9), sound(9));
    let path = desk.clip("source.mp4", &words);
    let video = examine(&path).expect("a video").video.expect("a picture");
    assert!(video.variable_rate);
    let version = full(&desk, "varying.mp4", &words);
    let frames = version.frames(&version.renditions[0]);
    let first = frames[1].0 - frames[0].0;
    assert!(frames.windows(2).all(|pair| (pair[1].0 - pair[0].0 - first).abs() < 0.002), "{frames:?}");
}

#[test]
fn a_silent_clip_has_no_sound_group() {
    let desk = Desk::new();
    let version = full(&desk, "silent.mp4", &format!("{} {H264}", picture("640x360", "30", 3)));
    assert_eq!(sizes(&version), ["640,360,1:1"]);
    let master = version.master(true);
    assert!(master.alternatives.is_empty() && master.variants[0].audio.is_none());
}

#[test]
fn a_clip_filmed_upright_stands_upright() {
    let desk = Desk::new();
    // Red to the left of blue; a quarter turn puts one above the other.
    let halves = "-f lavfi -i color=red:s=360x360:d=2 -f lavfi -i color=blue:s=360x360:d=2 -filter_complex hstack";
    desk.clip("lying.mp4", &format!("{halves} {H264}"));
    let version = full(&desk, "upright.mp4", "-i lying.mp4 -c copy -metadata:s:v rotate=90");
    assert_eq!(sizes(&version), ["360,720,1:1"]);
    let shown = std::process::Command::new("ffmpeg")
        .args(["-v", "error", "-i", "index.m3u8", "-frames:v", "1", "-vf", "scale=1:2:flags=area", "-f", "rawvideo"])
        .args(["-pix_fmt", "rgb24", "-"])
        .current_dir(version.folder.join("v360"))
        .output()
        .expect("ffmpeg must be installed");
    let pixels = shown.stdout;
    assert_eq!(pixels.len(), 6);
    assert_ne!(pixels[0] > 128, pixels[3] > 128, "one half is red: {pixels:?}");
    assert_ne!(pixels[2] > 128, pixels[5] > 128, "the other is blue: {pixels:?}");
}

#[test]
fn odd_narrow_and_tiny_pictures_keep_their_shape() {
    let desk = Desk::new();
    let cases =
        [("639x359", "638,358,1:1"), ("1001x101", "1000,100,1:1"), ("17x33", "16,32,1:1"), ("360x640", "360,640,1:1")];
    for (size, encoded) in cases {
        let words = format!("{} -c:v libx264 -preset ultrafast -pix_fmt yuv444p", picture(size, "25", 1));
        let version = full(&desk, &format!("{size}.mp4"), &words);
        assert_eq!(sizes(&version), [encoded], "{size}");
    }
}

#[test]
fn broadcast_pictures_become_whole_frames_with_square_pixels() {
    let desk = Desk::new();
    let lines = "-vf tinterlace=interleave_top,setsar=64/45,setfield=tff -flags +ilme+ildct -c:v mpeg2video -b:v 6M";
    let words = format!("{} {lines}", picture("720x576", "50", 3));
    let video = examine(&desk.clip("source.ts", &words)).expect("a video").video.expect("a picture");
    assert_eq!((video.interlaced, video.shown()), (true, (1024, 576)));
    let version = full(&desk, "broadcast.ts", &words);
    assert_eq!(sizes(&version), ["640,360,1:1", "854,480,1:1"]);
    assert_eq!(version.stream(&version.renditions[0], "avg_frame_rate"), "25/1");
}

#[test]
fn high_dynamic_range_is_mapped_to_ordinary_screens() {
    let desk = Desk::new();
    for transfer in ["smpte2084", "arib-std-b67"] {
        let tags = format!("-color_primaries bt2020 -color_trc {transfer} -colorspace bt2020nc");
        let words =
            format!("{} -c:v libx264 -preset ultrafast -pix_fmt yuv420p10le {tags}", picture("320x180", "25", 1));
        let version = full(&desk, &format!("{transfer}.mp4"), &words);
        let picture = &version.renditions[0];
        assert_eq!(version.stream(picture, "pix_fmt,color_transfer"), "yuv420p,bt709", "{transfer}");
    }
}

#[test]
fn sound_that_begins_late_stays_beside_its_picture() {
    let desk = Desk::new();
    let words = format!("{} -itsoffset 1.5 {} {H264} {AAC}", picture("320x180", "25", 5), sound(3));
    let version = full(&desk, "late.mkv", &words);
    let ends: Vec<u64> = version.renditions.iter().map(|it| it.playlist.duration_us()).collect();
    assert!(ends[1].abs_diff(4_500_000) < 50_000, "a second and a half of silence, then three of sound: {ends:?}");
}

#[test]
fn five_channels_become_two() {
    let desk = Desk::new();
    let words = format!("{} {} {H264} -c:a ac3 -ac 6", picture("160x90", "25", 2), sound(2));
    let version = full(&desk, "cinema.mkv", &words);
    assert_eq!(version.stream(&version.renditions[1], "codec_name,channels"), "aac,2");
}

#[test]
fn nothing_personal_is_passed_on() {
    let desk = Desk::new();
    let place = "-metadata location=+47.3769+008.5417/ -metadata title=Grandmother -movflags use_metadata_tags";
    let version = full(&desk, "home.mp4", &format!("{} {H264} {place}", picture("160x90", "25", 1)));
    let bytes: Vec<u8> = ["init.mp4", "00000.m4s"]
        .iter()
        .flat_map(|name| std::fs::read(version.folder.join("v90").join(name)).expect("a file"))
        .collect();
    for secret in ["+47.3769", "Grandmother"] {
        assert!(!bytes.windows(secret.len()).any(|it| it == secret.as_bytes()), "{secret} is published");
    }
}

#[test]
fn every_source_has_a_poster() {
    let desk = Desk::new();
    let clips = [
        ("wide.mp4", format!("{} {H264}", picture("640x360", "30", 3))),
        ("upright.mp4", format!("{} {H264}", picture("180x320", "30", 1))),
        ("still.mp4", format!("{} -frames:v 1 {H264}", picture("320x240", "30", 1))),
        ("sound.m4a", format!("{} {AAC}", sound(2))),
    ];
    for (name, words) in clips {
        let path = desk.clip(name, &words);
        let source = examine(&path).expect("a source");
        let output = run(&poster::command(&source, &path), path.parent().expect("a folder"));
        assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
        for (file, size) in [(poster::FILE, (1280, 720)), (poster::SMALL_FILE, (480, 270))] {
            let jpeg = std::fs::read(desk.path(file)).expect("a picture");
            assert_eq!(jpeg[..2], [0xff, 0xd8], "{file} of {name} is a JPEG");
            assert_eq!(jpeg_size(&jpeg), Some(size), "{file} of {name}");
            std::fs::remove_file(desk.path(file)).expect("the picture");
        }
    }
}

/// Width and height in a JPEG's frame header.
fn jpeg_size(jpeg: &[u8]) -> Option<(u16, u16)> {
    let frame = jpeg.windows(2).position(|it| it == [0xff, 0xc0])?;
    let number = |at: usize| u16::from_be_bytes([jpeg[frame + at], jpeg[frame + at + 1]]);
    Some((number(7), number(5)))
}
