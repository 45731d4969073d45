//! The studio's pages, used by an editor, by whoever is not one, and with wrong input.

mod channel;
mod outline;

use callboard::{Answer, AnswerBody, Fault, Outcome};
use callboard_bench::Bench;
use insta::assert_snapshot;
use outline::outline;

async fn bench() -> Bench {
    Bench::new(channel::services()).await
}

fn text(answer: Result<Answer, Fault>) -> String {
    match answer.expect("the page opens").body {
        AnswerBody::Bytes { bytes, .. } => String::from_utf8(bytes.to_vec()).expect("pages are UTF-8"),
        body => panic!("a page has text, not {body:?}"),
    }
}

/// What somebody reads on a page.
fn read(answer: Result<Answer, Fault>) -> String {
    outline(&text(answer))
}

fn location(answer: Result<Answer, Fault>) -> String {
    match answer.expect("an answer").outcome {
        Outcome::SeeOther(path) => path,
        outcome => panic!("expected a redirect, not {outcome:?}"),
    }
}

const PAGES: [&str; 6] = [
    "/studio",
    "/studio/series",
    "/studio/series/new",
    "/studio/series/s1",
    "/studio/series/s1/episodes/new",
    "/studio/episodes/e1",
];

#[tokio::test]
async fn only_editors_enter() {
    let bench = bench().await;
    for page in PAGES {
        assert_eq!(bench.nobody().page(page).await.expect_err(page).status(), 401, "{page}");
        assert_eq!(bench.viewer().page(page).await.expect_err(page).status(), 403, "{page}");
        assert!(bench.editor().page(page).await.is_ok(), "{page}");
    }
    for form in ["/studio/series", "/studio/series/s1", "/studio/series/s1/episodes", "/studio/episodes/e1"] {
        assert_eq!(bench.viewer().form(form, "title=x").await.expect_err(form).status(), 403, "{form}");
    }
}

#[tokio::test]
async fn series_stand_in_a_table() {
    let bench = bench().await;
    assert_eq!(location(bench.editor().page("/studio").await), "/studio/series");
    assert_snapshot!("series_list", read(bench.editor().page("/studio/series").await));
}

#[tokio::test]
async fn an_empty_studio_says_what_to_do_first() {
    let bench = bench().await;
    let page = read(bench.editor().in_tenant("empty").page("/studio/series").await);
    assert!(page.contains("a href=/studio/series/new Make your first series"), "{page}");
}

#[tokio::test]
async fn the_form_of_a_series_holds_what_is_stored() {
    let bench = bench().await;
    assert_snapshot!("series_form", read(bench.editor().page("/studio/series/s1").await));
    let page = text(bench.editor().page("/studio/series/s1").await);
    assert!(page.contains("value=\"members\" checked") && page.contains("name=\"active\" checked"), "{page}");
    assert!(page.contains(">One\nTwo</textarea>"), "lines are kept");
}

#[tokio::test]
async fn a_new_series_is_made_and_opened() {
    let bench = bench().await;
    let made = bench.editor().form("/studio/series", "title=Salt&access=public&active=on&intent=save").await;
    assert_eq!(location(made), "/studio/series/made-Salt-true?saved=1");
    let hidden = bench.editor().form("/studio/series", "title=Salt&access=private").await;
    assert_eq!(location(hidden), "/studio/series/made-Salt-false?saved=1");
}

#[tokio::test]
async fn wrong_input_comes_back_with_what_was_typed_and_what_to_do() {
    let bench = bench().await;
    let page =
        text(bench.editor().form("/studio/series", "title=&tags=a,b&short_text=%3Cscript%3E&access=unlisted").await);
    assert!(page.contains("id=\"title-error\">Write a title.</p>"), "{page}");
    assert!(page.contains("id=\"tags-error\">Write at most 40 characters.</p>"), "{page}");
    assert!(page.contains("value=\"&#60;script&#62;\"") && page.contains("8/200"), "{page}");
    assert!(page.contains("value=\"unlisted\" checked") && !page.contains("name=\"active\" checked"), "{page}");
}

#[tokio::test]
async fn saving_what_somebody_else_changed_keeps_the_text_and_says_so() {
    let bench = bench().await;
    assert_eq!(
        location(bench.editor().form("/studio/series/s1", "version=7&title=New&access=public").await),
        "/studio/series/s1?saved=1"
    );
    let page = text(bench.editor().form("/studio/series/s1", "version=6&title=Mine&access=public").await);
    assert!(page.contains("Somebody else has changed this in the meantime"), "{page}");
    assert!(page.contains("value=\"Mine\"") && page.contains("name=\"version\" value=\"7\""), "{page}");
    assert!(read(bench.editor().page("/studio/series/s1?saved=1").await).contains("Saved."));
}

