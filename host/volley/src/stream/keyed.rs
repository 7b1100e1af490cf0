//! A stream by key.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use volley_expr::Aggregates;
use volley_runtime::{DedupeFactory, Window, WindowFactory};
use volley_wasm::PluginOptions;

use super::{DataStream, WindowedKeyedStream};
use crate::Aggregate;
use crate::expr::aggregates;
use crate::graph::Kind;

/// A stream in which all rows of one key are together. It has no rows of its own: what it becomes is a window, an
/// aggregate, or what a plugin makes of it.
#[derive(Debug, Clone)]
#[must_use = "a key does nothing until something is computed by it"]
pub struct KeyedStream {
    pub(super) stream: DataStream,
    pub(super) keys: Vec<String>,
    cache_entries_max: Option<NonZeroUsize>,
}

impl KeyedStream {
    pub(super) fn new(stream: DataStream, keys: Vec<String>) -> Self {
        Self { stream, keys, cache_entries_max: None }
    }

    /// How many entries of each state each instance keeps in memory in front of a state backend on disk, beside the bound on
    /// their bytes; what is more is written out, or read again. It has no effect on state in memory
    /// ([`set_state_memory`](crate::StreamExecutionEnvironment::set_state_memory) is the limit there).
    pub fn with_max_cache_entries(mut self, entries: NonZeroUsize) -> Self {
        self.cache_entries_max = Some(entries);
        self
    }

    /// What [`with_max_cache_entries`](Self::with_max_cache_entries) has set.
    #[must_use]
    pub fn max_cache_entries(&self) -> Option<NonZeroUsize> {
        self.cache_entries_max
    }

    /// Cuts the rows of each key into windows: [`Tumbling`](crate::Tumbling), [`Sliding`](crate::Sliding),
    /// [`Session`](crate::Session) or [`Count`](crate::Count). All but the last need event time
    /// ([`DataStream::with_watermarks`]).
    pub fn window(&self, window: impl Into<Window>) -> WindowedKeyedStream {
        WindowedKeyedStream::new(self.clone(), window.into())
    }

    /// Aggregates over all rows of each key, put out at the end of the input: of a stream that never ends, only windows have
    /// results. The columns are the keys and the aggregates.
    pub fn aggregate_expr<A: Into<Aggregate>>(&self, items: impl IntoIterator<Item = A>) -> DataStream {
        let factory = self.factory(Window::Global, items.into_iter().map(Into::into).collect());
        self.stream.try_then("aggregate", factory.map(Kind::Window))
    }

    /// The first row of each key within a stretch of event time: a row goes when one of the same key was kept whose time is less
    /// than `within` away. Needs event time ([`DataStream::with_watermarks`]), by which old keys are forgotten.
    pub fn dedupe(&self, within: Duration) -> DataStream {
        let factory = DedupeFactory::new(self.keys.clone(), within);
        let factory = match self.cache_entries_max {
            Some(entries) => factory.with_max_cache_entries(entries),
            None => factory,
        };
        self.stream.then("dedupe", Kind::Dedupe(factory))
    }

    /// What a WebAssembly operator of the world `process` or `aggregate` makes of the rows of each key: the component in that file,
    /// with that configuration. An aggregate puts its results out at the end of the input, as
    /// [`aggregate_expr`](Self::aggregate_expr) does. See [`DataStream::plugin`].
    pub fn plugin(&self, component: impl Into<PathBuf>, config: serde_json::Value) -> DataStream {
        self.plugin_with(component, PluginOptions { config, ..PluginOptions::default() })
    }

    /// As [`plugin`](Self::plugin), with limits and a policy for refused rows.
    pub fn plugin_with(&self, component: impl Into<PathBuf>, options: PluginOptions) -> DataStream {
        self.stream.then("plugin", Kind::Plugin(component.into(), Box::new(options), self.keys.clone()))
    }

    pub(super) fn factory(&self, window: Window, items: Vec<Aggregate>) -> volley_api::Result<WindowFactory> {
        let items = Aggregates::new(aggregates(items)?);
        let factory = WindowFactory::new(self.keys.clone(), window, Arc::new(items));
        Ok(match self.cache_entries_max {
            Some(entries) => factory.with_max_cache_entries(entries),
            None => factory,
        })
    }
}
