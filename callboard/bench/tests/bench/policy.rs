//! What services may use of each other: what they declare, and nothing else. Refusals are remembered with what would allow them.

use callboard::{
    Data, Empty, Env, Fault, Kind, Msg, Principal, Reply, Service, Stranger, Who, event, policy::Change, uri,
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

/// Does to a book what its path says.
fn reader() -> Service {
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
    Service::new("reader")
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
async fn what_a_service_does_not_declare_is_refused_and_the_declaration_named() {
    let bench = Bench::new(vec![shelf(), reader()]).await;
    for (kind, uri, declaration) in WAYS {
        let fault = bench.owner().send(kind, uri, Data::EMPTY).await.expect_err(uri);
        assert_eq!((fault.code, fault.status()), ("policy.undeclared", 500), "{uri}");
        let denial = bench.host().denials().list(None, 1).pop().expect("it is remembered");
        let change = Change::Declare { service: "reader".into(), declaration: declaration.into() };
        assert!(denial.changes.contains(&change), "{denial:?}");
        assert!(fault.detail.is_some_and(|detail| detail.contains(declaration)), "its author is told");
        assert!(!fault.message.contains("reader"), "its caller is not");
    }
    assert_eq!(bench.messages().await, Vec::<Value>::new(), "nothing was sent or published");
}

#[tokio::test]
async fn what_it_declares_it_may() {
    let reader = reader()
        .reads(&["/books/{book}", "/books/{book}/price"])
        .calls(Kind::Post, "/books/{book}/removal")
        .emits(&["torn"], "/books/{book}");
    let bench = Bench::new(vec![shelf(), reader]).await;
    for (kind, uri, _) in WAYS.into_iter().filter(|(_, uri, _)| !uri.starts_with("/relay")) {
        bench.nobody().send(kind, uri, Data::EMPTY).await.expect(uri);
    }
    let fault = bench.owner().send(Kind::Post, "/relay/7", Data::EMPTY).await.expect_err("it is for services");
    assert_eq!((fault.code, fault.status()), ("no_such_uri", 404), "whoever relays has the rights of its caller");
}

#[tokio::test]
async fn each_function_shows_what_it_used_beside_what_its_service_declares() {
    let reader = reader().reads(&["/books/{id}", "/books/{id}/price"]);
    let bench = Bench::new(vec![shelf(), reader]).await;
    bench.nobody().get("/call/7").await.expect("it is declared");
    bench.nobody().get("/call/8").await.expect("it is declared");
    let all = bench.host().privileges();
    let reader = all.iter().find(|service| service.service == "reader").expect("it is there");
    assert_eq!(reader.declared.iter().collect::<Vec<_>>(), ["get /books/{id}", "get /books/{id}/price"]);
    assert_eq!(reader.unused.iter().collect::<Vec<_>>(), ["get /books/{id}/price"]);
    let call = reader.functions.iter().find(|function| function.function.ends_with("::call")).expect("a function");
    assert_eq!(call.observed.iter().collect::<Vec<_>>(), [(&"get /books/{id}".to_owned(), &2)]);
    let ask = reader.functions.iter().find(|function| function.function.ends_with("::ask")).expect("a function");
    assert_eq!((ask.observed.len(), ask.unused.len()), (0, 2));
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
