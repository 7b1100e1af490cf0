//! Restores: the parts of a checkpoint become the state of an instance.
//!
//! A part that is all the instance's own, and the only one, is linked to. Anything else is read, and what belongs to the
//! instance is written in order into new files, which RocksDB takes in as they are.

use std::collections::{BTreeSet, HashMap};
use std::fs;
use std::path::{Path, PathBuf};

use rocksdb::{DB, DBRawIterator, IngestExternalFileOptions, Options, ReadOptions, SstFileWriter};
use volley_api::{KeyGroupRange, Namespace, StateContext, StateEntry, StateFile, StatePart};

use super::folder::{StateFolder, copy, disk_error, hit, link_or_copy, link_or_name};
use super::keys;
use super::snapshot::FORMAT;
use super::store::{SharedMemory, Store, TABLE_SUFFIX, rocks_error};
use crate::{Error, Result, check, snapshot as memory, ttl};

/// A new file is begun when one has grown to this.
const FILE_BYTES: u64 = 64 << 20;
/// How much is read ahead of parts that are read from end to end.
const READAHEAD_BYTES: usize = 2 << 20;

/// The formats that can be restored.
const KNOWN: [&str; 2] = [FORMAT, memory::FORMAT];
const KNOWN_WORDS: &str = "rocksdb-1 and memory-1";

/// Refuses parts that cannot be restored.
pub(crate) fn check(context: &StateContext) -> Result<()> {
    context.restored.iter().try_for_each(|part| check::part(context, part, &KNOWN, KNOWN_WORDS))
}

/// A state with what its context restores, and the namespaces that it has entries of.
pub(crate) fn open(
    folder: StateFolder,
    memory: &SharedMemory,
    context: &StateContext,
) -> Result<(Store, BTreeSet<Namespace>)> {
    check(context)?;
    let has_own = |part: &&StatePart| part.key_groups.overlaps(context.key_groups);
    let parts: Vec<_> = context.restored.iter().filter(has_own).collect();
    let (own, ttl) = (context.key_groups, context.ttl.as_ref());
    let is_own = |part: &StatePart| own.start <= part.key_groups.start && part.key_groups.end <= own.end;
    let store = match parts[..] {
        [] => return Ok((Store::open(folder, memory, HashMap::new(), ttl)?, BTreeSet::new())),
        [part] if is_own(part) && part.format == FORMAT => {
            let inherited = link(part, &Store::db_path(&folder))?;
            hit("rocks-linked", folder.path())?;
            Store::open(folder, memory, inherited, ttl)?
        }
        _ => {
            let store = Store::open(folder, memory, HashMap::new(), ttl)?;
            load(&store, memory, &parts, context)?;
            store
        }
    };
    hit("rocks-restored", store.folder())?;
    let stored = namespaces(&store)?;
    Ok((store, stored))
}

/// Makes `to` a folder of RocksDB's with the files of a part. Tables are linked to; what RocksDB may go on writing to is
/// copied. Gives the names of the tables in the part, by their names here.
fn link(part: &StatePart, to: &Path) -> Result<HashMap<String, String>> {
    fs::create_dir_all(to).map_err(disk_error(to.to_owned()))?;
    let mut inherited = HashMap::new();
    for file in &part.files {
        match table_name(file)? {
            None => copy(&file.path, &to.join(&file.name))?,
            Some(here) => {
                hit("rocks-link", to)?;
                link_or_copy(&file.path, &to.join(&here))?;
                inherited.insert(here, file.name.clone());
            }
        }
    }
    Ok(inherited)
}

/// The same for somebody who only reads, and copies no table: where there can be no link to a file, there is one to its name.
pub(crate) fn link_to_look_at(part: &StatePart, to: &Path) -> Result<()> {
    fs::create_dir_all(to).map_err(disk_error(to.to_owned()))?;
    for file in &part.files {
        match table_name(file)? {
            None => copy(&file.path, &to.join(&file.name))?,
            Some(here) => link_or_name(&file.path, &to.join(&here))?,
        }
    }
    Ok(())
}

/// The name of a table in RocksDB's folder; `None` for other files.
fn table_name(file: &StateFile) -> Result<Option<String>> {
    if Path::new(&file.name).file_name() != Some(file.name.as_ref()) {
        let problem = format!("`{}` is not the name of a file", file.name);
        return Err(Error::Snapshot { path: file.path.clone(), problem });
    }
    let number = file.name.strip_suffix(TABLE_SUFFIX).and_then(|name| name.split('-').next());
    Ok(number.map(|number| format!("{number}{TABLE_SUFFIX}")))
}

/// Brings what the parts have for the key groups of the context into a store that is empty, but for entries whose time has
/// passed.
fn load(store: &Store, memory: &SharedMemory, parts: &[&StatePart], context: &StateContext) -> Result<()> {
    let own = context.key_groups;
    let folder = store.folder().join("restore");
    fs::create_dir_all(&folder).map_err(disk_error(folder.clone()))?;
    let options = memory.options().map_err(rocks_error(&folder))?;
    let (mut databases, mut sources) = (Vec::new(), Vec::new());
    for (number, part) in parts.iter().enumerate() {
        if part.format == FORMAT {
            let path = folder.join(format!("part-{number}"));
            link(part, &path)?;
            let db = DB::open_for_read_only(&options, &path, false).map_err(rocks_error(&path))?;
            databases.push((db, path));
        } else {
            let entries = part.files.iter().map(memory::read).collect::<Result<Vec<_>>>()?;
            sources.push(Source::of_entries(entries.into_iter().flatten(), own));
        }
    }
    for (db, path) in &databases {
        sources.push(Source::of_database(db, path, own)?);
    }
    hit("rocks-load", &folder)?;
    let files = write_files(&mut sources, &folder, &options, ttl::passed_by_now(context.ttl.as_ref()))?;
    drop(sources);
    drop(databases);
    let mut how = IngestExternalFileOptions::default();
    how.set_move_files(true);
    hit("rocks-ingest", &folder)?;
    if !files.is_empty() {
        store.db().ingest_external_file_opts(&how, files).map_err(|error| store.failed(error))?;
    }
    hit("rocks-ingested", &folder)?;
    fs::remove_dir_all(&folder).map_err(disk_error(folder.clone()))
}

