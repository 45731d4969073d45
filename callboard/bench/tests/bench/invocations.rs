//! Invocations: how their time is split, what is captured of them, and what a replay finds.

use callboard::invocation::{Recorder, Recording, Replayed};
use callboard::outside::{Origin, Outside, Request, Response};
use callboard::{BoxFuture, Data, Empty, Env, Fault, Flow, Id, Kind, Msg, Reply, Service, Statement, Stranger, Who};
use callboard::{operator, params};
use callboard_bench::{Bench, Kept};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use tokio::sync::Notify;

static READ: Statement =
    Statement::read("read", &["cup"], "SELECT name, owner_token, rest FROM cup WHERE tenant = $tenant AND name = $1");
static PUT: Statement = Statement::write(
    "put",
    &["cup"],
    "INSERT INTO cup (tenant, name, owner_token, rest) VALUES ($tenant, $1, $2, $3) ON CONFLICT (tenant, name) DO UPDATE SET rest = $3",
);
const SCHEMA: &str = "CREATE TABLE cup (tenant TEXT NOT NULL, name TEXT NOT NULL, owner_token TEXT NOT NULL, rest INTEGER NOT NULL, PRIMARY KEY (tenant, name))";

#[derive(Deserialize)]
struct Cup {
    rest: i64,
}

#[derive(Deserialize, JsonSchema)]
struct Order {
    #[serde(default)]
    password: String,
    #[serde(default)]
    note: String,
}

async fn fill(env: Env, msg: Msg<Order>) -> Result<Reply<Value>, Fault> {
    let token = env.token();
    let key: String = env.secret("cups.key")?.expose().clone();
    let body = json!({"id": env.id(), "at": env.now_ms(), "link": format!("/take?t={}", token.expose()),
        "note": msg.data.note, "long": msg.data.password.len() > 3, "sealed": format!("{key}!")});
    Ok(Reply::ok(body).write(PUT.with(params![msg.param("name"), token.expose().as_str(), 2_i64])))
}

/// What is left, as one version of the program has it: by how many a cup is emptied at a time.
async fn take(env: Env, msg: Msg<Data>, by: i64) -> Result<Reply<Value>, Fault> {
    let weather: Value = env.call("/weather?day=today").await?;
    let cup = env.query(&READ, params![msg.param("name")]).await?.first::<Cup>()?;
    let cup = cup.ok_or_else(|| Fault::not_found("cup.unknown", "there is no such cup"))?;
    if cup.rest < by {
        return Err(Fault::conflict("cup.empty", format!("it is empty, and it is {weather}")));
    }
    let left = cup.rest - by;
    Ok(Reply::ok(json!({"left": left, "weather": weather})).write(PUT.with(params![msg.param("name"), "-", left])))
}

async fn weather(_: Msg<Empty>) -> Result<Reply<&'static str>, Fault> {
    Ok(Reply::ok("fair"))
}

fn cups(by: i64) -> Service {
    Service::new("cups")
        .reads(&["/weather"])
        .tenants_tables(&["cup"])
        .migration("0001_cup", SCHEMA)
        .statements(&[&READ, &PUT])
        .secret("cups.key", "what it is sealed with")
        .on(Kind::Post, "/cups/{name}", fill, Who::Anyone, Stranger::Denied)
        .on(Kind::Post, "/cups/{name}/take", move |env, msg| take(env, msg, by), Who::Anyone, Stranger::Denied)
}

fn sky() -> Service {
    Service::new("sky").on(Kind::Get, "/weather", weather, Who::Anyone, Stranger::Denied)
}

/// Keeps recordings in memory.
#[derive(Default)]
pub(crate) struct Shelf(Mutex<Vec<Recording>>);

impl Recorder for Shelf {
    fn keep(&self, recording: Recording) {
        self.0.lock().expect("nobody panicked").push(recording);
    }

