//! Colours, how much they stand out from each other (WCAG 2.2), and accents that can be read on the house's grounds.

use std::fmt;

/// Least contrast of an accent with its ground, and of the text on it.
const CONTRAST_MIN: f64 = 4.5;

const DARK_GROUND: Colour = Colour::new(0x0b, 0x0d, 0x12);
const DARK_LABEL: Colour = Colour::new(0x1a, 0x0d, 0x05);
const LIGHT_GROUND: Colour = Colour::new(0xf7, 0xf8, 0xfa);
const LIGHT_LABEL: Colour = Colour::new(0xff, 0xff, 0xff);
const HOUSE_DARK: Colour = Colour::new(0xff, 0x7a, 0x3d);
const HOUSE_LIGHT: Colour = Colour::new(0xc2, 0x41, 0x0c);

/// A colour in sRGB.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Colour {
    red: u8,
    green: u8,
    blue: u8,
}

impl fmt::Display for Colour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{:02x}{:02x}{:02x}", self.red, self.green, self.blue)
    }
}

impl Colour {
    const fn new(red: u8, green: u8, blue: u8) -> Self {
        Self { red, green, blue }
    }

    /// Reads `#rrggbb` or `#rgb`.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let digits = text.strip_prefix('#')?.bytes().map(hex).collect::<Option<Vec<u8>>>()?;
        match digits[..] {
            [red, green, blue] => Some(Self::new(red * 17, green * 17, blue * 17)),
            [r, red, g, green, b, blue] => Some(Self::new(r * 16 + red, g * 16 + green, b * 16 + blue)),
            _ => None,
        }
    }

    /// Relative luminance, 0 for black to 1 for white.
    fn luminance(self) -> f64 {
        let linear = |part: u8| {
            let part = f64::from(part) / 255.0;
            if part <= 0.04045 { part / 12.92 } else { ((part + 0.055) / 1.055).powf(2.4) }
        };
        0.2126 * linear(self.red) + 0.7152 * linear(self.green) + 0.0722 * linear(self.blue)
    }

    /// Contrast ratio, 1 to 21.
    fn contrast(self, other: Self) -> f64 {
        let (one, two) = (self.luminance(), other.luminance());
        (one.max(two) + 0.05) / (one.min(two) + 0.05)
    }

    fn stands_out_from(self, all: [Self; 2]) -> bool {
        all.into_iter().all(|other| self.contrast(other) >= CONTRAST_MIN)
    }

    /// The same hue at another lightness, 0 for black to 1 for white.
    fn at_lightness(self, lightness: f64) -> Self {
        let (most, least) = (self.parts().fold(0.0, f64::max), self.parts().fold(1.0, f64::min));
        let (chroma, middle) = (most - least, f64::midpoint(most, least));
        let saturation = if chroma == 0.0 { 0.0 } else { chroma / (1.0 - (2.0 * middle - 1.0).abs()) };
        let chroma_there = saturation * (1.0 - (2.0 * lightness - 1.0).abs());
        let part = |part: u8| {
            let place = if chroma == 0.0 { 0.0 } else { (f64::from(part) / 255.0 - middle) / chroma };
            to_byte(lightness + place * chroma_there)
        };
        Self::new(part(self.red), part(self.green), part(self.blue))
    }

    fn lightness(self) -> f64 {
        f64::midpoint(self.parts().fold(0.0, f64::max), self.parts().fold(1.0, f64::min))
    }

    fn parts(self) -> impl Iterator<Item = f64> {
        [self.red, self.green, self.blue].into_iter().map(|part| f64::from(part) / 255.0)
    }

    /// The nearest lightness towards `pole` (0 black, 1 white) at which the colour stands out from both.
    fn shifted(self, all: [Self; 2], pole: f64) -> Self {
        if self.stands_out_from(all) {
            return self;
        }
        // Lightness moves every part of the colour the same way, so there is one point from which on it stands out.
        let (mut near, mut far) = (self.lightness(), pole);
        for _ in 0..16 {
            let middle = f64::midpoint(near, far);
            if self.at_lightness(middle).stands_out_from(all) { far = middle } else { near = middle }
        }
        self.at_lightness(far)
    }
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the value is held between 0 and 255")]
fn to_byte(part: f64) -> u8 {
    (part * 255.0).round().clamp(0.0, 255.0) as u8
}

