//! Host-held state of a checkpoint that another version of the component wrote, brought over to the present declarations.
//!
//! What has to be brought over is known from layouts alone, so a start that cannot work is refused before it claims its
//! place; rows are brought over when the state is restored, batch by batch, where they lie.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch};
use arrow::datatypes::{FieldRef, Schema};
use bytes::Bytes;
use volley_api::{Error, ErrorKind, KeyedState, OperatorContext, Result, StateEntry, StateKey};
use volley_ipc::encode_batch;

use super::record::{Record, to_contract};
use super::stored::STATE;
use crate::contract::{StateDeclaration, StateError, StateKind};
use crate::guest::Guest;
use crate::hooks::HookCall;
use crate::instances::Instances;
use crate::keyed::{Columns, Declared, STATE_BYTES_PER_CALL_MAX, STATE_VALUE_BYTES_MAX, VALUES, lasting};
use crate::places::hit;
use crate::plugin::Who;
use crate::violation::Violation;

/// Rows that a plugin brings over in one call, at most.
const ROWS_PER_CALL_MAX: usize = 1_024;

/// Bytes of rows in one call, unless a single one has more.
const BYTES_PER_CALL_MAX: usize = 4 << 20;

/// Bytes of the time before a value that has an end.
const WRITTEN_BYTES: usize = 8;

/// Bytes of the length of a key before an entry of a map or list.
const KEY_LENGTH_BYTES: usize = 4;

/// What a checkpoint has otherwise than the present component declares it.
pub(crate) struct Migration {
    /// The component that wrote the checkpoint.
    digest: String,
    /// States that are declared otherwise: as they were.
    changed: Vec<Declared>,
    /// States that are declared no more.
    gone: Vec<Declared>,
}

impl Migration {
    /// What has to be brought over, if anything. States that differ in what no plugin can bring over, such as the columns of
    /// `key_by`, are left as they are: opening them says so.
    ///
    /// # Errors
    /// When the kind of a state, or the columns of a map's keys, have changed; or the component that wrote the checkpoint held
    /// state itself, and the present one does not.
    pub(crate) fn of(context: &OperatorContext, keys: &str, present: &Record, who: &Who) -> Result<Option<Self>> {
        let restored = &context.restored.keyed;
        let layout_of = |name: &str| Some(&*restored.get(name)?.first()?.layout);
        let Some(earlier) = layout_of(STATE).and_then(Record::of_layout) else { return Ok(None) };
        if earlier.holds_state && !present.holds_state {
            return Err(Error::config(format!(
                "the checkpoint has state that `{}` held itself ({}), and {who} exports no `snapshot` to take it over: run the \
                 component that wrote it, or begin with --fresh",
                context.node,
                component(&earlier.digest)
            )));
        }
        let mut migration = Self { digest: earlier.digest, changed: Vec::new(), gone: Vec::new() };
        for before in earlier.states {
            let Some(layout) = layout_of(&before.name) else { continue };
            if *before.layout(keys) != *layout {
                continue;
            }
            match present.states.iter().find(|state| state.name == before.name) {
                None => migration.gone.push(before),
                Some(now) if now.layout(keys) == before.layout(keys) => {}
                Some(now) => {
                    check_kind(&before, now, context)?;
                    migration.changed.push(before);
                }
            }
        }
        Ok((!migration.changed.is_empty() || !migration.gone.is_empty()).then_some(migration))
    }

    /// The earlier declarations that the plugin is asked about.
    pub(crate) fn earlier(&self) -> volley_ipc::Result<Vec<StateDeclaration>> {
        self.changed.iter().chain(&self.gone).map(to_contract).collect()
    }

    /// The checkpoint as if the present component had written it: states that are gone are opened, and nothing of them read.
    pub(crate) fn adopt(&self, context: &mut OperatorContext, keys: &str, present: &Record) -> Result<()> {
        for before in &self.changed {
            let Some(now) = present.states.iter().find(|state| state.name == before.name) else { continue };
            let layout = now.layout(keys);
            for part in context.restored.keyed.get_mut(&before.name).into_iter().flatten() {
                part.layout = Arc::clone(&layout);
            }
        }
        for before in &self.gone {
            context.restored.keyed.remove(&before.name);
            drop(context.open_state(lasting(&before.name), &before.layout(keys))?);
        }
        Ok(())
    }

    /// As [`Migration::refused`], where the plugin did not even answer.
    pub(crate) fn refused_by(&self, context: &OperatorContext, who: &Who, error: crate::Error) -> Error {
        let refused = self.refused(context, who, &error.to_string());
        Error::new(error.kind(), refused.to_string()).caused_by(error)
    }

