//! Events that come as records: each is one arrival. All are read before any is carried out, so that a batch that cannot be
//! answered is not begun.

use super::arrival::{Arrival, data_of, data_of_bytes, key_of};
use super::dynamo;
use super::event::Origin;
use super::fields::{Text, invalid, read};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use callboard::{Data, Fault};
use percent_encoding::percent_decode_str;
use serde::Deserialize;
use serde_json::json;
use serde_json::value::RawValue;
use std::borrow::Cow;

/// Reads all records of an event.
///
/// # Errors
/// `event.invalid` with the record and its field.
pub(crate) fn arrivals<'e>(origin: Origin, records: &'e RawValue) -> Result<Vec<Arrival<'e>>, Fault> {
    let all: Vec<&RawValue> = read(records.get(), "Records")?;
    let one = |(at, record): (usize, &'e RawValue)| {
        let place = format!("Records[{at}]");
        match origin {
            Origin::Sns => sns(record, &place),
            Origin::Sqs => sqs(record, &place),
            Origin::S3 => s3(record, &place),
            Origin::DynamoDb => dynamodb(record, &place),
            Origin::Kinesis => kinesis(record, &place),
            Origin::Nobody => Err(invalid(format!("`{place}` has no source"))),
        }
    };
    all.into_iter().enumerate().map(one).collect()
}

/// A record of another source in the same batch would be taken for what it is not.
fn check_source(source: &Text<'_>, wanted: &str, place: &str) -> Result<(), Fault> {
    if source.0 == wanted {
        return Ok(());
    }
    Err(invalid(format!("`{place}` is not from {wanted} as the first record is")))
}

#[derive(Deserialize)]
struct SnsRecord<'e> {
    #[serde(borrow, alias = "eventSource", rename = "EventSource")]
    source: Text<'e>,
    #[serde(borrow, alias = "sns", rename = "Sns")]
    sns: Notification<'e>,
}

#[derive(Deserialize)]
struct Notification<'e> {
    #[serde(borrow, alias = "messageId", rename = "MessageId")]
    id: Text<'e>,
    #[serde(borrow, alias = "topicArn", rename = "TopicArn")]
    topic: Text<'e>,
    #[serde(borrow, default, alias = "message", rename = "Message")]
    message: Option<Text<'e>>,
    #[serde(borrow, default, alias = "type", rename = "Type")]
    kind: Option<Text<'e>>,
}

fn sns<'e>(record: &'e RawValue, place: &str) -> Result<Arrival<'e>, Fault> {
    let SnsRecord { source, sns } = read(record.get(), place)?;
    check_source(&source, "aws:sns", place)?;
    let name = Arrival::name_of(&sns.topic.0, ':');
    let mut arrival = Arrival::new("aws:sns", sns.topic.0);
    arrival.key = Some(key_of(&["sns", &sns.id.0]));
    arrival.parts = vec![("topic", name.into())];
    arrival.data = data_of(&Text::or_empty(sns.message));
    Ok(arrival)
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct SqsRecord<'e> {
    #[serde(borrow)]
    event_source: Text<'e>,
    #[serde(borrow, rename = "eventSourceARN")]
    queue: Text<'e>,
    #[serde(borrow)]
    message_id: Text<'e>,
    #[serde(borrow, default)]
    body: Option<Text<'e>>,
    #[serde(borrow, default)]
    attributes: Option<SqsAttributes<'e>>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct SqsAttributes<'e> {
    #[serde(borrow, default)]
    approximate_receive_count: Option<Text<'e>>,
    #[serde(borrow, default)]
    message_group_id: Option<Text<'e>>,
}

fn sqs<'e>(record: &'e RawValue, place: &str) -> Result<Arrival<'e>, Fault> {
    let record: SqsRecord<'e> = read(record.get(), place)?;
    check_source(&record.event_source, "aws:sqs", place)?;
    if record.message_id.0.is_empty() {
        return Err(invalid(format!("`{place}.messageId` is empty")));
    }
    let attributes = record.attributes.unwrap_or_default();
    let name = Arrival::name_of(&record.queue.0, ':');
    let mut arrival = Arrival::new("aws:sqs", record.queue.0);
    arrival.key = Some(key_of(&["sqs", &record.message_id.0]));
    arrival.parts = vec![("queue", name.into())];
    if let Some(group) = attributes.message_group_id {
        arrival.parts.push(("group", group.0));
    }
    let count = attributes.approximate_receive_count.and_then(|count| count.0.parse().ok());
    arrival.attempt = count.unwrap_or(1).max(1);
    let body = Text::or_empty(record.body);
    // A topic that sends to a queue puts its own envelope around the message, unless it was told not to.
    let notification = body.starts_with('{').then(|| serde_json::from_str::<Notification<'_>>(&body).ok()).flatten();
    match notification.filter(|notification| notification.kind.as_ref().is_some_and(|kind| kind.0 == "Notification")) {
        Some(notification) => {
            arrival.key = Some(key_of(&["sns", &notification.id.0]));
            arrival.parts.push(("topic", Arrival::name_of(&notification.topic.0, ':').into()));
            arrival.data = data_of(&Text::or_empty(notification.message));
        }
        None => arrival.data = data_of(&body),
    }
    arrival.item = Some(record.message_id.0);
    Ok(arrival)
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct S3Record<'e> {
    #[serde(borrow)]
    event_source: Text<'e>,
    #[serde(borrow)]
    event_name: Text<'e>,
    #[serde(borrow)]
    s3: S3Entity<'e>,
}

#[derive(Deserialize)]
struct S3Entity<'e> {
    #[serde(borrow)]
    bucket: S3Bucket<'e>,
    #[serde(borrow)]
    object: S3Object<'e>,
}

