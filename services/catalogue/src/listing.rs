//! Lists that stay as fast in a large catalogue as in a small one: each tier is read from an index, newest first, from
//! a key on; the few rows are put together here.

use crate::model::Tier;
use callboard::ports::Read;
use callboard::{Datum, Env, Fault, Rows, Statement, params};
use serde::de::DeserializeOwned;

/// Sorts behind every id.
pub(crate) const AFTER_ALL: &str = "~";

/// One read of the newest rows for each tier that lists show to the caller. The statement takes tier, key and limit as
/// `$1` to `$3`, and what else it needs behind them.
pub(crate) fn reads_by_tier(
    env: &Env,
    statement: &'static Statement,
    after: &str,
    limit: u32,
    more: &[Datum],
) -> Vec<Read> {
    let read = |&tier: &Tier| {
        let mut params = params![tier, after, limit];
        params.extend_from_slice(more);
        Read { statement, params }
    };
    Tier::shown_to(env.principal()).iter().map(read).collect()
}

/// The newest of all tiers' rows.
pub(crate) fn newest<T: DeserializeOwned>(rows: &[Rows], id: fn(&T) -> &str, limit: u32) -> Result<Vec<T>, Fault> {
    let mut items: Vec<T> = Vec::new();
    for tier in rows {
        items.extend(tier.all::<T>()?);
    }
    items.sort_by(|one, other| id(other).cmp(id(one)));
    items.truncate(usize::try_from(limit).expect("a page is small"));
    Ok(items)
}

/// How many items a list gives.
///
/// # Errors
/// Where more are asked for than one answer carries.
pub(crate) fn page_size(asked: Option<u32>, default: u32, most: u32) -> Result<u32, Fault> {
    match asked.unwrap_or(default) {
        limit if (1..=most).contains(&limit) => Ok(limit),
        limit => Err(Fault::bad_input("list.limit", format!("ask for 1 to {most} items, not {limit}"))
            .field("limit", format!("use a number from 1 to {most}"))),
    }
}

/// Keeps `limit` of up to `limit + 1` items; gives the key of the last one kept where more follow.
pub(crate) fn cut<T>(items: &mut Vec<T>, limit: u32, key: impl Fn(&T) -> String) -> Option<String> {
    let limit = usize::try_from(limit).expect("a page is small");
    let has_more = items.len() > limit;
    items.truncate(limit);
    items.last().filter(|_| has_more).map(key)
}
