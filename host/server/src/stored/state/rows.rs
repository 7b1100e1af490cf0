//! The rows of one state: filtered, cut to some columns, shown or counted.

use std::panic;
use std::sync::Arc;

use arrow::array::{BooleanArray, RecordBatch};
use arrow::compute::filter_record_batch;
use arrow::datatypes::{DataType, SchemaRef};
use serde_json::json;
use volley_api::{Error, Result};
use volley_config::Unknown;
use volley_expr::Expression;

use super::scan::{Looked, Undecoded, internal};
use super::shown::Shown;
use crate::args;
use crate::output::{print, tell};
use crate::run::Ending;
use crate::summary::grouped;

/// When enough rows are shown, so many more entries are looked at, to say how many rows are left.
const LOOK_AHEAD_ENTRIES: usize = 100_000;

/// What is asked of the rows, checked.
struct Query {
    filter: Option<Expression>,
    /// Indices of the columns that are shown.
    columns: Vec<usize>,
    limit: usize,
    count: bool,
    json: bool,
}

/// What came of it.
#[derive(Default)]
struct Found {
    shown: usize,
    /// Rows that fit and are not shown.
    more: u64,
    /// Whether the state was read to its end.
    is_all: bool,
    undecoded: Undecoded,
}

/// Shows the rows of a state that are asked for.
pub(super) async fn show(asked: &args::State, state: Looked) -> Result<Ending> {
    let query = Query::new(asked, &state.schema)?;
    if let Some(reason) = &state.unknown
        && !state.parts.is_empty()
    {
        tell(&format!("note: the state `{}` is shown as bytes: {reason}", state.name));
    }
    let name = state.name.clone();
    // What Arrow asserts of damaged bytes becomes an error, and needs no word of the runtime's besides.
    let hook = panic::take_hook();
    panic::set_hook(Box::new(|_| {}));
    let scanned = tokio::task::spawn_blocking(move || query.run(&state)).await;
    panic::set_hook(hook);
    let found = scanned.map_err(|error| Error::internal("the reader of the state is gone").caused_by(error))??;
    if let Some(line) = found.note().filter(|_| !asked.count) {
        tell(&line);
    }
    let Undecoded { count: damaged, shown } = &found.undecoded;
    if *damaged == 0 {
        return Ok(Ending::Done);
    }
    let entries = grouped(*damaged);
    tell(&format!("error: {entries} entries of the state `{name}` are not of its layout, and are left out"));
    shown.iter().for_each(|entry| tell(&format!("  {entry}")));
    Ok(Ending::Damaged)
}

impl Query {
    fn new(asked: &args::State, schema: &SchemaRef) -> Result<Self> {
        let filter = match &asked.filter {
            None => None,
            Some(sql) => {
                let filter = Expression::parse(sql, schema).map_err(Error::from)?;
                if *filter.data_type() != DataType::Boolean {
                    let (sql, found) = (filter.sql(), filter.data_type());
                    let message =
                        format!("--where `{sql}` gives {found}, not true or false: compare it with something");
                    return Err(Error::config(message));
                }
                Some(filter)
            }
        };
        let columns = match &asked.select[..] {
            [] => (0..schema.fields().len()).collect(),
            names => names.iter().map(|name| column(schema, name.trim())).collect::<Result<_>>()?,
        };
        Ok(Self { filter, columns, limit: asked.limit.0, count: asked.count, json: asked.json })
    }

    /// Reads the state and shows its rows as they come.
    fn run(&self, state: &Looked) -> Result<Found> {
        let (mut found, mut ahead) = (Found { is_all: true, ..Found::default() }, 0);
        let mut out = Shown::new(self.json);
        state.pages(|page| {
            let entries = page.len();
            for batch in state.rows(&page, &mut found.undecoded)? {
                let batch = self.fitting(batch)?;
                let shown = if self.count { 0 } else { batch.num_rows().min(self.limit - found.shown) };
                if shown > 0 {
                    out.rows(batch.slice(0, shown).project(&self.columns).map_err(internal)?)?;
                    found.shown += shown;
                }
                found.more += (batch.num_rows() - shown) as u64;
            }
            if self.count || found.shown < self.limit {
                return Ok(true);
            }
            ahead += entries;
            found.is_all = ahead < LOOK_AHEAD_ENTRIES;
            Ok(found.is_all)
        })?;
        if self.count {
            match self.json {
                true => print(&format!("{}\n", json!({ "rows": found.more })))?,
                false => print(&format!("{}\n", found.more))?,
            }
        } else {
            let columns = state.schema.project(&self.columns).map_err(internal)?;
            out.finish(&Arc::new(columns))?;
        }
        Ok(found)
    }

    /// The rows for which the condition is true.
    fn fitting(&self, batch: RecordBatch) -> Result<RecordBatch> {
        let Some(filter) = &self.filter else { return Ok(batch) };
        let keep = filter.evaluate(&batch).map_err(Error::from)?;
        let keep = keep.as_any().downcast_ref::<BooleanArray>();
        let keep = keep.ok_or_else(|| Error::internal("a condition is not true or false"))?;
        filter_record_batch(&batch, keep).map_err(internal)
    }
}

impl Found {
    /// What there is to say besides the rows.
    fn note(&self) -> Option<String> {
        let (more, shown) = (grouped(self.more), grouped(self.shown as u64));
        let fix = "--limit shows more, --count counts all";
        match (self.is_all, self.more) {
            (true, 0) => None,
            (true, _) => Some(format!("{shown} rows are shown, and there are {more} more: {fix}")),
            (false, 0) => Some(format!("{shown} rows are shown, and there may be more: {fix}")),
            (false, _) => Some(format!("{shown} rows are shown, and there are at least {more} more: {fix}")),
        }
    }
}

fn column(schema: &SchemaRef, name: &str) -> Result<usize> {
    let known: Vec<&str> = schema.fields().iter().map(|field| field.name().as_str()).collect();
    let index = known.iter().position(|known| *known == name);
    index.ok_or_else(|| Error::config(Unknown::new("column", name, &known).to_string()).within("--select"))
}
