//! `replay`: a captured invocation against the functions of this program, on what it read then; or a test that does the same.

use crate::cli::Replay;
use crate::operate::get;
use crate::settings::Settings;
use crate::{app, functions};
use callboard::Fault;
use callboard::invocation::{Difference, Recording, Replayed};

/// Longest text of one side of a difference, in characters.
const SIDE_CHARS_MAX: usize = 240;

/// Services that are no crates of their own.
const BUILT_IN: [&str; 3] = ["callboard", "manual", "cost"];

/// Replays; gives what to print, and whether nothing differs.
///
/// # Errors
/// `invocation.unknown`, `replay.cut`, `replay.unbound`; `replay.file` where the test cannot be written.
pub(crate) async fn run(settings: &Settings, asked: &Replay) -> Result<(String, bool), Fault> {
    let value = get(settings, &format!("/-/invocations/{}", asked.id), &()).await?;
    let recording: Recording =
        serde_json::from_value(value).map_err(|error| Fault::bug(format!("the recording cannot be read: {error}")))?;
    if asked.as_test {
        let test = test(&recording)?;
        let Some(file) = &asked.out else { return Ok((test, true)) };
        let wrong = |error| Fault::bad_input("replay.file", format!("cannot write {}: {error}", file.display()));
        std::fs::write(file, test).map_err(wrong)?;
        return Ok((
            format!("{} is written; it belongs into services/{}/tests\n", file.display(), recording.service),
            true,
        ));
    }
    let work = tempfile::tempdir()
        .map_err(|error| Fault::unavailable("disk.unavailable", format!("no scratch folder can be made: {error}")))?;
    let services = functions::on_the_desk(settings).await?;
    let host = app::on_the_desk(settings, services, work.path()).await?;
    let replayed = host.replay(&recording).await?;
    Ok((told(&recording, &replayed), replayed.is_same()))
}

fn told(recording: &Recording, replayed: &Replayed) -> String {
    let secrets = match recording.redacted {
        0 => String::new(),
        count => format!("{count} secrets were left out of the recording.\n"),
    };
    if replayed.is_same() {
        return format!("{} does what it did: nothing differs.\n{secrets}", recording.target);
    }
    let differences: String = replayed.differences.iter().map(difference).collect();
    let reads: String = replayed.reads.iter().map(|read| format!("  {read}\n")).collect();
    format!("{} does not do what it did:\n{differences}{reads}{secrets}", recording.target)
}

fn difference(one: &Difference) -> String {
    let side = |value: &serde_json::Value| {
        let text = value.to_string();
        let short: String = text.chars().take(SIDE_CHARS_MAX).collect();
        if short.len() < text.len() { format!("{short}…") } else { short }
    };
    format!("  {}\n    was {}\n    now {}\n", one.path, side(&one.recorded), side(&one.now))
}

/// The text of a test for the folder of the service's tests.
fn test(recording: &Recording) -> Result<String, Fault> {
    let Recording { service, target, span, why, started_ms, .. } = recording;
    if BUILT_IN.contains(&service.as_str()) {
        return Err(Fault::bad_input(
            "replay.test",
            format!("`{service}` is no crate of its own, so no test can name it"),
        ));
    }
    let text = serde_json::to_string_pretty(recording).expect("a recording serialises to JSON");
    // A raw text ends at a quote with as many signs as it began with.
    let fence = "#".repeat((1..).find(|count| !text.contains(&format!("\"{}", "#".repeat(*count)))).unwrap_or(1));
    let began =
        jiff::Timestamp::from_second(started_ms.div_euclid(1_000)).map(|time| time.to_string()).unwrap_or_default();
    Ok(format!(
        "//! `{target}` as it ran at {began}, captured because of: {why}. Written by `showrunner replay {span} --as-test`: the
//! message, everything the function read, and what it returned. Where it shall return something else, change `reply`.

const RECORDING: &str = r{fence}\"{text}\"{fence};

#[test]
fn invocation_{span}_returns_what_was_recorded() {{
    let differences = callboard_bench::replay(vec![{service}::service()], RECORDING);
    assert_eq!(differences, Vec::<String>::new());
}}
"
    ))
}
