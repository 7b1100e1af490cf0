//! A pipeline from a file and the same one by the Rust API are one plan: nodes, labels, columns, edges and exchanges.

use std::time::Duration;

use serde_json::json;
use volley::prelude::*;
use volley::{DiscardSink, Result};
use volley_connector_file::FileSource;

use crate::support::Folder;

const NORTH: &str = "driver,minutes,at\nann,12,2024-05-01T08:01:00Z\nbob,,2024-05-01T08:04:00Z\n";
const SOUTH: &str = "at,driver,minutes\n2024-05-01T09:10:00Z,cid,30\n";
const MINUTE: Duration = Duration::from_secs(60);

/// What `rust_api.yaml` says.
fn trips(folder: &Folder) -> Result<StreamExecutionEnvironment> {
    let env = StreamExecutionEnvironment::new().set_parallelism(2).set_job_name("trips");
    let file = |path: &str| {
        let options = serde_json::from_value(json!({ "path": path })).expect("options");
        FileSource::open(options, &folder.path("."))
    };
    let times =
        || WatermarkStrategy::bounded_out_of_orderness("at", 60 * MINUTE).with_idleness(Duration::from_secs(30));
    let north = env.from_source("north", file("north.csv")?).with_watermarks(times());
    let south = env.from_source("south", file("south.csv")?).with_watermarks(times()).set_parallelism(1);
    let all = north.union(&south).uid("all");
    let few = col("minutes").gt(lit(5)).and(col("driver").not_eq(lit("bob"))).or(col("minutes").is_null());
    let wide = all
        .filter_expr(few)
        .uid("some")
        .with_columns([("double", col("minutes") * lit(2)), ("loud", call("upper", [col("driver")]))])
        .uid("wide")
        .set_parallelism(3);
    let narrow = wide.select_expr([col("driver"), col("at"), col("double").alias("twice")]).uid("narrow");
    let late = OutputTag::new("late_rows");
    let hourly = narrow
        .key_by(["driver"])
        .window(Tumbling::of(60 * MINUTE))
        .allowed_lateness(10 * MINUTE)
        .side_output_late_data(&late)
        .aggregate_expr([
            count().alias("trips"),
            avg("twice").alias("mean"),
            count().filter(col("twice").gt(lit(20))).alias("long"),
        ])
        .uid("hourly");
    let sliding = narrow
        .key_by(["driver"])
        .window(Sliding::of(60 * MINUTE, 15 * MINUTE))
        .aggregate_expr([first("at")])
        .uid("sliding");
    let calls = wide.key_by(["loud"]).window(Count::of(3)).aggregate_expr(["max(double) AS longest"]).uid("calls");
    let calls = calls.set_parallelism(1);
    let totals = wide.key_by(["driver", "loud"]).aggregate_expr([sum("minutes")]).uid("totals");
    hourly.to_sink("out", DiscardSink::new());
    hourly.side_output(&late).to_sink("late", DiscardSink::new());
    sliding.to_sink("slid", DiscardSink::new()).set_parallelism(1);
    calls.to_sink("called", DiscardSink::new());
    totals.to_sink("summed", DiscardSink::new());
    north.errors().to_sink("unread", DiscardSink::new());
    Ok(env)
}

#[test]
fn a_file_and_the_api_make_one_plan() {
    let folder = Folder::new();
    folder.write("north.csv", NORTH);
    folder.write("south.csv", SOUTH);
    folder.write("p.yaml", include_str!("rust_api.yaml"));
    let from_file = folder.succeed(&["plan", "p.yaml", "--json"]).json();
    let env = trips(&folder).expect("files");
    let from_calls = env.explain_json().expect("a plan");
    let pretty = |plan: &serde_json::Value| serde_json::to_string_pretty(plan).expect("JSON");
    assert_eq!(pretty(&from_calls), pretty(&from_file));
    assert_eq!(from_calls["nodes"].as_array().map(Vec::len), Some(16));
    assert_eq!(env.explain().expect("a plan").to_string(), folder.succeed(&["plan", "p.yaml"]).text());
    env.execute_blocking("trips").expect("runs as well");
}
