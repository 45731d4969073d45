//! The command line: what can be said, and nothing of what it does.

mod operator;
mod traffic;

pub(crate) use operator::{Dead, Flows, Key, OneRun, Operate, Part, Redo, Which};
pub(crate) use traffic::{By, Cost, Invocations, Replay};

use clap::{Args, Parser, Subcommand, ValueEnum};
use std::collections::HashMap;
use std::path::PathBuf;

/// Independent video on one binary: run a channel, or talk to its functions.
#[derive(Debug, Parser)]
#[command(name = "showrunner", version, about)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) common: Common,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What every command takes.
#[derive(Args, Clone, Debug)]
pub(crate) struct Common {
    /// Services this process runs, separated by commas
    #[arg(long, global = true, value_name = "A,B")]
    pub(crate) services: Option<String>,
    /// Settings file; without it `showrunner.toml` in the working directory, where there is one
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) settings: Option<PathBuf>,
    /// What is logged: error, warn, info, debug, or a filter such as `media=debug`
    #[arg(long, global = true, value_name = "FILTER")]
    pub(crate) log: Option<String>,
}

/// Where the data folder is.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct Folder {
    /// Folder of records, blobs and the signing key
    #[arg(long = "data-dir", alias = "data", global = true, value_name = "DIR")]
    folder: Option<PathBuf>,
    /// Keep the records on PostgreSQL, `postgres://USER@HOST/NAME`; better set SHOWRUNNER_RECORDS, which no list of processes shows
    #[arg(long, global = true, value_name = "URL")]
    records: Option<String>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Start everything and answer over HTTP
    Up(Up),
    /// Write a function to begin with: one file, that `up` in the same folder runs
    New(New),
    /// Call a function without a server
    Call(Call),
    /// Draw the application: services, functions, triggers, tables, flows
    Map {
        /// How to draw it
        #[arg(long, value_enum, default_value_t = Format::Text)]
        format: Format,
    },
    /// Print the OpenAPI 3.1 document: what the functions answer to calls from outside
    Openapi,
    /// Print the AsyncAPI 3.0 document: which events happen, what they carry and who listens
    Asyncapi,
    /// What waits, by target: how much, since when, what is held and what was given up
    Queues(How),
    /// Messages that were given up: look at them, put them back, throw them away
    Dead {
        #[command(flatten)]
        how: How,
        #[command(subcommand)]
        asked: Dead,
    },
    /// What runs by the clock, when it last did, and when it will
    Schedules(How),
    /// Runs of flows
    Flows {
        #[command(flatten)]
        how: How,
        #[command(subcommand)]
        asked: Flows,
    },
    /// What ran lately: how long it took, what it waited for, how it ended
    Invocations(Invocations),
    /// Everything that was captured of one: its message, what it read, what it returned
    Invocation {
        #[command(flatten)]
        how: How,
        /// Its id, as `invocations` shows it, or that of its message
        id: String,
    },
    /// Run a captured invocation again with this program, on what it read then, and tell what differs
    Replay(Replay),
    /// What the traffic would cost on AWS, and how much of that is paid for waiting
    Cost(Cost),
    /// Why a request was refused, and the smallest change that would allow it
    Explain {
        #[command(flatten)]
        how: How,
        /// The id of its answer: `instance` in the problem, or the header `x-request-id`
        id: String,
    },
    /// What each function declares, what it was seen to use, and where that differs
    Policy {
        #[command(flatten)]
        how: How,
        /// Print the policy itself, as Cedar reads it
        #[arg(long)]
        cedar: bool,
    },
    /// Keys with which programs call
    Key {
        #[command(flatten)]
        how: How,
        #[command(subcommand)]
        asked: Key,
    },
    /// Every setting, its value and where it came from
    Config {
        #[command(flatten)]
        folder: Folder,
    },
    /// Be a function on AWS Lambda: what the program does without a command where AWS_LAMBDA_RUNTIME_API is set
    Lambda(Lambda),
    /// Simulate the payment service on this machine, with everything that can go wrong
    PaymentsSimulator(PaymentsSimulator),
    /// Make a channel
    Tenant {
        #[command(flatten)]
        folder: Folder,
        /// Its name in addresses: 2 to 31 of a–z, 0–9 and single hyphens, from a letter to a letter or digit
        name: String,
        /// Its title
        #[arg(long)]
        title: String,
    },
    /// Make an owner of a channel; without --password one is made up and shown once
    Owner(Owner),
}

#[derive(Args, Debug)]
pub(crate) struct Lambda {
    #[command(flatten)]
    folder: Folder,
    /// Keep the records in the data folder all the same: they are gone with this process, and no other sees them
    #[arg(long)]
    pub(crate) dev_single: bool,
}

#[derive(Args, Debug)]
pub(crate) struct Owner {
    #[command(flatten)]
    folder: Folder,
    /// Their e-mail address
    pub(crate) email: String,
    /// Their name
    #[arg(long, default_value = "Owner", conflicts_with = "reset")]
    pub(crate) name: String,
    /// The channel
    #[arg(long, value_name = "NAME")]
    pub(crate) tenant: Option<String>,
    /// Their password, at least 10 characters; better leave it out
    #[arg(long)]
    pub(crate) password: Option<String>,
    /// Give an account that is there a new password instead, and end its sessions
    #[arg(long)]
    pub(crate) reset: bool,
}

