//! Reading the media playlist that ffmpeg wrote for one rendition. Only what ffmpeg writes is understood, and a name
//! that leaves the rendition's folder is an error: these names become keys of blobs.

/// A rendition's segments in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Playlist {
    /// Name of the initialisation segment.
    pub init: String,
    /// What `EXT-X-TARGETDURATION` says.
    pub target_s: u64,
    /// At least one.
    pub segments: Vec<Segment>,
}

/// One file of a rendition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segment {
    /// Its name in the rendition's folder.
    pub name: String,
    /// How long it plays.
    pub duration_us: u64,
}

/// What is wrong with a playlist; a bug or an interrupted process, never the producer's doing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Malformed(pub &'static str);

impl std::fmt::Display for Malformed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "the rendition is unusable, encode it again: {}", self.0)
    }
}

impl std::error::Error for Malformed {}

impl Playlist {
    /// Reads a finished playlist.
    ///
    /// # Errors
    /// When it has no end, no segment or no initialisation segment, or a line is not as ffmpeg writes it.
    pub fn parse(text: &str) -> Result<Self, Malformed> {
        let mut lines = text.lines();
        if lines.next() != Some("#EXTM3U") {
            return Err(Malformed("its playlist does not begin with #EXTM3U"));
        }
        let (mut init, mut target_s, mut duration_us, mut ended) = (None, None, None, false);
        let mut segments = Vec::new();
        for line in lines.filter(|line| !line.is_empty()) {
            if let Some(duration) = line.strip_prefix("#EXTINF:") {
                duration_us = Some(microseconds(duration.trim_end_matches(',')).ok_or(Malformed("a bad duration"))?);
            } else if let Some(target) = line.strip_prefix("#EXT-X-TARGETDURATION:") {
                target_s = Some(target.parse().map_err(|_| Malformed("a bad target duration"))?);
            } else if let Some(uri) = line.strip_prefix("#EXT-X-MAP:URI=\"") {
                init = Some(name(uri.trim_end_matches('"'))?);
            } else if line == "#EXT-X-ENDLIST" {
                ended = true;
            } else if !line.starts_with('#') {
                let duration_us = duration_us.take().ok_or(Malformed("a segment without a duration"))?;
                segments.push(Segment { name: name(line)?, duration_us });
            }
        }
        if !ended || segments.is_empty() {
            return Err(Malformed("its playlist is not complete"));
        }
        Ok(Self {
            init: init.ok_or(Malformed("no initialisation segment"))?,
            target_s: target_s.ok_or(Malformed("no target duration"))?,
            segments,
        })
    }

    /// Length of all segments together.
    #[must_use]
    pub fn duration_us(&self) -> u64 {
        self.segments.iter().map(|it| it.duration_us).sum()
    }
}

/// Microseconds of `4.004000`; `None` for nothing, negative numbers and more than a day.
fn microseconds(text: &str) -> Option<u64> {
    let seconds: f64 = text.parse().ok()?;
    (seconds > 0.0 && seconds < 86_400.0).then_some((seconds * 1e6).round() as u64)
}

fn name(text: &str) -> Result<String, Malformed> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'.' || byte == b'_';
    let usual = text.starts_with(|first: char| first.is_ascii_alphanumeric()) && text.bytes().all(plain);
    if usual && text.len() <= 64 { Ok(text.to_owned()) } else { Err(Malformed("a file name that is not plain")) }
}

#[cfg(test)]
pub(crate) mod samples {
    //! Playlists to start a test from.

    pub(crate) const WHOLE: &str = "#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-TARGETDURATION:4\n#EXT-X-MEDIA-SEQUENCE:0\n\
        #EXT-X-PLAYLIST-TYPE:VOD\n#EXT-X-MAP:URI=\"init.mp4\"\n#EXTINF:4.000000,\n00000.m4s\n#EXTINF:4.000000,\n\
        00001.m4s\n#EXTINF:2.000000,\n00002.m4s\n#EXT-X-ENDLIST\n";
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_finished_playlist_is_read() {
        let playlist = Playlist::parse(samples::WHOLE).expect("a playlist");
        assert_eq!((playlist.init.as_str(), playlist.target_s, playlist.duration_us()), ("init.mp4", 4, 10_000_000));
        let names: Vec<_> = playlist.segments.iter().map(|it| it.name.as_str()).collect();
        assert_eq!(names, ["00000.m4s", "00001.m4s", "00002.m4s"]);
    }

    #[test]
    fn an_interrupted_process_leaves_no_playable_rendition() {
        let cut = samples::WHOLE.replace("#EXT-X-ENDLIST\n", "");
        assert_eq!(Playlist::parse(&cut), Err(Malformed("its playlist is not complete")));
    }

    #[test]
    fn a_name_cannot_leave_the_folder() {
        for bad in ["../00001.m4s", "/etc/passwd", "http://x/y", ".hidden", "a\\b", "%2e%2e", "a\"b", ""] {
            let text = samples::WHOLE.replace("init.mp4", bad);
            assert!(Playlist::parse(&text).is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_a_playlist_or_malformed(text in "(#EXTM3U\n)?((#EXTINF:|#EXT-X-MAP:URI=\"|#EXT-X-TARGETDURATION:)?[ -~]{0,12}\n){0,9}") {
            if let Ok(playlist) = Playlist::parse(&text) {
                prop_assert!(playlist.duration_us() > 0);
            }
        }
    }
}
