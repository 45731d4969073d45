//! A hello function over HTTP through the whole pipeline, beside the same answer from bare axum: CPU of the server.

use crate::figure::{Figure, micros};
use crate::load::{self, Load};
use crate::served::{AXUM, CALLBOARD, Server};
use crate::{hello, records};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::time::Duration;

const PATH: &str = "/api/hello";
const ROUNDS: usize = 2;

pub(crate) fn measure(data: &Path) -> Result<Vec<Figure>, String> {
    let work = "hello over HTTP, CPU of the server a request";
    let Some(wrk) = load::find("wrk") else { return Ok(vec![Figure::skipped(work, load::missing("wrk"))]) };
    let folder = records::folder(data)?;
    let (ours, peer) = (Server::start(CALLBOARD, folder.path())?, Server::start(AXUM, folder.path())?);
    let mut totals = [(Duration::ZERO, 0, 0.0); 2];
    for server in [&ours, &peer] {
        check(server.address)?;
        load::run(&wrk, server.address, PATH, 1)?;
    }
    for _ in 0..ROUNDS {
        for (server, (cpu, requests, per_s)) in [&ours, &peer].into_iter().zip(&mut totals) {
            let before = server.cpu_time()?;
            let Load { requests: done, per_s: rate } = load::run(&wrk, server.address, PATH, 5)?;
            *cpu += server.cpu_time()? - before;
            *requests += done;
            *per_s += rate / ROUNDS as f64;
        }
    }
    let each =
        totals.map(|(cpu, requests, _)| cpu.as_secs_f64() / f64::from(u32::try_from(requests).unwrap_or(u32::MAX)));
    let [ours, peer] = each;
    let ratio = ours / peer;
    let time = |seconds: f64| micros(Duration::from_secs_f64(seconds));
    let note =
        format!("{:.0} requests a second, beside {:.0}; wrk with 1 thread, 32 connections", totals[0].2, totals[1].2);
    let figure = Figure::plain(work, time(ours)).beside(time(peer), ratio);
    Ok(vec![figure.goal("≤ 2.0×", ratio <= 2.0).note(note)])
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
