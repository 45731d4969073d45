//! What services may use of each other: what they declare, and nothing else. Refusals are remembered with what would allow them.

use callboard::{
    Data, Empty, Env, Fault, Flow, FunctionPrivileges, Kind, Msg, Principal, Reply, Service, Stranger, Who, event,
    policy::Change, uri,
};
use callboard_bench::Bench;
use serde_json::{Value, json};

fn shelf() -> Service {
    async fn read(_: Msg<Empty>) -> Result<Reply<&'static str>, Fault> {
        Ok(Reply::ok("a book"))
    }
    async fn take(_: Msg<Empty>) -> Result<Reply, Fault> {
        Ok(Reply::nothing())
    }
    Service::new("shelf")
        .on(Kind::Get, "/books/{id}", read, Who::Anyone, Stranger::Denied)
        .on(Kind::Get, "/books/{id}/price", read, Who::Role("owner"), Stranger::NotFound)
        .on(Kind::Post, "/books/{id}/removal", take, Who::Services, Stranger::NotFound)
}

/// Does to a book what its path says; `service` may have declarations that hold for all of it.
fn reader(service: Service) -> Service {
    async fn call(env: Env, msg: Msg<Empty>) -> Result<Reply<Value>, Fault> {
        Ok(Reply::ok(env.call(&format!("/books/{}", msg.param("what"))).await?))
    }
    async fn ask(env: Env, msg: Msg<Empty>) -> Result<Reply<Value>, Fault> {
        Ok(Reply::ok(env.ask(&format!("/books/{}/price", msg.param("what"))).await?))
    }
    async fn send(_: Env, msg: Msg<Empty>) -> Result<Reply, Fault> {
        Ok(Reply::nothing().send(Kind::Post, uri!("/books/{}/removal", msg.param("what"))?, json!({})))
    }
    async fn tell(_: Env, msg: Msg<Empty>) -> Result<Reply, Fault> {
        Ok(Reply::nothing().emit(event("torn"), uri!("/books/{}", msg.param("what"))?, json!({})))
    }
    async fn relay(env: Env, msg: Msg<Empty>) -> Result<Reply, Fault> {
        env.relay(Kind::Post, uri!("/books/{}/removal", msg.param("what"))?, Data::EMPTY).await?;
        Ok(Reply::nothing())
    }
    service
        .on(Kind::Get, "/call/{what}", call, Who::Anyone, Stranger::Denied)
        .on(Kind::Get, "/ask/{what}", ask, Who::Anyone, Stranger::Denied)
        .on(Kind::Post, "/send/{what}", send, Who::Anyone, Stranger::Denied)
        .on(Kind::Post, "/tell/{what}", tell, Who::Anyone, Stranger::Denied)
        .on(Kind::Post, "/relay/{what}", relay, Who::Anyone, Stranger::Denied)
        .relay()
}

/// Every way to use another service: what to do, and the declaration that it needs.
const WAYS: [(Kind, &str, &str); 5] = [
    (Kind::Get, "/call/7", ".reads(&[\"/books/{id}\"])"),
    (Kind::Get, "/ask/7", ".reads(&[\"/books/{id}/price\"])"),
    (Kind::Post, "/send/7", ".calls(Kind::Post, \"/books/{id}/removal\")"),
    (Kind::Post, "/tell/7", ".emits(&[\"torn\"], \"/books/{id}\")"),
    (Kind::Post, "/relay/7", ".calls(Kind::Post, \"/books/{id}/removal\")"),
];

#[tokio::test]
async fn what_a_function_does_not_declare_is_refused_and_the_declaration_named() {
    let bench = Bench::new(vec![shelf(), reader(Service::new("reader"))]).await;
    for (kind, uri, declaration) in WAYS {
        let fault = bench.owner().send(kind.clone(), uri, Data::EMPTY).await.expect_err(uri);
        assert_eq!((fault.code, fault.status()), ("policy.undeclared", 500), "{uri}");
        let denial = bench.host().denials().list(None, 1).pop().expect("it is remembered");
        let row = format!("reader {kind} {}", uri.replace('7', "{what}"));
        let change = Change::Declare { row, declaration: declaration.into() };
        assert!(denial.changes.contains(&change), "{denial:?}");
        assert!(fault.detail.is_some_and(|detail| detail.contains(declaration)), "its author is told");
        assert!(!fault.message.contains("reader"), "its caller is not");
    }
    assert_eq!(bench.messages().await, Vec::<Value>::new(), "nothing was sent or published");
}

#[tokio::test]
async fn what_a_service_declares_before_its_first_row_all_its_functions_may() {
    let service = Service::new("reader")
        .reads(&["/books/{book}", "/books/{book}/price"])
        .calls(Kind::Post, "/books/{book}/removal")
        .emits(&["torn"], "/books/{book}");
    let bench = Bench::new(vec![shelf(), reader(service)]).await;
    for (kind, uri, _) in WAYS.into_iter().filter(|(_, uri, _)| !uri.starts_with("/relay")) {
        bench.nobody().send(kind, uri, Data::EMPTY).await.expect(uri);
    }
    let fault = bench.owner().send(Kind::Post, "/relay/7", Data::EMPTY).await.expect_err("it is for services");
    assert_eq!((fault.code, fault.status()), ("no_such_uri", 404), "whoever relays has the rights of its caller");
}