    fn find<'a>(&'a self, id: &'a str) -> BoxFuture<'a, Result<Option<Recording>, Fault>> {
        let found = self.all().into_iter().rev().find(|one| one.span == id || one.message.id.to_string() == id);
        Box::pin(std::future::ready(Ok(found)))
    }

    fn list(&self, limit: usize) -> BoxFuture<'_, Result<Vec<Recording>, Fault>> {
        Box::pin(std::future::ready(Ok(self.all().into_iter().rev().take(limit).collect())))
    }

    fn erase<'a>(&'a self, person: &'a str) -> BoxFuture<'a, Result<u64, Fault>> {
        let mut all = self.0.lock().expect("nobody panicked");
        let before = all.len();
        all.retain(|one| one.message.principal.person_id() != Some(person));
        Box::pin(std::future::ready(Ok((before - all.len()) as u64)))
    }
}

impl Shelf {
    pub(crate) fn all(&self) -> Vec<Recording> {
        self.0.lock().expect("nobody panicked").clone()
    }
}

async fn bench(capture: &str) -> (Bench, Arc<Shelf>) {
    let shelf = Arc::new(Shelf::default());
    let settings = [("callboard.capture", capture), ("cups.key", "a-key-of-ours")];
    let settings: HashMap<String, String> =
        settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let services = vec![cups(1), sky(), operator::service()];
    let recorder = shelf.clone();
    let bench = Bench::shaped(services, Kept::InMemory, |host| host.settings(settings).recorder(recorder)).await;
    (bench, shelf)
}

/// What a replay finds on another version of the program, which has nothing in its records.
async fn replay(recording: &Recording, by: i64) -> Replayed {
    let bench = Bench::new(vec![cups(by), sky()]).await;
    bench.host().replay(recording).await.expect("a replay")
}

#[tokio::test]
async fn time_is_split_into_computing_and_waiting_for_each_dependency() {
    let (asked, served) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (reached, go) = (asked.clone(), served.clone());
    let slow = move |_: Env, _: Msg<Empty>| {
        let (reached, go) = (reached.clone(), go.clone());
        async move {
            reached.notify_one();
            go.notified().await;
            Ok(Reply::ok(7))
        }
    };
    let (done, end) = (asked.clone(), served.clone());
    let caller = move |env: Env, _: Msg<Empty>| {
        let (done, end) = (done.clone(), end.clone());
        async move {
            let answer: i32 = env.call("/slow").await?;
            // Whatever it awaits by itself is computing.
            done.notify_one();
            end.notified().await;
            Ok(Reply::ok(answer))
        }
    };
    let back = Service::new("back").on(Kind::Get, "/slow", slow, Who::Anyone, Stranger::Denied);
    let front = Service::new("front").on(Kind::Get, "/front", caller, Who::Anyone, Stranger::Denied).reads(&["/slow"]);
    let bench = Bench::new(vec![front, back, operator::service()]).await;
    let nobody = bench.nobody();
    let move_time = async {
        for time_ms in [40, 5] {
            asked.notified().await;
            bench.clock().advance(time_ms);
            served.notify_one();
        }
    };
    let (answer, ()) = tokio::join!(nobody.get("/front"), move_time);
    assert_eq!(answer.expect("an answer").json(), json!(7));
    let listed = bench.owner().get("/-/invocations?function=bench").await.expect("a list").json();
    let one = |service: &str| {
        let all = listed["invocations"].as_array().expect("a list");
        let one = all.iter().find(|one| one["service"] == service).expect("it ran").clone();
        let ms = |name: &str| one[name].as_u64().expect("a time") / 1_000_000;
        (ms("duration_ns"), ms("waiting_ns"), one["trigger"].clone(), one["waits"].clone(), one)
    };
    let (duration, waiting, trigger, waits, front) = one("front");
    assert_eq!((duration, waiting, trigger), (45, 40, json!("bench")));
    assert_eq!(waits, json!([{"on": "service back", "count": 1, "time_ns": 40_000_000}]));
    let (duration, waiting, trigger, waits, back) = one("back");
    assert_eq!((duration, waiting, trigger, waits), (40, 0, json!("call"), json!([])));
    assert_eq!((&back["correlation"], &back["parent"]), (&front["correlation"], &front["span"]), "one trace");
    assert_eq!((&front["in_bytes"], &front["out_bytes"], &front["ended"]), (&json!(0), &json!(1), &json!("answered")));
}

