//! Which function was called, in a bundle.

use std::sync::Arc;

use serde_json::{Value, json};

use super::decode::{Decoded, field, list, part, text, timer, whole};
use super::{declared, encode};
use crate::contract::{Framing, Watermark};
use crate::held::Called;
use crate::hooks::HookCall;
use crate::path::{AggregateCall, CodecCall, KeyedCall};

/// The field `what` of a call.
pub(super) fn encode(call: &Called) -> Value {
    match call {
        Called::Rows => Value::Null,
        Called::Keyed(KeyedCall::Rows(groups)) => json!({ "groups": groups }),
        Called::Keyed(KeyedCall::Timers(timers)) => {
            json!({ "timers": timers.iter().map(encode::timer).collect::<Vec<_>>() })
        }
        Called::Keyed(KeyedCall::Watermark(Watermark::AtMs(at_ms))) => json!({ "watermark_ms": at_ms }),
        Called::Keyed(KeyedCall::Watermark(Watermark::End)) => json!({ "watermark_ms": Value::Null }),
        Called::Codec(CodecCall::Decode { framing, end }) => {
            json!({ "decode": { "framing": word(*framing), "end": end } })
        }
        Called::Codec(CodecCall::Encode) => json!("encode"),
        Called::Aggregate(AggregateCall::Update(groups)) => json!({ "update": &groups[..] }),
        Called::Aggregate(AggregateCall::Merge(groups)) => json!({ "merge": &groups[..] }),
        Called::Aggregate(AggregateCall::Drain) => json!("drain"),
        Called::Aggregate(AggregateCall::Evaluate) => json!("evaluate"),
        Called::Hook(HookCall::Snapshot) => json!("snapshot"),
        Called::Hook(HookCall::Restore(parts)) => {
            json!({ "restore": parts.iter().map(encode::part).collect::<Vec<_>>() })
        }
        Called::Hook(HookCall::CanMigrate(states)) => {
            json!({ "can_migrate": states.iter().map(declared::encode).collect::<Vec<_>>() })
        }
        Called::Hook(HookCall::Migrate(state)) => json!({ "migrate": declared::encode(state) }),
    }
}

/// What [`encode`] wrote.
pub(super) fn decode(what: &Value) -> Decoded<Called> {
    let group = |group: &Value| whole::<u32>(group).ok_or_else(|| "a group is no number".to_owned());
    let unknown = || format!("no function is called for `{what}`");
    match what {
        Value::Null => return Ok(Called::Rows),
        Value::String(word) => {
            return Ok(match word.as_str() {
                "encode" => Called::Codec(CodecCall::Encode),
                "drain" => Called::Aggregate(AggregateCall::Drain),
                "evaluate" => Called::Aggregate(AggregateCall::Evaluate),
                "snapshot" => Called::Hook(HookCall::Snapshot),
                _ => return Err(unknown()),
            });
        }
        _ => {}
    }
    let has = |name: &str| what.get(name).is_some();
    let groups = |name: &str| Ok::<_, String>(Arc::new(list(what, name, group)?));
    Ok(if has("groups") {
        Called::Keyed(KeyedCall::Rows(list(what, "groups", group)?))
    } else if has("timers") {
        Called::Keyed(KeyedCall::Timers(list(what, "timers", timer)?))
    } else if has("watermark_ms") {
        Called::Keyed(KeyedCall::Watermark(match field(what, "watermark_ms")? {
            Value::Null => Watermark::End,
            at_ms => Watermark::AtMs(at_ms.as_i64().ok_or("`watermark_ms` is no number")?),
        }))
    } else if let Some(decode) = what.get("decode") {
        let framing = match text(decode, "framing")? {
            "messages" => Framing::Messages,
            "stream" => Framing::Stream,
            other => return Err(format!("nothing is framed as `{other}`")),
        };
        let end = field(decode, "end")?.as_bool().ok_or("`end` is not true or false")?;
        Called::Codec(CodecCall::Decode { framing, end })
    } else if has("update") {
        Called::Aggregate(AggregateCall::Update(groups("update")?))
    } else if has("merge") {
        Called::Aggregate(AggregateCall::Merge(groups("merge")?))
    } else if has("restore") {
        Called::Hook(HookCall::Restore(list(what, "restore", part)?))
    } else if has("can_migrate") {
        Called::Hook(HookCall::CanMigrate(list(what, "can_migrate", declared::decode)?))
    } else if let Some(state) = what.get("migrate") {
        Called::Hook(HookCall::Migrate(declared::decode(state)?))
    } else {
        return Err(unknown());
    })
}

fn word(framing: Framing) -> &'static str {
    match framing {
        Framing::Messages => "messages",
        Framing::Stream => "stream",
    }
}
