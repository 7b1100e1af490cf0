//! What an operator promises by its world in `wit/`, as a suite that any component can be run through.
//!
//! [`check`] loads a component as a host does, makes up rows of a [`Sample`], and holds the operator to the promises of its world:
//! that binding is pure, that results depend on rows and not on how they are cut into calls, that state merges in any order, that
//! memory may go at any time, that frames can be cut anywhere. What the host checks itself in every call (rejects that ascend, rows
//! as many as there should be, columns as agreed) is checked on the way. Each promise that is broken is told by its sentence, with
//! an example.
//!
//! Knows the plugin boundary and no plugin. `tests/e2e` runs it over all example operators.
#![forbid(unsafe_code)]

mod aggregate;
mod codec;
mod compare;
mod host;
mod lifecycle;
mod process;
mod sample;
mod scalar;
mod stateless;

use volley_wasm::PluginKind;

pub use sample::Sample;

use host::Subject;

/// A promise that was not kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broken {
    /// The promise, as a sentence.
    pub promise: &'static str,
    /// What was seen instead.
    pub seen: String,
}

/// What became of a component.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// Its kind; `None` where it was not even loaded.
    pub kind: Option<PluginKind>,
    /// The promises that it kept.
    pub kept: Vec<&'static str>,
    /// Those that it did not keep.
    pub broken: Vec<Broken>,
}

/// A promise: a sentence, and what is done to see whether it is kept; the error is an example of what it is not.
type Promise = (&'static str, fn(&Subject<'_>) -> Result<(), String>);

/// Holds a component to the promises of its world.
#[must_use]
pub fn check(component: &[u8], sample: &Sample) -> Verdict {
    let subject = match Subject::load(component, sample) {
        Ok(subject) => subject,
        Err(seen) => {
            let broken = vec![Broken { promise: "it is a component that a host loads", seen }];
            return Verdict { kind: None, kept: Vec::new(), broken };
        }
    };
    let kind = subject.plugin.info().kind;
    let of_world = match kind {
        PluginKind::Aggregate => aggregate::PROMISES,
        PluginKind::Process => process::PROMISES,
        PluginKind::Scalar => scalar::PROMISES,
        PluginKind::Codec => codec::PROMISES,
        _ => stateless::PROMISES,
    };
    let mut verdict = Verdict { kind: Some(kind), kept: Vec::new(), broken: Vec::new() };
    for (promise, holds) in lifecycle::PROMISES.iter().chain(of_world) {
        match holds(&subject) {
            Ok(()) => verdict.kept.push(promise),
            Err(seen) => verdict.broken.push(Broken { promise, seen }),
        }
    }
    verdict
}
