//! Episodes: make, read, find by public id, change, move, remove.

use crate::model::{
    Access, EPISODES_MAX, Episode, EpisodeRow, NUMBER_MAX, SEASON_MAX, TAGS_MAX, Tier, id_of, no_episode, no_series,
};
use crate::records::{
    EPISODE_BY_ID, EPISODE_BY_PID, EPISODE_DELETE, EPISODE_INSERT, EPISODE_UPDATE, SERIES_COUNT, SERIES_REFRESH,
};
use crate::slug::slug_of;
use crate::text::Fields;
use crate::visibility::require_episode;
use crate::{edition, order, series};
use callboard::{Effects, Empty, Env, Fault, Msg, Reply, params, uri};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

async fn load(env: &Env, id: &str) -> Result<EpisodeRow, Fault> {
    env.query(&EPISODE_BY_ID, params![id]).await?.first()?.ok_or_else(no_episode)
}

/// `get /episodes/{id}`
pub(crate) async fn read(env: Env, msg: Msg<Empty>) -> Result<Reply<Episode>, Fault> {
    let id = id_of(&msg, no_episode)?;
    require_episode(&env, &id).await?;
    let row = load(&env, &id).await?;
    let version = row.version;
    Ok(Reply::ok(row.into()).version(version))
}

/// `get /episodes/by-pid/{pid}`
pub(crate) async fn find(env: Env, msg: Msg<Empty>) -> Result<Reply<Episode>, Fault> {
    let row: Option<EpisodeRow> = env.query(&EPISODE_BY_PID, params![msg.param("pid")]).await?.first()?;
    let row = row.ok_or_else(no_episode)?;
    require_episode(&env, &row.id).await?;
    let version = row.version;
    Ok(Reply::ok(row.into()).version(version))
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewEpisode {
    season: Option<i64>,
    number: Option<i64>,
    #[schemars(length(max = 120), extend("x-code" = "item.invalid"))]
    title: String,
    #[schemars(length(max = 200), extend("x-code" = "item.invalid"))]
    #[serde(default)]
    short_text: String,
    #[serde(default)]
    long_text: String,
    #[serde(default)]
    tags: Vec<String>,
    #[serde(default)]
    access: Access,
    active: Option<bool>,
}

/// `post /series/{id}/episodes`: at a number, where others make room, or behind the last of its season.
pub(crate) async fn create(env: Env, msg: Msg<NewEpisode>) -> Result<Reply<Value>, Fault> {
    let series_id = id_of(&msg, no_series)?;
    let new = msg.data;
    let mut fields = Fields::default();
    let row = EpisodeRow {
        id: env.id().to_string(),
        pid: env.pid(),
        series: series_id,
        season: fields.number("season", new.season.unwrap_or(1), SEASON_MAX),
        number: fields.number("number", new.number.unwrap_or(1), NUMBER_MAX),
        title: fields.title("title", &new.title),
        short_text: fields.short("short_text", &new.short_text),
        long_text: fields.long("long_text", &new.long_text),
        tags: fields.words("tags", &new.tags, TAGS_MAX, slug_of),
        access: new.access,
        active: new.active.unwrap_or(true),
        media_asset: None,
        media_version: None,
        media_state: None,
        media_duration_ms: None,
        version: 1,
        edited_version: 1,
    };
    fields.finish()?;
    if series::load(&env, &row.series).await?.episode_count >= Some(EPISODES_MAX) {
        return Err(Fault::conflict(
            "series.too_many_episodes",
            format!("a series has at most {EPISODES_MAX} episodes; begin a second series"),
        ));
    }
    let count = SERIES_COUNT.with(params![&row.series, 1, env.now_ms(), EPISODES_MAX]).expect_or_retry(1..=1);
    let effects = order::make_room(Effects::new().write(count), &row.series, row.season, new.number);
    let insert = EPISODE_INSERT.with(params![
        &row.id,
        &row.pid,
        &row.series,
        row.season,
        new.number,
        &row.title,
        &row.short_text,
        &row.long_text,
        row.tags.clone(),
        row.access,
        row.active,
        Tier::of(row.access, row.active),
        env.now_ms(),
    ]);
    let mut effects = effects.write(insert.expect_or_retry(1..=1));
    let uri = uri!("/episodes/{}", row.id)?;
    let body = numbered_by(&mut effects, row);
    Ok(Reply::created(uri, body).with(effects).version(1))
}

/// The episode with the number that the last write gives it.
fn numbered_by(effects: &mut Effects, row: EpisodeRow) -> Value {
    let mut body = json!(Episode::from(row));
    body["number"] = json!(effects.slot("number"));
    body
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Change {
    season: Option<i64>,
    number: Option<i64>,
    #[schemars(length(max = 120), extend("x-code" = "item.invalid"))]
    title: Option<String>,
    #[schemars(length(max = 200), extend("x-code" = "item.invalid"))]
    short_text: Option<String>,
    long_text: Option<String>,
    tags: Option<Vec<String>>,
    access: Option<Access>,
    active: Option<bool>,
}

/// `patch /episodes/{id}`: what is not named stays; a new season or number moves it.
pub(crate) async fn change(env: Env, msg: Msg<Change>) -> Result<Reply<Value>, Fault> {
    let id = id_of(&msg, no_episode)?;
    let old = load(&env, &id).await?;
    edition::check(&msg, old.version, old.edited_version)?;
    let new = merged(&old, &msg.data)?;
    // In another season it is the last one, unless a number is given.
    let number = (new.season == old.season || msg.data.number.is_some()).then_some(new.number);
    let mut effects = Effects::new();
    if (new.season, number) != (old.season, Some(old.number)) {
        effects = order::take_to(effects, &old, new.season, number);
    }
    let tier = Tier::of(new.access, new.active);
    let update = EPISODE_UPDATE.with(params![
        &id,
        old.version,
        &new.series,
        new.season,
        number,
        &new.title,
        &new.short_text,
        &new.long_text,
        new.tags.clone(),
        new.access,
        new.active,
        tier,
        env.now_ms(),
    ]);
    effects = effects.write(update.expect_or_retry(1..=1));
    let series = new.series.clone();
    let body = numbered_by(&mut effects, new);
    if tier != Tier::of(old.access, old.active) {
        effects = effects.write(SERIES_REFRESH.with(params![series]));
    }
    Ok(Reply::changed(uri!("/episodes/{id}")?, body).with(effects).version(old.version + 1))
}

/// The episode after a change, all of it checked.
fn merged(old: &EpisodeRow, change: &Change) -> Result<EpisodeRow, Fault> {
    let mut fields = Fields::default();
    let mut new = old.clone();
    if let Some(season) = change.season {
        new.season = fields.number("season", season, SEASON_MAX);
    }
    if let Some(number) = change.number {
        new.number = fields.number("number", number, NUMBER_MAX);
    }
    if let Some(title) = &change.title {
        new.title = fields.title("title", title);
    }
    if let Some(text) = &change.short_text {
        new.short_text = fields.short("short_text", text);
    }
    if let Some(text) = &change.long_text {
        new.long_text = fields.long("long_text", text);
    }
    if let Some(tags) = &change.tags {
        new.tags = fields.words("tags", tags, TAGS_MAX, slug_of);
    }
    fields.finish()?;
    new.access = change.access.unwrap_or(old.access);
    new.active = change.active.unwrap_or(old.active);
    new.version = old.version + 1;
    Ok(new)
}

/// `delete /episodes/{id}`: the others keep their numbers.
pub(crate) async fn remove(env: Env, msg: Msg<Empty>) -> Result<Reply, Fault> {
    let id = id_of(&msg, no_episode)?;
    let old = load(&env, &id).await?;
    edition::check(&msg, old.version, old.edited_version)?;
    let effects = Effects::new()
        .write(SERIES_COUNT.with(params![&old.series, -1, env.now_ms(), EPISODES_MAX]).expect_or_retry(1..=1))
        .write(EPISODE_DELETE.with(params![&id]).expect(1..=1, no_episode()))
        .write(SERIES_REFRESH.with(params![&old.series]));
    Ok(Reply::deleted(uri!("/episodes/{id}")?).with(effects).version(old.version + 1))
}
