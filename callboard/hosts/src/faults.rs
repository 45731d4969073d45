//! What callers hear of a process that gave no answer: little, and whoever reads the log everything.

use crate::pool::NoAnswer;
use crate::runtime::FunctionError;
use crate::worker::{Failure, TIMED_OUT};
use callboard::{Fault, FaultKind, Uri};

/// The fault of a function that gave no answer. In development callers hear what its author wants to know.
pub(crate) fn of(function: &str, no_answer: &NoAnswer, is_open: bool) -> Fault {
    let fault = match no_answer {
        NoAnswer::Busy => {
            let message = format!("all processes of {function} are at work; try again in a moment");
            return Fault::too_many("function.busy", message).header("retry-after", "1");
        }
        NoAnswer::Paused { wait_ms, last } => {
            let seconds = wait_ms.div_ceil(1000);
            of_failure(function, last, is_open).header("retry-after", seconds.to_string())
        }
        NoAnswer::Failed(failure) => of_failure(function, failure, is_open),
    };
    told_to_callers(function, fault, is_open)
}

/// The fault of a function as callers hear it: where they are not in development only that there is one.
pub(crate) fn told_to_callers(function: &str, fault: Fault, is_open: bool) -> Fault {
    match is_open {
        true => fault,
        false => Fault { message: format!("{function} did not work; its owner finds the reason in the log"), ..fault },
    }
}

fn of_failure(function: &str, failure: &Failure, is_open: bool) -> Fault {
    let bug = |code, message: String, error: &FunctionError| failed(FaultKind::Bug, code, message, error);
    match failure {
        Failure::Function(error) => bug("function.failed", told(function, error, is_open), error),
        Failure::Init(error) => bug("function.init", told(function, error, is_open), error),
        Failure::Answer(what) => answer(format!("{function}: {what}")),
        Failure::Timeout { after_ms } => {
            let message = format!("Task timed out after {:.2} seconds", *after_ms as f64 / 1000.0);
            let error = error_of(TIMED_OUT, message);
            failed(FaultKind::Unavailable, "function.timeout", format!("{function}: {}", error.error_message), &error)
        }
        Failure::Memory { most_bytes } => {
            let message = format!("it takes more than {} MB and was ended", most_bytes >> 20);
            let error = error_of("Runtime.OutOfMemory", message);
            bug("function.memory", format!("{function}: {}", error.error_message), &error)
        }
        Failure::Processes { most } => {
            let message = format!("it became more than {most} processes and threads and was ended");
            let error = error_of("Runtime.TooManyProcesses", message);
            bug("function.processes", format!("{function}: {}", error.error_message), &error)
        }
        Failure::Exited(exited) => {
            let error = error_of("Runtime.ExitError", exited.to_string());
            bug("function.exited", format!("{function}: {}", error.error_message), &error)
        }
        Failure::Left => Fault::unavailable("function.exited", "nobody takes the rest of the answer"),
        Failure::Missing(file) => {
            let error = error_of("Runtime.HandlerNotFound", format!("{} is not there any more", file.display()));
            failed(FaultKind::Unavailable, "function.missing", error.error_message.clone(), &error)
        }
        Failure::Start(what) => {
            let error = error_of("Sandbox.Failure", what.clone());
            bug("function.sandbox", format!("{function} cannot be started: {what}"), &error)
        }
    }
}

/// What a function says of its failure, with the place where it has one.
fn told(function: &str, error: &FunctionError, is_open: bool) -> String {
    let place = is_open.then(|| error.stack_trace.join("\n")).filter(|place| !place.is_empty());
    let place = place.map(|place| format!("\n{}", place.trim_end())).unwrap_or_default();
    format!("{function}: {}: {}{place}", error.error_type, error.error_message)
}

fn error_of(error_type: &str, message: String) -> FunctionError {
    FunctionError { error_message: message, error_type: error_type.to_owned(), stack_trace: Vec::new() }
}

/// What the function said goes into the log as it is.
fn failed(kind: FaultKind, code: &'static str, message: String, error: &FunctionError) -> Fault {
    let detail = serde_json::to_string(error).ok();
    Fault { kind, is_told: false, code, message, detail, errors: Vec::new(), headers: Vec::new() }
}

/// An answer that is none.
pub(crate) fn answer(message: String) -> Fault {
    let error = error_of("Function.Answer", message.clone());
    failed(FaultKind::Bug, "function.answer", message, &error)
}

/// What a function does without having declared it: a defect of the function, of which its caller is innocent.
pub(crate) fn undeclared(function: &str, does: &str, advice: &str) -> Fault {
    let message = format!("{function} {does}, which it does not declare; declare {advice}");
    let error = error_of("Function.Undeclared", message.clone());
    failed(FaultKind::Bug, "function.undeclared", message, &error)
}

/// The line that declares `on` at a URI: for all URIs like it, where a segment looks like one name of many.
pub(crate) fn line(field: &str, on: &str, uri: &Uri) -> String {
    let on = if on.is_empty() { String::new() } else { format!("{on} ") };
    let pattern = pattern(uri);
    let line = format!("`{field} = [\"{on}{pattern}\"]`");
    match pattern.rsplit_once('/') {
        Some((before, last)) if pattern == uri.as_str() && !before.is_empty() && !last.is_empty() => {
            format!("{line}, or a pattern such as `{on}{before}/{{id}}`")
        }
        _ => line,
    }
}

/// A URI with names for the segments that hold digits, as ids do.
fn pattern(uri: &Uri) -> String {
    // Names have letters only.
    let mut names = ["{id}".to_owned()].into_iter().chain(('b'..='z').map(|letter| format!("{{id_{letter}}}")));
    let segment = |segment: &str| match segment.bytes().any(|byte| byte.is_ascii_digit()) {
        true => names.next().unwrap_or_else(|| segment.to_owned()),
        false => segment.to_owned(),
    };
    uri.as_str().split('/').map(segment).collect::<Vec<_>>().join("/")
}

/// What the function itself said of its failure.
pub(crate) fn error_in(fault: &Fault) -> FunctionError {
    let said = fault.detail.as_deref().and_then(|detail| serde_json::from_str(detail).ok());
    said.unwrap_or_else(|| error_of(fault.code, fault.message.clone()))
}
