//! The reader of one split as the runtime sees it: blocking work kept off its threads, at the pace asked for.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use volley_api::{ReadEvent, SplitOffset, SplitReader};

use crate::Error;
use crate::blocking::{self, Place};
use crate::rate::RateLimiter;
use crate::read::{BlockingRead, Step};

pub(crate) struct FileSplitReader {
    /// Away while a poll is running; for good, once it has failed or was cancelled.
    work: Option<Box<dyn BlockingRead>>,
    place: Place,
    name: String,
    limiter: Option<Arc<RateLimiter>>,
    follow_interval: Duration,
    offset: SplitOffset,
}

impl FileSplitReader {
    pub(crate) fn new(
        work: Box<dyn BlockingRead>,
        place: Place,
        name: &str,
        limiter: Option<Arc<RateLimiter>>,
        follow_interval: Duration,
    ) -> Self {
        let offset = work.offset().encode();
        Self { work: Some(work), place, name: name.to_owned(), limiter, follow_interval, offset }
    }
}

#[async_trait]
impl SplitReader for FileSplitReader {
    async fn next(&mut self) -> volley_api::Result<ReadEvent> {
        if let Some(wait) = self.limiter.as_ref().and_then(|limiter| limiter.wait()) {
            return Ok(ReadEvent::Idle(wait));
        }
        let fail = || Error::Broken(format!("{}: polled again after it had failed", self.name));
        let mut work = self.work.take().ok_or_else(fail)?;
        let poll = move || {
            let step = work.next();
            (work, step)
        };
        let (work, step) = blocking::run(self.place, &self.name, poll).await?;
        let step = step?;
        self.offset = work.offset().encode();
        self.work = Some(work);
        Ok(match step {
            Step::Wait => ReadEvent::Idle(self.follow_interval),
            Step::End => ReadEvent::End,
            Step::Batch(batch) => {
                if let Some(limiter) = &self.limiter {
                    limiter.spend(batch.batch.num_rows() + batch.rejects.len());
                }
                ReadEvent::Batch(batch)
            }
        })
    }

    fn offset(&self) -> SplitOffset {
        self.offset.clone()
    }
}
