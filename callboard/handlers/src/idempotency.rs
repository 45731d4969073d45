//! Requests that may be sent again: the `Idempotency-Key` header names one, and whoever sends it again gets the first answer.

use callboard::{Answer, BoxFuture, Fault, Handler, Host, KEY_BYTES_MAX, Msg, Next};
use std::sync::Arc;

/// Reads the `Idempotency-Key` of a message that changes something. It takes effect once for whoever is signed in; behind
/// [`Authenticate`](crate::Authenticate), because a key belongs to its sender.
#[derive(Clone, Copy, Debug, Default)]
pub struct Idempotency;

impl Handler for Idempotency {
    fn handle<'a>(&'a self, host: &'a Host, mut msg: Msg, next: Next<'a>) -> BoxFuture<'a, Result<Answer, Fault>> {
        match msg.meta("idempotency-key").map(read) {
            None => {}
            Some(Ok(key)) => msg.head_mut().idempotency_key = Some(key),
            Some(Err(fault)) => return Box::pin(std::future::ready(Err(fault))),
        }
        next.run(host, msg)
    }
}

/// A key, with or without the quotes of a structured header.
fn read(text: &str) -> Result<Arc<str>, Fault> {
    let text = text.trim();
    let key = text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(text);
    let is_plain = key.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'"');
    if is_plain && (1..=KEY_BYTES_MAX).contains(&key.len()) {
        return Ok(Arc::from(key));
    }
    let message = format!("make the idempotency key 1 to {KEY_BYTES_MAX} letters, digits and signs, such as a UUID");
    Err(Fault::bad_input("idempotency.key", message))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_read_with_and_without_quotes() {
        assert_eq!(read("8e03978e").as_deref(), Ok("8e03978e"));
        assert_eq!(read(" \"8e03978e\" ").as_deref(), Ok("8e03978e"));
        for wrong in ["", "\"\"", "two words", "ü", "a\"b", &"x".repeat(KEY_BYTES_MAX + 1)] {
            assert_eq!(read(wrong).expect_err(wrong).code, "idempotency.key");
        }
    }
}
