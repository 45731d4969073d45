//! What of a build cost most, read from cargo's own timing report.

use serde_json::Value;
use std::fs;
use std::path::Path;

/// The `count` slowest units of the last build with `--timings`, as name and seconds; none when nothing was built.
pub(crate) fn slowest(target: &Path, count: usize) -> Vec<(String, f64)> {
    let report = fs::read_to_string(target.join("cargo-timings").join("cargo-timing.html")).unwrap_or_default();
    let mut units = units(&report);
    units.sort_by(|one, other| other.1.total_cmp(&one.1));
    units.truncate(count);
    units
}

/// The report is a page; its data is a JSON array in a script.
fn units(report: &str) -> Vec<(String, f64)> {
    let data = report.split_once("const UNIT_DATA = ").and_then(|(_, rest)| rest.split_once("\n];"));
    let Some(Ok(Value::Array(rows))) = data.map(|(rows, _)| serde_json::from_str(&format!("{rows}\n]"))) else {
        return Vec::new();
    };
    let units = rows.iter().filter_map(|row| {
        let what = if row["mode"] == "run-custom-build" { " (build script)" } else { "" };
        Some((format!("{}{what}", row["name"].as_str()?), row["duration"].as_f64()?))
    });
    units.filter(|(_, seconds)| *seconds > 0.0).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_are_read_from_the_report() {
        let report = "<script>\nconst UNIT_DATA = [\n  {\"name\": \"a\", \"mode\": \"todo\", \"duration\": 1.5},
  {\"name\": \"b\", \"mode\": \"run-custom-build\", \"duration\": 3.25},\n  {\"name\": \"c\", \"duration\": 0.0}\n];\nconst X = [\n];";
        assert_eq!(units(report), [("a".to_string(), 1.5), ("b (build script)".to_string(), 3.25)]);
    }

    #[test]
    fn another_report_names_nothing() {
        assert!(units("").is_empty() && units("const UNIT_DATA = [\n{]\n];").is_empty());
    }

    #[test]
    fn the_slowest_come_first() {
        let folder = tempfile::tempdir().unwrap();
        assert!(slowest(folder.path(), 2).is_empty());
        fs::create_dir(folder.path().join("cargo-timings")).unwrap();
        let rows = [("a", 1.0), ("b", 3.0), ("c", 2.0)]
            .map(|(name, time)| format!("{{\"name\":\"{name}\",\"duration\":{time}}}"));
        let page = format!("const UNIT_DATA = [\n{}\n];", rows.join(","));
        fs::write(folder.path().join("cargo-timings").join("cargo-timing.html"), page).unwrap();
        assert_eq!(slowest(folder.path(), 2), [("b".to_string(), 3.0), ("c".to_string(), 2.0)]);
    }
}
