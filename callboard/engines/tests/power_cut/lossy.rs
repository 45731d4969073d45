//! A disk below SQLite that keeps what was synced and, at a power cut, only some of what was not: whole writes are
//! dropped, and of others only the first sectors arrive. It changes the write, truncate and sync of SQLite's own file
//! layer; everything else stays as it is.

use rusqlite::ffi;
use std::collections::HashMap;
use std::ffi::{CStr, c_char, c_int, c_void};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, Once, PoisonError};

/// What a disk keeps of a write that is cut in two comes in sectors of so many bytes.
const SECTOR_BYTES: usize = 512;

/// A change that the disk was told of and not yet told to keep.
enum Change {
    Write { offset: usize, bytes: Vec<u8> },
    Truncate { length: usize },
}

/// A file: what is safely on the disk, and what came after.
#[derive(Default)]
struct OnDisk {
    safe: Vec<u8>,
    is_there: bool,
    pending: Vec<Change>,
}

/// The files of one folder, and when its power is cut.
struct Disk {
    files: HashMap<PathBuf, OnDisk>,
    operations: u64,
    cut_at: u64,
    random: u64,
    is_cut: bool,
}

#[derive(Default)]
struct Layer {
    disks: HashMap<PathBuf, Disk>,
    open: HashMap<usize, Open>,
    methods: HashMap<usize, usize>,
    default: Option<(OpenFile, DeleteFile)>,
}

/// An open file of SQLite, by the address of its handle.
struct Open {
    path: PathBuf,
    original: usize,
}

type OpenFile =
    unsafe extern "C" fn(*mut ffi::sqlite3_vfs, *const c_char, *mut ffi::sqlite3_file, c_int, *mut c_int) -> c_int;

type DeleteFile = unsafe extern "C" fn(*mut ffi::sqlite3_vfs, *const c_char, c_int) -> c_int;

static LAYER: Mutex<Option<Layer>> = Mutex::new(None);
static REGISTER: Once = Once::new();

fn locked() -> MutexGuard<'static, Option<Layer>> {
    LAYER.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Puts a disk below a folder whose power is cut at its `cut_at`th write, truncation or sync. A seed decides what stays.
pub(crate) fn insert(folder: &Path, cut_at: u64, seed: u64) {
    REGISTER.call_once(register);
    let disk = Disk { files: HashMap::new(), operations: 0, cut_at, random: seed, is_cut: false };
    if let Some(layer) = locked().as_mut() {
        layer.disks.insert(folder.to_owned(), disk);
    }
}

/// Whether the power of this folder is off. What was acknowledged before this says yes was acknowledged with power.
pub(crate) fn is_cut(folder: &Path) -> bool {
    locked().as_ref().and_then(|layer| layer.disks.get(folder)).is_some_and(|disk| disk.is_cut)
}

/// Writes what the disk kept into another folder, cutting the power now where it is still on.
pub(crate) fn salvage(folder: &Path, into: &Path) {
    let mut layer = locked();
    let Some(mut disk) = layer.as_mut().and_then(|layer| layer.disks.remove(folder)) else { return };
    if !disk.is_cut {
        disk.cut();
    }
    for (path, file) in disk.files.iter().filter(|(_, file)| file.is_there) {
        let name = path.file_name().expect("a file has a name");
        fs::write(into.join(name), &file.safe).expect("the folder takes files");
    }
}

impl Disk {
    fn changed(&mut self, path: &Path, change: Change) {
        if self.is_on() {
            self.files.entry(path.to_owned()).or_default().pending.push(change);
        }
    }

    fn synced(&mut self, path: &Path) {
        if self.is_on() {
            let file = self.files.entry(path.to_owned()).or_default();
            file.is_there = true;
            for change in std::mem::take(&mut file.pending) {
                apply(&mut file.safe, change);
            }
        }
    }

    fn is_on(&mut self) -> bool {
        self.operations += 1;
        if !self.is_cut && self.operations >= self.cut_at {
            self.cut();
        }
        !self.is_cut
    }

    /// Of what was not synced some arrives whole, some in part, some not at all.
    fn cut(&mut self) {
        self.is_cut = true;
        let mut paths: Vec<PathBuf> = self.files.keys().cloned().collect();
        paths.sort();
        for path in paths {
            for change in self.files.get_mut(&path).map(|file| std::mem::take(&mut file.pending)).unwrap_or_default() {
                let luck = self.luck();
                let Some(file) = self.files.get_mut(&path) else { continue };
                match change {
                    Change::Write { offset, mut bytes } if luck == 1 => {
                        bytes.truncate(bytes.len() / 2 / SECTOR_BYTES * SECTOR_BYTES);
                        apply(&mut file.safe, Change::Write { offset, bytes });
                    }
                    change if luck == 2 => apply(&mut file.safe, change),
                    _ => {}
                }
            }
        }
    }

    fn luck(&mut self) -> u64 {
        self.random = self.random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.random >> 33) % 4
    }
}

fn apply(safe: &mut Vec<u8>, change: Change) {
    match change {
        Change::Truncate { length } => safe.truncate(length),
        Change::Write { offset, bytes } => {
            let end = offset + bytes.len();
            if safe.len() < end {
                safe.resize(end, 0);
            }
            safe[offset..end].copy_from_slice(&bytes);
        }
    }
}

