//! The rule itself, pure: facts about an item and the standing of a person give a decision and its reason.

use callboard::Principal;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What an item's editor says about it, from the most open to the strictest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Level {
    /// Everybody may watch.
    Public,
    /// Everybody with the link may watch; no list shows it.
    Unlisted,
    /// Everybody sees it; whoever is signed in may watch.
    Members,
    /// Editors only.
    Private,
}

/// The facts about a series.
#[derive(Clone, Copy, Debug, Deserialize)]
pub(crate) struct SeriesFacts {
    pub(crate) access: Level,
    pub(crate) active: bool,
}

/// The facts about an episode.
#[derive(Clone, Copy, Debug, Deserialize)]
pub(crate) struct EpisodeFacts {
    pub(crate) access: Level,
    pub(crate) active: bool,
    pub(crate) series_access: Level,
    pub(crate) series_active: bool,
}

/// What counts of an item: the strictest level that applies to it, and whether it is shown at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Item {
    pub(crate) level: Level,
    pub(crate) active: bool,
}

impl From<SeriesFacts> for Item {
    fn from(facts: SeriesFacts) -> Self {
        Self { level: facts.access, active: facts.active }
    }
}

impl From<EpisodeFacts> for Item {
    fn from(facts: EpisodeFacts) -> Self {
        Self { level: facts.access.max(facts.series_access), active: facts.active && facts.series_active }
    }
}

/// Where somebody stands in the tenant; each may what those before may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Standing {
    /// Not signed in.
    Nobody,
    /// Signed in.
    Member,
    /// Editor, owner, or one of our services.
    Editor,
}

impl Standing {
    /// Where a principal stands.
    pub(crate) fn of(principal: &Principal) -> Self {
        match principal {
            Principal::Nobody => Self::Nobody,
            Principal::Person { .. } if !principal.has_role("editor") => Self::Member,
            Principal::Person { .. } | Principal::Service(_) => Self::Editor,
        }
    }
}

/// May they, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub(crate) struct Decision {
    /// May know that it is there.
    pub(crate) visible: bool,
    /// May play it.
    pub(crate) may_watch: bool,
    /// The rule that decided: a level, `inactive`, or `hidden`, which does not say whether there is anything.
    pub(crate) rule: &'static str,
    /// One sentence for people.
    pub(crate) reason: &'static str,
    /// What would change the decision, where something would.
    pub(crate) remedy: Option<&'static str>,
}

/// Decides. No item and an item that the asker may not know of give the same answer.
pub(crate) fn decide(item: Option<Item>, who: Standing) -> Decision {
    let is_editor = who == Standing::Editor;
    match item {
        Some(Item { active: false, .. }) if is_editor => {
            allow("inactive", "it is not active; only editors of this channel see it")
        }
        Some(Item { level: Level::Private, .. }) if is_editor => {
            allow("private", "it is private; only editors of this channel see it")
        }
        None | Some(Item { active: false, .. } | Item { level: Level::Private, .. }) => hidden(who),
        Some(Item { level: Level::Public, .. }) => allow("public", "everybody may watch it"),
        Some(Item { level: Level::Unlisted, .. }) => allow("unlisted", "everybody who has the link may watch it"),
        Some(Item { level: Level::Members, .. }) if who >= Standing::Member => {
            allow("members", "whoever is signed in may watch it")
        }
        Some(Item { level: Level::Members, .. }) => Decision {
            visible: true,
            may_watch: false,
            rule: "members",
            reason: "only members of this channel may watch it",
            remedy: Some("sign in or sign up"),
        },
    }
}

fn allow(rule: &'static str, reason: &'static str) -> Decision {
    Decision { visible: true, may_watch: true, rule, reason, remedy: None }
}

fn hidden(who: Standing) -> Decision {
    let remedy = match who {
        Standing::Nobody => Some("sign in, if the channel has given you access"),
        Standing::Member => Some("ask the channel for access"),
        Standing::Editor => None,
    };
    Decision {
        visible: false,
        may_watch: false,
        rule: "hidden",
        reason: "there is nothing here, or it is not open to you",
        remedy,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const LEVELS: [Level; 4] = [Level::Public, Level::Unlisted, Level::Members, Level::Private];
    const STANDINGS: [Standing; 3] = [Standing::Nobody, Standing::Member, Standing::Editor];

    fn facts() -> impl Strategy<Value = EpisodeFacts> {
        let level = || prop::sample::select(LEVELS.to_vec());
        (level(), any::<bool>(), level(), any::<bool>()).prop_map(|(access, active, series_access, series_active)| {
            EpisodeFacts { access, active, series_access, series_active }
        })
    }

    fn standing() -> impl Strategy<Value = Standing> {
        prop::sample::select(STANDINGS.to_vec())
    }

    /// Whether `one` allows nothing that `other` does not.
    fn is_no_wider(one: Decision, other: Decision) -> bool {
        one.visible <= other.visible && one.may_watch <= other.may_watch
    }

    proptest! {
        #[test]
        fn a_stricter_level_never_shows_more(facts in facts(), stricter in facts(), who in standing()) {
            let tightened = EpisodeFacts {
                access: facts.access.max(stricter.access),
                active: facts.active && stricter.active,
                series_access: facts.series_access.max(stricter.series_access),
                series_active: facts.series_active && stricter.series_active,
            };
            let (before, after) = (decide(Some(facts.into()), who), decide(Some(tightened.into()), who));
            prop_assert!(is_no_wider(after, before), "{facts:?} -> {tightened:?}: {before:?} -> {after:?}");
        }

        #[test]
        fn a_higher_standing_never_sees_less(facts in facts(), one in standing(), other in standing()) {
            let (low, high) = (one.min(other), one.max(other));
            prop_assert!(is_no_wider(decide(Some(facts.into()), low), decide(Some(facts.into()), high)));
        }

        #[test]
        fn an_episode_is_never_more_open_than_its_series(facts in facts(), who in standing()) {
            let series = SeriesFacts { access: facts.series_access, active: facts.series_active };
            prop_assert!(is_no_wider(decide(Some(facts.into()), who), decide(Some(series.into()), who)));
        }

        #[test]
        fn who_may_watch_also_sees_and_a_denial_has_a_reason(facts in facts(), who in standing()) {
            let decision = decide(Some(facts.into()), who);
            prop_assert!(decision.visible || !decision.may_watch);
            prop_assert!(!decision.reason.is_empty());
            prop_assert_eq!(decision.may_watch, decision.remedy.is_none());
        }

        #[test]
        fn what_is_hidden_looks_like_nothing(facts in facts(), who in standing()) {
            let decision = decide(Some(facts.into()), who);
            prop_assert!(decision.visible || decision == decide(None, who));
        }
    }

    #[test]
    fn each_level_says_who_may() {
        let watched_by = |level| {
            let may = |&who: &Standing| decide(Some(Item { level, active: true }), who).may_watch;
            STANDINGS.iter().filter(|who| may(who)).count()
        };
        assert_eq!(LEVELS.map(watched_by), [3, 3, 2, 1]);
        let inactive = |who| decide(Some(Item { level: Level::Public, active: false }), who).visible;
        assert_eq!(STANDINGS.map(inactive), [false, false, true]);
        assert!(decide(Some(Item { level: Level::Members, active: true }), Standing::Nobody).visible);
    }
}
