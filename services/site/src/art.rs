//! Generated pictures: two hues and a motif from the id, the title lettered in the display face. A pure function; it reads
//! nothing and stores nothing, and the same id and title always give the same picture.

use crate::lettering;
use std::fmt::Write as _;

/// What a picture is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// Portrait, 2:3, with the title.
    Poster,
    /// Landscape, 16:9, with the title.
    Still,
    /// Landscape, 16:9, without letters: text of a page stands over it.
    Backdrop,
}

impl Shape {
    /// The shape of a name in a URI.
    pub(crate) fn named(name: &str) -> Option<Self> {
        match name {
            "poster" => Some(Self::Poster),
            "still" => Some(Self::Still),
            "backdrop" => Some(Self::Backdrop),
            _ => None,
        }
    }

    fn size(self) -> (f64, f64) {
        match self {
            Self::Poster => (600.0, 900.0),
            Self::Still => (960.0, 540.0),
            Self::Backdrop => (1600.0, 900.0),
        }
    }
}

/// The dominant hue of an id in 24 steps of 15°, for placeholders before the picture has come.
pub(crate) fn hue_step(id: &str) -> u8 {
    u8::try_from(seed(id) % 24).expect("a rest of 24 is small")
}

/// Draws the picture as SVG.
pub(crate) fn draw(id: &str, title: &str, shape: Shape) -> String {
    let (width, height) = shape.size();
    let mut pen = Pen::new(id, width, height);
    let mut svg = String::with_capacity(8 * 1024);
    let (deep, bright) = (pen.tone(0, 58, 17), pen.tone(1, 62, 38));
    write!(
        svg,
        r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}"><defs><linearGradient id="g" x1="0" y1="1" x2="1" y2="0"><stop stop-color="{deep}"/><stop offset="1" stop-color="{bright}"/></linearGradient><linearGradient id="s" x1="0" y1="1" x2="0" y2="0"><stop stop-color="#0b0d12" stop-opacity=".82"/><stop offset=".55" stop-color="#0b0d12" stop-opacity="0"/></linearGradient></defs><rect width="{width}" height="{height}" fill="url(#g)"/>"##
    )
    .expect("a string takes any text");
    let motif = [Pen::hills, Pen::sun, Pen::rings, Pen::arches, Pen::shards, Pen::bands][pen.below(6)];
    motif(&mut pen, &mut svg);
    if shape != Shape::Backdrop {
        write!(svg, r#"<rect width="{width}" height="{height}" fill="url(#s)"/>"#).expect("a string takes any text");
        letter(&mut svg, title, shape);
    }
    svg.push_str("</svg>");
    svg
}

