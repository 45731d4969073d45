//! Which source an event is from, told by looking at a few of its fields in a fixed order, and nothing more.

use super::fields::{Text, invalid, read};
use callboard::Fault;
use serde::Deserialize;
use serde_json::value::RawValue;

/// An event by its source, with what is needed to read on.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Event<'e> {
    /// API Gateway, HTTP API with payload version 2, or a function URL.
    HttpV2,
    /// API Gateway, WebSocket.
    WebSocket,
    /// An application load balancer.
    Alb,
    /// API Gateway, REST or payload version 1.
    Rest,
    /// Records of one of the sources that send them so.
    Records(Origin, &'e RawValue),
    /// EventBridge, also the schedule of a rule or of EventBridge Scheduler.
    Bridge,
    /// Something waits: the one event that is ours.
    Due,
    /// A test of a bucket's notification: nothing happened.
    Test,
    /// Anything else: who invoked the function says what it is.
    Direct,
}

/// Sources that send records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    Sns,
    Sqs,
    S3,
    DynamoDb,
    Kinesis,
    /// There is no record, so nobody can say.
    Nobody,
}

impl Event<'_> {
    /// Its source, as a word.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::HttpV2 => "http",
            Self::WebSocket => "websocket",
            Self::Alb => "alb",
            Self::Rest => "rest",
            Self::Records(Origin::Sns, _) => "sns",
            Self::Records(Origin::Sqs, _) => "sqs",
            Self::Records(Origin::S3, _) => "s3",
            Self::Records(Origin::DynamoDb, _) => "dynamodb",
            Self::Records(Origin::Kinesis, _) => "kinesis",
            Self::Records(Origin::Nobody, _) => "records",
            Self::Bridge => "eventbridge",
            Self::Due => "due",
            Self::Test => "test",
            Self::Direct => "direct",
        }
    }
}

#[derive(Deserialize)]
struct Peek<'e> {
    #[serde(borrow, default)]
    version: Option<&'e RawValue>,
    #[serde(borrow, default, rename = "requestContext")]
    context: Option<&'e RawValue>,
    #[serde(borrow, default, rename = "httpMethod")]
    method: Option<&'e RawValue>,
    #[serde(borrow, default)]
    resource: Option<&'e RawValue>,
    #[serde(borrow, default, rename = "Records")]
    records: Option<&'e RawValue>,
    #[serde(borrow, default, rename = "detail-type")]
    detail_type: Option<&'e RawValue>,
    #[serde(borrow, default)]
    source: Option<&'e RawValue>,
    #[serde(borrow, default, rename = "Event")]
    test: Option<&'e RawValue>,
    #[serde(borrow, default)]
    showrunner: Option<&'e RawValue>,
}

#[derive(Deserialize)]
struct Context<'e> {
    #[serde(borrow, default)]
    http: Option<&'e RawValue>,
    #[serde(borrow, default, rename = "connectionId")]
    connection: Option<&'e RawValue>,
    #[serde(borrow, default)]
    elb: Option<&'e RawValue>,
}

#[derive(Deserialize)]
struct Record<'e> {
    #[serde(borrow, default, rename = "eventSource")]
    source: Option<Text<'e>>,
    #[serde(borrow, default, rename = "EventSource")]
    sns: Option<Text<'e>>,
}

/// Looks which source an event is from.
///
/// # Errors
/// `event.invalid` where it is no JSON.
pub(crate) fn detect(text: &str) -> Result<Event<'_>, Fault> {
    if !text.trim_start().starts_with('{') {
        // Whoever invokes directly may send any JSON.
        read::<serde::de::IgnoredAny>(text, "")?;
        return Ok(Event::Direct);
    }
    let peek: Peek<'_> = read(text, "")?;
    let is = |field: Option<&RawValue>, wanted: &str| field.is_some_and(|raw| raw.get() == wanted);
    if is(peek.showrunner, "\"due\"") {
        return Ok(Event::Due);
    }
    if let Some(context) = peek.context.filter(|raw| raw.get().starts_with('{')) {
        let context: Context<'_> = read(context.get(), "requestContext")?;
        if context.http.is_some() && is(peek.version, "\"2.0\"") {
            return Ok(Event::HttpV2);
        }
        if context.connection.is_some() {
            return Ok(Event::WebSocket);
        }
        if context.elb.is_some() {
            return Ok(Event::Alb);
        }
    }
    if peek.method.is_some() && peek.resource.is_some() {
        return Ok(Event::Rest);
    }
    if let Some(records) = peek.records
        && let Some(origin) = origin_of(records)?
    {
        return Ok(Event::Records(origin, records));
    }
    if peek.detail_type.is_some() && peek.source.is_some() {
        return Ok(Event::Bridge);
    }
    Ok(if is(peek.test, "\"s3:TestEvent\"") { Event::Test } else { Event::Direct })
}

/// What the first record says; none where that is nothing we know.
fn origin_of(records: &RawValue) -> Result<Option<Origin>, Fault> {
    if !records.get().starts_with('[') {
        return Ok(None);
    }
    let all: Vec<&RawValue> = read(records.get(), "Records")?;
    let Some(first) = all.first() else { return Ok(Some(Origin::Nobody)) };
    if !first.get().starts_with('{') {
        return Err(invalid("`Records[0]` is no record".to_owned()));
    }
    let Record { source, sns } = read(first.get(), "Records[0]")?;
    let name = source.or(sns);
    Ok(match name.as_ref().map(|name| &*name.0) {
        Some("aws:sns") => Some(Origin::Sns),
        Some("aws:sqs") => Some(Origin::Sqs),
        Some("aws:s3") => Some(Origin::S3),
        Some("aws:dynamodb") => Some(Origin::DynamoDb),
        Some("aws:kinesis") => Some(Origin::Kinesis),
        _ => None,
    })
}
