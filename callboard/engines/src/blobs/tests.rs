//! What blobs in a folder do beyond what every engine does.

use super::conformance::{conforms, read};
use super::*;
use std::os::unix::fs::MetadataExt;
use std::process::Command;
use tempfile::TempDir;

fn local() -> (LocalBlobs, TempDir) {
    let folder = tempfile::tempdir().expect("a folder");
    (LocalBlobs::open(&folder.path().join("blobs")).expect("blobs"), folder)
}

conforms!(in_a_folder, crate::blobs::tests::local());
conforms!(in_memory, (crate::blobs::LocalBlobs::in_memory(), ()));

/// Every name below the folder, staged ones too.
fn names(folder: &Path) -> Vec<String> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        names.push(path.file_name().expect("a name").to_string_lossy().into_owned());
        if path.is_dir() {
            names.extend(self::names(&path));
        }
    }
    names.sort();
    names
}

#[tokio::test]
async fn removing_the_last_blob_leaves_no_folder_behind() {
    let (blobs, folder) = local();
    blobs.put("u/1/2/3/a", Bytes::from_static(b"x")).await.expect("it is stored");
    blobs.put("u/1/b", Bytes::from_static(b"x")).await.expect("it is stored");
    blobs.remove("u/1/2/3/a").await.expect("it goes");
    assert_eq!(names(folder.path()), ["1", "b", "blobs", "u"]);
    blobs.remove("u/1").await.expect("it goes");
    assert_eq!(names(folder.path()), ["blobs"]);
}

#[tokio::test]
async fn a_file_on_the_same_disk_is_linked_and_nothing_staged_remains() {
    let (blobs, folder) = local();
    let file = folder.path().join("file");
    std::fs::write(&file, "x").expect("a file");
    for _ in 0..3 {
        blobs.put_file("v/a", &file).await.expect("it is stored");
    }
    let inode = |path: &Path| std::fs::metadata(path).expect("a file").ino();
    assert_eq!(inode(&blobs.file("v/a").expect("a path")), inode(&file));
    assert_eq!(names(folder.path()), ["a", "blobs", "file", "v"]);
}

#[tokio::test]
async fn a_file_of_another_disk_is_copied() {
    let (blobs, folder) = local();
    let Ok(other) = tempfile::tempdir_in("/dev/shm") else { return };
    let device = |path: &Path| std::fs::metadata(path).expect("a folder").dev();
    if device(other.path()) == device(folder.path()) {
        return;
    }
    let file = other.path().join("file");
    std::fs::write(&file, "from elsewhere").expect("a file");
    blobs.put_file("v/a", &file).await.expect("it is stored");
    assert_eq!(read(&blobs, "v/a", None).await, Ok("from elsewhere".into()));
    assert_eq!(names(folder.path()), ["a", "blobs", "v"]);
}

#[tokio::test]
async fn a_link_to_a_file_outside_is_never_adopted() {
    let (blobs, folder) = local();
    let link = folder.path().join("link");
    std::os::unix::fs::symlink("/etc/passwd", &link).expect("a link");
    assert_eq!(blobs.put_file("a", &link).await.map_err(|fault| fault.code), Err("bug"));
    assert_eq!(blobs.meta("a").await, Ok(None));
}

#[tokio::test]
async fn a_blob_where_a_folder_is_needed_is_refused_and_stays() {
    let (blobs, folder) = local();
    let file = folder.path().join("file");
    std::fs::write(&file, "x").expect("a file");
    blobs.put("a", Bytes::from_static(b"kept")).await.expect("it is stored");
    blobs.put("d/e", Bytes::from_static(b"kept")).await.expect("it is stored");
    for key in ["a/b", "a/b/c", "d"] {
        assert_eq!(blobs.put(key, Bytes::new()).await.map_err(|fault| fault.code), Err("blob.key"), "{key}");
        assert_eq!(blobs.put_file(key, &file).await.map_err(|fault| fault.code), Err("blob.key"), "{key}");
    }
    assert_eq!(read(&blobs, "a", None).await, Ok("kept".into()));
    assert_eq!(names(folder.path()), ["a", "blobs", "d", "e", "file"]);
}

