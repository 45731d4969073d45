//! The order of episodes, whatever is inserted, moved or removed.

use crate::stage::{bench, episode, order, series, text};
use callboard_bench::Bench;
use proptest::prelude::*;
use serde_json::{Value, json};
use std::collections::HashMap;

async fn abc(bench: &Bench) -> (Value, HashMap<&'static str, String>) {
    let made = series(bench, json!({"title": "Stage"})).await;
    let mut uris = HashMap::new();
    for title in ["a", "b", "c", "d", "e"] {
        let one = episode(bench, &made, json!({"title": title})).await;
        uris.insert(title, format!("/episodes/{}", text(&one, "id")));
    }
    (made, uris)
}

async fn shown(bench: &Bench, series: &Value) -> String {
    let order = order(bench, series).await;
    order.iter().map(|(season, number, title)| format!("{season}.{number}{title}")).collect::<Vec<_>>().join(" ")
}

#[tokio::test]
async fn a_new_episode_is_last_or_where_it_was_put() {
    let bench = bench().await;
    let (made, _) = abc(&bench).await;
    let new = episode(&bench, &made, json!({"title": "x", "number": 2})).await;
    assert_eq!((&new["season"], &new["number"], &new["version"]), (&json!(1), &json!(2), &json!(1)));
    assert_eq!(shown(&bench, &made).await, "1.1a 1.2x 1.3b 1.4c 1.5d 1.6e");
    let far = episode(&bench, &made, json!({"title": "y", "number": 10})).await;
    assert_eq!(far["number"], 10);
    let last = episode(&bench, &made, json!({"title": "z"})).await;
    assert_eq!(last["number"], 11);
    episode(&bench, &made, json!({"title": "w", "number": 6})).await;
    assert_eq!(shown(&bench, &made).await, "1.1a 1.2x 1.3b 1.4c 1.5d 1.6w 1.7e 1.10y 1.11z", "a gap takes the push");
}

#[tokio::test]
async fn an_episode_moves_within_its_season() {
    let bench = bench().await;
    let (made, uris) = abc(&bench).await;
    for (title, number, want) in [
        ("d", 2, "1.1a 1.2d 1.3b 1.4c 1.5e"),
        ("d", 4, "1.1a 1.2b 1.3c 1.4d 1.5e"),
        ("a", 5, "1.1b 1.2c 1.3d 1.4e 1.5a"),
        ("a", 1, "1.1a 1.2b 1.3c 1.4d 1.5e"),
        ("c", 3, "1.1a 1.2b 1.3c 1.4d 1.5e"),
        ("b", 9, "1.1a 1.3c 1.4d 1.5e 1.9b"),
        ("b", 4, "1.1a 1.3c 1.4b 1.5d 1.6e"),
    ] {
        let moved = bench.editor().patch(&uris[title], json!({"number": number})).await.expect("it moves");
        assert_eq!(moved.json()["number"], number);
        assert_eq!(shown(&bench, &made).await, want, "{title} to {number}");
    }
}

#[tokio::test]
async fn an_episode_moves_to_another_season() {
    let bench = bench().await;
    let (made, uris) = abc(&bench).await;
    let moved = bench.editor().patch(&uris["b"], json!({"season": 2})).await.expect("it moves").json();
    assert_eq!((&moved["season"], &moved["number"]), (&json!(2), &json!(1)), "a season comes into being");
    bench.editor().patch(&uris["d"], json!({"season": 2, "number": 1, "title": "D"})).await.expect("it moves");
    assert_eq!(shown(&bench, &made).await, "1.1a 1.3c 1.5e 2.1D 2.2b");
    bench.editor().patch(&uris["e"], json!({"season": 2})).await.expect("it moves");
    bench.editor().patch(&uris["d"], json!({"season": 1, "number": 3})).await.expect("it moves back");
    assert_eq!(shown(&bench, &made).await, "1.1a 1.3D 1.4c 2.2b 2.3e");
}