#[tokio::test]
async fn an_invocation_nobody_waits_for_any_more_is_told_as_abandoned() {
    let never = |_: Env, _: Msg<Empty>| std::future::pending::<Result<Reply, Fault>>();
    let service = Service::new("well").on(Kind::Get, "/well", never, Who::Anyone, Stranger::Denied);
    let bench = Bench::new(vec![service, operator::service()]).await;
    let nobody = bench.nobody();
    tokio::select! {
        biased;
        _ = nobody.get("/well") => panic!("it never answers"),
        () = std::future::ready(()) => {}
    }
    let listed = bench.owner().get("/-/invocations").await.expect("a list").json();
    assert_eq!(listed["invocations"][0]["ended"], "abandoned");
}

#[tokio::test]
async fn a_fault_is_captured_with_what_was_read_and_replays_without_its_records() {
    let (bench, shelf) = bench("faults").await;
    let viewer = bench.viewer();
    viewer.post("/cups/tea", json!({})).await.expect("filled");
    for _ in 0..2 {
        viewer.post("/cups/tea/take", json!({})).await.expect("there was one");
    }
    assert!(shelf.all().is_empty(), "what goes well is not captured");
    assert_eq!(viewer.post("/cups/tea/take", json!({})).await.expect_err("it is empty").code, "cup.empty");
    let [recording] = &shelf.all()[..] else { panic!("one") };
    assert_eq!((recording.why.as_str(), recording.target.as_str()), ("fault", "cups post /cups/{name}/take"));
    assert_eq!(recording.reply["fault"]["message"], "it is empty, and it is \"fair\"");
    assert_eq!(replay(recording, 1).await, Replayed::default(), "nothing differs");
    // A cup that is emptied by nothing at a time is never empty.
    let changed = replay(recording, 0).await;
    assert!(changed.reads.is_empty() && changed.differences.iter().any(|one| one.path == "body"), "{changed:?}");
}

#[tokio::test]
async fn a_changed_function_shows_where_reply_and_effects_differ() {
    let (bench, shelf) = bench("all").await;
    bench.viewer().post("/cups/tea", json!({})).await.expect("filled");
    bench.viewer().post("/cups/tea/take", json!({})).await.expect("taken");
    let recording = shelf.all().into_iter().find(|one| one.target.ends_with("take")).expect("it was captured");
    assert_eq!(replay(&recording, 1).await, Replayed::default());
    let changed = replay(&recording, 2).await;
    let told: Vec<String> = changed.differences.iter().map(ToString::to_string).collect();
    assert_eq!(told, ["body.json.left: it was 1, now it is 0", "effects.writes[0].params[2]: it was 1, now it is 0"]);
    let mut other = recording.clone();
    other.message.uri = callboard::Uri::parse("/cups/coffee/take").expect("a URI");
    let asked = replay(&other, 1).await.reads;
    assert_eq!(asked, ["it reads `read` with [\"coffee\"]", "it no longer reads `read` with [\"tea\"]"]);
}

/// A dispatch that asks a carrier and looks at the clock; what it costs is what one version of the program makes of it.
async fn dispatch(env: Env, _: Msg<Data>, cents: i64) -> Result<Reply<Value>, Fault> {
    if env.when_away("cups.carrier")?.is_some() {
        return Err(Fault::unavailable("cups.away", "the carrier is away"));
    }
    let key: String = env.secret("cups.carrier_key")?.expose().clone();
    let label = Data::json(&json!({"to": "Ada", "pin": "carrier_key", "api_key": key}));
    let request = Request::post("cups.carrier", "/labels", label).header("authorization", format!("Bearer {key}"));
    let answer = env.fetch(request).await?;
    let label: Value = answer.json()?;
    env.beat().await?;
    Ok(Reply::ok(
        json!({"label": label["label"], "at": env.now_ms(), "price": label["price"].as_i64().map(|price| price + cents)}),
    ))
}

