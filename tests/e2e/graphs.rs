//! Pipelines as graphs: several sources, unions, side outputs, parallelism of single nodes, sinks that drop.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::support::{Folder, plugin, repository, sorted_lines};

#[test]
fn a_graph_of_everything_without_state() {
    let folder = Folder::new();
    std::fs::copy(plugin("explode"), folder.path("explode.wasm")).expect("a copy");
    folder.write("tags.csv", "id,tags\n1,\"a,b\"\n2,\n3,c\n");
    folder.write("pipeline.yaml", include_str!("plan.yaml"));
    folder.succeed(&["run", "pipeline.yaml", "-q"]);
    let made =
        ["11", "12", "14", "15"].into_iter().flat_map(|id| ["x-0", "y-1", "z-2"].map(|name| format!("{id},{name}")));
    let mut wanted: Vec<String> =
        ["id,name", "1,a-0", "1,b-1", "3,c-0"].map(String::from).into_iter().chain(made).collect();
    wanted.sort_unstable();
    assert_eq!(sorted_lines(&folder.read("out.csv")), wanted);
    let empty = folder.read("empty.jsonl");
    let ids: BTreeSet<i64> = empty
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).expect("JSON")["id"].as_i64().expect("a number"))
        .collect();
    assert_eq!(ids, BTreeSet::from([2, 10, 13]));
}

#[test]
fn expressions_compute_select_and_replace() {
    let folder = Folder::new();
    folder.write("in.csv", "who,amount,day\nann,2.5,2013-01-01\nbob,,2013-02-28\ncid,-1,\n");
    folder.write(
        "p.yaml",
        r#"
name: p
sources: { in: { file: { path: in.csv } } }
operators:
  wide:
    from: in
    with_columns:
      amount: "coalesce(amount, 0) * 2"
      next: "day + INTERVAL '1 day'"
  some: { from: wide, filter: "amount >= 0 AND who LIKE '%n%' OR next IS NULL" }
  narrow: { from: some, select: { who: upper(who), amount: amount } }
sinks: { out: { from: narrow, file: { path: out.csv } } }
"#,
    );
    folder.succeed(&["run", "p.yaml", "-q"]);
    assert_eq!(folder.read("out.csv"), "who,amount\nANN,5.0\nCID,-2.0\n");
}

/// Two readers of one output each get every row; a union of a node with itself has them twice.
#[test]
fn an_output_with_several_readers() {
    let folder = Folder::new();
    folder.write(
        "p.yaml",
        "name: p\nparallelism: 2\nsources: { n: { generate: { rows: 1000, columns: { n: n } } } }\n\
         operators:\n  even: { from: n, filter: \"n % 2 = 0\" }\n  third: { from: n, filter: \"n % 3 = 0\" }\n  \
         both: { from: [even, third], union: {} }\n\
         sinks:\n  out: { from: both, file: { path: out.jsonl } }\n  all: { from: n, file: { path: all/, format: csv } }\n  gone: { from: third, discard: {} }\n",
    );
    let summary = folder.succeed(&["run", "p.yaml", "--json", "-q"]).json();
    assert_eq!(summary["rows_in"], 1000);
    let out = folder.read("out.jsonl");
    let mut wanted: Vec<u32> = (0..1000).filter(|n| n % 2 == 0).chain((0..1000).filter(|n| n % 3 == 0)).collect();
    wanted.sort_unstable();
    let mut found: Vec<u32> =
        out.lines().map(|line| line["{\"n\":".len()..line.len() - 1].parse().expect("a number")).collect();
    found.sort_unstable();
    assert_eq!(found, wanted);
    let parts: Vec<String> = folder.files().into_iter().filter(|name| name.starts_with("all/")).collect();
    let rows: usize = parts.iter().map(|name| folder.read(name).lines().count() - 1).sum();
    assert_eq!(rows, 1000, "{parts:?}");
}

/// The same seed makes the same rows, however many readers there are.
#[test]
fn generated_rows_are_the_same_at_every_run() {
    let folder = Folder::new();
    folder.write(
        "p.yaml",
        "name: p\nsources: { g: { generate: { rows: 5000, seed: 7, splits: 4, columns: { id: n, v: \"u3 * 100\" } } } }\n\
         sinks: { out: { from: g, file: { path: out.csv } } }\n",
    );
    let runs = [&["--parallelism", "1"][..], &["--parallelism", "3", "--batch-rows", "11"]].map(|more| {
        folder.succeed(&[&["run", "p.yaml", "-q"], more].concat());
        sorted_lines(&folder.read("out.csv")).join("\n")
    });
    assert_eq!(runs[0].lines().count(), 5001);
    assert_eq!(runs[0], runs[1]);
}

/// Those that need no state, over fewer events: of 5,000 are 4,600 bids.
#[test]
fn queries_of_the_nexmark_bench_run() {
    for (query, rows_out) in [("q0", 4600), ("q1", 4600), ("q2", 13)] {
        let path = repository().join(format!("benches/nexmark/queries/{query}.yaml"));
        let text = std::fs::read_to_string(path).expect("a query");
        let folder = Folder::new();
        folder.write("p.yaml", text.replace("event_count: 10000000", "event_count: 5000"));
        for parallelism in ["1", "3"] {
            let summary = folder.succeed(&["run", "p.yaml", "--json", "-q", "--parallelism", parallelism]).json();
            assert_eq!((&summary["rows_in"], &summary["rows_out"]), (&4600.into(), &rows_out.into()), "{query}");
        }
    }
}

/// Those with windows, over twenty seconds of event time: as many results, however keys are dealt out.
#[test]
fn window_queries_of_the_nexmark_bench_run() {
    for query in ["q5", "q7", "q8", "q11", "q12"] {
        let path = repository().join(format!("benches/nexmark/queries/{query}.yaml"));
        let text = std::fs::read_to_string(path).expect("a query");
        let folder = Folder::new();
        folder.write("p.yaml", text.replace("event_count: 10000000", "event_count: 200000"));
        let [one, three] = ["1", "3"].map(|parallelism| {
            let summary = folder.succeed(&["run", "p.yaml", "--json", "-q", "--parallelism", parallelism]).json();
            summary["rows_out"].as_u64().expect("a number")
        });
        assert!(one > 0 && one == three, "{query}: {one} rows by one, {three} by three");
    }
}
