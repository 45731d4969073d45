//! Every setting, its value and where it came from: flag, environment, `showrunner.toml`, default.

use callboard::{Fault, Service};
use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

/// A setting of the program itself; settings of services are declared in their tables.
struct Own {
    name: &'static str,
    default: &'static str,
    meaning: &'static str,
}

const OWN: &[Own] = &[
    Own { name: "listen", default: "127.0.0.1:8080", meaning: "address and port of the HTTP gateway" },
    Own { name: "data", default: "data", meaning: "folder of records, blobs and the signing key" },
    Own { name: "services", default: "all", meaning: "services this process runs, separated by commas" },
    Own { name: "tenant", default: "demo", meaning: "channel that needs no mount in the address" },
    Own {
        name: "platform",
        default: "localhost",
        meaning: "host name below which channels have `{channel}.{platform}`",
    },
    Own {
        name: "log",
        default: "info",
        meaning: "what is logged: error, warn, info, debug, or a filter such as `media=debug`",
    },
    Own { name: "log_format", default: "auto", meaning: "`human`, `json`, or `auto`: human on a terminal" },
    Own {
        name: "proxies",
        default: "",
        meaning: "IP addresses whose X-Forwarded-* headers are believed, separated by commas",
    },
];

/// Where a value came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    Flag,
    Environment,
    File,
    Default,
}

impl Origin {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Flag => "flag",
            Self::Environment => "environment",
            Self::File => "showrunner.toml",
            Self::Default => "default",
        }
    }
}

/// One setting as it stands.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) value: String,
    pub(crate) origin: Origin,
    pub(crate) meaning: &'static str,
    pub(crate) is_secret: bool,
}

impl Entry {
    /// The value as anybody may see it.
    pub(crate) fn shown(&self) -> &str {
        if self.is_secret && !self.value.is_empty() { "(set, not shown)" } else { &self.value }
    }
}

/// All settings as they stand, by name.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    entries: BTreeMap<&'static str, Entry>,
}

impl Settings {
    /// Puts the sources together: a flag wins over the environment, that over the file, that over the default.
    pub(crate) fn load(
        flags: &HashMap<&'static str, String>,
        environment: &HashMap<String, String>,
        file: Option<&Path>,
        services: &[Service],
    ) -> Result<Self, Fault> {
        let mut in_file = file.map(read_file).transpose()?.unwrap_or_default();
        let own = OWN.iter().map(|own| (own.name, own.default, own.meaning, false));
        let all = services.iter().flat_map(|service| &service.settings);
        let declared = all.map(|one| (one.name, one.default, one.meaning, one.is_secret));
        let mut entries = BTreeMap::new();
        for (name, default, meaning, is_secret) in own.chain(declared) {
            let from_file = in_file.remove(name);
            let (value, origin) = if let Some(value) = flags.get(name) {
                (value.clone(), Origin::Flag)
            } else if let Some(value) = environment.get(&variable(name)) {
                (value.clone(), Origin::Environment)
            } else if let Some(value) = from_file {
                (value, Origin::File)
            } else {
                (default.to_owned(), Origin::Default)
            };
            entries.insert(name, Entry { value, origin, meaning, is_secret });
        }
        match in_file.keys().next() {
            Some(unknown) => Err(unknown_setting(unknown, entries.keys().copied())),
            None => Ok(Self { entries }),
        }
    }

    /// A setting of the program itself.
    pub(crate) fn get(&self, name: &str) -> &str {
        &self.entries.get(name).expect("settings of the program are listed in OWN").value
    }

    /// The same settings, with another value for one.
    pub(crate) fn with(mut self, name: &'static str, value: String) -> Self {
        if let Some(entry) = self.entries.get_mut(name) {
            entry.value = value;
        }
        self
    }

    /// The data folder.
    pub(crate) fn data(&self) -> PathBuf {
        PathBuf::from(self.get("data"))
    }