/// How an operator's command finds the records, and how it prints. Where a server uses the folder, the server answers.
#[derive(Args, Clone, Debug)]
pub(crate) struct How {
    #[command(flatten)]
    folder: Folder,
    /// How to print it
    #[arg(long, value_enum, default_value_t = Shape::Text, global = true)]
    pub(crate) format: Shape,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Shape {
    /// For reading in a terminal
    Text,
    /// For programs
    Json,
}

#[derive(Args, Debug, Default)]
pub(crate) struct Up {
    #[command(flatten)]
    pub(crate) folder: Folder,
    /// Address and port
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) listen: Option<String>,
    /// Fill the channel with three series drawn by ffmpeg, and make an owner whose password is shown once
    #[arg(long)]
    pub(crate) demo: bool,
}

#[derive(Args, Debug)]
pub(crate) struct New {
    /// Its name, and the address that it answers at
    pub(crate) name: String,
    /// Its language
    #[arg(long, value_enum)]
    pub(crate) lang: Language,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Language {
    /// Runs with what Python comes with
    Python,
    /// Runs with what Node.js comes with
    Node,
    /// Runs with `lambda_runtime`; built by Cargo
    Rust,
}

#[derive(Args, Debug)]
pub(crate) struct PaymentsSimulator {
    /// Address and port, of this machine only
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:4242")]
    pub(crate) listen: String,
    /// The secret key it takes
    #[arg(long, default_value = "sk_test_simulator")]
    pub(crate) key: String,
    /// Where its webhooks go, such as `http://localhost:8080/api/payments/webhook`
    #[arg(long, value_name = "URL")]
    pub(crate) webhook: Option<String>,
    /// The secret that signs them
    #[arg(long, default_value = "whsec_simulator")]
    pub(crate) webhook_secret: String,
}

#[derive(Args, Debug)]
#[command(after_help = CALL_HELP)]
pub(crate) struct Call {
    /// Folder of records, blobs and the signing key; stands before the method
    #[arg(long = "data-dir", value_name = "DIR")]
    folder: Option<PathBuf>,
    /// Records on PostgreSQL; stands before the method
    #[arg(long, value_name = "URL")]
    records: Option<String>,
    /// The call: a method, a URI, then any of `--data JSON` (or `@FILE`), `--type MEDIA-TYPE`, `--tenant NAME`,
    /// `--as PERSON:ROLE,ROLE`, `--header NAME:VALUE`
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, required = true, value_name = "METHOD URI")]
    pub(crate) words: Vec<String>,
}

const CALL_HELP: &str = "Examples:
  showrunner call GET '/series?limit=3'
  showrunner call POST /series --data '{\"title\": \"Night shift\"}' --as me:viewer,editor
  showrunner call --data-dir /srv/channel PAGE /";

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Format {
    /// For reading in a terminal
    Text,
    /// For programs
    Json,
    /// For a diagram
    Mermaid,
}

impl Cli {
    fn folder(&self) -> Option<&Folder> {
        match &self.command {
            Command::Up(Up { folder, .. }) | Command::Lambda(Lambda { folder, .. }) | Command::Config { folder } => {
                Some(folder)
            }
            Command::Tenant { folder, .. } | Command::Owner(Owner { folder, .. }) => Some(folder),
            Command::Queues(how) | Command::Schedules(how) => Some(&how.folder),
            Command::Invocations(Invocations { how, .. }) | Command::Invocation { how, .. } => Some(&how.folder),
            Command::Replay(Replay { how, .. }) | Command::Cost(Cost { how, .. }) => Some(&how.folder),
            Command::Dead { how, .. } | Command::Flows { how, .. } => Some(&how.folder),
            Command::Explain { how, .. } | Command::Policy { how, .. } | Command::Key { how, .. } => Some(&how.folder),
            Command::Call(_)
            | Command::Map { .. }
            | Command::Openapi
            | Command::Asyncapi
            | Command::New(_)
            | Command::PaymentsSimulator(_) => None,
        }
    }

    /// Settings that were given as flags.
    pub(crate) fn flags(&self) -> HashMap<&'static str, String> {
        let mut flags = HashMap::new();
        let mut set = |name, value: Option<String>| value.map(|value| flags.insert(name, value));
        if let Some(Folder { folder, records }) = self.folder() {
            set("data", folder.as_ref().map(|path| path.display().to_string()));
            set("records", records.clone());
        }
        if let Command::Call(Call { folder, records, .. }) = &self.command {
            set("data", folder.as_ref().map(|path| path.display().to_string()));
            set("records", records.clone());
        }
        set("services", self.common.services.clone());
        set("log", self.common.log.clone());
        if let Command::Up(up) = &self.command {
            set("listen", up.listen.clone());
            // A demo lets everybody see which function served a page.
            set("callboard.functions", up.demo.then(|| "anyone".to_owned()));
            set("site.demo", up.demo.then(|| "yes".to_owned()));
        }
        flags
    }
}
