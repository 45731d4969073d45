//! Series: list, make, read, find by slug, change.

use crate::edition;
use crate::listing::{AFTER_ALL, cut, newest, page_size, reads_by_tier};
use crate::model::{Access, GENRES_MAX, Series, TAGS_MAX, Tier, id_of, no_series};
use crate::records::{
    EPISODES_RELIST, GENRE_INSERT, GENRES_DELETE, SERIES_BY_ID, SERIES_INSERT, SERIES_NEWEST, SERIES_OF_GENRE,
    SERIES_REFRESH, SERIES_UPDATE, SLUG_INSERT, SLUG_OWNER, SLUGS_TAKEN,
};
use crate::slug::{candidates, slug_of, slug_or};
use crate::text::Fields;
use crate::visibility::require_series;
use callboard::{Effects, Empty, Env, Fault, Msg, Reply, params, uri};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Wanted {
    after: Option<String>,
    #[schemars(range(min = 1, max = 100), extend("x-code" = "list.limit"))]
    limit: Option<u32>,
    genre: Option<String>,
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct Page {
    items: Vec<Series>,
    next: Option<String>,
}

/// `get /series`: what the caller may see listed, newest first.
pub(crate) async fn list(env: Env, msg: Msg<Wanted>) -> Result<Reply<Page>, Fault> {
    let limit = page_size(msg.data.limit, 20, 100)?;
    let after = msg.data.after.as_deref().filter(|after| !after.is_empty()).unwrap_or(AFTER_ALL);
    let reads = match msg.data.genre.as_deref().filter(|genre| !genre.is_empty()) {
        Some(genre) => reads_by_tier(&env, &SERIES_OF_GENRE, after, limit + 1, &params![slug_of(genre)]),
        None => reads_by_tier(&env, &SERIES_NEWEST, after, limit + 1, &[]),
    };
    let rows = env.query_many(reads).await?;
    let mut items = newest(&rows, |series: &Series| &series.id, limit + 1)?;
    let next = cut(&mut items, limit, |series| series.id.clone());
    let items = items.into_iter().map(|series| series.shown_to(env.principal())).collect();
    Ok(Reply::ok(Page { items, next }))
}

/// The series as it stands.
pub(crate) async fn load(env: &Env, id: &str) -> Result<Series, Fault> {
    env.query(&SERIES_BY_ID, params![id]).await?.first()?.ok_or_else(no_series)
}

/// `get /series/{id}`
pub(crate) async fn read(env: Env, msg: Msg<Empty>) -> Result<Reply<Series>, Fault> {
    let id = id_of(&msg, no_series)?;
    require_series(&env, &id).await?;
    let series = load(&env, &id).await?;
    let version = series.version;
    Ok(Reply::ok(series.shown_to(env.principal())).version(version))
}

/// A series, or the slug it is found at now.
#[derive(Serialize, JsonSchema)]
#[serde(untagged)]
pub(crate) enum Found {
    Here(Box<Series>),
    Moved { moved_to: String },
}

/// `get /series/by-slug/{slug}`
pub(crate) async fn find(env: Env, msg: Msg<Empty>) -> Result<Reply<Found>, Fault> {
    #[derive(Deserialize)]
    struct Owner {
        id: String,
        slug: String,
    }
    let asked = msg.param("slug");
    let owner: Option<Owner> = env.query(&SLUG_OWNER, params![asked]).await?.first()?;
    let owner = owner.ok_or_else(no_series)?;
    require_series(&env, &owner.id).await?;
    if owner.slug != asked {
        return Ok(Reply::ok(Found::Moved { moved_to: owner.slug }));
    }
    let series = load(&env, &owner.id).await?;
    let version = series.version;
    Ok(Reply::ok(Found::Here(Box::new(series.shown_to(env.principal())))).version(version))
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewSeries {
    #[schemars(length(max = 120), extend("x-code" = "item.invalid"))]
    title: String,
    #[schemars(length(max = 200), extend("x-code" = "item.invalid"))]
    #[serde(default)]
    short_text: String,
    #[serde(default)]
    long_text: String,
    #[serde(default)]
    genres: Vec<String>,
    #[serde(default)]
    tags: Vec<String>,
    #[serde(default)]
    access: Access,
    active: Option<bool>,
}

/// `post /series`
pub(crate) async fn create(env: Env, msg: Msg<NewSeries>) -> Result<Reply<Series>, Fault> {
    let new = msg.data;
    let mut fields = Fields::default();
    let title = fields.title("title", &new.title);
    let short_text = fields.short("short_text", &new.short_text);
    let long_text = fields.long("long_text", &new.long_text);
    let genres = fields.words("genres", &new.genres, GENRES_MAX, slug_of);
    let tags = fields.words("tags", &new.tags, TAGS_MAX, slug_of);
    fields.finish()?;
    let id = env.id().to_string();
    let now_ms = env.now_ms();
    let series = Series {
        slug: free_slug(&env, &title, &id).await?.0,
        id,
        title,
        short_text,
        long_text,
        genres,
        tags,
        access: new.access,
        active: new.active.unwrap_or(true),
        version: 1,
        episode_count: Some(0),
        created_ms: now_ms,
        updated_ms: now_ms,
        edited_version: 1,
    };
    let insert = SERIES_INSERT.with(params![
        &series.id,
        &series.slug,
        &series.title,
        &series.short_text,
        &series.long_text,
        series.genres.clone(),
        series.tags.clone(),
        series.access,
        series.active,
        Tier::of(series.access, series.active),
        now_ms,
    ]);
    let claim = SLUG_INSERT.with(params![&series.slug, &series.id]).expect_or_retry(1..=1);
    let effects = list_genres(Effects::new().write(claim).write(insert), &series);
    Ok(Reply::created(uri!("/series/{}", series.id)?, series).with(effects).version(1))
}

/// The best slug that is free or already this series' own, and whether it still has to be claimed.
async fn free_slug(env: &Env, title: &str, id: &str) -> Result<(String, bool), Fault> {
    #[derive(Deserialize)]
    struct Taken {
        slug: String,
        series: String,
    }
    let wanted = candidates(&slug_or(title, "series"), &env.pid());
    let taken: Vec<Taken> = env.query(&SLUGS_TAKEN, params![wanted.clone()]).await?.all()?;
    let owner = |slug: &str| taken.iter().find(|taken| taken.slug == slug).map(|taken| taken.series.as_str());
    let free = wanted.into_iter().find(|slug| owner(slug).is_none_or(|owner| owner == id));
    let slug = free.ok_or_else(|| Fault::conflict("busy", "others are changing the same thing; try again"))?;
    let is_new = owner(&slug).is_none();
    Ok((slug, is_new))
}

fn list_genres(effects: Effects, series: &Series) -> Effects {
    let tier = Tier::of(series.access, series.active);
    series
        .genres
        .iter()
        .fold(effects, |effects, name| effects.write(GENRE_INSERT.with(params![&series.id, slug_of(name), name, tier])))
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Change {
    #[schemars(length(max = 120), extend("x-code" = "item.invalid"))]
    title: Option<String>,
    #[schemars(length(max = 200), extend("x-code" = "item.invalid"))]
    short_text: Option<String>,
    long_text: Option<String>,
    genres: Option<Vec<String>>,
    tags: Option<Vec<String>>,
    access: Option<Access>,
    active: Option<bool>,
}

/// `patch /series/{id}`: what is not named stays.
pub(crate) async fn change(env: Env, msg: Msg<Change>) -> Result<Reply<Series>, Fault> {
    let id = id_of(&msg, no_series)?;
    let old = load(&env, &id).await?;
    edition::check(&msg, old.version, old.edited_version)?;
    let mut new = merged(&old, &msg.data)?;
    new.updated_ms = env.now_ms();
    let mut effects = Effects::new();
    if slug_of(&new.title) != slug_of(&old.title) {
        let (slug, is_new) = free_slug(&env, &new.title, &id).await?;
        new.slug = slug;
        if is_new {
            effects = effects.write(SLUG_INSERT.with(params![&new.slug, &id]).expect_or_retry(1..=1));
        }
    }
    let tier = Tier::of(new.access, new.active);
    let update = SERIES_UPDATE.with(params![
        &id,
        &new.slug,
        &new.title,
        &new.short_text,
        &new.long_text,
        new.genres.clone(),
        new.tags.clone(),
        new.access,
        new.active,
        tier,
        new.updated_ms,
        old.version,
    ]);
    effects = effects.write(update.expect_or_retry(1..=1));
    let is_relisted = tier != Tier::of(old.access, old.active);
    if is_relisted || new.genres != old.genres {
        effects = list_genres(effects.write(GENRES_DELETE.with(params![&id])), &new);
    }
    if is_relisted {
        effects = effects.write(EPISODES_RELIST.with(params![&id, tier])).write(SERIES_REFRESH.with(params![&id]));
    }
    let version = new.version;
    Ok(Reply::changed(uri!("/series/{id}")?, new).with(effects).version(version))
}

/// The series after a change, all of it checked.
fn merged(old: &Series, change: &Change) -> Result<Series, Fault> {
    let mut fields = Fields::default();
    let mut new = old.clone();
    if let Some(title) = &change.title {
        new.title = fields.title("title", title);
    }
    if let Some(text) = &change.short_text {
        new.short_text = fields.short("short_text", text);
    }
    if let Some(text) = &change.long_text {
        new.long_text = fields.long("long_text", text);
    }
    if let Some(genres) = &change.genres {
        new.genres = fields.words("genres", genres, GENRES_MAX, slug_of);
    }
    if let Some(tags) = &change.tags {
        new.tags = fields.words("tags", tags, TAGS_MAX, slug_of);
    }
    fields.finish()?;
    new.access = change.access.unwrap_or(old.access);
    new.active = change.active.unwrap_or(old.active);
    new.version = old.version + 1;
    new.edited_version = new.version;
    Ok(new)
}
