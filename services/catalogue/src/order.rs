//! The order of episodes: making room at a place without losing the order of the others. Numbers may have gaps.

use crate::model::{EpisodeRow, no_series};
use crate::records::{
    EPISODE_TAKE_OUT, EPISODES_SETTLE, EPISODES_SHIFT_DOWN, EPISODES_SHIFT_UP, SEASON_INSERT, SERIES_TOUCH,
};
use callboard::{Effects, params};

/// Brings the season into being, and makes room at a number in it.
pub(crate) fn make_room(effects: Effects, series: &str, season: i64, number: Option<i64>) -> Effects {
    let effects = effects.write(SEASON_INSERT.with(params![series, season]));
    match number {
        Some(number) => effects
            .write(EPISODES_SHIFT_UP.with(params![series, season, number]))
            .write(EPISODES_SETTLE.with(params![series, season])),
        None => effects,
    }
}

/// Takes an episode out of its place and makes room at another one, where the caller then puts it.
pub(crate) fn take_to(effects: Effects, episode: &EpisodeRow, season: i64, number: Option<i64>) -> Effects {
    let series = episode.series.as_str();
    let effects = effects
        .write(SERIES_TOUCH.with(params![series]).expect(1..=1, no_series()))
        .write(EPISODE_TAKE_OUT.with(params![&episode.id, episode.version]).expect_or_retry(1..=1));
    match number {
        Some(number) if season == episode.season && number > episode.number => effects
            .write(EPISODES_SHIFT_DOWN.with(params![series, season, number]))
            .write(EPISODES_SETTLE.with(params![series, season])),
        _ => make_room(effects, series, season, number),
    }
}
