//! Migrations, who may touch which table, and the check at start that every statement stays within its service's tables.
//!
//! Each service has a role of its own that may touch its tables and nothing else, and sees the rows of one tenant only. The
//! user that connects owns the tables and takes these roles on for the services' statements.

use super::fault::{detail, fault};
use super::pool::Target;
use super::sql::{literal, quoted, translate};
use super::value::READABLE;
use crate::INDEXED_BYTES_MAX;
use callboard::{Fault, Service, Space, Statement};
use std::collections::{BTreeSet, HashMap};
use std::time::{SystemTime, UNIX_EPOCH};
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, Error, Transaction};

/// The kernel's own schema, in order.
const KERNEL: &[(&str, &str)] = &[
    ("0001_kernel", include_str!("kernel.sql")),
    ("0002_kernel", include_str!("kernel_2.sql")),
    ("0003_kernel", include_str!("kernel_3.sql")),
];
/// Name of the constraint of every table that its indexes can keep its texts.
pub(super) const KEY_LIMIT: &str = "callboard_keys";
const MIGRATIONS: &str = "CREATE TABLE IF NOT EXISTS kernel_migration (
    service text COLLATE \"C\" NOT NULL, name text COLLATE \"C\" NOT NULL, sql text NOT NULL, applied_ms bigint NOT NULL,
    PRIMARY KEY (service, name))";

/// The role that runs a service's statements.
pub(super) fn role(service: &str) -> String {
    format!("callboard_{service}")
}

/// Runs every migration that has not run yet, all in one transaction. Of several nodes one does it and the others wait.
pub(super) async fn migrate(client: &mut Client, target: &Target, space: &Space) -> Result<(), Fault> {
    let step = client.transaction().await.map_err(|error| fault(&error))?;
    let name = &target.schema;
    let begin = format!(
        "SET LOCAL statement_timeout TO 0; SET LOCAL lock_timeout TO 0;
         SELECT pg_advisory_xact_lock(hashtextextended({lock}, 0)); CREATE SCHEMA IF NOT EXISTS {schema}; {MIGRATIONS}",
        lock = literal(&format!("callboard migrates {name}")),
        schema = quoted(name),
    );
    step.batch_execute(&begin).await.map_err(|error| not_permitted(&error))?;
    let done = applied(&step).await.map_err(|error| fault(&error))?;
    for (name, sql) in KERNEL {
        apply(&step, "kernel", name, sql, &done).await?;
    }
    for service in &space.services {
        migrate_service(&step, service, &done).await?;
    }
    step.commit().await.map_err(|error| fault(&error))
}

type Applied = HashMap<(String, String), String>;

async fn applied(step: &Transaction<'_>) -> Result<Applied, Error> {
    let rows = step.query("SELECT service, name, sql FROM kernel_migration", &[]).await?;
    Ok(rows.iter().map(|row| ((row.get(0), row.get(1)), row.get(2))).collect())
}

/// Runs a migration unless it has run; says whether it ran now.
async fn apply(step: &Transaction<'_>, service: &str, name: &str, sql: &str, done: &Applied) -> Result<bool, Fault> {
    let place = format!("{service}/migrations/{name}");
    match done.get(&(service.to_owned(), name.to_owned())) {
        Some(before) if before == sql => return Ok(false),
        Some(_) => {
            let message = format!("{place} has run with another text; write a new migration instead of changing it");
            return Err(Fault::bad_input("start", message));
        }
        None => {}
    }
    let wrong = |error: Error| Fault::bad_input("start", format!("{place}: {}", detail(&error)));
    step.batch_execute(sql).await.map_err(wrong)?;
    let now_ms = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |age| i64::try_from(age.as_millis()).unwrap_or(i64::MAX));
    step.execute("INSERT INTO kernel_migration VALUES ($1, $2, $3, $4)", &[&service, &name, &sql, &now_ms])
        .await
        .map_err(|error| fault(&error))?;
    Ok(true)
}

async fn migrate_service(step: &Transaction<'_>, service: &Service, done: &Applied) -> Result<(), Fault> {
    let is_new = |name: &str| !done.contains_key(&(service.name.to_owned(), name.to_owned()));
    if service.migrations.iter().any(|migration| is_new(migration.name)) {
        // A migration sees every tenant's rows.
        expose(step, service).await.map_err(|error| fault(&error))?;
    }
    let mut has_changed = false;
    for migration in &service.migrations {
        let before = relations(step).await.map_err(|error| fault(&error))?;
        let has_run = apply(step, service.name, migration.name, migration.sql, done).await?;
        if has_run {
            let after = relations(step).await.map_err(|error| fault(&error))?;
            let own = |name: &String| service.tables.iter().any(|table| table.name == name);
            if let Some(foreign) = before.symmetric_difference(&after).find(|name| !own(name)) {
                let place = format!("{}/migrations/{}", service.name, migration.name);
                let message = format!("{place}: it makes or drops {foreign}, which is no table of {}", service.name);
                return Err(Fault::bad_input("start", message));
            }
            has_changed = true;
        }
    }
    if has_changed {
        protect(step, service).await?;
    }
    limit_keys(step, service, has_changed).await.map_err(|error| fault(&error))
}