fn post(cents: i64) -> Service {
    Service::new("post")
        .setting("cups.carrier", "https://carrier.example", "who carries")
        .secret("cups.carrier_key", "its key")
        .outside("cups.carrier", "nothing is sent")
        .on(Kind::Post, "/parcels/{id}", parcel, Who::Anyone, Stranger::Denied)
        .flow(
            Flow::new("dispatch")
                .step("label", move |env, msg| dispatch(env, msg, cents))
                .no_undo("labels cost nothing"),
        )
}

async fn parcel(msg: Msg<Data>) -> Result<Reply, Fault> {
    Ok(Reply::nothing().start("dispatch", msg.param("id"), json!({})))
}

struct Carrier;

impl Outside for Carrier {
    fn fetch(&self, _: Origin, request: Request) -> BoxFuture<'_, Result<Response, Fault>> {
        assert_eq!(request.header_value("authorization"), Some("Bearer sk_carrier_1"));
        let body = json!({"label": "L-1", "price": 450, "session_token": "tok-of-theirs"}).to_string();
        let headers = vec![("set-cookie".to_owned(), "visitor=theirs".to_owned())];
        Box::pin(std::future::ready(Ok(Response { status: 200, headers, body: body.into() })))
    }
}

#[tokio::test]
async fn a_step_that_asked_a_system_outside_replays_without_it() {
    let shelf = Arc::new(Shelf::default());
    let settings = [("callboard.capture", "all"), ("cups.carrier_key", "sk_carrier_1")];
    let settings = settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let (recorder, services) = (shelf.clone(), vec![post(0), operator::service()]);
    let bench = Bench::shaped(services, Kept::InMemory, |host| {
        host.settings(settings).recorder(recorder).outside(Arc::new(Carrier))
    });
    let bench = bench.await;
    bench.viewer().post("/parcels/one", json!({})).await.expect("begun");
    bench.settle().await;
    let recording = shelf.all().into_iter().find(|one| one.target == "post flow dispatch/label do").expect("the step");
    let text = serde_json::to_string(&recording).expect("JSON");
    for secret in ["sk_carrier_1", "tok-of-theirs", "visitor=theirs"] {
        assert!(!text.contains(secret), "{secret} is in {text}");
    }
    let replay = async |cents| {
        let bench = Bench::new(vec![post(cents)]).await;
        bench.host().replay(&recording).await.expect("a replay")
    };
    assert_eq!(replay(0).await, Replayed::default(), "there is nobody outside, and no key");
    let told: Vec<String> = replay(5).await.differences.iter().map(ToString::to_string).collect();
    assert_eq!(told, ["body.json.price: it was 450, now it is 455"]);
    let step = bench.owner().get("/-/invocations?function=post").await.expect("a list").json();
    assert_eq!(step["invocations"][0]["flow"], "dispatch");
}

/// Looks at a blob, puts another version beside it, and removes the first.
async fn turn(env: Env, _: Msg<Data>, text: &'static str) -> Result<Reply<Value>, Fault> {
    let blobs = env.blobs();
    let before = blobs.meta("pages/1").await?.map(|meta| meta.size_bytes);
    blobs.put("pages/2", text.into()).await?;
    let keys: Vec<String> = blobs.list("pages").await?.into_iter().map(|meta| meta.key).collect();
    blobs.remove("pages/1").await?;
    Ok(Reply::ok(json!({"before": before, "keys": keys})))
}

