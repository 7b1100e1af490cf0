//! Runs a dataflow of timely, first to warm up, then measured: `peer-timely WORKLOAD PARALLELISM ROWS WARM_UPS ROUNDS`

mod dataflows;
mod process;
mod workload;

use std::process::ExitCode;

use dataflows::Dataflow;

/// The version that stands in Cargo.toml: the library does not tell its own.
const VERSION: &str = "0.32.0";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let Some((name, dataflow, [parallelism, rows, warm_ups, rounds])) = parse(&args) else {
        eprintln!("usage: peer-timely W1|W2 PARALLELISM ROWS WARM_UPS ROUNDS");
        return ExitCode::from(2);
    };
    for round in 0..warm_ups + rounds {
        match process::measure(|| dataflows::run(dataflow, parallelism as usize, rows)) {
            Ok((total, cost)) if round >= warm_ups => println!(
                "timely {name} {parallelism} {rows} {} {} {} {} {} {VERSION}",
                total.results, total.checksum, cost.wall_ms, cost.cpu_ms, cost.peak_mib
            ),
            Ok(_) => {}
            Err(reason) => {
                eprintln!("timely: {reason}");
                return ExitCode::FAILURE;
            }
        }
    }
    ExitCode::SUCCESS
}

/// The name of the workload, what it is, and the four numbers.
fn parse(args: &[String]) -> Option<(&str, Dataflow, [u64; 4])> {
    let (name, numbers) = args.split_first()?;
    let dataflow = match name.as_str() {
        "W1" => Dataflow::FilterAndMap,
        "W2" => Dataflow::WindowedSum,
        _ => return None,
    };
    let numbers: Vec<u64> = numbers.iter().map(|number| number.parse().ok()).collect::<Option<_>>()?;
    Some((name, dataflow, numbers.try_into().ok()?))
}
