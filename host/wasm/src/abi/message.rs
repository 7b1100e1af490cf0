//! Batches as parameters and results of a component's functions: one copy in, one copy out.
//!
//! Wasmtime's own `list<u8>` wants the bytes in one piece, and gives them back in a `Vec` of any alignment. These two
//! types are the same list to a component, and go through the hooks that wasmtime's derive macros use (hidden from its
//! documentation, hence the pinned version): [`Outgoing`] writes header and columns straight into the guest's memory,
//! [`Incoming`] copies straight into aligned memory of the host.

use std::mem::MaybeUninit;
use std::sync::Arc;

use arrow::buffer::Buffer;
use volley_ipc::BatchMessage;
use wasmtime::ValRaw;
use wasmtime::component::__internal::{CanonicalAbiInfo, InstanceType, InterfaceType, LiftContext, LowerContext};
use wasmtime::component::{ComponentType, Lift, Lower};

use crate::path::pool;

/// The alignment that the canonical ABI asks for a `list<u8>`. Guests built on our SDK give 64 all the same.
const LIST_ALIGNMENT: u32 = 1;

/// A message on its way into a guest. Shared, so that the caller gets the memory of the message back after the call.
#[derive(Debug, Clone, Default)]
pub(crate) struct Outgoing(pub(crate) Arc<BatchMessage>);

/// A list of bytes from a guest, copied once into aligned memory of the host.
#[derive(Debug)]
pub(crate) struct Incoming(pub(crate) Buffer);

// SAFETY: the trait asks that `Lower`, `ABI` and `typecheck` describe one and the same component type. All three are
// those of `[u8]`, that is of `list<u8>`: two core values, pointer and length, in a pair of the size and alignment of
// `POINTER_PAIR`. (Wasmtime's own `WasmList<u8>` is declared in the same way.)
#[expect(unsafe_code, reason = "the trait is unsafe")]
unsafe impl ComponentType for Outgoing {
    type Lower = <[u8] as ComponentType>::Lower;
    const ABI: CanonicalAbiInfo = CanonicalAbiInfo::POINTER_PAIR;

    fn typecheck(ty: &InterfaceType, types: &InstanceType<'_>) -> wasmtime::Result<()> {
        <[u8] as ComponentType>::typecheck(ty, types)
    }
}

// SAFETY: as for `Outgoing`.
#[expect(unsafe_code, reason = "the trait is unsafe")]
unsafe impl ComponentType for Incoming {
    type Lower = <[u8] as ComponentType>::Lower;
    const ABI: CanonicalAbiInfo = CanonicalAbiInfo::POINTER_PAIR;

    fn typecheck(ty: &InterfaceType, types: &InstanceType<'_>) -> wasmtime::Result<()> {
        <[u8] as ComponentType>::typecheck(ty, types)
    }
}

impl Outgoing {
    /// Asks the guest for memory and writes the message there; gives address and length.
    fn write<T>(&self, cx: &mut LowerContext<'_, T>) -> wasmtime::Result<[u32; 2]> {
        let size = self.0.size_bytes();
        let length = u32::try_from(size)?;
        // Wasmtime has checked that `size` bytes from `address` on lie within the memory, and slices it with a check.
        let address = cx.realloc(0, 0, LIST_ALIGNMENT, size)?;
        self.0.write_to(&mut cx.as_slice_mut()[address..][..size]);
        Ok([u32::try_from(address)?, length])
    }
}

// SAFETY: the trait asks that a successful lowering leaves `dst`, or the memory at `offset`, holding a valid value of the
// type that `typecheck` accepted. Both get an address and a length between which `realloc` has promised `size` bytes of
// the guest's memory to us; each byte there is a valid `u8`. No raw pointer is touched: all writes are checked.
#[expect(unsafe_code, reason = "the trait is unsafe")]
unsafe impl Lower for Outgoing {
    fn linear_lower_to_flat<T>(
        &self,
        cx: &mut LowerContext<'_, T>,
        _ty: InterfaceType,
        dst: &mut MaybeUninit<Self::Lower>,
    ) -> wasmtime::Result<()> {
        // Wasmtime reads all 64 bits, whatever the width of a pointer.
        dst.write(self.write(cx)?.map(|word| ValRaw::i64(i64::from(word))));
        Ok(())
    }

    fn linear_lower_to_memory<T>(
        &self,
        cx: &mut LowerContext<'_, T>,
        _ty: InterfaceType,
        offset: usize,
    ) -> wasmtime::Result<()> {
        let [address, length] = self.write(cx)?;
        *cx.get(offset) = address.to_le_bytes();
        *cx.get(offset + size_of::<u32>()) = length.to_le_bytes();
        Ok(())
    }
}

impl Incoming {
    fn read(cx: &mut LiftContext<'_>, address: u32, length: u32) -> wasmtime::Result<Self> {
        let (address, length) = (usize::try_from(address)?, usize::try_from(length)?);
        // Before anything is copied: the store's budget for what one call may hand over (see `store::new_store`).
        cx.consume_fuel(length)?;
        let bytes = cx.memory().get(address..).and_then(|rest| rest.get(..length));
        let bytes = bytes.ok_or_else(|| wasmtime::format_err!("list pointer/length out of bounds of memory"))?;
        Ok(Self(pool::copied(bytes)))
    }
}

// SAFETY: the trait asks that lifting makes a value of `Self` from any core values that a guest may give, and refuses
// what is no value of the type. Address and length are foreign; they are checked against the memory before it is read,
// and any bytes are a valid `list<u8>`. No raw pointer is touched.
#[expect(unsafe_code, reason = "the trait is unsafe")]
unsafe impl Lift for Incoming {
    fn linear_lift_from_flat(
        cx: &mut LiftContext<'_>,
        _ty: InterfaceType,
        src: &Self::Lower,
    ) -> wasmtime::Result<Self> {
        Self::read(cx, src[0].get_u32(), src[1].get_u32())
    }

    fn linear_lift_from_memory(cx: &mut LiftContext<'_>, _ty: InterfaceType, bytes: &[u8]) -> wasmtime::Result<Self> {
        let word =
            |at: usize| bytes.get(at..).and_then(|rest| rest.first_chunk()).map(|word| u32::from_le_bytes(*word));
        match (word(0), word(size_of::<u32>())) {
            (Some(address), Some(length)) => Self::read(cx, address, length),
            _ => Err(wasmtime::format_err!("{} bytes where a list's address and length are due", bytes.len())),
        }
    }
}
