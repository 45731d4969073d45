//! Every setting, its value and where it came from: flag, environment, `showrunner.toml`, default.

use crate::cost::read_memory;
use crate::log::read_filter;
use callboard::{Fault, Service, Values};
use callboard_gateways::lambda::Routes;
use callboard_handlers::Collector;
use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::path::{Path, PathBuf};

/// A setting of the program itself; settings of services are declared in their tables.
struct Own {
    name: &'static str,
    default: &'static str,
    meaning: &'static str,
    /// Whether the value may hold a password.
    is_secret: bool,
}

const fn own(name: &'static str, default: &'static str, meaning: &'static str) -> Own {
    Own { name, default, meaning, is_secret: false }
}

const OWN: &[Own] = &[
    own("listen", "127.0.0.1:8080", "address and port of the HTTP gateway"),
    own("data", "data", "folder of records, blobs and the signing key; it belongs to one process"),
    Own {
        name: "records",
        default: "",
        meaning: "`postgres://USER:PASSWORD@HOST:5432/NAME?sslmode=verify-full` keeps the records there, for several processes; \
                  otherwise they are in the data folder",
        is_secret: true,
    },
    own("records_schema", "showrunner", "schema of the tables on PostgreSQL"),
    own(
        "records_lease_ms",
        "30000",
        "how long a process that says nothing has a message, before another takes it; on PostgreSQL",
    ),
    own("blobs", "", "folder of videos and pictures, where several processes share one; otherwise in the data folder"),
    own("services", "all", "services this process runs, separated by commas"),
    own("tenant", "demo", "channel that needs no mount in the address"),
    own("platform", "localhost", "host name below which channels have `{channel}.{platform}`"),
    own("log", "info", "what is logged: error, warn, info, debug, or a filter such as `media=debug`"),
    own("log_format", "auto", "`human`, `json`, or `auto`: human on a terminal"),
    own("functions", "", "folder with a space.toml, whose functions run beside the services"),
    own("invoke", "", "address and port at which AWS clients invoke functions; none where it is empty"),
    Own {
        name: "invoke_keys",
        default: "",
        meaning: "keys of who invokes functions, separated by commas: `ID:SECRET@TENANT` acts in this channel only, `ID:SECRET` is \
                  the operator's and acts in the one named by `tenant`",
        is_secret: true,
    },
    own(
        "otlp_endpoint",
        "",
        "collector of traces, such as `http://localhost:4318` (OTLP over HTTP); without one none are sent",
    ),
    Own {
        name: "otlp_authorization",
        default: "",
        meaning: "the `authorization` header that the collector wants",
        is_secret: true,
    },
    own("otlp_part", "1.0", "which part of the traces the collector gets, 0.0 to 1.0"),
    own("cost_memory_mb", "512", "memory that a function is assumed to have, for `cost`"),
    own(
        "cost_memory",
        "",
        "memory of single services or functions in megabytes, for `cost`: `media=2048, catalogue::series=256`",
    ),
    own(
        "policy",
        "policy.cedar",
        "file of policies beside those of the services, in Cedar; the name is beside the settings file",
    ),
    own("limits.tenant_per_minute", "0", "most requests of a channel in a minute; 0 does not limit"),
    own("limits.person_per_minute", "12000", "most requests of one person in a minute; 0 does not limit"),
    own(
        "limits.address_per_minute",
        "1200",
        "most requests of one address in a minute where nobody is signed in; 0 does not limit",
    ),
    own(
        "limits.secrets_per_minute",
        "20",
        "most attempts of one address in a minute at signing in or up; 0 does not limit",
    ),
    own(
        "tokens.keys",
        "",
        "file of a JSON Web Key Set: tokens that its keys have signed are believed; empty believes none",
    ),
    own("tokens.issuer", "", "who issues them: their `iss`"),
    own("tokens.audience", "", "for whom they are: their `aud`"),
    own("tokens.algorithms", "RS256,ES256,EdDSA", "algorithms they may be signed with, of RS256, ES256, EdDSA, HS256"),
    own("tokens.tenants", "", "channels that their issuer may name; empty is only the one named by `tenant`"),
    own(
        "tokens.roles",
        "",
        "what roles in tokens are here, such as `staff=editor,staff=viewer`; those that are not named do not count",
    ),
    own("tokens.leeway_s", "30", "how far the clock of their issuer may be away"),
    own("tokens.age_max_s", "3600", "how old a token may be, however long it says that it lasts"),
    own(
        "lambda_sources",
        "",
        "on AWS Lambda: what events of which source are for, a line or `;` each, such as `arn:aws:sqs:*:*:letters post /letters in demo`",
    ),
    own(
        "lambda_wake",
        "",
        "on AWS Lambda: the queue of SQS whose messages invoke this function; with several functions `SERVICE,SERVICE=ADDRESS` each, \
         separated by spaces; without one, waiting work is done before the answer",
    ),
    own(
        "lambda_media_origin",
        "",
        "on AWS Lambda: where media is served from storage, such as `https://media.example.org`",
    ),
    own("proxies", "", "IP addresses whose X-Forwarded-* headers are believed, separated by commas"),
];