#[tokio::test]
async fn blobs_are_not_touched_by_a_replay_and_what_would_be_changed_otherwise_is_told() {
    let book = |text| {
        let flow = Flow::new("turn").step("page", move |env, msg| turn(env, msg, text)).no_undo("pages are cheap");
        Service::new("book").on(Kind::Post, "/turns/{id}", begin, Who::Anyone, Stranger::Denied).flow(flow)
    };
    async fn begin(msg: Msg<Data>) -> Result<Reply, Fault> {
        Ok(Reply::nothing().start("turn", msg.param("id"), json!({})))
    }
    let shelf = Arc::new(Shelf::default());
    let (recorder, settings) = (shelf.clone(), HashMap::from([("callboard.capture".to_owned(), "all".to_owned())]));
    let services = vec![book("once upon a time")];
    let bench = Bench::shaped(services, Kept::InMemory, |host| host.recorder(recorder).settings(settings)).await;
    bench.host().ports().blobs.put("pages/1", "it was".into()).await.expect("a page");
    bench.viewer().post("/turns/1", json!({})).await.expect("begun");
    bench.settle().await;
    let recording = shelf.all().into_iter().find(|one| one.target == "book flow turn/page do").expect("the step");
    assert_eq!(recording.reply["body"]["json"], json!({"before": 6, "keys": ["pages/1", "pages/2"]}));
    let replay = async |text| {
        let bench = Bench::new(vec![book(text)]).await;
        let replayed = bench.host().replay(&recording).await.expect("a replay");
        assert!(bench.host().ports().blobs.list("pages").await.expect("a list").is_empty(), "nothing is done");
        replayed
    };
    assert_eq!(replay("once upon a time").await, Replayed::default());
    let other = replay("twice upon a time").await.reads;
    assert!(other[0].starts_with("of blobs it wants to put pages/2 of 17 bytes, "), "{other:?}");
}

#[tokio::test]
async fn no_secret_is_recorded_and_what_is_made_of_them_does_not_count_as_a_difference() {
    let (bench, shelf) = bench("all").await;
    let order = json!({"password": "hunter2-hunter2", "note": "with a-key-of-ours"});
    let answer = bench.viewer().post("/cups/tea", order).await.expect("filled").json();
    let token = answer["link"].as_str().and_then(|link| link.split_once('=')).expect("a link").1.to_owned();
    bench.viewer().post("/cups/tea/take", json!({})).await.expect("taken");
    let text = serde_json::to_string(&shelf.all()).expect("JSON");
    for secret in ["hunter2", "a-key-of-ours", token.as_str()] {
        assert!(!text.contains(secret), "{secret} is in {text}");
    }
    let fill = shelf.all().into_iter().find(|one| one.target.ends_with("{name}")).expect("it was captured");
    assert_eq!(fill.reply["body"]["json"]["sealed"], "[secret cups.key]!");
    assert_eq!(fill.reply["effects"]["writes"][0]["params"][1], "[secret 1]");
    assert!(fill.redacted >= 4, "{}", fill.redacted);
    assert_eq!(replay(&fill, 1).await, Replayed::default(), "ids, time and secrets are as they were");
}

#[tokio::test]
async fn an_owner_asks_for_a_recording_and_a_stranger_does_not_get_one() {
    let (bench, shelf) = bench("faults").await;
    for (actor, is_captured) in [(bench.viewer(), false), (bench.nobody(), false), (bench.owner(), true)] {
        let mut msg =
            bench.host().message(Kind::Get, callboard::Uri::parse("/weather").expect("a URI"), bench.tenant().clone());
        let head = msg.head_mut();
        head.principal = actor.principal().clone();
        head.trace.is_asked = true;
        bench.host().run(msg).await.expect("an answer");
        assert_eq!(!shelf.all().is_empty(), is_captured, "{:?}", actor.principal());
    }
    assert_eq!(shelf.all()[0].why, "asked");
}

