//! A disk that is full: said in words, nothing acknowledged is lost, and with space again everything goes on. The data folder
//! is a small disk of its own, in a namespace that ends with the server.

use crate::channel::Channel;
use crate::exchange::Visitor;
use crate::footage;
use serde_json::json;
use std::fs::{self, File};
use std::io::Write;
use std::path::PathBuf;
use std::process::Command;

/// Size of the disk: enough for the clip and everything made of it.
const DISK: &str = "size=100m";
/// Bytes that stay free at first: enough to begin, too little for the upload.
const LEFT_BYTES: u64 = 14 << 20;

/// Starts the channel with its data folder on the small disk; gives the folder as seen from here.
fn start_on_small_disk(channel: &mut Channel) -> PathBuf {
    let up = channel.up();
    let data = channel.data();
    let seed = data.with_extension("seed");
    fs::rename(&data, &seed).unwrap();
    fs::create_dir(&data).unwrap();
    let mut command = Command::new("unshare");
    command.args(["--user", "--map-root-user", "--mount", "sh", "-c"]);
    command.arg("mount -t tmpfs -o \"$2\" tmpfs \"$0\" && cp -a \"$1\"/. \"$0\" && shift 2 && exec \"$@\"");
    command.args([&data, &seed]).arg(DISK).arg(up.get_program()).args(up.get_args());
    channel.start_with(&mut command);
    PathBuf::from(format!("/proc/{}/root", channel.running().id())).join(data.strip_prefix("/").unwrap())
}

/// Fills the disk until so much is left.
fn fill(folder: &std::path::Path, left_bytes: u64) {
    let mut ballast = File::options().create(true).append(true).open(folder.join("ballast")).unwrap();
    let block = vec![0; 64 << 10];
    loop {
        let disk = rustix::fs::statvfs(folder).unwrap();
        if disk.f_bavail * disk.f_frsize <= left_bytes || ballast.write_all(&block).is_err() {
            return;
        }
    }
}

#[test]
fn a_full_disk_is_told_and_the_upload_goes_on_when_there_is_space() {
    let mut channel = Channel::closed();
    let data = start_on_small_disk(&mut channel);
    let owner = channel.owner();
    let episode = owner.make_public_episode();
    let clip = footage::heavy_clip();
    let upload = owner.begin(&episode, "heavy.mp4", clip.len());
    fill(&data, LEFT_BYTES);
    owner.patch(&upload, 0, &clip).refused(503, "disk.full", "the disk is full; free some space");
    let arrived = owner.offset(&upload).expect("the upload is there");
    assert!(arrived > 0 && arrived < clip.len(), "a part arrived before: {arrived} of {}", clip.len());
    assert_eq!(owner.patch(&upload, arrived, &clip[arrived..]).status, 503, "it is still full");
    assert_eq!(owner.offset(&upload), Ok(arrived), "nothing that was acknowledged is lost");
    fs::remove_file(data.join("ballast")).unwrap();
    owner.patch(&upload, arrived, &clip[arrived..]).ok();
    let asset = owner.wait_for(&episode, "ready");
    assert_eq!((&asset["reason"], &asset["height"]), (&json!(null), &json!(480)), "{asset:#}");
}

fn count_series(visitor: &Visitor) -> usize {
    let (mut count, mut after) = (0, String::new());
    loop {
        let page = visitor.get(&format!("/api/series?limit=100{after}")).ok().json();
        count += page["items"].as_array().unwrap().len();
        match page["next"].as_str() {
            Some(next) => after = format!("&after={next}"),
            None => return count,
        }
    }
}

#[test]
fn records_refuse_what_they_cannot_keep() {
    let mut channel = Channel::closed();
    let data = start_on_small_disk(&mut channel);
    let owner = channel.owner();
    owner.make_series("Before");
    fill(&data, 0);
    let mut kept = 1;
    let refused = loop {
        // The log of the records has some space of its own left.
        let answer =
            owner.post("/api/series", &json!({"title": format!("Series {kept}"), "long_text": "x".repeat(380)}));
        if answer.status != 201 {
            break answer;
        }
        kept += 1;
        assert!(kept < 5_000, "a full disk takes everything");
    };
    refused.refused(503, "disk.full", "the disk is full");
    assert_eq!(owner.get("/").status, 200, "what is there can be read");
    fs::remove_file(data.join("ballast")).unwrap();
    owner.make_series("After");
    assert_eq!(count_series(&owner), kept + 1, "every series that was acknowledged is there, and no other");
}
