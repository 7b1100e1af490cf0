//! Keys of one column whose values have at most eight bytes: an open-addressing table of the values' bits.

use arrow::array::{Array, ArrayData, ArrayRef, make_array};
use arrow::buffer::{BooleanBuffer, Buffer, NullBuffer};
use arrow::datatypes::DataType;
use arrow::error::ArrowError;

/// Knuth's multiplicative hash: 2⁶⁴ over the golden ratio. The upper bits of the product tell keys apart that follow each
/// other, which is what most keys do.
const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;
/// Slots of an empty table, as a power of two.
const SLOTS_LOG2_MIN: u32 = 6;
/// Stands in a slot that is free.
const FREE: u32 = u32::MAX;

pub(crate) struct FixedTable {
    data_type: DataType,
    width: usize,
    slots: Vec<Slot>,
    /// 64 less the logarithm of the number of slots.
    shift: u32,
    /// The bits of each key by its number.
    keys: Vec<u64>,
    /// The number of the null key; its bits are 0 and stand in no slot.
    null: Option<usize>,
}

#[derive(Clone, Copy)]
struct Slot {
    key: u64,
    number: u32,
}

impl FixedTable {
    /// Whether keys of that type go in here.
    pub(super) fn fits(data_type: &DataType) -> bool {
        data_type.primitive_width().is_some_and(|bytes| matches!(bytes, 1 | 2 | 4 | 8))
    }

    pub(super) fn new(data_type: DataType) -> Self {
        let width = data_type.primitive_width().unwrap_or(8);
        let slots = vec![Slot { key: 0, number: FREE }; 1 << SLOTS_LOG2_MIN];
        Self { data_type, width, slots, shift: 64 - SLOTS_LOG2_MIN, keys: Vec::new(), null: None }
    }

    pub(super) fn intern(&mut self, column: &ArrayRef, numbers: &mut Vec<usize>) {
        let data = column.to_data();
        match self.width {
            1 => self.intern_bits(values::<u8>(&data).iter().map(|&bits| u64::from(bits)), data.nulls(), numbers),
            2 => self.intern_bits(values::<u16>(&data).iter().map(|&bits| u64::from(bits)), data.nulls(), numbers),
            4 => self.intern_bits(values::<u32>(&data).iter().map(|&bits| u64::from(bits)), data.nulls(), numbers),
            _ => self.intern_bits(values::<u64>(&data).iter().copied(), data.nulls(), numbers),
        }
    }

    fn intern_bits(
        &mut self,
        bits: impl ExactSizeIterator<Item = u64>,
        nulls: Option<&NullBuffer>,
        numbers: &mut Vec<usize>,
    ) {
        numbers.reserve(bits.len());
        match nulls.filter(|nulls| nulls.null_count() > 0) {
            None => numbers.extend(bits.map(|key| self.number(key))),
            Some(nulls) => {
                let rows = bits.zip(nulls);
                numbers.extend(rows.map(|(key, is_valid)| if is_valid { self.number(key) } else { self.null() }));
            }
        }
    }

    fn number(&mut self, key: u64) -> usize {
        let mask = self.slots.len() - 1;
        let mut at = (key.wrapping_mul(FACTOR) >> self.shift) as usize;
        loop {
            let slot = self.slots[at & mask];
            if slot.key == key && slot.number != FREE {
                return slot.number as usize;
            }
            if slot.number == FREE {
                return self.add(key, at & mask);
            }
            at += 1;
        }
    }

    #[cold]
    fn add(&mut self, key: u64, slot: usize) -> usize {
        let number = self.keys.len();
        // More keys than 2³² less one do not fit in memory.
        self.slots[slot] = Slot { key, number: u32::try_from(number).unwrap_or(FREE - 1) };
        self.keys.push(key);
        if self.keys.len() * 2 > self.slots.len() {
            self.grow();
        }
        number
    }

    fn null(&mut self) -> usize {
        *self.null.get_or_insert_with(|| {
            self.keys.push(0);
            self.keys.len() - 1
        })
    }

    fn grow(&mut self) {
        let slots = self.slots.len() * 4;
        let old = std::mem::replace(&mut self.slots, vec![Slot { key: 0, number: FREE }; slots]);
        self.shift -= 2;
        for slot in old.into_iter().filter(|slot| slot.number != FREE) {
            let mut at = (slot.key.wrapping_mul(FACTOR) >> self.shift) as usize;
            while self.slots[at & (slots - 1)].number != FREE {
                at += 1;
            }
            self.slots[at & (slots - 1)] = slot;
        }
    }

    pub(super) fn len(&self) -> usize {
        self.keys.len()
    }

    pub(super) fn column(&self) -> Result<ArrayRef, ArrowError> {
        #[expect(clippy::cast_possible_truncation, reason = "the bits came from values of that width")]
        let bytes = match self.width {
            1 => Buffer::from_iter(self.keys.iter().map(|&key| key as u8)),
            2 => Buffer::from_iter(self.keys.iter().map(|&key| key as u16)),
            4 => Buffer::from_iter(self.keys.iter().map(|&key| key as u32)),
            _ => Buffer::from_iter(self.keys.iter().copied()),
        };
        let nulls = self.null.map(|null| NullBuffer::new(BooleanBuffer::collect_bool(self.len(), |row| row != null)));
        let data = ArrayData::builder(self.data_type.clone()).len(self.len()).add_buffer(bytes).nulls(nulls).build()?;
        Ok(make_array(data))
    }

    pub(super) fn memory_bytes(&self) -> usize {
        self.slots.capacity() * size_of::<Slot>() + self.keys.capacity() * size_of::<u64>()
    }
}

/// The values of a column as they lie in memory.
fn values<T: arrow::datatypes::ArrowNativeType>(data: &ArrayData) -> &[T] {
    &data.buffers()[0].typed_data::<T>()[data.offset()..data.offset() + data.len()]
}
