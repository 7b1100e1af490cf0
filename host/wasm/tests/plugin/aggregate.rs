//! Aggregates: against a model row by row, with guilty rows, and with functions that fail.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Int64Array, RecordBatch};
use arrow::datatypes::{DataType, Field, Int64Type, Schema, SchemaRef};
use proptest::prelude::*;
use volley_api::{
    Aggregator, AggregatorFactory, AggregatorPool, AggregatorRole, ErrorKind, NodeName, OperatorContext, OriginColumn,
    OriginDirectory, Positions, RowReject, SeedSource, SplitId, StreamRecord, SubtaskId,
};
use volley_test_guests::SumGuest;
use volley_wasm::{
    Crossing, DELTA_BYTES_MAX, DETERMINISM_SAMPLE, OnError, PluginAggregates, PluginLimits, PluginMetrics,
    PluginOptions, Violation,
};

use crate::harness::{Ticking, load};

/// `key: Int64, x: Int64`.
pub(crate) fn schema() -> SchemaRef {
    let field = |name| Field::new(name, DataType::Int64, false);
    Arc::new(Schema::new(vec![field("key"), field("x")]))
}

/// Rows of these keys and values, at positions from 100 on.
fn record(keys: &[i64], values: &[i64], first: i64) -> StreamRecord {
    let column = |numbers: &[i64]| -> ArrayRef { Arc::new(Int64Array::from(numbers.to_vec())) };
    let batch = RecordBatch::try_new(schema(), vec![column(keys), column(values)]).expect("fits");
    let positions = Positions::From(100 + first);
    StreamRecord::new(batch).with_origins(OriginColumn::of_split(0, 0, &positions, keys.len()))
}

/// How a pool is set up.
pub(crate) struct Setup {
    pub(crate) on_error: OnError,
    pub(crate) errors_attached: bool,
    pub(crate) role: AggregatorRole,
    pub(crate) crossing: Crossing,
    pub(crate) limits: PluginLimits,
    pub(crate) sample: u32,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            on_error: OnError::DeadLetter,
            errors_attached: true,
            role: AggregatorRole::Operator,
            crossing: Crossing::Direct,
            limits: PluginLimits::default(),
            sample: DETERMINISM_SAMPLE,
        }
    }
}

impl Setup {
    pub(crate) fn pool(&self, guest: SumGuest) -> volley_api::Result<(Box<dyn AggregatorPool>, Arc<PluginMetrics>)> {
        let plugin = load(&guest.build()).map_err(volley_api::Error::from)?;
        let options = PluginOptions {
            on_error: self.on_error,
            crossing: self.crossing,
            limits: self.limits.clone(),
            determinism_sample: self.sample,
            ..PluginOptions::default()
        };
        let factory = PluginAggregates::new(plugin, options, vec!["key".to_owned()]).expect("an aggregate");
        let metrics = factory.metrics();
        let binding = factory.bind(&schema(), None)?;
        assert_eq!((&binding.reads[..], binding.is_order_free), (&["x".to_owned()][..], true));
        assert_eq!(binding.results[0].name(), "total");
        let origins = OriginDirectory::new();
        origins.register(&NodeName::new("flights").expect("a name"), &SplitId::new("a.csv"));
        let context = OperatorContext {
            node: NodeName::new("node").expect("a name"),
            subtask: SubtaskId::SINGLE,
            input: schema(),
            event_time: None,
            state: Arc::new(volley_api::NoState),
            restored: Default::default(),
            errors_attached: self.errors_attached,
            clock: Arc::new(Ticking::default()),
            seeds: SeedSource::new(1),
            origins,
        };
        Ok((factory.pool(&context, self.role, &schema())?.expect("it has one"), metrics))
    }
}

/// Rows by group, numbered as the runtime does, and what an aggregator made of them.
pub(crate) struct Groups {
    aggregator: Box<dyn Aggregator>,
    numbers: BTreeMap<i64, usize>,
}

impl Groups {
    pub(crate) fn new(pool: &dyn AggregatorPool) -> Self {
        Self { aggregator: pool.create().expect("makes one"), numbers: BTreeMap::new() }
    }

