//! What is said to programs that follow every link: the pages of a channel are for them, what belongs to somebody is not.

use callboard::{Empty, Env, Fault, Html, Msg, Reply};

/// Each path as it stands at a host of its own, and below a mount.
const RULES: &str = "\
User-agent: *
Disallow: /api/
Disallow: /me/
Disallow: /studio
Disallow: /@*/api/
Disallow: /@*/me/
Disallow: /@*/studio
";

/// `/robots.txt`.
pub(crate) async fn show(_: Env, _: Msg<Empty>) -> Result<Reply<Html>, Fault> {
    Ok(Reply::text("text/plain; charset=utf-8", RULES).header("cache-control", "public, max-age=3600"))
}
