//! What can be checked of a pipeline without knowing a schema: names, edges, ports.

use std::collections::{HashMap, HashSet};

use volley_api::{NodeName, PortName};

use crate::error::{Findings, Problem};
use crate::graph::cycles;
use crate::place::{Located, Place};
use crate::read_spec::Draft;
use crate::spec::{Action, InputRef, OnError, PipelineSpec};
use crate::suggest::{Unknown, nearest};

/// How many errors there may be before unknown nodes are no longer compared with every known one.
const SUGGESTIONS_MAX: usize = 50;

/// Notes everything that is wrong with how the nodes are joined. Where nodes could not be read, what would only follow
/// from that is left unsaid.
pub(crate) fn check(draft: &Draft, root: &Place, findings: &mut Findings) {
    let before = findings.len();
    let spec = &draft.spec;
    let nodes = Nodes::new(draft, findings);
    for (_, input) in spec.inputs() {
        nodes.check_input(input, findings);
    }
    let everything_read = before == 0 && findings.len() == before;
    if everything_read {
        check_ends(spec, root, findings);
        check_cycles(spec, findings);
        check_outputs(spec, findings);
    }
}

/// What kind of node a name belongs to.
#[derive(Clone, Copy, PartialEq)]
enum Role<'a> {
    Source,
    Operator(&'a Action),
    Sink,
    /// It has errors of its own.
    Broken,
}

struct Nodes<'a>(HashMap<&'a str, Role<'a>>);

impl<'a> Nodes<'a> {
    /// Everything that has a name; a name given twice is noted at the second.
    fn new(draft: &'a Draft, findings: &mut Findings) -> Self {
        let spec = &draft.spec;
        let sources = spec.sources.iter().map(|node| (&node.name, Role::Source));
        let operators = spec.operators.iter().map(|node| (&node.name, Role::Operator(&node.action)));
        let sinks = spec.sinks.iter().map(|node| (&node.name, Role::Sink));
        let mut roles: HashMap<&str, Role<'_>> = HashMap::new();
        let mut first: HashMap<&NodeName, &Place> = HashMap::new();
        for (name, role) in sources.chain(operators).chain(sinks) {
            match first.get(&name.value) {
                Some(first) => {
                    let message = format!("the name `{}` is taken by {}", name.value, described(first));
                    findings.push(&name.place, Problem::Graph(message));
                }
                None => {
                    first.insert(&name.value, &name.place);
                    roles.insert(name.as_str(), role);
                }
            }
        }
        let broken = draft.broken.iter().map(|name| (name.as_str(), Role::Broken));
        roles.extend(broken.chain(draft.broken_sinks.iter().map(|name| (name.as_str(), Role::Sink))));
        Self(roles)
    }

    fn check_input(&self, input: &InputRef, findings: &mut Findings) {
        let name = &input.node;
        let message = match self.0.get(name.as_str()) {
            None if findings.len() > SUGGESTIONS_MAX => format!("there is no node `{name}`"),
            None => {
                let unknown = Unknown::new("node", name.as_str(), &self.readable());
                return findings.push(&input.place, Problem::Unknown(unknown));
            }
            Some(Role::Broken | Role::Operator(Action::Plugin(_))) => return,
            Some(Role::Sink) => format!("`{name}` is a sink, and nothing can be read from a sink"),
            Some(_) if input.port == PortName::main() => return,
            Some(Role::Source) if input.port == PortName::errors() => return,
            Some(Role::Source) => {
                format!("`{name}` is a source: it has no port `{}`, only its rows and `{name}.errors`", input.port)
            }
            Some(Role::Operator(action)) => {
                let ports = ports_of(action);
                if ports.contains(&input.port) {
                    return;
                }
                no_such_port(input, action, &ports)
            }
        };
        findings.push(&input.place, Problem::Graph(message));
    }