    fn number(&mut self, keys: &[i64]) -> Vec<usize> {
        let number = |key: &i64| {
            let next = self.numbers.len();
            *self.numbers.entry(*key).or_insert(next)
        };
        keys.iter().map(number).collect()
    }

    pub(crate) fn update(&mut self, keys: &[i64], values: &[i64], first: i64) -> volley_api::Result<()> {
        let groups = self.number(keys);
        let record = record(keys, values, first);
        self.aggregator.update_of(&record, &record.batch, &groups, self.numbers.len())
    }

    /// The sum of each key that has one.
    pub(crate) fn sums(&mut self) -> volley_api::Result<BTreeMap<i64, i64>> {
        let columns = self.aggregator.evaluate(self.numbers.len())?;
        let sums = columns[0].as_primitive::<Int64Type>();
        let present = self.aggregator.evaluated();
        let has_result = |number: usize| present.is_none_or(|present| present.value(number));
        let of = self.numbers.iter().filter(|(_, number)| has_result(**number));
        Ok(of.map(|(key, number)| (*key, sums.value(*number))).collect())
    }
}

/// The positions of what was refused, with the codes.
fn refused(pool: &dyn AggregatorPool) -> Vec<(i64, String)> {
    let of = |refused: volley_api::Refused| {
        let origins = refused.rows.origins.expect("carried");
        let place = move |RowReject { row, code, .. }: RowReject| (origins.get(row).position - 100, code);
        refused.rejects.into_iter().map(place).collect::<Vec<_>>()
    };
    pool.take_refused().into_iter().flat_map(of).collect()
}

/// Instructions that trap when the value is this one.
pub(crate) fn traps_at(value: i64) -> String {
    format!("(if (i64.eq (local.get $v) (i64.const {value})) (then unreachable))")
}

fn model(rows: &[(i64, i64)]) -> BTreeMap<i64, i64> {
    let mut sums = BTreeMap::new();
    rows.iter().for_each(|(key, value)| *sums.entry(*key).or_default() += value);
    sums
}

/// A value that makes the guest trap in `update`, one that makes it trap in `drain`, and one that it refuses.
pub(crate) const BAD: [i64; 3] = [7_001, 7_002, 7_003];

/// Traps in `update` at the first, in `drain` where a group has had the second (and the sum tells), rejects the third.
pub(crate) fn picky() -> SumGuest {
    let detonates = "(if (i64.ge_s (local.get $v) (i64.const 1000000)) (then unreachable))";
    SumGuest {
        update: format!(
            "{} (if (i64.eq (local.get $v) (i64.const 7002)) (then (local.set $v (i64.const 1000000000))))",
            traps_at(BAD[0])
        ),
        drain: detonates.to_owned(),
        reject: Some("(i64.eq (local.get $v) (i64.const 7003))".to_owned()),
        ..SumGuest::default()
    }
}

/// What is done to two aggregators of one pool.
#[derive(Debug, Clone)]
enum Step {
    Update(bool, Vec<(i64, i64)>),
    /// The state of one goes to the host and back.
    Store(bool),
    /// The state of one is merged into the other.
    Move(bool),
    Settle,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let value = prop_oneof![20 => -500_i64..500, 1 => prop::sample::select(&BAD[..])];
    let rows = prop::collection::vec((0_i64..40, value), 1..120);
    let step = prop_oneof![
        6 => (any::<bool>(), rows).prop_map(|(which, rows)| Step::Update(which, rows)),
        1 => any::<bool>().prop_map(Step::Store),
        1 => any::<bool>().prop_map(Step::Move),
        1 => Just(Step::Settle),
    ];
    prop::collection::vec(step, 1..14)
}

