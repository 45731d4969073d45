//! From errors of the object store and the operating system to faults.

use callboard::Fault;
use std::error::Error;
use std::io::{self, ErrorKind};
use std::path::Path;

/// What the caller hears of an error of the operating system.
pub(super) fn from_io(operation: &str, key: &str, error: io::Error) -> Fault {
    fault(operation, key, Some(error.kind()), &error)
}

/// What the caller hears where a file of this machine cannot become a blob.
pub(super) fn from_source(key: &str, source: &Path, error: io::Error) -> Fault {
    match error.kind() {
        ErrorKind::NotFound | ErrorKind::InvalidInput => {
            Fault::bug(format!("{} cannot be stored as {key}: {error}", source.display()))
        }
        _ => from_io("put_file", key, error),
    }
}

/// What the caller hears of an error of the object store.
pub(super) fn from_store(operation: &str, key: &str, error: object_store::Error) -> Fault {
    fault(operation, key, io_kind(&error), &error)
}

/// There is no such blob.
pub(super) fn missing(key: &str) -> Fault {
    Fault::not_found("blob.missing", "there is nothing under this key; it may have been removed")
        .detail(format!("key: {key}"))
}

/// Whether the error says that there is no such blob. A blob has nothing below it, so `a/b` is missing where `a` is one.
pub(super) fn is_missing(error: &object_store::Error) -> bool {
    matches!(error, object_store::Error::NotFound { .. }) || io_kind(error) == Some(ErrorKind::NotADirectory)
}

/// Whether a write failed because its folder was pruned between two steps of it.
pub(super) fn is_folder_gone(error: &object_store::Error) -> bool {
    io_kind(error) == Some(ErrorKind::NotFound)
}

fn fault(operation: &str, key: &str, kind: Option<ErrorKind>, error: &dyn Error) -> Fault {
    let fault = match kind {
        Some(ErrorKind::StorageFull | ErrorKind::QuotaExceeded) => {
            Fault::unavailable("disk.full", "the disk is full; free some space and resume the upload")
        }
        Some(ErrorKind::NotADirectory | ErrorKind::IsADirectory | ErrorKind::DirectoryNotEmpty) => {
            Fault::bad_input("blob.key", "a blob has nothing below it; choose a key beside it")
        }
        _ => {
            Fault::unavailable("blob.unavailable", "stored files cannot be used at this moment; try again in a minute")
        }
    };
    fault.detail(format!("{operation} {key}: {}", chain(error)))
}

/// The kind of the operating system's error underneath.
fn io_kind(error: &object_store::Error) -> Option<ErrorKind> {
    let mut causes = std::iter::successors(Some(error as &(dyn Error + 'static)), |error| (*error).source());
    causes.find_map(|error| error.downcast_ref::<io::Error>()).map(io::Error::kind)
}

/// The error with its causes, each said once.
fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let said = error.to_string();
        if !text.contains(&said) {
            text = format!("{text}: {said}");
        }
        cause = error.source();
    }
    text
}
