//! `flows`: how runs stand, and what an operator does with them.

use super::{Printed, get, list, post, text, time};
use crate::cli::{Flows, OneRun, Part, Redo};
use crate::settings::Settings;
use callboard::Fault;
use serde_json::{Value, json};
use std::time::Duration;

/// Pause between two looks at a run that is watched.
const WATCH_PAUSE: Duration = Duration::from_secs(1);

/// Runs a command.
///
/// # Errors
/// The function's fault, or that of the data folder.
pub(super) async fn run(settings: &Settings, asked: &Flows) -> Result<Printed, Fault> {
    match asked {
        Flows::List { tenant, flow, status, key, after, limit } => {
            let question =
                json!({"tenant": tenant, "flow": flow, "status": status, "key": key, "after": after, "limit": limit});
            Ok((get(settings, "/-/flows", &question).await?, runs))
        }
        Flows::Show { id } => Ok((show(settings, id).await?, one_run)),
        Flows::Watch { id } => Ok((watch(settings, id).await?, one_run)),
        Flows::Cancel(one) => operate(settings, one, "cancel", json!({})).await,
        Flows::Kill(one) => operate(settings, one, "kill", json!({})).await,
        Flows::Undo(one) => operate(settings, one, "undo", json!({})).await,
        Flows::Retry { one, step } => operate(settings, one, "retry", json!({"step": step})).await,
        Flows::MarkDone { one, part: Part { step, item }, output } => {
            operate(settings, one, "mark-done", json!({"step": step, "item": item, "output": output})).await
        }
        Flows::Skip { one, part: Part { step, item } } => {
            operate(settings, one, "skip", json!({"step": step, "item": item})).await
        }
        Flows::Redo(Redo { id: Some(id), from, why, dry_run: true, .. }) => {
            let body = json!({"from": from, "why": why.as_deref().unwrap_or_default(), "is_dry": true});
            Ok((post(settings, &format!("/-/flows/{id}/redo"), body).await?, plan))
        }
        Flows::Redo(Redo { id: Some(id), from, why, .. }) => {
            let one = OneRun { id: id.clone(), why: why.clone().unwrap_or_default() };
            operate(settings, &one, "redo", json!({"from": from})).await
        }
        Flows::Redo(Redo { id: None, from, why, dry_run, flow, status, tenant, after, limit }) => {
            let why = why.as_deref().unwrap_or_default();
            let body = json!({"flow": flow, "from": from, "tenant": tenant, "status": status, "after": after,
                "limit": limit, "why": why, "is_dry": dry_run});
            Ok((post(settings, "/-/flows/redo", body).await?, if *dry_run { plans } else { redone }))
        }
    }
}

/// Intervenes, and shows how the run stands then.
async fn operate(settings: &Settings, one: &OneRun, word: &str, mut body: Value) -> Result<Printed, Fault> {
    body["why"] = json!(one.why);
    post(settings, &format!("/-/flows/{}/{word}", one.id), body).await?;
    Ok((show(settings, &one.id).await?, one_run))
}

async fn show(settings: &Settings, id: &str) -> Result<Value, Fault> {
    get(settings, &format!("/-/flows/{id}"), &()).await
}

/// Looks again until the run has ended.
async fn watch(settings: &Settings, id: &str) -> Result<Value, Fault> {
    let mut shown = String::new();
    loop {
        let value = show(settings, id).await?;
        let status = value["run"]["status"].as_str().unwrap_or_default();
        if !matches!(status, "queued" | "running" | "undoing") {
            return Ok(value);
        }
        let text = one_run(&value);
        if text != shown {
            crate::print(&format!("{text}\n"));
            shown = text;
        }
        tokio::time::sleep(WATCH_PAUSE).await;
    }
}

fn runs(value: &Value) -> String {
    let heads = ["run", "tenant", "flow", "key", "status", "started", "moved"];
    list(value, "there are no runs", &heads, |run| {
        let cell = |name: &str| text(&run[name]);
        let (started, moved) = (time(&run["started_ms"]), time(&run["changed_ms"]));
        vec![cell("id"), cell("tenant"), cell("flow"), cell("key"), cell("status"), started, moved]
    })
}

