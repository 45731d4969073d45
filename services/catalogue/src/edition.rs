//! Optimistic concurrency: a change may say which version it was made from.

use callboard::{Fault, Head};

/// Refuses a change whose `if-match` names a version that somebody has edited since. What no person edited, such as the
/// state of the video, also counts the version up but spoils nobody's form.
///
/// # Errors
/// `precondition_failed`.
pub(crate) fn check(head: &Head, version: i64, edited_version: i64) -> Result<(), Fault> {
    let Some(wanted) = head.meta("if-match") else { return Ok(()) };
    let is_met = |tag: &str| tag == "*" || number(tag).is_some_and(|tag| (edited_version..=version).contains(&tag));
    if wanted.split(',').map(str::trim).any(is_met) {
        return Ok(());
    }
    Err(Fault::conflict(
        "precondition_failed",
        format!("somebody else has changed this since; read it again (it is at \"v{version}\") and repeat your change"),
    ))
}

fn number(tag: &str) -> Option<i64> {
    tag.strip_prefix("\"v")?.strip_suffix('"')?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use callboard::{Id, Kind, Msg, Tenant, Uri};

    fn head(if_match: &str) -> Head {
        let mut msg = Msg::new(Kind::Patch, Uri::root(), Tenant::only(), Id::nil(), 0);
        msg.head_mut().meta.push(("if-match".into(), if_match.to_owned()));
        (*msg.head).clone()
    }

    #[test]
    fn only_what_somebody_edited_since_is_refused() {
        for (tag, is_met) in [
            ("\"v4\"", true),
            ("\"v3\"", true),
            ("\"v2\"", false),
            ("\"v5\"", false),
            ("*", true),
            ("\"v1\", \"v4\"", true),
            ("v4", false),
            ("W/\"v4\"", false),
            ("", false),
        ] {
            assert_eq!(check(&head(tag), 4, 3).is_ok(), is_met, "{tag}");
        }
    }
}
