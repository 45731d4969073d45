//! Values of DynamoDB, whose JSON names the type of each, as plain JSON.

use serde_json::{Map, Number, Value};

/// An item as a stream sends it: attributes by name, each an object with its type as the only name.
pub(crate) type Item = Map<String, Value>;

/// The item as plain JSON. Numbers that JSON cannot hold exactly stay text, and bytes stay base64.
///
/// # Errors
/// What is wrong, in words that follow the name of a field.
pub(crate) fn plain(item: Item) -> Result<Value, String> {
    let attributes = item.into_iter().map(|(name, value)| attribute(value).map(|value| (name, value)));
    attributes.collect::<Result<Map<_, _>, _>>().map(Value::Object)
}

/// Nesting is bounded by the reader that made the value.
fn attribute(value: Value) -> Result<Value, String> {
    let Value::Object(typed) = value else { return Err("has an attribute without a type".to_owned()) };
    let mut typed = typed.into_iter();
    let (Some((kind, value)), None) = (typed.next(), typed.next()) else {
        return Err("has an attribute that is not of one type".to_owned());
    };
    match (kind.as_str(), value) {
        ("S" | "B", Value::String(text)) => Ok(Value::String(text)),
        ("N", Value::String(digits)) => Ok(number(digits)),
        ("BOOL", Value::Bool(is)) => Ok(Value::Bool(is)),
        ("NULL", _) => Ok(Value::Null),
        ("SS" | "BS", list @ Value::Array(_)) => Ok(list),
        ("NS", Value::Array(list)) => {
            let digits = |value: Value| value.as_str().map(|digits| number(digits.to_owned()));
            list.into_iter().map(digits).collect::<Option<Vec<_>>>().map(Value::Array).ok_or_else(|| wrong("NS"))
        }
        ("L", Value::Array(list)) => list.into_iter().map(attribute).collect::<Result<Vec<_>, _>>().map(Value::Array),
        ("M", Value::Object(item)) => plain(item),
        (kind, _) => Err(wrong(kind)),
    }
}

fn wrong(kind: &str) -> String {
    format!("has an attribute of type `{}` with a value that is not", kind.chars().take(8).collect::<String>())
}

fn number(digits: String) -> Value {
    let whole = digits.parse::<i64>().map(Number::from).ok();
    let exact = || digits.parse::<f64>().ok().filter(|real| real.to_string() == digits).and_then(Number::from_f64);
    match whole.or_else(exact) {
        Some(number) => Value::Number(number),
        None => Value::String(digits),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn typed_values_become_plain_ones() {
        let typed = json!({
            "id": {"N": "101"}, "price": {"N": "2.5"}, "huge": {"N": "123456789012345678901234567890"},
            "name": {"S": "tea"}, "none": {"NULL": true}, "is": {"BOOL": false}, "all": {"NS": ["1", "2"]},
            "in": {"M": {"list": {"L": [{"S": "a"}, {"B": "AAEC"}]}}},
        });
        let Value::Object(item) = typed else { unreachable!("it is an object") };
        let want = json!({
            "id": 101, "price": 2.5, "huge": "123456789012345678901234567890", "name": "tea", "none": null, "is": false,
            "all": [1, 2], "in": {"list": ["a", "AAEC"]},
        });
        assert_eq!(plain(item), Ok(want));
    }

    #[test]
    fn what_has_no_type_is_refused() {
        for typed in [
            json!({"a": 1}),
            json!({"a": {}}),
            json!({"a": {"S": 1}}),
            json!({"a": {"X": "y"}}),
            json!({"a": {"S": "x", "N": "1"}}),
        ] {
            let Value::Object(item) = typed else { unreachable!("it is an object") };
            assert!(plain(item).is_err());
        }
    }
}
