//! A small service that the tests run: boxes with a stock, parcels that are packed by a flow.

use callboard::{
    Effects, Empty, Env, Fault, Flow, Kind, Msg, Reply, Retry, Service, Slot, Statement, Step, Stranger, Who, event,
    params, uri,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

static STOCK: Statement =
    Statement::read("stock", &["box"], "SELECT stock FROM box WHERE tenant = $tenant AND name = $1");
static LOG: Statement = Statement::read("log", &["log"], "SELECT line FROM log WHERE tenant = $tenant ORDER BY seq");
static MAKE: Statement = Statement::write(
    "make",
    &["box"],
    "INSERT INTO box (tenant, name, stock) VALUES ($tenant, $1, $2) ON CONFLICT DO NOTHING",
);
static SET: Statement =
    Statement::write("set", &["box"], "UPDATE box SET stock = $2 WHERE tenant = $tenant AND name = $1 AND stock = $3");
static TAKE: Statement = Statement::write(
    "take",
    &["box"],
    "UPDATE box SET stock = stock - 1 WHERE tenant = $tenant AND name = $1 AND stock > 0 RETURNING stock",
);
static WRITE: Statement = Statement::write(
    "write",
    &["log"],
    "INSERT INTO log (tenant, seq, line) SELECT $tenant, coalesce(max(seq), 0) + 1, $1 FROM log WHERE tenant = $tenant",
);

pub(crate) const SCHEMA: &str = "CREATE TABLE box (tenant TEXT, name TEXT, stock BIGINT, PRIMARY KEY (tenant, name));
    CREATE TABLE log (tenant TEXT, seq BIGINT, line TEXT);";

#[derive(Deserialize)]
struct Stock {
    stock: i64,
}

#[derive(Deserialize)]
struct Line {
    line: String,
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct Taken {
    left: Slot,
}

#[derive(Deserialize, JsonSchema)]
pub(crate) struct Note {
    line: String,
    #[serde(default)]
    after_ms: i64,
}

/// The service.
pub(crate) fn service() -> Service {
    let once = Retry { attempts: 2, base_ms: 0, cap_ms: 0 };
    Service::new("shop")
        .on(Kind::Get, "/boxes/{name}", read_box, Who::Anyone, Stranger::Denied)
        .on(Kind::Put, "/boxes/{name}", make_box, Who::Role("editor"), Stranger::Denied)
        .on(Kind::Post, "/boxes/{name}/take", take, Who::SignedIn, Stranger::NotFound)
        .on(Kind::Post, "/boxes/{name}/add", add, Who::SignedIn, Stranger::Denied)
        .on(Kind::Post, "/boxes/{name}/spoil", spoil, Who::SignedIn, Stranger::Denied)
        .on(Kind::Get, "/boxes/{name}/sneak", sneak, Who::Anyone, Stranger::Denied)
        .on(Kind::Get, "/log", read_log, Who::Anyone, Stranger::Denied)
        .on(Kind::Post, "/log", write_later, Who::SignedIn, Stranger::Denied)
        .on(Kind::Post, "/log/lines", write_line, Who::Services, Stranger::NotFound)
        .on(event("taken"), "/boxes/{name}", note_taken, Who::Services, Stranger::NotFound)
        .on(event("failing"), "/boxes/{name}", fail_always, Who::Services, Stranger::NotFound)
        .attempts_max(3)
        .on(event("refused"), "/boxes/{name}", refuse, Who::Services, Stranger::NotFound)
        .on(event("panicking"), "/boxes/{name}", panic, Who::Services, Stranger::NotFound)
        .attempts_max(1)
        .on(event("again"), "/boxes/{name}", go_round, Who::Services, Stranger::NotFound)
        .on(Kind::Post, "/boxes/{name}/events/{event}", publish, Who::SignedIn, Stranger::Denied)
        .on(Kind::Post, "/parcels/{key}", pack, Who::SignedIn, Stranger::Denied)
        .on(Kind::Delete, "/parcels/{key}", unpack, Who::SignedIn, Stranger::Denied)
        .on(event("completed"), "/flows/parcel/{run}", note_end, Who::Services, Stranger::NotFound)
        .on(event("undone"), "/flows/parcel/{run}", note_end, Who::Services, Stranger::NotFound)
        .tenants_tables(&["box", "log"])
        .migration("0001_shop", SCHEMA)
        .statements(&[&STOCK, &LOG, &MAKE, &SET, &TAKE, &WRITE])
        .flow(
            Flow::new("parcel")
                .step("list", list_items)
                .no_undo("reads only")
                .map("wrap", "list", wrap)
                .undo(unwrap_item)
                .retry(once)
                .step("send", post_parcel)
                .undo(call_back)
                .retry(once),
        )
}

async fn read_box(env: Env, msg: Msg<Empty>) -> Result<Reply<i64>, Fault> {
    let rows = env.query(&STOCK, params![msg.param("name")]).await?;
    let found = rows.first::<Stock>()?.ok_or_else(|| Fault::not_found("no_such_uri", "there is no such box"))?;
    Ok(Reply::ok(found.stock))
}

async fn make_box(_: Env, msg: Msg<i64>) -> Result<Reply<i64>, Fault> {
    let uri = uri!("/boxes/{}", msg.param("name"))?;
    Ok(Reply::created(uri, msg.data).write(MAKE.with(params![msg.param("name"), msg.data])))
}

/// Takes one of a stock that is guarded by its own row.
async fn take(_: Env, msg: Msg<Empty>) -> Result<Reply<Taken>, Fault> {
    let uri = uri!("/boxes/{}", msg.param("name"))?;
    let empty = Fault::conflict("shop.empty", "the box is empty");
    let mut effects = Effects::from(TAKE.with(params![msg.param("name")]).expect(1..=1, empty));
    let left = effects.slot("stock");
    let effects = effects.emit(event("taken"), uri, json!({"left": left}));
    Ok(Reply::ok(Taken { left }).with(effects))
}

/// Adds one to what it read: right only because a lost race runs it again.
async fn add(env: Env, msg: Msg<Empty>) -> Result<Reply<i64>, Fault> {
    let name = msg.param("name");
    let stock: i64 = env.call(&format!("/boxes/{name}")).await?;
    Ok(Reply::ok(stock + 1).write(SET.with(params![name, stock + 1, stock]).expect_or_retry(1..=1)))
}

/// Writes a line and then fails: nothing may remain.
async fn spoil(_: Env, msg: Msg<Empty>) -> Result<Reply, Fault> {
    let refused =
        SET.with(params![msg.param("name"), 0_i64, -1_i64]).expect(1..=1, Fault::conflict("shop.spoilt", "never so"));
    Ok(Reply::nothing().write(WRITE.with(params!["spoilt"])).write(refused))
}

async fn sneak(_: Env, _: Msg<Empty>) -> Result<Reply, Fault> {
    Ok(Reply::nothing().write(WRITE.with(params!["sneaked"])))
}

async fn read_log(env: Env, _: Msg<Empty>) -> Result<Reply<Vec<String>>, Fault> {
    let lines = env.query(&LOG, params![]).await?.all::<Line>()?;
    Ok(Reply::ok(lines.into_iter().map(|line| line.line).collect()))
}

async fn write_later(env: Env, msg: Msg<Note>) -> Result<Reply, Fault> {
    let at_ms = env.now_ms() + msg.data.after_ms;
    Ok(Reply::nothing().with(Effects::new().send_at(at_ms, Kind::Post, uri!("/log/lines")?, json!(msg.data.line))))
}

async fn write_line(_: Env, msg: Msg<String>) -> Result<Reply, Fault> {
    Ok(log(&msg.data))
}

fn log(line: &str) -> Reply {
    Reply::nothing().write(WRITE.with(params![line]))
}

async fn note_taken(_: Env, msg: Msg<Value>) -> Result<Reply, Fault> {
    Ok(log(&format!("{} left in {}", msg.data["left"], msg.param("name"))))
}

async fn fail_always(_: Env, msg: Msg<Empty>) -> Result<Reply, Fault> {
    Err(Fault::unavailable("shop.away", format!("away at attempt {}", msg.attempt)))
}

async fn refuse(_: Env, _: Msg<Empty>) -> Result<Reply, Fault> {
    Err(Fault::bad_input("shop.wrong", "this can never work"))
}

async fn panic(_: Env, _: Msg<Empty>) -> Result<Reply, Fault> {
    panic!("a defect")
}

async fn go_round(_: Env, msg: Msg<Empty>) -> Result<Reply, Fault> {
    Ok(log("round").emit(event("again"), msg.uri.clone(), json!({})))
}

async fn publish(_: Env, msg: Msg<Empty>) -> Result<Reply, Fault> {
    let kind = Kind::from(msg.param("event").to_owned());
    Ok(Reply::nothing().emit(kind, uri!("/boxes/{}", msg.param("name"))?, json!({})))
}

/// What a parcel holds; an item named `broken` cannot be wrapped, one named `flaky` only at the second attempt.
async fn pack(_: Env, msg: Msg<Vec<String>>) -> Result<Reply, Fault> {
    Ok(Reply::nothing().start("parcel", msg.param("key"), &msg.data))
}

async fn unpack(_: Env, msg: Msg<Empty>) -> Result<Reply, Fault> {
    Ok(Reply::nothing().with(Effects::new().cancel("parcel", msg.param("key"))))
}

async fn list_items(_: Env, msg: Msg<Step<Vec<String>>>) -> Result<Reply<Vec<String>>, Fault> {
    Ok(Reply::ok(msg.data.input.clone()))
}

async fn wrap(_: Env, msg: Msg<Step<Vec<String>>>) -> Result<Reply<String>, Fault> {
    let item = msg.data.item.as_ref().and_then(Value::as_str).unwrap_or_default().to_owned();
    match item.as_str() {
        "broken" => Err(Fault::bad_input("shop.broken", "this item cannot be wrapped")),
        "flaky" if msg.data.attempt == 1 => Err(Fault::unavailable("shop.away", "no paper at the moment")),
        _ => Ok(Reply::ok(format!("wrapped {item}")).write(WRITE.with(params![format!("wrap {item}")]))),
    }
}

async fn unwrap_item(_: Env, msg: Msg<Step<Vec<String>>>) -> Result<Reply, Fault> {
    Ok(log(&format!("unwrap {}", msg.data.item.as_ref().and_then(Value::as_str).unwrap_or_default())))
}

async fn post_parcel(_: Env, msg: Msg<Step<Vec<String>>>) -> Result<Reply, Fault> {
    let wrapped: Vec<String> = msg.data.output("wrap")?;
    if wrapped.iter().any(|item| item.ends_with("too heavy")) {
        return Err(Fault::unavailable("shop.away", "the carrier does not answer"));
    }
    Ok(log(&format!("send {}", wrapped.join(", "))))
}

async fn call_back(_: Env, _: Msg<Step<Vec<String>>>) -> Result<Reply, Fault> {
    Ok(log("call back"))
}

async fn note_end(_: Env, msg: Msg<Value>) -> Result<Reply, Fault> {
    let reason = msg.data["reason"]["code"].as_str().unwrap_or("-");
    Ok(log(&format!("{} {reason}", msg.kind)))
}
