//! Embeds in the binary the built islands, styles and fonts of `web/dist`, each as it is and compressed, and the pages of `docs/errors`.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::{env, fs};

fn main() {
    embed_errors();
    let dist = Path::new(env!("CARGO_MANIFEST_DIR")).join("../web/dist");
    println!("cargo::rerun-if-changed={}", dist.display());
    let Ok(text) = fs::read_to_string(dist.join("manifest.json")) else {
        println!("cargo::error=web/dist is not built; run `cargo xtask up`, or `npm ci && npm run build` in web/");
        return;
    };
    let manifest: serde_json::Map<String, serde_json::Value> =
        serde_json::from_str(&text).expect("web/dist/manifest.json is a JSON object");
    let names: Vec<(&str, &str)> =
        manifest.iter().filter_map(|(logical, file)| Some((logical.as_str(), file.as_str()?))).collect();
    write("names.rs", &format!("&{names:?}"));
    let mut built = String::from("&[\n");
    let files = fs::read_dir(&dist).expect("web/dist is a folder").filter_map(Result::ok).map(|entry| entry.path());
    let mut files: Vec<PathBuf> = files.filter(|path| media_type(path).is_some()).collect();
    files.sort();
    for path in &files {
        let name = path.file_name().and_then(|name| name.to_str()).expect("built files have plain names");
        let embed = |suffix: &str| format!("include_bytes!({:?})", format!("{}{suffix}", path.display()));
        let media_type = media_type(path).expect("the list holds files of known types");
        writeln!(built, "({name:?}, {media_type:?}, {}, {}, {}),", embed(""), embed(".br"), embed(".gz"))
            .expect("a string takes every write");
    }
    built.push(']');
    write("assets.rs", &built);
}

fn embed_errors() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/errors");
    println!("cargo::rerun-if-changed={}", folder.display());
    let files =
        fs::read_dir(&folder).expect("docs/errors is a folder").filter_map(Result::ok).map(|entry| entry.path());
    let mut files: Vec<PathBuf> = files.filter(|path| path.extension().is_some_and(|end| end == "md")).collect();
    files.sort();
    let codes =
        files.iter().filter_map(|path| Some((path.file_stem()?.to_str()?, path))).filter(|(code, _)| *code != "README");
    let rows: String = codes
        .map(|(code, path)| format!("    ({code:?}, include_str!({:?})),\n", path.display().to_string()))
        .collect();
    write("errors.rs", &format!("&[\n{rows}]"));
}

fn write(name: &str, source: &str) {
    let out = env::var("OUT_DIR").expect("cargo sets OUT_DIR");
    fs::write(Path::new(&out).join(name), source).expect("OUT_DIR is writable");
}

fn media_type(path: &Path) -> Option<&'static str> {
    Some(match path.extension()?.to_str()? {
        "js" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "woff2" => "font/woff2",
        "svg" => "image/svg+xml",
        _ => return None,
    })
}
