//! As much of the ISO base media format as describes a rendition: what an initialisation segment holds.
//! Nothing here trusts a length, and nothing is written.

/// A rendition's stream, as its initialisation segment describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stream {
    /// H.264.
    Picture {
        /// For CODECS, such as `avc1.64001f`.
        codec: String,
        /// Pixels.
        width: u16,
        /// Pixels.
        height: u16,
    },
    /// MPEG-4 audio.
    Sound {
        /// For CODECS, such as `mp4a.40.2`.
        codec: String,
        /// Number of channels.
        channels: u16,
    },
}

/// Describes the first track of an initialisation segment; `None` when it has none that is H.264 or MPEG-4 audio.
#[must_use]
pub fn describe(init: &[u8]) -> Option<Stream> {
    let table = find(init, &[b"moov", b"trak", b"mdia", b"minf", b"stbl", b"stsd"])?;
    let (kind, entry) = children(table.get(8..)?).next()?;
    match &kind {
        b"avc1" => picture(entry),
        b"mp4a" => sound(entry),
        _ => None,
    }
}

/// The body of the first box reached by this path of types.
#[must_use]
pub fn find<'a>(bytes: &'a [u8], path: &[&[u8; 4]]) -> Option<&'a [u8]> {
    let Some((first, rest)) = path.split_first() else {
        return Some(bytes);
    };
    let (_, body) = children(bytes).find(|(kind, _)| kind == *first)?;
    find(body, rest)
}

/// The boxes that follow each other in `bytes`, with their bodies; it ends where a length does not fit.
pub fn children(bytes: &[u8]) -> impl Iterator<Item = ([u8; 4], &[u8])> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        let kind: [u8; 4] = rest.get(4..8)?.try_into().ok()?;
        let (header, length) = match u32_at(rest, 0)? {
            0 => (8, rest.len()),
            1 => (16, usize::try_from(u64_at(rest, 8)?).ok()?),
            length => (8, length as usize),
        };
        let body = rest.get(header..length)?;
        rest = &rest[length..];
        Some((kind, body))
    })
}

/// Bytes of a visual sample entry before its boxes.
const VISUAL_BYTES: usize = 78;

/// Bytes of an audio sample entry before its boxes.
const AUDIBLE_BYTES: usize = 28;

fn picture(entry: &[u8]) -> Option<Stream> {
    let (width, height) = (u16_at(entry, 24)?, u16_at(entry, 26)?);
    let config = find(entry.get(VISUAL_BYTES..)?, &[b"avcC"])?;
    let [_, profile, constraints, level] = *config.first_chunk::<4>()?;
    Some(Stream::Picture { codec: format!("avc1.{profile:02x}{constraints:02x}{level:02x}"), width, height })
}

fn sound(entry: &[u8]) -> Option<Stream> {
    let channels = u16_at(entry, 16)?;
    let descriptors = find(entry.get(AUDIBLE_BYTES..)?, &[b"esds"])?.get(4..)?;
    let stream = descriptor(descriptors, 3)?;
    let flags = *stream.get(2)?;
    let mut config = 3;
    config += if flags & 0x80 == 0 { 0 } else { 2 };
    config += if flags & 0x40 == 0 { 0 } else { 1 + usize::from(*stream.get(config)?) };
    config += if flags & 0x20 == 0 { 0 } else { 2 };
    let decoder = descriptor(stream.get(config..)?, 4)?;
    let kind = *decoder.first()?;
    let specific = descriptor(decoder.get(13..)?, 5)?;
    let bits = u16::from_be_bytes(*specific.first_chunk::<2>()?);
    let object = match bits >> 11 {
        31 => 32 + ((bits >> 5) & 0x3f),
        object => object,
    };
    Some(Stream::Sound { codec: format!("mp4a.{kind:02x}.{object}"), channels })
}

