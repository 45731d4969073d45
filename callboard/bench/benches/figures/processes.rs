//! Functions in processes, in their sandboxes: what a warm one of Python costs beside the same client at a server that does nothing
//! else, what a cold one costs beside its interpreter alone, and a warm one of Rust beside `cargo lambda watch`, with what the least
//! host of it could do.

use crate::figure::{Figure, median, micros, middle};
use crate::{load, records, stub};
use axum::Router;
use axum::body::Bytes;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::routing::post;
use callboard::{Data, Host, Kind, Tenant, Uri};
use callboard_gateways::http::{self, HttpOptions, Tenants};
use callboard_hosts::{Declared, Functions, Options};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

/// A Python with `awslambdaric`.
const PYTHON: &str = "FIGURES_PYTHON";
/// A function of Rust, and where `cargo lambda watch` answers with it.
const PROGRAM: &str = "FIGURES_LAMBDA_PROGRAM";
const WATCH: &str = "FIGURES_LAMBDA_WATCH";
/// Where it takes invocations as AWS does.
const WATCH_PATH: &str = "/2015-03-31/functions/echo/invocations";
const LEAST_PATH: &str = "/echo";
const ROUNDS: usize = 3;
const CALLS: usize = 1_000;
const COLD: usize = 15;
/// Processes that a function has at most, unless it says otherwise.
const PROCESSES: usize = 4;
/// How long the client is alone.
const ALONE_S: u64 = 3;
const CODE: &str = "def handler(event, context):\n    return event\n";

pub(crate) fn measure(data: &Path) -> Result<Vec<Figure>, String> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime = runtime.map_err(|error| error.to_string())?;
    let mut figures = Vec::new();
    match std::env::var(PYTHON).ok().filter(|program| Path::new(program).is_file()) {
        Some(python) => {
            // On a thread of the runtime, as requests of a server are.
            let (data, python) = (data.to_owned(), python.clone());
            let both = runtime
                .spawn(async move { Ok::<_, String>([warm(&data, &python).await?, cold(&data, &python).await?]) });
            figures.extend(runtime.block_on(both).map_err(|error| error.to_string())??);
        }
        None => figures.push(Figure::skipped("functions of Python", format!("`{PYTHON}` names none"))),
    }
    figures.extend(runtime.block_on(rust(data))?);
    Ok(figures)
}

/// An application of one function at `POST /echo` and `GET /echo`.
async fn application(folder: &Path, command: &[&str]) -> Result<(Host, Functions), String> {
    let code = folder.join("code");
    std::fs::create_dir_all(&code)
        .and_then(|()| std::fs::write(code.join("app.py"), CODE))
        .map_err(|error| error.to_string())?;
    let toml =
        format!("name = \"echo\"\non = [\"POST /echo\", \"GET /echo\"]\nwho = \"anyone\"\ncommand = {command:?}");
    let declared: Declared = toml::from_str(&toml).map_err(|error| error.to_string())?;
    let functions = Functions::new("figures", vec![declared], &code, Options::default()).await;
    let functions = functions.map_err(|fault| fault.to_string())?;
    let ports = records::in_memory(folder)?;
    let host = Host::builder(ports).service(functions.service()).build().await.map_err(|fault| fault.to_string())?;
    Ok((host, functions))
}