#[tokio::test]
async fn deleting_leads_back_to_the_list() {
    let bench = bench().await;
    assert_eq!(location(bench.editor().form("/studio/series/s1", "intent=delete").await), "/studio/series?deleted=1");
    assert_eq!(location(bench.editor().form("/studio/episodes/e1", "intent=delete").await), "/studio/series/s1");
    assert_eq!(
        location(bench.editor().form("/studio/episodes/e1", "intent=remove-video").await),
        "/studio/episodes/e1"
    );
}

#[tokio::test]
async fn an_episode_is_made_and_then_takes_its_video() {
    let bench = bench().await;
    let blank = text(bench.editor().page("/studio/series/s1/episodes/new").await);
    assert!(
        blank.contains("value=\"members\" checked") && !blank.contains("upload-tray"),
        "it begins with the access of its series"
    );
    let made = bench.editor().form("/studio/series/s1/episodes", "season=1&title=Night&access=public&active=on").await;
    assert_eq!(location(made), "/studio/episodes/made-Night-true?saved=1");
    let wrong = text(bench.editor().form("/studio/series/s1/episodes", "season=one&title=Night&access=public").await);
    assert!(wrong.contains("id=\"season-error\">Write a number.</p>") && wrong.contains("value=\"one\""), "{wrong}");
    let bare = text(bench.editor().page("/studio/episodes/bare").await);
    assert!(bare.contains("<upload-tray episode=\"bare\">") && bare.contains("Drop a video here"), "{bare}");
}

#[tokio::test]
async fn an_episodes_page_tells_the_state_of_its_video() {
    let bench = bench().await;
    assert_snapshot!("episode_form", read(bench.editor().page("/studio/episodes/e1").await));
    let preparing = read(bench.editor().with("mount", "/@demo").page("/studio/episodes/e2").await);
    assert!(preparing.contains("upload-tray episode=e2 upload=/@demo/api/uploads/u2"), "{preparing}");
    let failed = text(bench.editor().page("/studio/episodes/e3").await);
    assert!(failed.contains("This is not a video.") && failed.contains("state-bad"), "{failed}");
    assert_eq!(bench.editor().page("/studio/episodes/none").await.expect_err("gone").status(), 404);
}

#[tokio::test]
async fn pages_are_nobody_elses_and_have_nothing_inline() {
    let bench = bench().await;
    for address in &PAGES[1..] {
        let answer = bench.editor().with("mount", "/@demo").page(address).await.expect("the page opens");
        assert!(answer.headers.contains(&("cache-control", "private, no-store".to_owned())), "{address}");
        let page = text(Ok(answer));
        assert!(!page.contains(" style=") && !page.contains("<style") && !page.contains("<e1>"), "{address}");
        assert!(page.split("<script").skip(1).all(|script| script.contains(" src=\"/")), "{address}");
        for link in page.split("<a ").skip(1).chain(page.split("<form ").skip(1)) {
            let tag = format!(" {}", link.split('>').next().expect("a tag ends"));
            let target = ["href", "action"].iter().find_map(|name| outline::value(&tag, name)).expect("a target");
            assert!(target.starts_with("/@demo/") || target.starts_with('#'), "{address}: {target}");
        }
    }
}

#[tokio::test]
async fn tips_stand_in_a_table_and_only_an_owner_gives_back() {
    let bench = bench().await;
    for (who, status) in [(bench.nobody(), 401), (bench.viewer(), 403)] {
        assert_eq!(who.page("/studio/tips").await.expect_err("not theirs").status(), status);
        assert_eq!(who.form("/studio/tips/t1/refund", "").await.expect_err("not theirs").status(), status);
    }
    assert_eq!(bench.editor().form("/studio/tips/t1/refund", "").await.expect_err("not theirs").status(), 403);
    assert!(!text(bench.editor().page("/studio/tips").await).contains("Give back"));
    assert_snapshot!("tips", read(bench.owner().page("/studio/tips").await));
    assert_eq!(location(bench.owner().form("/studio/tips/t1/refund", "").await), "/studio/tips");
    let refused = read(bench.owner().form("/studio/tips/t3/refund", "").await);
    assert!(refused.contains("Only a tip that was received can be given back."), "{refused}");
    assert!(read(bench.editor().in_tenant("empty").page("/studio/tips").await).contains("See your series"));
}
