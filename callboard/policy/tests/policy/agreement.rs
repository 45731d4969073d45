//! Cedar and the tables decide alike, for every row and everybody.

use crate::rows::{questions, services};
use callboard::policy::{Policy, Tables};
use callboard_policy::CedarPolicy;

#[test]
fn cedar_and_the_tables_agree_on_every_row_and_everybody() {
    let services = services();
    let policy = CedarPolicy::always(&services, "policy.cedar", "").expect("no policies of one's own");
    let (mut allowed, mut refused) = (0, 0);
    questions(&services, |question| {
        let (tables, cedar) = (Tables.decide(question), policy.decide_in_cedar(question));
        let place = format!(
            "{} {} {:?} {:?}",
            question.binding.kind,
            question.binding.pattern.as_str(),
            question.principal,
            question.asker
        );
        match (tables, cedar) {
            (Ok(()), Ok(())) => allowed += 1,
            (Err(tables), Err(cedar)) => {
                refused += 1;
                assert_eq!((&tables.rule, &tables.changes), (&cedar.rule, &cedar.changes), "{place}");
            }
            (tables, cedar) => panic!("{place}: the tables say {tables:?}, Cedar {cedar:?}"),
        }
    });
    assert!(allowed > 100 && refused > 100, "{allowed} allowed, {refused} refused");
}
