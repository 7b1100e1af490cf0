//! What a call costs: filter and project, identity, and our crossing against the stock one.

use std::error::Error;
use std::hint::black_box;

use arrow::array::RecordBatch;
use volley_wasm::Crossing;

use super::{driven, output_of};
use crate::data::Shape;
use crate::guest::{Guests, operator};
use crate::native::FilterProject;
use volley_bench_support::timing::{Bar, in_turns};

/// Rows of a batch that the runtime coalesces to, and of a small one.
const ROWS: [usize; 2] = [8_192, 1_000];

/// R1, R1b: filter and project in WebAssembly / natively; every column crosses in, and what is kept crosses out.
pub(crate) fn filter_project(guests: &Guests, rounds: usize) -> Result<(), Box<dyn Error>> {
    for (rows, name, bar) in [(ROWS[0], "R1", 3.0), (ROWS[1], "R1b", 4.0)] {
        for shape in Shape::ALL {
            let batches = shape.batches(rows);
            let mut wasm = operator(&guests.filter_project, &shape.schema(), Crossing::Direct)?;
            let mut native = FilterProject::new(shape);
            same(&output_of(&mut *wasm, &batches)?, &output_of(&mut native, &batches)?)?;
            let pair = in_turns(rounds, &mut driven(&mut *wasm, &batches), &mut driven(&mut native, &batches));
            let name = format!("{name}_{}", shape.name());
            eprintln!("{name}: {rows} rows; wasm {:.2?}, native {:.2?} a batch", pair.first, pair.second);
            pair.ratio.print(&name, Bar::AtMost(bar));
        }
    }
    Ok(())
}

/// R2: bytes in and out per second through a plugin that changes nothing / bytes per second of a memcpy of that size.
pub(crate) fn identity(guests: &Guests, rounds: usize) -> Result<(), Box<dyn Error>> {
    for (shape, bar) in [(Shape::Numbers, Bar::AtLeast(0.6)), (Shape::Text, Bar::Stated)] {
        let batches = shape.batches(ROWS[0]);
        let mut wasm = operator(&guests.identity, &shape.schema(), Crossing::Direct)?;
        same(&output_of(&mut *wasm, &batches)?, &arrow::compute::concat_batches(&shape.schema(), &batches)?)?;
        let bytes = bytes_of(&batches[0]);
        // As many sources as the plugin has batches: the same share of them is in the processor's cache.
        let sources: Vec<Vec<u8>> = batches.iter().map(|_| vec![7_u8; bytes]).collect();
        let (mut target, mut next) = (vec![0_u8; bytes], 0);
        let mut memcpy = || {
            black_box(&mut target).copy_from_slice(black_box(&sources[next]));
            next = (next + 1) % sources.len();
        };
        let pair = in_turns(rounds, &mut driven(&mut *wasm, &batches), &mut memcpy);
        let name = format!("R2_{}", shape.name());
        eprintln!("{name}: {bytes} bytes; plugin {:.2?} a batch, memcpy {:.2?}", pair.first, pair.second);
        // Both ways count: twice the bytes in the plugin's time, against once the bytes in memcpy's.
        pair.ratio.scaled_inverse(2.0).print(&name, bar);
    }
    Ok(())
}

/// R3: with wasmtime's tick checks / without, the same component: what being able to stop a guest costs.
pub(crate) fn ticks(guests: &Guests, rounds: usize) -> Result<(), Box<dyn Error>> {
    for shape in Shape::ALL {
        let batches = shape.batches(ROWS[0]);
        let mut with = operator(&guests.filter_project, &shape.schema(), Crossing::Direct)?;
        let mut without = operator(&guests.trusted, &shape.schema(), Crossing::Direct)?;
        same(&output_of(&mut *with, &batches)?, &output_of(&mut *without, &batches)?)?;
        let pair = in_turns(rounds, &mut driven(&mut *with, &batches), &mut driven(&mut *without, &batches));
        let name = format!("R3_{}", shape.name());
        eprintln!("{name}: with ticks {:.2?}, without {:.2?} a batch", pair.first, pair.second);
        pair.ratio.print(&name, Bar::AtMost(1.35));
    }
    Ok(())
}

/// Our crossing / the stock one, the same component.
pub(crate) fn own_against_stock(guests: &Guests, rounds: usize) -> Result<(), Box<dyn Error>> {
    for (rows, bar) in [(ROWS[1], Bar::AtLeast(3.0)), (ROWS[0], Bar::Stated)] {
        for (component, plugin) in [("identity", &guests.identity), ("filter-project", &guests.filter_project)] {
            let shape = Shape::Numbers;
            let batches = shape.batches(rows);
            let mut direct = operator(plugin, &shape.schema(), Crossing::Direct)?;
            let mut stock = operator(plugin, &shape.schema(), Crossing::Stock)?;
            same(&output_of(&mut *direct, &batches)?, &output_of(&mut *stock, &batches)?)?;
            let pair = in_turns(rounds, &mut driven(&mut *direct, &batches), &mut driven(&mut *stock, &batches));
            let name = format!("path_{component}_{rows}");
            eprintln!("{name}: direct {:.2?}, stock {:.2?} a batch", pair.first, pair.second);
            pair.ratio.inverse().print(&name, bar);
        }
    }
    Ok(())
}

/// Bytes of the values that cross.
fn bytes_of(batch: &RecordBatch) -> usize {
    batch.columns().iter().map(|column| column.to_data().get_slice_memory_size().unwrap_or_default()).sum()
}

fn same(one: &RecordBatch, two: &RecordBatch) -> Result<(), Box<dyn Error>> {
    if one.columns() == two.columns() {
        return Ok(());
    }
    Err(format!("the contestants disagree: {} rows and {}", one.num_rows(), two.num_rows()).into())
}
