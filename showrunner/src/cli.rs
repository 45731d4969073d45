//! The command line: what can be said, and nothing of what it does.

use clap::{Args, Parser, Subcommand, ValueEnum};
use std::collections::HashMap;
use std::path::PathBuf;

/// Independent video on one binary: run a channel, or talk to its functions.
#[derive(Debug, Parser)]
#[command(name = "showrunner", version, about, disable_help_subcommand = true)]
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
#[derive(Args, Clone, Debug)]
pub(crate) struct Folder {
    /// Folder of records, blobs and the signing key
    #[arg(long = "data", alias = "data-dir", value_name = "DIR")]
    folder: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Start everything and answer over HTTP
    Up(Up),
    /// Call a function without a server
    Call(Call),
    /// Draw the application: services, functions, triggers, tables, flows
    Map {
        /// How to draw it
        #[arg(long, value_enum, default_value_t = Format::Text)]
        format: Format,
    },
    /// Every setting, its value and where it came from
    Config {
        #[command(flatten)]
        folder: Folder,
    },
    /// Simulate the payment service on this machine, with everything that can go wrong
    PaymentsSimulator(PaymentsSimulator),
    /// Make a channel
    Tenant {
        #[command(flatten)]
        folder: Folder,
        /// Its name in addresses: letters, digits and dashes
        name: String,
        /// Its title
        #[arg(long)]
        title: String,
    },
    /// Make the first owner of a channel; without --password one is made up and shown once
    Owner {
        #[command(flatten)]
        folder: Folder,
        /// Their e-mail address
        email: String,
        /// Their name
        #[arg(long, default_value = "Owner")]
        name: String,
        /// The channel
        #[arg(long, value_name = "NAME")]
        tenant: Option<String>,
        /// Their password, at least 10 characters; better leave it out
        #[arg(long)]
        password: Option<String>,
    },
}

#[derive(Args, Debug)]
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
    fn folder(&self) -> Option<&PathBuf> {
        match &self.command {
            Command::Up(Up { folder, .. }) | Command::Config { folder } => folder.folder.as_ref(),
            Command::Tenant { folder, .. } | Command::Owner { folder, .. } => folder.folder.as_ref(),
            Command::Call(call) => call.folder.as_ref(),
            Command::Map { .. } | Command::PaymentsSimulator(_) => None,
        }
    }

    /// Settings that were given as flags.
    pub(crate) fn flags(&self) -> HashMap<&'static str, String> {
        let mut flags = HashMap::new();
        let mut set = |name, value: Option<String>| value.map(|value| flags.insert(name, value));
        set("data", self.folder().map(|path| path.display().to_string()));
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