fn run(steps: &[Step], crossing: Crossing) -> std::result::Result<(), TestCaseError> {
    let (pool, metrics) = Setup { crossing, sample: 1, ..Setup::default() }.pool(picky()).expect("starts");
    let mut both = [Groups::new(&*pool), Groups::new(&*pool)];
    let mut good: [Vec<(i64, i64)>; 2] = Default::default();
    let (mut position, mut guilty) = (0_i64, BTreeSet::new());
    for step in steps {
        match step {
            Step::Update(which, rows) => {
                let (keys, values): (Vec<i64>, Vec<i64>) = rows.iter().copied().unzip();
                both[usize::from(*which)].update(&keys, &values, position).expect("goes on");
                for row in rows {
                    if BAD.contains(&row.1) {
                        guilty.insert(position);
                    } else {
                        good[usize::from(*which)].push(*row);
                    }
                    position += 1;
                }
            }
            Step::Store(which) => {
                let groups = &mut both[usize::from(*which)];
                let total = groups.numbers.len();
                let state = groups.aggregator.drain(total).expect("drains");
                prop_assert_eq!(state[0].len(), total);
                groups.aggregator.merge(&state, &(0..total).collect::<Vec<_>>(), total).expect("merges");
            }
            Step::Move(from) => {
                let (from, to) = (usize::from(*from), usize::from(!*from));
                let keys: Vec<(i64, usize)> = both[from].numbers.iter().map(|(key, number)| (*key, *number)).collect();
                let state = both[from].aggregator.drain(keys.len()).expect("drains");
                both[from].numbers.clear();
                let mut of = vec![0; keys.len()];
                keys.iter().for_each(|(key, number)| of[*number] = *key);
                let groups = both[to].number(&of);
                let total = both[to].numbers.len();
                both[to].aggregator.merge(&state, &groups, total).expect("merges");
                let moved = std::mem::take(&mut good[from]);
                good[to].extend(moved);
            }
            Step::Settle => pool.settle().expect("settles"),
        }
    }
    for (groups, good) in both.iter_mut().zip(&good) {
        prop_assert_eq!(groups.sums().expect("evaluates"), model(good));
    }
    let refused: BTreeSet<i64> = refused(&*pool).into_iter().map(|(place, _)| place).collect();
    prop_assert_eq!(refused, guilty);
    prop_assert_eq!(metrics.snapshot().rows_in, position as u64);
    prop_assert!(!metrics.snapshot().violations.contains_key(&Violation::Nondeterminism), "it is honest");
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn sums_are_those_of_the_rows_that_were_not_guilty(steps in steps()) {
        run(&steps, Crossing::Direct)?;
        run(&steps, Crossing::Stock)?;
    }
}

#[test]
fn a_guilty_row_goes_to_the_dead_letters_and_its_neighbours_count() {
    let (pool, metrics) = Setup::default().pool(picky()).expect("starts");
    let mut groups = Groups::new(&*pool);
    groups.update(&[1, 2, 1, 3], &[10, 20, BAD[2], 30], 0).expect("goes on");
    groups.update(&[1, 4, 2], &[5, BAD[0], 7], 4).expect("goes on");
    assert_eq!(refused(&*pool), [(2, "refused".to_owned()), (5, "plugin-unreachable".to_owned())]);
    // What was taken in long ago may be found guilty when it is drained, and only then.
    groups.update(&[3, 5], &[1, BAD[1]], 7).expect("goes on");
    assert_eq!(refused(&*pool), []);
    pool.settle().expect("settles");
    assert_eq!(refused(&*pool), [(8, "plugin-unreachable".to_owned())]);
    // Neither 4 nor 5 has a row that counts.
    assert_eq!(groups.sums().expect("evaluates"), BTreeMap::from([(1, 15), (2, 27), (3, 31)]));
    let snapshot = metrics.snapshot();
    assert_eq!((snapshot.rows_in, snapshot.rows_rejected, snapshot.rows_out), (9, 3, 3));
    assert!(snapshot.violations[&Violation::Unreachable] >= 4 && snapshot.restarts >= 2, "{snapshot:?}");
}

#[test]
fn with_nobody_to_take_it_a_guilty_row_stops_the_job_by_name() {
    let setup = Setup { on_error: OnError::Fail, errors_attached: false, ..Setup::default() };
    for (bad, words) in [(BAD[0], "trapped in `update`"), (BAD[1], "trapped in `drain`"), (BAD[2], "refused a row")] {
        let (pool, _) = setup.pool(picky()).expect("starts");
        let mut groups = Groups::new(&*pool);
        let updated = groups.update(&[1, 2, 3], &[1, bad, 3], 0).and_then(|()| pool.settle());
        let error = updated.expect_err(words).to_string();
        for words in [words, "source flights, a.csv, position 101", &format!("\"x\":{bad}")] {
            assert!(error.contains(words), "{error} should say {words}");
        }
    }
}

