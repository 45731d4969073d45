//! Where a redirect may lead: to a path of this application, whatever a function was talked into.

use super::place::Place;
use hyper::header::HeaderValue;
use percent_encoding::{AsciiSet, CONTROLS, NON_ALPHANUMERIC, utf8_percent_encode};

/// What must not stand raw in a `Location`; `%` stays, for what is encoded already.
const LOCATION: &AsciiSet = &CONTROLS.add(b' ').add(b'"').add(b'<').add(b'>').add(b'`').add(b'{').add(b'}').add(b'|');

/// A path and query of this application: one slash at the start, nothing a browser reads as another host.
pub(crate) fn is_inside(path: &str) -> bool {
    path.starts_with('/')
        && !path.starts_with("//")
        && !path.contains('\\')
        && !path.chars().any(char::is_control)
        && path.len() <= 4096
}

/// The `Location` of a path of this tenant; the tenant's root where the path leads outside.
pub(crate) fn location(place: &Place, path: &str) -> HeaderValue {
    let path = if is_inside(path) {
        path
    } else {
        tracing::warn!(tenant.id = %place.tenant, "a function redirects to another site; it was sent home instead");
        "/"
    };
    let text = format!("{}{}", place.mount, utf8_percent_encode(path, LOCATION));
    HeaderValue::try_from(text).expect("it was percent-encoded")
}

/// A text as the value of a query parameter.
pub(crate) fn encode_value(text: &str) -> impl std::fmt::Display {
    utf8_percent_encode(text, NON_ALPHANUMERIC)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn only_paths_of_ours_are_inside() {
        for path in ["/", "/a?next=//b", "/@demo/a#k", "/ä"] {
            assert!(is_inside(path), "{path}");
        }
        for path in ["", "a", "//evil", "/\\evil", "\\\\evil", "https://evil", "/\t/evil", "/a\nb", "javascript:x"] {
            assert!(!is_inside(path), "{path}");
        }
    }

    proptest! {
        #[test]
        fn every_location_starts_inside(path in "\\PC{0,60}|[/\\\\\t:a]{0,6}") {
            let place = Place {
                tenant: callboard::Tenant::only(), mount: String::new(), origin: String::new(), is_https: false,
                is_shared: false,
            };
            let to = location(&place, &path);
            let to = to.to_str().unwrap();
            prop_assert!(to.starts_with('/') && !to.starts_with("//") && !to.starts_with("/\\"), "{}", to);
        }
    }
}
