//! Values of records on their way to PostgreSQL and back. What a parameter is, the server has found out from the statement.

use bytes::{BufMut, BytesMut};
use callboard::{Datum, Rows};
use std::error::Error;
use std::sync::Arc;
use tokio_postgres::types::{IsNull, ToSql, Type, to_sql_checked};
use tokio_postgres::{Column, Row};

/// Types that a column of a service's statement may have.
pub(super) const READABLE: &[Type] = &[
    Type::INT8,
    Type::INT4,
    Type::INT2,
    Type::FLOAT8,
    Type::FLOAT4,
    Type::TEXT,
    Type::VARCHAR,
    Type::BYTEA,
    Type::BOOL,
];

/// A parameter.
#[derive(Debug)]
pub(super) struct Bound<'a>(pub(super) &'a Datum);

impl ToSql for Bound<'_> {
    fn to_sql(&self, wanted: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        match (self.0, wanted) {
            (Datum::Null, _) => return Ok(IsNull::Yes),
            (Datum::Int(value), &Type::INT8) => out.put_i64(*value),
            (Datum::Int(value), &Type::INT4) => out.put_i32(i32::try_from(*value)?),
            (Datum::Int(value), &Type::INT2) => out.put_i16(i16::try_from(*value)?),
            #[expect(clippy::cast_precision_loss, reason = "a measured quantity that happens to be whole")]
            (Datum::Int(value), &Type::FLOAT8) => out.put_f64(*value as f64),
            (Datum::Real(value), &Type::FLOAT8) => out.put_f64(*value),
            (Datum::Text(value), &Type::TEXT | &Type::VARCHAR | &Type::JSON) => out.put_slice(value.as_bytes()),
            (Datum::Bytes(value), &Type::BYTEA) => out.put_slice(value),
            (Datum::List(values), &Type::JSON | &Type::TEXT) => out.put_slice(&serde_json::to_vec(values)?),
            (value, wanted) => return Err(format!("{value:?} does not fit a parameter of type {wanted}").into()),
        }
        Ok(IsNull::No)
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    to_sql_checked!();
}

/// Rows as services see them.
pub(super) fn rows(columns: &[Column], found: &[Row]) -> Result<Rows, tokio_postgres::Error> {
    let names: Arc<[String]> = columns.iter().map(|column| column.name().to_owned()).collect();
    let values = found.iter().map(|row| (0..columns.len()).map(|at| datum(row, at)).collect());
    Ok(Rows { columns: names, rows: values.collect::<Result<_, _>>()? })
}

fn datum(row: &Row, at: usize) -> Result<Datum, tokio_postgres::Error> {
    Ok(match *row.columns()[at].type_() {
        Type::INT8 => row.try_get::<_, Option<i64>>(at)?.into(),
        Type::INT4 => row.try_get::<_, Option<i32>>(at)?.into(),
        Type::INT2 => row.try_get::<_, Option<i16>>(at)?.map(i32::from).into(),
        Type::FLOAT8 => row.try_get::<_, Option<f64>>(at)?.into(),
        Type::FLOAT4 => row.try_get::<_, Option<f32>>(at)?.map(f64::from).into(),
        Type::BYTEA => row.try_get::<_, Option<Vec<u8>>>(at)?.into(),
        Type::BOOL => row.try_get::<_, Option<bool>>(at)?.into(),
        _ => row.try_get::<_, Option<&str>>(at)?.into(),
    })
}
