//! The memory of a component: an arena for what the host hands in, and the allocator for everything else.
//!
//! The host asks [`cabi_realloc`] for memory for a call's arguments. It gets blocks of an arena, aligned as the values of
//! a message like it. Blocks live until the next call from outside begins, and cost nothing to free: bindings free what
//! they were passed, and the allocator ignores that. What a call gives back is lent in the same way.

use std::alloc::{GlobalAlloc, Layout};
use std::cell::UnsafeCell;
use std::ptr;

use super::heap::Heap;

/// Every block begins at a multiple of this many bytes.
const BLOCK_ALIGNMENT_BYTES: usize = 64;

/// The arena's first piece of memory.
const PIECE_BYTES_MIN: usize = 64 * 1024;

/// At most this many pieces: each is twice as large as all before it, and a component has 4 GiB.
const PIECES_MAX: usize = 20;

/// A piece of memory that blocks are cut from.
#[derive(Clone, Copy)]
struct Piece {
    start: *mut u8,
    bytes: usize,
}

const NO_PIECE: Piece = Piece { start: ptr::null_mut(), bytes: 0 };

impl Piece {
    fn has(&self, block: *const u8) -> bool {
        block.addr().wrapping_sub(self.start.addr()) < self.bytes
    }

    fn layout(&self) -> Layout {
        match Layout::from_size_align(self.bytes, BLOCK_ALIGNMENT_BYTES) {
            Ok(layout) => layout,
            // More than the component's memory: the host learns of it from the trap.
            Err(_) => std::process::abort(),
        }
    }
}

/// Blocks for arguments, and what is lent to the host.
struct Arena {
    /// The last one is cut from. After a reset there is one.
    pieces: [Piece; PIECES_MAX],
    count: usize,
    /// Bytes of the last piece that are taken.
    taken_bytes: usize,
    /// Whether a call has ended since a block was last given: then the next block begins a new call.
    call_ended: bool,
    /// Memory of the operator that the host reads now; its owner frees it.
    lent: *const u8,
}

/// The component's only arena. A component has one thread.
struct Shared(UnsafeCell<Arena>);

// SAFETY: WebAssembly without the threads proposal, which hosts switch off, has one thread.
unsafe impl Sync for Shared {}

static ARENA: Shared = Shared(UnsafeCell::new(Arena {
    pieces: [NO_PIECE; PIECES_MAX],
    count: 0,
    taken_bytes: 0,
    call_ended: true,
    lent: ptr::null(),
}));

/// Runs `f` on the arena.
fn with_arena<R>(f: impl FnOnce(&mut Arena) -> R) -> R {
    // SAFETY: one thread, and no `f` of this file comes back here: they call the heap only.
    f(unsafe { &mut *ARENA.0.get() })
}

impl Arena {
    /// A block of so many bytes; null when there is no memory.
    fn block(&mut self, bytes: usize) -> *mut u8 {
        if self.call_ended {
            self.reset();
        }
        let taken = bytes.next_multiple_of(BLOCK_ALIGNMENT_BYTES);
        let left = self.last().bytes - self.taken_bytes;
        if taken > left && !self.grow(taken) {
            return ptr::null_mut();
        }
        let block = self.last().start.wrapping_add(self.taken_bytes);
        self.taken_bytes += taken;
        block
    }

    fn last(&self) -> Piece {
        self.pieces[self.count.saturating_sub(1)]
    }

    fn grow(&mut self, bytes: usize) -> bool {
        if self.count == PIECES_MAX {
            return false;
        }
        // A power of two as buffers have, so that the heap can give to one what was the other's.
        let bytes = bytes.max(self.last().bytes * 2).max(PIECE_BYTES_MIN).next_power_of_two();
        let piece = Piece { start: ptr::null_mut(), bytes };
        // SAFETY: the layout has a size.
        let start = unsafe { Heap.alloc(piece.layout()) };
        if start.is_null() {
            return false;
        }
        self.pieces[self.count] = Piece { start, ..piece };
        self.count += 1;
        self.taken_bytes = 0;
        true
    }

