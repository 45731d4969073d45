//! What a file says of its function in its head, in the form of inline metadata of Python scripts:
//!
//! ```text
//! # /// showrunner
//! # on = "GET /hello"
//! # ///
//! ```

use crate::declared::Declared;
use callboard::Fault;
use std::path::{Path, PathBuf};

const OPENS: &str = "/// showrunner";
const CLOSES: &str = "///";
/// The head stands in the first lines.
const LINES_MAX: usize = 100;

/// Reads the head of a source; none where it has none.
///
/// # Errors
/// `space.invalid` where it is not what is expected.
pub(crate) fn read(file: &Path, source: &str) -> Result<Option<Declared>, Fault> {
    let Some((before, text)) = find(source) else { return Ok(None) };
    let mut declared: Declared = toml::from_str(&text).map_err(|error| {
        let within = error.span().map_or(0, |span| text[..span.start].matches('\n').count());
        let line = before + within + 1;
        Fault::bad_input("space.invalid", format!("{}, line {line}: its head: {}", file.display(), error.message()))
    })?;
    if declared.handler.is_none() {
        declared.handler = file.file_name().map(PathBuf::from);
    }
    Ok(Some(declared))
}

/// The text of the head, and how many lines stand before it.
fn find(source: &str) -> Option<(usize, String)> {
    let bare = |line: &str| {
        let line = line.trim_end();
        let rest = line.strip_prefix("# ").or_else(|| line.strip_prefix("// "));
        rest.or_else(|| (line == "#" || line == "//").then_some("")).map(str::to_owned)
    };
    let lines = source.lines().take(LINES_MAX).map(bare).enumerate();
    let mut lines = lines.skip_while(|(_, line)| line.as_deref() != Some(OPENS));
    let (opened, _) = lines.next()?;
    let mut text = String::new();
    for (_, line) in lines {
        let line = line?;
        if line == CLOSES {
            return Some((opened + 1, text));
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
        assert!(fault.message.contains("a.py, line 3:") && fault.message.contains("nettwork"), "{fault}");
    }
}
