//! How soon the first page is there when a channel starts on its data, and how much memory it holds when nobody asks.

use super::client::Client;
use super::film;
use super::server::{self, Server};
use super::{Goal, Row, Site};
use crate::process;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

const START: &str = "`up` on existing data to the first page, median";
const STARTS: usize = 5;
const GOAL: Duration = Duration::from_millis(500);
const GOAL_MIB: f64 = 60.0;
/// After so long nothing that began with the start is still going on.
const REST: Duration = Duration::from_secs(3);

pub(crate) fn measure(site: &Site) -> Result<Vec<Row>, String> {
    let Some(ffmpeg) = process::find("ffmpeg") else {
        return Ok(vec![Row::new(START, "skipped").note(film::MISSING)]);
    };
    let data = site.data.join("start");
    server::prepare(&site.binary, &data)?;
    fill(&Server::start(&site.binary, &data, None)?, &ffmpeg, &site.data)?;
    let mut times = Vec::new();
    for _ in 0..STARTS {
        let start = Instant::now();
        let server = Server::start(&site.binary, &data, None)?;
        let page = Client::new(server.address).get("/")?;
        times.push(start.elapsed());
        if !String::from_utf8_lossy(&page.body).contains("Series 12") {
            return Err("the first page does not show what there is".to_string());
        }
    }
    times.sort_unstable();
    let (time, longest) = (times[STARTS / 2], times[STARTS - 1]);
    let server = Server::start(&site.binary, &data, None)?;
    Client::new(server.address).get("/")?;
    thread::sleep(REST);
    let mib = server.resident_kib()? as f64 / 1024.0;
    drop(server);
    // Left behind when it cannot be removed; the next run does.
    let _ = std::fs::remove_dir_all(&data);
    let row = |work: &str, ours: String, goal: Goal| Row::new(work, ours).goal(goal);
    Ok(vec![
        row(START, format!("{} ms", time.as_millis()), Goal { reach: "≤ 0.5 s".to_string(), is_reached: time <= GOAL })
            .note(format!("12 series with a video each; the longest of {STARTS}: {} ms", longest.as_millis())),
        row(
            "resident memory, idle",
            format!("{mib:.1} MiB"),
            Goal { reach: "≤ 60 MiB".to_string(), is_reached: mib <= GOAL_MIB },
        ),
    ])
}

/// Twelve series with a video each, so that the first page is one that people would see.
fn fill(server: &Server, ffmpeg: &Path, folder: &Path) -> Result<(), String> {
    let owner = server.owner()?;
    let clip = folder.join("start.mp4");
    film::draw(ffmpeg, &clip, "320x180", 1)?;
    let bytes = std::fs::read(&clip).map_err(|error| format!("cannot read {}: {error}", clip.display()))?;
    // Left behind when it cannot be removed; the next run overwrites it.
    let _ = std::fs::remove_file(&clip);
    for at in 1..=12 {
        let series = server::make_series(&owner, &format!("Series {at}"))?;
        let episode = server::make_episode(&owner, &series, "Episode")?;
        film::send(&owner, &episode, &bytes)?;
        film::wait_for(&owner, &episode, |asset| asset["state"] == "ready")?;
    }
    Ok(())
}
