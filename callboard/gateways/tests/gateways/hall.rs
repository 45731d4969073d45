//! The service under test: a hall with things to read and change, pages, uploads, rooms that speak, and tenants.

use callboard::{
    Answer, BoxFuture, Cookie, Data, Empty, Env, Fault, Handler, Host, Intake, Kind, Msg, Next, Pieces, Principal,
    Reply, Service, Statement, Stored, Stranger, Who, event, params, uri,
};
use futures_util::{StreamExt, stream};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::sync::Arc;
use tokio::sync::Semaphore;

static AT: Statement =
    Statement::read("at", &["upload"], "SELECT length, stored FROM upload WHERE tenant = $tenant AND id = $1");
static BEGIN: Statement = Statement::write(
    "begin",
    &["upload"],
    "INSERT INTO upload (tenant, id, length, stored) VALUES ($tenant, $1, $2, 0)",
);
static END: Statement = Statement::write("end", &["upload"], "DELETE FROM upload WHERE tenant = $tenant AND id = $1");
static GROW: Statement = Statement::write(
    "grow",
    &["upload"],
    "UPDATE upload SET stored = stored + $2 WHERE tenant = $tenant AND id = $1 AND stored = $3",
);

const SCHEMA: &str = "CREATE TABLE upload (
    tenant TEXT, id TEXT, length BIGINT, stored BIGINT, PRIMARY KEY (tenant, id));";

/// What tests hold in their hands while functions run.
#[derive(Clone)]
pub(crate) struct Doors {
    /// `/slow` says that it runs.
    pub(crate) entered: Arc<Semaphore>,
    /// `/slow` goes on.
    pub(crate) leave: Arc<Semaphore>,
}

impl Doors {
    pub(crate) fn new() -> Self {
        Self { entered: Arc::new(Semaphore::new(0)), leave: Arc::new(Semaphore::new(0)) }
    }
}

pub(crate) fn service(doors: &Doors) -> Service {
    let doors = doors.clone();
    let held = doors.clone();
    let slow = move |_: Env, _: Msg<Empty>| {
        let doors = held.clone();
        async move {
            doors.entered.add_permits(1);
            doors.leave.acquire().await.unwrap().forget();
            Ok::<_, Fault>(Reply::ok("late"))
        }
    };
    let rows = Service::new("hall")
        .on(Kind::Get, "/drip/{end}", drip(doors.clone()), Who::Anyone, Stranger::Denied)
        .on(Kind::Get, "/hello", hello, Who::Anyone, Stranger::Denied)
        .on(Kind::Get, "/slow", slow, Who::Anyone, Stranger::Denied)
        .on(Kind::Get, "/panic", panic, Who::Anyone, Stranger::Denied)
        .on(Kind::Get, "/seen", tell_what_is_seen, Who::Anyone, Stranger::Denied)
        .on(Kind::Post, "/seen", tell_what_is_seen, Who::Anyone, Stranger::Denied)
        .on(Kind::Get, "/things/{id}", read_thing, Who::Anyone, Stranger::Denied)
        .on(Kind::Post, "/things", make_thing, Who::Anyone, Stranger::Denied)
        .body_bytes_max(1000)
        .on(Kind::Delete, "/things/{id}", delete_thing, Who::Role("editor"), Stranger::NotFound)
        .on(Kind::Post, "/sessions", sign_in, Who::Anyone, Stranger::Denied)
        .on(Kind::Get, "/files/{name}", read_file, Who::Anyone, Stranger::Denied)
        .on(Kind::Get, "/rooms/{id}", hello, Who::Anyone, Stranger::Denied)
        .on(Kind::Get, "/vaults", hello, Who::Anyone, Stranger::Denied)
        .on(Kind::Get, "/vaults/{id}", hello, Who::Role("editor"), Stranger::NotFound)
        .on(Kind::Post, "/rooms/{id}/words", speak, Who::Anyone, Stranger::Denied)
        .shows::<Value>(event("said"), "/rooms/{id}/words")
        .on(Kind::Get, "/tenants/by-host", find_tenant, Who::Services, Stranger::NotFound)
        .on(Kind::Get, "/tenants/{name}", find_tenant, Who::Services, Stranger::NotFound);
    uploads(pages(rows))
}

/// Says that it is left where it is dropped.
struct Left(Arc<Semaphore>);

impl Drop for Left {
    fn drop(&mut self) {
        self.0.add_permits(1);
    }
}

