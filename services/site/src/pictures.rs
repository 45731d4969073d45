//! Pictures at `/art/…`: the still of a video where there is one, otherwise a drawn one. Whoever may not see an item gets
//! no picture of it either.

use crate::art::{Shape, draw};
use crate::contracts::{Decision, Episode, Series, Tenant};
use crate::home::found;
use crate::watch::playback;
use callboard::{Empty, Env, Fault, Html, Msg, Reply};

/// `/art/{kind}/{id}`.
pub(crate) async fn show(env: Env, msg: Msg<Empty>) -> Result<Reply<Html>, Fault> {
    let id = msg.param("id");
    match msg.param("kind") {
        "logo" => logo(&env).await,
        "still" => still(&env, id).await,
        name => {
            let shape = Shape::named(name).ok_or_else(|| no_such_picture(name))?;
            let series: Series = env.call(&format!("/series/{id}")).await?;
            Ok(svg(draw(id, &series.title, shape)))
        }
    }
}

fn no_such_picture(name: &str) -> Fault {
    Fault::not_found(
        "art.no_such_kind",
        format!("there are pictures of kind poster, still, backdrop and logo, not `{name}`"),
    )
}

/// `/favicon.ico`, which browsers ask for where no page names an icon.
pub(crate) async fn show_favicon(env: Env, _: Msg<Empty>) -> Result<Reply<Html>, Fault> {
    logo(&env).await
}

/// The poster frame of a playable video, as far as the viewer may watch it; otherwise a drawn picture.
async fn still(env: &Env, id: &str) -> Result<Reply<Html>, Fault> {
    let episode: Episode = env.call(&format!("/episodes/{id}")).await?;
    if episode.is_playable() {
        let decision: Decision = env.call(&format!("/access/episodes/{id}")).await?;
        if decision.may_watch
            && let Some(still) = found(playback(env, id).await)?.and_then(|playback| playback.still)
        {
            return Ok(Reply::see_other(still).header("cache-control", "private, max-age=60"));
        }
    }
    Ok(svg(draw(id, &episode.title, Shape::Still)))
}

async fn logo(env: &Env) -> Result<Reply<Html>, Fault> {
    let tenant: Tenant = env.call("/tenant").await?;
    let picture = tenant.logo.clone().unwrap_or_else(|| drawn_logo(&tenant));
    Ok(svg(picture))
}

/// The channel's initial on its accent. The tenants' service has checked the colours; what is no colour is left out.
fn drawn_logo(tenant: &Tenant) -> String {
    let is_colour =
        |text: &str| text.len() == 7 && text.starts_with('#') && text[1..].bytes().all(|b| b.is_ascii_hexdigit());
    let accent = if is_colour(&tenant.accent_dark) { tenant.accent_dark.as_str() } else { "#ff7a3d" };
    let initial =
        tenant.title.chars().find(|letter| letter.is_alphanumeric()).unwrap_or('S').to_uppercase().to_string();
    let letters = crate::lettering::draw_centred(&initial, (32.0, 46.0), 40.0);
    format!(
        r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 64 64"><rect width="64" height="64" rx="14" fill="{accent}"/><g fill="#1a0d05">{letters}</g></svg>"##
    )
}

fn svg(picture: String) -> Reply<Html> {
    Reply::text("image/svg+xml", picture).header("cache-control", "private, max-age=300")
}
