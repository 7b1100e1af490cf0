//! Runs one guest, and asks what must hold after every one.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use volley_api::{Error, OperatorState, RowReject, StreamRecord, Watermark};
use volley_wasm::{OnError, Violation};

use crate::case::{Case, Outcome, Stage};
use crate::component::{build, predecessor};
use crate::directives::{Count, Drive};
use crate::host::{Host, Job, Neighbour, Sink, Terms, input};
use crate::log;
use crate::stored::stored;

/// The longest error that a guest may cause, in bytes.
const ERROR_BYTES_MAX: usize = 16 << 10;

/// The longest line of the log, in bytes: 4 KiB of a guest's text, each character of which may have to be written out,
/// and what the host writes before it.
const LOG_LINE_BYTES_MAX: usize = 32 << 10;

/// The most bytes of one record that goes on: 4 MiB of carried rows, and as much of the plugin's own.
const RECORD_BYTES_MAX: usize = 8 << 20;

/// What became of a guest that was contained.
#[derive(Debug, Clone)]
pub struct Verdict {
    /// The case's name.
    pub name: String,
    /// What it tried.
    pub tried: String,
    /// Where it was stopped.
    pub stage: Stage,
    /// What stopped it, in the host's words.
    pub by: String,
    /// The most bytes of the host's memory that the thread of the check held at once.
    pub peak_bytes: u64,
}

/// How far the guest got, and what was left behind.
struct Attempt {
    stage: Stage,
    error: Option<Error>,
    sink: Sink,
    counted: BTreeMap<String, u64>,
}

/// Runs the guest; `Err` has everything that is not as the case says, or as it must be after every guest. `compiler` is
/// the program `hostile-compiler` of this crate, in which code is compiled that is made to be dear.
///
/// # Errors
/// When the guest was not contained.
///
/// # Panics
/// When the case is not well-formed.
pub fn check(case: &Case, compiler: &Path) -> Result<Verdict, String> {
    log::capture();
    let own = case.compile_cpu().map(|cpu| Host::with_child(compiler, cpu));
    let host = own.as_ref().unwrap_or_else(|| Host::common());
    let mut neighbour = Neighbour::start(host);
    neighbour.is_well()?;
    let process = std::process::id();
    let bytes = build(case);
    let record = input(case.directives.rows, case.directives.poison, case.directives.long_text);
    log::take();
    let mut attempt = None;
    let memory =
        allocation_counter::measure(|| attempt = Some(try_it(case, host, case.terms(), &bytes, record.clone())));
    let attempt = attempt.expect("made");
    let mut findings = Findings::default();
    findings.compare(case, &attempt);
    findings.texts(case, &attempt, &log::take());
    let limits = case.limits();
    let cap = limits.memory_bytes_max.max(limits.output_bytes_max) as u64;
    findings.expect(memory.bytes_max <= 2 * cap, || format!("held {} bytes of the host's memory", memory.bytes_max));
    findings.expect(attempt.sink.record_bytes_max <= RECORD_BYTES_MAX, || {
        format!("sent a record of {} bytes on", attempt.sink.record_bytes_max)
    });
    findings.expect(std::process::id() == process, || "the host is another process".to_owned());
    if case.outcome() == Outcome::StoppedAtRow {
        let terms = Terms { on_error: OnError::Skip, ..case.terms() };
        let again = try_it(case, host, terms, &bytes, record.clone());
        findings.expect(again.stage == Stage::End, || format!("under `on_error: skip` the job stops: {again}"));
    }
    if let Some(stops) = case.stops_in_a_file() {
        let terms = Terms { drive: Drive::File, ..case.terms() };
        findings.in_a_file(case, stops, &try_it(case, host, terms, &bytes, record));
    }
    if let Err(problem) = neighbour.is_well().and_then(|()| Neighbour::start(host).is_well()) {
        findings.0.push(problem);
    }
    if !findings.0.is_empty() {
        return Err(format!("{}: {}", case.name, findings.0.join("; ")));
    }
    Ok(Verdict {
        name: case.name.clone(),
        tried: case.tries().to_owned(),
        stage: attempt.stage,
        by: attempt.to_string(),
        peak_bytes: memory.bytes_max,
    })
}

