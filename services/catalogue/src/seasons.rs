//! Seasons: the ordered episodes of a series, and what a season is called.

use crate::listing::{cut, page_size};
use crate::model::{Episode, EpisodeRow, SEASON_MAX, Tier, id_of, no_series};
use crate::records::{EPISODES_OF_SERIES, SEASON_TITLES, SEASON_UPDATE};
use crate::series::load;
use crate::text::Fields;
use crate::visibility::require_series;
use callboard::ports::Read;
use callboard::{Env, Fault, Msg, Reply, params, uri};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Most episodes in one answer; longer series are read on with `after`.
const EPISODES_PAGE: u32 = 500;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Wanted {
    season: Option<i64>,
    after: Option<String>,
    #[schemars(range(min = 1, max = 500), extend("x-code" = "list.limit"))]
    limit: Option<u32>,
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct Seasons {
    seasons: Vec<Season>,
    next: Option<String>,
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct Season {
    number: i64,
    title: String,
    episodes: Vec<Episode>,
}

#[derive(Deserialize)]
struct Title {
    number: i64,
    title: String,
}

/// `get /series/{id}/episodes`: what the caller may see listed, in order.
pub(crate) async fn list(env: Env, msg: Msg<Wanted>) -> Result<Reply<Seasons>, Fault> {
    let id = id_of(&msg, no_series)?;
    require_series(&env, &id).await?;
    let limit = page_size(msg.data.limit, EPISODES_PAGE, EPISODES_PAGE)?;
    let season = msg.data.season;
    let (after_season, after_number) = match msg.data.after.as_deref().filter(|after| !after.is_empty()) {
        Some(after) => place(after)?,
        None => (season.unwrap_or(0), 0),
    };
    let tier = Tier::shown_to(env.principal()).last().copied().unwrap_or(Tier::Everyone);
    let last = season.unwrap_or(SEASON_MAX);
    let reads = vec![
        Read {
            statement: &EPISODES_OF_SERIES,
            params: params![&id, tier, after_season, after_number, last, limit + 1],
        },
        Read { statement: &SEASON_TITLES, params: params![&id] },
    ];
    let rows = env.query_many(reads).await?;
    let [episodes, titles] = rows.as_slice() else {
        return Err(Fault::bug("two statements gave another number of answers"));
    };
    let mut episodes: Vec<EpisodeRow> = episodes.all()?;
    let next = cut(&mut episodes, limit, |episode| format!("{}.{}", episode.season, episode.number));
    let titles: BTreeMap<i64, String> = titles.all::<Title>()?.into_iter().map(|row| (row.number, row.title)).collect();
    Ok(Reply::ok(Seasons { seasons: by_season(episodes, &titles), next }))
}

/// Reads `season.number`.
fn place(after: &str) -> Result<(i64, i64), Fault> {
    let numbers = after.split_once('.').and_then(|(season, number)| Some((season.parse().ok()?, number.parse().ok()?)));
    numbers.ok_or_else(|| {
        Fault::bad_input(
            "list.after",
            format!("`{after}` is no place in this list; use the `next` of the answer before"),
        )
        .field("after", "use the `next` of the answer before")
    })
}

fn by_season(episodes: Vec<EpisodeRow>, titles: &BTreeMap<i64, String>) -> Vec<Season> {
    let mut seasons: Vec<Season> = Vec::new();
    for episode in episodes {
        let number = episode.season;
        let episode = Episode::from(episode);
        match seasons.last_mut().filter(|season| season.number == number) {
            Some(season) => season.episodes.push(episode),
            None => {
                let title = title_of(number, titles.get(&number).map_or("", String::as_str));
                seasons.push(Season { number, title, episodes: vec![episode] });
            }
        }
    }
    seasons
}

fn title_of(number: i64, title: &str) -> String {
    if title.is_empty() { format!("Season {number}") } else { title.to_owned() }
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Change {
    title: String,
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct Named {
    number: i64,
    title: String,
}

/// `patch /series/{id}/seasons/{number}`: an empty title brings back `Season 1`.
pub(crate) async fn change(env: Env, msg: Msg<Change>) -> Result<Reply<Named>, Fault> {
    let no_season =
        || Fault::not_found("season.not_found", "the series has no such season; add an episode to it first");
    let id = id_of(&msg, no_series)?;
    let number: i64 = msg.param("number").parse().map_err(|_| no_season())?;
    let mut fields = Fields::default();
    let title = fields.optional_title("title", &msg.data.title);
    fields.finish()?;
    load(&env, &id).await?;
    let update = SEASON_UPDATE.with(params![&id, number, &title]).expect(1..=1, no_season());
    let uri = uri!("/series/{id}/seasons/{number}")?;
    Ok(Reply::changed(uri, Named { number, title: title_of(number, &title) }).write(update))
}
