//! The pages, opened by people of every kind against a channel that answers as the contracts say.

mod channel;
mod outline;

use callboard::{Answer, AnswerBody, Fault, Outcome};
use callboard_bench::Bench;
use insta::assert_snapshot;
use outline::outline;
use std::collections::HashMap;

async fn bench() -> Bench {
    Bench::new(channel::services()).await
}

fn text(answer: &Answer) -> String {
    match &answer.body {
        AnswerBody::Bytes { bytes, .. } => String::from_utf8(bytes.to_vec()).expect("pages are UTF-8"),
        body => panic!("a page has text, not {body:?}"),
    }
}

/// What somebody reads on a page.
fn read(answer: Result<Answer, Fault>) -> String {
    outline(&text(&answer.expect("the page opens")))
}

fn location(answer: Result<Answer, Fault>) -> String {
    match answer.expect("an answer").outcome {
        Outcome::SeeOther(path) | Outcome::Moved(path) => path,
        outcome => panic!("expected a redirect, not {outcome:?}"),
    }
}

#[tokio::test]
async fn home_shows_the_hero_and_the_rows() {
    let bench = bench().await;
    assert_snapshot!("home_nobody", read(bench.nobody().with("origin", "https://tides.example").page("/").await));
}

#[tokio::test]
async fn whoever_is_signed_in_continues_first_and_what_is_gone_is_left_out() {
    let bench = bench().await;
    let page = read(bench.viewer().page("/").await);
    let (continued, new) = (page.find("h2 Continue watching"), page.find("h2 What"));
    assert!(continued.expect("the row") < new.expect("the row"), "{page}");
    assert!(page.contains("progress value=12000 max=20000") && !page.contains("gone"), "{page}");
}

#[tokio::test]
async fn an_empty_channel_says_what_to_do_next() {
    let bench = bench().await;
    let editor = read(bench.editor().in_tenant("empty").page("/").await);
    assert!(editor.contains("a href=/studio/series/new Make a series"), "{editor}");
    let nobody = read(bench.nobody().in_tenant("empty").page("/").await);
    assert!(nobody.contains("a href=/sign-in Sign in") && !nobody.contains("studio"), "{nobody}");
}

#[tokio::test]
async fn a_series_shows_its_episodes_in_order() {
    let bench = bench().await;
    assert_snapshot!(
        "series_nobody",
        read(bench.nobody().with("origin", "https://tides.example").page("/series/tides").await)
    );
}

#[tokio::test]
async fn a_series_goes_on_where_the_viewer_stopped() {
    let bench = bench().await;
    let page = read(bench.viewer().page("/series/tides").await);
    assert!(page.contains("a href=/watch/pid-e2/night Continue with episode 2"), "{page}");
}

#[tokio::test]
async fn old_and_wrong_addresses_lead_to_the_right_one() {
    let bench = bench().await;
    assert_eq!(location(bench.nobody().page("/series/tide").await), "/series/tides");
    assert_eq!(location(bench.nobody().page("/series/tide/1").await), "/series/tides/1");
    assert_eq!(location(bench.nobody().page("/watch/pid-e1/wrong").await), "/watch/pid-e1/night");
    assert_eq!(location(bench.nobody().page("/watch/pid-e1").await), "/watch/pid-e1/night");
    for nowhere in ["/series/none", "/series/tides/9", "/series/tides/first", "/watch/none/x"] {
        assert_eq!(bench.nobody().page(nowhere).await.expect_err(nowhere).status(), 404, "{nowhere}");
    }
}

#[tokio::test]
async fn a_public_episode_plays_for_everybody() {
    let bench = bench().await;
    assert_snapshot!(
        "watch_nobody",
        read(bench.nobody().with("origin", "https://tides.example").page("/watch/pid-e1/night").await)
    );
}