#[tokio::test]
async fn what_a_crash_left_half_written_is_not_listed_and_goes_with_its_blob() {
    let (blobs, folder) = local();
    blobs.put("u/a", Bytes::from_static(b"x")).await.expect("it is stored");
    std::fs::write(folder.path().join("blobs/u/a#1"), "half").expect("a file");
    std::fs::write(folder.path().join("blobs/u/a#2"), "half").expect("a file");
    assert_eq!(blobs.list("u").await.expect("a list").len(), 1);
    blobs.remove("u/a").await.expect("it goes");
    assert_eq!(names(folder.path()), ["blobs"]);
}

#[tokio::test]
async fn a_blob_that_shrank_under_a_reader_is_an_error_and_not_a_short_answer() {
    let (blobs, _folder) = local();
    blobs.put("a", vec![1; 400_000].into()).await.expect("it is stored");
    let mut bytes = blobs.read("a", None).await.expect("it is there");
    std::fs::write(blobs.file("a").expect("a path"), "short").expect("a file");
    let mut outcome = Ok(());
    while let (Ok(()), Some(chunk)) = (&outcome, bytes.next().await) {
        outcome = chunk.map(drop);
    }
    assert_eq!(outcome.map_err(|fault| fault.code), Err("blob.unavailable"));
    assert!(bytes.next().await.is_none());
}

#[test]
fn a_full_disk_is_named_whatever_layer_meets_it() {
    let full = || std::io::Error::from(std::io::ErrorKind::StorageFull);
    let wrapped = object_store::Error::Generic { store: "x", source: Box::new(full()) };
    assert_eq!(fault::from_io("put", "a", full()).code, "disk.full");
    assert_eq!(fault::from_store("put", "a", wrapped).code, "disk.full");
}

/// Runs the test below in this same program, on a disk of 256 KiB that only that process sees.
#[test]
fn a_full_disk_is_said_and_what_was_stored_stays() {
    let folder = tempfile::tempdir().expect("a folder");
    let program = std::env::current_exe().expect("this program");
    let script = "mount -t tmpfs -o size=256k small \"$SMALL_DISK\" || exit 99; exec \"$0\" --exact --ignored --nocapture \
        blobs::tests::on_a_small_disk";
    let mut command = Command::new("unshare");
    command
        .args(["--user", "--map-root-user", "--mount", "sh", "-c", script])
        .arg(program)
        .env("SMALL_DISK", folder.path());
    let Ok(output) = command.output() else { return };
    if output.status.code() == Some(99) || String::from_utf8_lossy(&output.stderr).contains("unshare") {
        return;
    }
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && text.contains("1 passed"), "{text}{}", String::from_utf8_lossy(&output.stderr));
}

#[tokio::test]
#[ignore = "runs on the small disk that the test above mounts"]
async fn on_a_small_disk() {
    let disk = PathBuf::from(std::env::var_os("SMALL_DISK").expect("the folder of the small disk"));
    let blobs = LocalBlobs::open(&disk.join("blobs")).expect("blobs");
    let kept = Bytes::from(vec![7; 100_000]);
    blobs.put("u/1", kept.clone()).await.expect("it fits");
    let file = tempfile::NamedTempFile::new_in("/tmp").expect("a file of another disk");
    std::fs::write(file.path(), vec![1; 300_000]).expect("a file");
    for _ in 0..3 {
        let fault = blobs.put("u/2", vec![1; 300_000].into()).await.expect_err("it does not fit");
        assert_eq!((fault.code, fault.is_retryable()), ("disk.full", true));
        let fault = blobs.put_file("u/3", file.path()).await.expect_err("it does not fit");
        assert_eq!((fault.code, fault.is_retryable()), ("disk.full", true));
    }
    assert_eq!(names(&disk), ["1", "blobs", "u"]);
    assert!(read(&blobs, "u/1", None).await.expect("it is there") == kept);
    blobs.put("u/2", vec![1; 100_000].into()).await.expect("what fits is still taken");
}