    /// What to do about a state that cannot be brought over, beside why.
    pub(crate) fn refused(&self, context: &OperatorContext, who: &Who, why: &str) -> Error {
        let version = |before: &Declared| format!("`{}` (version {})", before.name, before.version);
        let states: Vec<String> = self.changed.iter().chain(&self.gone).map(version).collect();
        let states = states.join(", ");
        Error::config(format!(
            "the checkpoint has state {states} of `{}` as {} declared it, and {who} cannot take it over: {why}. Run the \
             component that wrote it, build one whose `migrate` brings it over, or begin with --fresh",
            context.node,
            component(&self.digest),
        ))
    }

    /// Brings the rows of a state over, where it has changed.
    pub(crate) fn bring(
        &self,
        now: &Declared,
        state: &mut dyn KeyedState,
        guest: &mut Guest,
        context: &OperatorContext,
        instances: &Instances,
    ) -> Result<()> {
        let Some(before) = self.changed.iter().find(|before| before.name == now.name) else { return Ok(()) };
        let who = guest.who.to_string();
        let cannot = |kind: ErrorKind, why: &str| {
            let (name, node) = (&now.name, &context.node);
            let (from, to) = (before.version, now.version);
            Error::new(
                kind,
                format!(
                    "{who} cannot bring state `{name}` of `{node}` over from version {from} to version {to}: {why}. Run the component \
                 that wrote the checkpoint ({}), or begin with --fresh",
                    component(&self.digest)
                ),
            )
        };
        let ipc = |error| Error::internal("stored values cannot cross").caused_by(error);
        let bringing = Bringing::new(before, now, context)?;
        let earlier = to_contract(before).map_err(ipc)?;
        let mut after: Option<StateEntry> = None;
        loop {
            let page = state.scan(VALUES..=VALUES, after.as_ref(), ROWS_PER_CALL_MAX)?;
            let mut rest = &page[..];
            while !rest.is_empty() {
                let (entries, others) = rest.split_at(as_many_as_cross(rest));
                let rows = bringing.batch(entries)?;
                hit("plugin-migrate-before")?;
                let answer = guest.migrate(earlier.clone(), encode_batch(&rows).map_err(ipc)?);
                let came_to = guest.failed_came_to();
                let kept =
                    |error| instances.kept_hook(came_to, HookCall::Migrate(earlier.clone()), Some(rows.clone()), error);
                let answer = match answer {
                    Ok(answer) => answer,
                    Err(error) => {
                        let error = kept(error);
                        return Err(cannot(error.kind(), &error.to_string()).caused_by(error));
                    }
                };
                let cells = answer.map_err(Problem::Plugin).and_then(|answer| bringing.cells(entries, &answer));
                let cells = cells.map_err(|why| match why {
                    Problem::Plugin(why) => {
                        guest.count(Violation::SnapshotFailed);
                        let (plugin, function) = (who.clone(), "migrate".to_owned());
                        let error = kept(crate::Error::HookFailed { plugin, function, message: why.clone() });
                        let is_kept = matches!(error, crate::Error::Kept { .. });
                        cannot(ErrorKind::Plugin, &if is_kept { error.to_string() } else { why })
                    }
                    Problem::Host(error) => error,
                })?;
                let keys: Vec<StateKey<'_>> =
                    entries.iter().map(|entry| StateKey { group: entry.group, key: &entry.key }).collect();
                let cells: Vec<&[u8]> = cells.iter().map(|cell| &cell[..]).collect();
                state.put_many(VALUES, &keys, &cells)?;
                hit("plugin-migrate-after")?;
                rest = others;
            }
            if page.len() < ROWS_PER_CALL_MAX {
                return Ok(());
            }
            after = page.into_iter().next_back();
        }
    }
}

fn component(digest: &str) -> String {
    format!("component {}", digest.get(..12).unwrap_or(digest))
}

fn check_kind(before: &Declared, now: &Declared, context: &OperatorContext) -> Result<()> {
    let same_keys =
        before.map_keys.as_ref().map(|keys| keys.fields()) == now.map_keys.as_ref().map(|keys| keys.fields());
    if before.kind_name() == now.kind_name() && same_keys {
        return Ok(());
    }
    let what = if same_keys {
        format!("of kind {} in the checkpoint and {} now", before.kind_name(), now.kind_name())
    } else {
        "a map by other keys in the checkpoint".to_owned()
    };
    Err(Error::config(format!(
        "state `{}` of `{}` is {what}, which cannot be brought over: give the state another name, run the component that wrote \
         the checkpoint, or begin with --fresh",
        now.name, context.node
    )))
}

fn as_many_as_cross(entries: &[StateEntry]) -> usize {
    let mut bytes = 0;
    let fits = entries.iter().take_while(|entry| {
        bytes += entry.value.len() + entry.key.len();
        bytes <= BYTES_PER_CALL_MAX
    });
    fits.count().max(1)
}

/// Why rows were not brought over.
enum Problem {
    /// What the plugin gave is not what it should be.
    Plugin(String),
    Host(Error),
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        Self::Host(error)
    }
}

