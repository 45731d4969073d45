//! What the person asks for: words into an order. No library: five commands are less code than one.

use std::path::PathBuf;

pub(crate) const HELP: &str = "\
cargo xtask up [--profile release|dev] [-- ARGUMENTS]
    Install what is missing, build, and start the demo; ARGUMENTS go to `showrunner up`.
cargo xtask test [--only PHASE,…] [--skip PHASE,…]
    Everything that must hold: format, tidy, islands, clippy, build, tests on
    SQLite and on PostgreSQL, model, doctests, docs, browser.
cargo xtask tidy
    The project's rules alone.
cargo xtask soak [--minutes N] [--records sqlite|postgres]
    People at work on a server that is killed again and again; ends with one line:
    acknowledged, applied, duplicated, lost, and flows by where they stand.
cargo xtask bench [--only FIGURE,…] [--data DIR]
    The figures, in release, beside their peers.";

/// One command with its options.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Order {
    Help,
    Up(Up),
    Test(Choice),
    Tidy,
    Soak(Soak),
    Bench(Bench),
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Soak {
    pub(crate) minutes: u32,
    /// Whether the records are on PostgreSQL.
    pub(crate) on_postgres: bool,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Up {
    /// A profile of cargo.
    pub(crate) profile: String,
    /// For `showrunner up`.
    pub(crate) arguments: Vec<String>,
}

#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Bench {
    pub(crate) choice: Choice,
    /// Where files are written that are measured.
    pub(crate) data: Option<PathBuf>,
}

/// Which parts of a command to run, by name.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Choice {
    /// Only these, unless empty.
    pub(crate) only: Vec<String>,
    /// Not these.
    pub(crate) skip: Vec<String>,
}

impl Choice {
    pub(crate) fn takes(&self, name: &str) -> bool {
        let is_in = |names: &[String]| names.iter().any(|other| other == name);
        (self.only.is_empty() || is_in(&self.only)) && !is_in(&self.skip)
    }

    /// Refuses names that do not exist.
    pub(crate) fn check(&self, names: &[&str]) -> Result<(), String> {
        match self.only.iter().chain(&self.skip).find(|name| !names.contains(&name.as_str())) {
            Some(unknown) => Err(format!("there is no `{unknown}`; choose among {}", names.join(", "))),
            None => Ok(()),
        }
    }
}

/// Reads the words behind `cargo xtask`.
///
/// # Errors
/// When a word is not understood.
pub(crate) fn parse(words: &[String]) -> Result<Order, String> {
    let Some((command, rest)) = words.split_first() else { return Ok(Order::Help) };
    let is_help = |word: &String| word == "--help" || word == "-h";
    let own = rest.split(|word| word == "--").next().unwrap_or_default();
    if is_help(command) || command == "help" || own.iter().any(is_help) {
        return Ok(Order::Help);
    }
    match command.as_str() {
        "up" => parse_up(own, rest.get(own.len() + 1..).unwrap_or_default()),
        "test" => parse_options(rest, &["--only", "--skip"]).map(|options| Order::Test(options.choice)),
        "bench" => parse_options(rest, &["--only", "--skip", "--data"]).map(Order::Bench),
        "soak" => parse_soak(rest),
        "tidy" => parse_options(rest, &[]).map(|_| Order::Tidy),
        other => Err(format!("there is no command `{other}`\n{HELP}")),
    }
}

fn parse_up(own: &[String], arguments: &[String]) -> Result<Order, String> {
    let profile = match own {
        [] => "release",
        [flag, profile] if flag == "--profile" => profile,
        _ => return Err("write `up --profile NAME`, and what is for showrunner behind `--`".to_string()),
    };
    if profile != "release" && profile != "dev" {
        return Err(format!("there is no profile `{profile}`; choose release or dev"));
    }
    Ok(Order::Up(Up { profile: profile.to_string(), arguments: arguments.to_vec() }))
}

