//! No statement walks through a table: what is read grows with the answer, not with the catalogue.

use crate::stage::{bench, is_bound, statements};

#[tokio::test]
async fn every_statement_finds_its_rows_by_an_index() {
    let bench = bench().await;
    let mut checked = 0;
    for statement in statements() {
        for line in bench.plan(statement).await {
            // A list that was handed in, and the few rows of a recursive step, are short by themselves.
            let is_short = line.contains("SCAN json_each") || line.contains("SCAN found");
            let is_whole = ["SCAN", "TEMP B-TREE", "AUTOMATIC", "Seq Scan"].iter().any(|sign| line.contains(sign));
            assert!(!is_whole || is_short, "{}: {line}", statement.name);
            let is_vague = line.contains("(tenant=?)") || line.contains("(tenant=? AND listed_to<?)");
            assert!(!is_vague, "{}: {line} reads all of a tenant", statement.name);
            checked += usize::from(line.contains("SEARCH") || line.contains("Index"));
        }
    }
    assert!(checked > 40, "{checked} searches are too few: the plans are not what they were");
}

#[test]
fn every_state_of_media_is_heard() {
    for name in ["processing", "playable", "ready", "failed", "removed"] {
        assert!(is_bound(name), "{name}");
    }
}
