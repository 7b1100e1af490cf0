//! What a coordinator keeps, and what not.

use super::*;
use crate::protocol::Settings;
use crate::store::{Completion, Location, RunOptions};

#[derive(Debug)]
struct Idle;

impl JobSteering for Idle {
    fn barrier(&self, _: Epoch) {}
    fn pause(&self, _: bool) {}
    fn end(&self) {}
}

/// Its epoch has timed out meanwhile.
#[tokio::test]
async fn a_manifest_that_came_too_late_is_not_kept() {
    let options = BeginOptions {
        location: Location::parse("memory:/late").expect("a location"),
        job: "job".to_owned(),
        go_on: GoOn::Newest,
        accept_duplicates: false,
        downloads: std::env::temp_dir(),
        settings: Settings::every(1_000),
        run: RunOptions {
            owner: "test".to_owned(),
            now_ms: 0,
            host_version: "0.1.0".to_owned(),
            plan: Vec::new(),
            above: None,
        },
        replayer: Err("nobody reads again".to_owned()),
    };
    let Start::Run(begun) = begin(options, &BTreeMap::new(), &|_| Ok(())).await.expect("begun") else {
        panic!("the job has not finished");
    };
    let report = begun.run.begin().await.expect("begun").complete(Completion::default()).await.expect("complete");
    let (mut coordinator, _, _) = Coordinator::new(begun.run, begun.protocol, CoordinatorOptions::default());
    coordinator.came_back(Outcome::Complete(Box::new(report)), &Idle).expect("no matter");
    assert!(coordinator.reports.is_empty());
}