/// Where a value came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    Flag,
    Environment,
    /// The settings file, by its path.
    File(String),
    Default,
}

impl Origin {
    pub(crate) fn as_str(&self) -> &str {
        match self {
            Self::Flag => "flag",
            Self::Environment => "environment",
            Self::File(path) => path,
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
    /// Where the settings file is; without one, the working directory.
    folder: PathBuf,
}

impl Settings {
    /// Puts the sources together: a flag wins over the environment, that over the file, that over the default.
    pub(crate) fn load(
        flags: &HashMap<&'static str, String>,
        environment: &HashMap<String, String>,
        file: Option<&Path>,
        services: &[Service],
    ) -> Result<Self, Fault> {
        let path = file.map(|file| file.display().to_string()).unwrap_or_default();
        let mut in_file = file.map(read_file).transpose()?.unwrap_or_default();
        let own = OWN.iter().map(|own| (own.name, own.default, own.meaning, own.is_secret, Values::Text));
        let all = services.iter().flat_map(|service| &service.settings);
        let declared = all.map(|one| (one.name, one.default, one.meaning, one.is_secret, one.values));
        let mut entries = BTreeMap::new();
        for (name, default, meaning, is_secret, values) in own.chain(declared) {
            let from_file = in_file.remove(name);
            let (value, origin) = if let Some(value) = flags.get(name) {
                (value.clone(), Origin::Flag)
            } else if let Some(value) = environment.get(&variable(name)) {
                (value.clone(), Origin::Environment)
            } else if let Some(value) = from_file {
                (value, Origin::File(path.clone()))
            } else {
                (default.to_owned(), Origin::Default)
            };
            values.check(&value).and_then(|()| check_own(name, &value, services)).map_err(|rule| {
                let shown = if is_secret { "not what it should be".to_owned() } else { format!("`{value}`") };
                let message = format!("setting `{name}` is {shown} ({}); {rule}", origin.as_str());
                Fault::bad_input("settings", message)
            })?;
            entries.insert(name, Entry { value, origin, meaning, is_secret });
        }
        if let Some(unknown) = in_file.keys().next() {
            return Err(unknown_setting(&path, unknown, entries.keys().map(|name| (*name).to_owned())));
        }
        let variables: Vec<String> = entries.keys().map(|name| variable(name)).collect();
        if let Some(unknown) = environment.keys().filter(|name| !variables.contains(name)).min() {
            return Err(unknown_setting("the environment", unknown, variables.into_iter()));
        }
        let folder = file.and_then(Path::parent).map(Path::to_owned).unwrap_or_default();
        Ok(Self { entries, folder })
    }

    /// A setting of the program itself.
    pub(crate) fn get(&self, name: &str) -> &str {
        &self.entries.get(name).expect("settings of the program are listed in OWN").value
    }

    /// Whether nobody said anything about a setting.
    pub(crate) fn is_default(&self, name: &str) -> bool {
        self.entries.get(name).is_some_and(|entry| entry.origin == Origin::Default)
    }

    /// The same settings, with another value for one.
    pub(crate) fn with(mut self, name: &'static str, value: String) -> Self {
        if let Some(entry) = self.entries.get_mut(name) {
            entry.value = value;
        }
        self
    }

    /// A file that stands beside the settings, unless its name says where.
    pub(crate) fn beside(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// The data folder.
    pub(crate) fn data(&self) -> PathBuf {
        PathBuf::from(self.get("data"))
    }

    /// What a command needs to be about the same data folder: ` --data-dir DIR` where it was named on the command line.
    pub(crate) fn data_option(&self) -> String {
        let is_plain = |letter: char| letter.is_alphanumeric() || "/._-".contains(letter);
        match self.entries.get("data") {
            Some(Entry { value, origin: Origin::Flag, .. }) if value.chars().all(is_plain) => {
                format!(" --data-dir {value}")
            }
            Some(Entry { value, origin: Origin::Flag, .. }) => {
                format!(" --data-dir '{}'", value.replace('\'', r"'\''"))
            }
            _ => String::new(),
        }
    }

    /// The folder of blobs.
    pub(crate) fn blobs(&self) -> PathBuf {
        match self.get("blobs") {
            "" => self.data().join("blobs"),
            folder => PathBuf::from(folder),
        }
    }

    /// Whether other processes may use the same records.
    pub(crate) fn has_shared_records(&self) -> bool {
        !self.get("records").is_empty()
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

fn unknown_setting(place: &str, unknown: &str, names: impl Iterator<Item = String>) -> Fault {
    let near = names.max_by(|one, other| strsim::jaro(one, unknown).total_cmp(&strsim::jaro(other, unknown)));
    let hint = near.map(|name| format!("; did you mean `{name}`?")).unwrap_or_default();
    Fault::bad_input(
        "settings",
        format!("{place} sets `{unknown}`, which is no setting{hint} `showrunner config` lists them all"),
    )
}

/// Whether a setting of the program itself can have this value; otherwise what to write instead.
fn check_own(name: &str, value: &str, services: &[Service]) -> Result<(), String> {
    let is_label = |label: &str| {
        !label.is_empty()
            && label.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
    };
    let refuse_unless = |is_right: bool, rule: &str| if is_right { Ok(()) } else { Err(rule.to_owned()) };
    match name {
        "listen" => {
            let is_address =
                value.rsplit_once(':').is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok());
            refuse_unless(is_address, "write an address and a port, such as `127.0.0.1:8080`")
        }
        "data" => refuse_unless(!value.is_empty(), "write a folder, such as `data`"),
        "records" => {
            let is_address = ["postgres://", "postgresql://"].iter().any(|scheme| value.starts_with(scheme));
            refuse_unless(value.is_empty() || is_address, "write `postgres://USER:PASSWORD@HOST:5432/NAME`, or nothing")
        }
        "records_lease_ms" => refuse_unless(
            value.parse::<i64>().is_ok_and(|ms| (1_000..=600_000).contains(&ms)),
            "write 1000 to 600000 milliseconds",
        ),
        "records_schema" => refuse_unless(
            !value.is_empty()
                && value.len() <= 48
                && value.bytes().all(|byte| byte == b'_' || byte.is_ascii_alphanumeric()),
            "write letters, digits and `_`, such as `showrunner`",
        ),
        "services" => check_services(value, services),
        "tenant" => refuse_unless(is_label(value), "write the name of a channel, such as `mychannel`"),
        "platform" => refuse_unless(value.split('.').all(is_label), "write a host name, such as `films.example.org`"),
        "log" => read_filter(value).map(drop),
        "log_format" => Values::OneOf(&["human", "json", "auto"]).check(value),
        "policy" => refuse_unless(!value.is_empty(), "write a file, such as `policy.cedar`"),
        _ if name.starts_with("limits.") => {
            refuse_unless(value.parse::<u32>().is_ok(), "write a whole number, such as `1200`; 0 does not limit")
        }
        "tokens.leeway_s" | "tokens.age_max_s" => {
            let is_time = value.parse::<i64>().is_ok_and(|seconds| (0..=31_536_000).contains(&seconds));
            refuse_unless(is_time, "write 0 to 31536000 seconds")
        }
        "tokens.roles" => crate::gate::read_roles(value).map(drop),
        "lambda_sources" => Routes::parse(value).map(drop),
        "lambda_wake" => crate::lambda::read_queues(value, services).map(drop),
        "lambda_media_origin" => {
            let is_origin = value.is_empty() || (value.starts_with("https://") && !value.ends_with('/'));
            refuse_unless(is_origin, "write `https://` and a host, without a `/` at the end")
        }
        "proxies" => read_addresses(value).map(drop),
        "otlp_endpoint" if !value.is_empty() => Collector::read(value, "", 1.0).map(drop),
        "otlp_part" => refuse_unless(
            value.parse::<f64>().is_ok_and(|part| (0.0..=1.0).contains(&part)),
            "write a part between 0.0 and 1.0",
        ),
        "cost_memory" => read_memory(value).map(drop),
        "cost_memory_mb" => refuse_unless(
            value.parse::<u64>().is_ok_and(|mb| (128..=10_240).contains(&mb)),
            "write 128 to 10240 megabytes",
        ),
        _ => Ok(()),
    }
}

fn check_services(value: &str, services: &[Service]) -> Result<(), String> {
    let is_known = |name: &str| services.iter().any(|service| service.name == name);
    match value.split(',').map(str::trim).find(|name| !is_known(name)) {
        Some(unknown) if value != "all" => {
            let known: Vec<_> = services.iter().map(|service| service.name).collect();
            Err(format!("there is no service `{unknown}`; there are {}", known.join(", ")))
        }
        _ => Ok(()),
    }
}

/// Reads IP addresses, separated by commas.
///
/// # Errors
/// What to write instead.
pub(crate) fn read_addresses(text: &str) -> Result<Vec<IpAddr>, String> {
    let words = text.split(',').map(str::trim).filter(|word| !word.is_empty());
    words.map(|word| word.parse().map_err(|_| format!("`{word}` is no IP address"))).collect()
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
        let media = Service::new("media").setting("media.keep_ms", "5", "how long").values(Values::Number);
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
        let origin = |wanted: &str| {
            settings.iter().find(|(name, _)| *name == wanted).map(|(_, entry)| entry.origin.clone()).expect("a setting")
        };
        assert_eq!((origin("listen"), origin("data")), (Origin::Flag, Origin::Environment));
        assert_eq!(origin("log"), Origin::Default);
        assert!(matches!(origin("tenant"), Origin::File(path) if path.ends_with("showrunner.toml")));
        assert_eq!(settings.for_services().get("media.keep_ms").map(String::as_str), Some("7"));
    }

    #[test]
    fn a_misspelt_setting_is_refused_and_the_right_one_named() {
        let fault = load("lisen = 'x'", &[], &[]).expect_err("no such setting");
        assert!(fault.message.contains("`lisen`") && fault.message.contains("`listen`"), "{fault}");
        let fault = load("", &[("SHOWRUNNER_LISTEM", "x")], &[]).expect_err("no such setting");
        assert!(
            fault.message.contains("`SHOWRUNNER_LISTEM`") && fault.message.contains("`SHOWRUNNER_LISTEN`"),
            "{fault}"
        );
    }

    #[test]
    fn a_value_that_cannot_be_is_refused_with_what_to_write() {
        for (name, value, rule) in [
            ("SHOWRUNNER_LISTEN", "foo", "such as `127.0.0.1:8080`"),
            ("SHOWRUNNER_LISTEN", "127.0.0.1:99999", "such as `127.0.0.1:8080`"),
            ("SHOWRUNNER_DATA", "", "such as `data`"),
            ("SHOWRUNNER_RECORDS", "mysql://hunter2@db/films", "write `postgres://USER:PASSWORD@HOST:5432/NAME`"),
            ("SHOWRUNNER_RECORDS_LEASE_MS", "5", "1000 to 600000"),
            ("SHOWRUNNER_RECORDS_SCHEMA", "a b", "such as `showrunner`"),
            ("SHOWRUNNER_SERVICES", "media,nothing", "no service `nothing`; there are media"),
            ("SHOWRUNNER_TENANT", "My Channel", "such as `mychannel`"),
            ("SHOWRUNNER_PLATFORM", "https://films", "such as `films.example.org`"),
            ("SHOWRUNNER_LOG", "bogus=====", "`media=debug`"),
            ("SHOWRUNNER_LOG_FORMAT", "xml", "human or json or auto"),
            ("SHOWRUNNER_PROXIES", "10.0.0.1, gateway", "`gateway` is no IP address"),
            ("SHOWRUNNER_MEDIA_KEEP_MS", "many", "a whole number"),
        ] {
            let fault = load("", &[(name, value)], &[]).expect_err(name);
            assert_eq!(fault.code, "settings");
            assert!(fault.message.contains("environment") && fault.message.contains(rule), "{name}: {fault}");
            assert!(!fault.to_string().contains("hunter2"), "a password is never repeated: {fault}");
        }
        for (name, value) in [
            ("SHOWRUNNER_LISTEN", "[::1]:0"),
            ("SHOWRUNNER_LISTEN", "localhost:80"),
            ("SHOWRUNNER_SERVICES", "media"),
            ("SHOWRUNNER_PROXIES", "10.0.0.1,fd00::1"),
        ] {
            assert!(load("", &[(name, value)], &[]).is_ok(), "{name}={value}");
        }
    }
}