/// Has tables refuse texts that are too long for an index, as the other engine does, whatever would fit when it is compressed.
async fn limit_keys(step: &Transaction<'_>, service: &Service, has_changed: bool) -> Result<(), Error> {
    let names: Vec<&str> = service.tables.iter().map(|table| table.name).collect();
    let sql = format!(
        "WITH own AS MATERIALIZED (
           SELECT c.oid, c.relname::text AS name FROM pg_class c
           WHERE c.relnamespace = quote_ident(current_schema())::regnamespace AND c.relname = ANY ($1)
             AND ($2 OR NOT EXISTS (SELECT 1 FROM pg_constraint n WHERE n.conrelid = c.oid AND n.conname = $3))),
         key AS (
           SELECT o.name, string_agg(format('coalesce(octet_length(%I), 0)', a.attname), ' + ') AS length
           FROM own o JOIN pg_index i ON i.indrelid = o.oid
             JOIN pg_attribute a ON a.attrelid = o.oid AND a.attnum = ANY (i.indkey)
           WHERE a.atttypid IN ('text'::regtype, 'bytea'::regtype) GROUP BY o.name, i.indexrelid)
         SELECT name, format('greatest(%s) <= {INDEXED_BYTES_MAX}', string_agg(length, ', ')) FROM key GROUP BY name"
    );
    let rows = step.query(&sql, &[&names, &has_changed, &KEY_LIMIT]).await?;
    let limit = |row: &tokio_postgres::Row| {
        let (table, check): (&str, &str) = (row.get(0), row.get(1));
        let table = quoted(table);
        // What is there already was kept, so nobody need read it.
        format!(
            "ALTER TABLE {table} DROP CONSTRAINT IF EXISTS {KEY_LIMIT},
               ADD CONSTRAINT {KEY_LIMIT} CHECK ({check}) NOT VALID;"
        )
    };
    step.batch_execute(&rows.iter().map(limit).collect::<String>()).await
}

async fn relations(step: &Transaction<'_>) -> Result<BTreeSet<String>, Error> {
    let sql = "SELECT relname::text FROM pg_class WHERE relnamespace = quote_ident(current_schema())::regnamespace
               AND relkind IN ('r', 'p', 'v', 'm', 'f')";
    Ok(step.query(sql, &[]).await?.iter().map(|row| row.get(0)).collect())
}

async fn expose(step: &Transaction<'_>, service: &Service) -> Result<(), Error> {
    let there = relations(step).await?;
    let tables = service.tables.iter().filter(|table| table.is_tenants && there.contains(table.name));
    let sql: String =
        tables.map(|table| format!("ALTER TABLE {} NO FORCE ROW LEVEL SECURITY;", quoted(table.name))).collect();
    step.batch_execute(&sql).await
}

/// Gives a service's role its tables, hides the rows of other tenants from it, and lets texts compare as bytes, as they do on
/// the other engine.
async fn protect(step: &Transaction<'_>, service: &Service) -> Result<(), Fault> {
    let role = role(service.name);
    make_role(step, &role).await?;
    let names: Vec<&str> = service.tables.iter().map(|table| table.name).collect();
    let collate = step
        .query(
            "SELECT c.relname::text, string_agg(format('ALTER COLUMN %I TYPE text COLLATE \"C\"', a.attname), ', ')
             FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
             WHERE c.relnamespace = quote_ident(current_schema())::regnamespace AND c.relname = ANY ($1) AND a.attnum > 0
               AND NOT a.attisdropped AND a.atttypid = 'text'::regtype AND a.attcollation = '\"default\"'::regcollation
             GROUP BY c.relname",
            &[&names],
        )
        .await
        .map_err(|error| fault(&error))?;
    let mut sql = format!("GRANT USAGE ON SCHEMA {} TO {};", quoted(&schema(step).await?), quoted(&role));
    for row in &collate {
        sql.push_str(&format!("ALTER TABLE {} {};", quoted(row.get(0)), row.get::<_, &str>(1)));
    }
    for table in &service.tables {
        let name = quoted(table.name);
        sql.push_str(&format!("GRANT SELECT, INSERT, UPDATE, DELETE ON {name} TO {};", quoted(&role)));
        if table.is_tenants {
            sql.push_str(&format!(
                "ALTER TABLE {name} ENABLE ROW LEVEL SECURITY; ALTER TABLE {name} FORCE ROW LEVEL SECURITY;
                 DROP POLICY IF EXISTS callboard_tenant ON {name};
                 CREATE POLICY callboard_tenant ON {name} USING (tenant = current_setting('callboard.tenant', true));"
            ));
        }
    }
    let wrong = |error: Error| Fault::bad_input("start", format!("{}: its tables: {}", service.name, detail(&error)));
    step.batch_execute(&sql).await.map_err(wrong)
}

