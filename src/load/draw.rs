//! What a load draws: a function of (scenario seed, stage, index, purpose), never of the order in which things happen.

use rand_pcg::Pcg64Mcg;
use relaybench_mock::draw;

/// What a draw decides. The numbers are part of what a seed means: they may be added to, never changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    Arrivals = 1,
    Model = 2,
    Prompt = 3,
    PromptTokens = 4,
    Words = 5,
    MaxTokens = 6,
    Turns = 7,
    ThinkTime = 8,
}

/// Which stage of which run draws.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Key {
    pub(super) seed: u64,
    pub(super) stage: u32,
}

impl Key {
    /// A number above 0 and below 1.
    pub(super) fn uniform(self, purpose: Purpose, index: u64) -> f64 {
        draw::uniform(&mut self.stream(purpose, index))
    }

    /// As many numbers as are needed.
    pub(super) fn stream(self, purpose: Purpose, index: u64) -> Pcg64Mcg {
        // Not a word that the mock hashes: its draws for the same seed are others.
        let mut bytes = *b"load draws\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0";
        bytes[10] = purpose as u8;
        bytes[11..19].copy_from_slice(&self.seed.to_le_bytes());
        bytes[19..23].copy_from_slice(&self.stage.to_le_bytes());
        bytes[23..31].copy_from_slice(&index.to_le_bytes());
        let key = draw::hash(&bytes);
        Pcg64Mcg::new(u128::from(key) << 64 | u128::from(draw::hash(&key.to_le_bytes())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_of_the_key_changes_the_draw() {
        let draw = |seed, stage, purpose, index| Key { seed, stage }.uniform(purpose, index).to_bits();
        let all = [
            draw(1, 0, Purpose::Model, 0),
            draw(2, 0, Purpose::Model, 0),
            draw(1, 1, Purpose::Model, 0),
            draw(1, 0, Purpose::Prompt, 0),
            draw(1, 0, Purpose::Model, 1),
        ];
        for (i, a) in all.iter().enumerate() {
            assert!(all[..i].iter().all(|b| a != b), "{all:x?}");
        }
    }

    #[test]
    fn a_golden_draw_holds_to_the_bit() {
        assert_eq!(Key { seed: 1, stage: 0 }.uniform(Purpose::Arrivals, 0).to_bits(), 0x3fc8_74bc_cd01_c344);
    }
}
