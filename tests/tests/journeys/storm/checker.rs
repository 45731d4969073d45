//! What must hold after a storm, found from what clients were told, what the payment service has in its own book, and what the
//! application answers. It knows nothing of how the application works.

use std::collections::{BTreeMap, HashMap, HashSet};

/// A tip that a client was told is taken.
#[derive(Clone, Debug)]
pub(crate) struct Given {
    pub(crate) id: String,
    pub(crate) amount: i64,
}

/// A charge in the payment service's book.
#[derive(Clone, Debug)]
pub(crate) struct Charge {
    pub(crate) tip: String,
    pub(crate) amount: i64,
    pub(crate) refunded: i64,
}

/// Everything that is known afterwards.
#[derive(Clone, Debug, Default)]
pub(crate) struct Evidence {
    /// What clients were told.
    pub(crate) tips: Vec<Given>,
    /// Ids of series that clients were told are made.
    pub(crate) series: Vec<String>,
    pub(crate) charges: Vec<Charge>,
    /// What the application says of each tip that was asked for; none where it knows none.
    pub(crate) states: HashMap<String, Option<String>>,
    /// Series that the application has: id and title. Every title was asked for once.
    pub(crate) series_there: Vec<(String, String)>,
    pub(crate) is_balanced: bool,
    /// What the books say that the payment service holds.
    pub(crate) held: i64,
    /// How many runs of flows stand where.
    pub(crate) runs: BTreeMap<String, u64>,
    /// Messages that wait.
    pub(crate) waiting: u64,
}

/// The count, and everything that is wrong.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Verdict {
    pub(crate) acknowledged: usize,
    pub(crate) applied: usize,
    pub(crate) duplicated: usize,
    pub(crate) lost: usize,
    pub(crate) runs: BTreeMap<String, u64>,
    pub(crate) wrongs: Vec<String>,
}

impl Verdict {
    /// One line for people.
    pub(crate) fn line(&self) -> String {
        let runs: Vec<String> = self.runs.iter().map(|(status, count)| format!("{status} {count}")).collect();
        let Self { acknowledged, applied, duplicated, lost, .. } = self;
        format!(
            "acknowledged {acknowledged}, applied {applied}, duplicated {duplicated}, lost {lost}; flows: {}",
            runs.join(", ")
        )
    }
}

/// Judges.
pub(crate) fn check(evidence: &Evidence) -> Verdict {
    let mut verdict = Verdict {
        acknowledged: evidence.tips.len() + evidence.series.len(),
        runs: evidence.runs.clone(),
        ..Verdict::default()
    };
    let mut charged: HashMap<&str, Vec<&Charge>> = HashMap::new();
    for charge in &evidence.charges {
        charged.entry(&charge.tip).or_default().push(charge);
    }
    for tip in &evidence.tips {
        let charges = charged.remove(tip.id.as_str()).unwrap_or_default();
        verdict.judge_tip(tip, &charges, evidence.states.get(&tip.id).cloned().flatten());
    }
    for (tip, _) in charged {
        verdict.wrongs.push(format!("charged for {tip}, which nobody was told is taken"));
    }
    let mut titles = HashSet::new();
    for (id, title) in &evidence.series_there {
        if !titles.insert(title) {
            verdict.duplicated += 1;
            verdict.wrongs.push(format!("series {id} is `{title}`, as another is"));
        }
    }
    let there: HashSet<&String> = evidence.series_there.iter().map(|(id, _)| id).collect();
    for id in &evidence.series {
        if there.contains(id) {
            verdict.applied += 1;
        } else {
            verdict.lost += 1;
            verdict.wrongs.push(format!("series {id} was acknowledged and is not there"));
        }
    }
    verdict.judge_books(evidence);
    verdict
}

impl Verdict {
    fn judge_tip(&mut self, tip: &Given, charges: &[&Charge], state: Option<String>) {
        let Given { id, amount } = tip;
        let kept: Vec<&&Charge> = charges.iter().filter(|charge| charge.refunded < charge.amount).collect();
        if charges.len() > 1 {
            self.duplicated += 1;
            self.wrongs.push(format!("tip {id} was charged {} times", charges.len()));
        }
        if kept.iter().any(|charge| charge.amount != *amount || charge.refunded != 0) {
            self.wrongs.push(format!("tip {id} of {amount} was charged otherwise: {charges:?}"));
        }
        match (state.as_deref(), kept.len()) {
            (None, _) => {
                self.lost += 1;
                self.wrongs.push(format!("tip {id} was acknowledged and is not known"));
            }
            (Some("received"), 0) => {
                self.lost += 1;
                self.wrongs.push(format!("tip {id} counts as received and was not charged"));
            }
            (Some("received"), _) | (Some("failed" | "refunded" | "stuck"), 0) => self.applied += 1,
            (Some("stuck"), _) => self.applied += 1,
            (Some(state @ ("failed" | "refunded")), _) => {
                self.wrongs.push(format!("tip {id} is {state}, and its charge stands"));
            }
            (Some(state), _) => self.wrongs.push(format!("tip {id} is {state} when everything has ended")),
        }
    }

