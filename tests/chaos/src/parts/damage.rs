//! Checkpoints that were torn or whose bits have flipped while no host was running.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::kills::note;
use crate::{Chaos, How, Job, Result, Section, Shape, Stop, wrong};

/// What is done to a file.
#[derive(Debug, Clone, Copy)]
enum Harm {
    Flip,
    Cut,
    Empty,
    Remove,
}

/// What the next start must do about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Then {
    GoOn,
    /// Until the file is put back; then go on.
    Refuse,
    /// Either, for several checkpoints have the file, and it depends on what the sinks know of each.
    Either,
}

/// Where a host that rebuilds a checkpoint comes by.
const REBUILDING: [&str; 3] = ["rebuild-begun", "rebuild-replayed", "rebuild-complete"];

pub(super) fn run(chaos: &Chaos) -> Section {
    let what = "Files of checkpoints are changed while no host runs. One manifest of two, and older checkpoints, do not matter; \
                the newest is rebuilt, or left out where nothing of it is committed, by hosts that are killed meanwhile too; one \
                whose state the order of rows made, or without a manifest, is refused, by the name of the file, until it is put back.";
    let mut section = Section::new("damage", what);
    let found = (|| -> Result<()> {
        // The newest checkpoint holds output of which some is visible, all, or nothing.
        let places = [
            ("commit-before:20", false),
            ("epoch-begun:9", false),
            ("epoch-complete:6", false),
            ("epoch-begun:9", true),
        ];
        for (number, (broken_at, by_order)) in (0..).zip(places) {
            let shape = Shape { by_order, ..Shape::steady(chaos.state(number), 1_500) };
            let mut job = Job::new(chaos, shape)?;
            let ended = job.run(&How::failing(broken_at))?;
            if ended.code.is_some() {
                return Err(Stop::Trouble(format!("the host did not end at {broken_at}: {}", ended.said)));
            }
            cases(chaos, &mut section, broken_at, &job)?;
        }
        Ok(())
    })();
    if let Err(stop) = found {
        section.wrong.push(stop.to_string());
    }
    section
}

/// All kinds of damage to the checkpoints of one job, each to a copy of it.
fn cases(chaos: &Chaos, section: &mut Section, broken_at: &str, job: &Job<'_>) -> Result<()> {
    use Harm::{Cut, Empty, Flip, Remove};
    let epochs = complete_epochs(&job.checkpoints())?;
    let [.., older, newest] = epochs[..] else {
        return Err(Stop::Trouble(format!("only {} checkpoints at {broken_at}", epochs.len())));
    };
    let first = |epoch: u64| vec![format!("epochs/{epoch}/manifest.json")];
    let copy = |epoch: u64| vec![format!("epochs/{epoch}/manifest.copy.json")];
    let both = |epoch: u64| [first(epoch), copy(epoch)].concat();
    let state = |epoch: u64| blobs_of(&job.checkpoints(), epoch);
    // Nobody has seen anything of a checkpoint without visible output: the one before it does as well.
    let shows = shows(job, newest)?;
    let (output, then) = match (shows, job.shape.by_order) {
        (false, _) => ("no output that is visible, and is left out", Then::GoOn),
        (true, false) => ("visible output, and is rebuilt", Then::GoOn),
        (true, true) => ("visible output and state that the order of rows made, and is refused", Then::Refuse),
    };
    section.notes.push(format!("{broken_at}, {}: the newest checkpoint has {output}.", job.shape.state));
    let mut list: Vec<(&str, Vec<String>, Harm, Then)> = Vec::new();
    for harm in [Flip, Cut, Empty, Remove] {
        list.push(("the newest manifest", first(newest), harm, Then::GoOn));
        list.push(("the copy of the newest manifest", copy(newest), harm, Then::GoOn));
        list.push(("state of the newest", state(newest)?, harm, then));
        list.push(("state of an older one", state(older)?, harm, Then::GoOn));
    }
    // State on disk is in files that checkpoints share; state in memory has none.
    let shared = shared_of(&job.checkpoints(), newest)?;
    for harm in [Flip, Cut, Remove].into_iter().filter(|_| !shared.is_empty()) {
        list.push(("a shared file of the newest", shared.clone(), harm, Then::Either));
    }
    for harm in [Flip, Cut, Empty, Remove] {
        // Without a trace it may never have been complete: only what is visible tells.
        let then = if matches!(harm, Remove) && !shows { Then::GoOn } else { Then::Refuse };
        list.push(("both newest manifests", both(newest), harm, then));
        list.push(("both manifests of an older one", both(older), harm, Then::GoOn));
    }
    list.push(("marks of starts", vec!["incarnations/1".to_owned()], Cut, Then::GoOn));
    for (what, files, harm, then) in list {
        if section.goes_on(chaos) {
            let name = format!("{broken_at}: {what}, {harm:?}");
            section.scenario(chaos, job.shape.state, &name, |section| one(chaos, section, job, &files, harm, then));
        }
    }
    for place in REBUILDING.into_iter().filter(|_| then == Then::GoOn) {
        let (name, files) = (format!("{broken_at}: state of the newest, Flip, {place}"), state(newest)?);
        section.scenario(chaos, job.shape.state, &name, |section| killed(chaos, section, job, &files, place));
    }
    let name = format!("{broken_at}: --accept-duplicates");
    section.scenario(chaos, job.shape.state, &name, |_| accepted(chaos, job, &both(newest)));
    section.check_time(chaos, "the rest of the damage");
    Ok(())
}

