//! Hears of files that change in folders, within milliseconds.

use rustix::fs::inotify::{self, CreateFlags, ReadFlags, WatchFlags};
use std::collections::HashMap;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::io::unix::AsyncFd;

/// Most folders that are watched.
const FOLDERS_MAX: usize = 512;
/// What changes together is told together.
const TOGETHER_MS: u64 = 15;
/// Folders in which programs write, and no author.
const NOBODYS: &[&str] = &["node_modules", "__pycache__", "target", "venv"];

/// Folders that are watched, with those below.
pub struct Watch {
    queue: AsyncFd<OwnedFd>,
    folders: HashMap<i32, PathBuf>,
}

impl Watch {
    /// Begins to watch. Hidden folders, and those in which programs write, are left out.
    ///
    /// # Errors
    /// Where the system watches no more.
    #[expect(deprecated, reason = "its successor is unsafe; an `OwnedFd` keeps what it asks for")]
    pub fn new(folders: &[PathBuf]) -> io::Result<Self> {
        let queue = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK)?;
        let mut watch = Self { queue: AsyncFd::new(queue)?, folders: HashMap::new() };
        folders.iter().try_for_each(|folder| watch.add(folder))?;
        Ok(watch)
    }

    fn add(&mut self, folder: &Path) -> io::Result<()> {
        let mut rest = vec![folder.to_owned()];
        while let Some(folder) = rest.pop().filter(|_| self.folders.len() < FOLDERS_MAX) {
            let moved = WatchFlags::MOVED_FROM | WatchFlags::MOVED_TO;
            let flags = moved | WatchFlags::CLOSE_WRITE | WatchFlags::CREATE | WatchFlags::DELETE;
            let at = inotify::add_watch(self.queue.get_ref(), &folder, flags | WatchFlags::ONLYDIR)?;
            let entries = std::fs::read_dir(&folder).into_iter().flatten().flatten();
            rest.extend(
                entries
                    .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
                    .map(|entry| entry.path())
                    .filter(|path| is_authors(path)),
            );
            self.folders.insert(at, folder);
        }
        Ok(())
    }

    /// Waits until something changes; gives every file that did.
    ///
    /// # Errors
    /// Where the system tells no more.
    pub async fn changed(&mut self) -> io::Result<Vec<PathBuf>> {
        loop {
            let mut changed = self.read().await?;
            if changed.is_empty() {
                continue;
            }
            // An editor that saves does several things at once.
            while let Ok(more) = tokio::time::timeout(Duration::from_millis(TOGETHER_MS), self.read()).await {
                changed.extend(more?);
            }
            changed.sort();
            changed.dedup();
            return Ok(changed);
        }
    }

    async fn read(&mut self) -> io::Result<Vec<PathBuf>> {
        let (mut changed, mut made) = (Vec::new(), Vec::new());
        {
            let mut ready = self.queue.readable().await?;
            let mut buffer = [MaybeUninit::uninit(); 4096];
            let mut events = inotify::Reader::new(ready.get_inner(), &mut buffer);
            loop {
                match events.next() {
                    Ok(event) => {
                        let name = event.file_name().map(|name| name.to_string_lossy().into_owned());
                        let Some(path) =
                            self.folders.get(&event.wd()).zip(name).map(|(folder, name)| folder.join(name))
                        else {
                            continue;
                        };
                        match is_authors(&path) {
                            true if event.events().contains(ReadFlags::ISDIR) => made.push(path),
                            // A file that was only made is not written yet.
                            true if !event.events().contains(ReadFlags::CREATE) => changed.push(path),
                            _ => {}
                        }
                    }
                    Err(rustix::io::Errno::WOULDBLOCK) => break,
                    Err(error) => return Err(error.into()),
                }
            }
            ready.clear_ready();
        }
        for folder in made {
            // It may be gone again.
            drop(self.add(&folder));
            changed.push(folder);
        }
        Ok(changed)
    }
}

fn is_authors(path: &Path) -> bool {
    path.file_name()
        .and_then(|name| name.to_str())
        .is_some_and(|name| !name.starts_with('.') && !NOBODYS.contains(&name) && !name.ends_with('~'))
}
