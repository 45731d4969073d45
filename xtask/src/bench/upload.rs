//! From the last byte of an upload to a picture, and to every rendition, beside the same ffmpeg process alone.

use super::client::Client;
use super::film;
use super::recorder::Recorder;
use super::server::{self, Server};
use super::{Goal, Row, Site};
use crate::process;
use serde_json::{Value, json};
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

const FIRST: &str = "upload complete to first playable, 10 s of 720p";
const ALL: &str = "upload complete to all renditions, 10 s of 720p";
/// Ours and the peer take turns.
const ROUNDS: usize = 3;
const GOAL: Duration = Duration::from_secs(2);
const GOAL_RATIO: f64 = 1.2;

/// Times of one upload, from its last byte.
struct Times {
    playable: Duration,
    picture: Duration,
    full: Duration,
    ready: Duration,
    encoding: Duration,
}

pub(crate) fn measure(site: &Site) -> Result<Vec<Row>, String> {
    let Some(ffmpeg) = process::find("ffmpeg") else {
        return Ok([FIRST, ALL].map(|work| Row::new(work, "skipped").note(film::MISSING)).into());
    };
    let folder = site.data.join("upload");
    let data = folder.join("data");
    server::prepare(&site.binary, &data)?;
    let clip = folder.join("clip.mp4");
    film::draw(&ffmpeg, &clip, "1280x720", 10)?;
    let recorder = Recorder::new(&folder.join("programs"), &ffmpeg)?;
    let mut rounds = Vec::new();
    {
        let server = Server::start(&site.binary, &data, Some(recorder.search_path()))?;
        let owner = server.owner()?;
        let series = server::make_series(&owner, "Measured")?;
        let film = fs::read(&clip).map_err(|error| format!("cannot read {}: {error}", clip.display()))?;
        for round in 1..=ROUNDS {
            let episode = server::make_episode(&owner, &series, &format!("Round {round}"))?;
            let times = publish(&owner, &episode, &film, &recorder)?;
            let peer = recorder.repeat(&clip, &folder.join("peer"))?;
            rounds.push((times, peer));
        }
    }
    // Left behind when it cannot be removed; the next run does.
    let _ = fs::remove_dir_all(&folder);
    Ok(rows(rounds))
}

fn rows(mut rounds: Vec<(Times, Duration)>) -> Vec<Row> {
    let seconds = |time: Duration| format!("{:.2} s", time.as_secs_f64());
    rounds.sort_by_key(|(times, _)| times.picture);
    let (times, _) = &rounds[ROUNDS / 2];
    let goal = Goal { reach: "≤ 2 s".to_string(), is_reached: times.picture <= GOAL };
    let note =
        format!("its state said so after {}; the time is until a segment was delivered", seconds(times.playable));
    let playable = Row::new(FIRST, seconds(times.picture)).goal(goal).note(note);

    let by = |time: Duration, peer: Duration| time.as_secs_f64() / peer.as_secs_f64();
    rounds.sort_by(|(one, peer), (other, its)| by(one.ready, *peer).total_cmp(&by(other.ready, *its)));
    let (times, peer) = &rounds[ROUNDS / 2];
    let ratio = by(times.ready, *peer);
    let goal = Goal { reach: "≤ 1.2×".to_string(), is_reached: ratio <= GOAL_RATIO };
    let ready = Row::new(ALL, seconds(times.ready)).beside(seconds(*peer), ratio).goal(goal);
    let note = "beside: one process of ffmpeg with the arguments that the server gave it";
    let step = times.ready - times.full;
    let step =
        Row::new("of it encoding and storing the renditions", seconds(step)).beside(seconds(*peer), by(step, *peer));
    let process = Row::new("of it the process of ffmpeg", seconds(times.encoding));
    let process = process.beside(seconds(*peer), by(times.encoding, *peer));
    vec![playable, ready.note(note), step, process]
}

fn publish(owner: &Client, episode: &str, film: &[u8], recorder: &Recorder) -> Result<Times, String> {
    recorder.forget()?;
    film::send(owner, episode, film)?;
    let start = Instant::now();
    let is = |asset: &Value, state: &str| asset["state"] == state;
    film::wait_for(owner, episode, |asset| is(asset, "playable") || is(asset, "ready"))?;
    let playable = start.elapsed();
    play(owner, episode)?;
    let picture = start.elapsed();
    film::wait_for(owner, episode, |asset| {
        let mut stages = asset["stages"].as_array().into_iter().flatten();
        is(asset, "ready") || stages.any(|stage| stage["name"] == "full" && stage["state"] == "doing")
    })?;
    let full = start.elapsed();
    film::wait_for(owner, episode, |asset| is(asset, "ready"))?;
    let ready = start.elapsed();
    play(owner, episode)?;
    Ok(Times { playable, picture, full, ready, encoding: recorder.time_of_ladder()? })
}

/// Does what a player does until it has its first picture.
fn play(owner: &Client, episode: &str) -> Result<(), String> {
    let playback = owner.post(&format!("/api/episodes/{episode}/playback"), &json!({}))?.json();
    let master = playback["src"].as_str().ok_or("a playback has no source")?;
    let rendition = below(master, &last_line(owner, master)?);
    let segments = owner.get(&rendition)?;
    let text = String::from_utf8_lossy(&segments.body).into_owned();
    let first = text.lines().find(|line| !line.starts_with('#') && !line.is_empty()).ok_or("a playlist is empty")?;
    let segment = owner.get(&below(&rendition, first))?;
    if segment.body.len() < 1000 { Err("the first segment is empty".to_string()) } else { Ok(()) }
}

fn last_line(owner: &Client, playlist: &str) -> Result<String, String> {
    let text = String::from_utf8_lossy(&owner.get(playlist)?.body).into_owned();
    let line = text.lines().rfind(|line| !line.starts_with('#') && !line.is_empty());
    line.map(str::to_string).ok_or_else(|| format!("{playlist} is empty"))
}

/// An address beside another.
fn below(other: &str, name: &str) -> String {
    let folder = other.rsplit_once('/').map_or("", |(folder, _)| folder);
    Path::new(folder).join(name).display().to_string()
}
