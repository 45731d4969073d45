//! The message is missing.

use callboard::{Env, Fault, Kind, Reply, Service, Stranger, Who};

async fn hello(_env: Env) -> Result<Reply<String>, Fault> {
    Ok(Reply::ok("hello".to_owned()))
}

fn main() {
    let _ = Service::new("hello").on(Kind::Get, "/hello", hello, Who::Anyone, Stranger::Denied);
}