#[derive(Deserialize)]
struct S3Bucket<'e> {
    #[serde(borrow)]
    name: Text<'e>,
    #[serde(borrow, default)]
    arn: Option<Text<'e>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct S3Object<'e> {
    #[serde(borrow)]
    key: Text<'e>,
    #[serde(default)]
    size: Option<u64>,
    #[serde(borrow, default)]
    version_id: Option<Text<'e>>,
    #[serde(borrow, default)]
    e_tag: Option<Text<'e>>,
    #[serde(borrow, default)]
    sequencer: Option<Text<'e>>,
}

fn s3<'e>(record: &'e RawValue, place: &str) -> Result<Arrival<'e>, Fault> {
    let S3Record { event_source, event_name, s3 } = read(record.get(), place)?;
    check_source(&event_source, "aws:s3", place)?;
    let S3Entity { bucket, object } = s3;
    // Keys come as forms encode them: a space is a plus.
    let spaced = object.key.0.replace('+', " ");
    let key = percent_decode_str(&spaced).decode_utf8();
    let key = key.map_err(|_| invalid(format!("`{place}.s3.object.key` is not UTF-8")))?.into_owned();
    let arn = bucket.arn.map_or_else(|| format!("arn:aws:s3:::{}", bucket.name.0).into(), |arn| arn.0);
    let mut arrival = Arrival::new("aws:s3", arn);
    let sequencer = object.sequencer.map(|sequencer| sequencer.0);
    arrival.key = sequencer.as_ref().map(|sequencer| key_of(&["s3", &bucket.name.0, &key, &event_name.0, sequencer]));
    arrival.data = Data::json(&json!({
        "event": event_name.0,
        "bucket": bucket.name.0,
        "key": key,
        "size_bytes": object.size,
        "version": object.version_id.map(|version| version.0),
        "etag": object.e_tag.map(|etag| etag.0),
        "sequencer": sequencer,
    }));
    arrival.parts =
        vec![("bucket", bucket.name.0), ("event", event_name.0), ("key", key.clone().into()), ("**", key.into())];
    Ok(arrival)
}

#[derive(Deserialize)]
struct DynamoRecord<'e> {
    #[serde(borrow, rename = "eventSource")]
    source: Text<'e>,
    #[serde(borrow, rename = "eventSourceARN")]
    stream: Text<'e>,
    #[serde(borrow, rename = "eventName")]
    event: Text<'e>,
    #[serde(borrow)]
    dynamodb: DynamoChange<'e>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct DynamoChange<'e> {
    #[serde(borrow)]
    sequence_number: Text<'e>,
    #[serde(default)]
    keys: Option<dynamo::Item>,
    #[serde(default)]
    new_image: Option<dynamo::Item>,
    #[serde(default)]
    old_image: Option<dynamo::Item>,
}

fn dynamodb<'e>(record: &'e RawValue, place: &str) -> Result<Arrival<'e>, Fault> {
    let DynamoRecord { source, stream, event, dynamodb } = read(record.get(), place)?;
    check_source(&source, "aws:dynamodb", place)?;
    let plain = |item: Option<dynamo::Item>, field: &str| {
        let plain = item.map(dynamo::plain).transpose();
        plain.map_err(|what| invalid(format!("`{place}.dynamodb.{field}` {what}")))
    };
    let (keys, new, old) =
        (plain(dynamodb.keys, "Keys")?, plain(dynamodb.new_image, "NewImage")?, plain(dynamodb.old_image, "OldImage")?);
    // arn:aws:dynamodb:REGION:ACCOUNT:table/NAME/stream/TIME
    let table = stream.0.split('/').nth(1).unwrap_or_default().to_owned();
    let number = dynamodb.sequence_number.0;
    let mut arrival = Arrival::new("aws:dynamodb", stream.0);
    arrival.key = Some(key_of(&["dynamodb", &arrival.source, &number]));
    arrival.data = Data::json(&json!({"event": event.0, "table": table, "keys": keys, "new": new, "old": old}));
    arrival.parts = vec![("table", table.into()), ("event", event.0.to_ascii_lowercase().into())];
    arrival.item = Some(number);
    Ok(arrival)
}

#[derive(Deserialize)]
struct KinesisRecord<'e> {
    #[serde(borrow, rename = "eventSource")]
    source: Text<'e>,
    #[serde(borrow, rename = "eventSourceARN")]
    stream: Text<'e>,
    #[serde(borrow)]
    kinesis: KinesisData<'e>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct KinesisData<'e> {
    #[serde(borrow)]
    data: Text<'e>,
    #[serde(borrow)]
    sequence_number: Text<'e>,
    #[serde(borrow, default)]
    partition_key: Option<Text<'e>>,
}

fn kinesis<'e>(record: &'e RawValue, place: &str) -> Result<Arrival<'e>, Fault> {
    let KinesisRecord { source, stream, kinesis } = read(record.get(), place)?;
    check_source(&source, "aws:kinesis", place)?;
    let bytes = STANDARD.decode(kinesis.data.0.as_bytes());
    let bytes = bytes.map_err(|error| invalid(format!("`{place}.kinesis.data` is no base64: {error}")))?;
    let name = Arrival::name_of(&stream.0, '/');
    let number = kinesis.sequence_number.0;
    let mut arrival = Arrival::new("aws:kinesis", stream.0);
    arrival.key = Some(key_of(&["kinesis", &arrival.source, &number]));
    arrival.data = data_of_bytes(bytes);
    let partition = kinesis.partition_key.map_or(Cow::Borrowed(""), |key| key.0);
    arrival.parts = vec![("stream", name.into()), ("partition", partition)];
    arrival.item = Some(number);
    Ok(arrival)
}
