//! What can go wrong with metrics.

use std::net::SocketAddr;

/// The result of everything in this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What can go wrong with metrics.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The address is none.
    #[error(
        "`{0}` is no address to listen on: write 127.0.0.1:PORT, [::1]:PORT or localhost:PORT; port 0 picks a free one"
    )]
    NoAddress(String),
    /// The address can be reached from other machines.
    #[error(
        "metrics are served on loopback addresses only, and {0} is none: any other needs TLS and tokens, which do not \
         exist yet. Use 127.0.0.1:{port}, and let an agent or a proxy on this machine pass them on", port = .0.port()
    )]
    NotLoopback(SocketAddr),
    /// The address cannot be listened on.
    #[error("cannot listen on {address} for --metrics: {source}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why.
        source: std::io::Error,
    },
}
