//! Volley's data model and the traits that everything else implements or drives.
//!
//! This crate knows no other crate of Volley, and every other crate may know it. Its dependencies are few on purpose:
//! `arrow` for batches, `async-trait` and `bytes` for connectors, `thiserror` for the error enum, `xxhash-rust` and
//! `half` for the hash of keys.
//!
//! Data flows one way: [`Source`] → [`Operator`]s → [`Sink`]. What flows are [`StreamElement`]s: records (Arrow
//! batches), and control elements (barriers, watermarks, the end) in band with them. Rows that somebody refuses leave
//! through the `errors` port of the node that refused them, in the shape of [`dead_letter::schema`].
#![forbid(unsafe_code)]

mod aggregate;
mod checkpoint;
mod codec;
mod combine;
pub mod dead_letter;
mod element;
mod error;
mod event_time;
mod gather;
mod ids;
mod key_group;
mod keys;
mod operator;
mod origin;
mod record;
mod scalar;
mod sink;
mod source;
mod state;
mod state_view;
mod time;
mod ttl;

pub use aggregate::{AggregateBinding, Aggregator, AggregatorFactory, AggregatorPool, AggregatorRole, Refused};
pub use checkpoint::{
    EpochListener, JobState, JobSteering, KeyedSnapshot, OperatorState, SplitPosition, SplitState, TaskEvent, TaskId,
    TaskPart, TaskReport,
};
pub use codec::{
    CodecContext, CodecFactory, DecodedFrames, EncodedRows, FrameDecoder, FrameEncoder, FrameReject, Framing,
};
pub use combine::{Combined, Combiner};
pub use element::{CheckpointBarrier, StreamElement, Watermark};
pub use error::{Error, ErrorKind, Fault, Result, panic_text};
pub use event_time::{EVENT_TIME_MS_MAX, EventTimeColumn, EventTimes};
pub use ids::{Epoch, InvalidName, NodeName, PortName, SubtaskId};
pub use key_group::{KEY_GROUPS, KeyGroup, KeyGroupRange};
pub use keys::{KeyCodec, KeyHasher, KeyRows, RowCodec, ShortKey, normalize_keys, unpacked};
pub use operator::{
    Operator, OperatorBinding, OperatorContext, OperatorFactory, OperatorIdentity, Output, OutputPort, OutputTime,
    PortIndex, Replayed, RowReject, StreamType,
};
pub use origin::{Origin, OriginColumn, OriginDirectory};
pub use record::{RecordTraceContext, StreamRecord, memory_bytes};
pub use scalar::{ScalarBinding, ScalarContext, ScalarFunction, ScalarFunctionFactory, ScalarOutcome};
pub use sink::{CommitStatus, Committable, DeliveryGuarantee, JobRun, ShownBeyond, Sink, SinkContext, SinkWriter};
pub use source::{
    Boundedness, Positions, ReadEvent, ReadOptions, Replay, Source, SourceBatch, SourceReject, Split, SplitId,
    SplitOffset, SplitReader,
};
pub use state::{
    KeyedState, Namespace, NoState, SnapshotContent, SnapshotFile, StateBackend, StateContext, StateEntry, StateFile,
    StateKey, StatePart, StateSnapshot,
};
pub use state_view::{StateDecoder, StateRows, StateView};
pub use time::{Clock, ManualClock, SeedSource, SystemClock, split_mix_64};
pub use ttl::{StateOptions, StateTtl};
