//! The command line: what can be said, and nothing of what it does.

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
#[derive(Args, Clone, Debug)]
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
    /// What each service declares, what its functions were seen to use, and where that differs
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

/// Which invocations.
#[derive(Args, Clone, Debug)]
pub(crate) struct Invocations {
    #[command(flatten)]
    pub(crate) how: How,
    /// Go on with what comes, until it is ended
    #[arg(long)]
    pub(crate) follow: bool,
    /// Of functions whose path has this in it
    #[arg(long, value_name = "PART")]
    pub(crate) function: Option<String>,
    /// In this channel
    #[arg(long, value_name = "NAME")]
    pub(crate) tenant: Option<String>,
    /// That ended with this code; `any` for every fault
    #[arg(long, value_name = "CODE")]
    pub(crate) fault: Option<String>,
    /// That took at least so many milliseconds
    #[arg(long, value_name = "MS")]
    pub(crate) slow_ms: Option<u64>,
    /// That one outside request led to
    #[arg(long, value_name = "ID")]
    pub(crate) correlation: Option<String>,
    /// Most invocations
    #[arg(long)]
    pub(crate) limit: Option<u32>,
}

/// Which invocation to replay.
#[derive(Args, Clone, Debug)]
pub(crate) struct Replay {
    #[command(flatten)]
    pub(crate) how: How,
    /// Its id, as `invocations` shows it, or that of its message
    pub(crate) id: String,
    /// Write a test for its service that does the same
    #[arg(long)]
    pub(crate) as_test: bool,
    /// Where to write the test; without it, it is printed
    #[arg(long, value_name = "FILE", requires = "as_test")]
    pub(crate) out: Option<PathBuf>,
}

/// Which bill.
#[derive(Args, Clone, Debug)]
pub(crate) struct Cost {
    #[command(flatten)]
    pub(crate) how: How,
    /// What its lines are; requests are those still in memory
    #[arg(long, value_enum, default_value_t = By::Function)]
    pub(crate) by: By,
    /// Only so far back, such as `90m`, `24h` or `7d`
    #[arg(long, value_name = "TIME", value_parser = back_ms)]
    pub(crate) since: Option<i64>,
    /// What one request led to, by its correlation id: as calls that wait, and as the steps of a flow
    #[arg(long, value_name = "ID", conflicts_with_all = ["by", "since"])]
    pub(crate) chain: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum By {
    Function,
    Tenant,
    Flow,
    Request,
}

/// A time back, in milliseconds.
fn back_ms(text: &str) -> Result<i64, String> {
    let wrong = || format!("write `{text}` as `90m`, `24h` or `7d`");
    let (number, unit_ms) = match text.split_at_checked(text.len().saturating_sub(1)) {
        Some((number, "m")) => (number, 60_000),
        Some((number, "h")) => (number, 3_600_000),
        Some((number, "d")) => (number, 86_400_000),
        _ => return Err(wrong()),
    };
    let number: i64 = number.parse().map_err(|_| wrong())?;
    number.checked_mul(unit_ms).filter(|ms| *ms > 0).ok_or_else(wrong)
}

/// What an operator asks for.
#[derive(Debug)]
pub(crate) enum Operate {
    Queues,
    Schedules,
    Dead(Dead),
    Flows(Flows),
    Explain { id: String },
    Policy { cedar: bool },
    Key(Key),
}

/// What to do with keys.
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum Key {
    /// Make one; it is shown this once
    Add {
        /// What it is for
        name: String,
        /// What it may do: viewer, editor or owner
        #[arg(long, default_value = "viewer")]
        role: String,
        /// How many days it lasts
        #[arg(long, default_value_t = 90)]
        days: u32,
        /// The channel
        #[arg(long, value_name = "NAME")]
        tenant: Option<String>,
    },
    /// All there are, without their secrets
    List {
        /// The channel
        #[arg(long, value_name = "NAME")]
        tenant: Option<String>,
    },
    /// Take one back: it works no longer
    Revoke {
        /// Its id
        id: String,
        /// The channel
        #[arg(long, value_name = "NAME")]
        tenant: Option<String>,
    },
}

/// Which dead letters.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct Which {
    /// Of this channel
    #[arg(long, value_name = "NAME")]
    pub(crate) tenant: Option<String>,
    /// For this target, as `queues` names it
    #[arg(long)]
    pub(crate) target: Option<String>,
    /// With this code
    #[arg(long)]
    pub(crate) code: Option<String>,
}

