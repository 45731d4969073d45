//! Episodes and series that go: their videos go with them, at once for viewers and soon from the disk.

use crate::channel::Channel;
use crate::folders::assert_nothing_left;
use crate::footage;
use crate::news::News;
use crate::programs::{eventually, working_in};
use serde_json::json;

#[test]
fn a_deleted_series_takes_its_videos_with_it() {
    let channel = Channel::open();
    let owner = channel.owner();
    let series = owner.make_series("Short run");
    let episode = owner.make_episode(&series, "Only one", "public");
    owner.upload(&episode, "clip.mp4", &footage::clip());
    owner.wait_for(&episode, "ready");
    owner.delete(&format!("/api/series/{series}")).ok();
    assert_eq!(channel.nobody().get(&format!("/api/episodes/{episode}")).status, 404);
    assert_nothing_left(&channel.data());
}

#[test]
fn an_upload_that_is_ended_while_it_is_transcoded_leaves_nothing() {
    let channel = Channel::open();
    let owner = channel.owner();
    let episode = owner.make_public_episode();
    let feature = footage::feature();
    let upload = owner.begin(&episode, "feature.mp4", feature.len());
    let mut news = News::of(&owner, &upload);
    owner.patch(&upload, 0, &feature).ok();
    news.until(|kind, data| kind == "progress" && data["stage"] == json!("full"));
    owner.end_upload(&upload).ok();
    eventually("is ffmpeg ended", || working_in(&channel.data()), Vec::is_empty);
    assert_nothing_left(&channel.data());
    owner.get(&format!("/api/episodes/{episode}/asset")).refused(404, "media.no_asset", "this episode has no video");
}
