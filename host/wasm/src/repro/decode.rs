//! A bundle as what was called. A bundle may come from anywhere: what does not fit is an error that names it.

use std::sync::Arc;
use std::time::Duration;

use arrow::array::RecordBatch;
use serde_json::Value;
use volley_api::EventTimeColumn;
use volley_ipc::{BatchMessage, GateLimits, decode_batch, decode_schema};

use super::{REPRO_BYTES_MAX, http, what};
use crate::abi::message::Outgoing;
use crate::contract::{Entries, Found, Part, StateError, TimeDomain, Timer, TimerError};
use crate::held::{Entry, Given, Logged, TapeAnswer};
use crate::imports::emitter::Parents;
use crate::input::PluginInput;
use crate::options::PluginLimits;
use crate::violation::Violation;

/// What is wrong with a bundle.
pub(super) type Decoded<T> = Result<T, String>;

/// Imports whose answers a bundle may have.
const IMPORTS: [&str; 12] = [
    "state.get",
    "state.put",
    "state.remove",
    "state.merge",
    "state.map-get",
    "state.map-put",
    "state.map-remove",
    "state.get-entries",
    "state.append",
    "state.key-groups",
    "timers.register",
    "timers.delete",
];

pub(super) fn field<'a>(value: &'a Value, name: &str) -> Decoded<&'a Value> {
    value.get(name).ok_or_else(|| format!("it has no `{name}`"))
}

pub(super) fn text<'a>(value: &'a Value, name: &str) -> Decoded<&'a str> {
    field(value, name)?.as_str().ok_or_else(|| format!("`{name}` is no text"))
}

pub(super) fn number<T: TryFrom<u64>>(value: &Value, name: &str) -> Decoded<T> {
    whole(field(value, name)?).ok_or_else(|| format!("`{name}` is not a whole number that fits"))
}

pub(super) fn whole<T: TryFrom<u64>>(value: &Value) -> Option<T> {
    T::try_from(value.as_u64()?).ok()
}

pub(super) fn list<T>(value: &Value, name: &str, of: impl Fn(&Value) -> Decoded<T>) -> Decoded<Vec<T>> {
    field(value, name)?.as_array().ok_or_else(|| format!("`{name}` is no list"))?.iter().map(of).collect()
}

pub(super) fn bytes(value: &Value, name: &str) -> Decoded<Vec<u8>> {
    let digits = text(value, name)?.as_bytes();
    let digit = |digit: u8| char::from(digit).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let byte = |pair: &[u8]| match pair {
        [high, low] => Some(digit(*high)? << 4 | digit(*low)?),
        _ => None,
    };
    digits.chunks(2).map(byte).collect::<Option<_>>().ok_or_else(|| format!("`{name}` is not in hexadecimal digits"))
}

fn rows(schema: &[u8], message: &[u8]) -> Decoded<RecordBatch> {
    let schema = decode_schema(schema).map_err(|error| error.to_string())?;
    let limits =
        GateLimits { bytes_max: REPRO_BYTES_MAX, rows_max: u32::MAX as usize, logical_bytes_max: REPRO_BYTES_MAX };
    decode_batch(&message.to_vec().into(), &Arc::new(schema), &limits).map_err(|error| error.to_string())
}

fn batch(value: &Value, name: &str) -> Decoded<Option<RecordBatch>> {
    let value = field(value, name)?;
    if value.is_null() {
        return Ok(None);
    }
    rows(&bytes(value, "schema")?, &bytes(value, "rows")?).map(Some).map_err(|error| format!("`{name}`: {error}"))
}

/// The rows of an Arrow stream of one batch, as [`super::encode::stream`] writes it.
pub(super) fn stream(stream: &[u8]) -> Decoded<Option<RecordBatch>> {
    if stream.is_empty() {
        return Ok(None);
    }
    // The continuation marker, the length of the metadata, the metadata.
    let length =
        stream.get(4..8).and_then(|bytes| bytes.first_chunk()).map(|bytes| u32::from_le_bytes(*bytes) as usize);
    let parts = length.and_then(|length| stream.split_at_checked(length.checked_add(8)?));
    let (schema, message) = parts.ok_or("the rows end within their schema")?;
    rows(schema, message.get(..message.len().saturating_sub(8)).unwrap_or_default())
        .map(Some)
        .map_err(|error| format!("the rows: {error}"))
}

