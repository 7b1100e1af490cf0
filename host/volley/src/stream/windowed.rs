//! A stream by key and window.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use volley_api::{Error, PortName, Result};
use volley_runtime::{Window, WindowFactory};
use volley_wasm::PluginOptions;

use super::{DataStream, KeyedStream, OutputTag};
use crate::Aggregate;
use crate::graph::{Kind, PluginWindow, Port};

/// The output of late rows that go to a sink without having been named.
const LATE: &str = "late";

/// A stream whose rows are cut into windows by key. It becomes a stream of results by
/// [`aggregate_expr`](Self::aggregate_expr).
#[derive(Debug, Clone)]
#[must_use = "a window does nothing until something is computed of it"]
pub struct WindowedKeyedStream {
    keyed: KeyedStream,
    window: Window,
    allowed_lateness: Duration,
    late: Option<OutputTag>,
    pending_windows_max: Option<NonZeroUsize>,
}

impl WindowedKeyedStream {
    pub(super) fn new(keyed: KeyedStream, window: Window) -> Self {
        Self { keyed, window, allowed_lateness: Duration::ZERO, late: None, pending_windows_max: None }
    }

    /// Rows that come so long after their window has fired still count: the result of their key is put out again, with the
    /// next number in the column `revision`. Default: zero.
    pub fn allowed_lateness(mut self, lateness: Duration) -> Self {
        self.allowed_lateness = lateness;
        self
    }

    /// Rows that come too late leave by a side output of that name
    /// ([`DataStream::side_output`] of the results), in the columns of [`volley_runtime::late_schema`]. Default: they go to
    /// [`DataStream::with_late_data_sink`], or else are counted and dropped.
    pub fn side_output_late_data(mut self, tag: &OutputTag) -> Self {
        self.late = Some(tag.clone());
        self
    }

    /// How many windows each instance keeps at hand. What is more goes to the state backend, the latest windows first, and is
    /// found there when it is due: results are the same. With state in memory it bounds what is at hand, and not what is kept;
    /// [`set_state_memory`](crate::StreamExecutionEnvironment::set_state_memory) is the limit of that.
    pub fn with_max_pending_windows(mut self, windows: NonZeroUsize) -> Self {
        self.pending_windows_max = Some(windows);
        self
    }

    /// What [`with_max_pending_windows`](Self::with_max_pending_windows) has set.
    #[must_use]
    pub fn max_pending_windows(&self) -> Option<NonZeroUsize> {
        self.pending_windows_max
    }

    /// Aggregates over the rows of each key and window. The columns are the keys, `window_start` and `window_end` (of windows
    /// by time), the aggregates, and `revision` where lateness is allowed. The time of a result is the last millisecond of its
    /// window.
    pub fn aggregate_expr<A: Into<Aggregate>>(&self, items: impl IntoIterator<Item = A>) -> DataStream {
        let tag = self.late_tag();
        let factory = self.factory(items.into_iter().map(Into::into).collect(), tag.as_ref());
        self.results("window", factory.map(Kind::Window), tag)
    }

    /// What a WebAssembly operator of the world `aggregate` makes of the rows of each key and window: the component in that
    /// file, with that configuration. The columns are as in [`aggregate_expr`](Self::aggregate_expr). See
    /// [`DataStream::plugin`].
    pub fn plugin(&self, component: impl Into<PathBuf>, config: serde_json::Value) -> DataStream {
        self.plugin_with(component, PluginOptions { config, ..PluginOptions::default() })
    }

    /// As [`plugin`](Self::plugin), with limits and a policy for refused rows.
    pub fn plugin_with(&self, component: impl Into<PathBuf>, options: PluginOptions) -> DataStream {
        let tag = self.late_tag();
        let kind = tag.as_ref().map(port_of).transpose().map(|late| {
            let (keys, allowed_lateness) = (self.keyed.keys.clone(), self.allowed_lateness);
            let window = PluginWindow { keys, window: self.window, allowed_lateness, late };
            Kind::PluginWindow(component.into(), Box::new(options), Box::new(window))
        });
        self.results("plugin", kind, tag)
    }

    fn results(&self, name: &'static str, kind: Result<Kind>, tag: Option<OutputTag>) -> DataStream {
        let stream = &self.keyed.stream;
        let results = stream.try_then(name, kind);
        if self.late.is_none()
            && let (Some(sink), Some(tag)) = (stream.late, tag)
        {
            let late = Port { node: results.port.node, name: tag.name().to_owned() };
            results.graph.lock().nodes[sink].inputs.push(late);
        }
        results
    }

    /// What the output of late rows is called, where there is one.
    fn late_tag(&self) -> Option<OutputTag> {
        let goes_to_sink = self.keyed.stream.late.is_some() && DataStream::has_late_rows(self.window);
        self.late.clone().or_else(|| goes_to_sink.then(|| OutputTag::new(LATE)))
    }

    fn factory(&self, items: Vec<Aggregate>, late: Option<&OutputTag>) -> Result<WindowFactory> {
        let factory = self.keyed.factory(self.window, items)?.with_allowed_lateness(self.allowed_lateness);
        let factory = match self.pending_windows_max {
            Some(windows) => factory.with_max_pending_windows(windows),
            None => factory,
        };
        Ok(match late {
            Some(tag) => factory.with_late_port(port_of(tag)?),
            None => factory,
        })
    }
}

fn port_of(tag: &OutputTag) -> Result<PortName> {
    PortName::new(tag.name()).map_err(|error| Error::config(error.to_string()))
}
