//! What a stored part means for its upload. Pure: parts arrive late, twice, or from a connection that was given up.

use crate::model::Part;
use callboard::Stored;

/// What happens to a part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Arrival {
    /// It goes on where the upload stands.
    Next {
        /// Where the upload stands then.
        offset_bytes: u64,
        /// Whether nothing is missing any more.
        is_last: bool,
    },
    /// It is here already: the upload stays where it is.
    Known,
    /// It does not go on where the upload stands, goes beyond the end, or holds nothing.
    Unwanted,
}

/// Judges a part of an upload that stands at an offset; `alike` are the parts that stand at the same place or hold the
/// same blob.
pub(crate) fn judge(offset_bytes: u64, size_bytes: u64, part: &Stored, alike: &[Part]) -> Arrival {
    let is_same = |it: &Part| {
        (it.offset_bytes, it.size_bytes, it.blob.as_str()) == (part.offset, part.size_bytes, part.key.as_str())
    };
    if alike.iter().any(is_same) {
        return Arrival::Known;
    }
    let end = part.offset.checked_add(part.size_bytes).filter(|end| *end <= size_bytes);
    match end {
        Some(end) if part.offset == offset_bytes && alike.is_empty() => match part.size_bytes {
            0 => Arrival::Unwanted,
            _ => Arrival::Next { offset_bytes: end, is_last: end == size_bytes },
        },
        _ => Arrival::Unwanted,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn part(offset: u64, size_bytes: u64) -> Stored {
        Stored { offset, size_bytes, key: format!("uploads/demo/1/{offset:020}") }
    }

    #[test]
    fn a_part_goes_on_where_the_upload_stands() {
        assert_eq!(judge(5, 9, &part(5, 2), &[]), Arrival::Next { offset_bytes: 7, is_last: false });
        assert_eq!(judge(5, 9, &part(5, 4), &[]), Arrival::Next { offset_bytes: 9, is_last: true });
        for wrong in [part(4, 1), part(6, 1), part(5, 5), part(5, u64::MAX), part(u64::MAX, 1), part(5, 0)] {
            assert_eq!(judge(5, 9, &wrong, &[]), Arrival::Unwanted, "{wrong:?}");
        }
    }

    #[test]
    fn a_part_that_is_here_is_known_and_another_at_its_place_is_not_wanted() {
        let here = Part { offset_bytes: 0, size_bytes: 5, blob: part(0, 5).key };
        assert_eq!(judge(5, 9, &part(0, 5), std::slice::from_ref(&here)), Arrival::Known);
        assert_eq!(judge(5, 9, &part(0, 4), std::slice::from_ref(&here)), Arrival::Unwanted);
        assert_eq!(judge(5, 9, &Stored { offset: 5, ..part(0, 4) }, &[here]), Arrival::Unwanted);
    }

    proptest! {
        #[test]
        fn whatever_arrives_the_parts_are_the_file_without_gap_or_overlap(
            size_bytes in 1_u64..40,
            sent in prop::collection::vec((0_u64..41, 0_u64..12, "[ab]"), 0..60),
        ) {
            let (mut offset_bytes, mut parts, mut was_last) = (0, Vec::<Part>::new(), false);
            for (offset, size, connection) in sent {
                let part = Stored { offset, size_bytes: size, key: format!("{connection}/{offset}") };
                let alike: Vec<Part> = parts.iter()
                    .filter(|it| it.offset_bytes == part.offset || it.blob == part.key).cloned().collect();
                let before = offset_bytes;
                match judge(offset_bytes, size_bytes, &part, &alike) {
                    Arrival::Next { offset_bytes: next, is_last } => {
                        prop_assert!(next > before && !was_last);
                        parts.push(Part { offset_bytes: part.offset, size_bytes: part.size_bytes, blob: part.key });
                        (offset_bytes, was_last) = (next, is_last);
                    }
                    Arrival::Known => prop_assert!(parts.iter().any(|it| it.blob == part.key)),
                    Arrival::Unwanted => {}
                }
            }
            let mut end = 0;
            for part in &parts {
                prop_assert_eq!(part.offset_bytes, end);
                end += part.size_bytes;
            }
            prop_assert_eq!((end, was_last), (offset_bytes, offset_bytes == size_bytes));
        }
    }
}
