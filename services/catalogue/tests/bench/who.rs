//! Every route, tried by everybody.

use crate::stage::{bench, body, episode, kind, series, status, text};
use callboard_bench::Bench;
use serde_json::{Value, json};

/// What nobody, a viewer, an owner of another tenant, an owner and a service see.
type Seen = [u16; 5];

async fn try_all(bench: &Bench, word: &str, uri: &str, data: &Value) -> Seen {
    let mut seen = [0; 5];
    let actors = [bench.nobody(), bench.viewer(), bench.owner().in_tenant("rival"), bench.owner(), bench.service()];
    for (at, actor) in actors.into_iter().enumerate() {
        seen[at] = status(&actor.send(kind(word), uri, body(data)).await);
    }
    seen
}

#[tokio::test]
async fn every_route_is_open_to_those_it_is_for() {
    let bench = bench().await;
    let made = series(&bench, json!({"title": "Open"})).await;
    let one = episode(&bench, &made, json!({"title": "One"})).await;
    let (id, pid) = (text(&one, "id"), text(&one, "pid"));
    let at = |tail: &str| format!("/series/{}{tail}", text(&made, "id"));
    let none = Value::Null;
    let title = json!({"title": "T"});
    for (word, uri, data, want) in [
        ("get", "/home".to_owned(), &none, [200; 5]),
        ("get", "/series".to_owned(), &none, [200; 5]),
        ("post", "/series".to_owned(), &title, [401, 403, 201, 201, 201]),
        ("get", "/series/by-slug/open".to_owned(), &none, [200, 200, 404, 200, 200]),
        ("get", at(""), &none, [200, 200, 404, 200, 200]),
        ("get", at("/facts"), &none, [404, 404, 404, 404, 200]),
        ("get", at("/episodes"), &none, [200, 200, 404, 200, 200]),
        ("post", at("/episodes"), &title, [401, 403, 404, 201, 201]),
        ("patch", at("/seasons/1"), &title, [401, 403, 404, 200, 200]),
        ("get", format!("/episodes/{id}"), &none, [200, 200, 404, 200, 200]),
        ("get", format!("/episodes/by-pid/{pid}"), &none, [200, 200, 404, 200, 200]),
        ("get", format!("/episodes/{id}/facts"), &none, [404, 404, 404, 404, 200]),
        ("patch", format!("/episodes/{id}"), &title, [401, 403, 404, 200, 200]),
        ("patch", at(""), &title, [401, 403, 404, 200, 200]),
        ("post", at("/removal"), &none, [404, 404, 404, 404, 204]),
        ("delete", format!("/episodes/{id}"), &none, [401, 403, 404, 204, 404]),
        ("delete", at(""), &none, [401, 403, 404, 204, 404]),
    ] {
        assert_eq!(try_all(&bench, word, &uri, data).await, want, "{word} {uri}");
    }
}

#[tokio::test]
async fn private_items_are_not_there_for_others() {
    let bench = bench().await;
    let made = series(&bench, json!({"title": "Closed", "access": "private"})).await;
    let one = episode(&bench, &made, json!({"title": "One", "access": "public"})).await;
    for uri in [
        format!("/series/{}", text(&made, "id")),
        format!("/series/{}/episodes", text(&made, "id")),
        "/series/by-slug/closed".to_owned(),
        format!("/episodes/{}", text(&one, "id")),
        format!("/episodes/by-pid/{}", text(&one, "pid")),
    ] {
        assert_eq!(try_all(&bench, "get", &uri, &Value::Null).await, [404, 404, 404, 200, 200], "{uri}");
        let seen = bench.viewer().get(&uri).await.expect_err("private");
        let absent = uri.replace(text(&made, "id"), &absent_id()).replace(text(&one, "id"), &absent_id());
        if let Err(absent) = bench.viewer().get(&absent).await {
            assert_eq!((seen.code, seen.message), (absent.code, absent.message), "it looks like nothing");
        }
    }
}

fn absent_id() -> String {
    "0190a000-0000-7000-8000-00000000dead".to_owned()
}

#[tokio::test]
async fn an_id_has_one_spelling() {
    let bench = bench().await;
    let made = series(&bench, json!({"title": "Open"})).await;
    let one = episode(&bench, &made, json!({"title": "One"})).await;
    for (what, id) in [("series", text(&made, "id")), ("episodes", text(&one, "id"))] {
        for other in [
            id.to_uppercase(),
            id.replace('-', ""),
            format!("{{{id}}}"),
            format!("urn:uuid:{id}"),
            format!("{id}x"),
            "1".to_owned(),
            "🎬".to_owned(),
            "' OR 1=1 --".to_owned(),
        ] {
            if other == id {
                continue;
            }
            let uri = callboard::Uri::parse(&format!("/{what}/{other}")).expect("a URI");
            let result = bench.editor().send(callboard::Kind::Get, uri.as_str(), callboard::Data::EMPTY).await;
            assert_eq!(status(&result), 404, "{other}");
        }
    }
}

#[tokio::test]
async fn an_editor_of_one_tenant_changes_nothing_of_another() {
    let bench = bench().await;
    let made = series(&bench, json!({"title": "Ours"})).await;
    let one = episode(&bench, &made, json!({"title": "One"})).await;
    let rival = bench.owner().in_tenant("rival");
    let (series_uri, episode_uri) =
        (format!("/series/{}", text(&made, "id")), format!("/episodes/{}", text(&one, "id")));
    for uri in [&series_uri, &episode_uri] {
        assert_eq!(rival.patch(uri, json!({"title": "Theirs"})).await.expect_err("not theirs").status(), 404);
        assert_eq!(rival.delete(uri).await.expect_err("not theirs").status(), 404);
    }
    let uri = format!("{series_uri}/episodes");
    assert_eq!(rival.post(&uri, json!({"title": "Theirs"})).await.expect_err("not theirs").status(), 404);
    let theirs = rival.post("/series", json!({"title": "Ours"})).await.expect("their own").json();
    assert_eq!(theirs["slug"], "ours", "slugs of tenants do not meet");
    let removal = bench.service().in_tenant("rival").post(&format!("{series_uri}/removal"), json!({})).await;
    removal.expect("nothing of theirs to remove");
    for uri in [series_uri, episode_uri] {
        let ours = bench.nobody().get(&uri).await.expect("untouched").json();
        assert_eq!(ours["version"].as_i64().map(|version| version <= 2), Some(true));
        assert!(["Ours", "One"].contains(&text(&ours, "title")));
    }
}
