//! The two jobs as one would write them for these columns and no others: one thread, one loop.

use arrow::array::{ArrayRef, AsArray, Int64Array, RecordBatch};
use arrow::datatypes::Int64Type;

use crate::workload::{Total, WINDOW_MS};

fn column(batch: &RecordBatch, index: usize) -> &[i64] {
    batch.column(index).as_primitive::<Int64Type>().values()
}

/// W1: a batch comes out for each that goes in.
pub(crate) fn filter_and_map(batches: &[RecordBatch]) -> Total {
    let mut total = Total::default();
    for batch in batches {
        let amounts = column(batch, 1);
        let mut out = vec![0_i64; amounts.len()];
        let mut kept = 0;
        for amount in amounts {
            out[kept] = amount * 2 + 1;
            kept += usize::from(*amount > 100);
        }
        out.truncate(kept);
        let doubled: ArrayRef = std::hint::black_box(std::sync::Arc::new(Int64Array::from(out)));
        total.results += doubled.len() as u64;
        let doubled = doubled.as_primitive::<Int64Type>().values();
        total.checksum = doubled.iter().fold(total.checksum, |sum, value| sum.wrapping_add(*value as u64));
    }
    total
}

/// An open-addressing table of sums.
struct Sums {
    slots: Vec<(i64, i64)>,
    used: usize,
}

const FREE: i64 = i64::MIN;

impl Sums {
    fn new() -> Self {
        Self { slots: vec![(FREE, 0); 1 << 10], used: 0 }
    }

    fn add(&mut self, key: i64, amount: i64) {
        let shift = 64 - self.slots.len().trailing_zeros();
        let mask = self.slots.len() - 1;
        let mut at = ((key as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> shift) as usize;
        loop {
            let slot = &mut self.slots[at & mask];
            if slot.0 == key {
                slot.1 += amount;
                return;
            }
            if slot.0 == FREE {
                *slot = (key, amount);
                self.used += 1;
                if self.used * 2 > self.slots.len() {
                    self.grow();
                }
                return;
            }
            at += 1;
        }
    }

    fn grow(&mut self) {
        let larger = vec![(FREE, 0); self.slots.len() * 2];
        let old = std::mem::replace(&mut self.slots, larger);
        self.used = 0;
        old.into_iter().filter(|slot| slot.0 != FREE).for_each(|(key, amount)| self.add(key, amount));
    }
}

/// W2, for rows whose times ascend.
pub(crate) fn windowed_sum(batches: &[RecordBatch]) -> Total {
    let mut total = Total::default();
    let (mut window, mut sums) = (0, Sums::new());
    for batch in batches {
        let (users, amounts, times) = (column(batch, 0), column(batch, 1), column(batch, 2));
        for ((user, amount), time) in users.iter().zip(amounts).zip(times) {
            if *time >= (window + 1) * WINDOW_MS {
                put_out(&std::mem::replace(&mut sums, Sums::new()), window, &mut total);
                window = time / WINDOW_MS;
            }
            if *amount > 100 {
                sums.add(*user, *amount);
            }
        }
    }
    put_out(&sums, window, &mut total);
    total
}

fn put_out(sums: &Sums, window: i64, total: &mut Total) {
    for (user, sum) in sums.slots.iter().filter(|slot| slot.0 != FREE) {
        total.results += 1;
        total.checksum = total.checksum.wrapping_add((sum * (user + 1 + window)) as u64);
    }
}
