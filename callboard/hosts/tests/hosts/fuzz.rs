//! A process that says anything: requests changed at random, from a seed. Whatever it says, the next process is served, and every
//! invocation ends with the answer that was given for it or with an error.

use crate::wire::Wire;
use callboard_hosts::runtime::{Invocation, Limits, Runtime};
use std::time::Duration;

const SEED: u64 = 0x5eed;
const ROUNDS: usize = 400;

/// Numbers that look random and are the same each time.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % bound as u64) as usize
    }
}

const SEEDS: &[&[u8]] = &[
    b"GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\nhost: x\r\n\r\n",
    b"POST /2018-06-01/runtime/invocation/1/response HTTP/1.1\r\nhost: x\r\ncontent-length: 4\r\n\r\n\"hi\"",
    b"POST /2018-06-01/runtime/invocation/1/error HTTP/1.1\r\nlambda-runtime-function-error-type: E\r\ncontent-length: 2\r\n\r\n{}",
    b"POST /2018-06-01/runtime/init/error HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\n{}",
    b"POST /2018-06-01/runtime/invocation/1/response HTTP/1.1\r\nlambda-runtime-function-response-mode: streaming\r\n\
      content-type: application/vnd.awslambda.http-integration-response\r\ntransfer-encoding: chunked\r\n\r\n\
      a\r\n{}\0\0\0\0\0\0\0\0\r\n0\r\n\r\n",
];

fn mutated(numbers: &mut Numbers) -> Vec<u8> {
    let mut bytes = Vec::new();
    for _ in 0..=numbers.below(3) {
        bytes.extend_from_slice(SEEDS[numbers.below(SEEDS.len())]);
    }
    for _ in 0..numbers.below(6) {
        let at = numbers.below(bytes.len());
        match numbers.below(4) {
            0 => bytes[at] = numbers.below(256) as u8,
            1 => drop(bytes.drain(at..(at + 1 + numbers.below(9)).min(bytes.len()))),
            2 => bytes.insert(at, numbers.below(256) as u8),
            _ => bytes.truncate(at.max(1)),
        }
        if bytes.is_empty() {
            bytes.push(b'G');
        }
    }
    bytes
}

#[tokio::test]
async fn whatever_a_process_says_the_server_goes_on() {
    let mut numbers = Numbers(SEED);
    for round in 0..ROUNDS {
        let runtime =
            Runtime::bind(Limits { answer_bytes_max: 64, ..Limits::default() }).await.expect("a port is free");
        let said = mutated(&mut numbers);
        let invoked = runtime.invoke(Invocation::new("1", "{}", 0));
        let talked = async {
            let mut wire = Wire::connect(&runtime).await;
            wire.write(&said).await;
            // Whatever comes back, up to the end of this process.
            drop(tokio::time::timeout(Duration::from_millis(2), wire.read()).await);
        };
        tokio::select! {
            _ = invoked => {}
            () = talked => {}
        }
        let mut wire = Wire::connect(&runtime).await;
        let answer = wire.answer("nobody's", b"").await;
        assert_eq!(answer.status, 400, "round {round}: {:?}", String::from_utf8_lossy(&said));
    }
}