    /// Every setting, sorted by name.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&'static str, &Entry)> {
        self.entries.iter().map(|(name, entry)| (*name, entry))
    }

    /// Values for the services.
    pub(crate) fn for_services(&self) -> HashMap<String, String> {
        self.entries.iter().map(|(name, entry)| ((*name).to_owned(), entry.value.clone())).collect()
    }
}

/// The environment variable of a setting.
pub(crate) fn variable(name: &str) -> String {
    format!("SHOWRUNNER_{}", name.replace('.', "_").to_uppercase())
}

fn read_file(file: &Path) -> Result<BTreeMap<String, String>, Fault> {
    let wrong = |what: String| Fault::bad_input("settings", format!("{}: {what}", file.display()));
    let text = std::fs::read_to_string(file).map_err(|error| wrong(error.to_string()))?;
    let table: toml::Table = text.parse().map_err(|error: toml::de::Error| wrong(error.to_string()))?;
    let mut flat = BTreeMap::new();
    flatten("", &table, &mut flat).map_err(wrong)?;
    Ok(flat)
}

fn flatten(prefix: &str, table: &toml::Table, flat: &mut BTreeMap<String, String>) -> Result<(), String> {
    for (key, value) in table {
        let name = format!("{prefix}{key}");
        match value {
            toml::Value::Table(inner) => flatten(&format!("{name}."), inner, flat)?,
            toml::Value::String(text) => drop(flat.insert(name, text.clone())),
            toml::Value::Integer(_) | toml::Value::Float(_) | toml::Value::Boolean(_) => {
                drop(flat.insert(name, value.to_string()))
            }
            _ => return Err(format!("{name} must be a text, a number or true/false")),
        }
    }
    Ok(())
}

fn unknown_setting<'a>(unknown: &str, names: impl Iterator<Item = &'a str>) -> Fault {
    let near = names.max_by(|one, other| strsim::jaro(one, unknown).total_cmp(&strsim::jaro(other, unknown)));
    let hint = near.map(|name| format!("; did you mean `{name}`?")).unwrap_or_default();
    Fault::bad_input(
        "settings",
        format!("showrunner.toml sets `{unknown}`, which is no setting{hint} `showrunner config` lists them all"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(file: &str, environment: &[(&str, &str)], flags: &[(&'static str, &str)]) -> Result<Settings, Fault> {
        let folder = tempfile::tempdir().expect("a scratch folder");
        let path = folder.path().join("showrunner.toml");
        std::fs::write(&path, file).expect("a settings file");
        let environment = environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let flags = flags.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        let media = Service::new("media").setting("media.keep_ms", "5", "how long");
        Settings::load(&flags, &environment, Some(&path), &[media])
    }

    #[test]
    fn a_flag_wins_over_the_environment_and_that_over_the_file() {
        let settings = load(
            "listen = '1.1.1.1:1'\ndata = 'from-file'\ntenant = 'from-file'\n[media]\nkeep_ms = 7",
            &[("SHOWRUNNER_LISTEN", "2.2.2.2:2"), ("SHOWRUNNER_DATA", "from-environment")],
            &[("listen", "3.3.3.3:3")],
        )
        .expect("settings");
        let origins: Vec<_> = settings.iter().map(|(name, entry)| (name, entry.origin)).collect();
        assert!(origins.contains(&("listen", Origin::Flag)) && origins.contains(&("data", Origin::Environment)));
        assert!(origins.contains(&("tenant", Origin::File)) && origins.contains(&("log", Origin::Default)));
        assert_eq!(settings.for_services().get("media.keep_ms").map(String::as_str), Some("7"));
    }

    #[test]
    fn a_misspelt_setting_is_refused_and_the_right_one_named() {
        let fault = load("lisen = 'x'", &[], &[]).expect_err("no such setting");
        assert!(fault.message.contains("`lisen`") && fault.message.contains("`listen`"), "{fault}");
    }
}