#[derive(Clone, Debug, Subcommand)]
pub(crate) enum Dead {
    /// The newest first
    List {
        #[command(flatten)]
        which: Which,
        /// After this id, the last one of the page before
        #[arg(long, value_name = "ID")]
        after: Option<String>,
        /// Most letters
        #[arg(long)]
        limit: Option<u32>,
    },
    /// One letter with everything it carries
    Show {
        /// Its number
        id: i64,
    },
    /// Put back: it is delivered again, and its lane goes on
    Redrive {
        /// Its number
        id: Option<i64>,
        #[command(flatten)]
        which: Which,
        /// All there are
        #[arg(long)]
        all: bool,
        /// Most letters, the oldest first
        #[arg(long)]
        limit: Option<u32>,
        /// Spread them over so many seconds
        #[arg(long, default_value_t = 0, value_name = "SECONDS")]
        spread_s: u32,
    },
    /// Throw away: it is never delivered, and its lane goes on
    Discard {
        /// Its number
        id: Option<i64>,
        #[command(flatten)]
        which: Which,
        /// All there are
        #[arg(long)]
        all: bool,
        /// Most letters, the oldest first
        #[arg(long)]
        limit: Option<u32>,
    },
}

#[derive(Clone, Debug, Subcommand)]
pub(crate) enum Flows {
    /// The newest first
    List {
        /// Of this channel
        #[arg(long, value_name = "NAME")]
        tenant: Option<String>,
        /// Of this flow
        #[arg(long)]
        flow: Option<String>,
        /// That stand here, such as `running` or `undo_stuck`
        #[arg(long)]
        status: Option<String>,
        /// With this key
        #[arg(long)]
        key: Option<String>,
        /// After this run, the last one of the page before
        #[arg(long, value_name = "ID")]
        after: Option<String>,
        /// Most runs
        #[arg(long)]
        limit: Option<u32>,
    },
    /// One run: where each step stands, and what happened
    Show {
        /// Its id
        id: String,
    },
    /// The same, again whenever it moves, until it has ended
    Watch {
        /// Its id
        id: String,
    },
    /// Stop: nothing new is begun, what is in flight is settled, what is done is undone
    Cancel(OneRun),
    /// End as it is: nothing is undone; what is left behind is listed
    Kill(OneRun),
    /// Undo what is done, also where all is
    Undo(OneRun),
    /// Undo a step and what comes after it, then do them again; one run, or all that fit
    Redo(Redo),
    /// Try again what gave up
    Retry {
        #[command(flatten)]
        one: OneRun,
        /// Only this step
        #[arg(long)]
        step: Option<String>,
    },
    /// Say that what gave up was done, or undone, by hand
    MarkDone {
        #[command(flatten)]
        one: OneRun,
        #[command(flatten)]
        part: Part,
        /// What the step gave, as JSON
        #[arg(long, value_name = "JSON", value_parser = json)]
        output: Option<serde_json::Value>,
    },
    /// Go on without what gave up
    Skip {
        #[command(flatten)]
        one: OneRun,
        #[command(flatten)]
        part: Part,
    },
}

fn json(text: &str) -> Result<serde_json::Value, String> {
    serde_json::from_str(text).map_err(|error| format!("this is no JSON: {error}"))
}

/// Which run, and why.
#[derive(Args, Clone, Debug)]
pub(crate) struct OneRun {
    /// Its id
    pub(crate) id: String,
    /// Why, for whoever reads its history
    #[arg(long)]
    pub(crate) why: String,
}

/// Which step of a run.
#[derive(Args, Clone, Debug)]
pub(crate) struct Part {
    /// The step
    #[arg(long)]
    pub(crate) step: String,
    /// Only this item of a map, counted from 0
    #[arg(long, value_name = "INDEX")]
    pub(crate) item: Option<usize>,
}

/// Which runs to do again, and from where.
#[derive(Args, Clone, Debug)]
pub(crate) struct Redo {
    /// Its id; without it, say which with --flow
    #[arg(required_unless_present = "flow", conflicts_with = "flow")]
    pub(crate) id: Option<String>,
    /// The step to begin with
    #[arg(long, value_name = "STEP")]
    pub(crate) from: String,
    /// Why, for whoever reads the history
    #[arg(long, required_unless_present = "dry_run")]
    pub(crate) why: Option<String>,
    /// Print what would be undone and done, and do nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// All runs of this flow
    #[arg(long)]
    pub(crate) flow: Option<String>,
    /// Of them, those that stand here, such as `completed` or `undone`
    #[arg(long, requires = "flow")]
    pub(crate) status: Option<String>,
    /// Of them, those of this channel
    #[arg(long, value_name = "NAME", requires = "flow")]
    pub(crate) tenant: Option<String>,
    /// After this run, the last one of the page before
    #[arg(long, value_name = "ID", requires = "flow")]
    pub(crate) after: Option<String>,
    /// Most runs, up to 100
    #[arg(long, requires = "flow")]
    pub(crate) limit: Option<u32>,
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
