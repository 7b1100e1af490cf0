//! One state, read page by page into rows of columns.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arrow::array::{ArrayRef, Int64Array, RecordBatch, RecordBatchOptions, StringArray, UInt8Array, UInt32Array};
use arrow::compute::take;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::error::ArrowError;
use volley_api::{Error, ErrorKind, Result, StateEntry, StatePart, StateView};
use volley_state::{PartReader, ReadEntry};

/// So many entries are in memory at once.
const PAGE_ENTRIES: usize = 4_096;

/// So many entries that cannot be decoded are shown.
const UNDECODED_SHOWN: usize = 5;

/// A state of an operator in a checkpoint.
pub(super) struct Looked {
    pub(super) name: String,
    pub(super) parts: Vec<StatePart>,
    /// What the operator says of it, where it knows the layout that it has.
    view: Option<StateView>,
    /// Why entries are shown as bytes, if they are.
    pub(super) unknown: Option<String>,
    pub(super) schema: SchemaRef,
    links: PathBuf,
    stop: Arc<AtomicBool>,
}

/// Entries whose bytes are not of the layout that the state has.
#[derive(Default)]
pub(super) struct Undecoded {
    pub(super) count: u64,
    /// The first of them, in words.
    pub(super) shown: Vec<String>,
}

impl Looked {
    /// The parts of a state, and what its operator says of it, if anything. `links` is a folder to work in.
    pub(super) fn new(
        name: &str,
        view: Option<StateView>,
        mut parts: Vec<StatePart>,
        links: PathBuf,
        stop: Arc<AtomicBool>,
    ) -> Self {
        parts.sort_by_key(|part| part.key_groups.start);
        let other = |view: &StateView| parts.iter().find(|part| part.layout != *view.layout());
        let unknown = match &view {
            None => Some("the operator keeps no state of that name".to_owned()),
            Some(view) => other(view).map(|part| {
                format!(
                    "it is laid out as ({}), and the operator of the pipeline keeps ({})",
                    part.layout,
                    view.layout()
                )
            }),
        };
        let view = view.filter(|_| unknown.is_none());
        let raw = [("namespace", DataType::Int64), ("key_hex", DataType::Utf8), ("value_hex", DataType::Utf8)];
        let mut fields: Vec<Field> = match &view {
            Some(view) => view.schema().fields().iter().map(|field| field.as_ref().clone()).collect(),
            None => raw.map(|(name, data_type)| Field::new(name, data_type, false)).to_vec(),
        };
        if parts.iter().any(StatePart::has_write_times) {
            let field = StateView::time(free(&fields, "written_at").as_str());
            fields.push(field.as_ref().clone());
        }
        fields.push(Field::new(free(&fields, "key_group"), DataType::UInt8, false));
        let schema = Arc::new(Schema::new(fields));
        Self { name: name.to_owned(), parts, view, unknown, schema, links, stop }
    }

    /// What it is, in a few words.
    pub(super) fn kind(&self) -> &str {
        self.view.as_ref().map_or("unknown", StateView::kind)
    }

