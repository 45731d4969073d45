//! The payment service's simulator, in a process of its own with a book of its own.

use crate::channel::{Channel, showrunner};
use crate::exchange::Visitor;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

/// The simulator; ended with the test.
pub(crate) struct Bank {
    child: Child,
    pub(crate) told: Visitor,
}

impl Bank {
    pub(crate) fn open() -> Self {
        let mut command = showrunner(&["payments-simulator", "--listen", "127.0.0.1:0"]);
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("it is piped")).read_line(&mut line).unwrap();
        let port = line.trim().rsplit(':').next().and_then(|port| port.parse().ok());
        let port = port.unwrap_or_else(|| panic!("no port in `{line}`"));
        Self { child, told: Visitor { port, cookie: None } }
    }

    pub(crate) fn trouble(&self, operation: &str, trouble: Value, times: u32) {
        self.told
            .post("/simulator/troubles", &json!({"operation": operation, "trouble": trouble, "times": times}))
            .ok();
    }

    /// Has webhooks sent to a channel, twice each and the newest first.
    pub(crate) fn tell(&self, port: u16) {
        let to = format!("http://localhost:{port}/api/payments/webhook");
        let trouble = json!({"is_doubled": true, "is_reversed": true});
        self.told.post("/simulator/webhooks", &json!({"to": to, "trouble": trouble})).ok();
    }

    pub(crate) fn book(&self) -> Value {
        self.told.get("/simulator/book").ok().json()
    }

    pub(crate) fn end(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Bank {
    fn drop(&mut self) {
        self.end();
    }
}

/// Has a server that is about to start take payments there.
pub(crate) fn with_bank<'a>(command: &'a mut Command, bank: &Bank) -> &'a mut Command {
    command
        .env("SHOWRUNNER_PAYMENTS_STRIPE_URL", format!("http://127.0.0.1:{}", bank.told.port))
        .env("SHOWRUNNER_PAYMENTS_STRIPE_KEY", "sk_test_simulator")
        .env("SHOWRUNNER_PAYMENTS_STRIPE_WEBHOOK_SECRET", "whsec_simulator")
        .env("SHOWRUNNER_PAYMENTS_TEST_CARDS", "yes")
}

pub(crate) fn start(channel: &mut Channel, bank: &Bank) {
    let mut command = channel.up();
    channel.start_with(with_bank(&mut command, bank));
    bank.tell(channel.running().port);
}

pub(crate) fn open() -> (Channel, Bank) {
    let (mut channel, bank) = (Channel::closed(), Bank::open());
    start(&mut channel, &bank);
    (channel, bank)
}
