//! Files made to reach something other than themselves, or to cost more than they should.

use std::net::TcpListener;
use std::path::Path;

use media::encode::copy;
use media::probe;
use media::refusal::Refusal;

use crate::clips::{Desk, H264, picture};
use crate::runs::{encode, examine, run};

#[test]
fn a_playlist_is_refused_and_nothing_it_names_is_opened() {
    let desk = Desk::new();
    let server = TcpListener::bind("127.0.0.1:0").expect("a free port");
    server.set_nonblocking(true).expect("a listener");
    let address = server.local_addr().expect("an address");
    desk.clip("secret.mp4", &format!("{} {H264}", picture("160x90", "25", 1)));
    let playlists = [
        format!("#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\nhttp://{address}/x.ts\n#EXT-X-ENDLIST\n"),
        "#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\nsecret.mp4\n#EXT-X-ENDLIST\n".into(),
        "#EXTM3U\n#EXTINF:10,\nconcat:secret.mp4|secret.mp4\n".into(),
        "ffconcat version 1.0\nfile secret.mp4\n".into(),
        format!("ffconcat version 1.0\nfile 'http://{address}/x.mp4'\n"),
        format!("<?xml version=\"1.0\"?><MPD><BaseURL>http://{address}/</BaseURL></MPD>"),
    ];
    for text in playlists {
        for name in ["list.mp4", "list.m3u8", "list"] {
            assert_eq!(examine(&desk.file(name, &text)), Err(Refusal::Playlist), "{name}: {text}");
        }
    }
    assert!(server.accept().is_err(), "somebody was called");
}

#[test]
fn a_playlist_behind_a_line_of_blanks_is_not_followed_either() {
    let desk = Desk::new();
    let text = "\n\n#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\n/etc/passwd\n#EXT-X-ENDLIST\n";
    assert!(examine(&desk.file("list.mp4", text)).is_err());
    let smuggled = [&b"\0\0\0\x10ftypisom\0\0\0\0"[..], text.as_bytes()].concat();
    assert!(examine(&desk.file("smuggled.mp4", smuggled)).is_err());
}

#[test]
fn a_container_that_can_name_files_is_refused() {
    let desk = Desk::new();
    let path = desk.clip("clip.avi", &format!("{} -c:v mpeg4", picture("160x90", "25", 1)));
    assert_eq!(examine(&path), Err(Refusal::Container("avi".into())));
    let disguised = desk.file("clip.mp4", std::fs::read(&path).expect("a clip"));
    assert_eq!(examine(&disguised), Err(Refusal::Container("avi".into())));
}

#[test]
fn a_huge_frame_is_refused_before_memory_is_taken_for_it() {
    let desk = Desk::new();
    let drawn = "-f lavfi -i color=s=8192x4096:r=1:d=1 -frames:v 1";
    for (name, codec) in [("huge.mp4", H264), ("huge.mkv", "-c:v mjpeg -pix_fmt yuvj420p")] {
        let path = desk.clip(name, &format!("{drawn} {codec}"));
        assert_eq!(examine(&path), Err(Refusal::FrameTooLarge { width: 8192, height: 4096 }), "{name}");
        let stderr = run(&probe::command(&path), &desk.path("")).stderr;
        let stopped = String::from_utf8_lossy(&stderr).contains("exceeds specified max pixel count");
        assert!(stopped, "the decoder of {name} went on");
    }
}

#[test]
fn a_frame_that_claims_to_be_100_000_wide_is_refused() {
    let desk = Desk::new();
    let path = desk.clip("clip.mkv", &format!("{} -c:v mjpeg -pix_fmt yuvj420p", picture("160x90", "25", 1)));
    let mut bytes = std::fs::read(&path).expect("a clip");
    // The start of frame holds height and width; 0xffff is the most a JPEG can claim.
    let mut changed = 0;
    for at in 0..bytes.len() - 9 {
        if bytes[at..at + 5] == [0xff, 0xc0, 0x00, 0x11, 0x08] {
            bytes[at + 5..at + 9].fill(0xff);
            changed += 1;
        }
    }
    assert!(changed > 0);
    let refusal = examine(&desk.file("claim", bytes)).expect_err("too large");
    assert_eq!(refusal, Refusal::FrameTooLarge { width: 65_535, height: 65_535 });
}

#[test]
fn a_time_stamp_an_hour_ahead_does_not_make_an_hour_of_frames() {
    let desk = Desk::new();
    let jump = "-vf setpts='if(gte(N,20),PTS+3600/TB,PTS)' -vsync vfr";
    let path = desk.clip("jump.mkv", &format!("{} {jump} {H264}", picture("160x90", "25", 1)));
    assert!(matches!(examine(&path), Err(Refusal::TooLong { duration_ms }) if duration_ms > 3_600_000));
}

#[test]
fn a_file_whose_name_is_an_option_or_an_address_is_only_a_file() {
    let desk = Desk::new();
    let clip = desk.clip("clip.mp4", &format!("{} {H264}", picture("160x90", "25", 1)));
    for (number, name) in ["-version", "concat:clip.mp4", "%05d", "a b'c\"d;e", "http:"].into_iter().enumerate() {
        std::fs::copy(&clip, desk.path(name)).expect("a copy");
        let path = desk.path(name);
        let source = examine(&path).unwrap_or_else(|refusal| panic!("{name}: {refusal}"));
        let relative = run(&probe::command(Path::new(name)), &desk.path(""));
        assert!(probe::read(b"\0\0\0\x20ftyp", &relative.stdout, "").is_ok(), "{name} in its own folder");
        let version = encode(&desk, &format!("quick{number}"), &copy(&source, &path), source.duration_ms);
        assert_eq!(version.frames(&version.renditions[0]).len(), 25, "{name}");
    }
}

#[test]
fn a_damaged_stream_ends_in_a_version_or_an_error_but_ends() {
    let desk = Desk::new();
    let path = desk.clip("clip.mp4", &format!("{} {H264}", picture("320x180", "25", 2)));
    let whole = std::fs::read(&path).expect("a clip");
    for step in [97, 1009, 5003] {
        let mut bytes = whole.clone();
        bytes.iter_mut().skip(64).step_by(step).for_each(|byte| *byte ^= 0x5a);
        let path = desk.file("damaged", bytes);
        if let Ok(source) = examine(&path) {
            assert!(source.duration_ms <= 601_000);
        }
    }
}