/// One state on its way.
struct Bringing {
    before: Columns,
    map_keys: Option<Columns>,
    now: Columns,
    was_timed: bool,
    is_timed: bool,
    has_key_length: bool,
    /// When values were written that did not say.
    written_ms: i64,
}

/// A stored value, taken apart.
struct Cell<'a> {
    written: Option<&'a [u8]>,
    key_length: &'a [u8],
    row: &'a [u8],
}

impl Bringing {
    fn new(before: &Declared, now: &Declared, context: &OperatorContext) -> Result<Self> {
        let clock = || i64::try_from(context.clock.now_ms()).unwrap_or(i64::MAX);
        let written_ms =
            if context.event_time.is_some() { context.restored_watermark_ms().unwrap_or_else(clock) } else { clock() };
        Ok(Self {
            before: Columns::new(&before.values)?,
            map_keys: before.map_keys.as_ref().map(Columns::new).transpose()?,
            now: Columns::new(&now.values)?,
            was_timed: before.ttl_ms.is_some(),
            is_timed: now.ttl_ms.is_some(),
            has_key_length: matches!(before.kind, StateKind::Map | StateKind::List),
            written_ms,
        })
    }

    fn cell<'a>(&self, value: &'a [u8]) -> Result<Cell<'a>> {
        let damaged = || Error::external("a stored value is shorter than what stands before it");
        let (written, rest) = if self.was_timed {
            let (written, rest) = value.split_at_checked(WRITTEN_BYTES).ok_or_else(damaged)?;
            (Some(written), rest)
        } else {
            (None, value)
        };
        let length = if self.has_key_length { KEY_LENGTH_BYTES } else { 0 };
        let (key_length, row) = rest.split_at_checked(length).ok_or_else(damaged)?;
        Ok(Cell { written, key_length, row })
    }

    /// The rows as the plugin gets them.
    fn batch(&self, entries: &[StateEntry]) -> Result<RecordBatch> {
        let cells = entries.iter().map(|entry| self.cell(&entry.value)).collect::<Result<Vec<_>>>()?;
        let values = self.before.batch(&cells.iter().map(|cell| Some(cell.row)).collect::<Vec<_>>())?;
        let Some(map_keys) = &self.map_keys else { return Ok(values) };
        let damaged = || Error::external("a stored entry of a map does not say where its key ends");
        let map_key = |(entry, cell): (&'_ StateEntry, &Cell<'_>)| -> Result<Bytes> {
            let length = cell.key_length.first_chunk().map(|bytes| u32::from_le_bytes(*bytes)).ok_or_else(damaged)?;
            let length = usize::try_from(length).unwrap_or(usize::MAX);
            if length > entry.key.len() { Err(damaged()) } else { Ok(entry.key.slice(length..)) }
        };
        let keys = entries.iter().zip(&cells).map(map_key).collect::<Result<Vec<_>>>()?;
        let keys = map_keys.batch(&keys.iter().map(|key| Some(&key[..])).collect::<Vec<_>>())?;
        let of = |batch: &RecordBatch| (batch.schema().fields().to_vec(), batch.columns().to_vec());
        let ((mut fields, mut columns), (more_fields, more)): ((Vec<FieldRef>, Vec<ArrayRef>), _) =
            (of(&keys), of(&values));
        fields.extend(more_fields);
        columns.extend(more);
        RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)
            .map_err(|error| Error::internal("stored entries do not fit their columns").caused_by(error))
    }

    /// What is stored from now on: the plugin's rows, behind what stood before the earlier ones.
    fn cells(&self, entries: &[StateEntry], answer: &arrow::buffer::Buffer) -> Result<Vec<Vec<u8>>, Problem> {
        let batch = self.now.gate(answer, entries.len(), STATE_BYTES_PER_CALL_MAX).map_err(|error| {
            let why = match error {
                StateError::InvalidBatch(words) => words,
                other => format!("{other:?}"),
            };
            Problem::Plugin(format!("its `migrate` gave what the state cannot hold: {why}"))
        })?;
        let rows = self.now.rows(&batch)?;
        let mut cells = Vec::with_capacity(entries.len());
        for (row, entry) in entries.iter().enumerate() {
            let Cell { written, key_length, .. } = self.cell(&entry.value)?;
            let row = rows.row(row);
            if row.len() + entry.key.len() > STATE_VALUE_BYTES_MAX {
                let bytes = row.len() + entry.key.len();
                let problem =
                    format!("its `migrate` gave a value of {bytes} bytes; the limit is {STATE_VALUE_BYTES_MAX}");
                return Err(Problem::Plugin(problem));
            }
            let mut cell = Vec::with_capacity(WRITTEN_BYTES + KEY_LENGTH_BYTES + row.len());
            if self.is_timed {
                cell.extend_from_slice(written.unwrap_or(&self.written_ms.to_le_bytes()));
            }
            cell.extend_from_slice(key_length);
            cell.extend_from_slice(row);
            cells.push(cell);
        }
        Ok(cells)
    }
}
