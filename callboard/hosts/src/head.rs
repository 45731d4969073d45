//! What a file says of its function in its head, in the form of inline metadata of Python scripts:
//!
//! ```text
//! # /// showrunner
//! # on = "GET /hello"
//! # ///
//! ```

use crate::declared::Declared;
use callboard::Fault;
use std::path::Path;

const OPENS: &str = "/// showrunner";
const CLOSES: &str = "///";
/// The head stands in the first lines.
const LINES_MAX: usize = 100;

/// Reads the head of a source; none where it has none.
///
/// # Errors
/// `space.invalid` where it is not what is expected.
pub(crate) fn read(file: &Path, source: &str) -> Result<Option<Declared>, Fault> {
    let Some(text) = find(source) else { return Ok(None) };
    let place = file.display();
    let mut table: toml::Table = text
        .parse()
        .map_err(|error| Fault::bad_input("space.invalid", format!("{place}: its head is no TOML: {error}")))?;
    if let Some(name) = file.file_name().and_then(|name| name.to_str()) {
        table.entry("handler").or_insert_with(|| name.into());
    }
    let declared = table.try_into();
    declared.map(Some).map_err(|error| Fault::bad_input("space.invalid", format!("{place}: its head: {error}")))
}

fn find(source: &str) -> Option<String> {
    let bare = |line: &str| {
        let line = line.trim_end();
        let rest = line.strip_prefix("# ").or_else(|| line.strip_prefix("// "));
        rest.or_else(|| (line == "#" || line == "//").then_some("")).map(str::to_owned)
    };
    let mut lines = source.lines().take(LINES_MAX).map(bare).skip_while(|line| line.as_deref() != Some(OPENS));
    lines.next()?;
    let mut text = String::new();
    for line in lines {
        let line = line?;
        if line == CLOSES {
            return Some(text);
        }
        text.push_str(&line);
        text.push('\n');
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_is_read_in_both_kinds_of_comments() {
        for (file, mark) in [("hello.py", "#"), ("hello.mjs", "//")] {
            let source = format!(
                "{mark} Says hello.\n{mark} /// showrunner\n{mark} on = \"GET /hello\"\n{mark}\n{mark} ///\ncode\n"
            );
            let declared = read(Path::new(file), &source).unwrap().expect("it has a head");
            assert_eq!(declared.on.all(), ["GET /hello"]);
            assert_eq!(declared.handler.as_deref(), Some(Path::new(file)));
        }
    }

    #[test]
    fn what_is_no_head_is_none_and_what_is_misspelt_is_refused() {
        for source in ["", "code", "# /// showrunner\n# on = \"GET /x\"\n", "# /// showrunner\ncode\n# ///\n"] {
            assert!(read(Path::new("a.py"), source).unwrap().is_none(), "{source}");
        }
        let fault =
            read(Path::new("a.py"), "# /// showrunner\n# on = \"GET /x\"\n# nettwork = [1]\n# ///\n").unwrap_err();
        assert!(fault.message.contains("a.py") && fault.message.contains("nettwork"), "{fault}");
    }
}