/// The accent on dark ground and the accent on light ground; the house's where none is asked for.
pub(crate) fn accents(asked: Option<Colour>) -> (Colour, Colour) {
    let dark = asked.unwrap_or(HOUSE_DARK).shifted([DARK_GROUND, DARK_LABEL], 1.0);
    let light = asked.unwrap_or(HOUSE_LIGHT).shifted([LIGHT_GROUND, LIGHT_LABEL], 0.0);
    (dark, light)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn contrast_is_that_of_the_guidelines() {
        let (black, white) = (Colour::new(0, 0, 0), Colour::new(255, 255, 255));
        assert!((black.contrast(white) - 21.0).abs() < 1e-9);
        assert!((white.contrast(white) - 1.0).abs() < 1e-9);
        // #767676 is the lightest grey that passes on white.
        assert!(Colour::new(0x76, 0x76, 0x76).contrast(white) >= 4.5);
        assert!(Colour::new(0x77, 0x77, 0x77).contrast(white) < 4.5);
    }

    #[test]
    fn the_houses_accents_can_be_read_as_they_are() {
        assert_eq!(accents(None), (HOUSE_DARK, HOUSE_LIGHT));
    }

    #[test]
    fn a_colour_that_cannot_be_read_is_shifted_and_no_more_than_needed() {
        let navy = Colour::parse("#000080").expect("a colour");
        let (dark, light) = accents(Some(navy));
        assert_eq!(light, navy);
        assert!(dark.blue > dark.red && dark.red == dark.green, "{dark} should still be blue");
        assert!(dark.contrast(DARK_GROUND).min(dark.contrast(DARK_LABEL)) < 4.6, "{dark} is lighter than it must be");
    }

    #[test]
    fn only_hexadecimal_colours_are_read() {
        assert_eq!(Colour::parse("#F0a"), Colour::parse("#ff00aa"));
        for text in ["", "#", "red", "ff00aa", "#ff00a", "#ff00aag", "#gg0000", "#ff00aa;}", "#ＦＦ0000", "#+10000"] {
            assert_eq!(Colour::parse(text), None, "{text} should be refused");
        }
    }

    proptest! {
        #[test]
        fn every_accent_can_be_read_on_both_grounds(red: u8, green: u8, blue: u8) {
            let asked = Colour::new(red, green, blue);
            let (dark, light) = accents(Some(asked));
            for (accent, ground) in
                [(dark, DARK_GROUND), (dark, DARK_LABEL), (light, LIGHT_GROUND), (light, LIGHT_LABEL)]
            {
                prop_assert!(accent.contrast(ground) >= 4.5, "{accent} on {ground}");
            }
            prop_assert!(dark.luminance() >= asked.luminance() && light.luminance() <= asked.luminance());
        }

        #[test]
        fn a_shift_keeps_the_order_of_the_parts(red: u8, green: u8, blue: u8) {
            let (dark, light) = accents(Some(Colour::new(red, green, blue)));
            for shifted in [dark, light] {
                prop_assert!(red < green || shifted.red >= shifted.green);
                prop_assert!(green < blue || shifted.green >= shifted.blue);
            }
        }

        #[test]
        fn a_colour_is_written_as_it_is_read(red: u8, green: u8, blue: u8) {
            let colour = Colour::new(red, green, blue);
            prop_assert_eq!(Colour::parse(&colour.to_string()), Some(colour));
        }

        #[test]
        fn whatever_is_read_is_written_without_anything_else(text in "\\PC{0,10}|#[0-9a-fA-F]{0,8}") {
            if let Some(colour) = Colour::parse(&text) {
                let written = colour.to_string();
                prop_assert!(written.len() == 7 && written[1..].bytes().all(|byte| byte.is_ascii_hexdigit()));
            }
        }
    }
}