/// Two functions of one service and a step of a flow; all do the same, and one function and the step declare it.
fn halves() -> Service {
    async fn call(env: Env, msg: Msg<Empty>) -> Result<Reply<Value>, Fault> {
        Ok(Reply::ok(env.call(&format!("/books/{}", msg.param("what"))).await?))
    }
    async fn begin(env: Env, _: Msg<Empty>) -> Result<Reply, Fault> {
        Ok(Reply::nothing().start("look", env.id().to_string(), json!({})))
    }
    async fn look(env: Env, _: Msg<Value>) -> Result<Reply<Value>, Fault> {
        Ok(Reply::ok(env.ask("/books/7").await?))
    }
    Service::new("halves")
        .on(Kind::Get, "/may/{what}", call, Who::Anyone, Stranger::Denied)
        .reads(&["/books/{id}", "/books/{id}/price"])
        .on(Kind::Get, "/may-not/{what}", call, Who::Anyone, Stranger::Denied)
        .on(Kind::Post, "/looks", begin, Who::Anyone, Stranger::Denied)
        .flow(Flow::new("look").step("look", look).no_undo("it only looks").reads(&["/books/{id}"]))
}

#[tokio::test]
async fn what_a_row_declares_is_its_own() {
    let bench = Bench::new(vec![shelf(), halves()]).await;
    bench.nobody().get("/may/7").await.expect("it is declared");
    let fault = bench.nobody().get("/may-not/7").await.expect_err("only the other row declares it");
    assert_eq!(fault.code, "policy.undeclared");
    let told = bench.host().denials().list(None, 1).pop().expect("it is remembered").changes[0].to_string();
    assert_eq!(told, "add `.reads(&[\"/books/{id}\"])` behind the row `halves get /may-not/{what}`");
    bench.nobody().send(Kind::Post, "/looks", Data::EMPTY).await.expect("it starts");
    bench.settle().await;
    let step = privileges(&bench, "halves flow look/look do");
    assert_eq!(step.observed.into_iter().collect::<Vec<_>>(), [("get /books/{id}".to_owned(), 1)]);
}

#[tokio::test]
async fn each_function_shows_what_it_declares_what_it_used_and_where_that_differs() {
    let bench = Bench::new(vec![shelf(), halves()]).await;
    bench.nobody().get("/may/7").await.expect("it is declared");
    bench.nobody().get("/may/8").await.expect("it is declared");
    let may = privileges(&bench, "halves get /may/{what}");
    assert!(may.function.ends_with("::call"), "{}", may.function);
    assert_eq!(may.declared.into_iter().collect::<Vec<_>>(), ["get /books/{id}", "get /books/{id}/price"]);
    assert_eq!(may.observed.into_iter().collect::<Vec<_>>(), [("get /books/{id}".to_owned(), 2)]);
    assert_eq!(may.unused.into_iter().collect::<Vec<_>>(), ["get /books/{id}/price"]);
    assert_eq!(privileges(&bench, "halves get /may-not/{what}").declared.len(), 0);
    let begin = privileges(&bench, "halves post /looks").declared;
    assert_eq!(begin.into_iter().collect::<Vec<_>>(), ["start flow look"], "who only reads starts none");
}

fn privileges(bench: &Bench, row: &str) -> FunctionPrivileges {
    let all = bench.host().privileges();
    let mut functions = all.into_iter().flat_map(|service| service.functions);
    functions.find(|function| function.row == row).expect("a function")
}

#[tokio::test]
async fn owners_ask_why_in_their_own_tenant_and_the_operator_in_all() {
    let bench = Bench::new(vec![callboard::operator::service(), shelf()]).await;
    let nobody = bench.nobody().in_tenant("other");
    let fault = nobody.get("/books/7/price").await.expect_err("it is the owner's");
    assert_eq!((fault.code, fault.detail), ("no_such_uri", None), "strangers hear nothing of rules");
    let denial = bench.host().denials().list(None, 1).pop().expect("it is remembered");
    assert_eq!((denial.seen, &denial.principal), (404, &Principal::Nobody));
    let uri = format!("/-/denials/{}", denial.id);
    for (actor, is_told) in [
        (bench.owner().in_tenant("other"), true),
        (bench.owner(), true),
        (bench.service(), true),
        (bench.owner().in_tenant("third"), false),
        (bench.editor().in_tenant("other"), false),
        (bench.nobody().in_tenant("other"), false),
    ] {
        let told = actor.get(&uri).await;
        assert_eq!(told.as_ref().map_err(callboard::Fault::status).is_ok(), is_told, "{told:?}");
        let Ok(told) = told else { continue };
        let told = told.json();
        assert_eq!(told["allow"], json!(["sign in to other", "have the role owner in other"]));
        assert_eq!(told["rule"], "`get /books/{id}/price` of shelf is for the role owner");
    }

    let listed = bench.owner().in_tenant("other").get("/-/denials").await.expect("a list").json();
    assert!(listed.as_array().is_some_and(|all| all.iter().all(|one| one["tenant"] == "other") && !all.is_empty()));
    assert_eq!(bench.nobody().get("/-/policy").await.expect_err("the operator's").status(), 404);
    assert_eq!(bench.owner().in_tenant("other").get("/-/policy").await.expect_err("all tenants'").status(), 404);
    assert!(bench.owner().get("/-/policy").await.expect("privileges").json()["services"].is_array());
}
