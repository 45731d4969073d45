//! What an editor does: makes series and episodes, uploads by tus 1.0, and waits until a video is as far as wanted.

use crate::exchange::{Answer, Visitor};
use crate::news::News;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

/// The media type of a part.
const PART: (&str, &str) = ("content-type", "application/offset+octet-stream");
/// The version of the protocol.
const TUS: (&str, &str) = ("tus-resumable", "1.0.0");

impl Visitor {
    /// Makes a series; its id.
    pub(crate) fn make_series(&self, title: &str) -> String {
        id(&self.post("/api/series", &json!({"title": title, "access": "public", "active": true})).ok())
    }

    /// Makes an episode; its id.
    pub(crate) fn make_episode(&self, series: &str, title: &str, access: &str) -> String {
        let fields = json!({"title": title, "access": access, "active": true});
        id(&self.post(&format!("/api/series/{series}/episodes"), &fields).ok())
    }

    /// An episode of a series of its own.
    pub(crate) fn make_public_episode(&self) -> String {
        let series = self.make_series("Night ferry");
        self.make_episode(&series, "Cast off", "public")
    }

    /// Announces an upload.
    pub(crate) fn announce(&self, episode: &str, filename: &str, length: usize) -> Answer {
        let encode = |text: &str| STANDARD.encode(text);
        let metadata = format!("filename {},episode {}", encode(filename), encode(episode));
        let length = length.to_string();
        self.send("POST", "/api/uploads", &[TUS, ("upload-length", &length), ("upload-metadata", &metadata)], b"")
    }

    /// Begins an upload; its place in the API, such as `/uploads/{id}`.
    #[track_caller]
    pub(crate) fn begin(&self, episode: &str, filename: &str, length: usize) -> String {
        let answer = self.announce(episode, filename, length).ok();
        let place = answer.header("location").expect("an upload has a place");
        let at = place.find("/uploads/").unwrap_or_else(|| panic!("{place} is no upload"));
        place[at..].to_owned()
    }

    /// Sends bytes from an offset on.
    pub(crate) fn patch(&self, upload: &str, offset: usize, bytes: &[u8]) -> Answer {
        let offset = offset.to_string();
        self.send("PATCH", &format!("/api{upload}"), &[TUS, PART, ("upload-offset", &offset)], bytes)
    }

    /// Sends the beginning of what it announces, and the connection breaks.
    pub(crate) fn patch_in_part(&self, upload: &str, offset: usize, length: usize, beginning: &[u8]) {
        let offset = offset.to_string();
        let headers = [TUS, PART, ("upload-offset", offset.as_str())];
        self.break_off("PATCH", &format!("/api{upload}"), &headers, length, beginning);
    }

    /// How much of an upload has arrived.
    pub(crate) fn offset(&self, upload: &str) -> Result<usize, u16> {
        let answer = self.send("HEAD", &format!("/api{upload}"), &[TUS], b"");
        let offset = answer.header("upload-offset").and_then(|text| text.parse().ok());
        offset.ok_or(answer.status)
    }

    /// Ends an upload.
    pub(crate) fn end_upload(&self, upload: &str) -> Answer {
        self.send("DELETE", &format!("/api{upload}"), &[TUS], b"")
    }

    /// Uploads a whole file; the upload's place.
    #[track_caller]
    pub(crate) fn upload(&self, episode: &str, filename: &str, bytes: &[u8]) -> String {
        let upload = self.begin(episode, filename, bytes.len());
        let answer = self.patch(&upload, 0, bytes).ok();
        assert_eq!(answer.header("upload-offset"), Some(bytes.len().to_string().as_str()));
        upload
    }

    /// What an editor sees of an episode's video.
    pub(crate) fn asset(&self, episode: &str) -> Value {
        self.get(&format!("/api/episodes/{episode}/asset")).ok().json()
    }

    /// Waits until the video of an episode is `ready`, `failed` or whatever is wanted; what is seen of it then.
    #[track_caller]
    pub(crate) fn wait_for(&self, episode: &str, wanted: &str) -> Value {
        let mut news = News::of(self, &format!("/episodes/{episode}"));
        loop {
            let asset = self.asset(episode);
            match asset["state"].as_str() {
                Some(state) if state == wanted => return asset,
                Some("failed" | "ready") => panic!("it is not {wanted}: {asset:#}"),
                _ => drop(news.next()),
            }
        }
    }

    /// Where an episode plays from, for whoever asks.
    pub(crate) fn playback(&self, episode: &str) -> Answer {
        self.post(&format!("/api/episodes/{episode}/playback"), &json!({}))
    }

    /// Reads a playlist and every playlist and file it names; how many levels it has.
    #[track_caller]
    pub(crate) fn read_all_media(&self, src: &str) -> usize {
        let master = self.get(src).ok().text();
        let levels = master.lines().filter(|line| line.starts_with("#EXT-X-STREAM-INF")).count();
        for playlist in named(&master) {
            let playlist = beside(src, &playlist);
            let text = self.get(&playlist).ok().text();
            assert!(text.contains("#EXT-X-ENDLIST"), "{playlist} has an end: {text}");
            for file in named(&text) {
                assert!(!self.get(&beside(&playlist, &file)).ok().body.is_empty(), "{file} has bytes");
            }
        }
        levels
    }
}

/// The addresses in a playlist: lines that are no comments, and `URI="…"` of those that are.
pub(crate) fn named(playlist: &str) -> Vec<String> {
    let quoted = |line: &str| line.split_once("URI=\"")?.1.split('"').next().map(str::to_owned);
    let address = |line: &str| if line.starts_with('#') { quoted(line) } else { Some(line.trim().to_owned()) };
    playlist.lines().filter_map(address).filter(|address| !address.is_empty()).collect()
}

/// An address relative to another.
pub(crate) fn beside(base: &str, relative: &str) -> String {
    let folder = base.rsplit_once('/').expect("an address has a slash").0;
    format!("{folder}/{relative}")
}

#[track_caller]
pub(crate) fn id(answer: &Answer) -> String {
    answer.json()["id"].as_str().unwrap_or_else(|| panic!("no id in {}", answer.text())).to_owned()
}
