//! The islands' packages and their build: done only when something newer than the last result is there.

use crate::process::{self, Output};
use crate::project::Project;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// Installs what the islands are built with.
pub(crate) fn install(project: &Project, output: &Output) -> Result<bool, String> {
    install_packages(&project.web(), output)
}

/// Builds the islands into `web/dist`; says whether there was anything to do.
pub(crate) fn build(project: &Project, output: &Output) -> Result<bool, String> {
    let web = project.web();
    let result = newest(&web.join("dist"), &[]);
    let source = newest(&web, &["dist", "node_modules"]);
    if result.is_some() && result >= source {
        return Ok(false);
    }
    process::run(&mut process::command_line("npm run build", &web), output)?;
    let is_built = newest(&web.join("dist"), &[]).is_some();
    if is_built { Ok(true) } else { Err("`npm run build` left nothing in web/dist".to_string()) }
}

/// Checks the types of the islands.
pub(crate) fn check(project: &Project, output: &Output) -> Result<(), String> {
    process::run(&mut process::command_line("npm run check", &project.web()), output)
}

/// `npm ci` when the lock file is newer than what is installed.
pub(crate) fn install_packages(folder: &Path, output: &Output) -> Result<bool, String> {
    let lock = folder.join("package-lock.json");
    let wanted = changed(&lock).ok_or_else(|| format!("{} is missing; the checkout is not whole", lock.display()))?;
    let installed = changed(&folder.join("node_modules").join(".package-lock.json"));
    if installed.is_some_and(|installed| installed >= wanted) {
        return Ok(false);
    }
    let mut npm = process::command_line("npm ci --no-audit --no-fund", folder);
    process::run(npm.env("PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD", "1"), output)?;
    Ok(true)
}

fn changed(path: &Path) -> Option<SystemTime> {
    fs::metadata(path).and_then(|about| about.modified()).ok()
}

/// When the newest file below `folder` was changed, apart from folders to leave out.
fn newest(folder: &Path, leave_out: &[&str]) -> Option<SystemTime> {
    let mut newest = None;
    let mut folders: Vec<PathBuf> = vec![folder.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            let is_left_out = leave_out.iter().any(|name| entry.file_name() == *name);
            match entry.file_type() {
                Ok(kind) if kind.is_dir() && !is_left_out => folders.push(entry.path()),
                Ok(kind) if kind.is_file() => newest = newest.max(changed(&entry.path())),
                _ => {}
            }
        }
    }
    newest
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::File;
    use std::time::Duration;

    fn write(path: PathBuf, text: &str, second: u64) {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        let time = SystemTime::UNIX_EPOCH + Duration::from_secs(second);
        File::options().append(true).open(path).unwrap().set_modified(time).unwrap();
    }

    fn project() -> (tempfile::TempDir, Project) {
        let folder = tempfile::tempdir().unwrap();
        let project = Project { root: folder.path().to_path_buf(), target: folder.path().join("target") };
        write(project.web().join("src/player.ts"), "", 10);
        write(project.web().join("package-lock.json"), "{}", 10);
        (folder, project)
    }

    #[test]
    fn what_is_newer_than_its_sources_is_left_alone() {
        let (_folder, project) = project();
        write(project.web().join("dist/player.js"), "", 11);
        write(project.web().join("node_modules/.package-lock.json"), "", 11);
        write(project.web().join("node_modules/x/y.js"), "", 99);
        assert_eq!(build(&project, &project.log("build")), Ok(false));
        assert_eq!(install(&project, &project.log("install")), Ok(false));
    }

    #[test]
    fn a_build_that_leaves_nothing_is_a_failure() {
        let (_folder, project) = project();
        write(project.web().join("package.json"), "{\"scripts\":{\"build\":\"node -e 0\"}}", 10);
        let outcome = build(&project, &project.log("build"));
        assert_eq!(outcome, Err("`npm run build` left nothing in web/dist".to_string()));
    }

    #[test]
    fn a_newer_source_is_built() {
        let (_folder, project) = project();
        let script = "node -e \\\"require('fs').writeFileSync('dist/player.js','new')\\\"";
        write(project.web().join("package.json"), &format!("{{\"scripts\":{{\"build\":\"{script}\"}}}}"), 10);
        write(project.web().join("dist/player.js"), "old", 9);
        assert_eq!(build(&project, &project.log("build")), Ok(true));
        assert_eq!(fs::read_to_string(project.web().join("dist/player.js")).unwrap(), "new");
    }

    #[test]
    fn a_checkout_without_the_islands_says_so() {
        let folder = tempfile::tempdir().unwrap();
        let project = Project { root: folder.path().to_path_buf(), target: folder.path().join("target") };
        assert!(install(&project, &Output::Shown).unwrap_err().ends_with("the checkout is not whole"));
    }
}
