//! Mutations that know where a message keeps its numbers.

use arrow::ipc::{Message, RecordBatch, root_as_message};

use crate::Target;
use crate::chance::Chance;
use crate::input::{CHOICE_BYTES, INPUT_BYTES_MAX};

/// Bytes of marker and length.
const PREFIX_BYTES: usize = 8;

/// The most changes that one mutation makes.
const CHANGES_MAX: usize = 4;

/// Changes inputs, by chance from a seed.
pub struct Mutator {
    target: Target,
    chance: Chance,
}

impl Mutator {
    /// A mutator whose changes follow from `seed`.
    #[must_use]
    pub fn new(target: Target, seed: u64) -> Self {
        Self { target, chance: Chance(seed) }
    }

    /// One of `count` things.
    pub fn pick(&mut self, count: usize) -> usize {
        self.chance.below(count)
    }

    /// Changes `input` in a few places; `other` is an input to take pieces from. The result is not longer than
    /// [`INPUT_BYTES_MAX`], and not empty.
    pub fn mutate(&mut self, input: &mut Vec<u8>, other: &[u8]) {
        for _ in 0..=self.chance.below(CHANGES_MAX) {
            self.change(input, other);
        }
        input.truncate(INPUT_BYTES_MAX);
        if input.is_empty() {
            input.push(0);
        }
    }

    fn change(&mut self, input: &mut Vec<u8>, other: &[u8]) {
        let begin = self.target.message_offset();
        if input.len() <= begin + PREFIX_BYTES {
            return input.extend_from_slice(other);
        }
        let (choice, message) = input.split_at_mut(begin);
        let metadata = metadata_bytes(message);
        match self.chance.below(12) {
            // The numbers that the format is made of are worth most of the tries.
            0..=4 => self.lie(message),
            5 => self.overwrite(&mut message[PREFIX_BYTES..metadata], 4),
            6 => self.overwrite(message, 1),
            7 => {
                let body = if metadata < message.len() { metadata } else { 0 };
                self.overwrite(&mut message[body..], 4);
            }
            8 => {
                let bit = self.chance.below(8 * message.len());
                message[bit / 8] ^= 1 << (bit % 8);
            }
            9 => {
                let byte = self.chance.next().to_le_bytes()[0];
                match self.chance.below(CHOICE_BYTES).checked_rem(choice.len()) {
                    Some(at) => choice[at] = byte,
                    None => message[PREFIX_BYTES] = byte,
                }
            }
            10 => self.splice(input, other),
            _ => self.resize(input),
        }
    }

    /// Puts a number that tempts into one of the places where the format counts or points.
    fn lie(&mut self, message: &mut [u8]) {
        let places = places(message);
        if places.is_empty() {
            return self.overwrite(message, 4);
        }
        let at = places[self.chance.below(places.len())];
        let Some(chunk) = message.get_mut(at..).and_then(|rest| rest.first_chunk_mut::<8>()) else { return };
        let value = i64::from_le_bytes(*chunk);
        let lies = lies(value);
        *chunk = lies[self.chance.below(lies.len())].to_le_bytes();
    }

    /// Puts a number of 1 to 8 bytes somewhere, at a multiple of `alignment`.
    fn overwrite(&mut self, bytes: &mut [u8], alignment: usize) {
        if bytes.is_empty() {
            return;
        }
        let at = self.chance.below(bytes.len()) / alignment * alignment;
        let width = [1, 2, 4, 8][self.chance.below(4)].min(bytes.len() - at);
        let tempting = lies(i64::try_from(bytes.len()).unwrap_or(i64::MAX));
        let number = tempting[self.chance.below(tempting.len())].to_le_bytes();
        bytes[at..at + width].copy_from_slice(&number[..width]);
    }

    /// Copies a piece of `other` over a place of the input, or of the input over another of its own.
    fn splice(&mut self, input: &mut [u8], other: &[u8]) {
        let own = input.to_vec();
        let from = if other.is_empty() || self.chance.below(2) == 0 { &own } else { other };
        let at = self.chance.below(input.len());
        let begin = self.chance.below(from.len()) & !7;
        let length = (8 << self.chance.below(6)).min(from.len() - begin).min(input.len() - at);
        input[at..at + length].copy_from_slice(&from[begin..begin + length]);
    }

    fn resize(&mut self, input: &mut Vec<u8>) {
        let at = self.chance.below(input.len());
        match self.chance.below(3) {
            0 => input.truncate(at),
            1 => input.resize(input.len() + (1 << self.chance.below(8)), 0),
            _ => {
                let end = (at + (1 << self.chance.below(6))).min(input.len());
                input.drain(at..end);
            }
        }
    }
}

/// Where a message keeps the numbers that Arrow believes: rows, length of the body, and for each node and buffer the two
/// that it has. All have eight bytes. Nothing where the metadata is no flatbuffer.
#[must_use]
pub fn places(bytes: &[u8]) -> Vec<usize> {
    let metadata = bytes.get(PREFIX_BYTES..metadata_bytes(bytes));
    let Some(message) = metadata.and_then(|metadata| root_as_message(metadata).ok()) else { return Vec::new() };
    let slot = |table: usize, at: u16| (at > 0).then(|| PREFIX_BYTES + table + usize::from(at));
    let body = slot(message._tab.loc(), message._tab.vtable().get(Message::VT_BODYLENGTH));
    let mut places: Vec<usize> = body.into_iter().collect();
    if let Some(batch) = message.header_as_record_batch() {
        places.extend(slot(batch._tab.loc(), batch._tab.vtable().get(RecordBatch::VT_LENGTH)));
        let vectors = [batch.nodes().map(|nodes| nodes.bytes()), batch.buffers().map(|buffers| buffers.bytes())];
        for vector in vectors.into_iter().flatten() {
            let begin = vector.as_ptr().addr() - bytes.as_ptr().addr();
            places.extend((begin..begin + vector.len()).step_by(8));
        }
    }
    places
}

/// What may stand in the place of `value` to tempt a reader: near it, and at the edges of every width.
#[must_use]
pub fn lies(value: i64) -> [i64; 22] {
    [
        0,
        1,
        -1,
        7,
        8,
        64,
        value.wrapping_add(1),
        value.wrapping_sub(1),
        value.wrapping_add(8),
        value.wrapping_sub(8),
        value.wrapping_mul(2),
        value.wrapping_neg(),
        127,
        i64::from(u16::MAX),
        i64::from(i32::MAX),
        i64::from(i32::MIN),
        i64::from(u32::MAX),
        1 << 32,
        1 << 61,
        i64::MAX - 7,
        i64::MAX,
        i64::MIN,
    ]
}

/// Where the metadata ends, were it as long as the prefix says and the message permits.
fn metadata_bytes(bytes: &[u8]) -> usize {
    let claimed = match bytes.first_chunk::<PREFIX_BYTES>() {
        Some([_, _, _, _, length @ ..]) => usize::try_from(u32::from_le_bytes(*length)).unwrap_or(usize::MAX),
        None => 0,
    };
    claimed.saturating_add(PREFIX_BYTES).min(bytes.len())
}
