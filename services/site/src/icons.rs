//! The few icons of the pages, as inline SVG of our own: strokes on a 24 px grid, hidden from screen readers because a word
//! always stands beside them.

/// The icon of a name; an unknown name draws nothing.
pub(crate) fn icon(name: &str) -> String {
    let (class, path) = match name {
        "play" => ("icon icon-solid", "M7 4.5v15l13-7.5z"),
        "lock" => ("icon", "M6 11h12v9H6zM8.5 11V8a3.5 3.5 0 0 1 7 0v3"),
        "eye-off" => (
            "icon",
            "M4 4l16 16M9.5 5.3A10 10 0 0 1 12 5c5 0 8.5 4.5 9.5 7a13 13 0 0 1-2.6 3.7M6.3 7.2A13 13 0 0 0 2.5 12c1 2.5 4.5 7 9.5 7a9.5 9.5 0 0 0 4-.9",
        ),
        "home" => ("icon", "M4 11l8-7 8 7v9h-5v-6H9v6H4z"),
        "clock" => ("icon", "M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18M12 7v5l3.5 2"),
        "person" => ("icon", "M12 12a4 4 0 1 0 0-8 4 4 0 0 0 0 8M4 20.5a8 8 0 0 1 16 0"),
        "studio" => ("icon", "M4 7h16v13H4zM4 7l3-4M9.5 7l3-4M15 7l3-4M4 11h16"),
        "theme" => ("icon", "M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18v18"),
        "info" => ("icon", "M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18M12 11v5M12 7.5v.5"),
        "heart" => ("icon", "M12 20C3 14 4 6 8.5 5.5c2 0 3 1.5 3.5 3 .5-1.5 1.5-3 3.5-3C20 6 21 14 12 20z"),
        "check" => ("icon", "M4 12l6 6L20 6"),
        "close" => ("icon", "M6 6l12 12M18 6L6 18"),
        "code" => ("icon", "M8 7l-5 5 5 5M16 7l5 5-5 5"),
        "upload" => ("icon", "M12 16V4M7 9l5-5 5 5M4 20h16"),
        _ => return String::new(),
    };
    format!(r#"<svg class="{class}" viewBox="0 0 24 24" aria-hidden="true"><path d="{path}"/></svg>"#)
}