/// Writes all that the sources give into files, in order, but for values of which `leaves_out` says so.
fn write_files(
    sources: &mut [Source<'_>],
    folder: &Path,
    options: &Options,
    leaves_out: impl Fn(&[u8]) -> bool,
) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    let mut writer: Option<SstFileWriter<'_>> = None;
    while let Some(source) = first(sources) {
        if let Some((key, value)) = source.head().filter(|(_, value)| !leaves_out(value)) {
            let mut open = match writer.take() {
                Some(open) => open,
                None => {
                    let path = folder.join(format!("{}{TABLE_SUFFIX}", files.len()));
                    let open = SstFileWriter::create(options);
                    open.open(&path).map_err(rocks_error(&path))?;
                    files.push(path);
                    open
                }
            };
            open.put(key, value).map_err(rocks_error(folder))?;
            if open.file_size() < FILE_BYTES {
                writer = Some(open);
            } else {
                open.finish().map_err(rocks_error(folder))?;
            }
        }
        source.advance()?;
    }
    if let Some(mut open) = writer {
        open.finish().map_err(rocks_error(folder))?;
    }
    Ok(files)
}

/// The source whose next key is the smallest.
fn first<'s, 'a>(sources: &'s mut [Source<'a>]) -> Option<&'s mut Source<'a>> {
    sources.iter_mut().filter(|source| source.head().is_some()).min_by(|a, b| a.key().cmp(&b.key()))
}

/// The entries of one part that belong to the instance, in order.
enum Source<'a> {
    Database { iterator: DBRawIterator<'a>, path: &'a Path, own: KeyGroupRange },
    Entries(std::vec::IntoIter<(Vec<u8>, StateEntry)>),
}

impl<'a> Source<'a> {
    fn of_database(db: &'a DB, path: &'a Path, own: KeyGroupRange) -> Result<Self> {
        let mut iterator = db.raw_iterator_opt(bulk_reads());
        iterator.seek_to_first();
        let mut source = Self::Database { iterator, path, own };
        source.skip_foreign()?;
        Ok(source)
    }

    fn of_entries(entries: impl Iterator<Item = StateEntry>, own: KeyGroupRange) -> Self {
        let entries = entries.filter(|entry| own.contains(entry.group));
        let mut entries: Vec<_> = entries
            .map(|entry| {
                let mut key = Vec::with_capacity(keys::PREFIX_BYTES + 1 + entry.key.len());
                keys::write(&mut key, entry.namespace, &[entry.group.0]);
                key.extend_from_slice(&entry.key);
                (key, entry)
            })
            .collect();
        entries.sort_unstable_by(|a, b| a.0.cmp(&b.0));
        Self::Entries(entries.into_iter())
    }

    /// The key that comes next.
    fn key(&self) -> Option<&[u8]> {
        self.head().map(|(key, _)| key)
    }

    /// The key and value that come next.
    fn head(&self) -> Option<(&[u8], &[u8])> {
        match self {
            Self::Database { iterator, .. } => iterator.item(),
            Self::Entries(entries) => entries.as_slice().first().map(|(key, entry)| (&key[..], &entry.value[..])),
        }
    }

    fn advance(&mut self) -> Result<()> {
        match self {
            Self::Database { iterator, .. } => iterator.next(),
            Self::Entries(entries) => drop(entries.next()),
        }
        self.skip_foreign()
    }

    /// Goes on to the next key of an own key group: those of a namespace lie side by side.
    fn skip_foreign(&mut self) -> Result<()> {
        let Self::Database { iterator, path, own } = self else { return Ok(()) };
        while let Some((namespace, group, _)) = iterator.key().and_then(keys::read) {
            if own.contains(group) {
                return Ok(());
            }
            let start = match u8::try_from(own.start) {
                Ok(start) if u32::from(group.0) < own.start => [&keys::prefix(namespace)[..], &[start]].concat(),
                _ => keys::prefix_end(namespace).to_vec(),
            };
            iterator.seek(start);
        }
        iterator.status().map_err(rocks_error(path))
    }
}

pub(crate) fn bulk_reads() -> ReadOptions {
    let mut options = ReadOptions::default();
    options.fill_cache(false);
    options.set_readahead_size(READAHEAD_BYTES);
    options
}

/// The namespaces that a store has entries of.
fn namespaces(store: &Store) -> Result<BTreeSet<Namespace>> {
    let mut found = BTreeSet::new();
    let mut iterator = store.db().raw_iterator();
    iterator.seek_to_first();
    while let Some((namespace, ..)) = iterator.key().and_then(keys::read) {
        found.insert(namespace);
        iterator.seek(keys::prefix_end(namespace));
    }
    iterator.status().map_err(|error| store.failed(error))?;
    Ok(found)
}
