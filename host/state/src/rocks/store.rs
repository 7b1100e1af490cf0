//! One RocksDB instance: the state of one operator instance on disk.
//!
//! Each opened state has an instance of its own, so that a checkpoint of RocksDB is the snapshot of a state, and its files
//! can be linked to at a restore. What would be taken once for each is shared: the block cache, to which the memory of what
//! is not yet on disk is charged, and RocksDB's threads.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use rocksdb::checkpoint::Checkpoint;
use rocksdb::properties::PropName;
use rocksdb::{
    BlockBasedIndexType, BlockBasedOptions, Cache, ColumnFamily, ColumnFamilyDescriptor, DB, DBCompressionType,
    DBPinnableSlice, DEFAULT_COLUMN_FAMILY_NAME, LogLevel, Options, ReadOptions, WriteBatch, WriteBufferManager,
    WriteOptions,
};
use volley_api::StateTtl;
use volley_fail_point::planted;

use super::expire::Expiry;
use super::folder::{StateFolder, disk_error, hit};
use super::keys;
use super::layer::Layer;
use super::table::{Below, Found};
use crate::{Error, Result};

/// How many bytes go to RocksDB in one batch.
const BATCH_BYTES: usize = 1 << 20;
/// A table of RocksDB's in memory is written out at this size, or earlier when all of them together take too much.
const MEMTABLE_BYTES_MAX: usize = 64 << 20;
/// What is not yet on disk may take this part of what RocksDB may take.
const MEMTABLES_PART: usize = 4;
/// Disk that a database sets aside at a time for the log of its files; RocksDB's default is 4 MiB.
const MANIFEST_BYTES: usize = 64 << 10;
/// The least that an instance takes for what is not yet on disk.
const ARENA_BYTES: usize = 128 << 10;
const BLOCK_BYTES: usize = 4 << 10;
/// One in a hundred keys that are not there is looked for in vain.
const FILTER_BITS_PER_KEY: f64 = 10.0;
/// Files that an instance keeps open.
const OPEN_FILES_MAX: i32 = 512;
const BACKGROUND_JOBS: i32 = 4;

/// What all instances of a backend share.
pub(crate) struct SharedMemory {
    cache: Cache,
    memtables: WriteBufferManager,
    memtable_bytes: usize,
}

impl SharedMemory {
    /// Lets RocksDB take `bytes`, for blocks it has read and for what is not yet on disk.
    pub(crate) fn new(bytes: usize) -> Self {
        let cache = Cache::new_lru_cache(bytes);
        let all = bytes / MEMTABLES_PART;
        // It does not hold up writers: what would have to be written out to let them go on may be another instance's.
        let memtables = WriteBufferManager::new_write_buffer_manager_with_cache(all, false, cache.clone());
        Self { cache, memtables, memtable_bytes: (all / 2).clamp(ARENA_BYTES, MEMTABLE_BYTES_MAX) }
    }

    pub(crate) fn options(&self) -> Result<Options, rocksdb::Error> {
        let mut table = BlockBasedOptions::default();
        table.set_block_cache(&self.cache);
        table.set_block_size(BLOCK_BYTES);
        table.set_bloom_filter(FILTER_BITS_PER_KEY, false);
        table.set_optimize_filters_for_memory(true);
        // Indexes and filters are in the cache, so that all memory is bounded; in small pieces, so that little memory does
        // not mean that megabytes are read for a key.
        table.set_cache_index_and_filter_blocks(true);
        table.set_cache_index_and_filter_blocks_with_high_priority(true);
        table.set_index_type(BlockBasedIndexType::TwoLevelIndexSearch);
        table.set_partition_filters(true);
        table.set_metadata_block_size(BLOCK_BYTES);
        table.set_pin_top_level_index_and_filter(true);
        table.set_pin_l0_filter_and_index_blocks_in_cache(true);
        // What is dropped is thrown away, and need not be written out first.
        let mut options = Options::default().get_options_from_string("avoid_flush_during_shutdown=true")?;
        options.create_if_missing(true);
        options.set_block_based_table_factory(&table);
        options.set_write_buffer_manager(&self.memtables);
        options.set_write_buffer_size(self.memtable_bytes);
        options.set_arena_block_size(ARENA_BYTES);
        options.set_compression_type(DBCompressionType::Lz4);
        options.set_max_open_files(OPEN_FILES_MAX);
        options.set_max_background_jobs(BACKGROUND_JOBS);
        // Each opened instance is to have an identity of its own, also when it began as the copy of another.
        options.set_write_dbid_to_manifest(false);
        // A job has a database for each state of each subtask: what is set aside for the log of each one's files adds up.
        options.set_manifest_preallocation_size(MANIFEST_BYTES);
        options.set_log_level(LogLevel::Error);
        options.set_keep_log_file_num(1);
        options.set_stats_dump_period_sec(0);
        options.set_stats_persist_period_sec(0);
        Ok(options)
    }
}

/// The state of one instance in RocksDB.
pub(crate) struct Store {
    db: DB,
    /// The number of the next checkpoint.
    checkpoints: AtomicU64,
    /// A name that no other opened instance has, ever.
    identity: String,
    /// The names in snapshots of the files that were linked to at the restore, by their names here.
    inherited: HashMap<String, String>,
    writes: WriteOptions,
    /// Removed when all is closed: the last field, so that it is dropped last.
    folder: StateFolder,
}