#[tokio::test]
async fn a_members_episode_is_locked_with_the_reason_and_plays_after_sign_in() {
    let bench = bench().await;
    let locked = read(bench.nobody().page("/watch/pid-e2/night").await);
    assert!(locked.contains("h2 Only members of this channel may watch it\np Sign in or sign up."), "{locked}");
    assert!(locked.contains("a href=/sign-in?next=%2Fwatch%2Fpid-e2%2Fnight Sign in"), "{locked}");
    assert!(!locked.contains("show-player") && !locked.contains("/media/"), "{locked}");
    let answer = bench.viewer().page("/watch/pid-e2/night").await;
    let headers = answer.as_ref().expect("the page opens").headers.clone();
    assert!(
        headers.contains(&("cache-control", "private, no-store".to_owned())),
        "a pass is kept by nobody: {headers:?}"
    );
    let open = read(answer);
    assert!(
        open.contains(
            "show-player src=/media/~pass/e2/full/master.m3u8 position-ms=12000 position-uri=/api/me/positions/e2"
        ),
        "{open}"
    );
}

#[tokio::test]
async fn a_private_episode_is_nowhere_for_a_viewer() {
    let bench = bench().await;
    assert_eq!(bench.viewer().page("/watch/pid-e4/night").await.expect_err("hidden").status(), 404);
    assert_eq!(bench.viewer().page("/art/still/e4").await.expect_err("hidden").status(), 404);
    assert!(!read(bench.viewer().page("/series/tides").await).contains("pid-e4"));
    assert!(read(bench.editor().page("/watch/pid-e4/night").await).contains("show-player"));
}

#[tokio::test]
async fn what_cannot_play_yet_says_why() {
    let bench = bench().await;
    let preparing = text(&bench.nobody().page("/watch/pid-e3/night").await.expect("the page opens"));
    assert!(preparing.contains("data-waiting=\"/api/episodes/e3/**\"") && preparing.contains("being prepared"));
    for (address, viewer, editor) in [
        ("/watch/pid-e5/night", "could not be prepared", "Open in the studio"),
        ("/watch/pid-e6/night", "still to come", "Upload one"),
    ] {
        assert!(read(bench.viewer().page(address).await).contains(viewer), "{address}");
        assert!(read(bench.editor().page(address).await).contains(editor), "{address}");
    }
}

#[tokio::test]
async fn pictures_are_stills_of_what_may_be_watched_and_drawn_otherwise() {
    let bench = bench().await;
    assert_eq!(location(bench.nobody().page("/art/still/e1").await), "/media/e1/full/still.jpg");
    let drawn = text(&bench.nobody().page("/art/still/e2").await.expect("a picture"));
    assert!(drawn.starts_with("<svg"), "{drawn}");
    assert!(text(&bench.nobody().page("/art/poster/s1").await.expect("a picture")).contains("viewBox=\"0 0 600 900\""));
    assert_eq!(bench.nobody().page("/art/banner/s1").await.expect_err("no such kind").status(), 404);
    assert!(text(&bench.nobody().page("/art/logo/current").await.expect("a picture")).contains("#ff7a3d"));
}

#[tokio::test]
async fn signing_in_leads_back_and_a_wrong_password_keeps_what_was_typed() {
    let bench = bench().await;
    let answer = bench.nobody().form("/sign-in", "email=a%40b.org&password=correct+horse&next=%2Fseries%2Ftides").await;
    assert_eq!(answer.as_ref().expect("an answer").cookies[0].value, "token");
    assert_eq!(location(answer), "/series/tides");
    let outside = bench.nobody().form("/sign-in", "email=a&password=correct+horse&next=%2F%2Fevil.example").await;
    assert_eq!(location(outside), "/");
    let wrong = bench.nobody().form("/sign-in", "email=%22%3Ca%3E&password=no").await.expect("the page again");
    assert!(wrong.cookies.is_empty());
    assert_eq!(wrong.status(), 401);
    let page = read(Ok(wrong));
    assert!(page.contains("Address or password is wrong; try again."), "{page}");
    assert!(page.contains("name=email value=&#34;&#60;a&#62;"), "what was typed is text, never markup: {page}");
}

#[tokio::test]
async fn signing_up_says_beside_the_field_what_is_wrong() {
    let bench = bench().await;
    let again = bench.nobody().form("/sign-up", "name=Vera&email=a%40b.org&password=short").await;
    let again = again.expect("the page again");
    assert_eq!(again.status(), 400);
    let page = text(&again);
    assert!(page.contains("id=\"password-error\">Use at least 10 characters.</p>"), "{page}");
    assert!(page.contains("value=\"Vera\"") && !page.contains("short"), "a password is never sent back");
    assert_eq!(location(bench.nobody().form("/sign-up", "name=Vera&email=a%40b.org&password=long+enough").await), "/");
}

