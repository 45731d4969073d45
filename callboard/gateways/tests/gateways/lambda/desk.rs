//! A desk with notes: a query, a command with effects, one that fails, and one of which a repetition would show.
//! Its functions are bound to calls, to an event, to a schedule and to a step of a flow.

use callboard::{
    Due, Effects, Empty, Env, Fault, Flow, Kind, Msg, Reply, Service, Slot, Statement, Step, Stranger, Who, Write,
    event, params, uri,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

static READ: Statement = Statement::read("read", &["note"], "SELECT text FROM note WHERE tenant = $tenant AND id = $1");
static WRITE: Statement =
    Statement::write("write", &["note"], "INSERT INTO note (tenant, id, text) VALUES ($tenant, $1, $2)");
static COUNT: Statement = Statement::write(
    "count",
    &["tally"],
    "INSERT INTO tally (tenant, id, count) VALUES ($tenant, $1, 1)
     ON CONFLICT (tenant, id) DO UPDATE SET count = tally.count + 1 RETURNING count",
);

const SCHEMA: &str = "CREATE TABLE note (tenant TEXT, id TEXT, text TEXT, PRIMARY KEY (tenant, id));
    CREATE TABLE tally (tenant TEXT, id TEXT, count BIGINT, PRIMARY KEY (tenant, id));";

/// What is asked of the desk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ask {
    Read,
    Note,
    Fail,
    Count,
}

impl Ask {
    pub(crate) const ALL: [Self; 4] = [Self::Read, Self::Note, Self::Fail, Self::Count];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Note => "note",
            Self::Fail => "fail",
            Self::Count => "count",
        }
    }

    pub(crate) fn method(self) -> &'static str {
        if self == Self::Read { "GET" } else { "POST" }
    }

    pub(crate) fn uri(self) -> &'static str {
        match self {
            Self::Read | Self::Note => "/notes/tea",
            Self::Fail => "/notes/tea/fail",
            Self::Count => "/notes/tea/count",
        }
    }
}

#[derive(Deserialize)]
struct Text {
    text: String,
}

#[derive(Serialize, JsonSchema)]
struct Counted {
    count: Slot,
}

/// What every source carries in a place of its own: a body, the key of an object, the image of an item, a message on a socket.
fn text_of(data: &Value) -> String {
    let inside = data["body"].as_str().and_then(|body| serde_json::from_str::<Value>(body).ok());
    let places = [&data["text"], &data["key"], &data["new"]["text"]];
    let found = places.into_iter().find_map(Value::as_str).map(str::to_owned);
    found.or_else(|| inside.as_ref().map(text_of)).unwrap_or_default()
}

fn id_of<In>(msg: &Msg<In>) -> String {
    msg.params.get("id").unwrap_or("tea").to_owned()
}

async fn read(env: Env, msg: Msg<Empty>) -> Result<Reply<Value>, Fault> {
    let note = env.query(&READ, params![id_of(&msg)]).await?.first::<Text>()?;
    let note = note.ok_or_else(|| Fault::not_found("desk.no_note", "there is no such note"))?;
    Ok(Reply::ok(json!({"text": note.text})))
}

async fn note(_: Env, msg: Msg<Value>) -> Result<Reply<Value>, Fault> {
    let (id, text) = (id_of(&msg), text_of(&msg.data));
    let uri = uri!("/notes/{id}")?;
    let noted = json!({"text": text});
    let reply = Reply::created(uri.clone(), noted.clone()).write(WRITE.with(params![id, text]));
    Ok(reply.emit(event("noted"), uri, noted))
}

async fn fail(_: Env, _: Msg<Value>) -> Result<Reply<Value>, Fault> {
    Err(Fault::bad_input("desk.closed", "the desk is closed; come again tomorrow"))
}

