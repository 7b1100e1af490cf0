//! The power goes. The job's disk is an ext4 in a file: a copy of the file, made while the host is stopped, holds what had been
//! written to the disk at that moment, and nothing of what was in the kernel's memory only.

use std::path::Path;
use std::time::Duration;

use rand::Rng;

use super::Amount;
use crate::mount::{self, Mount};
use crate::{Chaos, How, Job, Result, Section, Shape, Stop};

/// Room for some tens of states on disk, and what killed hosts have left of theirs.
const IMAGE_MIB: u64 = 768;
/// The power goes so often for one job.
const CUTS: u32 = 4;

pub(super) fn run(chaos: &Chaos, amount: Amount) -> Section {
    let what = "Checkpoints, state and output lie on an ext4 in a file. The file is copied while the host is stopped, the host \
                is killed, and the job goes on from the copy: what was not synced is gone.";
    let mut section = Section::new("power", what);
    if let Err(stop) = can_mount(chaos) {
        let message = format!("NO image can be mounted here, so power cuts were NOT tried ({stop})");
        eprintln!("{message}");
        section.skipped.push(message);
        return section;
    }
    for round in 0..amount.rounds {
        if section.goes_on(chaos) {
            section
                .scenario(chaos, chaos.state(round), &format!("round {round}"), |section| one(chaos, section, round));
        }
    }
    section.check_time(chaos, "the rest of the rounds");
    section
}

/// Whether images can be mounted here.
pub(super) fn can_mount(chaos: &Chaos) -> Result<()> {
    let folder = tempfile::tempdir_in(chaos.scratch())?;
    let image = folder.path().join("image");
    mount::make_image(&image, 16)?;
    drop(Mount::image(&image, &folder.path().join("disk"))?);
    Ok(())
}

pub(super) fn one(chaos: &Chaos, section: &mut Section, round: u64) -> Result<()> {
    let mut random = chaos.random("power", round);
    let folder = tempfile::tempdir_in(chaos.scratch())?;
    let disk = folder.path().join("disk");
    let mut image = folder.path().join("image.0");
    mount::make_image(&image, IMAGE_MIB)?;
    let shape = Shape::random(&mut random, chaos.state(round), 3_000);
    let mut mounted = Mount::image(&image, &disk)?;
    // The pipeline file is part of the disk: it must not go with the power.
    let mut job = Job::in_folder(chaos, shape, disk.clone())?;
    mount::run("sync", &["-f", &disk.display().to_string()])?;
    for cut in 1..=CUTS {
        let mut running = job.start(&How { parallelism: random.random_range(1..=4), ..How::default() })?;
        if !running.sleep(Duration::from_millis(random.random_range(400..1_800)))? {
            let ended = running.kill()?;
            if ended.is_finished() {
                return job.check();
            }
            return super::kills::note(section, &ended, None);
        }
        signal("STOP", running.id())?;
        let copy = folder.path().join(format!("image.{cut}"));
        copy_of(&image, &copy)?;
        running.kill()?;
        section.now().kills += 1;
        drop(mounted);
        std::fs::remove_file(&image)?;
        image = copy;
        mounted = Mount::image(&image, &disk)?;
    }
    let checked = job.finish_and_check();
    drop(mounted);
    checked
}

fn signal(name: &str, process: u32) -> Result<()> {
    mount::run("kill", &[format!("-{name}"), process.to_string()])
}

fn copy_of(image: &Path, copy: &Path) -> Result<()> {
    let (image, copy) = (image.to_str(), copy.to_str());
    let (Some(image), Some(copy)) = (image, copy) else {
        return Err(Stop::Trouble("a path is not text".to_owned()));
    };
    mount::run("cp", &["--sparse=always", image, copy])
}
