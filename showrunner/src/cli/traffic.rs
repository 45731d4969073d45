//! What is asked about invocations: which ones, which to replay, and which bill. Only words of the command line.

use super::How;
use clap::{Args, ValueEnum};
use std::path::PathBuf;

/// Which invocations.
#[derive(Args, Clone, Debug)]
pub(crate) struct Invocations {
    #[command(flatten)]
    pub(crate) how: How,
    /// Go on with what comes, until it is ended
    #[arg(long)]
    pub(crate) follow: bool,
    /// Of functions whose path has this in it
    #[arg(long, value_name = "PART")]
    pub(crate) function: Option<String>,
    /// In this channel
    #[arg(long, value_name = "NAME")]
    pub(crate) tenant: Option<String>,
    /// That ended with this code; `any` for every fault
    #[arg(long, value_name = "CODE")]
    pub(crate) fault: Option<String>,
    /// That took at least so many milliseconds
    #[arg(long, value_name = "MS")]
    pub(crate) slow_ms: Option<u64>,
    /// That one outside request led to
    #[arg(long, value_name = "ID")]
    pub(crate) correlation: Option<String>,
    /// Most invocations
    #[arg(long)]
    pub(crate) limit: Option<u32>,
}

/// Which invocation to replay.
#[derive(Args, Clone, Debug)]
pub(crate) struct Replay {
    #[command(flatten)]
    pub(crate) how: How,
    /// Its id, as `invocations` shows it, or that of its message
    pub(crate) id: String,
    /// Write a test for its service that does the same
    #[arg(long)]
    pub(crate) as_test: bool,
    /// Where to write the test; without it, it is printed
    #[arg(long, value_name = "FILE", requires = "as_test")]
    pub(crate) out: Option<PathBuf>,
}

/// Which bill.
#[derive(Args, Clone, Debug)]
pub(crate) struct Cost {
    #[command(flatten)]
    pub(crate) how: How,
    /// What its lines are; requests are those still in memory
    #[arg(long, value_enum, default_value_t = By::Function)]
    pub(crate) by: By,
    /// Only so far back, such as `90m`, `24h` or `7d`
    #[arg(long, value_name = "TIME", value_parser = back_ms)]
    pub(crate) since: Option<i64>,
    /// What one request led to, by its correlation id: as calls that wait, and as the steps of a flow
    #[arg(long, value_name = "ID", conflicts_with_all = ["by", "since"])]
    pub(crate) chain: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum By {
    Function,
    Tenant,
    Flow,
    Request,
}

/// A time back, in milliseconds.
fn back_ms(text: &str) -> Result<i64, String> {
    let wrong = || format!("write `{text}` as `90m`, `24h` or `7d`");
    let (number, unit_ms) = match text.split_at_checked(text.len().saturating_sub(1)) {
        Some((number, "m")) => (number, 60_000),
        Some((number, "h")) => (number, 3_600_000),
        Some((number, "d")) => (number, 86_400_000),
        _ => return Err(wrong()),
    };
    let number: i64 = number.parse().map_err(|_| wrong())?;
    number.checked_mul(unit_ms).filter(|ms| *ms > 0).ok_or_else(wrong)
}
