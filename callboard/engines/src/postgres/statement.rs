//! Statements of services: which there are, and running several in one round trip.

use super::pool::Session;
use super::schema::role;
use super::sql::{Translated, literal, quoted, translate};
use super::value::{self, Bound};
use callboard::{Datum, Fault, Rows, Space, Statement, Tenant};
use futures_util::{TryStreamExt, future};
use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::task::Poll;
use tokio_postgres::Error;
use tokio_postgres::types::ToSql;

/// Takes on a service's role and names the tenant until the transaction ends.
pub(super) fn enter(role: &str, tenant: &Tenant) -> String {
    format!("SET LOCAL ROLE {}; SET LOCAL callboard.tenant TO {}", quoted(role), literal(tenant.as_str()))
}

/// Becomes the owner of the kernel's tables again.
pub(super) const LEAVE: &str = "SET LOCAL ROLE NONE";

/// A statement that a service may run.
pub(super) struct Known {
    pub(super) service: &'static str,
    pub(super) role: String,
    text: Translated,
}

/// The statements of all services, by their address: they are statics.
pub(super) struct Statements(HashMap<usize, Known>);

impl Statements {
    pub(super) fn new(space: &Space) -> Self {
        let all = space.services.iter().flat_map(|service| service.statements.iter().map(move |one| (service, one)));
        let known = all.map(|(service, statement)| {
            let text = translate(statement.sql);
            (address(statement), Known { service: service.name, role: role(service.name), text })
        });
        Self(known.collect())
    }

    pub(super) fn find(&self, statement: &'static Statement) -> Result<&Known, Fault> {
        self.0.get(&address(statement)).ok_or_else(|| {
            Fault::bug(format!("statement {} is not listed in any `Service::statements`", statement.name))
        })
    }
}

fn address(statement: &'static Statement) -> usize {
    std::ptr::from_ref(statement).addr()
}

/// Rows a statement gave, and how many rows it changed.
pub(super) struct Ran {
    pub(super) rows: Rows,
    pub(super) changed: u64,
}

/// A statement with everything it needs, prepared on one connection.
pub(super) struct Ready<'a> {
    statement: tokio_postgres::Statement,
    params: Vec<Bound<'a>>,
    changes: bool,
}

impl<'a> Ready<'a> {
    pub(super) async fn new(
        session: &mut Session,
        known: &Known,
        statement: &'static Statement,
        params: &'a [Datum],
        tenant: &'a Datum,
    ) -> Result<Self, Unready> {
        let Translated { sql, params: count, has_tenant } = &known.text;
        let given = params.get(..*count).ok_or_else(|| {
            let message =
                format!("statement {} takes {count} parameters, and {} were given", statement.name, params.len());
            Unready::Fault(Box::new(Fault::bug(message)))
        })?;
        let params = given.iter().chain(has_tenant.then_some(tenant)).map(Bound).collect();
        let prepared = session.prepare(sql).await.map_err(Unready::Store)?;
        Ok(Self { statement: prepared, params, changes: !statement.writes.is_empty() })
    }

    pub(super) async fn run(&self, session: &Session) -> Result<Ran, Error> {
        let params = self.params.iter().map(|param| param as &(dyn ToSql + Sync));
        let stream = session.query_raw(&self.statement, params).await?;
        let mut stream = std::pin::pin!(stream);
        let mut found = Vec::new();
        while let Some(row) = stream.try_next().await? {
            found.push(row);
        }
        let changed = if self.changes { stream.rows_affected().unwrap_or(0) } else { 0 };
        Ok(Ran { rows: value::rows(self.statement.columns(), &found)?, changed })
    }
}

/// Why a statement is not ready to run.
pub(super) enum Unready {
    Fault(Box<Fault>),
    Store(Error),
}

/// The tenant as a parameter.
pub(super) fn tenant_datum(tenant: &Tenant) -> Datum {
    Datum::from(tenant.as_str())
}

/// A call that is sent when it is polled first.
pub(super) type Call<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Sends calls in this order without waiting for answers in between, and gives the answers in the same order.
pub(super) async fn pipelined<T>(calls: Vec<Call<'_, T>>) -> Vec<T> {
    let mut calls: Vec<_> = calls.into_iter().map(|call| Box::pin(future::maybe_done(call))).collect();
    future::poll_fn(|context| {
        let pending =
            calls.iter_mut().filter_map(|call| call.as_mut().poll(context).is_pending().then_some(())).count();
        if pending == 0 { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    calls.iter_mut().filter_map(|call| call.as_mut().take_output()).collect()
}
