//! The tree that tidy looks at: every file of the project, read once, and what several rules ask of it.

use super::tokens;
use proc_macro2::TokenStream;
use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::str::FromStr;
use toml::Table;

/// Endings of files whose text is read; of others only the path is known.
const TEXT_ENDINGS: &[&str] =
    &["rs", "toml", "md", "ts", "js", "mjs", "css", "html", "sql", "json", "svg", "yml", "yaml", "sh", "lock", "txt"];

/// One file: its path from the top, `/` between folders, and its text where it is text.
pub(crate) struct File {
    pub(crate) path: String,
    pub(crate) text: String,
    tokens: OnceCell<Result<TokenStream, String>>,
}

impl File {
    fn new(path: String, text: String) -> Self {
        Self { path, text, tokens: OnceCell::new() }
    }

    /// The name without folders.
    pub(crate) fn name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or(&self.path)
    }

    /// What stands behind the last dot of the name, or nothing.
    pub(crate) fn ending(&self) -> &str {
        self.name().rsplit_once('.').map_or("", |(_, ending)| ending)
    }

    /// The tokens of a Rust file, or why it cannot be read as one.
    pub(crate) fn tokens(&self) -> &Result<TokenStream, String> {
        self.tokens.get_or_init(|| TokenStream::from_str(&self.text).map_err(|error| error.to_string()))
    }

    /// The first line (from 1) that contains `needle`, or 1.
    pub(crate) fn line_of(&self, needle: &str) -> usize {
        self.text.lines().position(|line| line.contains(needle)).map_or(1, |index| index + 1)
    }
}

/// A member's `Cargo.toml`.
pub(crate) struct Manifest<'a> {
    pub(crate) file: &'a File,
    /// The folder that holds it, such as `services/site`.
    pub(crate) folder: &'a str,
    /// The package's name.
    pub(crate) name: String,
    pub(crate) table: Table,
}

/// All files, by path.
pub(crate) struct Tree {
    files: BTreeMap<String, File>,
}

impl Tree {
    /// A tree of files given as path and text.
    #[cfg(test)]
    pub(crate) fn of(files: &[(&str, &str)]) -> Self {
        let files = files.iter().map(|(path, text)| (path.to_string(), File::new(path.to_string(), text.to_string())));
        Self { files: files.collect() }
    }

    /// Reads the project at `root`, except what its `.gitignore` leaves out.
    pub(crate) fn load(root: &Path) -> Result<Self, String> {
        let ignored = fs::read_to_string(root.join(".gitignore")).unwrap_or_default();
        let ignored: Vec<&str> = ignored.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
        let mut files = BTreeMap::new();
        read_folder(root, "", &ignored, &mut files)?;
        Ok(Self { files })
    }

    /// All files in the order of their paths.
    pub(crate) fn files(&self) -> impl Iterator<Item = &File> {
        self.files.values()
    }

    /// The file at `path`.
    pub(crate) fn file(&self, path: &str) -> Option<&File> {
        self.files.get(path)
    }

    /// All Rust files.
    pub(crate) fn rust(&self) -> impl Iterator<Item = &File> {
        self.files().filter(|file| file.ending() == "rs")
    }

    /// Rust files that are not tests as a whole, with their tokens; files that cannot be read are left to `heads`.
    pub(crate) fn rust_outside_tests(&self) -> impl Iterator<Item = (&File, TokenStream)> {
        let tests = self.test_modules();
        self.rust().filter(move |file| !is_test_path(&file.path) && !is_below(&tests, &file.path)).filter_map(|file| {
            let tokens = file.tokens().as_ref().ok()?;
            Some((file, tokens.clone()))
        })
    }

    /// Paths, without ending, of modules declared as `#[cfg(test)] mod name;`.
    fn test_modules(&self) -> Vec<String> {
        let mut modules = Vec::new();
        for file in self.rust() {
            let Ok(stream) = file.tokens() else { continue };
            let folder = module_folder(&file.path);
            modules.extend(tokens::test_modules(stream).into_iter().map(|name| format!("{folder}/{name}")));
        }
        modules
    }