fn parse_soak(words: &[String]) -> Result<Order, String> {
    let mut soak = Soak { minutes: 10, on_postgres: false };
    for pair in words.chunks(2) {
        match pair {
            [flag, value] if flag == "--minutes" => {
                let minutes = value.parse().ok().filter(|minutes| (1..=1_440).contains(minutes));
                soak.minutes = minutes.ok_or_else(|| format!("`--minutes {value}`: write 1 to 1440"))?;
            }
            [flag, value] if flag == "--records" && (value == "sqlite" || value == "postgres") => {
                soak.on_postgres = value == "postgres";
            }
            [flag, ..] => return Err(format!("`{flag}` is not understood\n{HELP}")),
            [] => {}
        }
    }
    Ok(Order::Soak(soak))
}

fn parse_options(words: &[String], known: &[&str]) -> Result<Bench, String> {
    let mut options = Bench::default();
    let mut words = words.iter();
    while let Some(word) = words.next() {
        let (flag, value) = match word.split_once('=') {
            Some((flag, value)) => (flag, Some(value.to_string())),
            None => (word.as_str(), None),
        };
        if !known.contains(&flag) {
            return Err(format!("`{word}` is not understood\n{HELP}"));
        }
        let value = value.or_else(|| words.next().cloned()).ok_or_else(|| format!("`{flag}` needs a value"))?;
        let names = value.split(',').map(str::trim).filter(|name| !name.is_empty()).map(str::to_string);
        match flag {
            "--only" => options.choice.only.extend(names),
            "--skip" => options.choice.skip.extend(names),
            _ => options.data = Some(PathBuf::from(value)),
        }
    }
    Ok(options)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Result<Order, String> {
        parse(&line.split_whitespace().map(str::to_string).collect::<Vec<String>>())
    }

    #[test]
    fn up_passes_on_what_stands_behind_two_dashes() {
        let up = |profile: &str, arguments: &[&str]| {
            let arguments = arguments.iter().map(ToString::to_string).collect();
            Ok(Order::Up(Up { profile: profile.to_string(), arguments }))
        };
        assert_eq!(read("up"), up("release", &[]));
        assert_eq!(
            read("up --profile dev -- --listen 127.0.0.1:1 --help"),
            up("dev", &["--listen", "127.0.0.1:1", "--help"])
        );
        assert!(read("up --listen 127.0.0.1:1").unwrap_err().contains("behind `--`"));
        assert!(read("up --profile fast").unwrap_err().contains("`fast`"));
    }

    #[test]
    fn test_takes_names_of_phases() {
        let Ok(Order::Test(choice)) = read("test --only format,tidy --skip=tidy") else { panic!("not a test order") };
        assert!(choice.takes("format") && !choice.takes("tidy") && !choice.takes("docs"));
        assert_eq!(choice.check(&["format", "docs"]).unwrap_err(), "there is no `tidy`; choose among format, docs");
        assert!(Choice::default().takes("docs"));
    }

    #[test]
    fn soak_takes_minutes_and_an_engine() {
        assert_eq!(read("soak"), Ok(Order::Soak(Soak { minutes: 10, on_postgres: false })));
        let postgres = Ok(Order::Soak(Soak { minutes: 2, on_postgres: true }));
        assert_eq!(read("soak --records postgres --minutes 2"), postgres);
        assert!(read("soak --minutes 0").unwrap_err().contains("1 to 1440"));
        assert!(read("soak --records mysql").unwrap_err().starts_with("`--records` is not understood"));
    }

    #[test]
    fn what_is_not_understood_is_named() {
        assert_eq!(read(""), Ok(Order::Help));
        assert_eq!(read("test --help"), Ok(Order::Help));
        assert!(read("tset").unwrap_err().starts_with("there is no command `tset`"));
        assert!(read("tidy --fix").unwrap_err().starts_with("`--fix` is not understood"));
        assert_eq!(read("test --only").unwrap_err(), "`--only` needs a value");
    }
}
