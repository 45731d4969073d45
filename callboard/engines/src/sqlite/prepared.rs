//! The writer's connection with its statements. It runs a few of them over and over, so each is found by where its text is: the
//! cache of the connection compares whole texts.

use rusqlite::{Connection, PrepFlags, Statement};
use std::cell::RefCell;
use std::collections::HashMap;
use std::ops::{Deref, DerefMut};

/// Address and length of a text.
type Place = (usize, usize);

/// A connection whose statements stay prepared.
pub(super) struct Db<'c> {
    connection: &'c Connection,
    idle: RefCell<HashMap<Place, Statement<'c>>>,
}

/// A statement in use.
pub(super) struct Prepared<'a, 'c> {
    db: &'a Db<'c>,
    place: Place,
    /// There until it is dropped.
    statement: Option<Statement<'c>>,
}

impl<'c> Db<'c> {
    pub(super) fn new(connection: &'c Connection) -> Self {
        Self { connection, idle: RefCell::default() }
    }

    /// Prepares a statement, unless that is done already.
    pub(super) fn prepare_cached(&self, sql: &'static str) -> rusqlite::Result<Prepared<'_, 'c>> {
        let place = (sql.as_ptr().addr(), sql.len());
        let idle = self.idle.borrow_mut().remove(&place);
        let statement = match idle {
            Some(statement) => statement,
            None => self.connection.prepare_with_flags(sql, PrepFlags::SQLITE_PREPARE_PERSISTENT)?,
        };
        Ok(Prepared { db: self, place, statement: Some(statement) })
    }
}

impl Deref for Db<'_> {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        self.connection
    }
}

impl<'c> Deref for Prepared<'_, 'c> {
    type Target = Statement<'c>;

    fn deref(&self) -> &Statement<'c> {
        self.statement.as_ref().expect("it is there until it is dropped")
    }
}

impl<'c> DerefMut for Prepared<'_, 'c> {
    fn deref_mut(&mut self) -> &mut Statement<'c> {
        self.statement.as_mut().expect("it is there until it is dropped")
    }
}

impl Drop for Prepared<'_, '_> {
    fn drop(&mut self) {
        if let Some(statement) = self.statement.take() {
            self.db.idle.borrow_mut().insert(self.place, statement);
        }
    }
}
