//! A hello function over HTTP through the whole pipeline with all handlers, beside the same answer from bare axum: CPU of the
//! server; and beside workerd: requests a second.

use crate::figure::{Figure, micros, middle};
use crate::load::{self, Load};
use crate::served::{AXUM, CALLBOARD, Server};
use crate::{hello, records};
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

const PATH: &str = "/api/hello";
const ROUNDS: usize = 5;
/// Names where workerd answers.
const WORKERD: &str = "FIGURES_WORKERD";

pub(crate) fn measure(data: &Path) -> Result<Vec<Figure>, String> {
    let work = "hello over HTTP, CPU of the server a request";
    let Some(wrk) = load::find("wrk") else { return Ok(vec![Figure::skipped(work, load::missing("wrk"))]) };
    let folder = records::folder(data)?;
    let (ours, peer) = (Server::start(CALLBOARD, folder.path())?, Server::start(AXUM, folder.path())?);
    for server in [&ours, &peer] {
        let (status, body) = load::get(server.address, PATH)?;
        if status != "HTTP/1.1 200 OK" || body != hello::ANSWER.as_bytes() {
            return Err(format!("{} answers {status}, {}", server.address, String::from_utf8_lossy(&body)));
        }
        load::run(&wrk, server.address, PATH, 1)?;
    }
    let workerd = workerd()?;
    let (mut times, mut rates, mut beside_workerd) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let [(ours, our_rate), (peer, its_rate)] = [cost(&wrk, &ours)?, cost(&wrk, &peer)?];
        times.push((ours, peer));
        rates.push((our_rate, its_rate));
        if let Some(address) = workerd {
            beside_workerd.push((our_rate, load::run(&wrk, address, PATH, 5)?.per_s));
        }
    }
    let (ours, peer, ratio) = middle(times);
    let (our_rate, its_rate, _) = middle(rates);
    let time = |seconds: f64| micros(Duration::from_secs_f64(seconds));
    let note = format!("{our_rate:.0} requests a second, beside {its_rate:.0}; {}", load::SHAPE);
    let figure = Figure::plain(work, time(ours)).beside(time(peer), ratio);
    Ok(vec![figure.goal("≤ 2.0×", ratio <= 2.0).note(note), requests(beside_workerd)])
}

/// Where workerd answers with the same, where it runs.
fn workerd() -> Result<Option<SocketAddr>, String> {
    let address = std::env::var(WORKERD).ok().and_then(|text| text.parse().ok());
    let Some(address) = address else { return Ok(None) };
    let (status, body) = load::get(address, PATH)?;
    if status != "HTTP/1.1 200 OK" || body != hello::ANSWER.as_bytes() {
        return Err(format!("workerd answers {status}, {}", String::from_utf8_lossy(&body)));
    }
    Ok(Some(address))
}

/// Requests a second beside workerd, of rounds in turn.
fn requests(rounds: Vec<(f64, f64)>) -> Figure {
    let work = "hello over HTTP, requests a second";
    if rounds.is_empty() {
        return Figure::skipped(work, format!("`{WORKERD}` names no workerd"));
    }
    let (ours, its, ratio) = middle(rounds);
    Figure::plain(work, format!("{ours:.0}"))
        .beside(format!("{its:.0}"), ratio)
        .goal("≥ 4×", ratio >= 4.0)
        .note(format!("beside a worker of JavaScript in workerd; {}", load::SHAPE))
}

/// Seconds of CPU that a request costs the server, and how many requests it answers a second.
fn cost(wrk: &Path, server: &Server) -> Result<(f64, f64), String> {
    let before = server.cpu_time()?;
    let Load { requests, per_s } = load::run(wrk, server.address, PATH, 5)?;
    let cpu = server.cpu_time()? - before;
    Ok((cpu.as_secs_f64() / requests as f64, per_s))
}
