//! Records as functions see them: named statements, values that both engines speak, rows.

use crate::{Effects, Fault, Otherwise, Write};
use serde::de::value::{MapDeserializer, SeqDeserializer};
use serde::de::{DeserializeOwned, IntoDeserializer, Visitor};
use serde::forward_to_deserialize_any;
use std::fmt;
use std::ops::RangeInclusive;
use std::sync::Arc;

/// A named SQL statement, a `static` of the service that owns its tables.
///
/// Parameters are `$1`, `$2` …; `$tenant` is the tenant of the message and stands in every statement on tenants' tables.
#[derive(Debug, PartialEq, Eq)]
pub struct Statement {
    /// Name, unique within the service: effects and recordings carry it.
    pub name: &'static str,
    /// The text, in the subset of SQL that SQLite and PostgreSQL share.
    pub sql: &'static str,
    /// Tables it reads.
    pub reads: &'static [&'static str],
    /// Tables it writes.
    pub writes: &'static [&'static str],
}

impl Statement {
    /// A statement that reads.
    pub const fn read(name: &'static str, reads: &'static [&'static str], sql: &'static str) -> Self {
        Self { name, sql, reads, writes: &[] }
    }

    /// A statement that writes.
    pub const fn write(name: &'static str, writes: &'static [&'static str], sql: &'static str) -> Self {
        Self { name, sql, reads: &[], writes }
    }

    /// The same statement, which also reads these tables.
    pub const fn reading(self, reads: &'static [&'static str]) -> Self {
        Self { name: self.name, sql: self.sql, reads, writes: self.writes }
    }

    /// The effect of running it; any number of changed rows is accepted until an expectation says otherwise.
    pub fn with(&'static self, params: Vec<Datum>) -> Write {
        Write { statement: self, params, expect: 0..=u64::MAX, otherwise: Otherwise::Retry }
    }
}

impl Write {
    /// Changes a number of rows within this range, or the whole batch is refused with the fault.
    #[must_use]
    pub fn expect(mut self, rows: RangeInclusive<u64>, otherwise: Fault) -> Self {
        self.expect = rows;
        self.otherwise = Otherwise::Refuse(otherwise);
        self
    }

    /// Changes a number of rows within this range, or the function runs again with fresh reads (at most three times).
    #[must_use]
    pub fn expect_or_retry(mut self, rows: RangeInclusive<u64>) -> Self {
        self.expect = rows;
        self.otherwise = Otherwise::Retry;
        self
    }
}

impl From<Write> for Effects {
    fn from(write: Write) -> Self {
        Effects::new().write(write)
    }
}

/// A value of a record.
#[derive(Clone, Debug, PartialEq)]
pub enum Datum {
    /// Absent.
    Null,
    /// Integers, times in Unix milliseconds, and truth as 0 or 1.
    Int(i64),
    /// Measured quantities.
    Real(f64),
    /// Text and ids.
    Text(Arc<str>),
    /// Bytes.
    Bytes(Vec<u8>),
    /// A list of texts, bound as one JSON parameter: `IN (SELECT value FROM json_each($1))`.
    List(Vec<String>),
}

macro_rules! datum_from {
    ($($from:ty => |$value:ident| $to:expr),+ $(,)?) => {
        $(impl From<$from> for Datum {
            fn from($value: $from) -> Self {
                $to
            }
        })+
    };
}

datum_from! {
    i64 => |value| Datum::Int(value),
    i32 => |value| Datum::Int(value.into()),
    u32 => |value| Datum::Int(value.into()),
    bool => |value| Datum::Int(value.into()),
    f64 => |value| Datum::Real(value),
    &str => |value| Datum::Text(Arc::from(value)),
    &String => |value| Datum::Text(Arc::from(value.as_str())),
    String => |value| Datum::Text(Arc::from(value)),
    Arc<str> => |value| Datum::Text(value),
    crate::Id => |value| Datum::Text(Arc::from(value.to_string())),
    Vec<u8> => |value| Datum::Bytes(value),
    Vec<String> => |value| Datum::List(value),
}

impl<T: Into<Datum>> From<Option<T>> for Datum {
    fn from(value: Option<T>) -> Self {
        value.map_or(Datum::Null, Into::into)
    }
}

/// Parameters of a statement: `params![id, title, 7]`.
#[macro_export]
macro_rules! params {
    ($($value:expr),* $(,)?) => { ::std::vec![$($crate::Datum::from($value)),*] };
}

/// Rows of one statement, with shared column names.
#[derive(Clone, Debug, Default)]
pub struct Rows {
    /// Names of the columns.
    pub columns: Arc<[String]>,
    /// Values, one list a row.
    pub rows: Vec<Vec<Datum>>,
}

/// One row.
#[derive(Clone, Copy, Debug)]
pub struct Row<'a> {
    columns: &'a [String],
    values: &'a [Datum],
}