    /// The names that a `from` may use, sorted.
    fn readable(&self) -> Vec<&'a str> {
        let mut names: Vec<&str> =
            self.0.iter().filter(|(_, role)| **role != Role::Sink).map(|(name, _)| *name).collect();
        names.sort_unstable();
        names
    }
}

/// The outputs of an operator, apart from its main one, as far as they are known here.
fn ports_of(action: &Action) -> Vec<PortName> {
    let Action::Aggregate(keyed) = action else { return Vec::new() };
    let Some(window) = keyed.window.as_ref().filter(|window| window.kind.is_of_time()) else { return Vec::new() };
    window.late.iter().cloned().chain([PortName::errors()]).collect()
}

fn no_such_port(input: &InputRef, action: &Action, ports: &[PortName]) -> String {
    let (name, port, key) = (&input.node, &input.port, action.key());
    let article = if key.starts_with('a') { "an" } else { "a" };
    let none = format!("`{name}` is {article} `{key}`: it has no port `{port}`");
    match ports {
        [] => format!("{none}; ports are on sources, plugins and windows of time"),
        [late, errors] => {
            let near = nearest(port.as_str(), &[late.as_str(), errors.as_str()]);
            let near = near.map_or_else(String::new, |near| format!("; did you mean `{name}.{near}`?"));
            format!("{none}, only its rows, `{name}.{late}` and `{name}.{errors}`{near}")
        }
        _ => format!("{none}, only its rows and `{name}.errors`; `late: {port}` in its window would make one"),
    }
}

fn described(place: &Place) -> String {
    let path = place.path();
    place.position().map_or_else(|| format!("`{path}`"), |at| format!("`{path}` on line {}", at.line))
}

fn check_ends(spec: &PipelineSpec, root: &Place, findings: &mut Findings) {
    for (empty, what) in [(spec.sources.is_empty(), "source"), (spec.sinks.is_empty(), "sink")] {
        if empty {
            findings.push(root, Problem::Graph(format!("a pipeline needs a {what}: add one to `{what}s`")));
        }
    }
}

fn check_cycles(spec: &PipelineSpec, findings: &mut Findings) {
    for (input, names) in cycles(spec) {
        let message = match names.as_slice() {
            [_, _] => format!("`{}` reads itself", input.node),
            names => {
                let names: Vec<&str> = names.iter().map(|name| name.as_str()).collect();
                format!("the nodes form a cycle: {}", names.join(" → "))
            }
        };
        findings.push(&input.place, Problem::Graph(message));
    }
}

/// Rows that nobody reads would be dropped in silence.
fn check_outputs(spec: &PipelineSpec, findings: &mut Findings) {
    let read: HashSet<(&NodeName, &PortName)> = spec.inputs().map(|(_, input)| (&input.node, &input.port)).collect();
    let (main, errors) = (PortName::main(), PortName::errors());
    let sources = spec.sources.iter().map(|node| &node.name);
    let operators = spec.operators.iter().map(|node| &node.name);
    for Located { value: name, place, .. } in sources.chain(operators) {
        if !read.contains(&(name, &main)) {
            let message = format!("nobody reads `{name}`: name it in the `from` of a sink or operator, or remove it");
            findings.push(place, Problem::Graph(message));
        }
    }
    for operator in &spec.operators {
        let Located { value: name, place, .. } = &operator.name;
        let (dead_letter, window) = match &operator.action {
            Action::Plugin(action) => (action.plugin.on_error == OnError::DeadLetter, action.window.as_ref()),
            Action::Aggregate(keyed) => (false, keyed.window.as_ref()),
            _ => continue,
        };
        let errors = dead_letter.then_some(("on_error: dead_letter", &errors));
        let late = window.and_then(|window| window.late.as_ref()).map(|late| ("late", late));
        for (setting, port) in errors.into_iter().chain(late).filter(|(_, port)| !read.contains(&(name, *port))) {
            let message = format!(
                "`{setting}` sends rows to `{name}.{port}`, which nobody reads: add a sink with `from: {name}.{port}`"
            );
            findings.push(place, Problem::Graph(message));
        }
    }
}