#[tokio::test]
async fn signing_out_takes_the_cookie_back() {
    let bench = bench().await;
    let answer = bench.viewer().form("/sign-out", "").await;
    assert_eq!(answer.as_ref().expect("an answer").cookies[0].value, "");
    assert_eq!(location(answer), "/");
}

#[tokio::test]
async fn ones_own_pages_are_ones_own() {
    let bench = bench().await;
    for page in ["/me/settings", "/me/history"] {
        assert_eq!(bench.nobody().page(page).await.expect_err("nobody").status(), 401, "{page}");
    }
    assert_snapshot!("settings_viewer", read(bench.viewer().page("/me/settings").await));
    let history = read(bench.viewer().page("/me/history").await);
    assert!(history.contains("input type=hidden name=episode value=e2"), "{history}");
    assert_eq!(location(bench.viewer().form("/me/history", "episode=e2").await), "/me/history");
    assert!(bench.viewer().form("/me/history", "episode=..%2Fx").await.is_err());
}

#[tokio::test]
async fn a_fault_has_a_page_even_where_the_channel_is_unknown() {
    let query = "/fault?status=404&code=no_such_uri&title=Nothing+here&message=there+is+nothing+at+%2Fx";
    let bench = bench().await;
    assert_snapshot!("fault", read(bench.service().page(query).await));
    // Drawn for whoever asked, so that who is signed in stays so; that nobody calls it from outside is the gateway's part.
    assert!(read(bench.viewer().page(query).await).contains("/me/settings"));
}

#[tokio::test]
async fn where_there_is_no_channel_nothing_leads_to_it() {
    let query = "/fault?status=404&code=tenant.unknown&title=Nothing+here&message=there+is+no+channel+named+%60demo%60";
    let alone = Bench::new(vec![site::service()]).await;
    let page = alone.service().page(query).await.expect("the page opens");
    let html = text(&page);
    assert!(html.contains("There is no channel named <code>demo</code>."), "{html}");
    let read = read(Ok(page));
    let links: Vec<&str> = read.lines().filter(|line| line.starts_with("a ") || line.starts_with("img")).collect();
    assert_eq!(links, ["a href=#main Skip to the content"], "{read}");
    assert!(read.contains("h1 Nothing here") && read.contains("p tenant.unknown"), "{read}");
}

#[tokio::test]
async fn the_manual_of_a_fault_is_read_as_it_is_written() {
    let bench = bench().await;
    let fault = "/fault?status=404&code=no_such_uri&title=Nothing&message=there+is+nothing+at+%60%3Cb%3E%60";
    let page = text(&bench.service().page(fault).await.expect("the page opens"));
    assert!(page.contains("<code>&lt;b&gt;</code>") && page.contains("href=\"/about/errors/no_such_uri\""), "{page}");
    let manual = text(&bench.nobody().page("/about/errors/busy").await.expect("the page opens"));
    assert!(manual.contains("<p><b>What to do.</b> Send the request again.</p>"), "{manual}");
}

#[tokio::test]
async fn name_and_password_are_changed_on_a_page() {
    let bench = bench().await;
    let send = async |fields: &str| bench.viewer().form("/me/settings", fields).await;
    assert_eq!(location(send("intent=name&name=Vera+B").await), "/me/settings?saved=name");
    let saved = read(bench.viewer().page("/me/settings?saved=name").await);
    assert!(saved.contains("p Your name is changed."), "{saved}");
    let changed = send("intent=password&old=correct+horse&new=battery+staple").await;
    assert_eq!(location(changed), "/me/settings?saved=password");
    for (fields, status, wrong) in [
        ("intent=name&name=", 400, "id=\"name-error\">Give a name of one line.</p>"),
        ("intent=password&old=correct+horse&new=short", 400, "id=\"new-error\">Use at least 10 characters.</p>"),
        ("intent=password&old=guess&new=battery+staple", 403, "id=\"old-error\">This is not your password.</p>"),
        ("intent=password&old=locked&new=battery+staple", 429, "<span>Wait for 30 s.</span>"),
    ] {
        let answer = send(fields).await.expect("the page again");
        let page = text(&answer);
        assert_eq!((answer.status(), page.contains(wrong)), (status, true), "{fields}: {page}");
        assert!(!page.contains("battery") && !page.contains("guess"), "a password is never sent back: {page}");
    }
    assert_eq!(bench.nobody().form("/me/settings", "intent=name&name=x").await.expect_err("nobody").status(), 401);
}

