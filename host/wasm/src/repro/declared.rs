//! Declarations of states, in a bundle.

use serde_json::{Value, json};

use super::decode::{Decoded, bytes, field, list, number, text};
use crate::cache::hex;
use crate::contract::{MergeFunction, StateDeclaration, StateKind};

/// The functions of a merging state, by the words of a bundle.
const MERGES: [(&str, MergeFunction); 3] =
    [("sum", MergeFunction::Sum), ("min", MergeFunction::Min), ("max", MergeFunction::Max)];

/// A declaration as a plugin is told of it.
pub(super) fn encode(state: &StateDeclaration) -> Value {
    let StateDeclaration { name, kind, map_keys, values, version, ttl_ms } = state;
    let word = |function: &MergeFunction| MERGES.iter().find(|(_, of)| of == function).map(|(word, _)| *word);
    let kind = match kind {
        StateKind::Value => json!("value"),
        StateKind::Map => json!("map"),
        StateKind::List => json!("list"),
        StateKind::Merge(functions) => json!({ "merge": functions.iter().filter_map(word).collect::<Vec<_>>() }),
    };
    json!({
        "name": name,
        "kind": kind,
        "map_keys": map_keys.as_deref().map(hex),
        "values": hex(values),
        "version": version,
        "ttl_ms": ttl_ms,
    })
}

/// What [`encode`] wrote.
pub(super) fn decode(state: &Value) -> Decoded<StateDeclaration> {
    let of = |function: &Value| {
        let found = MERGES.iter().find(|(word, _)| function.as_str() == Some(word)).map(|(_, function)| *function);
        found.ok_or_else(|| format!("no state is merged by {function}"))
    };
    let kind = field(state, "kind")?;
    let kind = match kind.as_str() {
        Some("value") => StateKind::Value,
        Some("map") => StateKind::Map,
        Some("list") => StateKind::List,
        Some(other) => return Err(format!("no state is of kind `{other}`")),
        None => StateKind::Merge(list(kind, "merge", of)?),
    };
    let is_there = |name: &str| Ok::<_, String>(!field(state, name)?.is_null());
    Ok(StateDeclaration {
        name: text(state, "name")?.to_owned(),
        kind,
        map_keys: if is_there("map_keys")? { Some(bytes(state, "map_keys")?) } else { None },
        values: bytes(state, "values")?,
        version: number(state, "version")?,
        ttl_ms: if is_there("ttl_ms")? { Some(number(state, "ttl_ms")?) } else { None },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again() {
        let merged = StateKind::Merge(MERGES.iter().map(|(_, function)| *function).collect());
        for kind in [StateKind::Value, StateKind::Map, StateKind::List, merged] {
            let is_map = kind == StateKind::Map;
            let state = StateDeclaration {
                name: "kept".to_owned(),
                kind,
                map_keys: is_map.then(|| vec![1, 0xff]),
                values: vec![0, 2],
                version: 7,
                ttl_ms: is_map.then_some(u64::MAX),
            };
            assert_eq!(decode(&encode(&state)), Ok(state));
        }
        let mut bad = encode(&StateDeclaration {
            name: "kept".to_owned(),
            kind: StateKind::List,
            map_keys: None,
            values: Vec::new(),
            version: 1,
            ttl_ms: None,
        });
        bad["kind"] = json!("heap");
        assert!(decode(&bad).expect_err("no such kind").contains("`heap`"));
        bad["kind"] = json!({ "merge": ["avg"] });
        assert!(decode(&bad).expect_err("no such function").contains("avg"));
    }
}
