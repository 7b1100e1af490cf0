//! A failed call as a bundle.

use std::path::PathBuf;
use std::time::Duration;

use arrow::array::RecordBatch;
use serde_json::{Value, json};
use volley_api::SubtaskId;
use volley_ipc::{encode_batch, encode_schema, wire_schema};

use super::{FORMAT, Failed, http, what};
use crate::abi::message::Outgoing;
use crate::cache::hex;
use crate::contract::{Part, StateError, TimeDomain, Timer, TimerError};
use crate::held::{Entry, Given, Logged, TapeAnswer};
use crate::imports::emitter::Parents;
use crate::input::PluginInput;
use crate::inspect::PluginKind;
use crate::options::PluginLimits;
use crate::plugin::Who;

/// The end of an Arrow stream.
const STREAM_END: [u8; 8] = [0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0];

/// What a bundle is made of.
pub(super) struct Bundle<'a> {
    pub(super) failed: &'a Failed<'a>,
    /// What the job says of it.
    pub(super) error: &'a str,
    pub(super) who: &'a Who,
    /// Where its component lies.
    pub(super) file: Option<PathBuf>,
    pub(super) kind: PluginKind,
    /// The node, and which of its instances.
    pub(super) operator: (&'a str, SubtaskId),
    pub(super) config: &'a str,
    pub(super) limits: &'a PluginLimits,
    pub(super) input: &'a PluginInput,
}

impl Bundle<'_> {
    /// Everything of a bundle but the rows.
    pub(super) fn to_json(&self) -> volley_ipc::Result<Value> {
        let Self { failed, error, who, file, kind, operator: (node, subtask), config, limits, input } = self;
        let event_time = input.event_time.as_ref();
        Ok(json!({
            "format": FORMAT,
            "host": env!("CARGO_PKG_VERSION"),
            "component": {
                "name": who.name,
                "digest": who.digest,
                "file": file.as_ref().map(|file| file.display().to_string()),
            },
            "kind": kind.as_str(),
            "operator": { "name": node, "instance": subtask.index, "instances": subtask.parallelism },
            "config": config,
            "limits": self::limits(limits),
            "input": {
                "schema": hex(&encode_schema(&wire_schema(&input.schema)?)?),
                "granted": input.granted,
                "keys": input.keys,
                "event_time": event_time.map(|time| json!({ "column": &*time.name, "offset_ms": time.offset_ms })),
            },
            "parts": failed.parts.map(|parts| parts.iter().map(part).collect::<Vec<_>>()),
            "log": failed.log.iter().map(entry).collect::<volley_ipc::Result<Vec<_>>>()?,
            "call": call(&failed.last.call)?,
            "came_to": failed.last.came_to.words(),
            "error": error,
        }))
    }
}

/// The rows of a call as an Arrow stream; of none, nothing.
pub(super) fn stream(batch: Option<&RecordBatch>) -> volley_ipc::Result<Vec<u8>> {
    let Some(batch) = batch else { return Ok(Vec::new()) };
    Ok([&encode_schema(batch.schema_ref())?[..], &encode_batch(batch)?, &STREAM_END].concat())
}

fn limits(limits: &PluginLimits) -> Value {
    let ms = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    json!({
        "memory_bytes": limits.memory_bytes_max,
        "deadline_ms": ms(limits.deadline),
        "open_deadline_ms": ms(limits.open_deadline),
        "output_bytes": limits.output_bytes_max,
        "output_rows": limits.output_rows_max,
        "rows_per_row": limits.rows_per_row_max,
        "bytes_per_row": limits.bytes_per_row_max,
        "transfer_bytes": limits.transfer_bytes_max,
        "table_elements": limits.table_elements_max,
    })
}

pub(super) fn part(part: &Part) -> Value {
    json!({ "key_group": part.key_group, "version": part.version, "bytes": hex(&part.bytes) })
}

fn entry(entry: &Entry) -> volley_ipc::Result<Value> {
    match entry {
        Entry::Forget => Ok(json!("forget")),
        Entry::Call(logged) => {
            let mut value = call(logged)?;
            value["batch"] = batch(logged.batch.as_ref())?;
            Ok(value)
        }
    }
}

fn batch(batch: Option<&RecordBatch>) -> volley_ipc::Result<Value> {
    let Some(batch) = batch else { return Ok(Value::Null) };
    Ok(json!({ "schema": hex(&encode_schema(batch.schema_ref())?), "rows": hex(&encode_batch(batch)?) }))
}

fn call(logged: &Logged) -> volley_ipc::Result<Value> {
    let keys = match &logged.keys {
        Some((first, keys)) => json!({ "first": first, "columns": batch(Some(keys))? }),
        None => Value::Null,
    };
    let parents = match logged.parents {
        Parents::Rows(rows) => json!({ "rows": rows }),
        Parents::Timers(timers) => json!({ "timers": timers }),
        Parents::None => Value::Null,
    };
    Ok(json!({
        "what": what::encode(&logged.call),
        "keys": keys,
        "parents": parents,
        "number": logged.number,
        "random": logged.random,
        "now_ms": logged.now_ms,
        "answers": logged.answers.iter().map(answer).collect::<Vec<_>>(),
        "http": http::encode(&logged.http),
        "exceeded": logged.exceeded.as_ref().map(|(which, words)| json!({ "which": which.as_str(), "words": words })),
        "has_failed": logged.has_failed,
    }))
}

pub(super) fn timer(timer: &Timer) -> Value {
    let domain = if timer.domain == TimeDomain::EventTime { "event-time" } else { "processing-time" };
    json!({ "group": timer.group, "at_ms": timer.at_ms, "domain": domain, "tag": timer.tag })
}

fn answer(answer: &TapeAnswer) -> Value {
    let message = |message: &Outgoing| hex(&message.0.to_vec());
    let given = match &answer.given {
        Given::Done(Ok(())) | Given::Timers(Ok(())) => Value::Null,
        Given::KeyGroups(Ok(groups)) => json!({ "key_groups": groups }),
        Given::Found(Ok(found)) => json!({ "present": hex(&found.present), "values": message(&found.values) }),
        Given::Entries(Ok(entries)) => json!({
            "groups": entries.groups,
            "map_keys": message(&entries.map_keys),
            "values": message(&entries.values),
        }),
        Given::Done(Err(error))
        | Given::Found(Err(error))
        | Given::Entries(Err(error))
        | Given::KeyGroups(Err(error)) => json!({ "refused": refused(error) }),
        Given::Timers(Err(error)) => json!({ "refused": match error {
            TimerError::UnknownGroup(group) => json!(["unknown-group", group]),
            TimerError::OutOfRange(words) => json!(["out-of-range", words]),
            TimerError::LimitExceeded(words) => json!(["limit-exceeded", words]),
        } }),
    };
    json!({ "import": answer.import, "given": given })
}

fn refused(error: &StateError) -> Value {
    match error {
        StateError::UnknownState(state) => json!(["unknown-state", state]),
        StateError::UnknownGroup(group) => json!(["unknown-group", group]),
        StateError::WrongKind(words) => json!(["wrong-kind", words]),
        StateError::InvalidBatch(words) => json!(["invalid-batch", words]),
        StateError::LimitExceeded(words) => json!(["limit-exceeded", words]),
        StateError::Unavailable(words) => json!(["unavailable", words]),
    }
}