impl Store {
    /// Opens what lies in the folder, or makes it. `inherited` are the files that another instance wrote: their names in
    /// its snapshot by their names here.
    pub(crate) fn open(
        folder: StateFolder,
        memory: &SharedMemory,
        inherited: HashMap<String, String>,
        ttl: Option<&StateTtl>,
    ) -> Result<Self> {
        let path = Self::db_path(&folder);
        let mut options = memory.options().map_err(rocks_error(&path))?;
        if let Some(ttl) = ttl {
            options.set_compaction_filter_factory(Expiry(ttl.clone()));
        }
        let families = [ColumnFamilyDescriptor::new(DEFAULT_COLUMN_FAMILY_NAME, options.clone())];
        let db = DB::open_cf_descriptors(&options, &path, families).map_err(rocks_error(&path))?;
        let identity = db.get_db_identity().map_err(rocks_error(&path))?;
        let mut writes = WriteOptions::default();
        writes.disable_wal(true);
        let identity = String::from_utf8_lossy(&identity).trim().to_owned();
        Ok(Self { db, checkpoints: AtomicU64::new(0), identity, inherited, writes, folder })
    }

    /// Where RocksDB's files lie within a state's folder.
    pub(crate) fn db_path(folder: &StateFolder) -> PathBuf {
        folder.path().join("db")
    }

    pub(crate) fn db(&self) -> &DB {
        &self.db
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn failed(&self, error: rocksdb::Error) -> Error {
        rocks_error(self.folder.path())(error)
    }

    /// The values of keys that are in order, as RocksDB has them.
    pub(crate) fn get<'a>(&self, keys: impl Iterator<Item = &'a [u8]>) -> Result<Vec<Option<DBPinnableSlice<'_>>>> {
        let found = self.db.batched_multi_get_cf_opt(self.family()?, keys, true, &ReadOptions::default());
        found.into_iter().collect::<Result<_, _>>().map_err(|error| self.failed(error))
    }

    fn family(&self) -> Result<&ColumnFamily> {
        self.db.cf_handle(DEFAULT_COLUMN_FAMILY_NAME).ok_or_else(|| Error::Disk {
            path: self.folder.path().to_owned(),
            problem: "RocksDB has lost its column family".to_owned(),
        })
    }

    /// Brings a layer to RocksDB. Done again, it changes nothing.
    pub(crate) fn write(&self, layer: &Layer) -> Result<()> {
        let mut batch = WriteBatch::with_capacity_bytes(BATCH_BYTES.min(layer.bytes()));
        let mut key = Vec::new();
        let mut is_dropped = planted("drop-dirty-value");
        for (namespace, table) in layer.tables() {
            if table.below() == Below::Masked {
                batch.delete_range(keys::prefix(namespace), keys::prefix_end(namespace));
            }
            for id in table.ordered() {
                if std::mem::take(&mut is_dropped) {
                    continue;
                }
                let (tail, found) = table.entry(*id);
                key.clear();
                keys::write(&mut key, namespace, tail);
                match found {
                    Found::Value(value) => batch.put(&key, value),
                    Found::Removed if table.below() == Below::Shown => batch.delete(&key),
                    Found::Removed => {}
                }
                if batch.size_in_bytes() >= BATCH_BYTES {
                    self.write_batch(std::mem::take(&mut batch))?;
                    hit("rocks-write-middle", self.folder())?;
                }
            }
        }
        if batch.is_empty() { Ok(()) } else { self.write_batch(batch) }
    }

    fn write_batch(&self, batch: WriteBatch) -> Result<()> {
        self.db.write_opt(batch, &self.writes).map_err(|error| self.failed(error))
    }

    /// Writes out everything, and makes a copy of the state as it is: of links, beside the state.
    pub(crate) fn checkpoint(&self) -> Result<CheckpointFolder> {
        let number = self.checkpoints.fetch_add(1, Ordering::Relaxed);
        let folder = CheckpointFolder(self.folder.path().join(format!("checkpoint-{number}")));
        hit("rocks-checkpoint", &folder.0)?;
        let checkpoint = Checkpoint::new(&self.db).map_err(|error| self.failed(error))?;
        checkpoint.create_checkpoint(&folder.0).map_err(|error| self.failed(error))?;
        hit("rocks-checkpointed", &folder.0)?;
        Ok(folder)
    }

    /// The name in snapshots of one of RocksDB's table files, which no other file has: `000012-IDENTITY.sst`. `None` for
    /// files that change.
    pub(crate) fn identity_of(&self, file: &str) -> Option<String> {
        let number = file.strip_suffix(TABLE_SUFFIX)?;
        let inherited = self.inherited.get(file).cloned();
        Some(inherited.unwrap_or_else(|| format!("{number}-{}{TABLE_SUFFIX}", self.identity)))
    }

    /// A whole number that RocksDB keeps of itself; 0 where it does not know.
    pub(crate) fn number(&self, property: &PropName) -> usize {
        self.db.property_int_value(property).ok().flatten().map_or(0, |number| number as usize)
    }
}

/// What the names of table files end in.
pub(crate) const TABLE_SUFFIX: &str = ".sst";

/// The folder of a checkpoint: removed when this is dropped.
#[derive(Debug)]
pub(crate) struct CheckpointFolder(PathBuf);

impl CheckpointFolder {
    /// Its files, by name.
    pub(crate) fn files(&self) -> Result<Vec<(String, PathBuf)>> {
        let failed = || disk_error(self.0.clone());
        let mut files = Vec::new();
        for entry in fs::read_dir(&self.0).map_err(failed())? {
            let entry = entry.map_err(failed())?;
            files.push((entry.file_name().to_string_lossy().into_owned(), entry.path()));
        }
        files.sort_unstable();
        Ok(files)
    }
}

impl Drop for CheckpointFolder {
    fn drop(&mut self) {
        // It goes with the state's folder, at the latest.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Turns an error of RocksDB about what lies in `path` into one of ours.
pub(crate) fn rocks_error(path: &Path) -> impl FnOnce(rocksdb::Error) -> Error + use<> {
    let path = path.to_owned();
    move |error| Error::Disk { path, problem: error.into_string() }
}
