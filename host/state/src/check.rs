//! What every backend refuses before it does anything.

use volley_api::{StateContext, StateKey, StatePart};

use crate::{Error, Result};

/// Refuses keys of other instances.
pub(crate) fn key_groups(context: &StateContext, keys: &[StateKey<'_>]) -> Result<()> {
    let key_groups = context.key_groups;
    match keys.iter().find(|key| !key_groups.contains(key.group)) {
        None => Ok(()),
        Some(key) => Err(Error::ForeignKeyGroup {
            node: context.node.clone(),
            state: context.name,
            group: key.group,
            key_groups,
        }),
    }
}

/// Refuses keys without values, and values without keys.
pub(crate) fn values(context: &StateContext, keys: &[StateKey<'_>], values: &[&[u8]]) -> Result<()> {
    if keys.len() == values.len() {
        return Ok(());
    }
    let (node, state) = (context.node.clone(), context.name);
    Err(Error::ValueCount { node, state, keys: keys.len(), values: values.len() })
}

/// Refuses a part of a checkpoint that is of another format than the `known`, named in `known_words`, or laid out in
/// another way than the operator's keys and values, which goes for a time to live too.
pub(crate) fn part(context: &StateContext, part: &StatePart, known: &[&str], known_words: &'static str) -> Result<()> {
    let (node, state) = (context.node.clone(), context.name);
    if !known.contains(&part.format.as_str()) {
        return Err(Error::Format { node, state, found: part.format.clone(), known: known_words });
    }
    let wanted = context.stored_layout();
    if part.layout != wanted {
        let found = part.layout.clone();
        return Err(Error::Layout { node, state, found, wanted });
    }
    Ok(())
}
