//! Catalogue, access and watching together: over every combination of levels, what lists show, what single items answer and
//! what may be watched agree.

use callboard_bench::{Actor, Bench};
use serde_json::{Value, json};
use std::collections::BTreeSet;

const LEVELS: [&str; 4] = ["public", "unlisted", "members", "private"];

struct Item {
    series: String,
    slug: String,
    episode: String,
    pid: String,
}

async fn bench() -> Bench {
    Bench::new(vec![catalogue::service(), access::service(), watching::service()]).await
}

fn text(value: &Value, field: &str) -> String {
    value[field].as_str().unwrap_or_else(|| panic!("{field} is not text in {value}")).to_owned()
}

/// A series and an episode for every combination of their levels, active or not.
async fn fill(bench: &Bench) -> Vec<Item> {
    let editor = bench.editor();
    let mut items = Vec::new();
    for access in LEVELS {
        for active in [true, false] {
            for inner in LEVELS {
                for inner_active in [true, false] {
                    let data = json!({"title": "Stage", "access": access, "active": active, "genres": ["Drama"]});
                    let series = editor.post("/series", data).await.expect("a series").json();
                    let uri = format!("/series/{}/episodes", text(&series, "id"));
                    let data = json!({"title": "One", "access": inner, "active": inner_active});
                    let episode = editor.post(&uri, data).await.expect("an episode").json();
                    items.push(Item {
                        series: text(&series, "id"),
                        slug: text(&series, "slug"),
                        episode: text(&episode, "id"),
                        pid: text(&episode, "pid"),
                    });
                }
            }
        }
    }
    items
}

async fn is_there(actor: &Actor<'_>, uri: &str) -> bool {
    match actor.get(uri).await {
        Ok(_) => true,
        Err(fault) => {
            assert_eq!(fault.status(), 404, "{uri}: {fault}");
            false
        }
    }
}

/// Ids of everything that some list shows.
async fn listed(actor: &Actor<'_>, items: &[Item]) -> BTreeSet<String> {
    let mut ids = BTreeSet::new();
    for uri in ["/series?limit=100", "/series?limit=100&genre=drama"] {
        let list = actor.get(uri).await.expect("a list").json();
        ids.extend(list["items"].as_array().expect("items").iter().map(|series| text(series, "id")));
    }
    let home = actor.get("/home").await.expect("home").json();
    let rows = home["carousels"].as_array().expect("rows").iter().map(|row| &row["cards"]);
    for cards in rows.chain([&home["hero"]]) {
        ids.extend(cards.as_array().expect("cards").iter().map(|card| text(card, "id")));
    }
    for item in items {
        let Ok(list) = actor.get(&format!("/series/{}/episodes", item.series)).await else { continue };
        for season in list.json()["seasons"].as_array().expect("seasons") {
            ids.extend(season["episodes"].as_array().expect("episodes").iter().map(|episode| text(episode, "id")));
        }
    }
    ids
}

#[tokio::test]
async fn lists_items_and_the_decision_agree_for_everybody() {
    let bench = bench().await;
    let items = fill(&bench).await;
    let mut seen = Vec::new();
    for actor in [bench.nobody(), bench.viewer(), bench.editor(), bench.owner()] {
        let listed = listed(&actor, &items).await;
        let mut visible = BTreeSet::new();
        for item in &items {
            for (kind, id, other) in [
                ("series", &item.series, format!("/series/by-slug/{}", item.slug)),
                ("episodes", &item.episode, format!("/episodes/by-pid/{}", item.pid)),
            ] {
                let decision = actor.get(&format!("/access/{kind}/{id}")).await.expect("a decision").json();
                let is_visible = decision["visible"] == true;
                assert_eq!(is_there(&actor, &format!("/{kind}/{id}")).await, is_visible, "{decision}");
                assert_eq!(is_there(&actor, &other).await, is_visible, "{decision}");
                assert!(is_visible || !listed.contains(id), "a list shows what is hidden: {decision}");
                if is_visible {
                    visible.insert(id.clone());
                }
            }
        }
        seen.push((listed.len(), visible));
    }
    for pair in seen.windows(2) {
        assert!(pair[0].0 <= pair[1].0 && pair[0].1.is_subset(&pair[1].1), "who stands higher sees no less");
    }
    assert_eq!(seen[3].1.len(), items.len() * 2, "an owner sees all");
    assert!(seen[0].0 > 0 && seen[0].0 == seen[1].0, "what is for members is listed to everybody, with its lock");
    assert!(seen[1].0 < seen[2].0, "some lists show more to editors");
}

#[tokio::test]
async fn nothing_of_another_tenant_is_seen_or_watched() {
    let bench = bench().await;
    let items = fill(&bench).await;
    let rival = bench.owner().in_tenant("rival");
    assert!(listed(&rival, &items).await.is_empty());
    for item in &items {
        for uri in [
            format!("/series/{}", item.series),
            format!("/series/by-slug/{}", item.slug),
            format!("/series/{}/episodes", item.series),
            format!("/episodes/{}", item.episode),
            format!("/episodes/by-pid/{}", item.pid),
        ] {
            assert!(!is_there(&rival, &uri).await, "{uri}");
        }
        let decision = rival.get(&format!("/access/episodes/{}", item.episode)).await.expect("a decision").json();
        assert_eq!((&decision["visible"], &decision["may_watch"]), (&json!(false), &json!(false)));
    }
}

#[tokio::test]
async fn a_position_is_kept_exactly_where_one_may_watch() {
    let bench = bench().await;
    let items = fill(&bench).await;
    for actor in [bench.viewer(), bench.editor()] {
        for item in &items {
            let decision = actor.get(&format!("/access/episodes/{}", item.episode)).await.expect("a decision").json();
            let data = json!({"position_ms": 1, "duration_ms": 10});
            let saved = actor.put(&format!("/me/positions/{}", item.episode), data).await;
            assert_eq!(saved.is_ok(), decision["may_watch"] == true, "{decision}");
        }
    }
    let editor = bench.editor();
    let going_on = editor.get("/me/positions?limit=100").await.expect("a list").json();
    assert_eq!(going_on["items"].as_array().map(Vec::len), Some(items.len()));
    for item in &items {
        editor.delete(&format!("/series/{}", item.series)).await.expect("it is removed");
    }
    bench.settle().await;
    assert_eq!(bench.inspect("SELECT count(*) FROM watch_position").await, ["0"], "positions go with their episodes");
    assert_eq!(bench.inspect("SELECT code || ': ' || message FROM kernel_dead").await, Vec::<String>::new());
}
