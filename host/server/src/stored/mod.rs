//! `volley-host checkpoints`, `volley-host savepoint inspect | verify` and `volley-host state`: what is stored, for people and scripts.
//!
//! Reads only: the job whose checkpoints are looked at may run.

mod inspect;
mod list;
mod state;
mod verify;

use std::path::Path;

use comfy_table::presets::UTF8_BORDERS_ONLY;
use comfy_table::{CellAlignment, Table};
use volley_api::{Epoch, Error, Result};
use volley_checkpoint::store::{CheckpointStore, Location, Savepoint};
use volley_config::PipelineSpec;

use crate::args::{AtLocation, Checkpoints, LookAtSavepoint};
use crate::checkpoints::location;
use crate::run::Ending;

pub(crate) use state::state;

/// Does what was asked of the checkpoints of a pipeline, which `load` reads.
pub(crate) async fn checkpoints(command: &Checkpoints, load: impl Fn(&Path) -> Result<PipelineSpec>) -> Result<Ending> {
    let open = |pipeline: &Path| open(&load(pipeline)?, pipeline);
    match command {
        Checkpoints::List(asked) => list::list(&open(&asked.pipeline)?, asked.json).await,
        Checkpoints::Inspect(asked) => inspect::checkpoint(&open(&asked.pipeline)?, asked.which, asked.json).await,
        Checkpoints::Verify(asked) => verify::checkpoints(&open(&asked.pipeline)?, asked.which, asked.json).await,
    }
}

/// Does what was asked of a savepoint.
pub(crate) async fn savepoint(command: &LookAtSavepoint) -> Result<Ending> {
    let open = |at: &AtLocation| Ok::<_, Error>(Savepoint::open(&Location::parse(&at.location)?)?);
    match command {
        LookAtSavepoint::Inspect(at) => inspect::savepoint(&open(at)?, &at.location, at.json).await,
        LookAtSavepoint::Verify(at) => verify::savepoint(&open(at)?, &at.location, at.json).await,
    }
}

/// Whether an error should be JSON.
pub(crate) fn is_json(command: &Checkpoints) -> bool {
    match command {
        Checkpoints::List(asked) => asked.json,
        Checkpoints::Inspect(asked) => asked.json,
        Checkpoints::Verify(asked) => asked.json,
    }
}

fn open(spec: &PipelineSpec, pipeline: &Path) -> Result<CheckpointStore> {
    let Some(checkpoint) = &spec.checkpoint else {
        let pipeline = pipeline.display();
        return Err(Error::config(format!("{pipeline} has no `checkpoint`: its job keeps none")));
    };
    let folder = pipeline.parent().unwrap_or(Path::new(""));
    Ok(CheckpointStore::open(&location(checkpoint, folder)?, spec.name.as_str())?)
}

/// Refuses the number of a checkpoint that is not there, and names those that are.
pub(crate) async fn check_is_there(store: &CheckpointStore, epoch: Epoch) -> Result<()> {
    let there: Vec<Epoch> = store.list().await?.into_iter().map(|entry| entry.epoch).collect();
    if there.contains(&epoch) {
        return Ok(());
    }
    let label = store.label();
    let known = match &there[..] {
        [] => "there is none at all".to_owned(),
        _ => {
            let numbers: Vec<String> = there.iter().take(NAMED_MAX).map(Epoch::to_string).collect();
            let more = if there.len() > NAMED_MAX { " …" } else { "" };
            format!("there are {}{more}", numbers.join(", "))
        }
    };
    Err(Error::config(format!("there is no checkpoint {epoch} in {label}: {known}")))
}

/// So many checkpoints are named in a message.
const NAMED_MAX: usize = 20;

/// A table in a frame. Columns behind the first `always` are left out where they are empty in every row; `words` are
/// those that are no numbers.
fn table(heads: &[&str], rows: &[Vec<String>], words: &[&str], always: usize) -> String {
    let is_shown = |column: usize| column < always || rows.iter().any(|row| !row[column].is_empty());
    let shown: Vec<usize> = (0..heads.len()).filter(|column| is_shown(*column)).collect();
    let mut table = Table::new();
    table.load_preset(UTF8_BORDERS_ONLY);
    table.set_header(shown.iter().map(|column| heads[*column]));
    for row in rows {
        table.add_row(shown.iter().map(|column| row[*column].as_str()));
    }
    for (column, head) in table.column_iter_mut().zip(&shown) {
        if !words.contains(&heads[*head]) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table.trim_fmt()
}

/// A time in milliseconds since 1970, to the second, in UTC.
fn utc(ms: i64) -> String {
    let time = arrow::temporal_conversions::timestamp_ms_to_datetime(ms);
    time.map_or_else(|| format!("{ms} ms"), |time| time.format("%Y-%m-%dT%H:%M:%SZ").to_string())
}

/// The same of a time that is not before 1970.
fn written_at(ms: u64) -> String {
    utc(i64::try_from(ms).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_utc_and_any_number_is_one() {
        assert_eq!(written_at(1_400_000_000_000), "2014-05-13T16:53:20Z");
        assert_eq!(utc(-1), "1969-12-31T23:59:59Z");
        assert_eq!(utc(i64::MAX), format!("{} ms", i64::MAX));
    }

    #[test]
    fn columns_without_a_word_are_left_out() {
        let row = |cells: [&str; 3]| cells.map(str::to_owned).to_vec();
        let rows = [row(["a", "1", ""]), row(["b", "20", ""])];
        let text = table(&["node", "files", "note"], &rows, &["node", "note"], 1);
        assert!(text.contains("│ a          1 │") && !text.contains("note"), "{text}");
    }
}