async fn count(_: Env, msg: Msg<Value>) -> Result<Reply<Counted>, Fault> {
    let id = id_of(&msg);
    let mut effects = Effects::new().write(counting(&id));
    let count = effects.slot("count");
    let reply = Reply::ok(Counted { count }).with(effects);
    Ok(reply.emit(event("counted"), uri!("/notes/{id}")?, json!({"by": 1})))
}

fn counting(id: &str) -> Write {
    COUNT.with(params![id])
}

/// The same message with the data inside of it.
fn with<Out, In>(msg: &Msg<Out>, data: In) -> Msg<In> {
    Msg { head: msg.head.clone(), params: msg.params.clone(), data }
}

fn hello() -> Value {
    json!({"text": "hello"})
}

fn lines(rows: Service) -> Service {
    let (anyone, denied) = (Who::Anyone, Stranger::Denied);
    rows.on(Kind::Get, "/notes/{id}", read, anyone, denied)
        .on(Kind::Post, "/notes/{id}", note, anyone, denied)
        .on(Kind::Post, "/notes/{id}/fail", fail, anyone, denied)
        .on(Kind::Post, "/notes/{id}/count", count, anyone, denied)
        .on(event("read"), "/asked/{id}", read, Who::Services, denied)
        .on(event("note"), "/asked/{id}", note, Who::Services, denied)
        .on(event("fail"), "/asked/{id}", fail, Who::Services, denied)
        .on(event("count"), "/asked/{id}", count, Who::Services, denied)
}

/// The desk; by the clock and in its flow it does what is asked.
pub(crate) fn service(ask: Ask) -> Service {
    const HOUR_MS: i64 = 3_600_000;
    let (anyone, denied) = (Who::Anyone, Stranger::Denied);
    let publish = move |_: Env, _: Msg<Empty>| async move {
        Ok::<Reply, Fault>(Reply::nothing().emit(Kind::from(ask.name().to_owned()), uri!("/asked/tea")?, hello()))
    };
    let queue = move |_: Env, _: Msg<Empty>| async move {
        let kind = Kind::from(ask.method().to_ascii_lowercase());
        Ok::<Reply, Fault>(Reply::nothing().send(kind, uri!("{}", ask.uri())?, hello()))
    };
    let start = |_: Env, _: Msg<Empty>| async { Ok::<Reply, Fault>(Reply::nothing().start("asking", "tea", hello())) };
    let rows = lines(Service::new("desk"))
        .on(Kind::Post, "/ask/topic", publish, anyone, denied)
        .on(Kind::Post, "/ask/queue", queue, anyone, denied)
        .on(Kind::Post, "/ask/flow", start, anyone, denied)
        .tenants_tables(&["note", "tally"])
        .migration("0001_desk", SCHEMA)
        .statements(&[&READ, &WRITE, &COUNT]);
    let flow = Flow::new("asking");
    match ask {
        Ask::Read => rows.every("asking", HOUR_MS, |env: Env, msg: Msg<Due>| read(env, with(&msg, Empty {}))).flow(
            flow.step("ask", |env: Env, msg: Msg<Step>| read(env, with(&msg, Empty {}))).no_undo("it only reads"),
        ),
        Ask::Note => rows.every("asking", HOUR_MS, |env: Env, msg: Msg<Due>| note(env, with(&msg, hello()))).flow(
            flow.step("ask", |env: Env, msg: Msg<Step>| note(env, with(&msg, msg.data.input.clone())))
                .no_undo("a note stays"),
        ),
        Ask::Fail => rows.every("asking", HOUR_MS, |env: Env, msg: Msg<Due>| fail(env, with(&msg, hello()))).flow(
            flow.step("ask", |env: Env, msg: Msg<Step>| fail(env, with(&msg, msg.data.input.clone())))
                .no_undo("nothing happens"),
        ),
        Ask::Count => rows.every("asking", HOUR_MS, |env: Env, msg: Msg<Due>| count(env, with(&msg, hello()))).flow(
            flow.step("ask", |env: Env, msg: Msg<Step>| count(env, with(&msg, msg.data.input.clone())))
                .no_undo("it only counts"),
        ),
    }
}