fn one(chaos: &Chaos, section: &mut Section, job: &Job<'_>, files: &[String], harm: Harm, then: Then) -> Result<()> {
    let (_folder, mut job) = copy_of(chaos, job)?;
    let mut kept = Vec::new();
    for file in files {
        let path = job.checkpoints().join(file);
        let bytes = fs::read(&path)?;
        hurt(&path, &bytes, harm)?;
        kept.push((path, bytes));
    }
    if then != Then::GoOn {
        let before = listing(&job)?;
        let ended = job.run(&How::default())?;
        if then == Then::Either && ended.is_finished() {
            return job.check();
        }
        let names = files.iter().any(|file| ended.said.contains(file.as_str()));
        if ended.code != Some(5) || !names || !ended.said.contains("--accept-duplicates") {
            return wrong(format!("it ended with {:?} and said: {}", ended.code, ended.said));
        }
        if listing(&job)? != before {
            return wrong("a start that was refused has changed output");
        }
        section.now().failures += 1;
        for (path, bytes) in kept {
            fs::write(path, bytes)?;
        }
    }
    job.finish_and_check()
}

/// The host that rebuilds a checkpoint is killed while it does, twice, and the one after that comes to the end.
fn killed(chaos: &Chaos, section: &mut Section, job: &Job<'_>, files: &[String], place: &str) -> Result<()> {
    let (_folder, mut job) = copy_of(chaos, job)?;
    for file in files {
        let path = job.checkpoints().join(file);
        hurt(&path, &fs::read(&path)?, Harm::Flip)?;
    }
    for _ in 0..2 {
        let ended = job.run(&How::failing(format!("{place}:1")))?;
        if ended.is_finished() {
            // Nothing of it was committed, or it has been rebuilt by now.
            return job.check();
        }
        note(section, &ended, Some(place))?;
    }
    job.finish_and_check()
}

/// Who says so goes on from an older one. Rows may be there twice then; it is the end of the job that counts.
fn accepted(chaos: &Chaos, job: &Job<'_>, files: &[String]) -> Result<()> {
    let (_folder, mut job) = copy_of(chaos, job)?;
    for file in files {
        let path = job.checkpoints().join(file);
        hurt(&path, &fs::read(&path)?, Harm::Flip)?;
    }
    let how = How { arguments: vec!["--accept-duplicates".to_owned()], ..How::default() };
    let ended = job.run(&how)?;
    if ended.is_finished() { Ok(()) } else { wrong(format!("it ended with {:?}: {}", ended.code, ended.said)) }
}