#[test]
fn before_an_exchange_nothing_is_blamed_and_all_rows_that_may_be_guilty_are_given_back() {
    let (pool, metrics) =
        Setup { role: AggregatorRole::BeforeExchange, ..Setup::default() }.pool(picky()).expect("starts");
    let mut groups = Groups::new(&*pool);
    groups.update(&[1, 2], &[10, 20], 0).expect("goes on");
    pool.settle().expect("settles");
    groups.update(&[1, 3], &[11, BAD[2]], 2).expect("goes on");
    groups.update(&[1, 3], &[12, BAD[0]], 4).expect("goes on");
    // The row that was refused, the others of the delta, and the part that failed.
    let mut places: Vec<i64> = refused(&*pool).into_iter().map(|(place, _)| place).collect();
    places.sort_unstable();
    assert_eq!(places, [2, 3, 4, 5]);
    assert_eq!(groups.sums().expect("evaluates"), BTreeMap::from([(1, 10), (2, 20)]), "what was settled stays");
    assert_eq!(metrics.snapshot().rows_rejected, 0);
}

#[test]
fn much_input_is_given_up_on_the_way_and_comes_together_again() {
    let (pool, metrics) = Setup::default().pool(SumGuest::default()).expect("starts");
    let mut groups = Groups::new(&*pool);
    let mut expected: BTreeMap<i64, i64> = BTreeMap::new();
    let rows = 8_192_i64;
    let calls = (2 * DELTA_BYTES_MAX as i64 / (rows * 8)) + 3;
    for call in 0..calls {
        let keys: Vec<i64> = (0..rows).map(|row| (row * 31 + call) % 1_999).collect();
        let values: Vec<i64> = (0..rows).map(|row| row - call).collect();
        keys.iter().zip(&values).for_each(|(key, value)| *expected.entry(*key).or_default() += value);
        groups.update(&keys, &values, call * rows).expect("goes on");
    }
    assert!(groups.aggregator.memory_bytes() > 1_999 * 12, "what was given up is counted");
    assert_eq!(groups.sums().expect("evaluates"), expected);
    // Twice on the way, and at the end; then the pieces are merged.
    assert!(metrics.snapshot().calls > calls as u64 + 3);
    assert_eq!(groups.sums().expect("evaluates"), BTreeMap::new(), "it is empty then");
}

#[test]
fn states_and_results_that_it_fails_on_stop_the_job_with_the_state() {
    let two_pieces = |guest: SumGuest| {
        let (pool, _) = Setup::default().pool(guest).expect("starts");
        let mut groups = Groups::new(&*pool);
        for value in [1, 2] {
            groups.update(&[1, 2, 3], &[value, 700, 3], 0).expect("goes on");
            pool.settle().expect("settles");
        }
        groups.sums().expect_err("fails").to_string()
    };
    let merge = two_pieces(SumGuest { merge: traps_at(700), ..SumGuest::default() });
    let evaluate = two_pieces(SumGuest { evaluate: traps_at(1_400), ..SumGuest::default() });
    for (error, words, sum) in [(merge, "trapped in `merge`", 700), (evaluate, "trapped in `evaluate`", 1_400)] {
        for words in [words, &format!("the state of a group: {{\"sum\":{sum}}}")] {
            assert!(error.contains(words), "{error} should say {words}");
        }
    }
}

