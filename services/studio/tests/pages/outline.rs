//! Reads a page as a person or a screen reader would: headings, links, forms, pictures, the player; not its markup.

/// What a page says, one thing a line.
pub(crate) fn outline(html: &str) -> String {
    let mut lines: Vec<String> = Vec::new();
    // Elements whose words are being read: name, line, words so far.
    let mut open: Vec<(&str, usize, String)> = Vec::new();
    let mut rest = html;
    while let Some((before, tail)) = rest.split_once('<') {
        open.iter_mut().for_each(|(_, _, words)| words.push_str(before));
        let Some((tag, after)) = tail.split_once('>') else { break };
        rest = after;
        let name = tag.split([' ', '\n']).next().unwrap_or_default();
        if name.strip_prefix('/').is_some_and(|closed| open.last().is_some_and(|(name, _, _)| *name == closed)) {
            let (_, line, words) = open.pop().expect("it was just looked at");
            lines[line] = format!("{} {}", lines[line], plain(&words));
        }
        if let Some(line) = line_of(name, tag) {
            if matches!(name, "title" | "h1" | "h2" | "a" | "button" | "p" | "output" | "td") {
                open.push((name, lines.len(), String::new()));
            }
            lines.push(line);
        }
    }
    lines.join("\n") + "\n"
}

fn line_of(name: &str, tag: &str) -> Option<String> {
    let with = |names: &[&str]| {
        let pairs = names.iter().filter_map(|wanted| Some(format!(" {wanted}={}", value(tag, wanted)?)));
        Some(format!("{name}{}", pairs.collect::<String>()))
    };
    match name {
        "title" | "h1" | "h2" | "p" | "output" | "td" => with(&[]),
        "a" => with(&["href", "aria-current"]),
        "button" => with(&["name", "value"]),
        "form" => with(&["action"]),
        "input" => with(&["type", "name", "value", "aria-invalid"]),
        "img" => with(&["src"]),
        "progress" => with(&["value", "max"]),
        "meta" => value(tag, "property")
            .or_else(|| value(tag, "name").filter(|name| *name == "robots"))
            .and_then(|_| with(&["property", "name", "content"])),
        "show-player" => with(&["src", "position-ms", "position-uri", "playback-uri", "next-uri"]),
        "upload-tray" => with(&["episode", "upload"]),
        "script" | "style" => with(&["src"]),
        _ => None,
    }
}

/// The value of an attribute.
pub(crate) fn value<'a>(tag: &'a str, name: &str) -> Option<&'a str> {
    let start = tag.find(&format!(" {name}=\""))? + name.len() + 3;
    tag[start..].split('"').next()
}

fn plain(words: &str) -> String {
    words.split_whitespace().collect::<Vec<_>>().join(" ")
}
