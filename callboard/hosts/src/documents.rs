//! Documents that functions keep: JSON by key and tenant, each with a version, in a table of their service.

use crate::declared::leak;
use callboard::{Datum, Env, Fault, Service, Statement, Write, params};
use serde::Deserialize;

/// Largest document, in bytes.
const VALUE_BYTES_MAX: usize = 256 * 1024;
/// Longest key, in bytes.
const KEY_BYTES_MAX: usize = 512;

/// The statements on the documents of one service.
pub(crate) struct Documents {
    table: &'static str,
    get: &'static Statement,
    insert: &'static Statement,
    update: &'static Statement,
    upsert: &'static Statement,
    delete: &'static Statement,
    delete_any: &'static Statement,
}

/// A document.
#[derive(Deserialize)]
pub(crate) struct Document {
    /// Counts from 1.
    pub(crate) version: i64,
    /// JSON.
    pub(crate) value: String,
}

/// A change that a function wants.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Put {
    key: String,
    /// None removes it.
    #[serde(default)]
    value: Option<serde_json::Value>,
    /// The version it must have now, 0 for none at all; without it whatever there is is replaced.
    #[serde(default)]
    version: Option<i64>,
}

impl Documents {
    /// Of a service of this name, which is of letters, digits, `-` and `_`.
    pub(crate) fn new(service: &str) -> Self {
        let table = leak(format!("{}_document", service.replace('-', "_")));
        let tables: &'static [&'static str] = Box::leak(Box::new([table]));
        let read =
            |name, sql: String| -> &'static Statement { Box::leak(Box::new(Statement::read(name, tables, leak(sql)))) };
        let write = |name, sql: String| -> &'static Statement {
            Box::leak(Box::new(Statement::write(name, tables, leak(sql))))
        };
        let fields = format!("INSERT INTO {table} (tenant, key, version, value) VALUES ($tenant, $1, 1, $2)");
        let this = "WHERE tenant = $tenant AND key = $1";
        Self {
            table,
            get: read("document_get", format!("SELECT version, value FROM {table} {this}")),
            insert: write("document_insert", format!("{fields} ON CONFLICT (tenant, key) DO NOTHING")),
            update: write(
                "document_update",
                format!("UPDATE {table} SET version = version + 1, value = $2 {this} AND version = $3"),
            ),
            upsert: write(
                "document_upsert",
                format!(
                    "{fields} ON CONFLICT (tenant, key) DO UPDATE SET version = {table}.version + 1, value = excluded.value"
                ),
            ),
            delete: write("document_delete", format!("DELETE FROM {table} {this} AND version = $2")),
            delete_any: write("document_delete_any", format!("DELETE FROM {table} {this}")),
        }
    }

    /// Adds table and statements to the service.
    pub(crate) fn declare(&self, service: Service) -> Service {
        let table = self.table;
        let sql = format!(
            "CREATE TABLE {table} (tenant TEXT NOT NULL, key TEXT NOT NULL, version BIGINT NOT NULL, value TEXT NOT NULL, \
             PRIMARY KEY (tenant, key));"
        );
        let tables: &'static [&'static str] = Box::leak(Box::new([table]));
        let all = [self.get, self.insert, self.update, self.upsert, self.delete, self.delete_any];
        service.tenants_tables(tables).migration(leak(format!("0001_{table}")), leak(sql)).statements(&all)
    }

    pub(crate) async fn get(&self, env: &Env, key: &str) -> Result<Option<Document>, Fault> {
        env.query(self.get, params![key]).await?.first()
    }

    /// The write that a change is; its batch is refused where the version is another.
    ///
    /// # Errors
    /// `function.answer` where key or value are too large.
    pub(crate) fn write(&self, put: Put) -> Result<Write, Fault> {
        let Put { key, value, version } = put;
        let text = value.as_ref().map(serde_json::Value::to_string);
        if key.is_empty() || key.len() > KEY_BYTES_MAX || text.as_ref().is_some_and(|text| text.len() > VALUE_BYTES_MAX)
        {
            let message = format!(
                "a document has a key of up to {KEY_BYTES_MAX} bytes and a value of up to {VALUE_BYTES_MAX}: `{}`",
                key.chars().take(40).collect::<String>()
            );
            return Err(crate::faults::answer(message));
        }
        let key = Datum::from(key.as_str());
        let moved = Fault::conflict("precondition_failed", "the document was changed meanwhile; read it again");
        Ok(match (text, version) {
            (Some(text), Some(0)) => self.insert.with(vec![key, text.into()]).expect(1..=1, moved),
            (Some(text), Some(version)) => {
                self.update.with(vec![key, text.into(), version.into()]).expect(1..=1, moved)
            }
            (Some(text), None) => self.upsert.with(vec![key, text.into()]).expect(1..=1, moved),
            (None, Some(version)) => self.delete.with(vec![key, version.into()]).expect(1..=1, moved),
            (None, None) => self.delete_any.with(vec![key]),
        })
    }
}
