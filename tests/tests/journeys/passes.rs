//! Protected media: who may not watch an episode gets no byte of it, whatever link they hold.

use crate::channel::Channel;
use crate::exchange::Visitor;
use crate::footage;
use crate::programs::eventually;
use crate::studio::{beside, named};
use callboard::{Pass, SigningKey};
use std::fs;

/// The id of the key that signed a pass.
fn key_id(token: &str) -> &str {
    token.trim_start_matches('~').split('.').next().expect("a pass has parts")
}

/// What a pass in an address permits.
fn read_pass(channel: &Channel, src: &str) -> (SigningKey, Pass) {
    let key = fs::read(channel.data().join("key")).unwrap().try_into().expect("a key has 32 bytes");
    let token = src.split('/').nth(2).and_then(|segment| segment.strip_prefix('~')).expect("the address has a pass");
    let key = SigningKey::new(key_id(token), key);
    let pass = key.check(token, 0).expect("it is good");
    (key, pass)
}

/// The address of a playlist, of a rendition's playlist and of a segment, as somebody who may would read them.
fn addresses(visitor: &Visitor, src: &str) -> [String; 3] {
    let master = visitor.get(src).ok().text();
    let playlist = beside(src, named(&master).last().expect("there is a rendition"));
    let segments = named(&visitor.get(&playlist).ok().text());
    let segment = beside(&playlist, segments.last().expect("there is a segment"));
    visitor.get(&segment).ok();
    [src.to_owned(), playlist, segment]
}

fn source(visitor: &Visitor, episode: &str) -> String {
    visitor.playback(episode).ok().json()["src"].as_str().expect("it plays from somewhere").to_owned()
}

#[test]
fn a_private_episode_opens_to_no_other_link() {
    let channel = Channel::open();
    let owner = channel.owner();
    let series = owner.make_series("Rehearsals");
    let [one, two] = ["One", "Two"].map(|title| owner.make_episode(&series, title, "private"));
    for episode in [&one, &two] {
        owner.upload(episode, "clip.mp4", &footage::clip());
    }
    for episode in [&one, &two] {
        owner.wait_for(episode, "ready");
    }
    let (src, other) = (source(&owner, &one), source(&owner, &two));
    let opened = addresses(&owner, &src);
    assert_eq!(owner.get(&src).header("cache-control"), Some("private, no-store"));
    let nobody = channel.nobody();
    nobody.playback(&one).refused(404, "media.no_such_episode", "");
    let (token, other_token) = (src.split('/').nth(2).unwrap(), other.split('/').nth(2).unwrap());
    let (key, pass) = read_pass(&channel, &src);
    let signed = |pass: Pass| format!("~{}", key.sign(&pass));
    let expired = signed(Pass { expires_ms: 1_700_000_000_000, ..pass.clone() });
    let elsewhere = signed(Pass { tenant: "harbour".into(), ..pass.clone() });
    let download = signed(Pass { purpose: "download".into(), ..pass.clone() });
    let foreign = format!("~{}", SigningKey::new(key_id(token), [7; 32]).sign(&pass));
    for address in &opened {
        let with = |token_now: &str| nobody.get(&address.replacen(token, token_now, 1));
        nobody.get(&address.replacen(&format!("{token}/"), "", 1)).refused(404, "no_such_uri", "");
        with(&altered(token)).refused(403, "pass.invalid", "open the page again for a new one");
        with(&token[..token.len() - 1]).refused(403, "pass.invalid", "not valid");
        with("~").refused(403, "pass.invalid", "not valid");
        with(&foreign).refused(403, "pass.invalid", "not valid");
        with(other_token).refused(403, "pass.invalid", "not valid");
        with(&elsewhere).refused(403, "pass.invalid", "not valid");
        with(&download).refused(403, "pass.invalid", "not valid");
        with(&expired).refused(403, "pass.expired", "has expired");
        let quick = address.replacen("/full/", "/quick/", 1);
        assert_ne!(&quick, address, "it plays the full version");
        nobody.get(&quick).refused(403, "pass.invalid", "not valid");
    }
    assert!(!channel.log_text().contains(&token[1..]), "a pass is never logged");
    owner.delete("/api/sessions/current").ok();
    for address in &opened {
        let statuses = || nobody.get(address).status;
        eventually("is the link of a session that is over refused", statuses, |status| *status == 403);
        nobody.get(address).refused(403, "pass.revoked", "taken back");
    }
}

