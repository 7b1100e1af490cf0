//! Metrics: numbers that parts of the host keep, and the page on which Prometheus reads them.
//!
//! ```text
//!  Counter, Gauge, Histogram      handles; a hot path adds to an atomic and takes no lock
//!        │ read by
//!  Collect ──▶ Exposition         what one look at the numbers found: families of series, bounded, sorted
//!        ▲            │ rendered
//!  Registry           ▼
//!        └──────── Server         GET /metrics, loopback only
//! ```
//!
//! Each crate that has metrics lists them in one place, as [`Description`]s. The crate knows no other of Volley and no
//! name of a metric but its own.
#![forbid(unsafe_code)]

mod description;
mod error;
mod exposition;
mod family;
mod http;
mod registry;
mod server;
mod text;
mod value;

pub use description::{Description, Kind, Unit};
pub use error::{Error, Result};
pub use exposition::{Exposition, LABEL_BYTES_MAX, OTHER, SERIES_PER_FAMILY_MAX, Value};
pub use family::{Family, Handle};
pub use registry::{Collect, METRICS, Registry};
pub use server::{CONNECTIONS_MAX, MetricsAddress, REQUEST_BYTES_MAX, REQUEST_TIME_MAX, RESPONSE_TIME_MAX, Server};
pub use value::{BOUNDS_MAX, Counter, Gauge, Histogram, HistogramSnapshot};