/// The life of a job with one record.
fn try_it(case: &Case, host: &Host, terms: Terms, bytes: &[u8], record: StreamRecord) -> Attempt {
    let mut sink = Sink::default();
    let (stage, error, counted) = match Job::load(host, bytes, terms) {
        Err(error) => {
            let counted = violation(&error).into_iter().map(|reason| (reason.to_string(), 1)).collect();
            (Stage::Load, Some(error), counted)
        }
        Ok(job) => {
            let (stage, error) = match predecessor(case) {
                Some(before) => inherit(&job, host, &before, record, &mut sink),
                None => live(&job, case, record, &mut sink),
            };
            let violations = job.metrics().snapshot().violations;
            (stage, error, violations.into_iter().map(|(reason, count)| (reason.to_string(), count)).collect())
        }
    };
    Attempt { stage, error, sink, counted }
}

fn live(job: &Job, case: &Case, record: StreamRecord, sink: &mut Sink) -> (Stage, Option<Error>) {
    let instances = case.directives.instances;
    let mut operator = match job.start_from(OperatorState::default(), instances) {
        Ok(operator) => operator,
        Err(error) => return (Stage::Bind, Some(error)),
    };
    if let Err(error) = operator.process(record.clone(), sink) {
        return (Stage::Run, Some(error));
    }
    let folder = tempfile::tempdir().expect("a folder");
    // A job goes on without a checkpoint that it does not get.
    let mut kept = None;
    if case.holds_state() {
        match operator.snapshot() {
            Ok(snapshots) => kept = Some(stored(folder.path(), snapshots)),
            Err(error) => return (Stage::Run, Some(error)),
        }
        if let Err(error) = operator.process(record.clone(), sink) {
            return (Stage::Run, Some(error));
        }
    }
    // Only a process makes anything of them.
    for watermark in [Watermark::AtMs(1_000), Watermark::AtMs(2_000), Watermark::End] {
        if let Err(error) = operator.on_watermark(watermark, sink) {
            return (Stage::Run, Some(error));
        }
    }
    if let Err(error) = operator.finish(sink) {
        return (Stage::Close, Some(error));
    }
    drop(operator);
    match kept {
        None => (Stage::End, None),
        Some(Err(error)) => (Stage::Snapshot, Some(error)),
        Some(Ok(restored)) => restore(job, restored, instances, record, sink),
    }
}

/// The life of a job that goes on from what another process has left.
fn inherit(job: &Job, host: &Host, before: &[u8], record: StreamRecord, sink: &mut Sink) -> (Stage, Option<Error>) {
    let first = Job::load(host, before, Terms::default()).expect("a good component");
    let mut operator = first.start().expect("starts");
    operator.process(record.clone(), &mut Sink::default()).expect("writes its state");
    let folder = tempfile::tempdir().expect("a folder");
    let restored = stored(folder.path(), operator.snapshot().expect("snapshots")).expect("stores");
    drop(operator);
    restore(job, restored, 1, record, sink)
}

fn restore(
    job: &Job,
    restored: OperatorState,
    instances: u32,
    record: StreamRecord,
    sink: &mut Sink,
) -> (Stage, Option<Error>) {
    let went_on = job.start_from(restored, instances).and_then(|mut operator| {
        operator.process(record, sink)?;
        operator.finish(sink)
    });
    match went_on {
        Ok(()) => (Stage::End, None),
        Err(error) => (Stage::Restore, Some(error)),
    }
}

/// The reason that an error stands for. What is refused when it is loaded belongs to no job: whoever loads it counts it.
fn violation(error: &Error) -> Option<Violation> {
    std::error::Error::source(error)?.downcast_ref::<volley_wasm::Error>()?.violation()
}

