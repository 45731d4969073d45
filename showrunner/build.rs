//! Embeds the built islands, styles and fonts of `web/dist` in the binary.

use std::fmt::Write;
use std::path::Path;
use std::{env, fs};

fn main() {
    let dist = Path::new(env!("CARGO_MANIFEST_DIR")).join("../web/dist");
    println!("cargo::rerun-if-changed={}", dist.display());
    let manifest = dist.join("manifest.json");
    let Ok(text) = fs::read_to_string(&manifest) else {
        println!("cargo::error=web/dist is not built; run `cargo xtask up`, or `npm ci && npm run build` in web/");
        return;
    };
    let manifest: serde_json::Map<String, serde_json::Value> = serde_json::from_str(&text).expect("web/dist/manifest.json is a JSON object");
    let mut source = String::from("&[\n");
    for (logical, file) in &manifest {
        let file = file.as_str().expect("the manifest maps names to file names");
        let path = dist.join(file).canonicalize().expect("every file of the manifest is there");
        writeln!(source, "    ({logical:?}, {file:?}, include_bytes!({:?})),", path.display().to_string()).expect("a string takes every write");
    }
    source.push_str("]\n");
    let out = Path::new(&env::var("OUT_DIR").expect("cargo sets OUT_DIR")).join("assets.rs");
    fs::write(out, source).expect("OUT_DIR is writable");
}
