//! What it costs to have nothing to do: a thousand schedules, and ten thousand runs that wait for a decision until tomorrow.

use crate::callers::Connection;
use crate::figure::Figure;
use crate::records;
use crate::served::{IDLE, Server};
use callboard::{Effects, Empty, Env, Fault, Flow, Kind, Msg, Reply, Service, Stranger, Who};
use std::path::Path;
use std::thread;
use std::time::Duration;

const SCHEDULES: usize = 1_000;
const RUNS: usize = 10_000;
const STARTED_AT_ONCE: usize = 200;
const DAY_MS: u32 = 86_400_000;
/// After so long nothing that began with the starts is still going on.
const REST: Duration = Duration::from_secs(3);
/// Long enough for the clock of the kernel, which counts hundredths of a second.
const WINDOW: Duration = Duration::from_secs(30);

pub(crate) fn measure(data: &Path) -> Result<Vec<Figure>, String> {
    let folder = records::folder(data)?;
    let server = Server::start(IDLE, folder.path())?;
    let mut connection = Connection::open(server.address)?;
    for from in (0..RUNS).step_by(STARTED_AT_ONCE) {
        connection.post("/api/runs", &from.to_string())?;
    }
    thread::sleep(REST);
    let before = server.cpu_time()?;
    thread::sleep(WINDOW);
    let share = (server.cpu_time()? - before).as_secs_f64() / WINDOW.as_secs_f64() * 100.0;
    let work = format!("idle, {SCHEDULES} schedules and {RUNS} waiting runs, CPU");
    let note = format!("of one core, over {} s", WINDOW.as_secs());
    Ok(vec![Figure::plain(work, format!("{share:.2} %")).goal("< 1 %", share < 1.0).note(note)])
}

/// A service that waits.
pub(crate) fn service() -> Service {
    let waiting = Flow::new("waiting").wait_for_decision("decision").expires_ms(u64::from(DAY_MS));
    let service = Service::new("idle").on(Kind::Post, "/runs", start, Who::Anyone, Stranger::Denied).flow(waiting);
    (0..SCHEDULES).fold(service, |service, at| {
        // The table lives as long as the program.
        service.every(Box::leak(format!("daily-{at}").into_boxed_str()), i64::from(DAY_MS), nothing)
    })
}

async fn start(_: Env, msg: Msg<usize>) -> Result<Reply, Fault> {
    let runs = msg.data..msg.data + STARTED_AT_ONCE;
    Ok(Reply::nothing().with(runs.fold(Effects::new(), |effects, at| effects.start("waiting", at.to_string(), at))))
}

async fn nothing(_: Env, _: Msg<Empty>) -> Result<Reply, Fault> {
    Ok(Reply::nothing())
}
