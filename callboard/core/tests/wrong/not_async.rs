//! It is not async.

use callboard::{Empty, Env, Fault, Kind, Msg, Reply, Service, Stranger, Who};

fn hello(_env: Env, _msg: Msg<Empty>) -> Result<Reply<String>, Fault> {
    Ok(Reply::ok("hello".to_owned()))
}

fn main() {
    let _ = Service::new("hello").on(Kind::Get, "/hello", hello, Who::Anyone, Stranger::Denied);
}
