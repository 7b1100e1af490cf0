//! Memory for values under construction: aligned, grown by doubling, and used again by the next batch.
//!
//! How much there is depends on the largest batches only: of each size as many pieces as are in use at once.

use bytemuck::Pod;

use crate::memory::per_thread;

/// What memory is asked for in: its alignment serves every value that a column holds.
type Word = u128;

const WORD_BYTES: usize = size_of::<Word>();

/// The least memory of a buffer. All have a power of two, so that there are few sizes.
const WORDS_MIN: usize = 64;

/// At most this many pieces of memory wait for their next use; what is given back beyond them is freed.
const POOL_PIECES_MAX: usize = 128;

per_thread! {
    /// Memory of buffers that are gone. The next batch takes it.
    fn with_pool() -> Vec<Vec<Word>> = Vec::new();
}

/// Bytes that grow. A buffer without bytes has no memory.
#[derive(Debug, Default)]
pub(crate) struct Buffer {
    /// All of it is initialised; what lies behind `len_bytes` means nothing.
    words: Vec<Word>,
    len_bytes: usize,
}

impl Buffer {
    /// No bytes.
    pub(crate) const fn new() -> Self {
        Self { words: Vec::new(), len_bytes: 0 }
    }

    /// Number of bytes.
    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.len_bytes
    }

    /// Number of values of type `T`.
    #[inline]
    pub(crate) fn count<T: Pod>(&self) -> usize {
        self.len_bytes / size_of::<T>()
    }

    /// The bytes.
    #[inline]
    pub(crate) fn bytes(&self) -> &[u8] {
        &bytemuck::cast_slice(&self.words)[..self.len_bytes]
    }

    /// The bytes, to be changed.
    #[inline]
    pub(crate) fn bytes_mut(&mut self) -> &mut [u8] {
        &mut bytemuck::cast_slice_mut(&mut self.words)[..self.len_bytes]
    }

    /// The bytes as values; a part of one at the end is left out.
    #[inline]
    pub(crate) fn values<T: Pod>(&self) -> &[T] {
        &bytemuck::cast_slice(&self.words)[..self.count::<T>()]
    }

    /// Values from byte `at` on, to the end.
    #[inline]
    pub(crate) fn values_from_mut<T: Pod>(&mut self, at: usize) -> &mut [T] {
        bytemuck::cast_slice_mut(&mut self.bytes_mut()[at..])
    }

    /// The first so many bytes alone.
    pub(crate) fn truncate(&mut self, bytes: usize) {
        self.len_bytes = self.len_bytes.min(bytes);
    }

    /// No bytes any more; the memory stays.
    pub(crate) fn clear(&mut self) {
        self.len_bytes = 0;
    }

    /// Room for so many more bytes without another allocation.
    pub(crate) fn reserve(&mut self, bytes: usize) {
        let wanted = (self.len_bytes + bytes).div_ceil(WORD_BYTES);
        if wanted > self.words.len() {
            self.grow(wanted);
        }
    }

    /// One value more. All values of a buffer have the same size.
    #[inline]
    pub(crate) fn push<T: Pod>(&mut self, value: T) {
        let at = self.count::<T>();
        if let Some(slot) = bytemuck::cast_slice_mut::<Word, T>(&mut self.words).get_mut(at) {
            *slot = value;
            self.len_bytes += size_of::<T>();
        } else {
            self.extend(bytemuck::bytes_of(&value));
        }
    }

    /// These bytes more.
    #[inline]
    pub(crate) fn extend(&mut self, bytes: &[u8]) {
        self.extend_any(bytes.len()).copy_from_slice(bytes);
    }

    /// So many bytes more, all with this value.
    pub(crate) fn extend_filled(&mut self, bytes: usize, value: u8) {
        self.extend_any(bytes).fill(value);
    }

    /// So many bytes more, whose values mean nothing yet.
    #[inline]
    pub(crate) fn extend_any(&mut self, bytes: usize) -> &mut [u8] {
        self.reserve(bytes);
        let at = self.len_bytes;
        self.len_bytes += bytes;
        &mut bytemuck::cast_slice_mut(&mut self.words)[at..at + bytes]
    }

    #[cold]
    #[inline(never)]
    fn grow(&mut self, words: usize) {
        let words = words.max(WORDS_MIN).next_power_of_two();
        // Without a pool, which is so only while the thread ends, memory is new.
        if with_pool(|pool| exchange(pool, &mut self.words, words)) == Some(true) {
            return;
        }
        let mut larger = vec![0; words];
        larger[..self.words.len()].copy_from_slice(&self.words);
        // Not grown in place: what is small waits too, else small columns would have only large memory to take.
        drop(Self { words: std::mem::replace(&mut self.words, larger), len_bytes: 0 });
    }
}

/// Exchanges memory for the smallest in the pool that is large enough, if there is any, and takes the values along. The
/// smallest: if a small column took the memory of a large one, all columns would come to have as much as the largest.
fn exchange(pool: &mut [Vec<Word>], memory: &mut Vec<Word>, words: usize) -> bool {
    let mut best: Option<&mut Vec<Word>> = None;
    for other in pool {
        if other.len() >= words && best.as_ref().is_none_or(|best| other.len() < best.len()) {
            best = Some(other);
        }
    }
    let Some(best) = best else { return false };
    best[..memory.len()].copy_from_slice(memory);
    std::mem::swap(best, memory);
    true
}

/// A copy of the bytes.
impl Clone for Buffer {
    fn clone(&self) -> Self {
        let mut copy = Self::new();
        copy.extend(self.bytes());
        copy
    }
}

/// The memory waits for the next buffer.
impl Drop for Buffer {
    fn drop(&mut self) {
        if self.words.is_empty() {
            return;
        }
        let words = std::mem::take(&mut self.words);
        // Where the memory was taken from without any in exchange, there is room for it.
        let _ = with_pool(|pool| {
            if let Some(room) = pool.iter_mut().find(|other| other.is_empty()) {
                *room = words;
            } else if pool.len() < POOL_PIECES_MAX {
                pool.push(words);
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_come_back_and_memory_is_used_again() {
        let mut buffer = Buffer::new();
        (0..1000_i64).for_each(|value| buffer.push(value));
        assert_eq!((buffer.len(), buffer.count::<i64>()), (8000, 1000));
        assert!(buffer.values::<i64>().iter().copied().eq(0..1000));
        buffer.extend(&7_i64.to_ne_bytes());
        assert_eq!(buffer.values::<i64>()[1000], 7);
        let memory = buffer.words.as_ptr();
        drop(buffer);
        let mut next = Buffer::new();
        next.extend_filled(8000, 3);
        assert_eq!(next.words.as_ptr(), memory);
        assert_eq!(next.clone().bytes(), [3; 8000]);
    }
}
