//! How fast queued messages are delivered when a million wait: one in each of a million lanes, a thousand in each of a
//! thousand, all in one; beside twenty in each of a thousand.

use crate::figure::{Figure, middle};
use crate::records;
use callboard::{Effects, Empty, Env, Fault, Host, Kind, Msg, Reply, Service, Stranger, Tenant, Uri, Who, uri};
use callboard_engines::delivery;
use serde_json::json;
use std::path::Path;
use std::time::{Duration, Instant};

const ROUNDS: usize = 5;
const ROUND: Duration = Duration::from_secs(2);
const SENT_AT_ONCE: usize = 1_000;
const MANY: usize = 1_000_000;
const FEW: Shape = Shape { messages: 20_000, lanes: 1_000 };

/// How many messages wait, in how many lanes.
#[derive(Clone, Copy)]
struct Shape {
    messages: usize,
    lanes: usize,
}

fn service() -> Service {
    Service::new("backlog").on(Kind::Put, "/lanes", fill, Who::Anyone, Stranger::Denied).on(
        Kind::Post,
        "/lanes/{lane}",
        take,
        Who::Services,
        Stranger::Denied,
    )
}

/// Queues messages, the lanes in turn: which of all, and over how many lanes.
async fn fill(_: Env, msg: Msg<(usize, usize)>) -> Result<Reply, Fault> {
    let (from, lanes) = msg.data;
    let send =
        |effects: Effects, at: usize| Ok(effects.send(Kind::Post, uri!("/lanes/{}", at % lanes)?, json!({"at": at})));
    (from..from + SENT_AT_ONCE).try_fold(Effects::new(), send).map(|effects| Reply::nothing().with(effects))
}

async fn take(_: Env, _: Msg<Empty>) -> Result<Reply, Fault> {
    Ok(Reply::nothing())
}

pub(crate) fn measure(data: &Path) -> Result<Vec<Figure>, String> {
    let folder = records::folder(data)?;
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(|error| error.to_string())?;
    runtime.block_on(async {
        let few = open(&folder.path().join("few")).await?;
        let mut figures = Vec::new();
        for (work, lanes, least) in [
            ("deliveries, 1,000,000 lanes of 1", MANY, 0.7),
            ("deliveries, 1,000 lanes of 1,000", 1_000, 0.7),
            ("deliveries, one lane of 1,000,000", 1, 0.4),
        ] {
            let place = folder.path().join("many");
            let many = open(&place).await?;
            queue(&many, Shape { messages: MANY, lanes }).await?;
            let mut rates = Vec::new();
            for _ in 0..ROUNDS {
                queue(&few, FEW).await?;
                rates.push((rate(&many, u64::MAX).await, rate(&few, FEW.messages as u64).await));
            }
            drop(many);
            std::fs::remove_dir_all(&place).map_err(|error| format!("cannot remove {}: {error}", place.display()))?;
            let (ours, beside, ratio) = middle(rates);
            let figure = Figure::plain(work, format!("{ours:.0}/s")).beside(format!("{beside:.0}/s"), ratio);
            figures.push(figure.goal(format!("≥ {least}×"), ratio >= least).note("beside 1,000 lanes of 20"));
        }
        Ok(figures)
    })
}

async fn open(folder: &Path) -> Result<Host, String> {
    std::fs::create_dir_all(folder).map_err(|error| error.to_string())?;
    Host::builder(records::on_disk(folder)?).service(service()).build().await.map_err(|fault| fault.to_string())
}

async fn queue(host: &Host, shape: Shape) -> Result<(), String> {
    for from in (0..shape.messages).step_by(SENT_AT_ONCE) {
        let data = callboard::Data::json(&json!([from, shape.lanes]));
        let msg = host.message(Kind::Put, Uri::parse("/lanes").expect("it is a URI"), Tenant::new("demo"));
        host.dispatch(msg.with_data(data)).await.map_err(|fault| fault.to_string())?;
    }
    Ok(())
}

/// Deliveries a second, until so many are settled or the round is over: what has only begun does not count.
async fn rate(host: &Host, most: u64) -> f64 {
    let (start, before) = (Instant::now(), host.commits());
    let settled = || host.commits() - before;
    let mut time = ROUND;
    let mut count = 0;
    let stop = async {
        while start.elapsed() < ROUND && settled() < most {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        (time, count) = (start.elapsed(), settled());
    };
    delivery::run(host.clone(), stop).await;
    count as f64 / time.as_secs_f64()
}
