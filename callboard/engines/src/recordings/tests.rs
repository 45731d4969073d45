//! What is kept is bounded in size and age, and is gone when its person is.

use super::*;
use crate::clock::ManualClock;
use callboard::invocation::Message;
use callboard::{Id, Kind, Principal, Tenant, Uri};
use serde_json::{Value, json};
use std::os::unix::fs::PermissionsExt;

const NOW_MS: i64 = 1_767_225_600_000;

fn recording(number: u64, person: &str, started_ms: i64) -> Recording {
    let message = Message {
        id: Id::from_u128(u128::from(number)),
        source: "http".into(),
        kind: Kind::Get,
        uri: Uri::parse("/series").expect("a URI"),
        time_ms: started_ms,
        tenant: Tenant::new("demo"),
        principal: Principal::person(person, &["viewer"]),
        correlation: Id::nil(),
        causation: None,
        attempt: 1,
        hops: 0,
        meta: Vec::new(),
        media_type: String::new(),
        data: json!("x".repeat(500)),
    };
    Recording {
        span: format!("{number:016x}"),
        why: "fault".into(),
        target: "catalogue get /series".into(),
        service: "catalogue".into(),
        started_ms,
        invocation: Value::Null,
        message,
        read: Vec::new(),
        reply: json!({}),
        redacted: 0,
        is_cut: false,
    }
}

struct Desk {
    folder: tempfile::TempDir,
    clock: Arc<ManualClock>,
    limits: Limits,
}

impl Desk {
    fn new() -> Self {
        let limits = Limits { segment_bytes: 4_000, total_bytes: 16_000, ..Limits::default() };
        Self { folder: tempfile::tempdir().expect("a folder"), clock: Arc::new(ManualClock::new(NOW_MS)), limits }
    }

    fn open(&self) -> FileRecordings {
        FileRecordings::open(self.folder.path(), self.limits, self.clock.clone()).expect("a folder of recordings")
    }

    fn text(&self) -> String {
        let files = std::fs::read_dir(self.folder.path()).expect("a folder");
        files.map(|file| std::fs::read_to_string(file.expect("a file").path()).expect("text")).collect()
    }
}

async fn spans(recordings: &FileRecordings) -> Vec<String> {
    recordings.list(1_000).await.expect("a list").into_iter().map(|one| one.span).collect()
}

#[tokio::test]
async fn a_recording_is_found_by_span_and_message_also_after_a_restart() {
    let desk = Desk::new();
    let recordings = desk.open();
    recordings.keep(recording(7, "ada", NOW_MS));
    let found = recordings.find("0000000000000007").await.expect("an answer");
    assert_eq!(found, Some(recording(7, "ada", NOW_MS)));
    drop(recordings);
    let again = desk.open();
    let by_message = again.find(&Id::from_u128(7).to_string()).await.expect("an answer");
    assert_eq!(by_message.map(|one| one.span).as_deref(), Some("0000000000000007"));
    assert_eq!(again.find("ffffffffffffffff").await.expect("an answer"), None);
    for file in std::fs::read_dir(desk.folder.path()).expect("a folder") {
        let mode = file.expect("a file").metadata().expect("its mode").permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "only the owner of the process reads it");
    }
}

#[tokio::test]
async fn what_a_crash_cut_off_is_skipped_and_erased() {
    let desk = Desk::new();
    let recordings = desk.open();
    recordings.keep(recording(1, "ada", NOW_MS));
    recordings.list(1).await.expect("a list");
    drop(recordings);
    let file = desk.folder.path().join("00000001.jsonl");
    let mut bytes = std::fs::read(&file).expect("a segment");
    bytes.extend_from_slice(b"\xff{\"span\":\"2\",\"by\":\"eve\",\"message\":{");
    std::fs::write(&file, bytes).expect("cut off");
    let again = desk.open();
    again.keep(recording(3, "ada", NOW_MS));
    assert_eq!(spans(&again).await, [format!("{:016x}", 3), format!("{:016x}", 1)]);
    assert_eq!(again.erase("eve").await.expect("erased"), 1);
    assert!(!desk.text().contains("eve"));
    assert_eq!(spans(&again).await.len(), 2);
}

#[tokio::test]
async fn the_files_do_not_grow_and_lose_the_oldest_first() {
    let desk = Desk::new();
    let recordings = desk.open();
    for number in 0..100 {
        // A bounded queue takes so many at once; asking waits until all before are written.
        recordings.keep(recording(number, "ada", NOW_MS));
        recordings.list(1).await.expect("a list");
    }
    let kept = spans(&recordings).await;
    assert!(desk.text().len() <= 16_000 + 4_000, "{} bytes", desk.text().len());
    assert_eq!(kept[0], format!("{:016x}", 99));
    assert!(kept.len() > 10 && kept.len() < 40, "{}", kept.len());
    assert_eq!(recordings.dropped(), 0);
}

#[tokio::test]
async fn nothing_is_older_than_seven_days() {
    let desk = Desk::new();
    let day_ms = 86_400_000;
    let recordings = desk.open();
    for day in 0..9 {
        desk.clock.set(NOW_MS + day * day_ms);
        recordings.keep(recording(u64::try_from(day).expect("a day"), "ada", NOW_MS + day * day_ms));
        recordings.list(1).await.expect("a list");
    }
    let kept = spans(&recordings).await;
    assert_eq!(kept.last().map(String::as_str), Some("0000000000000001"), "that of seven days ago is the oldest");
    assert!(!desk.text().contains("\"0000000000000000\""));
    drop(recordings);
    desk.clock.advance(30 * day_ms);
    assert!(spans(&desk.open()).await.is_empty());
    assert_eq!(desk.text(), "", "no file is left");
}

#[tokio::test]
async fn whatever_mentions_a_person_is_erased_with_them_and_nothing_else() {
    let desk = Desk::new();
    let recordings = desk.open();
    for number in 0..12 {
        let mut one = recording(number, if number % 2 == 0 { "p-ada" } else { "p-adam" }, NOW_MS);
        if number == 5 {
            one.reply = json!({"body": {"json": [{"by": "p-ada"}]}});
        }
        recordings.keep(one);
    }
    assert_eq!(recordings.erase("p-ada").await.expect("erased"), 7);
    let text = desk.text();
    assert!(!text.contains("p-ada\"") && text.contains("p-adam"), "{text}");
    assert_eq!(spans(&recordings).await.len(), 5);
    recordings.keep(recording(99, "p-adam", NOW_MS));
    assert_eq!(spans(&recordings).await[0], format!("{:016x}", 99), "it goes on in the file that was rewritten");
    recordings.keep(recording(100, "p-ada", NOW_MS));
    assert_eq!(recordings.erase("p-ada").await.expect("erased"), 0, "what was still under way is not kept");
}