    /// All blocks are free. The largest piece stays, so that a steady job needs no other.
    fn reset(&mut self) {
        self.call_ended = false;
        self.taken_bytes = 0;
        let kept = self.last();
        for piece in &self.pieces[..self.count.saturating_sub(1)] {
            // SAFETY: it was allocated with this layout, and no block of it is in use: the call they were for is over.
            unsafe { Heap.dealloc(piece.start, piece.layout()) };
        }
        if self.count > 1 {
            self.pieces[0] = kept;
            self.count = 1;
        }
    }

    /// Whether memory is not the allocator's to free.
    fn keeps(&self, block: *const u8) -> bool {
        ptr::eq(block, self.lent) || self.pieces[..self.count].iter().any(|piece| piece.has(block))
    }
}

/// Memory for the host's arguments, as the canonical ABI has it.
///
/// # Safety
/// `old_block` is null, or a block of `old_bytes` bytes from here.
#[unsafe(no_mangle)]
unsafe extern "C" fn cabi_realloc(old_block: *mut u8, old_bytes: usize, alignment: usize, new_bytes: usize) -> *mut u8 {
    if new_bytes == 0 {
        return ptr::without_provenance_mut(alignment);
    }
    if alignment > BLOCK_ALIGNMENT_BYTES {
        std::process::abort();
    }
    let block = with_arena(|arena| arena.block(new_bytes));
    if block.is_null() {
        // The host learns that there is no memory from the trap.
        std::process::abort();
    }
    if old_bytes > 0 {
        // SAFETY: both blocks have so many bytes, and a new block overlaps no other.
        unsafe { ptr::copy_nonoverlapping(old_block, block, old_bytes.min(new_bytes)) };
    }
    block
}

/// Makes sure that the linker keeps [`cabi_realloc`] and exports it.
#[used]
static REALLOC: unsafe extern "C" fn(*mut u8, usize, usize, usize) -> *mut u8 = cabi_realloc;

/// What an export holds while it runs; its end frees the blocks of its arguments, when the next call begins. A component
/// is never entered while one of its exports runs.
pub(super) struct Call(());

impl Call {
    /// An export begins. What the last one lent is not lent any more.
    pub(super) fn begin() -> Self {
        with_arena(|arena| arena.lent = ptr::null());
        Self(())
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        with_arena(|arena| arena.call_ended = true);
    }
}

/// A list for the host to read, without a copy. The memory must stay as it is until the next call begins: only one list
/// is lent at a time.
pub(super) fn lend(bytes: &[u8]) -> Vec<u8> {
    if bytes.is_empty() {
        return Vec::new();
    }
    with_arena(|arena| arena.lent = bytes.as_ptr());
    // SAFETY: nobody writes to the list, and its only owner, the binding, frees it through the allocator below, which
    // ignores what is lent; so it never meets the allocator that the memory is from.
    unsafe { Vec::from_raw_parts(bytes.as_ptr().cast_mut(), bytes.len(), bytes.len()) }
}

/// The heap, which leaves the arena and what is lent alone.
struct Allocator;

#[global_allocator]
static ALLOCATOR: Allocator = Allocator;

// SAFETY: all is the heap's, but for two cases. Memory that the arena keeps is not freed by its owner: that
// leaks nothing, because the arena is reset. Such memory is not grown in place either: it moves to the allocator.
unsafe impl GlobalAlloc for Allocator {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promise.
        unsafe { Heap.alloc(layout) }
    }

    #[inline]
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promise.
        unsafe { Heap.alloc_zeroed(layout) }
    }

    #[inline]
    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        if !with_arena(|arena| arena.keeps(block)) {
            // SAFETY: the caller's promise, and it is from the heap.
            unsafe { Heap.dealloc(block, layout) }
        }
    }

    #[inline]
    unsafe fn realloc(&self, block: *mut u8, layout: Layout, new_bytes: usize) -> *mut u8 {
        if !with_arena(|arena| arena.keeps(block)) {
            // SAFETY: the caller's promise, and it is from the heap.
            return unsafe { Heap.realloc(block, layout, new_bytes) };
        }
        // SAFETY: the caller has checked that a layout of this size is one.
        let moved = unsafe { Heap.alloc(Layout::from_size_align_unchecked(new_bytes, layout.align())) };
        if !moved.is_null() {
            // SAFETY: both have so many bytes, and what is new overlaps nothing.
            unsafe { ptr::copy_nonoverlapping(block, moved, layout.size().min(new_bytes)) };
        }
        moved
    }
}
