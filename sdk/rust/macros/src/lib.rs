//! The row-wise macros of `volley-sdk`: a plain function becomes an operator.
//!
//! Use them through `volley_sdk`, whose documentation has the examples. This crate knows syntax only: which types a
//! column can be read as, and what becomes of it, is said by the traits of `volley_sdk::row`.
#![forbid(unsafe_code)]

mod aggregate;
mod aggregate_state;
mod codec;
mod columns;
mod filter;
mod flat_map;
mod map;
mod options;
mod parts;
mod process;
mod scalar;
mod signature;
mod states;
mod types;

use proc_macro::TokenStream;

/// Makes a function a map: its arguments are columns by name, its result is a new column.
///
/// `#[map(output = "name")]` names the column; `#[map(outputs = ["a", "b"])]` the columns of a tuple; a struct with
/// `#[derive(Columns)]` brings its own names. With `replace` the new columns are the whole output. See the
/// documentation of `volley_sdk`.
#[proc_macro_attribute]
pub fn map(options: TokenStream, function: TokenStream) -> TokenStream {
    expand(map::expand(options.into(), function.into()))
}

/// Makes a function a filter: its arguments are columns by name, its result says whether the row stays.
///
/// See the documentation of `volley_sdk`.
#[proc_macro_attribute]
pub fn filter(options: TokenStream, function: TokenStream) -> TokenStream {
    expand(filter::expand(options.into(), function.into()))
}

/// Makes a function a flat-map: its arguments are columns by name, its result is any number of rows.
///
/// Options are those of `map`. See the documentation of `volley_sdk`.
#[proc_macro_attribute]
pub fn flat_map(options: TokenStream, function: TokenStream) -> TokenStream {
    expand(flat_map::expand(options.into(), function.into()))
}

/// Makes a function one for expressions: its arguments are those of the call, in order, its result is the value.
///
/// `#[scalar]` says that the result depends on the arguments alone; `#[scalar(replayable)]` that the function asks `clock` or
/// `random`; `#[scalar(nondeterministic)]` anything else. See the documentation of `volley_sdk`.
#[proc_macro_attribute]
pub fn scalar(options: TokenStream, function: TokenStream) -> TokenStream {
    expand(scalar::expand(options.into(), function.into()))
}

/// Makes the two functions of an `impl` block a codec: `decode` reads the record at the front of some bytes, `encode` writes
/// one row, whose columns are its arguments.
///
/// Options name the columns, as those of `map` do. See the documentation of `volley_sdk`.
#[proc_macro_attribute]
pub fn codec(options: TokenStream, functions: TokenStream) -> TokenStream {
    expand(codec::expand(options.into(), functions.into()))
}

/// Makes a function a process: it is called for the rows of keys, with the state of each, and may set timers.
///
/// States are arguments `&mut Value<T>`, `&mut Map<K, V>`, `&mut List<T>` and `&mut Merged<T>`. `#[state(…)]` in front of one has
/// `version = 2` and `ttl_ms = 3600000`; of a `Merged` `merge = "sum"` (or `min`, `max`), a list of them where a row has several
/// columns; of a `Map` `prefetch = …`, the key that the function will ask for, made of its columns, time and configuration.
///
/// `on_timer = function` names what timers call: it takes the configuration if there is one, the [`Timer`], and the same
/// states, timers and ports. With `snapshot` it brings state over that an earlier version has left: write
/// `impl SnapshotOperator for the_function`. Other options are those of `map`. See the documentation of `volley_sdk`.
///
/// [`Timer`]: https://docs.rs/volley-sdk/latest/volley_sdk/struct.Timer.html
#[proc_macro_attribute]
pub fn process(options: TokenStream, function: TokenStream) -> TokenStream {
    expand(process::expand(options.into(), function.into()))
}

/// Makes a struct a row of output columns, one per field, named like it or by `#[column("name")]`.
#[proc_macro_derive(Columns, attributes(column))]
pub fn derive_columns(item: TokenStream) -> TokenStream {
    expand(columns::expand(item.into()))
}

/// Makes an `impl` of a state an aggregate: `update` adds a row, `merge` another state, and `evaluate` gives the results.
///
/// `#[aggregate(output = "name")]` names the column of the result; `#[aggregate(outputs = ["a", "b"])]` those of a tuple; a
/// struct with `#[derive(Columns)]` brings its own names. The operator is called like the state, with `Operator` behind it. See
/// the documentation of `volley_sdk`.
#[proc_macro_attribute]
pub fn aggregate(options: TokenStream, item: TokenStream) -> TokenStream {
    expand(aggregate::expand(options.into(), item.into()))
}

/// Makes a struct what an aggregate knows of a group: each field is a column of the state, named like it or by
/// `#[column("name")]`.
#[proc_macro_derive(AggregateState, attributes(column))]
pub fn derive_aggregate_state(item: TokenStream) -> TokenStream {
    expand(aggregate_state::expand(item.into()))
}

fn expand(result: syn::Result<proc_macro2::TokenStream>) -> TokenStream {
    result.unwrap_or_else(|error| error.to_compile_error()).into()
}
