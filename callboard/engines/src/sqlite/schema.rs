//! Migrations, and the check at start that every statement stays within the tables it declares.

use super::connection::fault;
use callboard::{Fault, Migration, Service, Space, Statement};
use rusqlite::hooks::{AuthAction, AuthContext, Authorization};
use rusqlite::{Connection, params};
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

/// Creates the kernel's tables and runs every migration that has not run yet, each in a transaction of its own.
pub(super) fn migrate(connection: &mut Connection, space: &Space) -> Result<(), Fault> {
    migrate_kernel(connection).map_err(|error| fault(&error))?;
    for service in &space.services {
        for migration in &service.migrations {
            apply(connection, service, migration)?;
        }
    }
    Ok(())
}

/// The kernel's own schema, in order; `user_version` says how many of these have run.
const KERNEL: &[&str] = &[
    include_str!("kernel.sql"),
    include_str!("kernel_2.sql"),
    include_str!("kernel_turns.sql"),
    include_str!("kernel_once.sql"),
];

fn migrate_kernel(connection: &mut Connection) -> rusqlite::Result<()> {
    let done: u32 = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    for (version, sql) in (1_u32..).zip(KERNEL).filter(|(version, _)| *version > done) {
        let step = connection.transaction()?;
        step.execute_batch(sql)?;
        step.pragma_update(None, "user_version", version)?;
        step.commit()?;
    }
    Ok(())
}

fn apply(connection: &mut Connection, service: &Service, migration: &Migration) -> Result<(), Fault> {
    let place = format!("{}/migrations/{}", service.name, migration.name);
    let done: Option<String> = connection
        .query_row(
            "SELECT sql FROM kernel_migration WHERE service = ?1 AND name = ?2",
            params![service.name, migration.name],
            |row| row.get(0),
        )
        .map(Some)
        .or_else(|error| if error == rusqlite::Error::QueryReturnedNoRows { Ok(None) } else { Err(fault(&error)) })?;
    match done {
        Some(sql) if sql == migration.sql => return Ok(()),
        Some(_) => {
            let message = format!("{place} has run with another text; write a new migration instead of changing it");
            return Err(Fault::bad_input("start", message));
        }
        None => {}
    }
    let own: Vec<&'static str> = service.tables.iter().map(|table| table.name).collect();
    connection.execute_batch("BEGIN IMMEDIATE").map_err(|error| fault(&error))?;
    connection
        .authorizer(Some(move |context: AuthContext<'_>| permit_migration(&own, &context)))
        .map_err(|error| fault(&error))?;
    let ran = connection.execute_batch(migration.sql);
    connection.authorizer(None::<fn(AuthContext<'_>) -> Authorization>).map_err(|error| fault(&error))?;
    ran.map_err(|error| Fault::bad_input("start", format!("{place}: {error}")))?;
    let now_ms = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |age| i64::try_from(age.as_millis()).unwrap_or(i64::MAX));
    connection
        .execute(
            "INSERT INTO kernel_migration VALUES (?1, ?2, ?3, ?4)",
            params![service.name, migration.name, migration.sql, now_ms],
        )
        .map_err(|error| fault(&error))?;
    connection.execute_batch("COMMIT").map_err(|error| fault(&error))
}

fn permit_migration(own: &[&str], context: &AuthContext<'_>) -> Authorization {
    let table = match context.action {
        AuthAction::CreateTable { table_name }
        | AuthAction::DropTable { table_name }
        | AuthAction::AlterTable { table_name, .. }
        | AuthAction::Insert { table_name }
        | AuthAction::Delete { table_name }
        | AuthAction::CreateIndex { table_name, .. }
        | AuthAction::Update { table_name, .. } => table_name,
        AuthAction::Attach { .. } | AuthAction::Detach { .. } => return Authorization::Deny,
        _ => return Authorization::Allow,
    };
    if own.contains(&table) || table.starts_with("sqlite_") { Authorization::Allow } else { Authorization::Deny }
}

/// Prepares every statement under a guard that knows which tables it may touch.
pub(super) fn check(connection: &mut Connection, space: &Space) -> Result<(), Fault> {
    let mut mistakes = Vec::new();
    for service in &space.services {
        for statement in &service.statements {
            if let Err(mistake) = check_statement(connection, statement) {
                mistakes.push(format!("{}: statement {}: {mistake}", service.name, statement.name));
            }
        }
    }
    if mistakes.is_empty() { Ok(()) } else { Err(Fault::bad_input("start", mistakes.join("\n"))) }
}

fn check_statement(connection: &mut Connection, statement: &'static Statement) -> Result<(), String> {
    let undeclared = Arc::new(Mutex::new(BTreeSet::new()));
    let found = undeclared.clone();
    let guard = move |context: AuthContext<'_>| {
        let (table, is_declared) = match context.action {
            AuthAction::Read { table_name, .. } => {
                (table_name, statement.reads.contains(&table_name) || statement.writes.contains(&table_name))
            }
            AuthAction::Insert { table_name }
            | AuthAction::Delete { table_name }
            | AuthAction::Update { table_name, .. } => (table_name, statement.writes.contains(&table_name)),
            AuthAction::Select | AuthAction::Function { .. } | AuthAction::Recursive => return Authorization::Allow,
            _ => return Authorization::Deny,
        };
        // Table-valued functions read themselves.
        if !is_declared && !matches!(table, "json_each" | "json_tree") {
            found.lock().unwrap_or_else(PoisonError::into_inner).insert(table.to_owned());
        }
        Authorization::Allow
    };
    connection.authorizer(Some(guard)).map_err(|error| error.to_string())?;
    let prepared = connection.prepare(statement.sql).map(drop);
    connection.authorizer(None::<fn(AuthContext<'_>) -> Authorization>).map_err(|error| error.to_string())?;
    prepared.map_err(|error| error.to_string())?;
    let undeclared = undeclared.lock().unwrap_or_else(PoisonError::into_inner);
    match undeclared.first() {
        None => Ok(()),
        Some(table) => Err(format!("it touches table {table} without declaring it; add it to `reads` or `writes`")),
    }
}
