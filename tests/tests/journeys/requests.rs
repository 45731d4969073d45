//! Requests that are too large, too deep, of the wrong shape, for nobody, or for nothing.

use crate::channel::Channel;
use crate::exchange::Visitor;
use serde_json::json;

const JSON: (&str, &str) = ("content-type", "application/json");

#[test]
fn bodies_that_are_not_what_was_asked_for_are_refused_in_words() {
    let channel = Channel::open();
    let owner = channel.owner();
    let send = |body: &str| owner.send("POST", "/api/series", &[JSON], body.as_bytes());
    let large = format!("{{\"title\":\"{}\"}}", "x".repeat(3 << 20));
    send(&large).refused(413, "body.too_large", "send at most");
    let deep = format!("{{\"title\":{}{}}}", "[".repeat(5_000), "]".repeat(5_000));
    send(&deep).refused(400, "data.too_deep", "deep");
    let wrong = send("{\"title\": 7}").refused(400, "data.invalid", "title");
    assert_eq!(wrong.json()["errors"][0]["field"], "title");
    send("{\"title\": \"never closed").refused(400, "data.invalid", "");
    send("[\"a series\"]").refused(400, "data.invalid", "");
    send("").refused(400, "data.invalid", "");
    send("{\"title\":\"\u{0}\"}").refused(400, "data.invalid", "");
    for field in ["tenant", "owner", "id", "version", "state"] {
        send(&format!("{{\"title\":\"Mine\",\"{field}\":\"other\"}}")).refused(400, "data.invalid", field);
    }
    let broken = owner.send("POST", "/api/series", &[JSON], b"{\"title\":\"\xff\xfe\"}");
    broken.refused(400, "data.invalid", "");
    let text = owner.send("POST", "/api/series", &[("content-type", "text/plain")], b"{\"title\":\"x\"}");
    text.refused(415, "media_type", "");
    assert_eq!(owner.get("/api/series").ok().json()["items"], json!([]), "nothing was made");
}

#[test]
fn a_body_whose_length_is_a_lie_makes_nothing() {
    let channel = Channel::open();
    let owner = channel.owner();
    owner.break_off("POST", "/api/series", &[JSON], 500, b"{\"title\":\"Half\"}");
    owner.make_series("Whole");
    let titles = owner.get("/api/series").ok().json();
    assert_eq!(titles["items"].as_array().unwrap().len(), 1, "{titles:#}");
}

#[test]
fn what_is_not_there_is_said_to_programs_and_to_people() {
    let channel = Channel::open();
    let nobody = channel.nobody();
    nobody.get("/api/no/such/thing").refused(404, "no_such_uri", "there is nothing at /no/such/thing");
    let answer = nobody.send("BREW", "/api/series", &[], b"").refused(405, "method_not_allowed", "not BREW");
    assert!(answer.header("allow").unwrap_or_default().contains("GET, HEAD"), "{:?}", answer.headers);
    nobody.put("/api/series", &json!({})).refused(405, "method_not_allowed", "not PUT");
    nobody.get("/api/series/019b0000-0000-7000-8000-000000000001").refused(404, "series.not_found", "");
    let page = nobody.get("/no/such/page");
    assert_eq!((page.status, page.header("content-type")), (404, Some("text/html; charset=utf-8")));
    assert!(page.text().contains("Nothing here") && page.text().contains("Go to the home page"), "{}", page.text());
    let form = nobody.send("POST", "/series/x", &[("content-type", "application/x-www-form-urlencoded")], b"a=b");
    assert_eq!(form.status, 405);
}

#[test]
fn a_tenant_that_is_not_there_is_not_another_one() {
    let channel = Channel::open();
    let nobody = channel.nobody();
    nobody.get("/@elsewhere/api/series").refused(404, "tenant.unknown", "there is no channel at this address");
    assert_eq!(nobody.get("/@elsewhere/").status, 404);
    for host in ["elsewhere.localhost", "example.org"] {
        let answer = nobody.send("GET", "/api/series", &[("host", host)], b"");
        answer.refused(404, "tenant.unknown", "there is no channel at this address");
    }
    let answer = nobody.send("GET", "/api/series", &[("host", "a b")], b"");
    answer.refused(400, "host.wrong", "send one `Host` header");
}

#[test]
fn one_tenant_sees_nothing_of_another() {
    let mut channel = Channel::closed();
    channel.make_tenant("harbour");
    channel.start();
    let (ours, theirs) = (channel.owner(), channel.owner_at("/@harbour"));
    let series = ours.make_series("Ours");
    let episode = ours.make_episode(&series, "First", "public");
    assert_eq!(theirs.get("/@harbour/api/series").ok().json()["items"], json!([]));
    for path in
        [format!("/api/series/{series}"), format!("/api/episodes/{episode}"), format!("/api/episodes/{episode}/asset")]
    {
        assert_eq!(theirs.get(&format!("/@harbour{path}")).status, 404, "{path}");
    }
    assert_eq!(theirs.delete(&format!("/@harbour/api/series/{series}")).status, 404);
    let stranger = theirs.delete(&format!("/api/series/{series}"));
    assert!(matches!(stranger.status, 401 | 403), "their session is nobody here: {}", stranger.text());
    ours.get(&format!("/api/series/{series}")).ok();
}

#[test]
fn a_change_from_another_site_is_refused() {
    let channel = Channel::open();
    let owner = channel.owner();
    let body = json!({"title": "Forged"}).to_string();
    let forged = |headers: &[(&str, &str)]| {
        let host = format!("localhost:{}", owner.port);
        let headers = [&[("host", host.as_str()), JSON], headers].concat();
        owner.send("POST", "/api/series", &headers, body.as_bytes())
    };
    forged(&[("origin", "http://evil.example")]).refused(403, "cross_site", "another site");
    forged(&[("origin", "null")]).refused(403, "cross_site", "another site");
    forged(&[("sec-fetch-site", "cross-site")]).refused(403, "cross_site", "another site");
    forged(&[]).refused(403, "cross_site", "another site");
    assert_eq!(owner.get("/api/series").ok().json()["items"], json!([]));
}

#[test]
fn a_session_that_is_over_is_nobody() {
    let channel = Channel::open();
    let viewer = channel.member("vera", "viewer");
    viewer.post("/api/series", &json!({"title": "Mine"})).refused(403, "denied", "");
    viewer.delete("/api/sessions/current").ok();
    viewer.get("/api/me").refused(401, "not_signed_in", "");
    let forged = Visitor { cookie: Some("session=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA".into()), ..viewer };
    forged.get("/api/me").refused(401, "not_signed_in", "");
}
