//! Logos: an SVG is written anew from the little that a drawing needs, or refused with the reason.
//!
//! Only what stands in the lists below gets through, so scripts, styles, links, pictures, fonts, animations and
//! addresses of other servers cannot. Notes of drawing programs are left out silently.

use crate::svg::{Piece, Scanner, Tag};
use callboard::Fault;
use std::fmt::Write;

/// Largest logo, in bytes.
const LOGO_BYTES_MAX: usize = 32 * 1024;
/// Deepest nesting of elements.
const DEPTH_MAX: usize = 32;

const ELEMENTS: &[&str] = &[
    "circle",
    "clipPath",
    "defs",
    "ellipse",
    "g",
    "line",
    "linearGradient",
    "mask",
    "path",
    "polygon",
    "polyline",
    "radialGradient",
    "rect",
    "stop",
    "svg",
];

/// Elements that a drawing does without, left out with everything inside.
const SILENT_ELEMENTS: &[&str] = &["desc", "metadata", "title"];

/// Attributes that may be written as a property of `style` as well.
const PROPERTIES: &[&str] = &[
    "clip-path",
    "clip-rule",
    "color",
    "fill",
    "fill-opacity",
    "fill-rule",
    "mask",
    "opacity",
    "stop-color",
    "stop-opacity",
    "stroke",
    "stroke-dasharray",
    "stroke-dashoffset",
    "stroke-linecap",
    "stroke-linejoin",
    "stroke-miterlimit",
    "stroke-opacity",
    "stroke-width",
];

const ATTRIBUTES: &[&str] = &[
    "clipPathUnits",
    "cx",
    "cy",
    "d",
    "fx",
    "fy",
    "gradientTransform",
    "gradientUnits",
    "height",
    "maskContentUnits",
    "maskUnits",
    "offset",
    "pathLength",
    "points",
    "preserveAspectRatio",
    "r",
    "rx",
    "ry",
    "spreadMethod",
    "transform",
    "viewBox",
    "width",
    "x",
    "x1",
    "x2",
    "y",
    "y1",
    "y2",
];

/// Attributes that change nothing here, or only what stands around the drawing.
const SILENT_ATTRIBUTES: &[&str] = &["baseProfile", "class", "enable-background", "overflow", "role", "version"];

/// Writes a logo anew, or refuses it. None and an empty text are no logo.
pub(crate) fn read(svg: Option<&str>) -> Result<Option<String>, Fault> {
    let Some(svg) = svg.map(str::trim).filter(|svg| !svg.is_empty()) else { return Ok(None) };
    if svg.len() > LOGO_BYTES_MAX {
        let rule = format!("give a logo of at most {LOGO_BYTES_MAX} bytes; this has {}", svg.len());
        return Err(Fault::too_large("tenant.logo_too_large", rule.clone()).field("logo", rule));
    }
    sanitise(svg).map(Some).map_err(|reason| {
        Fault::bad_input("tenant.logo_invalid", format!("this logo cannot be used: {reason}")).field("logo", reason)
    })
}

/// A drawing that is being written anew.
#[derive(Default)]
struct Drawing<'a> {
    written: String,
    /// Elements that are open.
    open: Vec<&'a str>,
    /// How many elements were open when one began that is left out.
    silent_from: Option<usize>,
}

fn sanitise(svg: &str) -> Result<String, String> {
    let mut scanner = Scanner::new(svg);
    let mut drawing = Drawing::default();
    while let Some(piece) = scanner.next()? {
        match piece {
            Piece::Open(tag) => drawing.open(tag)?,
            Piece::Close(name) => drawing.close(name)?,
            Piece::Text(text) => drawing.text(text)?,
        }
    }
    match (drawing.open.last(), drawing.written.is_empty()) {
        (Some(name), _) => Err(format!("the element `{name}` is not closed; export it again")),
        (None, true) => Err("it holds no `svg` element".to_owned()),
        (None, false) => Ok(drawing.written),
    }
}