#[tokio::test]
async fn an_episode_without_a_video_is_said_to_come() {
    let bench = bench().await;
    for (address, soon) in [("/series/tides", "Soon"), ("/watch/pid-e1/night", "Soon")] {
        let page = read(bench.nobody().page(address).await);
        for (pid, is_soon) in [("e1", false), ("e2", false), ("e3", true), ("e5", true), ("e6", true)] {
            let card = page.lines().rfind(|line| line.starts_with(&format!("a href=/watch/pid-{pid}/night")));
            let card = card.expect("a card");
            assert_eq!(card.contains(soon), is_soon, "{address}: {card}");
        }
    }
}

#[tokio::test]
async fn what_browsers_and_robots_ask_for_by_themselves_is_there() {
    let bench = bench().await;
    assert_eq!(location(bench.nobody().page("/series").await), "/");
    assert!(text(&bench.nobody().page("/favicon.ico").await.expect("a picture")).starts_with("<svg"));
    let robots = text(&bench.nobody().page("/robots.txt").await.expect("rules"));
    assert!(robots.contains("User-agent: *\nDisallow: /api/\n"), "{robots}");
}

#[tokio::test]
async fn the_demo_shows_the_function_that_served_a_page() {
    let settings = [("site.demo", "yes"), ("callboard.functions", "anyone")];
    let settings: HashMap<String, String> =
        settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let bench = Bench::with_settings(channel::services(), settings).await;
    let home = read(bench.nobody().page("/").await);
    assert!(home.contains("a href=/about/function?uri=%2F See the function that served this page"), "{home}");
    let about = text(&bench.nobody().page("/about/function?uri=/series/tides").await.expect("the page opens"));
    assert!(about.contains("site::series::show") && about.contains("pub(crate) async fn show(env: Env"), "{about}");
    let home = text(&bench.nobody().page("/about/function").await.expect("the page opens"));
    assert!(home.contains("site::home::show"), "without a page it is about the first: {home}");
    let plain = Bench::new(channel::services()).await;
    assert!(!read(plain.nobody().page("/").await).contains("demo"), "without the demo there is no strip");
    assert_eq!(plain.nobody().page("/about/function?uri=/").await.expect_err("owners only").status(), 404);
}

#[tokio::test]
async fn links_of_a_mounted_channel_stay_below_its_mount() {
    let bench = bench().await;
    for address in ["/", "/series/tides", "/watch/pid-e1/night", "/sign-in"] {
        let page = text(&bench.nobody().with("mount", "/@demo").page(address).await.expect("the page opens"));
        for link in page.split("<a ").skip(1).chain(page.split("<img ").skip(1)).chain(page.split("<form ").skip(1)) {
            let tag = link.split('>').next().expect("a tag ends");
            let tag = format!(" {tag}");
            let target =
                ["href", "src", "action"].iter().find_map(|name| outline::value(&tag, name)).expect("a target");
            assert!(target.starts_with("/@demo/") || target.starts_with('#'), "{address}: {target}");
        }
    }
}

#[tokio::test]
async fn no_page_has_anything_inline_or_from_elsewhere() {
    let bench = bench().await;
    for address in ["/", "/series/tides", "/watch/pid-e1/night", "/watch/pid-e2/night", "/me/settings", "/me/history"] {
        let page = text(&bench.viewer().page(address).await.expect("the page opens"));
        assert!(!page.contains(" style=") && !page.contains("<style") && !page.contains(" onclick="), "{address}");
        assert!(page.split("<script").skip(1).all(|script| script.contains(" src=\"/")), "{address}");
        assert!(!page.contains("http://") && !page.contains("https://"), "{address}");
        assert!(!page.contains("<1>") && !page.contains("<2>"), "{address}: a title is text, never markup");
    }
}