impl Rows {
    /// How many rows.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The rows.
    pub fn iter(&self) -> impl Iterator<Item = Row<'_>> {
        self.rows.iter().map(|values| Row { columns: &self.columns, values })
    }

    /// All rows as values of a type whose fields are named as the columns.
    ///
    /// # Errors
    /// A bug fault where a row does not fit: statement and type are of one author.
    pub fn all<T: DeserializeOwned>(&self) -> Result<Vec<T>, Fault> {
        self.iter().map(|row| row.read()).collect()
    }

    /// The first row, if there is one.
    ///
    /// # Errors
    /// A bug fault where the row does not fit the type.
    pub fn first<T: DeserializeOwned>(&self) -> Result<Option<T>, Fault> {
        self.iter().next().map(|row| row.read()).transpose()
    }
}

impl Row<'_> {
    /// The value of a column.
    pub fn get(&self, column: &str) -> Option<&Datum> {
        self.columns.iter().position(|name| name == column).and_then(|at| self.values.get(at))
    }

    /// The row as a value of a type whose fields are named as the columns.
    ///
    /// # Errors
    /// A bug fault where it does not fit.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T, Fault> {
        let pairs = self.columns.iter().map(String::as_str).zip(self.values);
        T::deserialize(MapDeserializer::<_, RowError>::new(pairs)).map_err(|error| {
            Fault::bug(format!("a row with columns {:?} does not fit its type: {error}", self.columns))
        })
    }
}

/// Why a row does not fit a type.
#[derive(Debug)]
pub struct RowError(String);

impl fmt::Display for RowError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for RowError {}

impl serde::de::Error for RowError {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self(message.to_string())
    }
}

impl<'de> IntoDeserializer<'de, RowError> for &'de Datum {
    type Deserializer = DatumReader<'de>;

    fn into_deserializer(self) -> Self::Deserializer {
        DatumReader(self)
    }
}

/// Reads one value; booleans are 0 and 1, and a text that holds JSON reads into lists and structs.
pub struct DatumReader<'a>(&'a Datum);

impl<'de> serde::Deserializer<'de> for DatumReader<'de> {
    type Error = RowError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, RowError> {
        match self.0 {
            Datum::Null => visitor.visit_unit(),
            Datum::Int(value) => visitor.visit_i64(*value),
            Datum::Real(value) => visitor.visit_f64(*value),
            Datum::Text(value) => visitor.visit_borrowed_str(value),
            Datum::Bytes(value) => visitor.visit_borrowed_bytes(value),
            Datum::List(values) => visitor.visit_seq(SeqDeserializer::new(values.iter().map(String::as_str))),
        }
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, RowError> {
        match self.0 {
            Datum::Int(value) => visitor.visit_bool(*value != 0),
            _ => self.deserialize_any(visitor),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, RowError> {
        match self.0 {
            Datum::Null => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, RowError> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, RowError> {
        match self.0 {
            Datum::Text(value) => visitor.visit_enum((&**value).into_deserializer()),
            _ => self.deserialize_any(visitor),
        }
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, RowError> {
        match self.0 {
            Datum::Text(text) => read_json(text, |json| json.deserialize_seq(visitor)),
            _ => self.deserialize_any(visitor),
        }
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, RowError> {
        match self.0 {
            Datum::Text(text) => read_json(text, |json| json.deserialize_map(visitor)),
            _ => self.deserialize_any(visitor),
        }
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, RowError> {
        self.deserialize_map(visitor)
    }

    forward_to_deserialize_any! {
        i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct tuple
        tuple_struct identifier ignored_any
    }
}

fn read_json<'de, T>(
    text: &'de str,
    read: impl FnOnce(&mut serde_json::Deserializer<serde_json::de::StrRead<'de>>) -> Result<T, serde_json::Error>,
) -> Result<T, RowError> {
    read(&mut serde_json::Deserializer::from_str(text)).map_err(|error| RowError(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    #[test]
    fn a_row_reads_into_a_struct() {
        #[derive(Debug, Deserialize, PartialEq)]
        struct Series {
            title: String,
            active: bool,
            year: Option<u16>,
            tags: Vec<String>,
        }
        let rows = Rows {
            columns: ["title", "active", "year", "tags"].map(str::to_owned).into(),
            rows: vec![params!["Night shift", true, None::<i64>, r#"["noir"]"#]],
        };
        let want = Series { title: "Night shift".into(), active: true, year: None, tags: vec!["noir".into()] };
        assert_eq!(rows.first::<Series>().expect("the row fits"), Some(want));
    }
}
