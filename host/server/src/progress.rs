//! Progress while a job runs: a bar on a terminal, a plain line now and then elsewhere, nothing when quiet.

use std::io::{IsTerminal, stderr};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use volley_runtime::{JobHandle, JobProgress};

use crate::output::tell;
use crate::summary::{grouped, per_second};

/// How often a terminal is redrawn.
const REDRAW_EVERY: Duration = Duration::from_millis(100);
/// How often a line is written where there is no terminal.
const LINE_EVERY: Duration = Duration::from_secs(5);
/// Steps of a bar: tenths of a percent.
const BAR_STEPS: u64 = 1000;

/// Shows the progress of a job on standard error until dropped or finished.
pub(crate) struct Progress {
    bar: Option<ProgressBar>,
    started: Instant,
    last_line: Instant,
    quiet: bool,
}

impl Progress {
    /// Starts showing. `quiet` shows nothing.
    pub(crate) fn new(quiet: bool) -> Self {
        let bar = (!quiet && stderr().is_terminal()).then(|| {
            let bar = ProgressBar::with_draw_target(Some(BAR_STEPS), ProgressDrawTarget::stderr());
            let style = ProgressStyle::with_template("{bar:32} {percent:>3}%  {msg}").expect("the template is valid");
            bar.set_style(style.progress_chars("━╸ "));
            bar
        });
        let now = Instant::now();
        Self { bar, started: now, last_line: now, quiet }
    }

    /// How long to wait before the next [`Progress::show`].
    pub(crate) fn interval(&self) -> Duration {
        if self.bar.is_some() { REDRAW_EVERY } else { LINE_EVERY }
    }

    /// Shows how far the job is.
    pub(crate) fn show(&mut self, job: &JobHandle) {
        if self.quiet {
            return;
        }
        let progress = job.progress();
        let text = self.text(&progress);
        match &self.bar {
            Some(bar) => {
                #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "from 0 to 1000")]
                let step = progress.fraction_read().map(|fraction| (fraction * BAR_STEPS as f64) as u64);
                bar.set_position(step.unwrap_or(0));
                bar.set_message(text);
            }
            None if self.last_line.elapsed() >= LINE_EVERY => {
                self.last_line = Instant::now();
                let share = progress.fraction_read().map_or(String::new(), |f| format!("{:.0}% · ", f * 100.0));
                tell(&format!("{share}{text}"));
            }
            None => {}
        }
    }

    /// Shows the last state and leaves the bar where it stands.
    pub(crate) fn finish(mut self, job: &JobHandle) {
        self.show(job);
        if let Some(bar) = &self.bar {
            if job.progress().fraction_read().is_some_and(|fraction| fraction >= 1.0) {
                bar.set_position(BAR_STEPS);
            }
            bar.abandon();
        }
    }

    fn text(&self, progress: &JobProgress) -> String {
        let rate = per_second(progress.rows_read(), self.started.elapsed());
        format!(
            "{} rows in · {} out · {} rejected · {} rows/s",
            grouped(progress.rows_read()),
            grouped(progress.rows_written()),
            grouped(progress.rows_rejected()),
            grouped(rate)
        )
    }
}
