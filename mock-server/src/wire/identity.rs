//! What names an answer and its parts.

use rand_pcg::rand_core::Rng;

use crate::draw::{Draws, Purpose};

/// Drawn for each attempt; every dialect spells it in its own way.
#[derive(Clone, Debug)]
pub(crate) struct Identity {
    completion: [u64; 2],
    request: [u64; 2],
}

impl Identity {
    pub(crate) fn new(draws: Draws) -> Self {
        let mut stream = draws.stream(Purpose::Identity);
        let mut numbers = || [stream.next_u64(), stream.next_u64()];
        Self { completion: numbers(), request: numbers() }
    }

    /// The request's name: a prefix and 24 letters and digits.
    pub(super) fn request_letters(&self, prefix: &str) -> String {
        let mut id = Vec::with_capacity(prefix.len() + 24);
        id.extend_from_slice(prefix.as_bytes());
        self.request.into_iter().for_each(|number| id.extend_from_slice(&letters(number)));
        String::from_utf8(id).expect("letters and digits")
    }

    /// The request's name as a UUID of version 4.
    pub(super) fn request_uuid(&self) -> String {
        let [high, low] = self.request;
        let high = high & !0xf000 | 0x4000;
        let low = low & !(0b11 << 62) | 0b10 << 62;
        format!(
            "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
            high >> 32,
            high >> 16 & 0xffff,
            high & 0xffff,
            low >> 48,
            low & 0xffff_ffff_ffff
        )
    }

    /// Sixteen hexadecimal digits of the request's name.
    pub(super) fn request_hex(&self) -> String {
        format!("{:016x}", self.request[0])
    }

    /// The request's name in 22 digits.
    pub(super) fn request_digits(&self) -> String {
        let number = u128::from(self.request[0]) << 64 | u128::from(self.request[1]);
        format!("{:022}", number % 10_u128.pow(22))
    }

    /// Appends 24 letters and digits: the answer's name.
    pub(super) fn write_answer_letters(&self, out: &mut Vec<u8>) {
        self.completion.into_iter().for_each(|number| out.extend_from_slice(&letters(number)));
    }
}

/// Twelve letters and digits, of five bits each.
pub(super) fn letters(number: u64) -> [u8; 12] {
    const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
    std::array::from_fn(|place| ALPHABET[(number >> (5 * place)) as usize % ALPHABET.len()])
}
