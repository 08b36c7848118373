//! Every target with its corpus and some thousand seeded inputs, on any toolchain.
//!
//! Add an input on which a fuzzer crashed to `corpus/`, so that the bug does not come back.

use std::fs;
use std::panic::catch_unwind;
use std::path::{Path, PathBuf};

use fuzz::{TARGETS, Target};

/// Seeded inputs per target, unless `FUZZ_INPUTS` is set.
const INPUTS: u64 = 4_000;

/// The files of one corpus, sorted by name.
fn corpus(name: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("corpus")
        .join(name);
    let files = fs::read_dir(&folder).expect("a corpus for every target");
    let mut files: Vec<PathBuf> = files.map(|file| file.expect("a file").path()).collect();
    files.sort();
    assert!(files.len() >= 12, "{} has too few files", folder.display());
    files
}

fn run(target: Target, data: &[u8], what: &str) {
    let hex = || {
        data.iter()
            .fold(String::new(), |text, byte| format!("{text}{byte:02x}"))
    };
    assert!(catch_unwind(|| target(data)).is_ok(), "{what}: {}", hex());
}

#[test]
fn targets_accept_every_file_of_their_corpora() {
    for (name, target) in TARGETS {
        for file in corpus(name) {
            let data = fs::read(&file).expect("readable");
            run(target, &data, &file.display().to_string());
        }
    }
}

/// Random bytes, and files of the corpus with bytes changed, removed or duplicated.
#[test]
fn targets_accept_seeded_inputs() {
    let inputs = std::env::var("FUZZ_INPUTS").ok();
    let inputs = inputs.and_then(|text| text.parse().ok()).unwrap_or(INPUTS);
    for (name, target) in TARGETS {
        let seeds: Vec<Vec<u8>> = corpus(name)
            .iter()
            .map(|file| fs::read(file).expect("readable"))
            .collect();
        for seed in 0..inputs {
            let mut random = Random(seed);
            let data = if seed % 2 == 0 {
                (0..random.below(1_000)).map(|_| random.byte()).collect()
            } else {
                let file = random.below(seeds.len());
                mutate(seeds[file].clone(), &mut random)
            };
            run(target, &data, &format!("{name}, seed {seed}"));
        }
    }
}

fn mutate(mut data: Vec<u8>, random: &mut Random) -> Vec<u8> {
    for _ in 0..=random.below(8) {
        let (one, other) = (random.below(data.len() + 1), random.below(data.len() + 1));
        let (from, to) = (one.min(other), one.max(other));
        match random.below(6) {
            0 => data.insert(from, random.byte()),
            1 => drop(data.drain(from..to)),
            2 if data.len() < 4_000 => data.extend_from_within(from..to),
            _ => {
                if let Some(byte) = data.get_mut(from) {
                    *byte = random.byte();
                }
            }
        }
    }
    data
}

/// Random numbers that are the same in every run (`SplitMix64`).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % bound as u64).expect("below a usize")
    }

    fn byte(&mut self) -> u8 {
        self.next().to_be_bytes()[0]
    }
}
