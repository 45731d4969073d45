//! The services' SQL as PostgreSQL takes it. Only what is mechanical: `$tenant` becomes the parameter behind the numbered ones,
//! and a list that is bound as JSON is read by the function of that name. Everything else is common to both engines.

/// A statement's text for PostgreSQL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Translated {
    pub(super) sql: String,
    /// How many numbered parameters there are; where the text names the tenant, it is the one behind them.
    pub(super) params: usize,
    pub(super) has_tenant: bool,
}

/// Translates a statement.
pub(super) fn translate(sql: &str) -> Translated {
    let params = pieces(sql).filter_map(|piece| piece.strip_prefix('$')?.parse::<usize>().ok()).max().unwrap_or(0);
    let mut has_tenant = false;
    let mut text = String::with_capacity(sql.len() + 16);
    for piece in pieces(sql) {
        match piece {
            "$tenant" => {
                has_tenant = true;
                text.push_str(&format!("${}", params + 1));
            }
            "json_each" => text.push_str("json_array_elements_text"),
            other => text.push_str(other),
        }
    }
    Translated { sql: text, params, has_tenant }
}

/// Cuts a text into words (with a `$` before them, where there is one), quoted texts, comments, and single characters.
fn pieces(sql: &str) -> impl Iterator<Item = &str> {
    let mut rest = sql;
    std::iter::from_fn(move || {
        let first = rest.chars().next()?;
        let end = match first {
            '\'' | '"' => rest[1..].find(first).map(|at| at + 2),
            '-' if rest.starts_with("--") => rest.find('\n'),
            '/' if rest.starts_with("/*") => rest.find("*/").map(|at| at + 2),
            '$' | '_' | 'a'..='z' | 'A'..='Z' => {
                let is_word = |sign: char| sign.is_ascii_alphanumeric() || sign == '_';
                rest[1..].find(|sign| !is_word(sign)).map(|at| at + 1)
            }
            other => Some(other.len_utf8()),
        };
        let (piece, after) = rest.split_at(end.unwrap_or(rest.len()));
        rest = after;
        Some(piece)
    })
}

/// A name in double quotes.
pub(super) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A text in single quotes.
pub(super) fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_tenant_stands_behind_the_numbered_parameters() {
        let translated = translate("SELECT a FROM t WHERE tenant = $tenant AND id = $1 AND x > $12");
        assert_eq!(translated.sql, "SELECT a FROM t WHERE tenant = $13 AND id = $1 AND x > $12");
        assert_eq!((translated.params, translated.has_tenant), (12, true));
    }

    #[test]
    fn a_list_is_read_by_the_function_of_this_engine() {
        let translated = translate("DELETE FROM t WHERE id IN (SELECT value FROM json_each($1))");
        assert_eq!(translated.sql, "DELETE FROM t WHERE id IN (SELECT value FROM json_array_elements_text($1))");
        assert!(!translated.has_tenant);
    }

    #[test]
    fn what_is_quoted_or_remarked_stays_as_it_is() {
        let sql = "SELECT '$tenant json_each', \"$1\" /* $7 */ FROM t -- $9\nWHERE my_json_each = 1";
        assert_eq!(translate(sql), Translated { sql: sql.to_owned(), params: 0, has_tenant: false });
    }

    proptest! {
        #[test]
        fn pieces_put_together_are_the_text(sql in "[ -~é\n]{0,80}") {
            prop_assert_eq!(pieces(&sql).collect::<String>(), sql);
        }

        #[test]
        fn every_number_of_parameters_leaves_room_for_the_tenant(count in 0_usize..40) {
            let list: String = (1..=count).map(|at| format!("${at}, ")).collect();
            let translated = translate(&format!("INSERT INTO t VALUES ({list}$tenant)"));
            let last = format!("${})", count + 1);
            prop_assert!(translated.sql.ends_with(&last), "{}", translated.sql);
            prop_assert_eq!(translated.params, count);
        }
    }
}
