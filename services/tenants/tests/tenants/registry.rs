//! Making and finding channels, as gateways and the command line do.

use crate::{channels, events, outcome};
use callboard_bench::Bench;
use serde_json::json;

#[tokio::test]
async fn a_new_channel_is_found_by_its_name() {
    let bench = Bench::new(vec![tenants::service()]).await;
    let new = json!({"name": "night-shift", "title": "Night Shift", "tagline": "Films after dark", "accent": "#F80"});
    let made = bench.service().post("/tenants", new).await.expect("a new channel");
    assert_eq!(made.status(), 201);
    assert_eq!((&made.json()["accent"], &made.json()["accent_dark"]), (&json!("#ff8800"), &json!("#ff8800")));
    let found = bench.service().get("/tenants/night-shift").await.expect("the channel");
    assert_eq!(found.json(), json!({"name": "night-shift", "title": "Night Shift"}));
    assert_eq!(events(&bench).await, [r#"created /tenants/night-shift {"uri":"/tenants/night-shift","version":1}"#]);
    assert_eq!(outcome(&bench.service().get("/tenants/nobody").await), "404 tenant.unknown");
}

#[tokio::test]
async fn channels_are_listed_by_name_page_by_page() {
    let bench = channels().await;
    let first = bench.service().get("/tenants?limit=1").await.expect("a page").json();
    assert_eq!(first, json!({"items": [{"name": "demo", "title": "Night Shift Films"}], "next": "demo"}));
    let second = bench.service().get("/tenants?limit=1&after=demo").await.expect("a page").json();
    assert_eq!(second, json!({"items": [{"name": "other", "title": "Day Shift Films"}], "next": null}));
    for limit in ["0", "101"] {
        assert_eq!(outcome(&bench.service().get(&format!("/tenants?limit={limit}")).await), "400 list.limit");
    }
}

#[tokio::test]
async fn names_are_checked_and_taken_once() {
    let bench = channels().await;
    for (name, want) in [
        ("demo", "409 tenant.name_taken"),
        ("www", "400 tenant.name_reserved"),
        ("by-host", "400 tenant.name_reserved"),
        ("Demo", "400 tenant.name_invalid"),
        ("-demo", "400 tenant.name_invalid"),
        ("xn--demo", "400 tenant.name_invalid"),
        ("../demo", "400 tenant.name_invalid"),
        ("", "400 tenant.name_invalid"),
    ] {
        let result = bench.service().post("/tenants", json!({"name": name, "title": "Mine"})).await;
        assert_eq!(outcome(&result), want, "{name}");
    }
    assert_eq!(bench.nobody().get("/tenant").await.expect("the channel").json()["title"], "Night Shift Films");
}

#[tokio::test]
async fn of_two_who_take_a_name_at_once_one_gets_it() {
    let bench = channels().await;
    let service = bench.service();
    let new = |title: &str| service.post("/tenants", json!({"name": "wanted", "title": title}));
    let (one, two) = (new("One"), new("Two"));
    let (one, two) = tokio::join!(one, two);
    let mut outcomes = [outcome(&one), outcome(&two)];
    outcomes.sort();
    assert_eq!(outcomes, ["201", "409 tenant.name_taken"]);
}