#[tokio::test]
async fn places_that_are_none_are_refused() {
    let bench = bench().await;
    let (made, uris) = abc(&bench).await;
    let before = shown(&bench, &made).await;
    for (field, value) in [("number", 0), ("number", -1), ("number", 10_000), ("season", 0), ("season", 1_000)] {
        let mut data = json!({});
        data[field] = json!(value);
        let fault = bench.editor().patch(&uris["a"], data.clone()).await.expect_err("no such place");
        assert_eq!((fault.code, fault.errors[0].field.as_str()), ("item.invalid", field));
        data["title"] = json!("new");
        let uri = format!("/series/{}/episodes", text(&made, "id"));
        assert_eq!(bench.editor().post(&uri, data).await.expect_err("no such place").code, "item.invalid");
    }
    assert_eq!(shown(&bench, &made).await, before);
}

#[tokio::test]
async fn many_at_once_get_a_number_each() {
    let bench = bench().await;
    let made = series(&bench, json!({"title": "Stage"})).await;
    let make = |title: &'static str| episode(&bench, &made, json!({"title": title}));
    tokio::join!(make("a"), make("b"), make("c"), make("d"), make("e"), make("f"), make("g"), make("h"));
    let numbers: Vec<i64> = order(&bench, &made).await.into_iter().map(|(_, number, _)| number).collect();
    assert_eq!(numbers, [1, 2, 3, 4, 5, 6, 7, 8]);
}

#[derive(Clone, Debug)]
enum Move {
    Insert { season: i64, number: Option<i64> },
    Take { which: prop::sample::Index, season: i64, number: Option<i64> },
    Remove { which: prop::sample::Index },
}

fn any_move() -> impl Strategy<Value = Move> {
    let number = || prop::option::of(1..9_i64);
    prop_oneof![
        3 => (1..3_i64, number()).prop_map(|(season, number)| Move::Insert { season, number }),
        3 => (any::<prop::sample::Index>(), 1..3_i64, number())
            .prop_map(|(which, season, number)| Move::Take { which, season, number }),
        1 => any::<prop::sample::Index>().prop_map(|which| Move::Remove { which }),
    ]
}

/// Plays moves and checks after each: the moved episode is where it was put, and all others keep their order.
async fn play(moves: Vec<Move>) {
    let bench = bench().await;
    let made = series(&bench, json!({"title": "Stage"})).await;
    let mut uris: HashMap<String, String> = HashMap::new();
    for (at, step) in moves.into_iter().enumerate() {
        let before = order(&bench, &made).await;
        let pick =
            |which: prop::sample::Index| (!before.is_empty()).then(|| before[which.index(before.len())].2.clone());
        let (moved, place) = match step {
            Move::Insert { season, number } => {
                let title = format!("t{at}");
                let new = episode(&bench, &made, json!({"title": title, "season": season, "number": number})).await;
                uris.insert(title.clone(), format!("/episodes/{}", text(&new, "id")));
                (title, Some((new["season"].as_i64(), new["number"].as_i64(), season, number)))
            }
            Move::Take { which, season, number } => {
                let Some(title) = pick(which) else { continue };
                let data = json!({"season": season, "number": number});
                let new = bench.editor().patch(&uris[&title], data).await.expect("it moves").json();
                (title, Some((new["season"].as_i64(), new["number"].as_i64(), season, number)))
            }
            Move::Remove { which } => {
                let Some(title) = pick(which) else { continue };
                bench.editor().delete(&uris[&title]).await.expect("it is removed");
                (title, None)
            }
        };
        let after = order(&bench, &made).await;
        let others = |order: &[(i64, i64, String)]| -> Vec<(i64, String)> {
            let others = order.iter().filter(|(.., title)| *title != moved);
            others.map(|(season, _, title)| (*season, title.clone())).collect()
        };
        assert_eq!(others(&before), others(&after), "{step:?}");
        assert!(after.iter().all(|&(_, number, _)| number >= 1), "{after:?}");
        let mut places: Vec<(i64, i64)> = after.iter().map(|&(season, number, _)| (season, number)).collect();
        places.dedup();
        assert_eq!(places.len(), after.len(), "every place has one episode: {after:?}");
        if let Some((got_season, got_number, season, number)) = place {
            assert_eq!(got_season, Some(season));
            assert!(number.is_none() || got_number == number, "{step:?} gave {got_number:?}");
            assert!(after.contains(&(season, got_number.unwrap_or_default(), moved.clone())), "{after:?}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn any_moves_keep_the_order_of_the_others(moves in prop::collection::vec(any_move(), 1..24)) {
        tokio::runtime::Runtime::new().expect("a runtime").block_on(play(moves));
    }
}
