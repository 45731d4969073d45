//! The first playable version: copied when that plays everywhere, otherwise the lowest rung.

use media::encode::{copy, ladder};
use media::plan::{Ladder, Quick, quick};

use crate::clips::{AAC, Desk, H264, picture, sound};
use crate::runs::{encode, examine};

#[test]
fn an_ordinary_upload_is_playable_as_it_is() {
    let desk = Desk::new();
    let path = desk.ordinary();
    let source = examine(&path).expect("a video");
    assert_eq!(quick(&source), Quick::Copy);
    let version = encode(&desk, "quick", &copy(&source, &path), source.duration_ms);
    version.check_continuity();
    let lengths: Vec<u64> = version.renditions[0].playlist.segments.iter().map(|it| it.duration_us).collect();
    assert_eq!(lengths, [8_333_333, 1_666_667], "cut where the encoder's keyframes are");
    let master = version.master(false);
    assert_eq!(master.variants[0].codecs.as_deref(), Some("avc1.42c01f,mp4a.40.2"));
    let shown = master.variants[0].resolution.expect("a size");
    assert_eq!((shown.width, shown.height), (1280, 720));
    assert_eq!(version.stream(&version.renditions[0], "codec_name,width,height"), "h264,1280,720");
    assert_eq!(version.frames(&version.renditions[0]).len(), 300);
}

#[test]
fn a_copy_holds_the_very_frames_of_the_upload() {
    let desk = Desk::new();
    let path = desk.clip("b.mp4", &format!("{} {H264} -preset veryfast -bf 3", picture("320x180", "25", 3)));
    let source = examine(&path).expect("a video");
    let version = encode(&desk, "quick", &copy(&source, &path), source.duration_ms);
    version.check_continuity();
    assert_eq!(version.times_us(&version.renditions[0]), [(10_000_000, 13_000_000)]);
}

#[test]
fn matroska_and_transport_streams_are_copied_too() {
    let desk = Desk::new();
    for name in ["clip.mkv", "clip.ts", "clip.mov"] {
        let path = desk.clip(name, &format!("{} {} {H264} -g 50 {AAC}", picture("320x180", "25", 5), sound(5)));
        let source = examine(&path).expect("a video");
        assert_eq!(quick(&source), Quick::Copy, "{name}");
        let version = encode(&desk, &format!("quick {name}"), &copy(&source, &path), source.duration_ms);
        version.check_continuity();
        assert_eq!(version.frames(&version.renditions[0]).len(), 125, "{name}");
        assert_eq!(version.master(false).alternatives.len(), 1, "{name}");
    }
}

#[test]
fn an_upload_in_another_codec_is_playable_at_its_lowest_rung() {
    let desk = Desk::new();
    let codecs = "-c:v libvpx -deadline realtime -cpu-used 8 -b:v 500k -c:a libopus -ac 2";
    let path = desk.clip("clip.webm", &format!("{} {} {codecs}", picture("854x480", "25", 5), sound(5)));
    let source = examine(&path).expect("a video");
    assert_eq!(quick(&source), Quick::Transcode { because: "the picture is not H.264".into() });
    let lowest = Ladder::of(&source).lowest();
    let version = encode(&desk, "quick", &ladder(&lowest, &path), source.duration_ms);
    version.check_continuity();
    version.check_alignment();
    assert_eq!(version.renditions.len(), 2);
    assert_eq!(version.stream(&version.renditions[0], "codec_name,width,height"), "h264,640,360");
    assert_eq!(version.stream(&version.renditions[1], "codec_name,sample_rate,channels"), "aac,48000,2");
}

#[test]
fn sound_alone_is_playable_copied_or_not() {
    let desk = Desk::new();
    let copied = desk.clip("sound.m4a", &format!("{} {AAC}", sound(9)));
    let source = examine(&copied).expect("sound");
    assert_eq!(quick(&source), Quick::Copy);
    let version = encode(&desk, "copied", &copy(&source, &copied), source.duration_ms);
    version.check_continuity();
    assert_eq!(version.renditions[0].playlist.segments.len(), 3);
    assert_eq!(version.master(false).variants[0].codecs.as_deref(), Some("mp4a.40.2"));

    let vorbis = desk.clip("sound.mka", &format!("{} -c:a libvorbis -ac 2", sound(3)));
    let source = examine(&vorbis).expect("sound");
    assert_eq!(quick(&source), Quick::Transcode { because: "the sound is not AAC-LC".into() });
    let version = encode(&desk, "encoded", &ladder(&Ladder::of(&source).lowest(), &vorbis), source.duration_ms);
    version.check_continuity();
    assert_eq!(version.stream(&version.renditions[0], "codec_name"), "aac");
}

#[test]
fn a_source_with_distant_keyframes_is_not_copied() {
    let desk = Desk::new();
    let path = desk.clip("clip.mp4", &format!("{} {H264} -g 1000", picture("160x90", "25", 12)));
    let source = examine(&path).expect("a video");
    assert_eq!(quick(&source), Quick::Transcode { because: "keyframes are more than 10 s apart".into() });
}

#[test]
fn a_clip_cut_on_a_telephone_is_not_copied_with_what_was_cut_away() {
    let desk = Desk::new();
    desk.clip("whole.mp4", &format!("{} {H264} -g 100", picture("160x90", "25", 6)));
    let path = desk.clip("cut.mp4", "-ss 1.5 -i whole.mp4 -c copy");
    let source = examine(&path).expect("a video");
    assert_eq!(quick(&source), Quick::Transcode { because: "its beginning is cut by an edit list".into() });
    let version = encode(&desk, "quick", &ladder(&Ladder::of(&source), &path), source.duration_ms);
    let frames = version.frames(&version.renditions[0]).len();
    assert!((111..=114).contains(&frames), "4.5 s at 25 frames a second, not {frames} frames");
}