#[tokio::test]
async fn one_in_a_thousand_is_captured() {
    let (bench, shelf) = bench("faults").await;
    for _ in 0..2_000 {
        bench.nobody().get("/weather").await.expect("an answer");
    }
    let why: Vec<String> = shelf.all().into_iter().map(|one| one.why).collect();
    assert_eq!(why, ["sample", "sample"]);
}

#[tokio::test]
async fn faults_that_come_in_masses_do_not_push_everything_else_out() {
    let (bench, shelf) = bench("faults").await;
    for _ in 0..300 {
        bench.nobody().post("/cups/none/take", json!({})).await.expect_err("no such cup");
    }
    let faults = |shelf: &Shelf| shelf.all().into_iter().filter(|one| one.why == "fault").count();
    assert_eq!(faults(&shelf), 50);
    bench.clock().advance(1_000);
    bench.nobody().post("/cups/none/take", json!({})).await.expect_err("no such cup");
    assert_eq!(faults(&shelf), 51);
}

#[tokio::test]
async fn who_reads_a_recording_is_told_and_others_find_nothing() {
    let (bench, shelf) = bench("all").await;
    bench.viewer().post("/cups/tea", json!({})).await.expect("filled");
    let span = shelf.all()[0].span.clone();
    let path = format!("/-/invocations/{span}");
    for stranger in [bench.nobody(), bench.viewer(), bench.editor()] {
        assert_eq!(stranger.get(&path).await.expect_err("hidden").code, "no_such_uri");
        assert_eq!(stranger.get("/-/invocations").await.expect_err("hidden").code, "no_such_uri");
        let erase = stranger.post("/-/invocations/erase", json!({"person": "viewer"})).await;
        assert_eq!(erase.expect_err("hidden").code, "no_such_uri");
    }
    let theirs = bench.owner().in_tenant("other");
    assert_eq!(theirs.get(&path).await.expect_err("not theirs").code, "invocation.unknown");
    let listed = theirs.get("/-/invocations?tenant=demo").await.expect("a list").json();
    let tenants = listed["invocations"].as_array().expect("a list").iter().map(|one| one["tenant"].clone());
    assert_eq!(tenants.collect::<Vec<_>>(), ["other"], "only that they asked for what is not theirs");
    let erase = theirs.post("/-/invocations/erase", json!({"person": "viewer"})).await;
    assert_eq!(erase.expect_err("not theirs").code, "no_such_uri");
    assert_eq!(bench.owner().get(&path).await.expect("a recording").json()["target"], "cups post /cups/{name}");
    let erased = bench.owner().post("/-/invocations/erase", json!({"person": "viewer"})).await.expect("erased");
    assert_eq!((erased.json(), shelf.all().len()), (json!({"count": 1}), 0));
    let messages = bench.messages().await;
    let told = messages.iter().filter(|one| one["type"].as_str().is_some_and(|kind| kind.starts_with("operator.")));
    let told: Vec<_> = told.map(|one| json!([one["type"], one["data"]["by"]["person"]["id"]])).collect();
    assert_eq!(told, [json!(["operator.recording_read", "owner"]), json!(["operator.recordings_erased", "owner"])]);
    assert!(!json!(messages).to_string().contains("\"viewer\",\"count\""), "nobody is named who was forgotten");
}

#[tokio::test]
async fn what_is_not_there_or_not_whole_is_not_replayed() {
    let (bench, shelf) = bench("all").await;
    bench.viewer().post("/cups/tea", json!({})).await.expect("filled");
    let mut recording = shelf.all().remove(0);
    let gone = Recording { target: "cups post /gone".to_owned(), ..recording.clone() };
    assert_eq!(bench.host().replay(&gone).await.expect_err("nothing is bound").code, "replay.unbound");
    recording.is_cut = true;
    assert_eq!(bench.host().replay(&recording).await.expect_err("it is cut").code, "replay.cut");
    assert_eq!(recording.message.id.to_string().parse(), Ok::<Id, _>(recording.message.id));
}