impl<'a> Drawing<'a> {
    fn open(&mut self, tag: Tag<'a>) -> Result<(), String> {
        if self.open.len() >= DEPTH_MAX {
            return Err(format!("it is nested deeper than {DEPTH_MAX} elements; ungroup it"));
        }
        let is_root = self.open.is_empty();
        let is_silent = SILENT_ELEMENTS.contains(&tag.name) || tag.name.contains(':');
        if self.silent_from.is_none() && (!is_silent || is_root) {
            self.write(&tag, is_root)?;
        } else if !tag.is_empty {
            self.silent_from.get_or_insert(self.open.len());
        }
        if !tag.is_empty {
            self.open.push(tag.name);
        }
        Ok(())
    }

    fn close(&mut self, name: &str) -> Result<(), String> {
        if self.open.pop() != Some(name) {
            return Err(format!("the end of `{name}` has no beginning; export it again"));
        }
        match self.silent_from {
            None => self.push(&format!("</{name}>")),
            Some(from) if from == self.open.len() => self.silent_from = None,
            Some(_) => {}
        }
        Ok(())
    }

    fn text(&self, text: &str) -> Result<(), String> {
        if self.silent_from.is_some() || text.trim().is_empty() {
            return Ok(());
        }
        Err("text is not allowed; convert it to paths".to_owned())
    }

    fn push(&mut self, text: &str) {
        self.written.push_str(text);
    }

    fn write(&mut self, tag: &Tag<'a>, is_root: bool) -> Result<(), String> {
        let name = tag.name;
        match (name == "svg", is_root) {
            (false, true) => return Err(format!("the outermost element is `{name}`, not `svg`")),
            (true, false) => return Err("an `svg` inside another is not allowed; ungroup it".to_owned()),
            (true, true) if !self.written.is_empty() => return Err("it holds two drawings; keep one".to_owned()),
            _ => {}
        }
        if !ELEMENTS.contains(&name) {
            return Err(format!("the element `{name}` is not allowed; {}", remedy(name)));
        }
        let mut kept = Kept::default();
        for &(attribute, value) in &tag.attributes {
            kept.add(name, attribute, value)?;
        }
        if is_root {
            kept.make_root()?;
        }
        // A mask inside a mask could make the smallest file an endless drawing.
        let is_masking = |name: &str| matches!(name, "clipPath" | "mask");
        if (is_masking(name) || self.open.iter().any(|name| is_masking(name))) && kept.has_mask() {
            return Err("a mask or clipping path inside another is not allowed; flatten it".to_owned());
        }
        write!(self.written, "<{name}").expect("a text takes everything");
        for (attribute, value) in kept.0 {
            write!(self.written, " {attribute}=\"{value}\"").expect("a text takes everything");
        }
        self.push(if tag.is_empty { "/>" } else { ">" });
        Ok(())
    }
}

fn remedy(element: &str) -> &'static str {
    match element {
        "style" => "export with presentation attributes instead of CSS",
        "text" | "tspan" | "textPath" => "convert text to paths",
        "image" | "feImage" => "a logo is drawn, not a picture in a frame",
        "use" | "symbol" => "expand symbols into shapes",
        _ => "remove it",
    }
}

/// Attributes of one element that are kept, none twice.
#[derive(Default)]
struct Kept<'a>(Vec<(&'a str, String)>);

impl<'a> Kept<'a> {
    fn add(&mut self, element: &str, name: &'a str, value: &'a str) -> Result<(), String> {
        match name {
            "xmlns" if value == "http://www.w3.org/2000/svg" => Ok(()),
            "id" => self.keep("id", own_id(value).ok_or_else(|| wrong(name))?),
            "href" | "xlink:href" => {
                let id = value.trim().strip_prefix('#').filter(|_| element.ends_with("Gradient")).and_then(own_id);
                self.keep("href", format!("#{}", id.ok_or("it refers to something outside; remove the link")?))
            }
            "style" => value.split(';').try_for_each(|declaration| self.add_property(declaration)),
            _ if PROPERTIES.contains(&name) || ATTRIBUTES.contains(&name) => self.keep(name, checked(name, value)?),
            _ if name.contains(':') || name.starts_with("data-") || SILENT_ATTRIBUTES.contains(&name) => Ok(()),
            _ => Err(format!("the attribute `{name}` is not allowed; remove it")),
        }
    }

