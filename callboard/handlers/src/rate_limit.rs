//! How often somebody may call: a tenant, a person, an address without a person, and an address where secrets can be tried. In
//! fixed memory, and lossy: under very many callers the idlest are forgotten. Each process counts for itself.

use callboard::{Answer, BoxFuture, Fault, Handler, Head, Host, INVOKE, Msg, Next, Principal, STREAM};
use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

/// Callers of one place of the table.
const WAYS: usize = 8;
/// Places of the table; 32,768 callers are remembered, in half a megabyte.
const PLACES: usize = 4_096;

/// So many calls in so long a time; all of them may come at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// How many; 0 does not limit.
    pub count: u32,
    /// In how long.
    pub per_ms: u32,
}

impl Rate {
    /// So many in a minute.
    pub const fn per_minute(count: u32) -> Self {
        Self { count, per_ms: 60_000 }
    }
}

/// Who may call how often.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rates {
    /// All of a tenant together.
    pub tenant: Rate,
    /// One person in a tenant.
    pub person: Rate,
    /// One address without a person.
    pub address: Rate,
    /// One address, at functions where secrets can be tried.
    pub secrets: Rate,
}

/// Refuses who calls too often. Behind the authentication, because the limit of a person is theirs from wherever they call.
/// Calls of the runtime and of this machine are not limited by address: behind a proxy that nobody declared everybody has that one.
pub struct RateLimit {
    rates: Rates,
    table: Vec<Mutex<[Slot; WAYS]>>,
    hasher: RandomState,
}

#[derive(Clone, Copy, Default)]
struct Slot {
    caller: u64,
    /// When the caller would be as if never seen, in microseconds: the theoretical arrival time of the generic cell rate algorithm.
    idle_us: i64,
}

/// What a caller has left.
struct Left {
    name: &'static str,
    rate: Rate,
    count: u32,
    reset_ms: i64,
}

impl RateLimit {
    /// The handler.
    pub fn new(rates: Rates) -> Self {
        let table = (0..PLACES).map(|_| Mutex::new([Slot::default(); WAYS])).collect();
        Self { rates, table, hasher: RandomState::new() }
    }

    /// Every limit that the message counts for; the first that is hit refuses it, the scarcest is told.
    fn check(&self, host: &Host, head: &Head) -> Result<Option<Left>, Fault> {
        if head.source == STREAM {
            return Ok(None);
        }
        let now_ms = host.ports().clock.now_ms();
        let mut scarcest: Option<Left> = None;
        let mut count = |name, rate: Rate, caller: u64| {
            let left = self.count(name, rate, caller, now_ms)?;
            if let Some(left) = left
                && scarcest.as_ref().is_none_or(|other| share(&left) < share(other))
            {
                scarcest = Some(left);
            }
            Ok::<_, Fault>(())
        };
        let address = head.address.filter(|address| !address.is_loopback()).map(network);
        if let Some(address) = address
            && self.rates.secrets.count > 0
            && host.space().binding_for(&head.kind, &head.uri).is_some_and(|(_, binding)| binding.takes_secrets)
        {
            count("secrets", self.rates.secrets, self.hasher.hash_one(("secrets", address)))?;
        }
        match (&head.principal, address) {
            (Principal::Person { id, .. }, _) => {
                count("person", self.rates.person, self.hasher.hash_one(("person", &head.tenant, id)))?;
            }
            (Principal::Nobody, Some(address)) => {
                count("address", self.rates.address, self.hasher.hash_one(("address", address)))?;
            }
            _ => {}
        }
        if !matches!(head.principal, Principal::Service(_)) || head.source == INVOKE {
            count("tenant", self.rates.tenant, self.hasher.hash_one(("tenant", &head.tenant)))?;
        }
        Ok(scarcest)
    }

    fn count(&self, name: &'static str, rate: Rate, caller: u64, now_ms: i64) -> Result<Option<Left>, Fault> {
        if rate.count == 0 {
            return Ok(None);
        }
        let place = usize::try_from(caller % PLACES as u64).expect("it is less than the table is long");
        let mut ways = self.table[place].lock().unwrap_or_else(PoisonError::into_inner);
        let known = ways.iter().position(|slot| slot.caller == caller);
        let idlest = || (0..WAYS).min_by_key(|at| ways[*at].idle_us).expect("there are ways");
        let at = known.unwrap_or_else(idlest);
        let slot = &mut ways[at];
        if known.is_none() {
            *slot = Slot { caller, idle_us: i64::MIN };
        }
        match step(rate, slot.idle_us, now_ms.saturating_mul(1_000)) {
            Ok((idle_us, count)) => {
                slot.idle_us = idle_us;
                let reset_ms = idle_us / 1_000 - now_ms;
                Ok(Some(Left { name, rate, count, reset_ms }))
            }
            Err(wait_us) => Err(refuse(name, rate, (wait_us + 999) / 1_000)),
        }
    }
}