/// `first` at once; once the door is open `last`, or a fault where the path says so. Whoever leaves before is noticed.
fn drip(doors: Doors) -> impl Fn(Env, Msg<Empty>) -> std::future::Ready<Result<Reply, Fault>> + Clone {
    move |_, msg: Msg<Empty>| {
        let (doors, is_good, left) = (doors.clone(), msg.param("end") == "good", Left(doors.entered.clone()));
        let rest = stream::once(async move {
            doors.leave.acquire().await.unwrap().forget();
            drop(left);
            if is_good { Ok("last".into()) } else { Err(Fault::bug("there is no end")) }
        });
        let pieces = Pieces::new(stream::iter([Ok("first".into())]).chain(rest));
        std::future::ready(Ok(Reply::pieces("text/plain", pieces)))
    }
}

fn pages(rows: Service) -> Service {
    rows.on(Kind::Page, "/", long_page, Who::Anyone, Stranger::Denied)
        .on(Kind::Page, "/me/list", long_page, Who::SignedIn, Stranger::Denied)
        .on(Kind::Form, "/me/list", go_on, Who::SignedIn, Stranger::Denied)
        .on(Kind::Page, "/sign-in", long_page, Who::Anyone, Stranger::Denied)
        .on(Kind::Form, "/sign-in", go_on, Who::Anyone, Stranger::Denied)
        .on(Kind::Page, "/about/old", moved, Who::Anyone, Stranger::Denied)
        .on(Kind::Page, "/about/cached", cached, Who::Anyone, Stranger::Denied)
        .on(Kind::Page, "/fault", fault_page, Who::Anyone, Stranger::NotFound)
}

fn uploads(rows: Service) -> Service {
    rows.on(Kind::Post, "/uploads/{id}", begin_upload, Who::Anyone, Stranger::Denied)
        .on(Kind::Get, "/uploads/{id}", read_upload, Who::Anyone, Stranger::Denied)
        .on(Kind::Patch, "/uploads/{id}", take_bytes, Who::Anyone, Stranger::Denied)
        .on(Kind::Delete, "/uploads/{id}", end_upload, Who::Anyone, Stranger::Denied)
        .on(Kind::Post, "/uploads/{id}/parts", count_part, Who::Services, Stranger::NotFound)
        .tenants_tables(&["upload"])
        .migration("0001_upload", SCHEMA)
        .statements(&[&AT, &BEGIN, &END, &GROW])
}

async fn hello(_: Env, _: Msg<Empty>) -> Result<Reply<&'static str>, Fault> {
    Ok(Reply::ok("hello"))
}

async fn panic(_: Env, _: Msg<Empty>) -> Result<Reply, Fault> {
    panic!("the roof falls in")
}

/// Everything of the request that reached the function.
async fn tell_what_is_seen(env: Env, msg: Msg<Data>) -> Result<Reply<Value>, Fault> {
    let meta: serde_json::Map<String, Value> =
        msg.meta.iter().map(|(name, value)| (name.to_string(), value.clone().into())).collect();
    Ok(Reply::ok(json!({
        "tenant": env.tenant(),
        "principal": env.principal(),
        "address": msg.address,
        "meta": meta,
        "type": msg.data.media_type,
        "body": String::from_utf8_lossy(&msg.data.bytes),
    })))
}

async fn read_thing(_: Env, msg: Msg<Empty>) -> Result<Reply<Value>, Fault> {
    Ok(Reply::ok(json!({"id": msg.param("id")})).version(3))
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Thing {
    title: String,
}

async fn make_thing(_: Env, msg: Msg<Thing>) -> Result<Reply<Value>, Fault> {
    let title = &msg.data.title;
    Ok(Reply::created(uri!("/things/{title}")?, json!({"title": title})))
}

async fn delete_thing(_: Env, msg: Msg<Empty>) -> Result<Reply, Fault> {
    Ok(Reply::deleted(msg.uri.clone()))
}

async fn sign_in(_: Env, _: Msg<Empty>) -> Result<Reply<&'static str>, Fault> {
    Ok(Reply::ok("welcome").cookie(Cookie { name: "session", value: "t-viewer".into(), age_s: 60 }))
}

async fn read_file(_: Env, msg: Msg<Empty>) -> Result<Reply, Fault> {
    Ok(Reply::blob(format!("files/{}", msg.param("name")), "text/plain"))
}

async fn speak(_: Env, msg: Msg<Value>) -> Result<Reply, Fault> {
    let mut reply = Reply::nothing();
    reply.effects = reply.effects.live(event("said"), msg.uri.clone(), &msg.data);
    Ok(reply)
}

#[derive(Deserialize, JsonSchema)]
struct Named {
    #[serde(default)]
    host: String,
}

async fn find_tenant(_: Env, msg: Msg<Named>) -> Result<Reply<Value>, Fault> {
    let name = match (msg.params.get("name"), msg.data.host.as_str()) {
        (Some(name @ ("demo" | "other")), _) => name,
        (None, "other.example") => "other",
        _ => return Err(Fault::not_found("tenants.unknown", "no such tenant")),
    };
    Ok(Reply::ok(json!({"name": name})))
}