async fn schema(step: &Transaction<'_>) -> Result<String, Fault> {
    let row = step.query_one("SELECT current_schema()::text", &[]).await.map_err(|error| fault(&error))?;
    Ok(row.get(0))
}

/// Roles belong to the whole server, so another database may have made it already, or make it at this moment.
async fn make_role(step: &Transaction<'_>, role: &str) -> Result<(), Fault> {
    let sql = format!(
        "DO $do$ BEGIN
           IF NOT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = {text}) THEN
             BEGIN CREATE ROLE {name} NOLOGIN; EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END;
           END IF;
           IF NOT pg_has_role(current_user, {text}, 'MEMBER') THEN GRANT {name} TO CURRENT_USER; END IF;
         END $do$",
        text = literal(role),
        name = quoted(role),
    );
    step.batch_execute(&sql).await.map_err(|error| {
        let message = format!(
            "the database's user may not make the role {role}; let an administrator run \
             `CREATE ROLE {name} NOLOGIN; GRANT {name} TO USER`, or give the user CREATEROLE",
            name = quoted(role)
        );
        Fault::bad_input("start", message).detail(detail(&error))
    })
}

fn not_permitted(error: &Error) -> Fault {
    if error.code() == Some(&SqlState::INSUFFICIENT_PRIVILEGE) {
        let message =
            "the user of the records' address may not make tables; let it own the database, or grant it CREATE";
        return Fault::bad_input("start", message).detail(detail(error));
    }
    fault(error)
}

/// Plans every statement in the role of its service, which refuses what the role may not touch.
pub(super) async fn check(client: &Client, space: &Space) -> Result<(), Fault> {
    let mut mistakes = Vec::new();
    for service in space.services.iter().filter(|service| !service.statements.is_empty()) {
        let enter = format!("SET plan_cache_mode TO force_generic_plan; SET ROLE {}", quoted(&role(service.name)));
        client.batch_execute(&enter).await.map_err(|error| fault(&error))?;
        for statement in &service.statements {
            if let Err(mistake) = check_statement(client, statement).await {
                mistakes.push(format!("{}: statement {}: {mistake}", service.name, statement.name));
            }
        }
        client.batch_execute("RESET ROLE; RESET plan_cache_mode").await.map_err(|error| fault(&error))?;
    }
    if mistakes.is_empty() { Ok(()) } else { Err(Fault::bad_input("start", mistakes.join("\n"))) }
}

async fn check_statement(client: &Client, statement: &Statement) -> Result<(), String> {
    let sql = translate(statement.sql).sql;
    let prepared = client.prepare(&sql).await.map_err(|error| detail(&error))?;
    if let Some(column) = prepared.columns().iter().find(|column| !READABLE.contains(column.type_())) {
        return Err(format!("column {} is of type {}; cast it to text or bigint", column.name(), column.type_()));
    }
    explain(client, &sql, prepared.params().len()).await.map(drop).map_err(|error| match error.as_db_error() {
        Some(said) if *said.code() == SqlState::INSUFFICIENT_PRIVILEGE => {
            let table = said.message().rsplit(' ').next().unwrap_or_default();
            format!("it touches table {table} without declaring it; add it to `reads` or `writes`")
        }
        _ => detail(&error),
    })
}

/// The plan of a statement for values that are not known.
pub(super) async fn explain(client: &Client, sql: &str, params: usize) -> Result<Vec<String>, Error> {
    use tokio_postgres::SimpleQueryMessage::Row;
    client.batch_execute(&format!("PREPARE callboard_check AS {sql}")).await?;
    let nulls = vec!["NULL"; params].join(", ");
    let nulls = if params == 0 { nulls } else { format!("({nulls})") };
    let plan = client.simple_query(&format!("EXPLAIN EXECUTE callboard_check{nulls}")).await;
    client.batch_execute("DEALLOCATE callboard_check").await?;
    let lines = plan?.into_iter().filter_map(|message| match message {
        Row(row) => row.get(0).map(str::to_owned),
        _ => None,
    });
    Ok(lines.collect())
}