    /// Every manifest of a package; one that does not parse is left to cargo.
    pub(crate) fn manifests(&self) -> Vec<Manifest<'_>> {
        let manifests = self.files().filter(|file| file.name() == "Cargo.toml").filter_map(|file| {
            let table: Table = file.text.parse().ok()?;
            let name = table.get("package")?.get("name")?.as_str()?.to_string();
            let folder = file.path.strip_suffix("Cargo.toml")?.trim_end_matches('/');
            Some(Manifest { file, folder, name, table })
        });
        manifests.collect()
    }

    /// The workspace's own table of dependencies.
    pub(crate) fn workspace_dependencies(&self) -> Table {
        let root: Option<Table> = self.file("Cargo.toml").and_then(|file| file.text.parse().ok());
        let table = root.as_ref().and_then(|root| root.get("workspace")?.get("dependencies")?.as_table());
        table.cloned().unwrap_or_default()
    }
}

/// Where the modules of a file live: `a/b.rs` → `a/b`, `a/mod.rs`, `a/lib.rs` and `a/main.rs` → `a`.
fn module_folder(path: &str) -> String {
    let stem = path.strip_suffix(".rs").unwrap_or(path);
    match stem.rsplit_once('/') {
        Some((folder, "mod" | "lib" | "main")) => folder.to_string(),
        _ => stem.to_string(),
    }
}

fn is_test_path(path: &str) -> bool {
    path.split('/').any(|part| part == "tests" || part == "benches" || part == "tests.rs")
}

fn is_below(modules: &[String], path: &str) -> bool {
    modules.iter().any(|module| path.strip_prefix(module.as_str()).is_some_and(|rest| rest.starts_with(['/', '.'])))
}

fn read_folder(root: &Path, folder: &str, ignored: &[&str], files: &mut BTreeMap<String, File>) -> Result<(), String> {
    let entries = fs::read_dir(root.join(folder)).map_err(|error| format!("cannot list `{folder}`: {error}"))?;
    for entry in entries {
        let entry = entry.map_err(|error| format!("cannot list `{folder}`: {error}"))?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = if folder.is_empty() { name.clone() } else { format!("{folder}/{name}") };
        let is_ignored = ignored.iter().any(|rule| match rule.strip_prefix('/') {
            Some(anchored) => anchored.trim_end_matches('/') == path,
            None => rule.trim_end_matches('/') == name,
        });
        if is_ignored || name == ".git" || name == "node_modules" {
            continue;
        }
        let kind = entry.file_type().map_err(|error| format!("cannot look at `{path}`: {error}"))?;
        if kind.is_dir() {
            read_folder(root, &path, ignored, files)?;
        } else if kind.is_file() {
            let mut file = File::new(path.clone(), String::new());
            if TEXT_ENDINGS.contains(&file.ending()) || path.starts_with('.') {
                let bytes = fs::read(entry.path()).map_err(|error| format!("cannot read `{path}`: {error}"))?;
                file.text = String::from_utf8_lossy(&bytes).into_owned();
            }
            files.insert(path, file);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tree_on_disk_is_read_without_what_git_ignores() {
        let folder = tempfile::tempdir().unwrap();
        for path in ["src/a.rs", "target/b.rs", "web/dist/c.js", "web/node_modules/d.js", "pictures/e.png", ".git/f"] {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "text").unwrap();
        }
        fs::write(folder.path().join(".gitignore"), "/target\n/web/dist/\n").unwrap();
        let tree = Tree::load(folder.path()).unwrap();
        let paths: Vec<&str> = tree.files().map(|file| file.path.as_str()).collect();
        assert_eq!(paths, [".gitignore", "pictures/e.png", "src/a.rs"]);
        assert_eq!(tree.file("src/a.rs").unwrap().text, "text");
        assert_eq!(tree.file("pictures/e.png").unwrap().text, "");
    }

    #[test]
    fn tests_are_known_by_folder_by_name_and_by_declaration() {
        let tree = Tree::of(&[
            ("a/src/lib.rs", "#[cfg(test)] mod samples; mod real; #[cfg(not(test))] mod live;"),
            ("a/src/live.rs", ""),
            ("a/src/real.rs", "#[cfg(test)] mod inner;"),
            ("a/src/real/inner.rs", ""),
            ("a/src/samples.rs", ""),
            ("a/src/samples/deep.rs", ""),
            ("a/src/samples_of_paint.rs", ""),
            ("a/tests/all.rs", ""),
            ("a/benches/speed.rs", ""),
            ("a/src/real/tests.rs", ""),
        ]);
        let paths: Vec<&str> = tree.rust_outside_tests().map(|(file, _)| file.path.as_str()).collect();
        assert_eq!(paths, ["a/src/lib.rs", "a/src/live.rs", "a/src/real.rs", "a/src/samples_of_paint.rs"]);
    }
}
