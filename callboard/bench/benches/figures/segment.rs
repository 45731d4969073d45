//! A segment of 1.5 MB through the delivery of media, beside nginx with the same file.

use crate::figure::{Figure, middle};
use crate::load;
use crate::records;
use crate::served::{CALLBOARD, Server};
use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

const BYTES: usize = 1_500_000;
const ROUNDS: usize = 5;
const PATH: &str = "/media/asset/full-1/v0/seg_1.m4s";
const KEY: &str = "media/demo/asset/full-1/v0/seg_1.m4s";
const MARKER: &str = "public/demo/asset/full-1";

pub(crate) fn measure(data: &Path) -> Result<Vec<Figure>, String> {
    let work = "segment of 1.5 MB, throughput";
    let skip = |name| Ok(vec![Figure::skipped(work, load::missing(name))]);
    let Some(wrk) = load::find("wrk") else { return skip("wrk") };
    let Some(nginx) = load::find("nginx") else { return skip("nginx") };
    let folder = records::folder(data)?;
    let blobs = folder.path().join("blobs");
    let root = folder.path().join("nginx");
    let segment: Vec<u8> =
        (0..BYTES as u64).map(|at| (at.wrapping_mul(2_654_435_761) >> 13).to_le_bytes()[0]).collect();
    for (file, bytes) in [
        (blobs.join(KEY), segment.as_slice()),
        (blobs.join(MARKER), b"".as_slice()),
        (root.join(PATH.trim_start_matches('/')), segment.as_slice()),
    ] {
        let parent = file.parent().ok_or("a file is in a folder")?;
        fs::create_dir_all(parent).and_then(|()| fs::write(&file, bytes)).map_err(|error| error.to_string())?;
    }
    let ours = Server::start(CALLBOARD, folder.path())?;
    let peer = Nginx::start(&nginx, folder.path(), &root)?;
    for address in [ours.address, peer.address] {
        let (status, body) = load::get(address, PATH)?;
        if status != "HTTP/1.1 200 OK" || body != segment {
            return Err(format!("{address} answers {status} with {} bytes", body.len()));
        }
        load::run(&wrk, address, PATH, 1)?;
    }
    let rate = |address| load::run(&wrk, address, PATH, 3).map(|load| load.per_s * BYTES as f64 / 1e6);
    let mut rates = Vec::new();
    for _ in 0..ROUNDS {
        rates.push((rate(ours.address)?, rate(peer.address)?));
    }
    let (ours, peer, ratio) = middle(rates);
    let figure = Figure::plain(work, format!("{ours:.0} MB/s")).beside(format!("{peer:.0} MB/s"), ratio);
    let note = format!("{}; nginx with sendfile and a worker for each core", load::SHAPE);
    Ok(vec![figure.goal("≥ 0.8×", ratio >= 0.8).note(note)])
}

/// The peer; it ends when this is dropped.
struct Nginx {
    child: Child,
    address: SocketAddr,
}

impl Nginx {
    fn start(program: &PathBuf, folder: &Path, root: &Path) -> Result<Self, String> {
        let address = free_address().map_err(|error| error.to_string())?;
        let file = folder.join("nginx.conf");
        fs::write(&file, settings(address, folder, root)).map_err(|error| error.to_string())?;
        let mut command = Command::new(program);
        command
            .arg("-p")
            .arg(folder)
            .arg("-c")
            .arg(&file)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let child = command.spawn().map_err(|error| format!("cannot start nginx: {error}"))?;
        let server = Self { child, address };
        let start = Instant::now();
        while TcpStream::connect(address).is_err() {
            if start.elapsed() > Duration::from_secs(5) {
                return Err("nginx does not start".to_owned());
            }
            thread::sleep(Duration::from_millis(10));
        }
        Ok(server)
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        // A polite end, so that its workers end with it.
        drop(Command::new("kill").args(["-s", "TERM", &self.child.id().to_string()]).status());
        drop(self.child.wait());
    }
}

fn free_address() -> std::io::Result<SocketAddr> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()
}

fn settings(address: SocketAddr, folder: &Path, root: &Path) -> String {
    let (folder, root) = (folder.display(), root.display());
    // The workers read what this user wrote.
    let user =
        Command::new("id").arg("-un").output().map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
    let user = user.ok().filter(|name| name == "root").map(|name| format!("user {name};\n")).unwrap_or_default();
    format!(
        "{user}daemon off;\nworker_processes auto;\npid {folder}/nginx.pid;\nerror_log {folder}/nginx.log crit;\n\
         events {{ worker_connections 1024; }}\n\
         http {{\n  access_log off;\n  sendfile on;\n  tcp_nopush on;\n  keepalive_requests 1000000;\n\
         \x20 types {{ video/iso.segment m4s; }}\n  client_body_temp_path {folder}/body;\n  proxy_temp_path {folder}/proxy;\n\
         \x20 fastcgi_temp_path {folder}/fastcgi;\n  uwsgi_temp_path {folder}/uwsgi;\n  scgi_temp_path {folder}/scgi;\n\
         \x20 server {{ listen {address}; root {root}; }}\n}}\n"
    )
}
