//! The states of an operator: what each is, how much there is of it, and the columns of its rows.

use serde_json::{Value, json};
use volley_api::{Error, Result};

use super::look::Look;
use super::scan::Looked;
use crate::args;
use crate::output::print;
use crate::run::Ending;
use crate::stored::table;
use crate::summary::grouped;

/// A state, and how many entries it has.
struct Counted {
    state: Looked,
    entries: u64,
    bytes: u64,
    key_groups: u32,
}

/// Lists states.
pub(super) async fn show(asked: &args::State, look: &Look, states: Vec<Looked>) -> Result<Ending> {
    let (operator, manifest) = (&asked.operator, look.manifest());
    let counting = tokio::task::spawn_blocking(move || states.into_iter().map(count).collect::<Result<Vec<_>>>());
    let counted = counting.await.map_err(|error| Error::internal("the reader of the states is gone").caused_by(error));
    let mut counted = counted??;
    for counted in &mut counted {
        let parts = manifest.operators.get(operator).and_then(|entry| entry.keyed.get(&counted.state.name));
        let parts = || parts.into_iter().flatten();
        counted.bytes = parts().flat_map(|part| &part.files).map(|file| file.bytes).sum();
        counted.key_groups = parts().map(|part| part.key_groups[1].saturating_sub(part.key_groups[0])).sum();
    }
    if asked.json {
        let states: Vec<Value> = counted.iter().map(as_json).collect();
        let list = json!({ "job": manifest.job, "epoch": manifest.epoch, "operator": operator, "states": states });
        print(&format!("{list:#}\n"))?;
        return Ok(Ending::Done);
    }
    let heads = ["state", "kind", "key groups", "entries", "bytes", "layout"];
    let row = |Counted { state, entries, bytes, key_groups }: &Counted| {
        vec![
            state.name.clone(),
            state.kind().to_owned(),
            format!("{key_groups} of {}", manifest.key_groups),
            grouped(*entries),
            grouped(*bytes),
            layout(state).to_owned(),
        ]
    };
    let rows: Vec<Vec<String>> = counted.iter().map(row).collect();
    let states = table(&heads, &rows, &["state", "kind", "layout"], heads.len());
    let columns: Vec<Vec<String>> =
        counted.iter().map(|counted| vec![counted.state.name.clone(), columns(&counted.state).join(", ")]).collect();
    let heads = ["state", "columns of its rows"];
    let columns = table(&heads, &columns, &heads, heads.len());
    let notes: String = counted.iter().filter_map(|counted| note(&counted.state)).collect();
    print(&format!("`{operator}` in {}:\n{states}\n{columns}\n{notes}", look.of().label()))?;
    Ok(Ending::Done)
}

fn count(state: Looked) -> Result<Counted> {
    let mut entries = 0;
    state.pages(|page| {
        entries += page.len() as u64;
        Ok(true)
    })?;
    Ok(Counted { state, entries, bytes: 0, key_groups: 0 })
}

fn layout(state: &Looked) -> &str {
    state.parts.first().map_or("", |part| &part.layout)
}

fn columns(state: &Looked) -> Vec<String> {
    state.schema.fields().iter().map(|field| field.name().clone()).collect()
}

/// Why the rows of a state are bytes.
fn note(state: &Looked) -> Option<String> {
    let reason = state.unknown.as_ref().filter(|_| !state.parts.is_empty())?;
    Some(format!("the rows of `{}` are bytes: {reason}\n", state.name))
}

fn as_json(Counted { state, entries, bytes, key_groups }: &Counted) -> Value {
    let columns = state.schema.fields().iter();
    let columns: Vec<Value> =
        columns.map(|field| json!({ "name": field.name(), "type": field.data_type().to_string() })).collect();
    json!({
        "state": state.name,
        "kind": state.kind(),
        "layout": layout(state),
        "format": state.parts.first().map(|part| part.format.as_str()),
        "key_groups": key_groups,
        "entries": entries,
        "bytes": bytes,
        "columns": columns,
        "unknown": state.unknown.as_ref().filter(|_| !state.parts.is_empty()),
    })
}
