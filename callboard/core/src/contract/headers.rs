//! What calls and answers carry beside their bodies: headers by name, and the responses that faults become.

use super::Notes;
use crate::once::KEY_BYTES_MAX;
use serde_json::{Map, Value, json};

/// A header that a function or the framework reads, as a parameter of a call.
pub(super) fn header_parameter(name: &str) -> Value {
    let (is_required, schema, meaning) = match name {
        "if-match" => (false, json!({"type": "string"}), "The `ETag` that was read: 412 where it was changed since."),
        "if-none-match" => (false, json!({"type": "string"}), "The `ETag` that is known: 304 where it is still that."),
        "idempotency-key" => (
            false,
            json!({"type": "string", "minLength": 1, "maxLength": KEY_BYTES_MAX, "pattern": "^(\"[!#-~]+\"|[!#-~]+)$"}),
            "Names this request of whoever is signed in: sent again it gets the first answer and takes effect once.",
        ),
        "tus-resumable" => (true, json!({"const": "1.0.0"}), "The version of tus that is spoken."),
        "upload-length" => (true, json!({"type": "string", "pattern": "^[0-9]+$"}), "Size of the file in bytes."),
        "upload-offset" => {
            (true, json!({"type": "string", "pattern": "^[0-9]+$"}), "Where the bytes of this request begin.")
        }
        "upload-metadata" => (
            true,
            json!({"type": "string"}),
            "`filename` and `episode`, and perhaps `priority`, each with its base64 value.",
        ),
        "stripe-signature" => (true, json!({"type": "string"}), "Time and HMAC, as Stripe signs."),
        _ => (false, json!({"type": "string"}), "A header that the function looks at."),
    };
    json!({"name": spelled(name), "in": "header", "required": is_required, "schema": schema, "description": meaning})
}

/// The headers of an answer with a status.
pub(super) fn response_headers(status: u16, notes: &Notes) -> Value {
    let mut headers = Map::new();
    let mut tell =
        |name: &str| headers.insert(spelled(name), json!({"$ref": format!("#/components/headers/{}", spelled(name))}));
    tell("x-request-id");
    match status {
        201 | 202 => drop(tell("location")),
        301 | 303 => drop(tell("location")),
        _ => {}
    }
    if matches!(status, 200 | 201) {
        tell("etag");
    }
    for name in notes.tells {
        tell(name);
    }
    Value::Object(headers)
}

/// Headers that answers name.
pub(super) fn named() -> Value {
    let header = |meaning: &str| json!({"description": meaning, "schema": {"type": "string"}});
    json!({
        "X-Request-Id": header("Id under which this request is found in the logs."),
        "Location": header("Where the resource is, or where to ask how the work goes."),
        "Etag": header("The version of the resource, where it has one."),
        "Retry-After": header("Seconds to wait before the next try."),
        "Tus-Resumable": header("The version of tus that is spoken."),
        "Tus-Version": header("The versions of tus that are spoken."),
        "Tus-Extension": header("What goes beyond the core of tus."),
        "Tus-Max-Size": header("Largest file, in bytes."),
        "Upload-Offset": header("How much of the file has arrived, in bytes."),
        "Upload-Length": header("Size of the file, in bytes."),
    })
}

/// What a status of success says.
pub(super) fn meaning(status: u16) -> &'static str {
    match status {
        201 => "It was made, and is at `Location`.",
        202 => "Work goes on; `Location` tells how.",
        204 => "Done; there is nothing more to say.",
        301 => "For good at `Location`.",
        303 => "Look at `Location`.",
        _ => "The resource, or what came of the call.",
    }
}

/// The responses that operations share: nothing new, and a problem for every status of a fault.
pub(super) fn responses(problem: &str) -> Value {
    let mut responses = Map::new();
    let not_modified = json!({"description": "It is still what the caller knows.", "headers": {"Etag": {"$ref": "#/components/headers/Etag"}}});
    responses.insert("NotModified".to_owned(), not_modified);
    for (status, meaning) in [
        (400, "The request is not valid; `errors` names every wrong field."),
        (401, "Nobody is signed in."),
        (403, "The caller may not do this, or another site asked for it."),
        (404, "There is nothing, or the caller may not know of it."),
        (409, "The state is not what the caller assumed."),
        (412, "It was changed since the caller read it, or another version of the protocol is spoken."),
        (413, "The body is too large."),
        (415, "The body is of another media type than this takes."),
        (429, "Too many requests, or too many of something."),
        (503, "Something this depends on is away; try later."),
    ] {
        let mut headers = json!({"X-Request-Id": {"$ref": "#/components/headers/X-Request-Id"}});
        if matches!(status, 429 | 503) {
            headers["Retry-After"] = json!({"$ref": "#/components/headers/Retry-After"});
        }
        let content = json!({problem: {"schema": {"$ref": "#/components/schemas/Problem"}}});
        responses.insert(
            format!("Problem{status}"),
            json!({"description": meaning, "headers": headers, "content": content}),
        );
    }
    Value::Object(responses)
}

/// A header as it is usually written: `if-match` as `If-Match`.
fn spelled(name: &str) -> String {
    let part = |part: &str| {
        let mut letters = part.chars();
        letters.next().map_or_else(String::new, |first| first.to_uppercase().collect::<String>() + letters.as_str())
    };
    name.split('-').map(part).collect::<Vec<_>>().join("-")
}
