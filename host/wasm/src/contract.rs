//! The types of `wit/volley-operator@0.1.0`, as they are lifted and lowered.

use wasmtime::component::{ComponentType, Lift, Lower};

/// The version of the package whose names the host's imports bear.
pub(crate) const PACKAGE: &str = "volley:operator";
pub(crate) const VERSION: &str = "0.1.0";

#[derive(Debug, Clone, ComponentType, Lift)]
#[component(record)]
pub(crate) struct Reject {
    pub(crate) row: u32,
    pub(crate) code: String,
    pub(crate) message: String,
}

#[derive(Debug, Clone, ComponentType, Lift)]
#[component(variant)]
pub(crate) enum Failure {
    #[component(name = "reject-batch")]
    RejectBatch(String),
    #[component(name = "retry")]
    Retry(u64),
    #[component(name = "fatal")]
    Fatal(String),
}

#[derive(Debug, ComponentType, Lift)]
#[component(record)]
pub(crate) struct StateDeclaration {
    pub(crate) name: String,
    pub(crate) schema: Vec<u8>,
}

#[derive(Debug, ComponentType, Lift)]
#[component(record)]
pub(crate) struct Description {
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) states: Vec<StateDeclaration>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ComponentType, Lift)]
#[component(enum)]
#[repr(u8)]
pub(crate) enum WriteMode {
    #[component(name = "append")]
    Append,
    #[component(name = "replace")]
    Replace,
}

#[derive(Debug, ComponentType, Lift)]
#[component(record)]
pub(crate) struct OutputPort {
    pub(crate) name: String,
    pub(crate) schema: Vec<u8>,
    pub(crate) writes: WriteMode,
}

#[derive(Debug, ComponentType, Lift)]
#[component(record)]
pub(crate) struct Binding {
    pub(crate) reads: Vec<String>,
    pub(crate) outputs: Vec<OutputPort>,
}

#[derive(Debug, ComponentType, Lift)]
#[component(variant)]
pub(crate) enum OpenError {
    #[component(name = "invalid-config")]
    InvalidConfig(String),
    #[component(name = "invalid-input")]
    InvalidInput(String),
    #[component(name = "failed")]
    Failed(String),
}

#[derive(Debug, ComponentType, Lift)]
#[component(record)]
pub(crate) struct Filtered<B> {
    pub(crate) keep: B,
    pub(crate) rejects: Vec<Reject>,
}

#[derive(Debug, ComponentType, Lift)]
#[component(record)]
pub(crate) struct Mapped<B> {
    pub(crate) columns: B,
    pub(crate) rejects: Vec<Reject>,
}

#[derive(Debug, Clone, ComponentType, Lower)]
#[component(variant)]
pub(crate) enum EmitError {
    #[component(name = "unknown-port")]
    UnknownPort(u32),
    #[component(name = "invalid-batch")]
    InvalidBatch(String),
    #[component(name = "limit-exceeded")]
    LimitExceeded(String),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ComponentType, Lift, Lower)]
#[component(enum)]
#[repr(u8)]
pub(crate) enum Level {
    #[component(name = "trace")]
    Trace,
    #[component(name = "debug")]
    Debug,
    #[component(name = "info")]
    Info,
    #[component(name = "warn")]
    Warn,
    #[component(name = "error")]
    Error,
}