async fn call(host: &Host) -> Result<Duration, String> {
    let uri = Uri::parse("/echo").map_err(|error| error.to_string())?;
    let data = Data { media_type: "application/json".into(), bytes: br#"{"name":"Ada"}"#.as_slice().into() };
    let msg = host.message(Kind::Post, uri, Tenant::only()).with_data(data);
    let start = Instant::now();
    host.dispatch(msg).await.map_err(|fault| format!("{fault:?}"))?;
    Ok(start.elapsed())
}

async fn warm(data: &Path, python: &str) -> Result<Figure, String> {
    let folder = records::folder(data)?;
    let client = ["-m", "awslambdaric", "app.handler"];
    let (host, _functions) = application(folder.path(), &[&[python], &client[..]].concat()).await?;
    let mut peer = stub::Stub::start(python, &client, &folder.path().join("code")).await?;
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for at in 0..CALLS + 100 {
        let (our, its) = (call(&host).await?, peer.call().await?);
        if at >= 100 {
            ours.push(our);
            theirs.push(its);
        }
    }
    let (ours, theirs) = (median(&mut ours), median(&mut theirs));
    let ratio = ours.as_secs_f64() / theirs.as_secs_f64();
    let figure =
        Figure::plain("warm function of Python by awslambdaric, p50", micros(ours)).beside(micros(theirs), ratio);
    Ok(figure
        .goal("≤ 1.3×", ratio <= 1.3)
        .note("beside the same client, unconfined, at a server in Rust that only hands out and takes"))
}

async fn cold(data: &Path, python: &str) -> Result<Figure, String> {
    let folder = records::folder(data)?;
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..COLD {
        let command = [python, "-m", "awslambdaric", "app.handler"];
        let (host, _functions) = application(folder.path(), &command).await?;
        ours.push(call(&host).await?);
        let start = Instant::now();
        let mut bare = Command::new(python);
        bare.args(["-c", "import awslambdaric.bootstrap, awslambdaric.__main__"]).stdin(Stdio::null());
        let status = bare.stdout(Stdio::null()).status().map_err(|error| error.to_string())?;
        theirs.push(start.elapsed());
        if !status.success() {
            return Err(format!("{python} does not import the client"));
        }
    }
    let (ours, theirs) = (median(&mut ours), median(&mut theirs));
    let ratio = ours.as_secs_f64() / theirs.as_secs_f64();
    let is_reached = ours <= theirs + Duration::from_millis(15);
    let figure =
        Figure::plain("cold function of Python, request to answer", micros(ours)).beside(micros(theirs), ratio);
    Ok(figure
        .goal("≤ +15 ms", is_reached)
        .note("beside the interpreter alone that imports the client; in its sandbox, through the pipeline"))
}

async fn rust(data: &Path) -> Result<Vec<Figure>, String> {
    let work = "warm function of Rust over HTTP, requests a second";
    let (Ok(program), Ok(watch)) = (std::env::var(PROGRAM), std::env::var(WATCH)) else {
        return Ok(vec![Figure::skipped(work, format!("`{PROGRAM}` and `{WATCH}` name none"))]);
    };
    let Some(wrk) = load::find("wrk") else { return Ok(vec![Figure::skipped(work, load::missing("wrk"))]) };
    let watch: SocketAddr = watch.parse().map_err(|_| format!("`{WATCH}` is no address"))?;
    let folder = records::folder(data)?;
    let (host, _functions) = application(folder.path(), &[&program]).await?;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.map_err(|error| error.to_string())?;
    let address = listener.local_addr().map_err(|error| error.to_string())?;
    let options = HttpOptions::new(Tenants::Only(Tenant::only()));
    tokio::spawn(http::serve(host, options, listener, std::future::pending()));
    let least = least(&program, folder.path()).await?;
    let scratch = folder.path().to_owned();
    let rounds = tokio::task::spawn_blocking(move || {
        let rate = |address, path| load::post(&wrk, &scratch, address, path, 3).map(|load| load.per_s);
        let round = |_| {
            let (ours, floor) = (rate(address, "/api/echo")?, rate(least, LEAST_PATH)?);
            let theirs = rate(watch, WATCH_PATH)?;
            Ok::<_, String>(((ours, theirs), (floor, theirs)))
        };
        (0..ROUNDS).map(round).collect::<Result<(Vec<_>, Vec<_>), _>>()
    });
    let (ours, floor) = rounds.await.map_err(|error| error.to_string())??;
    let row = |work: &str, (ours, theirs, ratio): (f64, f64, f64)| {
        Figure::plain(work, format!("{ours:.0}")).beside(format!("{theirs:.0}"), ratio)
    };
    let (ours, floor) = (middle(ours), middle(floor));
    let theirs = ours.1;
    let ours = row(work, ours)
        .goal("≥ 5×", ours.2 >= 5.0)
        .note(format!("beside `cargo lambda watch` with the same function; {}", load::SHAPE));
    let floor = row("the least host of it over HTTP, requests a second", floor).note(
        "the floor: bare axum before as many processes, unconfined, at servers in Rust that only hand out and take",
    );
    let alone = clients_alone(&program, folder.path()).await?;
    let alone = row("its client alone, invocations a second", (alone, theirs, alone / theirs))
        .note("the same without HTTP in front: each process at its own task");
    Ok(vec![ours, floor, alone])
}

/// The least that a host can be: bare axum that gives each request to a client that waits.
async fn least(program: &str, folder: &Path) -> Result<SocketAddr, String> {
    let mut clients = Vec::new();
    for _ in 0..PROCESSES {
        clients.push(stub::Stub::start(program, &[], folder).await?);
    }
    let (free, clients) = (Arc::new(Semaphore::new(PROCESSES)), Arc::new(Mutex::new(clients)));
    let answer = async move |_: Bytes| {
        let failed = StatusCode::INTERNAL_SERVER_ERROR;
        let permit = free.clone().acquire_owned().await.map_err(|_| failed)?;
        let client = clients.lock().ok().and_then(|mut clients| clients.pop());
        let (mut client, clients) = (client.ok_or(failed)?, clients.clone());
        // To its end also where the caller leaves.
        let called = tokio::spawn(async move {
            client.call().await.map_err(|_| failed)?;
            clients.lock().map_err(|_| failed)?.push(client);
            drop(permit);
            Ok::<_, StatusCode>(())
        });
        called.await.map_err(|_| failed)??;
        Ok::<_, StatusCode>(([(CONTENT_TYPE, "application/json")], "\"hello\""))
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.map_err(|error| error.to_string())?;
    let address = listener.local_addr().map_err(|error| error.to_string())?;
    tokio::spawn(axum::serve(listener, Router::new().route(LEAST_PATH, post(answer))).into_future());
    Ok(address)
}

/// What the function's own client can do on this machine, at the least that a server can be.
async fn clients_alone(program: &str, folder: &Path) -> Result<f64, String> {
    let mut clients = JoinSet::new();
    for _ in 0..PROCESSES {
        let mut client = stub::Stub::start(program, &[], folder).await?;
        clients.spawn(async move {
            let (start, mut count) = (Instant::now(), 0_u32);
            while start.elapsed() < Duration::from_secs(ALONE_S) {
                client.call().await?;
                count += 1;
            }
            Ok::<_, String>(f64::from(count) / start.elapsed().as_secs_f64())
        });
    }
    clients.join_all().await.into_iter().sum()
}