    /// A declaration of `style` becomes an attribute; properties of text and of drawing programs are left out.
    fn add_property(&mut self, declaration: &'a str) -> Result<(), String> {
        let (name, value) = declaration.split_once(':').unwrap_or((declaration, ""));
        match PROPERTIES.iter().find(|property| **property == name.trim()) {
            Some(name) => {
                let value = checked(name, value)?;
                self.0.retain(|(kept, _)| kept != name);
                self.keep(name, value)
            }
            None => Ok(()),
        }
    }

    fn keep(&mut self, name: &'a str, value: String) -> Result<(), String> {
        if !self.0.iter().any(|(kept, _)| *kept == name) {
            self.0.push((name, value));
        }
        Ok(())
    }

    fn has_mask(&self) -> bool {
        self.0.iter().any(|(name, _)| matches!(*name, "clip-path" | "mask"))
    }

    /// The page decides how large a logo is; the drawing only says its proportions.
    fn make_root(&mut self) -> Result<(), String> {
        let number = |name: &str| {
            let (_, value) = self.0.iter().find(|(kept, _)| *kept == name)?;
            value.trim_end_matches("px").parse::<f64>().ok()
        };
        let view_box = match self.0.iter().find(|(name, _)| *name == "viewBox") {
            Some((_, value)) => value.clone(),
            None => match number("width").zip(number("height")) {
                Some((width, height)) => format!("0 0 {width} {height}"),
                None => return Err("it does not say its size; give the `svg` element a `viewBox`".to_owned()),
            },
        };
        let sides: Vec<f64> =
            view_box.split([' ', ',']).filter(|part| !part.is_empty()).filter_map(|part| part.parse().ok()).collect();
        if !matches!(sides[..], [x, y, width, height] if x.is_finite() && y.is_finite() && is_side(width) && is_side(height))
        {
            return Err("its `viewBox` is not four numbers of which the last two are sides above 0".to_owned());
        }
        self.0.retain(|(name, _)| !matches!(*name, "viewBox" | "width" | "height" | "x" | "y"));
        self.0.insert(0, ("viewBox", view_box));
        self.0.insert(0, ("xmlns", "http://www.w3.org/2000/svg".to_owned()));
        Ok(())
    }
}

fn is_side(length: f64) -> bool {
    length > 0.0 && length <= 1e6
}

/// An id of the drawing, kept apart from the ids of the page it will stand in.
fn own_id(id: &str) -> Option<String> {
    let is_plain = !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte));
    is_plain.then(|| format!("logo-{id}"))
}

fn wrong(name: &str) -> String {
    format!("the attribute `{name}` has a value that a logo does not need; simplify it")
}

/// A value made of numbers, words, colours and functions of numbers; `url(…)` only for a part of this drawing.
fn checked(name: &str, value: &str) -> Result<String, String> {
    let words: Vec<&str> = value.split_ascii_whitespace().collect();
    let value = words.join(" ");
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b" #%().,+-_".contains(&byte);
    if !value.bytes().all(is_plain) {
        return Err(wrong(name));
    }
    if !value.to_ascii_lowercase().contains("url") {
        return Ok(value);
    }
    let id = value.strip_prefix("url(#").and_then(|rest| rest.strip_suffix(')')).and_then(own_id);
    id.map(|id| format!("url(#{id})")).ok_or_else(|| format!("`{name}` refers to something outside; remove the link"))
}

#[cfg(test)]
#[path = "logo_tests.rs"]
mod tests;