#[tokio::test]
async fn the_accent_is_a_stylesheet_of_its_own() {
    let bench = bench().await;
    let css = text(&bench.nobody().page("/theme.css?v=3").await.expect("a stylesheet"));
    assert_eq!(css, ":root{--accent:light-dark(#c2410c,#ff7a3d);--on-accent:light-dark(#ffffff,#1a0d05)}\n");
}

#[tokio::test]
async fn a_tip_is_given_in_a_form_that_needs_no_script() {
    let bench = bench().await;
    assert_eq!(bench.nobody().page("/series/tides/tip").await.expect_err("sign in first").status(), 401);
    assert_eq!(bench.nobody().form("/series/tides/tip", "amount=5").await.expect_err("sign in first").status(), 401);
    assert_snapshot!("tip_form", read(bench.viewer().page("/series/tides/tip").await));
    let given = bench.viewer().form("/series/tides/tip", "amount=%E2%82%AC5.00&other=&note=x&card=pm_a&key=k").await;
    assert_eq!(location(given), "/me/tips/s1-%E2%82%AC5.00-false");
    let other = bench.viewer().form("/series/tides/tip", "amount=%E2%82%AC5.00&other=4&anonymous=on&card=pm_a").await;
    assert_eq!(location(other), "/me/tips/s1-4-true");
    assert_eq!(bench.viewer().page("/series/none/tip").await.expect_err("no series").status(), 404);
}

#[tokio::test]
async fn a_wrong_tip_comes_back_with_what_was_typed() {
    let bench = bench().await;
    let fields = "amount=%E2%82%AC3.00&other=7&note=%3Cb%3E&anonymous=on&card=pm_b&key=k1";
    let page = text(&bench.viewer().form("/series/tides/tip", fields).await.expect("the form again"));
    assert!(page.contains("id=\"amount-error\">Give less.</p>") && page.contains("value=\"7\""), "{page}");
    assert!(page.contains(">&#60;b&#62;</textarea>") && page.contains("name=\"anonymous\" checked"), "{page}");
    assert!(page.contains("value=\"pm_b\" selected") && page.contains("name=\"key\" value=\"k1\""), "{page}");
}

#[tokio::test]
async fn while_payments_are_away_the_form_says_so_and_keeps_what_was_typed() {
    let bench = bench().await;
    let viewer = bench.viewer().in_tenant("away");
    let open = read(viewer.page("/series/tides/tip").await);
    assert!(open.contains("Payments are away for the moment."), "{open}");
    let sent = text(&viewer.form("/series/tides/tip", "other=4&note=Keep+me&card=pm_a").await.expect("the form again"));
    assert!(sent.contains("role=\"alert\"") && sent.contains(">Keep me</textarea>"), "{sent}");
}

#[tokio::test]
async fn how_a_tip_goes_is_a_page_that_is_the_receipt_in_the_end() {
    let bench = bench().await;
    assert_snapshot!("tip_received", read(bench.viewer().page("/me/tips/received").await));
    let pending = text(&bench.viewer().with("mount", "/@demo").page("/me/tips/pending").await.expect("a page"));
    assert!(
        pending.contains("data-follow=\"/@demo/api/tips/pending\"") && pending.contains("It is tried again by itself."),
        "{pending}"
    );
    let failed = read(bench.viewer().page("/me/tips/failed").await);
    assert!(
        failed.contains("The card was declined; use another card.") && failed.contains("Nothing was kept of it."),
        "{failed}"
    );
    let stuck = read(bench.viewer().page("/me/tips/stuck").await);
    assert!(stuck.contains("Whether it was charged is not certain."), "{stuck}");
    assert_eq!(bench.viewer().page("/me/tips/none").await.expect_err("no tip").status(), 404);
    assert_eq!(bench.nobody().page("/me/tips/received").await.expect_err("sign in first").status(), 401);
    assert!(read(bench.viewer().page("/me/tips").await).contains("Did not go through"));
    assert!(read(bench.viewer().in_tenant("empty").page("/me/tips").await).contains("Find a series"));
    let answer = bench.viewer().page("/me/tips/received").await.expect("a page");
    assert!(answer.headers.contains(&("cache-control", "private, no-store".to_owned())));
}
