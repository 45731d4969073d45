//! The floor under every committed write: what this disk takes to make a small append durable.

use super::{Row, Site};
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;
use std::time::{Duration, Instant};

const WRITES: usize = 300;
const BLOCK: [u8; 4096] = [0x5a; 4096];

/// Time of `fdatasync` after appending one block, in this process.
pub(crate) fn measure(site: &Site) -> Result<Vec<Row>, String> {
    let path = site.data.join("floor.bin");
    let times = append(&path);
    // Left behind when it cannot be removed; the next run overwrites it.
    let _ = fs::remove_file(&path);
    let mut times = times.map_err(|error| format!("cannot write {}: {error}", path.display()))?;
    times.sort_unstable();
    let row = |work: &str, time: Duration| Row::new(work, format!("{} µs", time.as_micros()));
    Ok(vec![
        row("append 4 KiB and fdatasync, median", times[times.len() / 2]),
        row("append 4 KiB and fdatasync, 99 of 100", times[times.len() * 99 / 100]),
    ])
}

fn append(path: &Path) -> io::Result<Vec<Duration>> {
    let mut file = File::create(path)?;
    let mut times = Vec::with_capacity(WRITES);
    for _ in 0..WRITES {
        let start = Instant::now();
        file.write_all(&BLOCK)?;
        file.sync_data()?;
        times.push(start.elapsed());
    }
    Ok(times)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_write_is_timed_and_durable() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("floor.bin");
        let times = append(&path).unwrap();
        assert_eq!((times.len(), fs::metadata(&path).unwrap().len()), (WRITES, (WRITES * BLOCK.len()) as u64));
    }

    #[test]
    fn the_file_is_removed_and_a_missing_folder_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let site = Site {
            root: ".".into(),
            binary: "showrunner".into(),
            data: folder.path().to_path_buf(),
            peers: ".".into(),
        };
        assert_eq!(measure(&site).unwrap().len(), 2);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
        let gone = Site { data: folder.path().join("gone"), ..site };
        assert!(measure(&gone).err().unwrap().starts_with("cannot write"));
    }
}
