//! Removing episodes and whole series.

use crate::stage::{bench, dead, episode, order, series, text};
use callboard_bench::Bench;
use serde_json::json;

async fn deleted(bench: &Bench) -> Vec<String> {
    let messages = bench.messages().await;
    let told = messages.iter().filter(|message| message["type"] == "deleted");
    told.map(|message| text(message, "subject").to_owned()).collect()
}

#[tokio::test]
async fn an_episode_is_removed_and_the_others_keep_their_numbers() {
    let bench = bench().await;
    let made = series(&bench, json!({"title": "Stage"})).await;
    let mut ids = Vec::new();
    for title in ["a", "b", "c"] {
        ids.push(text(&episode(&bench, &made, json!({"title": title})).await, "id").to_owned());
    }
    let uri = format!("/episodes/{}", ids[1]);
    assert_eq!(bench.editor().delete(&uri).await.expect("it is removed").status(), 204);
    assert_eq!(order(&bench, &made).await, [(1, 1, "a".into()), (1, 3, "c".into())]);
    assert_eq!(deleted(&bench).await, [uri.as_str()]);
    assert_eq!(bench.editor().delete(&uri).await.expect_err("it is gone").code, "episode.not_found");
    let left = bench.editor().get(&format!("/series/{}", text(&made, "id"))).await.expect("the series").json();
    assert_eq!(left["episode_count"], 2);
}

#[tokio::test]
async fn a_removed_series_is_gone_at_once_and_every_episode_says_so() {
    let bench = bench().await;
    let made = series(&bench, json!({"title": "Stage", "genres": ["Drama"]})).await;
    let other = series(&bench, json!({"title": "Other", "genres": ["Drama"]})).await;
    let kept = episode(&bench, &other, json!({"title": "Kept"})).await;
    let count = 900;
    let mut last = json!(null);
    for number in 0..count {
        last = episode(&bench, &made, json!({"title": format!("Episode {number}"), "season": number % 7 + 1})).await;
    }
    let (uri, episode_uri) = (format!("/series/{}", text(&made, "id")), format!("/episodes/{}", text(&last, "id")));
    assert_eq!(bench.editor().delete(&uri).await.expect("it is removed").status(), 204);
    for (gone, code) in [
        (uri.clone(), "series.not_found"),
        (format!("{uri}/episodes"), "series.not_found"),
        ("/series/by-slug/stage".to_owned(), "series.not_found"),
        (episode_uri.clone(), "episode.not_found"),
        (format!("/episodes/by-pid/{}", text(&last, "pid")), "episode.not_found"),
    ] {
        assert_eq!(bench.owner().get(&gone).await.expect_err("it is gone").code, code, "{gone}");
    }
    assert_eq!(bench.editor().patch(&episode_uri, json!({"title": "X"})).await.expect_err("gone").status(), 404);
    assert_eq!(bench.editor().delete(&uri).await.expect_err("gone").status(), 404);
    let home = bench.owner().get("/home").await.expect("home").to_owned().json();
    assert!(!home.to_string().contains("Stage"), "{home}");
    assert_eq!(series(&bench, json!({"title": "Stage"})).await["slug"], "stage", "its address is free");

    bench.settle().await;
    assert_eq!(dead(&bench).await, Vec::<String>::new());
    let deleted = deleted(&bench).await;
    assert_eq!(deleted.len(), count + 1);
    assert_eq!((&deleted[0], deleted.contains(&episode_uri)), (&uri, true));
    assert_eq!(bench.inspect("SELECT count(*) FROM episode").await, ["1"]);
    assert_eq!(bench.inspect("SELECT count(*) FROM season").await, ["1"]);
    assert_eq!(bench.inspect("SELECT count(*) FROM series").await, ["2"]);
    assert_eq!(bench.inspect("SELECT count(*) FROM series_genre").await, ["1"]);
    bench.nobody().get(&format!("/episodes/{}", text(&kept, "id"))).await.expect("the other series is as it was");
    let again = bench.service().post(&format!("{uri}/removal"), json!({})).await;
    again.expect("a step that is delivered twice does no harm");
}

#[tokio::test]
async fn exactly_one_full_step_is_not_left_half_done() {
    let bench = bench().await;
    let made = series(&bench, json!({"title": "Stage"})).await;
    for number in 0..400 {
        episode(&bench, &made, json!({"title": format!("Episode {number}")})).await;
    }
    bench.editor().delete(&format!("/series/{}", text(&made, "id"))).await.expect("it is removed");
    bench.settle().await;
    assert_eq!(bench.inspect("SELECT count(*) FROM episode").await, ["0"]);
    assert_eq!(bench.inspect("SELECT count(*) FROM series").await, ["0"]);
}

#[tokio::test]
async fn a_stray_step_takes_nothing_from_a_series_that_stays() {
    let bench = bench().await;
    let made = series(&bench, json!({"title": "Stage"})).await;
    episode(&bench, &made, json!({"title": "One"})).await;
    let uri = format!("/series/{}", text(&made, "id"));
    bench.editor().patch(&format!("{uri}/seasons/1"), json!({"title": "Named"})).await.expect("a name");
    bench.service().post(&format!("{uri}/removal"), json!({})).await.expect("a stray message");
    let left = bench.nobody().get(&format!("{uri}/episodes")).await.expect("all of it").json();
    assert_eq!(
        (&left["seasons"][0]["title"], &left["seasons"][0]["episodes"][0]["title"]),
        (&json!("Named"), &json!("One"))
    );
}