impl fmt::Display for Attempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.error {
            Some(error) => write!(f, "{error}"),
            None if self.counted.is_empty() => f.write_str("nothing was left to stop"),
            None => write!(f, "{:?}", self.counted),
        }
    }
}

#[derive(Default)]
struct Findings(Vec<String>);

impl Findings {
    fn expect(&mut self, holds: bool, otherwise: impl FnOnce() -> String) {
        if !holds {
            self.0.push(otherwise());
        }
    }

    /// What the case says.
    fn compare(&mut self, case: &Case, attempt: &Attempt) {
        let directives = &case.directives;
        let (due, found) = (directives.ends, attempt.stage);
        self.expect(found == due, || format!("ended in {found:?}, should in {due:?}: {attempt}"));
        let said = attempt.error.as_ref().map(ToString::to_string).unwrap_or_default();
        for words in &directives.says {
            self.expect(said.contains(words), || format!("`{said}` lacks `{words}`"));
        }
        let (due, found) = (&directives.counted, &attempt.counted);
        let fits = |(reason, count): (&String, &u64)| match due.get(reason) {
            Some(Count::Exactly(due)) => count == due,
            Some(Count::Some(_)) => *count > 0,
            None => false,
        };
        let all = found.len() == due.len() && found.iter().all(fits);
        self.expect(all, || format!("counted {found:?}, should have {due:?}"));
        if let Some(due) = &directives.refused {
            let row = |(row, reject): &(i64, RowReject)| format!("{row} {}", reject.code);
            let found: Vec<String> = attempt.sink.refused.iter().map(row).collect();
            self.expect(found == *due, || format!("refused {found:?}, should have {due:?}"));
        }
        if let Some(due) = directives.rows_out {
            let found = attempt.sink.rows;
            self.expect(found == due, || format!("{found} rows came out, should {due}"));
        }
    }

    /// The same guest where it is given pieces of a file: nobody knows where the next record begins, so the job stops.
    fn in_a_file(&mut self, case: &Case, stops: bool, attempt: &Attempt) {
        let due = if stops { Stage::Run } else { Stage::End };
        self.expect(attempt.stage == due, || format!("in a file it ends in {:?}: {attempt}", attempt.stage));
        let said = attempt.to_string();
        for words in &case.directives.in_a_file {
            self.expect(said.contains(words), || format!("in a file `{said}` lacks `{words}`"));
        }
        self.texts(case, attempt, &log::take());
    }

    /// Texts are short, and no character of them can do anything to a terminal or to another line.
    fn texts(&mut self, case: &Case, attempt: &Attempt, log: &str) {
        let said = attempt.error.as_ref().map(ToString::to_string).unwrap_or_default();
        self.expect(said.len() <= ERROR_BYTES_MAX, || format!("an error of {} bytes", said.len()));
        self.expect(is_harmless(&said), || format!("an error with control characters: {said:?}"));
        for line in log.lines() {
            self.expect(line.len() <= LOG_LINE_BYTES_MAX, || format!("a line of {} bytes in the log", line.len()));
            self.expect(is_harmless(line), || format!("a line with control characters: {line:?}"));
            self.expect(line.contains("volley::plugin"), || format!("a line that is not the host's: {line}"));
        }
        for words in &case.directives.logs {
            self.expect(log.contains(words), || format!("the log lacks `{words}`: {}", first(log)));
        }
        for (_, reject) in &attempt.sink.refused {
            let (code, message) = (reject.code.len(), reject.message.len());
            self.expect(code <= 64 && message <= 4 << 10, || format!("a code of {code} bytes, a message of {message}"));
        }
    }
}

/// The beginning of a text, for a message.
fn first(text: &str) -> String {
    text.chars().take(1_000).collect()
}

/// No control characters, and none that reorder or hide text.
fn is_harmless(text: &str) -> bool {
    let hides =
        |c: char| matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}');
    !text.chars().any(|c| c.is_control() || hides(c))
}
