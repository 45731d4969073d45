//! Programs of the machine that the project needs: which are missing, and how the platform's package manager installs them.

use crate::postgres;
use crate::process::{self, Output};
use std::env;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};

const NODE_MAJOR_MIN: u32 = 18;

/// Something to be installed.
pub(crate) struct Tool {
    pub(crate) name: &'static str,
    /// For what, as one says it to a person.
    pub(crate) purpose: &'static str,
    is_there: fn() -> bool,
    /// Package names, one list per package manager, in the order of `MANAGERS`.
    packages: [&'static str; 5],
}

pub(crate) const FFMPEG: Tool = Tool {
    name: "ffmpeg",
    purpose: "probes, transcodes and draws video",
    is_there: || process::find("ffmpeg").is_some() && process::find("ffprobe").is_some(),
    packages: ["ffmpeg", "ffmpeg-free", "ffmpeg", "ffmpeg", "ffmpeg"],
};

pub(crate) const NODE: Tool = Tool {
    name: "Node.js with npm",
    purpose: "builds the islands of the pages",
    is_there: is_node_there,
    packages: ["nodejs npm", "nodejs npm", "nodejs npm", "nodejs npm", "node"],
};

pub(crate) const PYTHON: Tool = Tool {
    name: "Python with venv",
    purpose: "runs validators, schemathesis, the clients of AWS and a peer of the figures",
    is_there: is_python_there,
    packages: ["python3 python3-venv", "python3", "python", "python3", "python@3.12"],
};

pub(crate) const POSTGRESQL: Tool = Tool {
    name: "PostgreSQL",
    purpose: "runs the tests on the records of many machines",
    is_there: || postgres::programs().is_some(),
    packages: ["postgresql", "postgresql-server", "postgresql", "postgresql", "postgresql@16"],
};

pub(crate) const CHROMIUM: Tool = Tool {
    name: "Chromium",
    purpose: "runs the browser tests",
    is_there: || chromium().is_some(),
    packages: ["chromium", "chromium", "chromium", "chromium", "--cask chromium"],
};

pub(crate) const WRK: Tool = Tool {
    name: "wrk",
    purpose: "puts load on servers for the figures",
    is_there: || process::find("wrk").is_some(),
    packages: ["wrk", "wrk", "wrk", "wrk", "wrk"],
};

/// A package manager: its program, its commands before the package names, and whether it wants to be root.
struct Manager {
    program: &'static str,
    prepare: Option<&'static str>,
    install: &'static str,
    is_for_root: bool,
}

const MANAGERS: [Manager; 5] = [
    Manager {
        program: "apt-get",
        prepare: Some("update"),
        install: "install --yes --no-install-recommends",
        is_for_root: true,
    },
    Manager { program: "dnf", prepare: None, install: "install --assumeyes", is_for_root: true },
    Manager { program: "pacman", prepare: None, install: "-Sy --needed --noconfirm", is_for_root: true },
    Manager { program: "apk", prepare: None, install: "add --no-cache", is_for_root: true },
    Manager { program: "brew", prepare: None, install: "install", is_for_root: false },
];

/// What the plan depends on.
struct Machine {
    /// Index into `MANAGERS`.
    manager: Option<usize>,
    is_root: bool,
    has_sudo: bool,
    can_ask: bool,
}

/// Installs those tools that are missing, telling `say` which; returns how many.
///
/// # Errors
/// When nothing on this machine can install them; names the command to type.
pub(crate) fn install(tools: &[&Tool], output: &Output, say: &dyn Fn(&str)) -> Result<usize, String> {
    let missing: Vec<&Tool> = tools.iter().copied().filter(|tool| !(tool.is_there)()).collect();
    if missing.is_empty() {
        return Ok(0);
    }
    for tool in &missing {
        say(&format!("missing: {} ({})", tool.name, tool.purpose));
    }
    for line in plan(&missing, &this_machine())? {
        if matches!(output, Output::Shown) {
            say(&format!("$ {line}"));
        }
        let mut command = process::command_line(&line, Path::new("."));
        process::run(command.env("DEBIAN_FRONTEND", "noninteractive"), output)?;
    }
    match missing.iter().find(|tool| !(tool.is_there)()) {
        Some(tool) => Err(format!("{} is still not found after its installation; install it by hand", tool.name)),
        None => Ok(missing.len()),
    }
}

/// The commands to run, or what the person has to do.
fn plan(missing: &[&Tool], machine: &Machine) -> Result<Vec<String>, String> {
    let names: Vec<&str> = missing.iter().map(|tool| tool.name).collect();
    let Some(index) = machine.manager else {
        return Err(format!("install {} first; no package manager known here was found", names.join(", ")));
    };
    let Manager { program, prepare, install, is_for_root } = &MANAGERS[index];
    let packages: Vec<&str> = missing.iter().map(|tool| tool.packages[index]).collect();
    let lines = prepare.iter().map(|words| format!("{program} {words}"));
    let lines: Vec<String> = lines.chain([format!("{program} {install} {}", packages.join(" "))]).collect();
    if !is_for_root || machine.is_root {
        return Ok(lines);
    }
    if !machine.has_sudo {
        return Err(format!("{} missing; run as root: {}", names.join(", "), lines.join(" && ")));
    }
    let sudo = if machine.can_ask { "sudo" } else { "sudo -n" };
    Ok(lines.iter().map(|line| format!("{sudo} {line}")).collect())
}

fn this_machine() -> Machine {
    Machine {
        manager: MANAGERS.iter().position(|manager| process::find(manager.program).is_some()),
        is_root: process::read(process::command("id", Path::new(".")).arg("-u")).as_deref() == Some("0"),
        has_sudo: process::find("sudo").is_some(),
        can_ask: std::io::stdin().is_terminal(),
    }
}

/// Debian has `python3` without what makes environments with pip.
fn is_python_there() -> bool {
    let mut python = process::command("python3", Path::new("."));
    process::read(python.args(["-c", "import ensurepip, venv, sys; print(sys.version_info >= (3, 10))"])).as_deref()
        == Some("True")
}

fn is_node_there() -> bool {
    let version = process::read(process::command("node", Path::new(".")).arg("--version"));
    process::find("npm").is_some() && version.is_some_and(|version| is_new_enough(&version))
}

/// Is `v20.1.0` new enough?
fn is_new_enough(version: &str) -> bool {
    let major = version.trim_start_matches('v').split('.').next().and_then(|major| major.parse::<u32>().ok());
    major.is_some_and(|major| major >= NODE_MAJOR_MIN)
}

/// A browser to test with: the one that `CHROMIUM` names, or one that is installed.
pub(crate) fn chromium() -> Option<PathBuf> {
    const NAMES: [&str; 5] = ["chromium", "chromium-browser", "google-chrome-stable", "google-chrome", "chrome"];
    const APPLICATIONS: [&str; 2] = [
        "/Applications/Chromium.app/Contents/MacOS/Chromium",
        "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    ];
    let named = env::var_os("CHROMIUM").map(PathBuf::from);
    let installed = NAMES.iter().filter_map(|name| process::find(name));
    let all = named.into_iter().chain(installed).chain(APPLICATIONS.map(PathBuf::from));
    all.into_iter().find(|file| process::is_executable(file))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn machine(program: &str, is_root: bool, has_sudo: bool) -> Machine {
        let manager = MANAGERS.iter().position(|manager| manager.program == program);
        Machine { manager, is_root, has_sudo, can_ask: true }
    }

    #[test]
    fn root_installs_everything_in_one_go() {
        let lines = plan(&[&FFMPEG, &NODE], &machine("apt-get", true, false));
        let install = "apt-get install --yes --no-install-recommends ffmpeg nodejs npm";
        assert_eq!(lines, Ok(vec!["apt-get update".to_string(), install.to_string()]));
        let lines = plan(&[&FFMPEG], &machine("apk", true, false));
        assert_eq!(lines, Ok(vec!["apk add --no-cache ffmpeg".to_string()]));
    }

    #[test]
    fn others_go_through_sudo_which_asks_only_a_person() {
        let lines = plan(&[&FFMPEG], &machine("dnf", false, true));
        assert_eq!(lines, Ok(vec!["sudo dnf install --assumeyes ffmpeg-free".to_string()]));
        let lines = plan(&[&FFMPEG], &Machine { can_ask: false, ..machine("dnf", false, true) });
        assert_eq!(lines, Ok(vec!["sudo -n dnf install --assumeyes ffmpeg-free".to_string()]));
        assert_eq!(plan(&[&NODE], &machine("brew", false, true)), Ok(vec!["brew install node".to_string()]));
    }

    #[test]
    fn who_cannot_install_is_told_the_command() {
        let told = plan(&[&CHROMIUM], &machine("pacman", false, false)).unwrap_err();
        assert_eq!(told, "Chromium missing; run as root: pacman -Sy --needed --noconfirm chromium");
        let told = plan(&[&FFMPEG, &NODE], &machine("none", true, true)).unwrap_err();
        assert_eq!(told, "install ffmpeg, Node.js with npm first; no package manager known here was found");
    }

    #[test]
    fn an_old_node_does_not_do() {
        assert!(is_new_enough("v18.19.0") && is_new_enough("v20.20.2"));
        assert!(!is_new_enough("v16.0.0") && !is_new_enough("") && !is_new_enough("v"));
    }
}
