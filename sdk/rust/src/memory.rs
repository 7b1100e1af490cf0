//! Memory that outlives a call, so that a steady job allocates nothing.

/// Declares a function that lends out one value per thread; `None` only while the thread ends.
///
/// A component has one thread: there a plain static does, which needs no code for threads that end.
macro_rules! per_thread {
    ($(#[$attribute:meta])* fn $name:ident() -> $held:ty = $first:expr;) => {
        $(#[$attribute])*
        fn $name<R>(f: impl FnOnce(&mut $held) -> R) -> Option<R> {
            #[cfg(target_arch = "wasm32")]
            {
                static HELD: crate::guest::OneThread<$held> = crate::guest::OneThread::new($first);
                Some(HELD.with(f))
            }
            #[cfg(not(target_arch = "wasm32"))]
            {
                ::std::thread_local! {
                    static HELD: ::std::cell::RefCell<$held> = const { ::std::cell::RefCell::new($first) };
                }
                HELD.try_with(|held| f(&mut held.borrow_mut())).ok()
            }
        }
    };
}

pub(crate) use per_thread;

/// The least that the heap of a component gives.
#[cfg(any(test, target_arch = "wasm32"))]
pub(crate) const BLOCK_BYTES_MIN: usize = 16;

/// Into how many sizes of blocks the heap of a component rounds: up to 2 GiB.
#[cfg(any(test, target_arch = "wasm32"))]
pub(crate) const CLASSES: usize = 104;

/// The class of blocks that hold so many bytes: four for each doubling, so that at most a fifth of a block is not used.
#[cfg(any(test, target_arch = "wasm32"))]
pub(crate) fn class_of(bytes: usize) -> usize {
    let last = bytes.saturating_sub(1);
    if last < 4 * BLOCK_BYTES_MIN {
        return last / BLOCK_BYTES_MIN;
    }
    let doublings = last.ilog2() as usize - 6;
    4 + doublings * 4 + (last >> (doublings + 4) & 3)
}

/// How many bytes the blocks of a class have.
#[cfg(any(test, target_arch = "wasm32"))]
pub(crate) fn class_bytes(class: usize) -> usize {
    if class < 4 {
        return (class + 1) * BLOCK_BYTES_MIN;
    }
    (class % 4 + 5) << (class / 4 + 3)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_hold_what_is_asked_for_and_waste_little() {
        let mut sizes: Vec<usize> = (0..5000).collect();
        sizes.extend((12..31).flat_map(|bits| [(1 << bits) - 1, 1 << bits, (1 << bits) + 1]));
        sizes.push((1 << 31) - 1);
        for bytes in sizes {
            let class = class_of(bytes);
            assert!(class < CLASSES && class_bytes(class) >= bytes, "{bytes}: class {class}");
            assert!(class == 0 || class_bytes(class - 1) < bytes, "{bytes} fit into class {}", class - 1);
            assert!(class < 4 || class_bytes(class) * 4 < bytes * 5, "{bytes} in {}", class_bytes(class));
            assert!(class_bytes(class).is_multiple_of(BLOCK_BYTES_MIN));
        }
    }
}