    fn judge_books(&mut self, evidence: &Evidence) {
        let kept: i64 = evidence.charges.iter().map(|charge| charge.amount - charge.refunded).sum();
        if !evidence.is_balanced {
            self.wrongs.push("the books do not balance".to_owned());
        }
        if evidence.held != kept {
            self.wrongs.push(format!("the books say {}, the payment service holds {kept}", evidence.held));
        }
        if evidence.waiting > 0 {
            self.wrongs.push(format!("{} messages wait at rest", evidence.waiting));
        }
        for status in ["queued", "running", "undoing"] {
            if let Some(count) = evidence.runs.get(status) {
                self.wrongs.push(format!("{count} runs of flows are {status} when everything has ended"));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One tip of 500 that was received, one that failed, and a series.
    fn right() -> Evidence {
        let given = |id: &str| Given { id: id.to_owned(), amount: 500 };
        let state = |id: &str, state: &str| (id.to_owned(), Some(state.to_owned()));
        Evidence {
            tips: vec![given("one"), given("two")],
            series: vec!["s".to_owned()],
            charges: vec![Charge { tip: "one".to_owned(), amount: 500, refunded: 0 }],
            states: HashMap::from([state("one", "received"), state("two", "failed")]),
            series_there: vec![("s".to_owned(), "Night".to_owned())],
            is_balanced: true,
            held: 500,
            runs: BTreeMap::from([("completed".to_owned(), 1), ("undone".to_owned(), 1)]),
            waiting: 0,
        }
    }

    fn wrongs(change: impl FnOnce(&mut Evidence)) -> Verdict {
        let mut evidence = right();
        change(&mut evidence);
        check(&evidence)
    }

    #[test]
    fn what_is_right_is_counted() {
        let verdict = check(&right());
        assert_eq!(verdict.wrongs, Vec::<String>::new());
        assert_eq!(verdict.line(), "acknowledged 3, applied 3, duplicated 0, lost 0; flows: completed 1, undone 1");
    }

    #[test]
    fn every_wrong_is_found() {
        let charge = |tip: &str, refunded| Charge { tip: tip.to_owned(), amount: 500, refunded };
        let twice = wrongs(|it| it.charges.push(charge("one", 0)));
        assert_eq!(twice.duplicated, 1, "{twice:?}");
        let twice_with_one_given_back = wrongs(|it| it.charges.push(charge("one", 500)));
        assert_eq!(twice_with_one_given_back.duplicated, 1, "{twice_with_one_given_back:?}");
        let unknown = wrongs(|it| drop(it.states.insert("two".to_owned(), None)));
        assert_eq!(unknown.lost, 1, "{unknown:?}");
        let unpaid = wrongs(|it| {
            it.charges.clear();
            it.held = 0;
        });
        assert_eq!(unpaid.lost, 1, "{unpaid:?}");
        let forgotten = wrongs(|it| it.series_there.clear());
        assert_eq!(forgotten.lost, 1, "{forgotten:?}");
        let doubled = wrongs(|it| it.series_there.push(("t".to_owned(), "Night".to_owned())));
        assert_eq!(doubled.duplicated, 1, "{doubled:?}");
        for (what, verdict) in [
            ("for nobody", wrongs(|it| it.charges.push(charge("three", 0)))),
            ("although it failed", wrongs(|it| it.charges.push(charge("two", 0)))),
            ("too much", wrongs(|it| it.charges[0].amount = 600)),
            ("a part was given back", wrongs(|it| it.charges[0].refunded = 100)),
            ("has not ended", wrongs(|it| drop(it.states.insert("two".to_owned(), Some("pending".to_owned()))))),
            ("unbalanced", wrongs(|it| it.is_balanced = false)),
            ("other books", wrongs(|it| it.held = 1)),
            ("waiting", wrongs(|it| it.waiting = 1)),
            ("running", wrongs(|it| it.runs.extend([("running".to_owned(), 1)]))),
        ] {
            assert!(!verdict.wrongs.is_empty(), "{what}");
        }
    }
}
