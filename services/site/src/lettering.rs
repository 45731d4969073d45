//! Letters as outlines of the display face, so that a picture needs no font. It breaks a title into lines that fit;
//! it knows nothing of colours. Characters the face lacks are left to the viewer's own sans serif.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::LazyLock;

/// Tracking of titles, in thousandths of an em.
const TRACKING: f64 = -20.0;
/// Advance assumed for a character that the face lacks.
const ADVANCE_UNKNOWN: f64 = 700.0;
/// Distance of two lines, in ems.
pub(crate) const LEADING: f64 = 1.06;

struct Glyph {
    advance: f64,
    path: &'static str,
}

static GLYPHS: LazyLock<HashMap<char, Glyph>> =
    LazyLock::new(|| include_str!("../art/glyphs.txt").lines().filter_map(read_glyph).collect());

fn read_glyph(line: &'static str) -> Option<(char, Glyph)> {
    let mut parts = line.splitn(3, ' ');
    let letter = char::from_u32(u32::from_str_radix(parts.next()?, 16).ok()?)?;
    let advance = parts.next()?.parse().ok()?;
    Some((letter, Glyph { advance, path: parts.next().unwrap_or_default() }))
}

/// Width of a text at a size of 1.
fn width(text: &str) -> f64 {
    text.chars()
        .map(|letter| (GLYPHS.get(&letter).map_or(ADVANCE_UNKNOWN, |glyph| glyph.advance) + TRACKING) / 1000.0)
        .sum()
}

/// A title broken into lines, and the size at which they fit.
pub(crate) struct Lines {
    pub(crate) lines: Vec<String>,
    pub(crate) size: f64,
}

/// Breaks a title into at most `lines_max` lines no wider than `room`, as large as possible within the sizes given.
/// What still does not fit at the smallest size ends in an ellipsis.
pub(crate) fn fit(title: &str, room: f64, sizes: (f64, f64), lines_max: usize) -> Lines {
    let (smallest, largest) = sizes;
    let mut size = largest;
    loop {
        let lines = wrap(title, room / size);
        let fits = lines.len() <= lines_max && lines.iter().all(|line| width(line) * size <= room);
        if fits {
            return Lines { lines, size };
        }
        if size <= smallest {
            return Lines { lines: cut(lines, room / size, lines_max), size };
        }
        size = (size * 0.92).max(smallest);
    }
}

fn wrap(title: &str, room: f64) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in title.split_whitespace() {
        match lines.last_mut() {
            Some(line) if width(line) + width(" ") + width(word) <= room => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

fn cut(mut lines: Vec<String>, room: f64, lines_max: usize) -> Vec<String> {
    let had_more = lines.len() > lines_max;
    lines.truncate(lines_max);
    let last = lines.len().saturating_sub(1);
    for (index, line) in lines.iter_mut().enumerate() {
        let is_cut = width(line) > room || (had_more && index == last);
        while is_cut && width(line) + width("…") > room && line.pop().is_some() {}
        if is_cut {
            line.push('…');
        }
    }
    lines
}

/// Draws one line as SVG, its baseline starting at a point.
pub(crate) fn draw(line: &str, at: (f64, f64), size: f64) -> String {
    let mut svg = format!(r#"<g transform="translate({:.1} {:.1}) scale({:.4})">"#, at.0, at.1, size / 1000.0);
    let mut x = 0.0;
    for letter in line.chars() {
        match GLYPHS.get(&letter) {
            Some(glyph) if glyph.path.is_empty() => x += glyph.advance + TRACKING,
            Some(glyph) => {
                write!(svg, r#"<path transform="translate({x:.0})" d="{}"/>"#, glyph.path)
                    .expect("a string takes any text");
                x += glyph.advance + TRACKING;
            }
            None => {
                write!(svg, r#"<text x="{x:.0}" font-family="sans-serif" font-weight="700" font-size="1000">"#)
                    .expect("a string takes any text");
                push_escaped(&mut svg, letter);
                svg.push_str("</text>");
                x += ADVANCE_UNKNOWN + TRACKING;
            }
        }
    }
    svg.push_str("</g>");
    svg
}

/// Draws one line around the middle of its baseline.
pub(crate) fn draw_centred(line: &str, middle: (f64, f64), size: f64) -> String {
    draw(line, (middle.0 - width(line) * size / 2.0, middle.1), size)
}

fn push_escaped(svg: &mut String, letter: char) {
    match letter {
        '<' => svg.push_str("&lt;"),
        '>' => svg.push_str("&gt;"),
        '&' => svg.push_str("&amp;"),
        '"' => svg.push_str("&quot;"),
        control if control.is_control() => {}
        other => svg.push(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_of_the_glyph_file_reads() {
        assert_eq!(GLYPHS.len(), include_str!("../art/glyphs.txt").lines().count());
        assert!(GLYPHS[&'A'].path.starts_with('m') && GLYPHS[&' '].path.is_empty());
    }

    #[test]
    fn a_long_title_shrinks_then_wraps_then_ends_in_an_ellipsis() {
        let short = fit("Tides", 500.0, (40.0, 120.0), 3);
        assert_eq!((short.lines.len(), short.size), (1, 120.0));
        let long = fit("The Very Slow Voyage of the Lighthouse Keeper", 500.0, (40.0, 120.0), 4);
        assert!(long.lines.len() > 1 && long.size < 120.0 && !long.lines.concat().contains('…'));
        let endless = fit(&"endless ".repeat(50), 500.0, (40.0, 120.0), 3);
        assert!(endless.lines.len() == 3 && endless.lines[2].ends_with('…'));
        assert!(endless.lines.iter().all(|line| width(line) * endless.size <= 500.0));
    }

    #[test]
    fn one_word_wider_than_the_room_is_cut() {
        let lines = fit(&"w".repeat(80), 300.0, (40.0, 80.0), 3).lines;
        assert!(lines.len() == 1 && lines[0].ends_with('…') && width(&lines[0]) * 40.0 <= 300.0);
    }

    #[test]
    fn letters_the_face_lacks_are_text_and_cannot_be_markup() {
        assert!(draw("海", (0.0, 0.0), 10.0).contains(">海</text>"));
        assert!(!draw("<script>", (0.0, 0.0), 10.0).contains("<script"));
    }
}
