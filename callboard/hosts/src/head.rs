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
    let wrong =
        |line: usize, what: &str| Fault::bad_input("space.invalid", format!("{}, line {line}: {what}", file.display()));
    let Some(found) = find(source) else { return Ok(None) };
    let Head { line: opened, mark, text, is_closed } = found;
    if !is_closed {
        let what = format!("the head is opened with \"{mark} {OPENS}\" and never closed with \"{mark} {CLOSES}\"");
        return Err(wrong(opened, &what));
    }
    let mut declared: Declared = toml::from_str(&text).map_err(|error| {
        let within = error.span().map_or(0, |span| text[..span.start].matches('\n').count());
        wrong(opened + 1 + within, &format!("its head: {}", error.message()))
    })?;
    if declared.handler.is_none() {
        declared.handler = file.file_name().map(PathBuf::from);
    }
    Ok(Some(declared))
}

/// A head as it stands in a source.
struct Head {
    /// The line that opens it, from 1.
    line: usize,
    /// What makes its lines comments.
    mark: &'static str,
    text: String,
    is_closed: bool,
}

fn find(source: &str) -> Option<Head> {
    let mut lines = source.lines().map(str::trim_end);
    let opens = |line: &str| ["#", "//"].into_iter().find(|mark| bare(line, mark) == Some(OPENS));
    let (at, mark) = lines.by_ref().take(LINES_MAX).enumerate().find_map(|(at, line)| Some((at, opens(line)?)))?;
    let mut head = Head { line: at + 1, mark, text: String::new(), is_closed: false };
    for line in lines.map_while(|line| bare(line, mark)) {
        if line == CLOSES {
            head.is_closed = true;
            break;
        }
        head.text.push_str(line);
        head.text.push('\n');
    }
    Some(head)
}

/// What a line of a comment says; none where it is no comment.
fn bare<'a>(line: &'a str, mark: &str) -> Option<&'a str> {
    let rest = line.strip_prefix(mark)?;
    if rest.is_empty() { Some("") } else { rest.strip_prefix(' ') }
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
        for source in ["", "code", "# showrunner\n# ///\ncode\n"] {
            assert!(read(Path::new("a.py"), source).unwrap().is_none(), "{source}");
        }
        let fault =
            read(Path::new("a.py"), "# /// showrunner\n# on = \"GET /x\"\n# nettwork = [1]\n# ///\n").unwrap_err();
        assert!(fault.message.contains("a.py, line 3:") && fault.message.contains("nettwork"), "{fault}");
    }

    #[test]
    fn a_head_that_is_never_closed_is_refused_with_the_line_that_opens_it() {
        for (mark, rest) in [("#", ""), ("//", ""), ("#", "code\n# ///\n"), ("//", "# ///\n")] {
            let source = format!("{mark} Says hello.\n{mark} /// showrunner\n{mark} on = \"GET /x\"\n{rest}");
            let fault = read(Path::new("a.py"), &source).unwrap_err();
            let want = format!(
                "a.py, line 2: the head is opened with \"{mark} /// showrunner\" and never closed with \"{mark} ///\""
            );
            assert_eq!(fault.message, want);
        }
    }
}
