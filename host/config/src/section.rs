//! A part of the pipeline file that is kept as it is until somebody who knows its keys reads it.

use std::fmt;
use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde::ser::{Serialize, SerializeMap, SerializeSeq, Serializer};
use serde_json::{Map, Number, Value};

use crate::de::{ReadError, Reader};
use crate::error::{ConfigError, Problem};
use crate::place::{Document, Located, Place};
use crate::tree::{Core, Node, NodeKind, Scalar};

/// A node of the tree while the spec is read from it.
#[derive(Clone)]
pub(crate) struct View<'a> {
    pub(crate) node: &'a Node,
    /// Where the value stands.
    pub(crate) place: Place,
    /// Where the key stands that it belongs to; for errors about what the value lacks.
    pub(crate) owner: Place,
}

/// A key with its value.
pub(crate) struct Field<'a> {
    pub(crate) key: &'a str,
    pub(crate) view: View<'a>,
}

impl<'a> View<'a> {
    pub(crate) fn root(node: &'a Node, place: &Place) -> Self {
        let place = place.at(node.at);
        Self { node, owner: place.clone(), place }
    }

    /// Reads the value as a `T`.
    pub(crate) fn read<T: DeserializeOwned>(&self) -> Result<T, ConfigError> {
        let reader = Reader { node: self.node, place: self.place.clone(), owner: self.owner.clone() };
        T::deserialize(reader).map_err(|ReadError { problem, place }| {
            let place = place.unwrap_or_else(|| self.place.clone());
            place.problem(*problem)
        })
    }

    /// The value with its place and the text that it came from.
    pub(crate) fn located<T: DeserializeOwned>(&self) -> Result<Located<T>, ConfigError> {
        let written = match &self.node.kind {
            NodeKind::Scalar(scalar) => scalar.written.clone(),
            _ => None,
        };
        Ok(Located { value: self.read()?, place: self.place.clone(), written })
    }

    /// The keys and values of a mapping; nothing at all counts as an empty one.
    pub(crate) fn fields(&self) -> Result<Vec<Field<'a>>, ConfigError> {
        match &self.node.kind {
            NodeKind::Mapping(entries) => Ok(entries.iter().map(|entry| self.field(entry)).collect()),
            _ if self.node.is_null() => Ok(Vec::new()),
            _ => Err(self.expected("a mapping (`key: value`)")),
        }
    }

    fn field(&self, entry: &'a crate::tree::Entry) -> Field<'a> {
        let place = self.place.below(&entry.key, entry.value.at);
        let owner = place.at(entry.at);
        Field { key: &entry.key, view: View { node: &entry.value, place, owner } }
    }

    /// The items of a list.
    pub(crate) fn items(&self) -> Option<Vec<View<'a>>> {
        let NodeKind::Sequence(items) = &self.node.kind else { return None };
        let view = |(index, node): (usize, &'a Node)| {
            let place = self.place.below(index, node.at);
            View { node, owner: place.clone(), place }
        };
        Some(items.iter().enumerate().map(view).collect())
    }

    pub(crate) fn expected(&self, what: &str) -> ConfigError {
        self.place.problem(Problem::Value(format!("expected {what}, found {}", self.node.found())))
    }

    pub(crate) fn section(&self) -> Section {
        Section { node: Arc::new(self.node.clone()), place: self.place.clone(), owner: self.owner.clone() }
    }
}

/// A part of the pipeline file that only its user can read: a connector's options, a plugin's configuration.
///
/// Written out (`Serialize`) it is as it stood in the file: what came from `${…}` is not shown.
#[derive(Clone)]
pub struct Section {
    node: Arc<Node>,
    place: Place,
    owner: Place,
}

impl Section {
    /// A section made by a program; errors name `origin` in place of a file.
    ///
    /// # Errors
    /// When the value is nested too deeply.
    pub fn from_json(value: &Value, origin: &str) -> Result<Self, ConfigError> {
        let place = Place::root(Arc::new(Document { name: origin.to_owned(), text: None }));
        let node = Node::from_json(value).map_err(|problem| place.problem(problem))?;
        Ok(Self { node: Arc::new(node), owner: place.clone(), place })
    }

