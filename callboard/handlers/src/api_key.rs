//! Keys of programs: a token that somebody of the tenant has made becomes who it is for by asking the space. Nothing is kept here,
//! so a key that is taken back has ended.

use crate::authenticate::resolve;
use crate::bearer::{self, Proof};
use callboard::{Answer, BoxFuture, Fault, Handler, Host, Msg, Next, Uri};

/// What every key begins with, so that a key that was lost somewhere is found by looking for it.
pub const KEY_PREFIX: &str = "srk_";

/// Turns the key of a message into its principal: asks `GET /keys/resolve?hash=` with the hexadecimal SHA-256 of the key, so that
/// no secret is compared anywhere.
#[derive(Debug)]
pub struct ApiKeys {
    resolve: Uri,
}

impl ApiKeys {
    /// The handler.
    pub fn new() -> Self {
        Self { resolve: Uri::parse("/keys/resolve").expect("it is a URI") }
    }
}

impl Default for ApiKeys {
    fn default() -> Self {
        Self::new()
    }
}

impl Handler for ApiKeys {
    fn handle<'a>(&'a self, host: &'a Host, mut msg: Msg, next: Next<'a>) -> BoxFuture<'a, Result<Answer, Fault>> {
        let Some(key) = bearer::take(&mut msg, |token| token.starts_with(KEY_PREFIX)) else {
            return next.run(host, msg);
        };
        Box::pin(async move {
            let found = resolve(host, &self.resolve, &msg, key.expose()).await?;
            let nothing = Proof::Nothing("no such key works in this channel");
            bearer::go_on(host, msg, next, found.map_or(nothing, Proof::Of)).await
        })
    }
}
