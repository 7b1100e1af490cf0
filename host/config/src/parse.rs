//! YAML text into a tree, with every bound checked while it grows.

use std::sync::Arc;

use saphyr_parser::{Event, Marker, Parser, ScalarStyle, Tag};

use crate::error::{ConfigError, Findings, Problem};
use crate::place::{Document, Place, Position};
use crate::tree::{DEPTH_MAX, Entry, NODES_MAX, Node, NodeKind, Scalar, take_duplicates};

/// The longest pipeline file.
pub(crate) const TEXT_BYTES_MAX: usize = 1024 * 1024;

/// Reads the one document of `document`'s text. Keys that stand twice go to `findings`, the first one counts.
///
/// # Errors
/// The first place where the text is not YAML, uses a feature that is refused, or exceeds a bound.
pub(crate) fn parse(document: &Arc<Document>, findings: &mut Findings) -> Result<Node, ConfigError> {
    let root = Place::root(Arc::clone(document));
    let text = document.text.as_deref().unwrap_or_default();
    if text.len() > TEXT_BYTES_MAX {
        let problem = Problem::TooMuch { what: "bytes in the file", seen: text.len(), max: TEXT_BYTES_MAX };
        return Err(root.problem(problem));
    }
    let mut builder = Builder { root, stack: Vec::new(), tree: None, nodes: 0, documents: 0, findings };
    let mut parser = Parser::new_from_str(text);
    // The scanner consumes text with every event, so the length of the text bounds this loop.
    while let Some(event) = parser.next_event() {
        let (event, span) = event.map_err(|error| syntax(&builder.root, &error))?;
        builder.event(event, position(span.start))?;
    }
    let Builder { tree, root, .. } = builder;
    tree.ok_or_else(|| root.problem(Problem::Value("the file is empty".to_owned())))
}

fn position(mark: Marker) -> Option<Position> {
    Some(Position { line: mark.line().max(1), column: mark.col() + 1 })
}

fn syntax(root: &Place, error: &saphyr_parser::ScanError) -> ConfigError {
    let at = position(*error.marker());
    if error.info().contains("unknown anchor") {
        return root.at(at).problem(ANCHORS);
    }
    let line = at.and_then(|at| root.document.line(at.line)).unwrap_or_default();
    let mut message = error.info().to_owned();
    if line.contains("${") {
        message.push_str(" (inside `{ }` and `[ ]`, write \"${VAR}\" in quotes)");
    } else if message.contains("flow") {
        message.push_str(" (is a `}`, a `]` or a `,` missing above?)");
    }
    root.at(at).problem(Problem::Syntax(message))
}

/// An unquoted glob, `*.csv`, is an alias too.
const ANCHORS: Problem = Problem::YamlFeature {
    what: "anchors and aliases (`&name`, `*name`)",
    instead: "write the value out, or quote a text that begins with `&` or `*`",
};

/// A list or mapping that has begun and not ended.
enum Open {
    Sequence { at: Option<Position>, items: Vec<Node> },
    Mapping { at: Option<Position>, entries: Vec<Entry>, key: Option<(String, Option<Position>)> },
}

struct Builder<'a> {
    root: Place,
    stack: Vec<Open>,
    tree: Option<Node>,
    nodes: usize,
    documents: usize,
    findings: &'a mut Findings,
}