pub(super) fn limits(value: &Value) -> Decoded<PluginLimits> {
    let ms = |name: &str| Ok::<_, String>(Duration::from_millis(number(value, name)?));
    Ok(PluginLimits {
        memory_bytes_max: number(value, "memory_bytes")?,
        deadline: ms("deadline_ms")?,
        open_deadline: ms("open_deadline_ms")?,
        output_bytes_max: number(value, "output_bytes")?,
        output_rows_max: number(value, "output_rows")?,
        rows_per_row_max: number(value, "rows_per_row")?,
        bytes_per_row_max: number(value, "bytes_per_row")?,
        transfer_bytes_max: number(value, "transfer_bytes")?,
        table_elements_max: number(value, "table_elements")?,
        ..PluginLimits::default()
    })
}

pub(super) fn input(value: &Value) -> Decoded<PluginInput> {
    let schema = decode_schema(&bytes(value, "schema")?).map_err(|error| format!("`schema`: {error}"))?;
    let key = |key: &Value| key.as_str().map(str::to_owned).ok_or_else(|| "the name of a column is no text".to_owned());
    let time = field(value, "event_time")?;
    let event_time = if time.is_null() {
        None
    } else {
        let offset_ms = field(time, "offset_ms")?.as_i64().ok_or("`offset_ms` is no number")?;
        Some(EventTimeColumn { offset_ms, ..EventTimeColumn::new(text(time, "column")?) })
    };
    let granted = match field(value, "granted")? {
        Value::Null => None,
        _ => Some(list(value, "granted", key)?),
    };
    Ok(PluginInput { schema: Arc::new(schema), keys: list(value, "keys", key)?, event_time, granted })
}

/// The operator's name, and which of its instances it was, out of how many.
pub(super) fn operator(value: &Value) -> Decoded<(String, u32, u32)> {
    Ok((text(value, "name")?.to_owned(), number(value, "instance")?, number(value, "instances")?))
}

/// A piece of what an operator holds itself.
pub(super) fn part(part: &Value) -> Decoded<Part> {
    Ok(Part {
        key_group: match field(part, "key_group")? {
            Value::Null => None,
            group => Some(whole(group).ok_or("a key group is none")?),
        },
        version: number(part, "version")?,
        bytes: bytes(part, "bytes")?,
    })
}

/// What the operator held, if it held anything, and what was called since.
pub(super) fn held(bundle: &Value) -> Decoded<(Option<Vec<Part>>, Vec<Entry>)> {
    let parts = if field(bundle, "parts")?.is_null() { None } else { Some(list(bundle, "parts", part)?) };
    let entry = |entry: &Value| match entry.as_str() {
        Some("forget") => Ok(Entry::Forget),
        _ => Ok(Entry::Call(Box::new(call(entry, batch(entry, "batch")?)?))),
    };
    Ok((parts, list(bundle, "log", entry)?))
}

/// A call on rows, or on states, or on none.
pub(super) fn call(value: &Value, rows: Option<RecordBatch>) -> Decoded<Logged> {
    let keys = field(value, "keys")?;
    let keys = match keys {
        Value::Null => None,
        keys => {
            batch(keys, "columns")?.map(|columns| Ok::<_, String>((number(keys, "first")?, columns))).transpose()?
        }
    };
    let parents = match field(value, "parents")? {
        Value::Null => Parents::None,
        parents if parents.get("rows").is_some() => Parents::Rows(number(parents, "rows")?),
        parents => Parents::Timers(number(parents, "timers")?),
    };
    Ok(Logged {
        keys,
        call: what::decode(field(value, "what")?)?,
        batch: rows,
        parents,
        number: number(value, "number")?,
        random: number(value, "random")?,
        now_ms: match field(value, "now_ms")? {
            Value::Null => None,
            _ => Some(number(value, "now_ms")?),
        },
        answers: list(value, "answers", answer)?,
        http: http::decode(value)?,
        exceeded: match field(value, "exceeded")? {
            Value::Null => None,
            exceeded => Some((violation(text(exceeded, "which")?)?, text(exceeded, "words")?.to_owned())),
        },
        has_failed: field(value, "has_failed")?.as_bool().ok_or("`has_failed` is not true or false")?,
    })
}

