//! Files that are no video, or not a whole one, by mistake: each is refused with what to do about it.

use media::refusal::Refusal;

use crate::clips::{AAC, Desk, H264, picture, sound};
use crate::runs::examine;

#[test]
fn an_empty_file_is_refused() {
    let desk = Desk::new();
    assert_eq!(examine(&desk.file("empty.mp4", "")), Err(Refusal::Empty));
}

#[test]
fn a_text_named_like_a_video_is_refused() {
    let desk = Desk::new();
    assert_eq!(examine(&desk.file("notes.mp4", "Shopping: milk, bread\n")), Err(Refusal::NotAVideo));
    assert_eq!(examine(&desk.file("upload", "Shopping: milk, bread\n")), Err(Refusal::NotAVideo));
    assert_eq!(examine(&desk.file("page.mp4", "<!doctype html><title>404</title>")), Err(Refusal::NotAVideo));
}

#[test]
fn noise_is_refused() {
    let desk = Desk::new();
    let mut state = 1u32;
    let noise = std::iter::repeat_with(|| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    });
    let noise: Vec<u8> = noise.take(50_000).collect();
    assert_eq!(examine(&desk.file("noise", noise)), Err(Refusal::NotAVideo));
}

#[test]
fn a_picture_is_refused() {
    let desk = Desk::new();
    let path = desk.clip("photo.png", &format!("{} -frames:v 1", picture("320x180", "25", 1)));
    assert_eq!(examine(&path), Err(Refusal::NotAVideo));
}

#[test]
fn a_film_cut_off_while_copying_is_refused() {
    let desk = Desk::new();
    let words = format!("{} {} {H264} {AAC}", picture("320x180", "25", 6), sound(6));
    let index_last = desk.clip("index last.mp4", &words);
    let index_first = desk.clip("index first.mp4", &format!("{words} -movflags +faststart"));
    let matroska = desk.clip("film.mkv", &words);
    for path in [index_last, index_first, matroska] {
        let whole = std::fs::read(&path).expect("a clip");
        assert!(examine(&path).is_ok());
        for share in [1, 10, 50, 90, 99] {
            let cut = desk.file("cut", &whole[..whole.len() * share / 100]);
            let answer = examine(&cut);
            assert_eq!(answer, Err(Refusal::Truncated), "{share} % of {}", path.display());
        }
    }
}

#[test]
fn a_film_that_is_too_long_is_refused_with_its_length() {
    let desk = Desk::new();
    let path = desk.clip("long.mp4", &format!("{} {H264}", picture("32x32", "1", 660)));
    let refusal = examine(&path).expect_err("too long");
    assert_eq!(refusal, Refusal::TooLong { duration_ms: 660_000 });
    assert!(refusal.to_string().contains("11:00"));
}

#[test]
fn a_film_of_ten_minutes_is_accepted() {
    let desk = Desk::new();
    let path = desk.clip("ten.mp4", &format!("{} {H264}", picture("32x32", "1", 600)));
    assert_eq!(examine(&path).map(|it| it.duration_ms), Ok(600_000));
}

#[test]
fn a_file_with_neither_picture_nor_sound_is_refused() {
    let desk = Desk::new();
    desk.file("words.srt", "1\n00:00:00,000 --> 00:00:01,000\nhello\n\n");
    let path = desk.clip("words.mkv", "-i words.srt -c:s srt");
    assert_eq!(examine(&path), Err(Refusal::NothingToPlay));
}

#[test]
fn a_codec_nobody_knows_is_refused_by_name() {
    let desk = Desk::new();
    let path = desk.clip("clip.mp4", &format!("{} {H264}", picture("160x90", "25", 1)));
    let mut bytes = std::fs::read(&path).expect("a clip");
    let entry = bytes.windows(4).position(|it| it == b"avc1").expect("the brand");
    let entry = entry + 4 + bytes[entry + 4..].windows(4).position(|it| it == b"avc1").expect("the sample entry");
    bytes[entry..entry + 4].copy_from_slice(b"zzzz");
    assert_eq!(examine(&desk.file("clip", bytes)), Err(Refusal::Codec("zzzz".into())));
}