    /// A section without keys at `place`.
    pub(crate) fn empty(place: &Place) -> Self {
        Self { node: Arc::new(Node::empty_mapping(place.position)), place: place.clone(), owner: place.clone() }
    }

    /// Reads the section as a `T`. With `#[serde(deny_unknown_fields)]`, unknown keys are refused with the nearest known
    /// one. A section with nothing in it is read as a struct of defaults.
    ///
    /// # Errors
    /// The first thing that does not fit, with its line.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T, ConfigError> {
        self.view().read()
    }

    /// The section as JSON, everything substituted. Nothing at all is `null`.
    ///
    /// # Errors
    /// When it holds a number that JSON has not: `.inf`, `.nan`.
    pub fn to_json(&self) -> Result<Value, ConfigError> {
        json(&self.view())
    }

    /// Where the section stands.
    #[must_use]
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// Where the value of `key` stands; the section itself when it has no such key.
    #[must_use]
    pub fn place_of(&self, key: &str) -> Place {
        let fields = self.view().fields().unwrap_or_default();
        fields.into_iter().find(|field| field.key == key).map_or_else(|| self.place.clone(), |field| field.view.place)
    }

    pub(crate) fn view(&self) -> View<'_> {
        View { node: &self.node, place: self.place.clone(), owner: self.owner.clone() }
    }
}

fn json(view: &View<'_>) -> Result<Value, ConfigError> {
    if let Some(items) = view.items() {
        return items.iter().map(json).collect::<Result<_, _>>().map(Value::Array);
    }
    let NodeKind::Scalar(scalar) = &view.node.kind else {
        let fields = view.fields()?;
        let values = fields.iter().map(|field| Ok((field.key.to_owned(), json(&field.view)?)));
        return values.collect::<Result<Map<_, _>, _>>().map(Value::Object);
    };
    let refused = || view.place.problem(Problem::Value(format!("`{}` has no form in JSON", scalar.text)));
    scalar_json(scalar).ok_or_else(refused)
}

fn scalar_json(scalar: &Scalar) -> Option<Value> {
    Some(match scalar.core() {
        Core::Null => Value::Null,
        Core::Bool(value) => Value::Bool(value),
        Core::Unsigned(value) => value.into(),
        Core::Negative(value) => value.into(),
        Core::Float(value) => Value::Number(Number::from_f64(value)?),
        Core::Text(text) => Value::String(text.to_owned()),
    })
}

/// Equal when they hold the same keys and values, wherever they stand.
impl PartialEq for Section {
    fn eq(&self, other: &Self) -> bool {
        same(&self.node, &other.node)
    }
}

fn same(a: &Node, b: &Node) -> bool {
    match (&a.kind, &b.kind) {
        (NodeKind::Scalar(a), NodeKind::Scalar(b)) => a.core() == b.core(),
        (NodeKind::Sequence(a), NodeKind::Sequence(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b))
        }
        (NodeKind::Mapping(a), NodeKind::Mapping(b)) => {
            let equal = |(a, b): (&crate::tree::Entry, &crate::tree::Entry)| a.key == b.key && same(&a.value, &b.value);
            a.len() == b.len() && a.iter().zip(b).all(equal)
        }
        _ => false,
    }
}

impl fmt::Debug for Section {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Section({})", self.place)
    }
}

impl Serialize for Section {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        AsWritten(&self.node).serialize(serializer)
    }
}

struct AsWritten<'a>(&'a Node);

impl Serialize for AsWritten<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.0.kind {
            NodeKind::Scalar(scalar) => match (&scalar.written, scalar_json(scalar)) {
                (Some(written), _) => serializer.serialize_str(written),
                (None, Some(value)) => value.serialize(serializer),
                (None, None) => serializer.serialize_str(&scalar.text),
            },
            NodeKind::Sequence(items) => {
                let mut list = serializer.serialize_seq(Some(items.len()))?;
                for item in items {
                    list.serialize_element(&AsWritten(item))?;
                }
                list.end()
            }
            NodeKind::Mapping(entries) => {
                let mut map = serializer.serialize_map(Some(entries.len()))?;
                for entry in entries {
                    map.serialize_entry(&entry.key, &AsWritten(&entry.value))?;
                }
                map.end()
            }
        }
    }
}
