//! A flow of three steps that write a row each, as a service: what is measured beside other engines of the same kind.

use crate::syncs::{self, Syncs};
use callboard::{
    Effects, Empty, Env, Fault, Flow, Id, Kind, Msg, Reply, Service, Statement, Step, Stranger, Who, event, params, uri,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Its table where the records are in a file.
pub(crate) const ON_FILES: &str =
    "CREATE TABLE three (tenant TEXT NOT NULL, run TEXT NOT NULL, step TEXT NOT NULL, at_ms INTEGER NOT NULL,
     PRIMARY KEY (tenant, run, step)) STRICT, WITHOUT ROWID;";
/// Its table on PostgreSQL.
pub(crate) const ON_POSTGRES: &str =
    "CREATE TABLE three (tenant TEXT NOT NULL, run TEXT NOT NULL, step TEXT NOT NULL, at_ms BIGINT NOT NULL,
     PRIMARY KEY (tenant, run, step));";

static NOTE: Statement =
    Statement::write("note", &["three"], "INSERT INTO three (tenant, run, step, at_ms) VALUES ($tenant, $1, $2, $3)");
static COUNT: Statement =
    Statement::read("count", &["three"], "SELECT count(*) AS rows FROM three WHERE tenant = $tenant");

/// Who wants a run, and waits for its end.
#[derive(Clone, Serialize, Deserialize, JsonSchema)]
struct Wish {
    caller: u32,
}

#[derive(Deserialize)]
struct Count {
    rows: i64,
}

/// `POST /api/runs` starts a run; an event on `/callers/{caller}` tells its end, sent once that is on the disk.
pub(crate) fn service(schema: &'static str) -> Service {
    let why = "what was measured is removed with its folder";
    Service::new("three")
        .on(Kind::Post, "/runs", start, Who::Anyone, Stranger::Denied)
        .on(Kind::Get, "/rows", rows, Who::Anyone, Stranger::Denied)
        .on(Kind::Get, "/syncs", count_syncs, Who::Anyone, Stranger::Denied)
        .on(Kind::Get, "/callers/{caller}", caller, Who::Anyone, Stranger::Denied)
        .tenants_tables(&["three"])
        .migration("0001_three", schema)
        .statements(&[&NOTE, &COUNT])
        .flow(
            Flow::new("three")
                .step("first", first)
                .records_only()
                .no_undo(why)
                .step("second", second)
                .records_only()
                .no_undo(why)
                .step("third", third)
                .records_only()
                .no_undo(why),
        )
}

async fn start(env: Env, msg: Msg<Wish>) -> Result<Reply<Id>, Fault> {
    let id = env.id();
    Ok(Reply::accepted(uri!("/callers/{}", msg.data.caller)?, id).start("three", id.to_string(), msg.data.clone()))
}

async fn first(env: Env, msg: Msg<Step<Wish>>) -> Result<Reply, Fault> {
    Ok(Reply::nothing().with(note(&env, &msg.data, "first")))
}

async fn second(env: Env, msg: Msg<Step<Wish>>) -> Result<Reply, Fault> {
    Ok(Reply::nothing().with(note(&env, &msg.data, "second")))
}

async fn third(env: Env, msg: Msg<Step<Wish>>) -> Result<Reply, Fault> {
    let caller = uri!("/callers/{}", msg.data.input.caller)?;
    Ok(Reply::nothing().with(note(&env, &msg.data, "third").live(event("finished"), caller, msg.data.run)))
}

fn note(env: &Env, step: &Step<Wish>, name: &str) -> Effects {
    Effects::new().write(NOTE.with(params![step.run.to_string(), name, env.now_ms()]))
}

async fn rows(env: Env, _: Msg<Empty>) -> Result<Reply<i64>, Fault> {
    let counted = env.query(&COUNT, params![]).await?.first::<Count>()?;
    Ok(Reply::ok(counted.map_or(0, |count| count.rows)))
}

async fn count_syncs(_: Env, _: Msg<Empty>) -> Result<Reply<Syncs>, Fault> {
    Ok(Reply::ok(syncs::so_far()))
}

async fn caller(_: Env, _: Msg<Empty>) -> Result<Reply, Fault> {
    Ok(Reply::nothing())
}
