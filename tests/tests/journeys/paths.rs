//! Paths that try to climb out of where they are, plain and in every disguise.

use crate::channel::Channel;
use std::fs;

/// Ways to say "the folder above".
const CLIMBS: [&str; 9] =
    ["..", "%2e%2e", ".%2e", "%252e%252e", "..%2f..", "..%5c..", "..\\..", "%c0%ae%c0%ae", "..%00"];

#[test]
fn no_path_leaves_the_tree() {
    let channel = Channel::open();
    let owner = channel.owner();
    let episode = owner.make_public_episode();
    let upload = owner.begin(&episode, "clip.mp4", 10);
    let key = fs::read(channel.data().join("key")).unwrap();
    for climb in CLIMBS {
        for path in [
            format!("/{climb}/{climb}/records.db"),
            format!("/assets/{climb}/records.db"),
            format!("/assets/{climb}/{climb}/{climb}/etc/passwd"),
            format!("/media/{climb}/records.db"),
            format!("/media/a/full/{climb}/{climb}/{climb}/{climb}/key.jpg"),
            format!("/media/a/full/{climb}/{climb}/{climb}/records.m3u8"),
            format!("/media/~x/{climb}/{climb}/master.m3u8"),
            format!("/api/{climb}/tenants/demo"),
            format!("/api{upload}/{climb}/parts"),
            format!("/art/poster/{climb}"),
            format!("/series/{climb}/1"),
            format!("/@demo/{climb}/@demo"),
            format!("/@{climb}/series"),
        ] {
            let answer = owner.get(&path);
            assert!(matches!(answer.status, 400 | 403 | 404), "{path}: {} {}", answer.status, answer.text());
            assert!(!answer.text().contains("root:") && !answer.body.starts_with(b"SQLite"), "{path}");
            assert!(!answer.body.windows(key.len()).any(|part| part == key), "{path}");
        }
    }
    owner.get("/api/../api/series").refused(400, "uri", "");
    owner.get("/api/%2e%2e/series").refused(400, "uri", "");
}

#[test]
fn what_only_services_may_ask_is_not_there_for_others() {
    let channel = Channel::open();
    let owner = channel.owner();
    let upload = owner.begin(&owner.make_public_episode(), "clip.mp4", 10);
    for path in
        ["/api/tenants/demo", "/api/sessions/resolve?hash=00", "/api/tenants/by-host?host=x", "/fault?status=200"]
    {
        let answer = owner.get(path);
        assert!(matches!(answer.status, 403 | 404), "{path}: {}", answer.status);
    }
    let part = serde_json::json!({"offset": 0, "size_bytes": 10, "key": "key"});
    let answer = owner.post(&format!("/api{upload}/parts"), &part);
    assert!(matches!(answer.status, 403 | 404), "{}", answer.text());
    let answer = owner.post("/api/owners", &serde_json::json!({"email": "me@x.example", "name": "Me"}));
    assert!(matches!(answer.status, 403 | 404), "{}", answer.text());
}