fn copy_of<'a>(chaos: &'a Chaos, job: &Job<'_>) -> Result<(tempfile::TempDir, Job<'a>)> {
    let folder = tempfile::tempdir_in(chaos.scratch())?;
    let from = format!("{}/.", job.folder().display());
    crate::mount::run("cp", &["-a", &from, &folder.path().display().to_string()])?;
    let copy = Job::in_folder(chaos, job.shape.clone(), folder.path().to_owned())?;
    Ok((folder, copy))
}

fn hurt(path: &Path, bytes: &[u8], harm: Harm) -> Result<()> {
    let middle = bytes.len() / 2;
    let hurt = match harm {
        Harm::Flip => {
            let mut hurt = bytes.to_vec();
            hurt[middle] ^= 4;
            hurt
        }
        Harm::Cut => bytes[..middle].to_vec(),
        Harm::Empty => Vec::new(),
        Harm::Remove => return Ok(fs::remove_file(path)?),
    };
    // Put in its place, since another checkpoint may have a link to the same file.
    let other = path.with_extension("hurt");
    fs::write(&other, hurt)?;
    Ok(fs::rename(other, path)?)
}

/// Numbers of checkpoints that have a manifest which says more than that they were given up.
fn complete_epochs(checkpoints: &Path) -> Result<Vec<u64>> {
    let mut epochs = Vec::new();
    for entry in fs::read_dir(checkpoints.join("epochs"))? {
        let entry = entry?;
        let has_both = entry.path().join("manifest.copy.json").is_file();
        epochs.extend(entry.file_name().to_str().and_then(|name| name.parse::<u64>().ok()).filter(|_| has_both));
    }
    epochs.sort_unstable();
    Ok(epochs)
}

/// A file of state in a checkpoint: the largest.
fn blobs_of(checkpoints: &Path, epoch: u64) -> Result<Vec<String>> {
    let mut files: Vec<(u64, String)> = Vec::new();
    for entry in fs::read_dir(checkpoints.join(format!("epochs/{epoch}")))? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if !name.ends_with(".json") {
            files.push((entry.metadata()?.len(), format!("epochs/{epoch}/{name}")));
        }
    }
    let largest = files.into_iter().max().ok_or_else(|| Stop::Trouble(format!("checkpoint {epoch} has no state")))?;
    Ok(vec![largest.1])
}

/// A file of state that the manifest of a checkpoint names and that others may name too, if there is one.
fn shared_of(checkpoints: &Path, epoch: u64) -> Result<Vec<String>> {
    let manifest = fs::read_to_string(checkpoints.join(format!("epochs/{epoch}/manifest.json")))?;
    let named = manifest.split("\"shared/").nth(1).and_then(|rest| rest.split('"').next());
    Ok(named.map(|name| format!("shared/{name}")).into_iter().collect())
}

/// Whether a file of this epoch is visible in the output, by its name: `part-JOB@SINK@START-WRITER-EPOCH[-N].FORMAT`.
fn shows(job: &Job<'_>, epoch: u64) -> Result<bool> {
    for sink in job.shape.sinks() {
        let Ok(files) = fs::read_dir(job.folder().join(sink)) else { continue };
        for file in files {
            let name = file?.file_name().to_string_lossy().into_owned();
            let numbers = name.rsplit('@').next().and_then(|rest| rest.split('.').next()).unwrap_or_default();
            let of = numbers.split('-').nth(2).and_then(|number| number.parse().ok());
            if name.starts_with("part-") && of == Some(epoch) {
                return Ok(true);
            }
        }
    }
    Ok(false)
}

/// The output of a job: names and lengths.
fn listing(job: &Job<'_>) -> Result<String> {
    let sinks: Vec<PathBuf> = job.shape.sinks().iter().map(|name| job.folder().join(name)).collect();
    let sinks = sinks.iter().filter(|path| path.exists());
    let output = Command::new("find").args(sinks).args(["-type", "f", "-printf", "%p %s\n"]).output()?;
    let mut lines: Vec<_> = String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect();
    lines.sort();
    Ok(lines.join("\n"))
}
