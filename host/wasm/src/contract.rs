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

#[allow(dead_code, reason = "made by lifting alone")]
#[derive(Debug, Clone, Copy, PartialEq, Eq, ComponentType, Lift, Lower)]
#[component(enum)]
#[repr(u8)]
pub(crate) enum MergeFunction {
    #[component(name = "sum")]
    Sum,
    #[component(name = "min")]
    Min,
    #[component(name = "max")]
    Max,
}

#[derive(Debug, Clone, PartialEq, Eq, ComponentType, Lift, Lower)]
#[component(variant)]
pub(crate) enum StateKind {
    #[component(name = "value")]
    Value,
    #[component(name = "map")]
    Map,
    #[component(name = "list")]
    List,
    #[component(name = "merge")]
    Merge(Vec<MergeFunction>),
}

#[derive(Debug, Clone, PartialEq, Eq, ComponentType, Lift, Lower)]
#[component(record)]
pub(crate) struct StateDeclaration {
    pub(crate) name: String,
    pub(crate) kind: StateKind,
    #[component(name = "map-keys")]
    pub(crate) map_keys: Option<Vec<u8>>,
    pub(crate) values: Vec<u8>,
    pub(crate) version: u32,
    #[component(name = "ttl-ms")]
    pub(crate) ttl_ms: Option<u64>,
}

#[allow(dead_code, reason = "made by lifting alone")]
#[derive(Debug, Clone, Copy, PartialEq, Eq, ComponentType, Lift)]
#[component(enum)]
#[repr(u8)]
pub(crate) enum Determinism {
    #[component(name = "deterministic")]
    Deterministic,
    #[component(name = "replayable")]
    Replayable,
    #[component(name = "nondeterministic")]
    Nondeterministic,
}

#[derive(Debug, ComponentType, Lift)]
#[component(record)]
pub(crate) struct Description {
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) determinism: Determinism,
    pub(crate) states: Vec<StateDeclaration>,
}

#[derive(Debug, Clone, ComponentType, Lower)]
#[component(record)]
pub(crate) struct EventTimeColumn {
    pub(crate) name: String,
    #[component(name = "offset-ms")]
    pub(crate) offset_ms: i64,
}

/// What `open` is told of the input.
#[derive(Debug, Clone, ComponentType, Lower)]
#[component(record)]
pub(crate) struct Input {
    pub(crate) schema: Vec<u8>,
    pub(crate) keys: Vec<String>,
    #[component(name = "event-time")]
    pub(crate) event_time: Option<EventTimeColumn>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ComponentType, Lift)]
#[component(enum)]
#[repr(u8)]
pub(crate) enum WriteMode {
    #[component(name = "append")]
    Append,
    #[component(name = "replace")]
    Replace,
    #[component(name = "keyed")]
    Keyed,
}

#[allow(dead_code, reason = "made by lifting alone")]
#[derive(Debug, Clone, Copy, PartialEq, Eq, ComponentType, Lift)]
#[component(enum)]
#[repr(u8)]
pub(crate) enum NullHandling {
    #[component(name = "propagate")]
    Propagate,
    #[component(name = "see")]
    See,
}

/// What only one of the worlds agrees to.
#[allow(dead_code, reason = "made by lifting alone")]
#[derive(Debug, ComponentType, Lift)]
#[component(variant)]
pub(crate) enum Particulars {
    #[component(name = "aggregate")]
    Aggregate(Vec<u8>),
    #[component(name = "process")]
    Process(Vec<String>),
    #[component(name = "scalar")]
    Scalar(NullHandling),
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
    pub(crate) particulars: Option<Particulars>,
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

#[derive(Debug, Clone, Copy, PartialEq, Eq, ComponentType, Lower)]
#[component(enum)]
#[repr(u8)]
pub(crate) enum Framing {
    #[component(name = "messages")]
    Messages,
    #[component(name = "stream")]
    Stream,
}

#[derive(Debug, ComponentType, Lift)]
#[component(record)]
pub(crate) struct Decoded<B> {
    pub(crate) rows: B,
    pub(crate) frames: Vec<u32>,
    pub(crate) rejects: Vec<Reject>,
    #[component(name = "rest-bytes")]
    pub(crate) rest_bytes: u32,
}

#[derive(Debug, ComponentType, Lift)]
#[component(record)]
pub(crate) struct Encoded<B> {
    pub(crate) frames: B,
    pub(crate) rows: Vec<u32>,
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

/// Keys that an instance has not met before, with their columns as one message.
#[derive(Debug, Clone, ComponentType, Lower)]
#[component(record)]
pub(crate) struct NewKeys<P> {
    pub(crate) first: u32,
    pub(crate) columns: P,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ComponentType, Lower)]
#[component(variant)]
pub(crate) enum Watermark {
    #[component(name = "at-ms")]
    AtMs(i64),
    #[component(name = "end")]
    End,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ComponentType, Lift, Lower)]
#[component(enum)]
#[repr(u8)]
pub(crate) enum TimeDomain {
    #[component(name = "event-time")]
    EventTime,
    #[component(name = "processing-time")]
    ProcessingTime,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ComponentType, Lift, Lower)]
#[component(record)]
pub(crate) struct Timer {
    pub(crate) group: u32,
    #[component(name = "at-ms")]
    pub(crate) at_ms: i64,
    pub(crate) domain: TimeDomain,
    pub(crate) tag: u32,
}

#[derive(Debug, Clone, PartialEq, Eq, ComponentType, Lower)]
#[component(variant)]
pub(crate) enum TimerError {
    #[component(name = "unknown-group")]
    UnknownGroup(u32),
    #[component(name = "out-of-range")]
    OutOfRange(String),
    #[component(name = "limit-exceeded")]
    LimitExceeded(String),
}

#[derive(Debug, Clone, PartialEq, Eq, ComponentType, Lower)]
#[component(variant)]
pub(crate) enum StateError {
    #[component(name = "unknown-state")]
    UnknownState(u32),
    #[component(name = "unknown-group")]
    UnknownGroup(u32),
    #[component(name = "wrong-kind")]
    WrongKind(String),
    #[component(name = "invalid-batch")]
    InvalidBatch(String),
    #[component(name = "limit-exceeded")]
    LimitExceeded(String),
    #[component(name = "unavailable")]
    Unavailable(String),
}

#[derive(Debug, Clone, ComponentType, Lower)]
#[component(record)]
pub(crate) struct Found<P> {
    pub(crate) present: Vec<u8>,
    pub(crate) values: P,
}

#[derive(Debug, Clone, ComponentType, Lower)]
#[component(record)]
pub(crate) struct Entries<P> {
    pub(crate) groups: Vec<u32>,
    #[component(name = "map-keys")]
    pub(crate) map_keys: P,
    pub(crate) values: P,
}

/// A piece of the state that an operator holds itself.
#[derive(Debug, Clone, PartialEq, Eq, ComponentType, Lift, Lower)]
#[component(record)]
pub(crate) struct Part {
    #[component(name = "key-group")]
    pub(crate) key_group: Option<u8>,
    pub(crate) version: u32,
    pub(crate) bytes: Vec<u8>,
}
