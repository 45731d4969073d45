//! Running one named statement: binding parameters, reading rows.

use callboard::{Datum, Rows, Statement, Tenant};
use rusqlite::types::{ToSqlOutput, Value, ValueRef};
use rusqlite::{Error, ToSql};
use std::fmt;
use std::sync::Arc;

/// A text with the character NUL, which the other engine cannot keep.
#[derive(Debug)]
pub(super) struct Unstorable;

impl fmt::Display for Unstorable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text holds the character NUL")
    }
}

impl std::error::Error for Unstorable {}

/// Refuses texts with the character NUL.
pub(super) fn check_texts<T: AsRef<str>>(texts: &[T]) -> rusqlite::Result<()> {
    match texts.iter().any(|text| text.as_ref().contains('\0')) {
        true => Err(Error::ToSqlConversionFailure(Unstorable.into())),
        false => Ok(()),
    }
}

struct Bound<'a>(&'a Datum);

impl ToSql for Bound<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        match self.0 {
            Datum::Text(value) => check_texts(&[value])?,
            Datum::List(values) => check_texts(values)?,
            _ => {}
        }
        Ok(match self.0 {
            Datum::Null => ToSqlOutput::Owned(Value::Null),
            Datum::Int(value) => ToSqlOutput::Owned(Value::Integer(*value)),
            Datum::Real(value) => ToSqlOutput::Owned(Value::Real(*value)),
            Datum::Text(value) => ToSqlOutput::Borrowed(ValueRef::Text(value.as_bytes())),
            Datum::Bytes(value) => ToSqlOutput::Borrowed(ValueRef::Blob(value)),
            Datum::List(values) => {
                let list = serde_json::to_string(values).expect("a list of texts serialises to JSON");
                ToSqlOutput::Owned(Value::Text(list))
            }
        })
    }
}

/// Runs a statement, prepared, for a tenant; gives its rows.
pub(super) fn run(
    prepared: &mut rusqlite::Statement<'_>,
    statement: &Statement,
    tenant: &Tenant,
    params: &[Datum],
) -> rusqlite::Result<Rows> {
    for at in 1..=prepared.parameter_count() {
        let name = prepared.parameter_name(at).unwrap_or_default();
        if name == "$tenant" {
            prepared.raw_bind_parameter(at, tenant.as_str())?;
            continue;
        }
        let place = name.strip_prefix('$').and_then(|digits| digits.parse::<usize>().ok());
        let param = place.and_then(|place| params.get(place.wrapping_sub(1)));
        let param =
            param.ok_or_else(|| Error::InvalidParameterName(format!("{name} of statement {}", statement.name)))?;
        prepared.raw_bind_parameter(at, Bound(param))?;
    }
    let width = prepared.column_count();
    if width == 0 {
        return prepared.raw_execute().map(|_| Rows::default());
    }
    let columns: Arc<[String]> = prepared.column_names().map(str::to_owned).collect();
    let mut values = Vec::new();
    let mut rows = prepared.raw_query();
    while let Some(row) = rows.next()? {
        values.push((0..width).map(|at| row.get_ref(at).map(datum)).collect::<Result<Vec<_>, _>>()?);
    }
    Ok(Rows { columns, rows: values })
}

fn datum(value: ValueRef<'_>) -> Datum {
    match value {
        ValueRef::Null => Datum::Null,
        ValueRef::Integer(value) => Datum::Int(value),
        ValueRef::Real(value) => Datum::Real(value),
        ValueRef::Text(value) => Datum::Text(String::from_utf8_lossy(value).into()),
        ValueRef::Blob(value) => Datum::Bytes(value.to_vec()),
    }
}
