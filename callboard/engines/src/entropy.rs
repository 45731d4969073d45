//! Randomness: of the operating system, and a seeded one that a run repeats. Secrets come from the operating system in both.

use callboard::ports::Entropy;
use rand_chacha::ChaCha12Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};
use std::sync::{Mutex, PoisonError};

/// Bytes that one seed gives before the operating system is asked for another.
const RESEED_BYTES: usize = 1 << 20;

/// Randomness for ids and jitter without a system call each; secrets are always the operating system's own.
pub struct SystemEntropy {
    generator: Mutex<(ChaCha12Rng, usize)>,
}

impl SystemEntropy {
    /// Seeds from the operating system.
    pub fn new() -> Self {
        Self { generator: Mutex::new((seed(), RESEED_BYTES)) }
    }
}

impl Default for SystemEntropy {
    fn default() -> Self {
        Self::new()
    }
}

impl Entropy for SystemEntropy {
    fn fill(&self, bytes: &mut [u8]) {
        let mut guard = self.generator.lock().unwrap_or_else(PoisonError::into_inner);
        let (generator, left_bytes) = &mut *guard;
        if *left_bytes < bytes.len() {
            (*generator, *left_bytes) = (seed(), RESEED_BYTES);
        }
        generator.fill_bytes(bytes);
        *left_bytes = left_bytes.saturating_sub(bytes.len());
    }

    fn fill_secret(&self, bytes: &mut [u8]) {
        fill_from_system(bytes);
    }
}

/// Randomness that repeats: the same seed gives the same ids. Secrets do not repeat.
pub struct SeededEntropy {
    generator: Mutex<ChaCha12Rng>,
}

impl SeededEntropy {
    /// Starts from a seed.
    pub fn new(seed: u64) -> Self {
        Self { generator: Mutex::new(ChaCha12Rng::seed_from_u64(seed)) }
    }
}

impl Entropy for SeededEntropy {
    fn fill(&self, bytes: &mut [u8]) {
        self.generator.lock().unwrap_or_else(PoisonError::into_inner).fill_bytes(bytes);
    }

    fn fill_secret(&self, bytes: &mut [u8]) {
        fill_from_system(bytes);
    }
}

fn seed() -> ChaCha12Rng {
    let mut seed = [0; 32];
    fill_from_system(&mut seed);
    ChaCha12Rng::from_seed(seed)
}

fn fill_from_system(bytes: &mut [u8]) {
    getrandom::fill(bytes).expect("the operating system gives randomness");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn take(entropy: &dyn Entropy) -> [u8; 16] {
        let mut bytes = [0; 16];
        entropy.fill(&mut bytes);
        bytes
    }

    fn take_secret(entropy: &dyn Entropy) -> [u8; 16] {
        let mut bytes = [0; 16];
        entropy.fill_secret(&mut bytes);
        bytes
    }

    #[test]
    fn a_seed_repeats_its_run_and_another_does_not() {
        let (first, second) = (SeededEntropy::new(7), SeededEntropy::new(7));
        let run = [take(&first), take(&first)];
        assert_eq!(run, [take(&second), take(&second)]);
        assert_ne!(run[0], run[1]);
        assert_ne!(run[0], take(&SeededEntropy::new(8)));
    }

    #[test]
    fn secrets_do_not_repeat_with_the_seed_and_do_not_disturb_the_run() {
        let (first, second) = (SeededEntropy::new(7), SeededEntropy::new(7));
        assert_ne!(take_secret(&first), take_secret(&second));
        assert_eq!(take(&first), take(&second));
    }

    #[test]
    fn the_system_never_repeats_also_across_seeds() {
        let entropy = SystemEntropy::new();
        let mut seen = std::collections::HashSet::new();
        assert!((0..RESEED_BYTES / 16 + 1_000).all(|_| seen.insert(take(&entropy))));
        assert_ne!(take(&SystemEntropy::new()), take(&SystemEntropy::new()));
        let mut large = vec![0; RESEED_BYTES + 1];
        entropy.fill(&mut large);
        assert!(large[RESEED_BYTES - 64..].iter().any(|byte| *byte != 0));
    }
}
