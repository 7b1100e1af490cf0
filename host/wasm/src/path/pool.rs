//! Memory for what comes out of guests, used again once nobody refers to it.
//!
//! A batch that leaves a plugin lives as long as somebody downstream holds it; then its memory goes back to the thread
//! that it came from. Without this each batch of some hundred kilobytes would be memory fresh from the system, which
//! costs more than the copy into it.

use std::sync::{Arc, Mutex, PoisonError, Weak};

use arrow::buffer::{Buffer, MutableBuffer};
use arrow::datatypes::ArrowNativeType;
use bytes::Bytes;

/// Blocks that one thread keeps for later: about as many batches as are under way between it and a sink.
const BLOCKS_KEPT_MAX: usize = 16;

/// A larger block is not kept.
const BLOCK_BYTES_MAX: usize = 4 << 20;

/// A smaller piece costs less to allocate than to look up.
const BLOCK_BYTES_MIN: usize = 4 << 10;

/// A block serves pieces down to this part of it, so that a small batch never holds a large block.
const WASTE_FACTOR_MAX: usize = 4;

thread_local! {
    static POOL: Arc<Pool> = Arc::default();
}

/// The blocks that wait for use. The lock is held for a few instructions, and nearly always by its own thread.
#[derive(Debug, Default)]
pub(crate) struct Pool(Mutex<Vec<MutableBuffer>>);

/// A copy of these bytes, aligned for every type of Arrow.
pub(crate) fn copied(bytes: &[u8]) -> Buffer {
    let mut block = Block::of(bytes.len());
    block.extend_from_slice(bytes);
    block.freeze()
}

/// An empty block, to be filled.
pub(crate) struct Block {
    memory: MutableBuffer,
    home: Option<Weak<Pool>>,
}

impl Block {
    /// Room for so many bytes.
    pub(crate) fn of(bytes: usize) -> Self {
        if !(BLOCK_BYTES_MIN..=BLOCK_BYTES_MAX).contains(&bytes) {
            return Self { memory: MutableBuffer::with_capacity(bytes), home: None };
        }
        POOL.with(|pool| {
            let memory = pool.take(bytes).unwrap_or_else(|| MutableBuffer::with_capacity(bytes));
            Self { memory, home: Some(Arc::downgrade(pool)) }
        })
    }

    /// Adds values as they lie in memory.
    pub(crate) fn extend_from_slice<T: ArrowNativeType>(&mut self, values: &[T]) {
        self.memory.extend_from_slice(values);
    }

    /// What was added, for anybody to read; the block goes home after the last reader.
    pub(crate) fn freeze(self) -> Buffer {
        match self.home {
            None => self.memory.into(),
            Some(home) => Buffer::from(Bytes::from_owner(Loan { memory: self.memory, home })),
        }
    }
}

impl Pool {
    fn take(&self, bytes: usize) -> Option<MutableBuffer> {
        let mut blocks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let fits = |block: &MutableBuffer| (bytes..=bytes * WASTE_FACTOR_MAX).contains(&block.capacity());
        // The one given back last is the one that is still in the processor's cache.
        let at = blocks.iter().rposition(fits)?;
        let mut block = blocks.remove(at);
        block.clear();
        Some(block)
    }

    fn give_back(&self, block: MutableBuffer) {
        let mut blocks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if blocks.len() >= BLOCKS_KEPT_MAX {
            // The oldest: sizes that nobody asks for any more do not stay for ever.
            blocks.remove(0);
        }
        blocks.push(block);
    }
}

/// A block in use, which finds its way home.
struct Loan {
    memory: MutableBuffer,
    home: Weak<Pool>,
}

impl AsRef<[u8]> for Loan {
    fn as_ref(&self) -> &[u8] {
        self.memory.as_slice()
    }
}

impl Drop for Loan {
    fn drop(&mut self) {
        if let Some(home) = self.home.upgrade() {
            home.give_back(std::mem::take(&mut self.memory));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept() -> usize {
        POOL.with(|pool| pool.0.lock().unwrap_or_else(PoisonError::into_inner).len())
    }

    #[test]
    fn a_block_comes_back_when_its_last_reader_lets_go() {
        let bytes: Vec<u8> = (0..=255).cycle().take(100_000).collect();
        let first = copied(&bytes);
        assert_eq!(first.as_slice(), bytes);
        assert_eq!(first.as_ptr().align_offset(64), 0);
        let (address, reader) = (first.as_ptr().addr(), first.slice(64));
        drop(first);
        assert_eq!(kept(), 0, "somebody still reads it");
        // Downstream is another thread as a rule.
        std::thread::spawn(move || drop(reader)).join().expect("drops");
        assert_eq!(kept(), 1);
        let second = copied(&bytes[..60_000]);
        assert_eq!((second.as_ptr().addr(), second.as_slice()), (address, &bytes[..60_000]));
    }

    #[test]
    fn small_pieces_do_not_hold_large_blocks_and_the_number_kept_is_bounded() {
        drop(copied(&[7; 1 << 20]));
        assert_eq!(kept(), 1);
        let small = copied(&[7; 10_000]);
        assert_eq!(kept(), 1, "the large block was not taken");
        drop(small);
        let many: Vec<Buffer> = (0..3 * BLOCKS_KEPT_MAX).map(|_| copied(&[1; BLOCK_BYTES_MIN])).collect();
        drop(many);
        assert_eq!(kept(), BLOCKS_KEPT_MAX);
        drop(copied(&vec![1; BLOCK_BYTES_MAX + 1]));
        assert_eq!(kept(), BLOCKS_KEPT_MAX, "as it was");
    }
}