fn letter(svg: &mut String, title: &str, shape: Shape) {
    let (width, height) = shape.size();
    let margin = width * 0.075;
    let (sizes, lines_max) = if shape == Shape::Poster { ((48.0, 104.0), 5) } else { ((40.0, 84.0), 3) };
    let fitted = lettering::fit(title, width - 2.0 * margin, sizes, lines_max);
    let step = fitted.size * lettering::LEADING;
    let mut y = height - margin - step * (fitted.lines.len().saturating_sub(1)) as f64;
    svg.push_str(r##"<g fill="#fff">"##);
    for line in &fitted.lines {
        svg.push_str(&lettering::draw(line, (margin, y), fitted.size));
        y += step;
    }
    svg.push_str("</g>");
}

/// FNV-1a: small, stable, and good enough to spread ids over hues.
fn seed(id: &str) -> u64 {
    id.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

/// Draws motifs with numbers that follow from the id.
struct Pen {
    state: u64,
    hues: [u64; 2],
    width: f64,
    height: f64,
}

impl Pen {
    fn new(id: &str, width: f64, height: f64) -> Self {
        let seed = seed(id);
        let first = seed % 24 * 15;
        let mut pen = Self { state: seed, hues: [first, first], width, height };
        pen.hues[1] = (first + 35 + pen.next() % 110) % 360;
        pen
    }

    /// SplitMix64.
    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % bound as u64).expect("a rest of a small number is small")
    }

    /// A number between two.
    fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * (self.next() % 10_000) as f64 / 10_000.0
    }

    fn tone(&self, hue: usize, saturation: u32, lightness: u32) -> String {
        format!("hsl({},{saturation}%,{lightness}%)", self.hues[hue])
    }

    fn put(svg: &mut String, args: std::fmt::Arguments<'_>) {
        svg.write_fmt(args).expect("a string takes any text");
    }

    /// Ridges one behind the other under a small moon.
    fn hills(&mut self, svg: &mut String) {
        let (w, h) = (self.width, self.height);
        let (x, y, r) = (self.between(0.55, 0.85) * w, self.between(0.14, 0.3) * h, 0.09 * w.max(h));
        Self::put(svg, format_args!(r#"<circle cx="{x:.0}" cy="{y:.0}" r="{r:.0}" fill="{}"/>"#, self.tone(1, 75, 78)));
        for layer in 0..4_u32 {
            let base = h * (0.44 + 0.13 * f64::from(layer));
            let (a, b) = (self.between(-0.16, 0.16) * h, self.between(-0.16, 0.16) * h);
            let end = base + self.between(-0.08, 0.08) * h;
            let fill = self.tone(usize::from(layer < 2), 52, 40 - 9 * layer);
            Self::put(
                svg,
                format_args!(
                    r#"<path d="M0 {base:.0}C{:.0} {:.0} {:.0} {:.0} {w:.0} {end:.0}V{h:.0}H0z" fill="{fill}"/>"#,
                    w * 0.33,
                    base + a,
                    w * 0.66,
                    base + b
                ),
            );
        }
    }

    /// A large sun cut by bands that grow towards the horizon.
    fn sun(&mut self, svg: &mut String) {
        let (w, h) = (self.width, self.height);
        let (x, y, r) = (self.between(0.45, 0.7) * w, h * 0.4, w.min(h) * self.between(0.32, 0.42));
        Self::put(svg, format_args!(r#"<circle cx="{x:.0}" cy="{y:.0}" r="{r:.0}" fill="{}"/>"#, self.tone(1, 84, 66)));
        let dark = self.tone(0, 58, 19);
        for band in 0..7_u32 {
            let step = f64::from(band);
            let top = y + r * (-0.05 + 0.16 * step);
            let thick = r * (0.02 + 0.018 * step);
            Self::put(
                svg,
                format_args!(r#"<rect x="0" y="{top:.1}" width="{w:.0}" height="{thick:.1}" fill="{dark}"/>"#),
            );
        }
    }

    /// Rings around a point off the middle.
    fn rings(&mut self, svg: &mut String) {
        let (x, y) = (self.between(0.5, 0.95) * self.width, self.between(0.1, 0.45) * self.height);
        let step = self.width.max(self.height) * self.between(0.05, 0.075);
        for ring in (1..=11_u32).rev() {
            let fill = self.tone(usize::from(ring % 2 == 0), 62, 62 - 4 * ring);
            Self::put(
                svg,
                format_args!(r#"<circle cx="{x:.0}" cy="{y:.0}" r="{:.0}" fill="{fill}"/>"#, step * f64::from(ring)),
            );
        }
    }

    /// Arches inside one another, as of a gate.
    fn arches(&mut self, svg: &mut String) {
        let (w, h) = (self.width, self.height);
        let x = self.between(0.42, 0.64) * w;
        let widest = w.min(h) * self.between(0.44, 0.52);
        for arch in 0..6_u32 {
            let r = widest * (1.0 - 0.16 * f64::from(arch));
            let y = h * 0.24 + (widest - r) * 1.25 + r * 0.4;
            let fill = self.tone(usize::from(arch % 2 == 1), 60, 24 + 8 * arch);
            Self::put(
                svg,
                format_args!(
                    r#"<path d="M{:.0} {h:.0}V{y:.0}a{r:.0} {r:.0} 0 0 1 {:.0} 0V{h:.0}z" fill="{fill}"/>"#,
                    x - r,
                    2.0 * r
                ),
            );
        }
    }

    /// Sheets of coloured glass across each other.
    fn shards(&mut self, svg: &mut String) {
        let (w, h) = (self.width, self.height);
        for shard in 0..8_u32 {
            let (x, y) = (self.between(-0.1, 0.9) * w, self.between(-0.1, 0.7) * h);
            let (a, b) = (self.between(0.2, 0.7) * w, self.between(-0.3, 0.5) * h);
            let (c, d) = (self.between(-0.1, 0.5) * w, self.between(0.3, 0.8) * h);
            let fill = self.tone(usize::from(shard % 2 == 0), 70, 34 + 4 * shard);
            Self::put(
                svg,
                format_args!(
                    r#"<path d="M{x:.0} {y:.0}l{a:.0} {b:.0}l{c:.0} {d:.0}z" fill="{fill}" fill-opacity=".5"/>"#
                ),
            );
        }
    }

    /// Slanted bands of different width.
    fn bands(&mut self, svg: &mut String) {
        let (w, h) = (self.width, self.height);
        let slant = h * self.between(0.35, 0.7);
        let mut x = -slant;
        for band in 0..9_u32 {
            let thick = w * self.between(0.05, 0.24);
            let fill = self.tone(usize::from(band % 2 == 0), 64, 22 + 5 * (band % 6));
            Self::put(
                svg,
                format_args!(
                    r#"<path d="M{x:.0} {h:.0}l{slant:.0} -{h:.0}h{thick:.0}l-{slant:.0} {h:.0}z" fill="{fill}"/>"#
                ),
            );
            x += thick * 1.15;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_id_gives_the_same_picture_and_another_id_another() {
        let one = draw("0198-a", "Night Ferry", Shape::Poster);
        assert_eq!(one, draw("0198-a", "Night Ferry", Shape::Poster));
        assert_ne!(one, draw("0198-b", "Night Ferry", Shape::Poster));
    }

    #[test]
    fn a_poster_is_two_by_three_and_lettered_and_a_backdrop_is_not() {
        let poster = draw("x", "Night", Shape::Poster);
        assert!(poster.contains(r#"viewBox="0 0 600 900""#));
        assert!(poster.contains("scale(") && !draw("x", "Night", Shape::Backdrop).contains("scale("));
    }

    #[test]
    fn every_motif_is_whole_and_small_enough_for_a_row_of_them() {
        for id in 0..200 {
            let svg = draw(&format!("series-{id}"), "The Lighthouse at the End", Shape::Still);
            assert!(
                svg.ends_with("</svg>") && !svg.contains("NaN") && svg.len() < 24 * 1024,
                "{id}: {} bytes",
                svg.len()
            );
        }
    }

    #[test]
    fn hues_spread_over_all_steps() {
        let seen: std::collections::BTreeSet<u8> = (0..500).map(|id| hue_step(&format!("{id}"))).collect();
        assert_eq!(seen.len(), 24);
    }
}
