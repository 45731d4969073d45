//! Keys of blobs: one spelling each, nothing that climbs, and the same in every store.

use callboard::Fault;
use object_store::path::Path;

/// Longest key.
const KEY_BYTES_MAX: usize = 1024;
/// Longest segment; a file name has 255 bytes, and a file that is being written a longer one.
const SEGMENT_BYTES_MAX: usize = 200;

/// Checks a key and gives the object store's form of it, which is the same text.
pub(super) fn check(key: &str) -> Result<Path, Fault> {
    if key.len() > KEY_BYTES_MAX {
        return Err(refused("a key has at most 1024 bytes", key));
    }
    key.split('/').try_for_each(|segment| check_segment(segment).map_err(|rule| refused(rule, key)))?;
    Path::parse(key).map_err(|error| refused("the object store does not take this key", key).detail(error.to_string()))
}

fn check_segment(segment: &str) -> Result<(), &'static str> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.=+@".contains(&byte);
    match segment {
        "" => Err("a key has no empty segment"),
        "." | ".." => Err("a key has no segment `.` or `..`"),
        _ if segment.len() > SEGMENT_BYTES_MAX => Err("a segment of a key has at most 200 bytes"),
        _ if !segment.bytes().all(is_plain) => Err("a key has only the letters a-z and A-Z, digits, and `-_.=+@`"),
        _ => Ok(()),
    }
}

fn refused(rule: &'static str, key: &str) -> Fault {
    Fault::bad_input("blob.key", rule).detail(format!("key: {key:?}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn keys_as_services_make_them_pass() {
        for key in ["media/demo/0198-ab_c/v1/360p/seg.00001.m4s", "a", ".hidden", "...", "a@b/c+d=e"] {
            assert_eq!(check(key).expect("a key").as_ref(), key);
        }
    }

    #[test]
    fn keys_that_climb_hide_or_have_two_spellings_are_refused() {
        let long = "x".repeat(SEGMENT_BYTES_MAX + 1);
        let deep = "x/".repeat(KEY_BYTES_MAX / 2) + "x";
        let bad = [
            "", "/", "/a", "a/", "a//b", ".", "..", "../a", "a/../b", "a/./b", "a\\b", "a/..\\b", "a\0b", "a\nb",
            "%2e%2e/a", "a%2fb", "a#1", "é", "a b", "C:/a", "~/a", &long, &deep,
        ];
        for key in bad {
            assert_eq!(check(key).map_err(|fault| fault.code), Err("blob.key"), "{key:?} should be refused");
        }
    }

    proptest! {
        #[test]
        fn a_key_that_passes_stays_below_its_folder(key in "[a./\\\\%#~\0-]{0,12}") {
            if let Ok(path) = check(&key) {
                prop_assert_eq!(path.as_ref(), &key);
                let joined = std::path::Path::new("/blobs").join(&key);
                let names = joined.components().skip(2);
                prop_assert!(names.into_iter().all(|part| matches!(part, std::path::Component::Normal(_))));
                prop_assert_eq!(joined.to_str().map(str::to_owned), Some(format!("/blobs/{key}")));
            }
        }
    }
}
