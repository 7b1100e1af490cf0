//! Disks that are full or read-only for a while, and checkpoints on another filesystem than the output.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rand::Rng;

use crate::mount::{self, Mount};
use crate::{Chaos, Ended, How, Job, Result, Section, Shape, State, Stop, wrong};

/// What becomes of a disk while a job runs on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Trouble {
    Full,
    ReadOnly,
}

pub(super) fn run(chaos: &Chaos) -> Section {
    let what = "Small filesystems of our own become full or read-only while a job writes its checkpoints or its output there: \
                it says so, and ends when there is room again. And checkpoints lie on another filesystem than output and state.";
    let mut section = Section::new("disk", what);
    let probe = chaos.scratch().join("probe");
    let can_mount = Mount::memory(&probe, 64);
    if let Err(stop) = &can_mount {
        let message = format!("NOTHING can be mounted here, so full and read-only disks were NOT tried ({stop})");
        eprintln!("{message}");
        section.skipped.push(message);
    } else {
        drop(can_mount);
        for (turn, trouble) in (0..).zip([Trouble::Full, Trouble::ReadOnly]) {
            for (number, is_checkpoints) in (turn..).zip([true, false]) {
                let place = if is_checkpoints { "checkpoints" } else { "output" };
                let name = format!("{trouble:?}, below {place}");
                let state = chaos.state(number);
                section.scenario(chaos, state, &name, |section| small(chaos, section, state, trouble, is_checkpoints));
            }
        }
    }
    for round in 0..3 {
        if section.goes_on(chaos) {
            let name = format!("another filesystem, {round}");
            section.scenario(chaos, chaos.state(round), &name, |section| other(chaos, section, round));
        }
    }
    section
}

/// Either the checkpoints or all the rest of the job is on a disk that will be in trouble.
fn small(chaos: &Chaos, section: &mut Section, state: State, trouble: Trouble, is_checkpoints: bool) -> Result<()> {
    let (disk, elsewhere) = (tempfile::tempdir_in(chaos.scratch())?, tempfile::tempdir_in(chaos.scratch())?);
    let image = elsewhere.path().join("image");
    let mount = match trouble {
        Trouble::Full => Mount::memory(disk.path(), if is_checkpoints { 300 } else { 1_200 })?,
        Trouble::ReadOnly => {
            mount::make_image(&image, 64)?;
            Mount::fragile(&image, disk.path())?
        }
    };
    let (folder, checkpoints) =
        if is_checkpoints { (elsewhere.path(), disk.path()) } else { (disk.path(), elsewhere.path()) };
    let shape = Shape { checkpoints: Some(text(&checkpoints.join("cp"))), ..Shape::steady(state, 4_000) };
    let mut job = Job::in_folder(chaos, shape, folder.to_owned())?;
    // The pipeline file may be on that disk: it must not be lost with what was not synced.
    mount::run("sync", &["-f", &disk.path().display().to_string()])?;
    let running = job.start(&How::default())?;
    if trouble == Trouble::ReadOnly {
        std::thread::sleep(Duration::from_millis(1_500));
        // As if the kernel had seen an error: whoever has files open is not asked.
        mount.remount("abort")?;
    }
    let ended = running.wait(Duration::from_secs(60))?;
    ended.check_manners()?;
    if ended.is_finished() {
        return Err(Stop::Trouble("the job ended before the disk was in trouble".to_owned()));
    }
    check_says(&ended)?;
    section.now().failures += 1;
    // Once more, which changes nothing.
    let again = job.run(&How::default())?;
    if again.is_finished() {
        return wrong("a disk in trouble took everything the second time");
    }
    check_says(&again)?;
    let mended = match trouble {
        Trouble::Full => {
            mount.remount("size=256m")?;
            mount
        }
        Trouble::ReadOnly => {
            drop(mount);
            // It mends what it can, and says so with a code of its own.
            drop(mount::run("e2fsck", &["-p", &image.display().to_string()]));
            Mount::image(&image, disk.path())?
        }
    };
    let checked = job.finish_and_check();
    drop(mended);
    checked
}

fn check_says(ended: &Ended) -> Result<()> {
    let says = ["No space left on device", "Read-only file system", "Input/output error"];
    if ended.code == Some(5) && says.iter().any(|says| ended.said.contains(says)) {
        return Ok(());
    }
    wrong(format!("it ended with {:?} and said: {}", ended.code, ended.said))
}

/// Checkpoints on a real disk, where the output is in memory.
fn other(chaos: &Chaos, section: &mut Section, round: u64) -> Result<()> {
    let mut random = chaos.random("disk", round);
    let there = tempfile::tempdir_in(elsewhere())?;
    let checkpoints = Some(text(&there.path().join("cp")));
    let shape = Shape { checkpoints, ..Shape::random(&mut random, chaos.state(round), 3_000) };
    let mut job = Job::new(chaos, shape)?;
    if is_same(job.folder(), there.path())? {
        return Err(Stop::Trouble("there is one filesystem only".to_owned()));
    }
    for _ in 0..6 {
        let mut running = job.start(&How { parallelism: random.random_range(1..=4), ..How::default() })?;
        running.sleep(Duration::from_millis(random.random_range(300..1_200)))?;
        let ended = running.kill()?;
        if ended.is_finished() {
            return job.check();
        }
        section.now().kills += 1;
    }
    job.finish_and_check()
}

fn text(path: &Path) -> String {
    path.display().to_string()
}

fn elsewhere() -> PathBuf {
    std::env::temp_dir()
}

#[cfg(unix)]
fn is_same(one: &Path, other: &Path) -> Result<bool> {
    use std::os::unix::fs::MetadataExt;
    Ok(fs::metadata(one)?.dev() == fs::metadata(other)?.dev())
}

#[cfg(not(unix))]
fn is_same(_: &Path, _: &Path) -> Result<bool> {
    Ok(true)
}
