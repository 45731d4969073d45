//! The channel's accent as a stylesheet, so that pages need no inline style. The tenants' service has already moved the
//! accents to a readable lightness; here they get the text colour that reads best on them.

use crate::contracts::Tenant;
use callboard::{Env, Fault, Html, Msg, Reply};
use schemars::JsonSchema;
use serde::Deserialize;

/// Which version of the channel's settings the page was made with.
#[derive(Deserialize, JsonSchema)]
pub(crate) struct Wanted {
    #[serde(default)]
    v: Option<i64>,
}

/// `/theme.css`.
pub(crate) async fn show(env: Env, msg: Msg<Wanted>) -> Result<Reply<Html>, Fault> {
    let tenant: Tenant = env.call("/tenant").await?;
    let is_current = msg.data.v == Some(tenant.version);
    let cache = if is_current { "private, max-age=31536000, immutable" } else { "private, max-age=60" };
    let css = stylesheet(&tenant.accent_light, &tenant.accent_dark);
    Ok(Reply::text("text/css; charset=utf-8", css).header("cache-control", cache))
}

/// Empty where a colour is not `#rrggbb`: the design's own accent then stays.
fn stylesheet(light: &str, dark: &str) -> String {
    match (Colour::parse(light), Colour::parse(dark)) {
        (Some(light), Some(dark)) => format!(
            ":root{{--accent:light-dark({},{});--on-accent:light-dark({},{})}}\n",
            light.hex(),
            dark.hex(),
            light.text_on(),
            dark.text_on()
        ),
        _ => String::new(),
    }
}

#[derive(Clone, Copy)]
struct Colour([u8; 3]);

impl Colour {
    fn parse(text: &str) -> Option<Self> {
        let digits = text.strip_prefix('#').filter(|digits| digits.len() == 6 && digits.is_ascii())?;
        let part = |at: usize| u8::from_str_radix(&digits[at..at + 2], 16).ok();
        Some(Self([part(0)?, part(2)?, part(4)?]))
    }

    fn hex(self) -> String {
        let [red, green, blue] = self.0;
        format!("#{red:02x}{green:02x}{blue:02x}")
    }

    /// Relative luminance as WCAG 2 defines it.
    fn luminance(self) -> f64 {
        let part = |value: u8| {
            let value = f64::from(value) / 255.0;
            if value <= 0.040_45 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
        };
        0.2126 * part(self.0[0]) + 0.7152 * part(self.0[1]) + 0.0722 * part(self.0[2])
    }

    fn contrast(self, other: Self) -> f64 {
        let (one, two) = (self.luminance(), other.luminance());
        (one.max(two) + 0.05) / (one.min(two) + 0.05)
    }

    fn text_on(self) -> &'static str {
        let (ink, paper) = (Self([0x1a, 0x0d, 0x05]), Self([0xff, 0xff, 0xff]));
        if self.contrast(ink) > self.contrast(paper) { "#1a0d05" } else { "#ffffff" }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_designs_own_accents_get_the_designs_own_text() {
        let css = stylesheet("#c2410c", "#ff7a3d");
        assert_eq!(css, ":root{--accent:light-dark(#c2410c,#ff7a3d);--on-accent:light-dark(#ffffff,#1a0d05)}\n");
    }

    #[test]
    fn text_on_any_accent_can_be_read() {
        let ink = Colour([0x1a, 0x0d, 0x05]);
        for red in (0..=255).step_by(17) {
            for green in (0..=255).step_by(17) {
                for blue in (0..=255).step_by(17) {
                    let accent = Colour([red, green, blue]);
                    let text = Colour::parse(accent.text_on()).expect("a colour");
                    assert!(accent.contrast(text) >= 4.3, "{}", accent.hex());
                }
            }
        }
        assert!(ink.contrast(Colour([255, 255, 255])) > 15.0);
    }

    #[test]
    fn what_is_no_colour_never_reaches_the_stylesheet() {
        assert_eq!(stylesheet("red}body{display:none", "#ff7a3d"), "");
        assert_eq!(stylesheet("#12345", "#ff7a3d"), "");
        assert_eq!(stylesheet("#12345é", "#ff7a3d"), "");
    }
}
