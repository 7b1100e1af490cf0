//! A job that is to stop while its sink is out: it does, and the next run commits what it left.

use crate::checkpoints::{COUNT, NUMBERS, assert_whole, ids};
use crate::support::{Folder, Running, status_when};

#[test]
fn a_job_stops_while_its_sink_is_out() {
    let folder = Folder::new();
    folder.write("p.yaml", NUMBERS.replace("rate: 4000", "rate: 1000"));
    let mut host = folder.host(&["run", "p.yaml", "--folder", "job"]);
    // The first commit comes through, and then nothing does.
    host.env("VOLLEY_FAIL_POINT", "commit-before:2+:error=EIO,lookup-before:1+:error=EIO");
    let running = Running::start(&mut host);
    status_when(&folder, |status| status["checkpoints"]["waiting_commits"] == 3);
    let read = || status_when(&folder, |_| true)["nodes"][0]["rows_out"].as_u64();
    let before = ids(&folder, "out").len();
    assert!(read() < Some(COUNT as u64), "sources pause");
    folder.succeed(&["stop", "job"]);
    running.finish().says(
        "stopped",
        130,
        &[
            "stopped at checkpoint ",
            // Three, and the last one where it has any.
            " checkpoints could not be committed in time",
            "the next run commits it, and goes on from there",
        ],
    );
    assert_eq!(ids(&folder, "out").len(), before, "nothing came through");
    folder.succeed(&["run", "p.yaml", "-q"]);
    assert_whole(&ids(&folder, "out"), COUNT);
}
