//! Progress while a job runs: a bar and a table on a terminal, a plain line now and then elsewhere, nothing when quiet.

use std::io::{IsTerminal, stderr};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use volley_api::{Clock, SystemClock};
use volley_checkpoint::coordinator::Asker;
use volley_runtime::{JobHandle, JobProgress, NodeRole};

use crate::checkpoints;
use crate::output::tell;
use crate::rates::Rates;
use crate::summary::{grouped, late, per_second};
use crate::table::{self, Moment, fill_of, lag_of};

/// How often a terminal is redrawn.
const REDRAW_EVERY: Duration = Duration::from_millis(100);
/// How often a line is written where there is no terminal.
const LINE_EVERY: Duration = Duration::from_secs(5);
/// How often rows are counted there, so that rates are those of the last second.
const COUNT_EVERY: Duration = Duration::from_secs(1);
/// Steps of a bar: tenths of a percent.
const BAR_STEPS: u64 = 1000;
/// Nodes that are shown while a job runs: more would push each other off the screen, and the summary has them all.
const NODES_MAX: usize = 16;

/// Shows the progress of a job on standard error until dropped or finished.
pub(crate) struct Progress {
    bar: Option<ProgressBar>,
    started: Instant,
    last_line: Instant,
    rates: Rates,
    /// Whether a bar is drawn: sources that never end, or do not say when, have none.
    has_end: bool,
    quiet: bool,
    /// Who knows about its checkpoints, where it takes any.
    checkpoints: Option<Asker>,
}

impl Progress {
    /// Starts showing. `quiet` shows nothing.
    pub(crate) fn new(quiet: bool, checkpoints: Option<Asker>) -> Self {
        let bar = (!quiet && stderr().is_terminal()).then(|| {
            let bar = ProgressBar::with_draw_target(Some(BAR_STEPS), ProgressDrawTarget::stderr());
            bar.set_style(ProgressStyle::with_template("{msg}").expect("the template is valid"));
            bar
        });
        let now = Instant::now();
        Self { bar, started: now, last_line: now, rates: Rates::default(), has_end: false, quiet, checkpoints }
    }

    /// How long to wait before the next [`Progress::show`].
    pub(crate) fn interval(&self) -> Duration {
        if self.bar.is_some() { REDRAW_EVERY } else { COUNT_EVERY }
    }

    /// Shows how far the job is.
    pub(crate) fn show(&mut self, job: &JobHandle) {
        if self.quiet {
            return;
        }
        let progress = job.progress();
        let now_ms = i64::try_from(SystemClock.now_ms()).unwrap_or(i64::MAX);
        let rates = self.rates.take(Instant::now(), &progress);
        let totals = self.totals(&progress);
        match &self.bar {
            Some(bar) => {
                if let Some(fraction) = progress.fraction_read() {
                    if !std::mem::replace(&mut self.has_end, true) {
                        let style = ProgressStyle::with_template("{bar:20} {percent:>3}%  {msg}");
                        bar.set_style(style.expect("the template is valid").progress_chars("━╸ "));
                    }
                    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "from 0 to 1000")]
                    bar.set_position((fraction * BAR_STEPS as f64) as u64);
                }
                // One message, so that bar and table are drawn at once.
                bar.set_message(format!("{totals}\n{}", lines(progress, Moment::Present { now_ms, rates })));
            }
            None if self.last_line.elapsed() >= LINE_EVERY => {
                self.last_line = Instant::now();
                let share = progress.fraction_read().map_or(String::new(), |f| format!("{:.0}% · ", f * 100.0));
                tell(&format!("{share}{totals}{}", line(&progress, now_ms, &rates)));
            }
            None => {}
        }
    }

    /// Says something beside what is shown.
    pub(crate) fn tell(&self, text: &str) {
        match &self.bar {
            // It would stand in the middle of the table.
            Some(bar) => bar.suspend(|| tell(text)),
            None => tell(text),
        }
    }

    /// Shows the last state and leaves the bar where it stands; the table goes, since the summary has it.
    pub(crate) fn finish(mut self, job: &JobHandle) {
        self.show(job);
        if let Some(bar) = &self.bar {
            let progress = job.progress();
            if progress.fraction_read().is_some_and(|fraction| fraction >= 1.0) {
                bar.set_position(BAR_STEPS);
            }
            bar.set_message(self.totals(&progress));
            bar.abandon();
        }
    }

    fn totals(&self, progress: &JobProgress) -> String {
        let rate = per_second(progress.rows_read(), self.started.elapsed());
        format!(
            "{} rows in · {} out · {} rejected{} · {} rows/s{}",
            grouped(progress.rows_read()),
            grouped(progress.rows_written()),
            grouped(progress.rows_rejected()),
            late(progress),
            grouped(rate),
            self.checkpoints.as_ref().and_then(|asker| checkpoints::brief(&asker.progress())).unwrap_or_default()
        )
    }
}

/// The table below the bar.
fn lines(mut progress: JobProgress, moment: Moment) -> String {
    let more = progress.nodes.len().saturating_sub(NODES_MAX);
    progress.nodes.truncate(NODES_MAX);
    let table = table::narrow(&progress, &moment);
    if more == 0 { table } else { format!("{table}\n … and {more} more nodes") }
}

/// What the table says, behind the totals of a plain line: sources, and what is known of others beyond their rows.
fn line(progress: &JobProgress, now_ms: i64, rates: &[Option<u64>]) -> String {
    let mut text = String::new();
    for (node, rate) in progress.nodes.iter().zip(rates).take(NODES_MAX) {
        let mut facts = Vec::new();
        if node.role == NodeRole::Source {
            facts.push(format!("{} rows", grouped(node.rows_out)));
            facts.extend(rate.map(|rate| format!("{} rows/s", grouped(rate))));
        }
        facts.extend(lag_of(node, Some(now_ms)).map(|lag| format!("lag {lag}")));
        facts.extend(fill_of(node).map(|fill| format!("queue {fill}")));
        if let Some(windows) = node.windows_pending {
            facts.push(format!("{} late", grouped(node.rows_late)));
            facts.push(format!("{} pending", grouped(windows)));
        }
        if !facts.is_empty() {
            text.push_str(&format!(" | {}: {}", node.name, facts.join(", ")));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::tests::{progress, timed};

    #[test]
    fn a_plain_line_has_what_is_known() {
        let rates = [Some(56_789), Some(1), None];
        assert_eq!(line(&progress(), 0, &rates), " | flights: 12,345 rows, 56,789 rows/s");
        assert_eq!(
            line(&timed(), 61_500, &rates),
            " | flights: 12,345 rows, 56,789 rows/s, lag 1 m 0 s | hourly: lag 1 m 1 s, queue 25%, 7 late, 3 pending \
             | out: queue 0%"
        );
    }

    #[test]
    fn a_long_table_is_cut_and_says_so() {
        let mut many = progress();
        let node = many.nodes[1].clone();
        many.nodes.extend(std::iter::repeat_n(node, NODES_MAX));
        let text = lines(many, Moment::Past);
        assert_eq!(text.lines().count(), 1 + NODES_MAX + 1, "{text}");
        assert!(text.ends_with("… and 3 more nodes"), "{text}");
    }
}
