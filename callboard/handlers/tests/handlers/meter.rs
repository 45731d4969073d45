//! What was called how often.

use crate::gate::{come, gate};
use callboard::Kind;
use callboard_handlers::Meter;

#[tokio::test]
async fn every_call_counts_for_its_binding() {
    let meter = Meter::new();
    let bench = gate(&meter).await;
    assert_eq!(meter.snapshot(), []);
    for (uri, token) in
        [("/who", None), ("/who", Some("good")), ("/inside", Some("good")), ("/inside", None), ("/x", None)]
    {
        drop(come(&bench, Kind::Get, uri, "demo", token).await);
    }
    let figures = meter.snapshot();
    let counts: Vec<_> = figures.iter().map(|row| (row.binding.as_str(), row.count, row.faults)).collect();
    assert_eq!(counts, [("gate get /who", 2, 0), ("gate get /inside", 2, 1), ("nothing", 1, 1)]);
    assert!(figures[0].function.ends_with("gate::tell"), "{}", figures[0].function);
    assert!(figures.iter().all(|row| row.longest_us <= row.total_us));
}
