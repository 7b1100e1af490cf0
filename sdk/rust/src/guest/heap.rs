//! The heap of a component: free lists by size, above memory that only grows.
//!
//! Rust's own allocator for WebAssembly joins and splits blocks, with 7 KB of code. An operator allocates little (columns
//! lie in buffers that are used again) and the same from batch to batch: what one batch frees, the next takes from a list,
//! in a few instructions. Blocks are never joined. So memory of one size is not used for another: each size keeps as many
//! blocks as were in use at once, and the whole is bounded by that, whatever the order in which sizes come. What lies last
//! grows in place; when it is freed it stays what it is, so that nothing depends on where it lay.

use std::alloc::{GlobalAlloc, Layout};
use std::arch::wasm32::memory_grow;
use std::cell::UnsafeCell;
use std::ptr;

use crate::memory::{BLOCK_BYTES_MIN, CLASSES, class_bytes, class_of};

/// What WebAssembly gives memory in.
const PAGE_BYTES: usize = 64 * 1024;

/// Blocks from this size on are aligned as the arena wants its memory, so that it can have any that is free.
const LARGE_BYTES_MIN: usize = 4096;
const LARGE_ALIGNMENT_BYTES: usize = 64;

/// A block that is free holds where the next one of its list is.
struct Free {
    next: *mut Free,
}

struct State {
    /// Blocks of each class that are free.
    free: [*mut Free; CLASSES],
    /// Memory from here to `end` was never used.
    top: usize,
    end: usize,
}

struct Shared(UnsafeCell<State>);

// SAFETY: WebAssembly without the threads proposal, which hosts switch off, has one thread.
unsafe impl Sync for Shared {}

static STATE: Shared = Shared(UnsafeCell::new(State { free: [ptr::null_mut(); CLASSES], top: 0, end: 0 }));

fn with_state<R>(f: impl FnOnce(&mut State) -> R) -> R {
    // SAFETY: one thread, and no `f` of this file comes back here: they call nothing but instructions.
    f(unsafe { &mut *STATE.0.get() })
}

impl State {
    fn take(&mut self, class: usize, alignment: usize) -> *mut u8 {
        if alignment > PAGE_BYTES {
            return ptr::null_mut();
        }
        let mut link: *mut *mut Free = &mut self.free[class];
        // SAFETY: lists hold blocks that are free, whose first word this file alone writes.
        unsafe {
            while !(*link).is_null() {
                let block = *link;
                // Blocks are aligned for all but what asks for more; then the list has few.
                if block.addr().is_multiple_of(alignment) {
                    *link = (*block).next;
                    return block.cast();
                }
                link = &mut (*block).next;
            }
        }
        let bytes = class_bytes(class);
        let least = if bytes < LARGE_BYTES_MIN { BLOCK_BYTES_MIN } else { LARGE_ALIGNMENT_BYTES };
        let start = self.top.next_multiple_of(alignment.max(least));
        if self.reach(start, bytes) {
            return ptr::with_exposed_provenance_mut(self.top - bytes);
        }
        ptr::null_mut()
    }

    /// Makes a block of so many bytes from `start` on the last one; whether there is memory for it. Where memory does not
    /// follow what there is, the block begins elsewhere, aligned to a page.
    fn reach(&mut self, start: usize, bytes: usize) -> bool {
        let Some(top) = start.checked_add(bytes) else { return false };
        if top > self.end {
            let pages = (top - self.end).div_ceil(PAGE_BYTES);
            let begin = memory_grow::<0>(pages).wrapping_mul(PAGE_BYTES);
            if begin == usize::MAX.wrapping_mul(PAGE_BYTES) {
                return false;
            }
            if begin != self.end {
                // The first memory of all; or someone else has taken what lies between.
                self.end = begin + pages * PAGE_BYTES;
                return self.reach(begin, bytes);
            }
            self.end += pages * PAGE_BYTES;
        }
        self.top = top;
        true
    }

    fn free(&mut self, block: *mut u8, class: usize) {
        let block: *mut Free = block.cast();
        // SAFETY: the block is its owner's no more, and has room for a word.
        unsafe { (*block).next = self.free[class] };
        self.free[class] = block;
    }

    /// Whether a block can be of another class where it is.
    fn resize(&mut self, block: *mut u8, from: usize, to: usize) -> bool {
        if from == to {
            return true;
        }
        let is_last = block.addr() + class_bytes(from) == self.top;
        // Memory beyond the end is asked for only if it will follow: else the block would move without its bytes.
        let fits = block.addr().checked_add(class_bytes(to)).is_some_and(|top| top <= self.end);
        is_last && fits && self.reach(block.addr(), class_bytes(to))
    }
}

/// The heap.
pub(super) struct Heap;

// SAFETY: blocks are of a class that is large enough, aligned, and in one place only: used, in a list, or above the top.
unsafe impl GlobalAlloc for Heap {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        with_state(|state| state.take(class_of(layout.size()), layout.align()))
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        with_state(|state| state.free(block, class_of(layout.size())));
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, new_bytes: usize) -> *mut u8 {
        let (from, to) = (class_of(layout.size()), class_of(new_bytes));
        if with_state(|state| state.resize(block, from, to)) {
            return block;
        }
        let moved = with_state(|state| state.take(to, layout.align()));
        if !moved.is_null() {
            // SAFETY: both have so many bytes, and a block that is used overlaps no other.
            unsafe { ptr::copy_nonoverlapping(block, moved, layout.size().min(new_bytes)) };
            with_state(|state| state.free(block, from));
        }
        moved
    }
}