#[test]
fn a_failure_that_passes_costs_an_instance_and_nothing_else() {
    // The fourth call of an instance traps: a fresh one has less behind it.
    let once = "(if (i32.eq (global.get $calls) (i32.const 4)) (then unreachable))";
    for role in [AggregatorRole::Operator, AggregatorRole::BeforeExchange] {
        let guest = SumGuest { evaluate: once.to_owned(), ..SumGuest::default() };
        let (pool, metrics) = Setup { role, ..Setup::default() }.pool(guest).expect("starts");
        let (mut one, mut other) = (Groups::new(&*pool), Groups::new(&*pool));
        one.update(&[1, 2], &[10, 20], 0).expect("goes on");
        pool.settle().expect("settles");
        other.update(&[1], &[5], 2).expect("goes on");
        assert_eq!(one.sums().expect("evaluates"), BTreeMap::from([(1, 10), (2, 20)]));
        let given_back = refused(&*pool).len();
        let sums = other.sums().expect("evaluates");
        // The fresh one is handed the other's row and gives up its delta, so that its own fourth call is the last here.
        let (expected, instances) = match role {
            AggregatorRole::Operator => ((BTreeMap::from([(1, 5)]), 0), 2),
            AggregatorRole::BeforeExchange => ((BTreeMap::new(), 1), 1),
        };
        assert_eq!((sums, given_back), expected);
        assert_eq!(metrics.snapshot().restarts, instances);
    }
}

#[test]
fn a_batch_that_is_refused_as_a_whole_leaves_nothing_behind() {
    let refuses = SumGuest {
        update: format!("(if (i64.eq (local.get $v) (i64.const 99)) (then (return {})))", SumGuest::failure(0)),
        ..SumGuest::default()
    };
    let (pool, _) = Setup::default().pool(refuses.clone()).expect("starts");
    let mut groups = Groups::new(&*pool);
    groups.update(&[1], &[10], 0).expect("goes on");
    groups.update(&[2, 3], &[99, 5], 1).expect("goes on");
    groups.update(&[4, 1], &[40, 1], 3).expect("goes on");
    assert_eq!(refused(&*pool), [(1, "reject-batch".to_owned()), (2, "reject-batch".to_owned())]);
    assert_eq!(groups.sums().expect("evaluates"), BTreeMap::from([(1, 11), (4, 40)]));
    // What was taken in before a batch that is refused is there when the window fires right behind it.
    let (pool, _) = Setup::default().pool(refuses.clone()).expect("starts");
    let mut groups = Groups::new(&*pool);
    groups.update(&[1, 2], &[10, 20], 0).expect("goes on");
    groups.update(&[2, 3], &[99, 5], 2).expect("goes on");
    assert_eq!(groups.sums().expect("evaluates"), BTreeMap::from([(1, 10), (2, 20)]));
    let (pool, _) = Setup { on_error: OnError::Fail, ..Setup::default() }.pool(refuses).expect("starts");
    let error = Groups::new(&*pool).update(&[2, 3], &[99, 5], 0).expect_err("the policy is to fail").to_string();
    assert!(error.contains("refused a batch of 2 rows: said so"), "{error}");
}

#[test]
fn bindings_that_are_no_aggregates_are_refused() {
    let two: Vec<u8> = {
        let field = |name| Field::new(name, DataType::Int64, false);
        volley_ipc::encode_schema(&Schema::new(vec![field("sum"), field("sum")])).expect("encodes")
    };
    let none = volley_ipc::encode_schema(&Schema::empty()).expect("encodes");
    for (guest, words) in [
        (SumGuest { particulars: Some(0), ..SumGuest::default() }, "gives the columns of its state, and it gives none"),
        (SumGuest { particulars: Some(1), ..SumGuest::default() }, "particulars of another world"),
        (SumGuest { replaces: true, ..SumGuest::default() }, "behind the key"),
        (SumGuest { state: Some(two), ..SumGuest::default() }, "field `sum`: two columns have this name"),
        (SumGuest { state: Some(none), ..SumGuest::default() }, "its state has no column"),
        (SumGuest { state: Some(vec![1, 2, 3]), ..SumGuest::default() }, "the schema of its state"),
    ] {
        let Err(error) = Setup::default().pool(guest) else { panic!("{words}") };
        assert!(error.to_string().contains(words), "{error} should say {words}");
        assert_eq!(error.kind(), ErrorKind::Plugin);
    }
    let filter = load(&crate::guest::Guest::new("filter", &["x"]).build()).expect("loads");
    let error = PluginAggregates::new(filter, PluginOptions::default(), vec!["key".to_owned()]).expect_err("a filter");
    assert!(
        error.to_string().contains("is a filter, and by key and window go aggregates: run it in an operator"),
        "{error}"
    );
}
