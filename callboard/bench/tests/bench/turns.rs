//! Messages of one lane that are taken together: each may begin before the one before it is settled, and nobody can tell.

use callboard::ports::TARGET_MAX;
use callboard::{Env, Fault, Kind, Msg, Reply, Service, Statement, Stranger, Who, event, params, uri};
use callboard_bench::{Bench, RECORDS};
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

const LETTERS: i64 = 40;

static WRITE: Statement =
    Statement::write("write", &["page"], "INSERT INTO page (tenant, place, number) VALUES ($tenant, $1, $2)");
static LAST: Statement =
    Statement::read("last", &["page"], "SELECT coalesce(max(place), 0) AS place FROM page WHERE tenant = $tenant");

#[derive(Deserialize)]
struct Last {
    place: i64,
}

/// A book in which every letter gets the place after the last one, which is found by reading.
fn book(is_torn: impl Fn(i64) -> bool + Send + Sync + 'static) -> Service {
    let is_torn = Arc::new(is_torn);
    let enter = move |env: Env, msg: Msg<Value>| {
        let is_torn = is_torn.clone();
        async move {
            let number = msg.data["number"].as_i64().unwrap_or_default();
            if is_torn(number) {
                return Err(Fault::unavailable("torn", "this letter is torn"));
            }
            let last = env.query(&LAST, params![]).await?.first::<Last>()?.map_or(0, |last| last.place);
            Ok(Reply::<()>::nothing().write(WRITE.with(params![last + 1, number])))
        }
    };
    let send = |_: Env, msg: Msg<Value>| async move {
        Ok::<_, Fault>(Reply::<()>::nothing().emit(event("letter"), uri!("/book")?, &msg.data))
    };
    Service::new("book")
        .on(Kind::Post, "/book", send, Who::Anyone, Stranger::Denied)
        .on(event("letter"), "/book", enter, Who::Services, Stranger::NotFound)
        .tenants_tables(&["page"])
        .migration(
            "0001",
            "CREATE TABLE page (tenant TEXT NOT NULL, place BIGINT NOT NULL, number BIGINT NOT NULL, PRIMARY KEY (tenant, place));",
        )
        .statements(&[&WRITE, &LAST])
}

async fn send_all(bench: &Bench) {
    for number in 1..=LETTERS {
        bench.nobody().post("/book", json!({"number": number})).await.expect("sent");
    }
}

async fn numbers(bench: &Bench) -> Vec<i64> {
    let numbers = bench.inspect("SELECT number FROM page ORDER BY place").await;
    numbers.iter().map(|number| number.parse().expect("a number")).collect()
}

#[tokio::test]
async fn a_letter_that_reads_sees_what_the_one_before_it_wrote() {
    let bench = Bench::new(vec![book(|_| false)]).await;
    send_all(&bench).await;
    bench.settle().await;
    assert_eq!(numbers(&bench).await, (1..=LETTERS).collect::<Vec<_>>());
}

#[tokio::test]
async fn where_a_letter_fails_those_behind_it_wait_and_nothing_of_them_is_done_or_counted() {
    let tries = Arc::new(AtomicI64::new(0));
    let counted = tries.clone();
    // The seventh is taken behind others, and fails twice.
    let bench = Bench::new(vec![book(move |number| number == 7 && counted.fetch_add(1, Ordering::SeqCst) < 2)]).await;
    send_all(&bench).await;
    bench.settle().await;
    assert_eq!(numbers(&bench).await, (1..=6).collect::<Vec<_>>());
    bench.wait_ms(600_000).await;
    bench.wait_ms(600_000).await;
    assert_eq!(numbers(&bench).await, (1..=LETTERS).collect::<Vec<_>>());
    assert_eq!(tries.load(Ordering::SeqCst), 3, "each attempt is one");
    assert_eq!(bench.inspect("SELECT count(*) FROM kernel_stale").await, ["0"]);
}

#[tokio::test]
async fn where_a_letter_is_given_up_those_behind_it_go_on() {
    let bench = Bench::new(vec![book(|number| number % 5 == 0).attempts_max(1)]).await;
    send_all(&bench).await;
    bench.settle().await;
    assert_eq!(numbers(&bench).await, (1..=LETTERS).filter(|number| number % 5 != 0).collect::<Vec<_>>());
    assert_eq!(bench.inspect("SELECT count(*) FROM kernel_dead").await, ["8"]);
    assert_eq!(bench.inspect("SELECT count(*) FROM kernel_lane").await, ["0"]);
}

#[tokio::test]
async fn a_letter_that_has_only_one_attempt_begins_in_its_turn() {
    for (attempts, begins_early) in [(8, true), (2, true), (1, false)] {
        let bench = Bench::new(vec![book(|_| false).attempts_max(attempts)]).await;
        send_all(&bench).await;
        let taken =
            bench.host().ports().records.claim(1, &[], bench.host().ports().clock.now_ms()).await.expect("letters");
        assert!(!taken.is_empty());
        for letter in &taken {
            assert_eq!(bench.host().may_begin_early(letter), begins_early, "{attempts}");
        }
    }
}

/// An office with a letter on every desk: how many of them are taken at once.
async fn taken_at_once(office: Service) -> usize {
    let post = |_: Env, _: Msg<Value>| async {
        let emit = |reply: Reply, desk| Ok::<_, Fault>(reply.emit(event("letter"), uri!("/desks/{}", desk)?, ()));
        (0..300).try_fold(Reply::<()>::nothing(), emit)
    };
    let file = |_: Env, _: Msg<Value>| async { Ok::<_, Fault>(Reply::<()>::nothing()) };
    let office = office.on(Kind::Post, "/desks", post, Who::Anyone, Stranger::Denied).on(
        event("letter"),
        "/desks/{desk}",
        file,
        Who::Services,
        Stranger::NotFound,
    );
    let bench = Bench::new(vec![office]).await;
    bench.nobody().post("/desks", json!({})).await.expect("sent");
    let (records, clock) = (&bench.host().ports().records, &bench.host().ports().clock);
    records.claim(1_000, &[], clock.now_ms()).await.expect("letters").len()
}

#[tokio::test]
async fn what_only_decides_is_in_work_more_often_where_commits_share_a_wait_for_the_disk() {
    let is_shared = std::env::var_os(RECORDS).is_none();
    assert_eq!(taken_at_once(Service::new("office")).await, if is_shared { 4 * TARGET_MAX } else { TARGET_MAX });
    assert_eq!(taken_at_once(Service::new("office").tool("true")).await, TARGET_MAX);
}