/// The body of an MPEG-4 descriptor, when `bytes` begins with one of this tag; lengths have seven bits in each byte.
fn descriptor(bytes: &[u8], tag: u8) -> Option<&[u8]> {
    let (first, mut rest) = bytes.split_first()?;
    if *first != tag {
        return None;
    }
    let mut length = 0;
    for _ in 0..4 {
        let (byte, after) = rest.split_first()?;
        rest = after;
        length = length << 7 | usize::from(byte & 0x7f);
        if byte & 0x80 == 0 {
            return rest.get(..length);
        }
    }
    None
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(*bytes.get(at..)?.first_chunk()?))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(*bytes.get(at..)?.first_chunk()?))
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_be_bytes(*bytes.get(at..)?.first_chunk()?))
}

#[cfg(test)]
pub(crate) mod samples {
    //! Initialisation segments to start a test from.

    pub(crate) fn boxed(kind: &[u8; 4], body: &[u8]) -> Vec<u8> {
        let length = u32::try_from(body.len() + 8).expect("a small box");
        [&length.to_be_bytes(), kind.as_slice(), body].concat()
    }

    fn init(entry: &[u8]) -> Vec<u8> {
        let table = boxed(b"stsd", &[&[0, 0, 0, 0, 0, 0, 0, 1], entry].concat());
        let path = [b"stbl", b"minf", b"mdia", b"trak", b"moov"];
        let moov = path.into_iter().fold(table, |inner, kind| boxed(kind, &inner));
        [boxed(b"ftyp", b"iso5"), moov].concat()
    }

    pub(crate) fn picture(width: u16, height: u16) -> Vec<u8> {
        let mut entry = vec![0; super::VISUAL_BYTES];
        entry[24..26].copy_from_slice(&width.to_be_bytes());
        entry[26..28].copy_from_slice(&height.to_be_bytes());
        entry.extend(boxed(b"avcC", &[1, 0x64, 0x00, 0x1f, 0xff]));
        init(&boxed(b"avc1", &entry))
    }

    pub(crate) fn sound() -> Vec<u8> {
        let mut entry = vec![0; super::AUDIBLE_BYTES];
        entry[17] = 2;
        let specific = [5, 0x80, 0x80, 0x80, 2, 0x11, 0x90];
        let decoder = [&[4, 13 + 7, 0x40][..], &[0; 12], &specific].concat();
        let stream = [&[3, 0x80, 0x80, 0x80, 3 + 22, 0, 1, 0][..], &decoder].concat();
        entry.extend(boxed(b"esds", &[&[0; 4][..], &stream].concat()));
        init(&boxed(b"mp4a", &entry))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_picture_is_described() {
        let expected = Stream::Picture { codec: "avc1.64001f".into(), width: 854, height: 480 };
        assert_eq!(describe(&samples::picture(854, 480)), Some(expected));
    }

    #[test]
    fn a_sound_is_described() {
        let expected = Stream::Sound { codec: "mp4a.40.2".into(), channels: 2 };
        assert_eq!(describe(&samples::sound()), Some(expected));
    }

    #[test]
    fn a_cut_off_segment_describes_nothing() {
        for whole in [samples::picture(854, 480), samples::sound()] {
            for length in 0..whole.len() {
                assert_eq!(describe(&whole[..length]), None, "{length} bytes");
            }
        }
    }

    #[test]
    fn a_box_shorter_than_its_header_ends_the_list() {
        let bytes = [&[0, 0, 0, 7][..], b"free", &[0; 8]].concat();
        assert_eq!(children(&bytes).count(), 0);
    }

    proptest! {
        #[test]
        fn any_bytes_are_described_or_not(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = describe(&bytes);
        }

        #[test]
        fn any_change_of_a_byte_is_survived(at in 0usize..300, to in any::<u8>()) {
            for mut whole in [samples::picture(854, 480), samples::sound()] {
                let at = at % whole.len();
                whole[at] = to;
                let _ = describe(&whole);
            }
        }
    }
}
