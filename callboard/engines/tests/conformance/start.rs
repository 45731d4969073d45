//! What is refused when records are opened, and what is there when they are opened again.

use crate::stage::{Engine, MAKE, Place, SOME, Stage, WRITE, commit, service};
use callboard::{Effects, Service, Statement, params};

async fn refused(place: &Place, service: Service) -> String {
    place.open(service).await.err().expect("refused").message
}

pub(crate) async fn a_migration_that_was_changed_is_refused(engine: Engine) {
    let place = Place::new(engine);
    drop(place.open(service()).await.expect("records"));
    let mut changed = service();
    changed.migrations[0].sql = "CREATE TABLE box (other TEXT)";
    let message = refused(&place, changed).await;
    assert!(message.contains("shop/migrations/0001_shop") && message.contains("new migration"), "{message}");
}

pub(crate) async fn a_statement_stays_within_the_tables_of_its_service(engine: Engine) {
    static HIDDEN: Statement = Statement::read(
        "hidden",
        &["box"],
        "SELECT (SELECT count(*) FROM kernel_event) AS count FROM box WHERE tenant = $tenant",
    );
    let message = refused(&Place::new(engine), service().statements(&[&HIDDEN])).await;
    assert!(message.contains("shop: statement hidden: it touches table kernel_event"), "{message}");
    static WRONG: Statement = Statement::read("wrong", &["box"], "SELECT nothing FROM box WHERE tenant = $tenant");
    let message = refused(&Place::new(engine), service().statements(&[&WRONG])).await;
    assert!(message.contains("shop: statement wrong: ") && message.contains("nothing"), "{message}");
}

pub(crate) async fn a_migration_makes_only_the_tables_of_its_service(engine: Engine) {
    let place = Place::new(engine);
    let message = refused(&place, service().migration("0002_more", "CREATE TABLE another (x TEXT)")).await;
    assert!(message.contains("shop/migrations/0002_more"), "{message}");
    let message = refused(&place, service().migration("0002_more", "CREATE TABEL box (x TEXT)")).await;
    assert!(message.contains("shop/migrations/0002_more"), "{message}");
    place.open(service()).await.expect("a refused migration leaves nothing that is in the way");
}

pub(crate) async fn what_is_committed_is_there_when_it_is_opened_again(engine: Engine) {
    let stage = Stage::new(engine).await;
    let effects = Effects::from(MAKE.with(params!["tea", 3_i64])).write(WRITE.with(params!["x", 1.0]));
    stage.records.commit(commit(effects)).await.expect("committed");
    let Stage { records, place, .. } = stage;
    drop(records);
    let more = "ALTER TABLE box ADD COLUMN colour TEXT; UPDATE box SET colour = 'red'";
    static RED: Statement =
        Statement::read("red", &["box"], "SELECT name FROM box WHERE tenant = $tenant AND colour = 'red'");
    let again = service().migration("0002_colour", more).statements(&[&RED]);
    let stage = Stage::on(place.open(again).await.expect("a later version"), place);
    assert_eq!(stage.read(&RED, params![]).await, [params!["tea"]], "a migration sees the rows of every tenant");
    assert_eq!(stage.lines().await, ["x"]);
}

pub(crate) async fn texts_are_sorted_as_bytes(engine: Engine) {
    let stage = Stage::new(engine).await;
    let names = ["Z", "_", "a", "é", "b"];
    for name in names {
        stage.write(MAKE.with(params![name, 1_i64])).await.expect("a box");
    }
    let all = names.map(str::to_owned).to_vec();
    let want: Vec<_> = ["Z", "_", "a", "b", "é"].into_iter().map(|name| params![name]).collect();
    assert_eq!(stage.read(&SOME, params![all]).await, want);
}