/// Tells the disk below an open file, and gives the methods that really do it.
fn tell(file: *mut ffi::sqlite3_file, what: impl FnOnce(&mut Disk, &Path)) -> *const ffi::sqlite3_io_methods {
    let mut layer = locked();
    let Some(Layer { disks, open, .. }) = layer.as_mut() else { return std::ptr::null() };
    let Some(Open { path, original }) = open.get(&(file as usize)) else { return std::ptr::null() };
    if let Some(disk) = path.parent().and_then(|folder| disks.get_mut(folder)) {
        what(disk, path);
    }
    *original as *const ffi::sqlite3_io_methods
}

#[expect(unsafe_code, reason = "SQLite's file layer is a table of C functions")]
mod hooks {
    use super::*;

    pub(super) fn register() {
        // SAFETY: the layer that SQLite starts with lives as long as the process, and so does the leaked copy, which
        // has the same shape and opens files of the same size.
        unsafe {
            let default = ffi::sqlite3_vfs_find(std::ptr::null());
            let mut copy = *default;
            let default = copy.xOpen.zip(copy.xDelete);
            *locked() = Some(Layer { default, ..Layer::default() });
            copy.xOpen = Some(open_file);
            copy.xDelete = Some(delete_file);
            copy.zName = c"lossy".as_ptr();
            copy.pNext = std::ptr::null_mut();
            assert_eq!(ffi::sqlite3_vfs_register(Box::leak(Box::new(copy)), 1), ffi::SQLITE_OK);
        }
    }

    unsafe extern "C" fn open_file(
        vfs: *mut ffi::sqlite3_vfs,
        name: *const c_char,
        file: *mut ffi::sqlite3_file,
        flags: c_int,
        out: *mut c_int,
    ) -> c_int {
        let (open, _) = locked().as_ref().and_then(|layer| layer.default).expect("it is registered");
        // SAFETY: the arguments are SQLite's, handed on as they came; a file that was opened has its methods set.
        unsafe {
            let code = open(vfs, name, file, flags, out);
            if code == ffi::SQLITE_OK && !name.is_null() && !(*file).pMethods.is_null() {
                let path = PathBuf::from(CStr::from_ptr(name).to_string_lossy().into_owned());
                let original = (*file).pMethods as usize;
                let mut layer = locked();
                let Some(layer) = layer.as_mut() else { return code };
                let ours = *layer.methods.entry(original).or_insert_with(|| {
                    let mut methods = *(*file).pMethods;
                    methods.xWrite = Some(write);
                    methods.xTruncate = Some(truncate);
                    methods.xSync = Some(sync);
                    methods.xClose = Some(close);
                    std::ptr::from_mut(Box::leak(Box::new(methods))) as usize
                });
                layer.open.insert(file as usize, Open { path, original });
                (*file).pMethods = ours as *const ffi::sqlite3_io_methods;
            }
            code
        }
    }

    /// SQLite has the folder synced when it deletes a journal, so what it deletes is gone at once.
    unsafe extern "C" fn delete_file(vfs: *mut ffi::sqlite3_vfs, name: *const c_char, sync_folder: c_int) -> c_int {
        let (_, delete) = locked().as_ref().and_then(|layer| layer.default).expect("it is registered");
        // SAFETY: the arguments are SQLite's, handed on as they came; a file to delete has a name.
        unsafe {
            let path = PathBuf::from(CStr::from_ptr(name).to_string_lossy().into_owned());
            if let Some(layer) = locked().as_mut()
                && let Some(disk) = path.parent().and_then(|folder| layer.disks.get_mut(folder))
                && disk.is_on()
            {
                disk.files.remove(&path);
            }
            delete(vfs, name, sync_folder)
        }
    }

    unsafe extern "C" fn write(file: *mut ffi::sqlite3_file, from: *const c_void, length: c_int, offset: i64) -> c_int {
        // SAFETY: SQLite gives `length` readable bytes, and the methods are those of this file.
        unsafe {
            let bytes = std::slice::from_raw_parts(from.cast::<u8>(), length as usize).to_vec();
            let change = Change::Write { offset: offset as usize, bytes };
            let methods = tell(file, |disk, path| disk.changed(path, change));
            (*methods).xWrite.expect("files are written")(file, from, length, offset)
        }
    }

    unsafe extern "C" fn truncate(file: *mut ffi::sqlite3_file, size: i64) -> c_int {
        let change = Change::Truncate { length: size as usize };
        let methods = tell(file, |disk, path| disk.changed(path, change));
        // SAFETY: the methods are those of this file.
        unsafe { (*methods).xTruncate.expect("files are cut")(file, size) }
    }

    unsafe extern "C" fn sync(file: *mut ffi::sqlite3_file, _: c_int) -> c_int {
        // The test's own disk need not sync: nobody cuts its power.
        tell(file, Disk::synced);
        ffi::SQLITE_OK
    }

    unsafe extern "C" fn close(file: *mut ffi::sqlite3_file) -> c_int {
        let methods = tell(file, |_, _| ());
        if let Some(layer) = locked().as_mut() {
            layer.open.remove(&(file as usize));
        }
        // SAFETY: the methods are those of this file.
        unsafe { (*methods).xClose.expect("files are closed")(file) }
    }
}

use hooks::register;