/// One call more at a time: when the caller is idle then, and how many are left; or how long to wait, in microseconds.
fn step(rate: Rate, idle_us: i64, now_us: i64) -> Result<(i64, u32), i64> {
    let window_us = i64::from(rate.per_ms) * 1_000;
    let each_us = (window_us / i64::from(rate.count)).max(1);
    let next_us = idle_us.max(now_us) + each_us;
    let ahead_us = next_us - now_us;
    if ahead_us > window_us {
        return Err(ahead_us - window_us);
    }
    Ok((next_us, u32::try_from((window_us - ahead_us) / each_us).unwrap_or(u32::MAX)))
}

/// An address as it is counted: whoever has one of version 6 has a whole network of them.
fn network(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(long) => match long.to_ipv4_mapped() {
            Some(short) => IpAddr::V4(short),
            None => IpAddr::V6((u128::from(long) >> 64 << 64).into()),
        },
    }
}

fn share(left: &Left) -> u64 {
    u64::from(left.count) * 1_000 / u64::from(left.rate.count)
}

fn seconds(time_ms: i64) -> i64 {
    (time_ms.max(0) + 999) / 1_000
}

fn policy(name: &str, rate: Rate) -> String {
    format!("\"{name}\";q={};w={}", rate.count, rate.per_ms / 1_000)
}

fn refuse(name: &str, rate: Rate, wait_ms: i64) -> Fault {
    let wait_s = seconds(wait_ms).max(1);
    Fault::too_many("rate.limited", format!("too many requests; try again in {wait_s} seconds"))
        .header("retry-after", wait_s.to_string())
        .header("ratelimit-policy", policy(name, rate))
        .header("ratelimit", format!("\"{name}\";r=0;t={wait_s}"))
}

/// Tells what is left once it is less than a quarter.
fn tell(answer: &mut Answer, left: &Left) {
    if share(left) < 250 {
        let (name, count, reset_s) = (left.name, left.count, seconds(left.reset_ms));
        answer.headers.push(("ratelimit-policy", policy(name, left.rate)));
        answer.headers.push(("ratelimit", format!("\"{name}\";r={count};t={reset_s}")));
    }
}

impl Handler for RateLimit {
    fn handle<'a>(&'a self, host: &'a Host, msg: Msg, next: Next<'a>) -> BoxFuture<'a, Result<Answer, Fault>> {
        match self.check(host, &msg.head) {
            Err(fault) => Box::pin(std::future::ready(Err(fault))),
            // What is far from its limit needs no future of its own around the rest.
            Ok(left) => match left.filter(|left| share(left) < 250) {
                None => next.run(host, msg),
                Some(left) => Box::pin(async move {
                    let mut answer = next.run(host, msg).await?;
                    tell(&mut answer, &left);
                    Ok(answer)
                }),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn all_may_come_at_once_and_then_one_by_one() {
        let rate = Rate { count: 3, per_ms: 3_000 };
        let mut idle_us = i64::MIN;
        for left in [2, 1, 0] {
            let (next_us, count) = step(rate, idle_us, 0).expect("three at once");
            assert_eq!(count, left);
            idle_us = next_us;
        }
        assert_eq!(step(rate, idle_us, 0), Err(1_000_000), "the fourth waits a second");
        assert_eq!(step(rate, idle_us, 1_000_000), Ok((4_000_000, 0)));
        assert_eq!(step(rate, idle_us, 60_000_000).map(|(_, count)| count), Ok(2), "after a while it begins anew");
    }

    #[test]
    fn an_address_of_version_6_counts_as_its_network() {
        let read = |text: &str| network(text.parse().expect("an address")).to_string();
        assert_eq!(read("2001:db8:1:2:3:4:5:6"), read("2001:db8:1:2::9"));
        assert_ne!(read("2001:db8:1:3::9"), read("2001:db8:1:2::9"));
        assert_eq!(read("::ffff:192.0.2.7"), "192.0.2.7");
    }

    proptest! {
        #[test]
        fn in_no_window_more_come_through_than_twice_the_rate(
            count in 1_u32..50,
            pauses in prop::collection::vec(0_i64..2_000, 1..300),
        ) {
            let rate = Rate { count, per_ms: 10_000 };
            let (mut idle_us, mut now_us, mut passed) = (i64::MIN, 0, Vec::new());
            for pause_ms in pauses {
                now_us += pause_ms * 1_000;
                if let Ok((next_us, _)) = step(rate, idle_us, now_us) {
                    idle_us = next_us;
                    passed.push(now_us);
                }
            }
            for (at, first_us) in passed.iter().enumerate() {
                let inside = passed[at..].iter().take_while(|time_us| **time_us < first_us + 10_000_000).count();
                prop_assert!(inside <= 2 * count as usize, "{inside} of {count}");
            }
        }
    }
}
