//! Tests of the logo's rules: what a drawing program writes gets through, what could run or fetch does not.

use super::*;
use proptest::prelude::*;

fn inside(body: &str) -> String {
    format!("<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 24 24\">{body}</svg>")
}

#[test]
fn a_plain_drawing_is_kept_as_it_is() {
    let svg = inside("<g fill=\"#fff\"><path d=\"M0 0h24v24H0z\"/></g>");
    assert_eq!(sanitise(&svg), Ok(svg));
}

#[test]
fn what_a_drawing_program_adds_is_left_out() {
    let svg = r##"<?xml version="1.0" encoding="UTF-8"?>
<!-- Created with a drawing program -->
<svg width="48px" height="24" version="1.1" id="svg5" xml:space="preserve" inkscape:version="1.2"
   xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" xmlns:inkscape="http://x.example">
  <title>Night &amp; Shift</title>
  <sodipodi:namedview id="n"><inkscape:grid type="xygrid"/></sodipodi:namedview>
  <metadata><rdf:RDF><cc:Work rdf:about=""/></rdf:RDF></metadata>
  <defs><linearGradient id="a"><stop offset="0" style="stop-color:#f00;stop-opacity:1"/></linearGradient>
    <linearGradient id="b" xlink:href="#a" x1="0" y1="0" x2="1" y2="1"/></defs>
  <path class="x" data-name="y" style="fill:url(#b); -inkscape-stroke:none; display:inline" d="M0,0
     1,1" fill="red"/>
</svg>"##;
    let want = concat!(
        r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 48 24" id="logo-svg5">"##,
        r##"<defs><linearGradient id="logo-a"><stop offset="0" stop-color="#f00" stop-opacity="1"/></linearGradient>"##,
        r##"<linearGradient id="logo-b" href="#logo-a" x1="0" y1="0" x2="1" y2="1"/></defs>"##,
        r##"<path fill="url(#logo-b)" d="M0,0 1,1"/></svg>"##,
    );
    assert_eq!(sanitise(svg).as_deref(), Ok(want));
}

#[test]
fn whatever_could_run_fetch_or_cover_the_page_is_refused_with_a_reason() {
    for (body, reason) in [
        ("<script>alert(1)</script>", "element `script`"),
        ("<SCRIPT/>", "element `SCRIPT`"),
        ("<style>*{position:fixed}</style>", "instead of CSS"),
        ("<foreignObject><div/></foreignObject>", "element `foreignObject`"),
        ("<image href=\"https://x.example/a.png\"/>", "element `image`"),
        ("<use href=\"#a\"/>", "expand symbols"),
        ("<a href=\"javascript:alert(1)\"><path/></a>", "element `a`"),
        ("<animate attributeName=\"href\"/>", "element `animate`"),
        ("<set/>", "element `set`"),
        ("<iframe/>", "element `iframe`"),
        ("<text>Night Shift</text>", "convert text to paths"),
        ("Night Shift", "convert it to paths"),
        ("<path onload=\"alert(1)\"/>", "attribute `onload`"),
        ("<path ONCLICK=\"alert(1)\"/>", "attribute `ONCLICK`"),
        ("<path href=\"#a\"/>", "outside"),
        ("<linearGradient href=\"https://x.example/#a\"/>", "outside"),
        ("<path fill=\"url(https://x.example/#a)\"/>", "attribute `fill`"),
        ("<path fill=\"URL(#a)\"/>", "outside"),
        ("<path fill=\"url(//x)\"/>", "attribute `fill`"),
        ("<path style=\"fill:url(x.svg)\"/>", "outside"),
        ("<path style=\"fill:red&#x3b;\"/>", "`fill`"),
        ("<path d=\"M0&#48;\"/>", "attribute `d`"),
        ("<path fill=\"\\75rl(#a)\"/>", "attribute `fill`"),
        ("<path id=\"a b\"/>", "attribute `id`"),
        ("<path xmlns=\"http://www.w3.org/1999/xhtml\"/>", "attribute `xmlns`"),
        ("<svg/>", "inside another"),
        ("<mask><path clip-path=\"url(#a)\"/></mask>", "inside another"),
        ("<clipPath id=\"a\" clip-path=\"url(#a)\"/>", "inside another"),
        ("<g>", "no beginning"),
        ("</g>", "no beginning"),
        ("<title></svg></title>", "no beginning"),
    ] {
        let error = sanitise(&inside(body)).expect_err(body);
        assert!(error.contains(reason), "{body}: {error}\nshould mention {reason}");
    }
    for (svg, reason) in [
        ("<html/>", "outermost"),
        ("<svg:svg viewBox=\"0 0 1 1\"/>", "outermost"),
        ("<svg/>", "viewBox"),
        ("<svg viewBox=\"0 0 0 1\"/>", "viewBox"),
        ("<svg viewBox=\"0 0 1\"/>", "viewBox"),
        ("<svg viewBox=\"0 0 nan 1\"/>", "viewBox"),
        ("<svg viewBox=\"0 0 1 1\"/><svg viewBox=\"0 0 1 1\"/>", "two drawings"),
        ("<svg viewBox=\"0 0 1 1\">", "not closed"),
        ("<!-- nothing -->", "no `svg`"),
    ] {
        let error = sanitise(svg).expect_err(svg);
        assert!(error.contains(reason), "{svg}: {error}\nshould mention {reason}");
    }
}

#[test]
fn a_logo_has_a_size_and_a_depth() {
    let deep = inside(&format!("{}{}", "<g>".repeat(DEPTH_MAX), "</g>".repeat(DEPTH_MAX)));
    assert!(sanitise(&deep).expect_err("too deep").contains("nested deeper"));
    let room = LOGO_BYTES_MAX - inside("<path d=\"\"/>").len();
    assert!(read(Some(&inside(&format!("<path d=\"{}\"/>", "1".repeat(room))))).expect("at the limit").is_some());
    let large = inside(&format!("<path d=\"{}\"/>", "1".repeat(room + 1)));
    assert_eq!(read(Some(&large)).expect_err("over the limit").code, "tenant.logo_too_large");
    assert_eq!(read(Some("  ")).expect("no logo"), None);
}

#[test]
fn the_lists_are_sorted() {
    for list in [ELEMENTS, SILENT_ELEMENTS, PROPERTIES, ATTRIBUTES, SILENT_ATTRIBUTES] {
        assert!(list.is_sorted(), "{list:?}");
    }
}

proptest! {
    /// Pieces that attackers put together; whatever gets through can be written anew without change and holds nothing
    /// that runs or fetches.
    #[test]
    fn what_gets_through_is_harmless_and_stable(
        parts in prop::collection::vec(prop::sample::select(vec![
            "<g>", "</g>", "<path ", "/>", ">", "fill=\"url(#a)\"", "fill='red'", " href=\"#a\"", "<title>", "</title>",
            "<script>", "</script>", "onload=\"x\"", "<x:y>", "</x:y>", "<!--", "-->", "&lt;", "<linearGradient ",
            "</linearGradient>", "style=\"fill:url(#a);x:y\"", "style='a", "'", "\"", " id='b'", "<desc/>", "javascript:",
        ]), 0..14),
    ) {
        if let Ok(svg) = sanitise(&inside(&parts.concat())) {
            let lower = svg.to_ascii_lowercase();
            for bad in ["script", "onload", "style", "&", "<!", "x:y", "title", "desc"] {
                prop_assert!(!lower.contains(bad), "{svg}");
            }
            let again = sanitise(&svg).expect("what was written can be read");
            prop_assert_eq!(again.replace("logo-logo-", "logo-"), svg);
        }
    }
}
