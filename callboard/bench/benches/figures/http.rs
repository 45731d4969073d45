//! A hello function over HTTP through the whole pipeline, beside the same answer from bare axum: CPU of the server.

use crate::figure::{Figure, micros, middle};
use crate::load::{self, Load};
use crate::served::{AXUM, CALLBOARD, Server};
use crate::{hello, records};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::time::Duration;

const PATH: &str = "/api/hello";
const ROUNDS: usize = 3;

pub(crate) fn measure(data: &Path) -> Result<Vec<Figure>, String> {
    let work = "hello over HTTP, CPU of the server a request";
    let Some(wrk) = load::find("wrk") else { return Ok(vec![Figure::skipped(work, load::missing("wrk"))]) };
    let folder = records::folder(data)?;
    let (ours, peer) = (Server::start(CALLBOARD, folder.path())?, Server::start(AXUM, folder.path())?);
    for server in [&ours, &peer] {
        check(server.address)?;
        load::run(&wrk, server.address, PATH, 1)?;
    }
    let (mut times, mut rates) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let [(ours, our_rate), (peer, its_rate)] = [cost(&wrk, &ours)?, cost(&wrk, &peer)?];
        times.push((ours, peer));
        rates.push((our_rate, its_rate));
    }
    let (ours, peer, ratio) = middle(times);
    let (our_rate, its_rate, _) = middle(rates);
    let time = |seconds: f64| micros(Duration::from_secs_f64(seconds));
    let note = format!("{our_rate:.0} requests a second, beside {its_rate:.0}; wrk with 1 thread, 32 connections");
    let figure = Figure::plain(work, time(ours)).beside(time(peer), ratio);
    Ok(vec![figure.goal("≤ 2.0×", ratio <= 2.0).note(note)])
}

/// Seconds of CPU that a request costs the server, and how many requests it answers a second.
fn cost(wrk: &Path, server: &Server) -> Result<(f64, f64), String> {
    let before = server.cpu_time()?;
    let Load { requests, per_s } = load::run(wrk, server.address, PATH, 5)?;
    let cpu = server.cpu_time()? - before;
    Ok((cpu.as_secs_f64() / requests as f64, per_s))
}

/// Both must say the same, or nothing is compared.
fn check(address: SocketAddr) -> Result<(), String> {
    let ask = || -> std::io::Result<String> {
        let mut stream = TcpStream::connect(address)?;
        write!(stream, "GET {PATH} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n")?;
        let mut text = String::new();
        stream.read_to_string(&mut text)?;
        Ok(text)
    };
    let text = ask().map_err(|error| error.to_string())?;
    let is_same = text.starts_with("HTTP/1.1 200") && text.ends_with(hello::ANSWER);
    if is_same { Ok(()) } else { Err(format!("{address} answers\n{text}")) }
}