/// The same pass with one letter of what it permits changed.
fn altered(token: &str) -> String {
    let at = token.find('.').expect("a pass has parts") + 8;
    let letter = if &token[at..=at] == "A" { "B" } else { "A" };
    format!("{}{letter}{}", &token[..at], &token[at + 1..])
}

#[test]
fn what_becomes_private_closes_for_everybody_else() {
    let channel = Channel::open();
    let owner = channel.owner();
    let episode = owner.make_public_episode();
    owner.upload(&episode, "clip.mp4", &footage::clip());
    owner.wait_for(&episode, "ready");
    let nobody = channel.nobody();
    let open = || source(&nobody, &episode);
    let src = eventually("is it open to all", open, |src| !src.contains('~'));
    let opened = addresses(&nobody, &src);
    assert!(nobody.read_all_media(&src) >= 2, "it has levels to choose from");
    let close = serde_json::json!({"access": "private"}).to_string();
    let headers = [("content-type", "application/json")];
    owner.send("PATCH", &format!("/api/episodes/{episode}"), &headers, close.as_bytes()).ok();
    for address in &opened {
        eventually("is it closed", || nobody.get(address).status, |status| *status == 404);
    }
    nobody.playback(&episode).refused(404, "media.no_such_episode", "");
    addresses(&owner, &source(&owner, &episode));
}

#[test]
fn members_lose_what_becomes_private_and_its_editors_do_not() {
    let channel = Channel::open();
    let owner = channel.owner();
    let series = owner.make_series("Deck");
    let episode = owner.make_episode(&series, "For members", "members");
    owner.upload(&episode, "clip.mp4", &footage::clip());
    owner.wait_for(&episode, "ready");
    channel.nobody().playback(&episode).refused(401, "media.watch_denied", "sign in or sign up");
    let viewer = channel.member("vera", "viewer");
    let opened = addresses(&viewer, &source(&viewer, &episode));
    let close = serde_json::json!({"access": "private"}).to_string();
    owner
        .send("PATCH", &format!("/api/series/{series}"), &[("content-type", "application/json")], close.as_bytes())
        .ok();
    for address in &opened {
        let status = || viewer.get(address).status;
        eventually("is the link of who may not any more refused", status, |status| *status == 403);
        viewer.get(address).refused(403, "pass.revoked", "taken back");
    }
    viewer.playback(&episode).refused(404, "media.no_such_episode", "");
    addresses(&owner, &source(&owner, &episode));
}

#[test]
fn what_was_taken_back_stays_closed_after_the_server_was_killed() {
    let mut channel = Channel::open();
    let owner = channel.owner();
    let series = owner.make_series("Deck");
    let episode = owner.make_episode(&series, "For members", "members");
    owner.upload(&episode, "clip.mp4", &footage::clip());
    owner.wait_for(&episode, "ready");
    let viewer = channel.member("vera", "viewer");
    let opened = addresses(&viewer, &source(&viewer, &episode));
    viewer.delete("/api/sessions/current").ok();
    let status = || viewer.get(&opened[0]).status;
    eventually("is the link of a session that is over refused", status, |status| *status == 403);
    channel.kill();
    channel.start();
    let nobody = channel.nobody();
    for address in &opened {
        nobody.get(address).refused(403, "pass.invalid", "open the page again for a new one");
    }
    let owner = channel.owner();
    addresses(&owner, &source(&owner, &episode));
}
