//! A short fuzz on the stable compiler: examples are cut, joined and scribbled on, from a seed, and nothing panics. `FUZZ_ROUNDS`
//! makes it longer, `FUZZ_SEED` another one; a failure names both.

use super::desk::{self, Ask};
use super::sources::examples;
use super::{Function, events};
use callboard::{FaultKind, Pattern, Router, Uri};
use callboard_gateways::lambda::{Lambda, Routes};

const ROUNDS: u64 = 3_000;

/// A small generator: the same seed gives the same numbers.
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, most: usize) -> usize {
        (self.next() % most.max(1) as u64) as usize
    }

    fn of<'l, T>(&mut self, list: &'l [T]) -> &'l T {
        let at = self.below(list.len());
        &list[at]
    }
}

fn number(name: &str, usual: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(usual)
}

/// Words that mean something to a reader of events.
const WORDS: [&[u8]; 22] = [
    b"null",
    b"true",
    b"-1",
    b"1e999",
    b"\"\"",
    b"{}",
    b"[]",
    b"[{}]",
    b"\"2.0\"",
    b"\"Records\"",
    b"\"requestContext\"",
    b"\"http\"",
    b"\"aws:sqs\"",
    b"\"eventSource\"",
    b"\"\\ud800\"",
    b"\"\\u0000\"",
    b"\xff",
    b"\"..\"",
    b"\"/\"",
    b"\"%2f\"",
    b"\"isBase64Encoded\":true",
    b"{\"S\":{}}",
];

fn scribble(dice: &mut Dice, mut event: Vec<u8>, other: &[u8]) -> Vec<u8> {
    for _ in 0..=dice.below(4) {
        let at = dice.below(event.len());
        let end = (at + dice.below(24)).min(event.len());
        match dice.below(6) {
            0 => drop(event.drain(at..end)),
            1 => event.truncate(at),
            2 => drop(event.splice(at..end, dice.of(&WORDS).iter().copied())),
            3 => {
                let from = dice.below(other.len());
                let to = (from + dice.below(80)).min(other.len());
                event.splice(at..end, other[from..to].iter().copied());
            }
            4 => {
                if let Some(byte) = event.get_mut(at) {
                    *byte ^= 1 << dice.below(8);
                }
            }
            // Values are what is read: one is put in the place of another.
            _ => {
                let colon = event[at..].iter().position(|byte| *byte == b':').map(|colon| at + colon + 1);
                let end = colon.and_then(|from| {
                    event[from..].iter().position(|byte| matches!(byte, b',' | b'}')).map(|end| from + end)
                });
                if let (Some(from), Some(end)) = (colon, end) {
                    event.splice(from..end, dice.of(&WORDS).iter().copied());
                }
            }
        }
    }
    event
}

#[tokio::test]
async fn scribbled_events_are_refused_or_answered() {
    let (seed, rounds) = (number("FUZZ_SEED", 0x9E37_79B9_7F4A_7C15), number("FUZZ_ROUNDS", ROUNDS));
    let function = Function::new(vec![desk::service(Ask::Count)], &events::routes(Ask::Count)).await;
    let mut corpus: Vec<Vec<u8>> = examples().into_iter().map(|(_, event)| event).collect();
    let own =
        [events::http_v2(Ask::Count), events::rest(Ask::Count), events::alb(Ask::Count), events::socket(Ask::Count)];
    let records =
        [events::sqs("desk"), events::sns(), events::s3(), events::dynamodb(), events::kinesis(), events::rule()];
    corpus.extend(own.iter().chain(&records).map(|event| event.to_string().into_bytes()));
    let mut dice = Dice(seed | 1);
    let (mut taken, mut refused) = (0, 0);
    for round in 0..rounds {
        // Those that lead somewhere are half of them.
        let from = if dice.below(2) == 0 { corpus.len() - 10 } else { 0 };
        let (event, other) = (dice.of(&corpus[from..]).clone(), dice.of(&corpus).clone());
        let event = scribble(&mut dice, event, &other);
        let place = || format!("FUZZ_SEED={seed} FUZZ_ROUNDS={}: {}", round + 1, String::from_utf8_lossy(&event));
        match (Lambda::source_of(&event), function.send("r", event.clone()).await) {
            (_, Err(fault)) => {
                refused += 1;
                assert!(fault.kind != FaultKind::Bug, "{fault:?} for {}", place());
            }
            (Ok(_), Ok(answer)) => {
                taken += 1;
                assert!(serde_json::from_slice::<serde_json::Value>(&answer).is_ok(), "{}", place());
            }
            (Err(fault), Ok(_)) => panic!("{fault} and yet answered: {}", place()),
        }
    }
    assert!(taken > rounds / 40 && refused > rounds / 20, "{taken} taken and {refused} refused of {rounds}");
}

#[test]
fn scribbled_patterns_addresses_and_lines_are_read_or_refused() {
    let (seed, rounds) = (number("FUZZ_SEED", 0x2545_F491_4F6C_DD1D), number("FUZZ_ROUNDS", ROUNDS));
    let parts: [&str; 16] = ["/", "a", "{id}", "{", "}", "**", "*", "..", ".", "%2f", "%", "?", "#", "\\", "ä", "//"];
    let mut dice = Dice(seed | 1);
    let mut text = |most: usize| -> String { (0..dice.below(most)).map(|_| *dice.of(&parts)).collect() };
    let mut matched = 0;
    for _ in 0..rounds {
        let (pattern, address) = (format!("/{}", text(6)), format!("/{}", text(6)));
        let _ = Routes::parse(&format!("{} post {}; {}", text(3), text(6), text(9)));
        let uri = [Uri::parse(&address), Uri::from_encoded(&address)];
        let Ok(pattern) = Pattern::parse(pattern.leak()) else { continue };
        for uri in uri.into_iter().flatten() {
            assert_eq!(Uri::from_encoded(&uri.encoded()), Ok(uri.clone()), "{uri} has one spelling");
            let mut router = Router::default();
            router.insert(&pattern, ());
            matched += usize::from(router.find(&uri).is_some());
            let _ = pattern.params(&uri);
        }
    }
    assert!(matched > 20, "{matched} of {rounds} fit");
}
