//! Wake-ups through a queue of SQS, on its own wire: JSON over HTTP, signed.

use super::signature::{Keys, Signed, authorization};
use super::{DELAY_MS_MAX, Wakes};
use callboard::outside::{Origin, Outside, Request};
use callboard::ports::Clock;
use callboard::{BoxFuture, Data, Fault};
use jiff::Timestamp;
use serde_json::json;
use std::sync::Arc;

/// How long the queue may take: an answer waits for it.
const TIMEOUT_MS: u64 = 2_000;
const MEDIA_TYPE: &str = "application/x-amz-json-1.0";
const TARGET: &str = "AmazonSQS.SendMessage";

/// A queue whose messages invoke a function.
pub struct SqsWakes {
    outside: Arc<dyn Outside>,
    clock: Arc<dyn Clock>,
    origin: Origin,
    queue: String,
    region: String,
    keys: Keys,
}

impl SqsWakes {
    /// A queue by its address, such as `https://sqs.eu-central-1.amazonaws.com/123456789012/wake`.
    ///
    /// # Errors
    /// What is wrong with the address, in words that follow the name of a setting.
    pub fn new(
        outside: Arc<dyn Outside>,
        clock: Arc<dyn Clock>,
        queue: &str,
        region: &str,
        keys: Keys,
    ) -> Result<Self, String> {
        let wrong = || {
            format!(
                "is `{queue}`: write the address of a queue, such as `https://sqs.eu-central-1.amazonaws.com/1/wake`"
            )
        };
        let (scheme, rest) = queue.split_once("://").ok_or_else(wrong)?;
        let (host, _) = rest.split_once('/').ok_or_else(wrong)?;
        let origin = Origin::parse(&format!("{scheme}://{host}"))?;
        Ok(Self { outside, clock, origin, queue: queue.to_owned(), region: region.to_owned(), keys })
    }

    async fn send(&self, delay_ms: i64) -> Result<(), Fault> {
        // Rather a little too late than before it is due.
        let delay_s = (delay_ms.clamp(0, DELAY_MS_MAX) + 999) / 1000;
        let body = json!({"QueueUrl": self.queue, "MessageBody": "{\"showrunner\":\"due\"}", "DelaySeconds": delay_s});
        let body = body.to_string();
        let now = Timestamp::from_millisecond(self.clock.now_ms()).map_err(|error| Fault::bug(error.to_string()))?;
        let (time, host) = (now.strftime("%Y%m%dT%H%M%SZ").to_string(), self.origin.authority());
        let token = self.keys.token.as_ref().map(|token| token.expose().as_str());
        let mut headers = vec![("content-type", MEDIA_TYPE), ("host", &*host), ("x-amz-date", &*time)];
        headers.extend(token.map(|token| ("x-amz-security-token", token)));
        headers.push(("x-amz-target", TARGET));
        let signed =
            Signed { time: &time, region: &self.region, service: "sqs", headers: &headers, body: body.as_bytes() };
        let authorization = authorization(&self.keys, &signed);
        let data = Data { media_type: MEDIA_TYPE.into(), bytes: body.clone().into() };
        let mut request = Request::post("lambda_wake", "/", data);
        request.timeout_ms = TIMEOUT_MS;
        request =
            request.header("x-amz-target", TARGET).header("x-amz-date", time).header("authorization", authorization);
        if let Some(token) = token {
            request = request.header("x-amz-security-token", token);
        }
        let response = self.outside.fetch(self.origin.clone(), request).await?;
        if response.status == 200 {
            return Ok(());
        }
        let said: String = String::from_utf8_lossy(&response.body).chars().take(300).collect();
        Err(callboard::outside::unanswered(format!("the queue answers {}: {said}", response.status)))
    }
}

impl Wakes for SqsWakes {
    fn wake(&self, delay_ms: i64) -> BoxFuture<'_, Result<(), Fault>> {
        Box::pin(self.send(delay_ms))
    }

    fn is_here(&self) -> bool {
        false
    }
}