async fn long_page(env: Env, _: Msg<Data>) -> Result<Reply, Fault> {
    Ok(Reply::html(format!("<!doctype html><title>{}</title>{}", env.tenant(), "<p>long</p>".repeat(500))))
}

#[derive(Deserialize, JsonSchema)]
struct Next_ {
    #[serde(default)]
    next: String,
}

async fn go_on(_: Env, msg: Msg<Next_>) -> Result<Reply, Fault> {
    Ok(Reply::see_other(msg.data.next.clone()))
}

async fn moved(_: Env, _: Msg<Empty>) -> Result<Reply, Fault> {
    Ok(Reply::moved("/series/näw"))
}

async fn cached(_: Env, _: Msg<Empty>) -> Result<Reply, Fault> {
    Ok(Reply::html("<p>law</p>").header("cache-control", "public, max-age=3600"))
}

#[derive(Deserialize, Serialize, JsonSchema)]
struct Failure {
    status: String,
    code: String,
    title: String,
    message: String,
}

async fn fault_page(env: Env, msg: Msg<Failure>) -> Result<Reply, Fault> {
    Ok(Reply::html(format!(
        "<h1>{} {}</h1><h2>{}</h2>{}<nav>{}</nav>",
        msg.data.status,
        msg.data.code,
        msg.data.title,
        msg.data.message,
        env.principal().person_id().unwrap_or("Sign in")
    )))
}

#[derive(Deserialize)]
struct Row {
    length: u64,
    stored: u64,
}

async fn upload(env: &Env, id: &str) -> Result<Row, Fault> {
    let row = env.query(&AT, params![id]).await?.first::<Row>()?;
    row.ok_or_else(|| Fault::not_found("uploads.unknown", "no such upload"))
}

async fn begin_upload(_: Env, msg: Msg<Empty>) -> Result<Reply, Fault> {
    let length: i64 = msg.meta("upload-length").and_then(|text| text.parse().ok()).unwrap_or(0);
    Ok(Reply::nothing().write(BEGIN.with(params![msg.param("id"), length])))
}

async fn read_upload(env: Env, msg: Msg<Empty>) -> Result<Reply, Fault> {
    let row = upload(&env, msg.param("id")).await?;
    Ok(Reply::nothing().header("upload-offset", row.stored.to_string()))
}

async fn take_bytes(env: Env, msg: Msg<Empty>) -> Result<Reply, Fault> {
    let id = msg.param("id");
    let row = upload(&env, id).await?;
    if msg.meta("upload-offset") != Some(row.stored.to_string().as_str()) {
        return Err(Fault::conflict("uploads.offset", format!("continue at {}", row.stored)));
    }
    let prefix = format!("uploads/{}/{id}/{}", env.tenant(), env.id());
    let intake = Intake { prefix, range: row.stored..row.length, then: uri!("/uploads/{id}/parts")? };
    Ok(Reply::intake(intake).header("upload-offset", row.stored.to_string()).header("tus-resumable", "1.0.0"))
}

async fn end_upload(_: Env, msg: Msg<Empty>) -> Result<Reply, Fault> {
    Ok(Reply::nothing().write(END.with(params![msg.param("id")])))
}

async fn count_part(env: Env, msg: Msg<Stored>) -> Result<Reply, Fault> {
    let id = msg.param("id");
    upload(&env, id).await?;
    let (offset, size) = (msg.data.offset as i64, msg.data.size_bytes as i64);
    let conflict = Fault::conflict("uploads.offset", "another part came first");
    let write = GROW.with(params![id, size, offset]).expect(1..=1, conflict);
    Ok(Reply::nothing().write(write).header("upload-offset", (offset + size).to_string()))
}

/// Tokens of the test: `t-viewer`, `t-editor`; every other proves nothing.
pub(crate) struct Badges;

impl Handler for Badges {
    fn handle<'a>(&'a self, host: &'a Host, mut msg: Msg, next: Next<'a>) -> BoxFuture<'a, Result<Answer, Fault>> {
        let token = msg.credential.as_ref().map(|token| token.expose().clone());
        let roles: Option<&[&str]> = match token.as_deref() {
            Some("t-viewer") => Some(&["viewer"]),
            Some("t-editor") => Some(&["viewer", "editor"]),
            _ => None,
        };
        if let Some(roles) = roles {
            msg.head_mut().principal = Principal::person("p1", roles);
            return next.run(host, msg);
        }
        let is_worthless = token.is_some();
        Box::pin(async move {
            let result = next.run(host, msg).await;
            if !is_worthless {
                return result;
            }
            result.map_err(|fault| fault.header("clear-cookie", "session"))
        })
    }
}
