//! The pipeline of every job: a source with late rows, a stateless branch, windows with a late output, sessions, repeats
//! dropped; a folder of files behind each. `check.py` has the same expressions, in its own words.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use rand::Rng;

/// Where keyed state is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum State {
    /// In the memory of the process.
    #[default]
    Memory,
    /// On disk. The host must have been built with it.
    Rocksdb,
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Memory => "memory",
            Self::Rocksdb => "rocksdb",
        })
    }
}

/// The operators whose state the order of rows makes.
const BY_ORDER: &str = "  few: { from: numbers, filter: id % 50 <> 7 AND usr < 5 AND at % 100 < 50 }
  visits: { from: few, key_by: usr, window: { session: 20ms }, aggregate: { n: count(*), s: sum(id) } }
  even: { from: numbers, filter: id % 50 <> 7 AND usr % 2 = 0 }
  firsts: { from: even, dedupe: { by: grp, within: 200ms } }
";
const BY_ORDER_SINKS: &str = "  visits-out: { from: visits, file: { path: visits/, format: csv } }
  firsts-out: { from: firsts, file: { path: firsts/, format: jsonl } }
";

/// The same, by plugins: the most frequent of five items in every half second, sums with means, and running counts and sums,
/// the counts held by the plugin itself.
const BY_PLUGINS: &str = "  named: { from: few, with_columns: { item: \"CAST(grp % 5 AS VARCHAR)\", amount: \"CAST(id AS DOUBLE)\" } }
  tops: { from: named, key_by: usr, plugin: { component: \"$plugins/top-k.wasm\", config: { item: item, k: 2, every_ms: 500 } } }
  means: { from: named, key_by: usr, window: { tumbling: 500ms }, plugin: { component: \"$plugins/sum-avg.wasm\" } }
  kept: { from: few, key_by: usr, plugin: { component: \"$kept\" } }
";
const BY_PLUGINS_SINKS: &str = "  tops-out: { from: tops, file: { path: tops/, format: jsonl } }
  means-out: { from: means, file: { path: means/, format: parquet } }
  kept-out: { from: kept, file: { path: kept/, format: csv } }
";

/// The operators as components.
#[derive(Debug)]
pub struct Plugins {
    /// The examples.
    folder: PathBuf,
    /// `keeper` and its next version, `keeper-next`, whose sums are of another type.
    keepers: PathBuf,
}

/// Where the operators are as components: in the folders that `VOLLEY_TEST_PLUGINS` and `VOLLEY_TEST_KEEPERS` name. Without
/// the first, jobs have none.
///
/// # Panics
/// When folders are named that do not have them: jobs without plugins would say that all is well with them.
#[must_use]
pub fn plugins() -> Option<&'static Plugins> {
    static PLUGINS: OnceLock<Option<Plugins>> = OnceLock::new();
    let find = |variable: &str, names: [&str; 2]| {
        let folder = PathBuf::from(std::env::var_os(variable)?);
        let has_all = names.iter().all(|name| folder.join(name).with_extension("wasm").is_file());
        assert!(has_all, "{variable}={}: run `make plugins`", folder.display());
        std::fs::canonicalize(&folder).ok()
    };
    let find_all = || {
        let folder = find("VOLLEY_TEST_PLUGINS", ["top-k", "sum-avg"])?;
        let keepers = find("VOLLEY_TEST_KEEPERS", ["keeper", "keeper-next"]);
        let keepers = keepers.expect("VOLLEY_TEST_PLUGINS is set, and VOLLEY_TEST_KEEPERS is not");
        Some(Plugins { folder, keepers })
    };
    PLUGINS.get_or_init(find_all).as_ref()
}

/// What differs from job to job.
#[derive(Debug, Clone)]
pub struct Shape {
    /// How many rows the source has.
    pub rows: u64,
    /// How many of them it makes in a second.
    pub rate: u64,
    /// How many keys there are.
    pub users: u64,
    /// How many parts the source has.
    pub splits: u64,
    /// From one checkpoint to the next, in milliseconds.
    pub interval_ms: u64,
    /// Rows per file of the stateless branch, where its files are cut.
    pub part_rows: Option<u64>,
    /// Whether there are sessions and repeats dropped too, and plugins that keep state, where they are: the order of rows makes
    /// their state, so no checkpoint is rebuilt.
    pub by_order: bool,
    /// Whether the plugin that holds state itself is the next version of it, which takes over the state of the one before.
    pub has_next: bool,
    /// Where state is.
    pub state: State,
    /// Where checkpoints are, if not beside the output: a folder, or the URL of an object store.
    pub checkpoints: Option<String>,
    /// How long a checkpoint may take, in milliseconds, and how many in a row may fail, if not what the host does by itself.
    pub patience: Option<(u64, u32)>,
}

impl Shape {
    /// A job of about so many milliseconds, if nobody disturbs it.
    pub fn random(random: &mut impl Rng, state: State, work_ms: u64) -> Self {
        let rate = random.random_range(20_000..60_000);
        Self {
            rows: rate * work_ms / 1_000,
            rate,
            users: random.random_range(10..200),
            splits: [1, 1, 2, 3][random.random_range(0..4)],
            interval_ms: random.random_range(30..150),
            part_rows: random.random_bool(0.3).then_some(3_000),
            by_order: true,
            has_next: false,
            state,
            checkpoints: None,
            patience: None,
        }
    }

    /// One that is the same each time: for places that are to be come to about as often in every run.
    #[must_use]
    pub fn steady(state: State, work_ms: u64) -> Self {
        let rate = 40_000;
        Self {
            rows: rate * work_ms / 1_000,
            rate,
            users: 50,
            splits: 1,
            interval_ms: 50,
            part_rows: None,
            by_order: true,
            has_next: false,
            state,
            checkpoints: None,
            patience: None,
        }
    }

    /// Where checkpoints of a job in this folder are, which are not in an object store.
    #[must_use]
    pub fn checkpoints_of(&self, folder: &Path) -> PathBuf {
        self.checkpoints.as_ref().map_or_else(|| folder.join("cp"), PathBuf::from)
    }

    /// The folders of output.
    #[must_use]
    pub fn sinks(&self) -> &'static [&'static str] {
        const SINKS: [&str; 8] = ["raw", "sums", "late", "visits", "firsts", "tops", "means", "kept"];
        match (self.by_order, plugins()) {
            (true, Some(_)) => &SINKS,
            (true, None) => &SINKS[..5],
            (false, _) => &SINKS[..3],
        }
    }

    /// The pipeline file.
    #[must_use]
    pub fn yaml(&self) -> String {
        let Self { rows, rate, splits, users, interval_ms, .. } = self;
        let backend = match self.state {
            State::Memory => "memory",
            // So little in memory that state goes to disk and comes back all the time.
            State::Rocksdb => "rocksdb, max_cache_entries: 20, max_pending_windows: 2",
        };
        let location = self.checkpoints.as_deref().unwrap_or("cp");
        let patience = self.patience.map_or(String::new(), |(timeout_ms, failures)| {
            format!(", timeout: {timeout_ms}ms, tolerable_failures: {failures}")
        });
        // What is on disk lies beside checkpoints, unless those are in no folder.
        let needs_place = self.state == State::Rocksdb && location.contains("://");
        let state_at = if needs_place { ", location: state" } else { "" };
        let (order_operators, order_sinks) = if self.by_order { (BY_ORDER, BY_ORDER_SINKS) } else { ("", "") };
        let (plugin_operators, plugin_sinks) = match plugins().filter(|_| self.by_order) {
            Some(Plugins { folder, keepers }) => {
                let kept = keepers.join(if self.has_next { "keeper-next.wasm" } else { "keeper.wasm" });
                let operators = BY_PLUGINS.replace("$plugins", &folder.display().to_string());
                (operators.replace("$kept", &kept.display().to_string()), BY_PLUGINS_SINKS)
            }
            None => (String::new(), ""),
        };
        let part_rows = self.part_rows.map_or(String::new(), |rows| format!(", part_rows_max: {rows}"));
        format!(
            "name: chaos
batch_rows: 512
watermark_interval: 20ms
checkpoint: {{ interval: {interval_ms}ms, location: \"{location}\"{patience} }}
state: {{ backend: {backend}{state_at} }}
sources:
  numbers:
    generate:
      rows: {rows}
      rate: {rate}
      splits: {splits}
      columns: {{ id: n, usr: n % {users}, at: n / 10 - CASE WHEN n % 50 = 7 THEN 3000 ELSE 0 END, grp: n / 8 }}
    event_time: {{ column: at, max_out_of_orderness: 1s }}
operators:
  odd: {{ from: numbers, filter: id % 2 = 1 }}
  sums:
    from: numbers
    key_by: usr
    window: {{ tumbling: 500ms, late: late }}
    aggregate: {{ n: count(*), s: sum(id) }}
{order_operators}{plugin_operators}sinks:
  raw-out: {{ from: odd, file: {{ path: raw/, format: parquet{part_rows} }} }}
  sums-out: {{ from: sums, file: {{ path: sums/, format: parquet }} }}
  late-out: {{ from: sums.late, file: {{ path: late/, format: jsonl }} }}
{order_sinks}{plugin_sinks}"
        )
    }
}