/// A run: the flow with the state of each step, what is left in one sentence, and what happened.
fn one_run(value: &Value) -> String {
    let run = &value["run"];
    let mut out = match value["drawing"].as_str() {
        Some(drawing) => drawing.to_owned(),
        None => format!("{} {} · {}\n", text(&run["flow"]), text(&run["id"]), text(&run["status"])),
    };
    match value["sentence"].as_str() {
        Some(sentence) => out += &format!("\n{sentence}\n\n"),
        None => out += "\nThe flow has another definition by now, so its steps cannot be named.\n\n",
    }
    if let Some(trouble) = value["trouble"].as_str() {
        out += &format!("{trouble}\n\n");
    }
    out += &advice(run);
    for left in value["left_behind"].as_array().into_iter().flatten() {
        out += &format!("  left behind: {}\n", text(left));
    }
    let names: Vec<&str> = value["steps"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    for event in value["events"].as_array().into_iter().flatten() {
        out += &format!("{}  {}\n", time(&event["at_ms"]), happened(event, &names));
    }
    out
}

/// What a person can do where nothing goes on without one.
fn advice(run: &Value) -> String {
    if !matches!(run["status"].as_str(), Some("undo_stuck" | "parked")) {
        return String::new();
    }
    let waits = |step: &&Value| {
        let mut items = step["items"].as_array().into_iter().flatten();
        items.any(|item| matches!(item["state"].as_str(), Some("stuck" | "parked" | "conflict")))
    };
    let (id, step) = (text(&run["id"]), run["steps"].as_array().and_then(|steps| steps.iter().find(waits)));
    let step = step.and_then(|step| step["id"].as_str()).unwrap_or("STEP");
    format!(
        "  to try again:         showrunner flows retry {id} --why …\n\
         \x20 if you saw to it:     showrunner flows mark-done {id} --step {step} --why …\n\
         \x20 to go on without it:  showrunner flows skip {id} --step {step} --why …\n\n"
    )
}

/// What happened, in a line: its name, to which step, and why where somebody said so.
fn happened(event: &Value, names: &[&str]) -> String {
    let number = |name: &str| event[name].as_u64().or_else(|| event["at"][name].as_u64());
    let step = number("step").and_then(|at| names.get(usize::try_from(at).ok()?)).map(|name| (*name).to_owned());
    let item = number("item").filter(|item| *item > 0).map(|item| format!("item {item}"));
    let attempt = number("attempt").filter(|attempt| *attempt > 1).map(|attempt| format!("attempt {attempt}"));
    let said = ["operation", "from", "by", "code", "message", "why"].into_iter().filter_map(|name| {
        let places = [&event[name], &event["operation"][name], &event["failure"][name], &event["reason"][name]];
        places.into_iter().find_map(Value::as_str).map(|text| format!("{name} {text}"))
    });
    let parts: Vec<String> = step.into_iter().chain(item).chain(attempt).chain(said).collect();
    format!("{:12}  {}", text(&event["event"]), parts.join(", ")).trim_end().to_owned()
}

fn plan(value: &Value) -> String {
    let lines = value["lines"].as_array().into_iter().flatten();
    let lines: String = lines.map(|line| format!("  {}\n", text(line))).collect();
    match value["refused"].as_str() {
        Some(why) => format!("{}: nothing, {why}\n", text(&value["run"])),
        None => format!("{}\n{lines}", text(&value["run"])),
    }
}

fn plans(value: &Value) -> String {
    let plans: String = value["plans"].as_array().into_iter().flatten().map(plan).collect();
    format!("{plans}{} would be done again; nothing was done\n{}", value["count"], more(value))
}

fn redone(value: &Value) -> String {
    let plans = value["plans"].as_array().into_iter().flatten();
    let refused: String = plans.filter(|plan| plan["refused"].is_string()).map(plan).collect();
    format!("{refused}{} are done again\n{}", value["count"], more(value))
}

fn more(value: &Value) -> String {
    value["next"].as_str().map_or_else(String::new, |next| format!("and more: add `--after {next}`\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_shown_with_its_drawing_what_is_left_and_what_happened() {
        let value = json!({"run": {"flow": "tip", "id": "7", "status": "completed"}, "steps": ["intent", "charge"],
            "drawing": "tip 7 · completed\n  intent ✓ done\n", "sentence": "intent is done.", "left_behind": [],
            "events": [
                {"at_ms": 0, "event": "done", "at": {"step": 1, "item": 0, "iteration": 0, "attempt": 2}},
                {"at_ms": 1_000, "event": "operated", "operation": {"operation": "redo", "from": "charge"}, "by": "ann",
                 "why": "it was lost"}]});
        let want = "tip 7 · completed\n  intent ✓ done\n\nintent is done.\n\n\
                    1970-01-01T00:00:00Z  done          charge, attempt 2\n\
                    1970-01-01T00:00:01Z  operated      operation redo, from charge, by ann, why it was lost\n";
        assert_eq!(one_run(&value), want);
    }

    #[test]
    fn a_run_that_is_stuck_says_why_and_what_a_person_can_do() {
        let value = json!({"run": {"flow": "tip", "id": "7", "status": "undo_stuck", "steps": [
            {"id": "intent", "items": [{"state": "done"}]}, {"id": "charge", "items": [{"state": "stuck"}]}]},
            "drawing": "tip 7 · undo_stuck\n", "sentence": "it is stuck.", "trouble": "the undo of charge failed once"});
        let want = "tip 7 · undo_stuck\n\nit is stuck.\n\nthe undo of charge failed once\n\n\
                    \x20 to try again:         showrunner flows retry 7 --why …\n\
                    \x20 if you saw to it:     showrunner flows mark-done 7 --step charge --why …\n\
                    \x20 to go on without it:  showrunner flows skip 7 --step charge --why …\n\n";
        assert_eq!(one_run(&value), want);
    }

    #[test]
    fn a_plan_for_many_says_for_which_nothing_is_done() {
        let value = json!({"count": 1, "next": "9", "plans": [
            {"run": "8", "lines": ["undo send by call_back", "do send by post, iteration 2"]},
            {"run": "9", "lines": [], "refused": "it is running"}]});
        let want = "8\n  undo send by call_back\n  do send by post, iteration 2\n9: nothing, it is running\n\
                    1 would be done again; nothing was done\nand more: add `--after 9`\n";
        assert_eq!(plans(&value), want);
        assert_eq!(redone(&value), "9: nothing, it is running\n1 are done again\nand more: add `--after 9`\n");
    }
}