impl Builder<'_> {
    fn event(&mut self, event: Event<'_>, at: Option<Position>) -> Result<(), ConfigError> {
        match event {
            Event::Alias(_) => Err(self.place(at).problem(ANCHORS)),
            Event::DocumentStart(_) => self.document(at),
            Event::Scalar(text, style, anchor, tag) => {
                let quoted = self.plain_node(anchor, tag.as_deref(), at)?;
                let plain = style == ScalarStyle::Plain && !quoted;
                self.scalar(Scalar { text: text.into_owned(), plain, written: None }, at)
            }
            Event::SequenceStart(anchor, tag) => {
                self.plain_node(anchor, tag.as_deref(), at)?;
                self.open(Open::Sequence { at, items: Vec::new() }, at)
            }
            Event::MappingStart(anchor, tag) => {
                self.plain_node(anchor, tag.as_deref(), at)?;
                self.open(Open::Mapping { at, entries: Vec::new(), key: None }, at)
            }
            Event::SequenceEnd | Event::MappingEnd => self.close(at),
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => Ok(()),
        }
    }

    /// The place of what is being read now: every mapping that has begun knows the key it is at.
    fn place(&self, at: Option<Position>) -> Place {
        let place = self.stack.iter().fold(self.root.clone(), |place, open| match open {
            Open::Sequence { items, .. } => place.below(items.len(), None),
            Open::Mapping { key: Some((key, _)), .. } => place.below(key, None),
            Open::Mapping { key: None, .. } => place,
        });
        place.at(at)
    }

    fn refuse(&self, at: Option<Position>, what: &'static str, instead: &'static str) -> ConfigError {
        self.place(at).problem(Problem::YamlFeature { what, instead })
    }

    fn document(&mut self, at: Option<Position>) -> Result<(), ConfigError> {
        self.documents += 1;
        if self.documents > 1 {
            return Err(self.refuse(at, "several documents", "a file holds one pipeline, so remove this `---`"));
        }
        Ok(())
    }

    /// Refuses anchors and tags and counts the node; true for `!!str`, which says what quotes say.
    fn plain_node(&mut self, anchor: usize, tag: Option<&Tag>, at: Option<Position>) -> Result<bool, ConfigError> {
        if anchor != 0 {
            return Err(self.place(at).problem(ANCHORS));
        }
        self.nodes += 1;
        if self.nodes > NODES_MAX {
            let problem = Problem::TooMuch { what: "keys and values", seen: self.nodes, max: NODES_MAX };
            return Err(self.place(at).problem(problem));
        }
        match tag {
            None => Ok(false),
            Some(tag) if tag.is_yaml_core_schema() && tag.suffix == "str" => Ok(true),
            Some(_) => Err(self.refuse(at, "tags (`!name`)", "write the value alone, in quotes if it is a text")),
        }
    }

    fn scalar(&mut self, scalar: Scalar, at: Option<Position>) -> Result<(), ConfigError> {
        if let Some(Open::Mapping { key: key @ None, .. }) = self.stack.last_mut() {
            if scalar.plain && scalar.text == "<<" {
                return Err(self.refuse(at, "merge keys (`<<`)", "write the keys out"));
            }
            *key = Some((scalar.text, at));
            return Ok(());
        }
        self.add(Node { kind: NodeKind::Scalar(scalar), at })
    }

    fn open(&mut self, open: Open, at: Option<Position>) -> Result<(), ConfigError> {
        if let Some(Open::Mapping { key: None, .. }) = self.stack.last() {
            return Err(self.refuse(at, "lists and mappings as keys", "a key is a text"));
        }
        if self.stack.len() >= DEPTH_MAX {
            let seen = self.stack.len() + 1;
            let problem = Problem::TooMuch { what: "lists and mappings inside each other", seen, max: DEPTH_MAX };
            return Err(self.root.at(at).problem(problem));
        }
        self.stack.push(open);
        Ok(())
    }

    fn close(&mut self, end: Option<Position>) -> Result<(), ConfigError> {
        let node = match self.stack.pop() {
            Some(Open::Sequence { at, items }) => Node { kind: NodeKind::Sequence(items), at },
            Some(Open::Mapping { at, mut entries, .. }) => {
                for (duplicate, first) in take_duplicates(&mut entries) {
                    let first_line = first.map_or(0, |first| first.line);
                    let problem = Problem::DuplicateKey { key: duplicate.key, first_line };
                    let place = self.place(duplicate.at);
                    self.findings.push(&place, problem);
                }
                Node { kind: NodeKind::Mapping(entries), at }
            }
            None => return Err(self.root.at(end).problem(Problem::Syntax("an end without a beginning".to_owned()))),
        };
        self.add(node)
    }

    fn add(&mut self, mut node: Node) -> Result<(), ConfigError> {
        match self.stack.last_mut() {
            None => self.tree = Some(node),
            Some(Open::Sequence { items, .. }) => items.push(node),
            Some(Open::Mapping { entries, key, .. }) => {
                let (key, at) = key.take().unwrap_or_default();
                // The scanner places a value that is not there on the line of what comes next.
                if node.is_null() {
                    node.at = at;
                }
                entries.push(Entry { key, at, value: node });
            }
        }
        Ok(())
    }
}