fn violation(label: &str) -> Decoded<Violation> {
    let found = Violation::ALL.into_iter().find(|violation| violation.as_str() == label);
    found.ok_or_else(|| format!("no limit is called `{label}`"))
}

pub(super) fn timer(value: &Value) -> Decoded<Timer> {
    let domain = match text(value, "domain")? {
        "event-time" => TimeDomain::EventTime,
        "processing-time" => TimeDomain::ProcessingTime,
        other => return Err(format!("there is no kind of time `{other}`")),
    };
    let at_ms = field(value, "at_ms")?.as_i64().ok_or("`at_ms` is no number")?;
    Ok(Timer { group: number(value, "group")?, at_ms, domain, tag: number(value, "tag")? })
}

fn answer(value: &Value) -> Decoded<TapeAnswer> {
    let name = text(value, "import")?;
    let import = IMPORTS.into_iter().find(|import| *import == name).ok_or_else(|| format!("no import `{name}`"))?;
    let given = field(value, "given")?;
    let message = |name: &str| Ok::<_, String>(Outgoing(Arc::new(BatchMessage::of_bytes(bytes(given, name)?))));
    if let Some(refused) = given.get("refused") {
        return Ok(TapeAnswer { import, given: self::refused(import, refused)? });
    }
    let given = match import {
        "state.get" | "state.map-get" => {
            Given::Found(Ok(Found { present: bytes(given, "present")?, values: message("values")? }))
        }
        "state.get-entries" => {
            let group = |group: &Value| whole(group).ok_or_else(|| "a group is no number".to_owned());
            Given::Entries(Ok(Entries {
                groups: list(given, "groups", group)?,
                map_keys: message("map_keys")?,
                values: message("values")?,
            }))
        }
        "state.key-groups" => {
            let group = |group: &Value| whole(group).ok_or_else(|| "a key group is none".to_owned());
            Given::KeyGroups(Ok(list(given, "key_groups", group)?))
        }
        "timers.register" | "timers.delete" => Given::Timers(Ok(())),
        _ => Given::Done(Ok(())),
    };
    Ok(TapeAnswer { import, given })
}

fn refused(import: &str, value: &Value) -> Decoded<Given> {
    let unknown = || format!("`{import}` was refused in a way that there is not");
    let kind = value.get(0).and_then(Value::as_str).ok_or_else(unknown)?;
    let what = value.get(1).ok_or_else(unknown)?;
    let words = || what.as_str().map(str::to_owned).ok_or_else(unknown);
    let count = || whole::<u32>(what).ok_or_else(unknown);
    if import.starts_with("timers.") {
        return Ok(Given::Timers(Err(match kind {
            "unknown-group" => TimerError::UnknownGroup(count()?),
            "out-of-range" => TimerError::OutOfRange(words()?),
            "limit-exceeded" => TimerError::LimitExceeded(words()?),
            _ => return Err(unknown()),
        })));
    }
    let error = match kind {
        "unknown-state" => StateError::UnknownState(count()?),
        "unknown-group" => StateError::UnknownGroup(count()?),
        "wrong-kind" => StateError::WrongKind(words()?),
        "invalid-batch" => StateError::InvalidBatch(words()?),
        "limit-exceeded" => StateError::LimitExceeded(words()?),
        "unavailable" => StateError::Unavailable(words()?),
        _ => return Err(unknown()),
    };
    Ok(match import {
        "state.get" | "state.map-get" => Given::Found(Err(error)),
        "state.get-entries" => Given::Entries(Err(error)),
        "state.key-groups" => Given::KeyGroups(Err(error)),
        _ => Given::Done(Err(error)),
    })
}