    /// Hands its entries out, page by page, until `take` wants no more.
    pub(super) fn pages(&self, mut take: impl FnMut(Vec<ReadEntry>) -> Result<bool>) -> Result<()> {
        for (number, part) in self.parts.iter().enumerate() {
            let mut reader = PartReader::open(part, &self.links.join(number.to_string()))?;
            loop {
                if self.stop.load(Ordering::Relaxed) {
                    return Err(Error::new(ErrorKind::Cancelled, "interrupted"));
                }
                let mut page = reader.next_page(PAGE_ENTRIES)?;
                if page.is_empty() {
                    break;
                }
                page.retain(|read| self.view.as_ref().is_none_or(|view| view.shows(&read.entry)));
                if !page.is_empty() && !take(page)? {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// The rows of a page. What cannot be decoded is noted instead.
    pub(super) fn rows(&self, page: &[ReadEntry], undecoded: &mut Undecoded) -> Result<Vec<RecordBatch>> {
        let Some(view) = &self.view else {
            let columns: Vec<ArrayRef> = vec![
                Arc::new(Int64Array::from_iter_values(page.iter().map(|read| read.entry.namespace.0))),
                Arc::new(StringArray::from_iter_values(page.iter().map(|read| hex(&read.entry.key)))),
                Arc::new(StringArray::from_iter_values(page.iter().map(|read| hex(&read.entry.value)))),
            ];
            return Ok(vec![self.complete(columns, &(0..page.len()).collect::<Vec<_>>(), page)?]);
        };
        let entries: Vec<StateEntry> = page.iter().map(|read| read.entry.clone()).collect();
        match view.decode(&entries) {
            Ok((of, batch)) => Ok(vec![self.complete(batch.columns().to_vec(), &of, page)?]),
            Err(error) => match page {
                [alone] => {
                    undecoded.note(alone, &error);
                    Ok(Vec::new())
                }
                // By halves, so that those that are damaged stand alone.
                _ => {
                    let (left, right) = page.split_at(page.len() / 2);
                    let mut rows = self.rows(left, undecoded)?;
                    rows.extend(self.rows(right, undecoded)?);
                    Ok(rows)
                }
            },
        }
    }

    /// Puts what the host knows of each row's entry beside its columns.
    fn complete(&self, mut columns: Vec<ArrayRef>, of: &[usize], page: &[ReadEntry]) -> Result<RecordBatch> {
        let rows = of.len();
        let places: UInt32Array = of.iter().map(|place| u32::try_from(*place).ok()).collect();
        if self.parts.iter().any(StatePart::has_write_times) {
            let written = page.iter().map(|read| read.written_ms.and_then(|ms| i64::try_from(ms).ok()));
            columns.push(take(&StateView::times(written), &places, None).map_err(internal)?);
        }
        let groups = UInt8Array::from_iter_values(page.iter().map(|read| read.entry.group.0));
        columns.push(take(&groups, &places, None).map_err(internal)?);
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        RecordBatch::try_new_with_options(Arc::clone(&self.schema), columns, &options).map_err(internal)
    }
}

impl Undecoded {
    fn note(&mut self, read: &ReadEntry, error: &Error) {
        self.count += 1;
        if self.shown.len() < UNDECODED_SHOWN {
            let StateEntry { namespace, key, value, .. } = &read.entry;
            let (key, value) = (hex(key), hex(value));
            self.shown.push(format!("namespace {}, key 0x{key}, value 0x{value}: {}", namespace.0, error.report()));
        }
    }
}

/// A name that no column has.
fn free(fields: &[Field], name: &str) -> String {
    let mut name = name.to_owned();
    while fields.iter().any(|field| *field.name() == name) {
        name.insert_str(0, "state_");
    }
    name
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

pub(super) fn internal(error: ArrowError) -> Error {
    Error::internal("rows of state cannot be shown").caused_by(error)
}

#[cfg(test)]
mod tests {
    use volley_api::{
        KeyGroup, KeyGroupRange, KeyedState, Namespace, NodeName, RowCodec, SnapshotContent, StateBackend,
        StateContext, StateDecoder, StateFile, StateKey, StateRows, SubtaskId,
    };
    use volley_state::MemoryBackend;

    use super::*;

    #[derive(Debug)]
    struct Numbers(RowCodec);

    impl StateDecoder for Numbers {
        fn decode(&self, entries: &[StateEntry]) -> Result<StateRows> {
            Ok(StateRows::one_each(entries, self.0.decode(entries.iter().map(|entry| &entry.value[..]))?))
        }
    }

    /// A hundred entries, every tenth of which is damaged, as a checkpoint has them.
    fn part(folder: &std::path::Path) -> StatePart {
        let context = StateContext {
            node: NodeName::new("node").expect("a name"),
            name: "numbers",
            subtask: SubtaskId::SINGLE,
            key_groups: KeyGroupRange::of(SubtaskId::SINGLE),
            layout: "numbers".into(),
            ttl: None,
            cache_entries_max: None,
            restored: Vec::new(),
        };
        let backend = MemoryBackend::new(1 << 20);
        let mut state: Box<dyn KeyedState> = backend.open(context.clone()).expect("opens");
        let numbers: ArrayRef = Arc::new(Int64Array::from_iter_values(0..100));
        let rows = RowCodec::new([&DataType::Int64]).expect("a codec").encode(&[numbers]).expect("rows");
        for number in 0..100_u8 {
            let key = StateKey { group: KeyGroup(number), key: &[number] };
            let row = rows.row(usize::from(number));
            let value = if number % 10 == 7 { &row.data()[..3] } else { row.data() };
            state.put_many(Namespace(0), &[key], &[value]).expect("put_many");
        }
        let mut snapshot = state.snapshot().expect("a snapshot");
        let file = snapshot.files().expect("files").remove(0);
        let SnapshotContent::Bytes(bytes) = &file.content else { panic!("bytes") };
        let path = folder.join("entries");
        std::fs::write(&path, bytes).expect("room");
        let files = vec![StateFile { name: file.name, path }];
        let (key_groups, format) = (context.key_groups, backend.format().to_owned());
        StatePart { key_groups, layout: context.layout, format, files }
    }

    #[test]
    fn damaged_entries_are_told_apart_from_the_others() {
        let folder = tempfile::tempdir().expect("a folder");
        let decoder = Numbers(RowCodec::new([&DataType::Int64]).expect("a codec"));
        let column = Arc::new(Field::new("key_group", DataType::Int64, false));
        let view = StateView::new("numbers", "numbers", &"numbers".into(), &[column], [], Arc::new(decoder));
        let (links, parts) = (folder.path().join("links"), vec![part(folder.path())]);
        let state = Looked::new("numbers", Some(view), parts.clone(), links.clone(), Arc::default());
        let names: Vec<&str> = state.schema.fields().iter().map(|field| field.name().as_str()).collect();
        assert_eq!(names, ["key_group", "state_key_group"]);
        let (mut undecoded, mut rows) = (Undecoded::default(), 0);
        let mut count = |batches: Vec<RecordBatch>| rows += batches.iter().map(RecordBatch::num_rows).sum::<usize>();
        state
            .pages(|page| {
                count(state.rows(&page, &mut undecoded)?);
                Ok(true)
            })
            .expect("read");
        assert_eq!((rows, undecoded.count, undecoded.shown.len()), (90, 10, UNDECODED_SHOWN));
        assert!(undecoded.shown[0].contains("namespace 0, key 0x07, value 0x"), "{:?}", undecoded.shown);
        // Who is stopped gets no more.
        let stopped = Looked::new("numbers", None, parts, links, Arc::new(AtomicBool::new(true)));
        let error = stopped.pages(|_| Ok(true)).expect_err("stopped");
        assert_eq!(error.kind(), ErrorKind::Cancelled);
    }
}
