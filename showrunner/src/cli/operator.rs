//! What an operator asks for: dead letters, runs of flows, keys. Only words of the command line.

use clap::{Args, Subcommand};

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
