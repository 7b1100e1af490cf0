//! The keys of one mapping, each known, and their values within bounds.

use std::num::NonZeroU32;

use serde::de::DeserializeOwned;

use crate::error::{Findings, Problem};
use crate::place::Located;
use crate::section::{Field, View};
use crate::suggest::Unknown;
use crate::units::TimeSpan;

/// The keys of a mapping, each known.
pub(crate) struct Fields<'a, 'f> {
    pub(crate) view: View<'a>,
    pub(crate) fields: Vec<Field<'a>>,
    /// Keys that were left out because nobody knows them, each by the known one that was probably meant.
    pub(crate) left_out: Vec<Option<String>>,
    pub(crate) findings: &'f mut Findings,
}

impl<'a, 'f> Fields<'a, 'f> {
    /// None, and an error noted, when it is not a mapping. Unknown keys are noted and left out.
    pub(crate) fn new(view: &View<'a>, known: &[&str], findings: &'f mut Findings) -> Option<Self> {
        let mut fields = findings.note(view.fields())?;
        let mut left_out = Vec::new();
        fields.retain(|field| {
            if known.contains(&field.key) {
                return true;
            }
            let unknown = Unknown::new("key", field.key, known);
            left_out.push(unknown.suggestion.clone());
            let problem = Problem::Unknown(unknown);
            findings.push(&view.place.at(field.view.owner.position), problem);
            false
        });
        Some(Self { view: view.clone(), fields, left_out, findings })
    }

    pub(crate) fn get(&self, key: &str) -> Option<View<'a>> {
        self.fields.iter().find(|field| field.key == key).map(|field| field.view.clone())
    }

    pub(crate) fn required(&mut self, key: &str) -> Option<View<'a>> {
        let found = self.get(key);
        let misspelt = self.left_out.iter().any(|meant| meant.as_deref() == Some(key));
        if found.is_none() && !misspelt {
            self.findings.push(&self.view.owner, Problem::Missing(key.to_owned()));
        }
        found
    }

    pub(crate) fn read<T: DeserializeOwned>(&mut self, key: &str) -> Option<T> {
        let view = self.get(key)?;
        self.findings.note(view.read())
    }

    /// A count from 1 to `max`; none when nothing stands there.
    pub(crate) fn bounded(&mut self, key: &str, max: u32) -> Option<NonZeroU32> {
        let view = self.get(key).filter(|view| !view.node.is_null())?;
        let count = view.read().ok().filter(|count: &NonZeroU32| count.get() <= max);
        if count.is_none() {
            let error = view.expected(&format!("a whole number from 1 to {max}"));
            self.findings.note::<()>(Err(error));
        }
        count
    }

    /// A size or a length of time within its bounds; none when nothing stands there.
    pub(crate) fn measure<T>(&mut self, key: &str, bounds: (T, T)) -> Option<T>
    where
        T: DeserializeOwned + PartialOrd + std::fmt::Display,
    {
        let view = self.get(key)?;
        let value = self.findings.note(view.read::<Option<T>>())??;
        if bounds.0 <= value && value <= bounds.1 {
            return Some(value);
        }
        let message = format!("`{value}` is not within {} and {}", bounds.0, bounds.1);
        self.findings.push(&view.place, Problem::Value(message));
        None
    }

    /// An expression or path: a text with something in it.
    pub(crate) fn text(&mut self, view: &View<'_>) -> Option<Located<String>> {
        let text: Located<String> = self.findings.note(view.located())?;
        if text.trim().is_empty() {
            self.findings.push(&view.place, Problem::Value("this text is empty".to_owned()));
            return None;
        }
        Some(text)
    }

    /// As [`Fields::measure`], of whole milliseconds, in which event time counts.
    pub(crate) fn event_span(&mut self, key: &str, bounds: (TimeSpan, TimeSpan)) -> Option<TimeSpan> {
        let span = self.measure(key, bounds)?;
        if span.0.subsec_nanos().is_multiple_of(1_000_000) {
            return Some(span);
        }
        let view = self.get(key)?;
        let message = format!("`{span}` is not a whole number of milliseconds, in which event time counts");
        self.findings.push(&view.place, Problem::Value(message));
        None
    }

    /// As [`Fields::event_span`], of a key that must be there.
    pub(crate) fn required_span(&mut self, key: &str, bounds: (TimeSpan, TimeSpan)) -> Option<TimeSpan> {
        let view = self.required(key)?;
        if view.node.is_null() {
            let error = view.expected("a length of time");
            return self.findings.note(Err(error));
        }
        self.event_span(key, bounds)
    }

    /// Names of columns: one, or a list in which none stands twice.
    pub(crate) fn column_names(&mut self, view: &View<'_>, max: usize) -> Option<Vec<Located<String>>> {
        let views = view.items().unwrap_or_else(|| vec![view.clone()]);
        let refused = match views.len() {
            0 => Some(Problem::Value("the list is empty: name at least one column".to_owned())),
            seen if seen > max => Some(Problem::TooMuch { what: "columns", seen, max }),
            _ => None,
        };
        if let Some(problem) = refused {
            self.findings.push(&view.place, problem);
            return None;
        }
        let mut names: Vec<Located<String>> = Vec::with_capacity(views.len());
        for view in &views {
            let name = self.text(view)?;
            if names.contains(&name) {
                self.findings.push(&view.place, Problem::Value(format!("`{}` stands here twice", name.value)));
                return None;
            }
            names.push(name);
        }
        Some(names)
    }
}

/// The one key of `choice` that is there; `fix` is what to do about two of them. That none is there goes unsaid when an
/// unknown key may have been meant.
pub(crate) fn only<'a>(
    fields: &mut Fields<'a, '_>,
    choice: &[&str],
    rule: &str,
    fix: &str,
) -> Option<(&'a str, View<'a>)> {
    let present: Vec<(&'a str, View<'a>)> = fields
        .fields
        .iter()
        .filter(|field| choice.contains(&field.key))
        .map(|field| (field.key, field.view.clone()))
        .collect();
    match present.as_slice() {
        [] if !fields.left_out.is_empty() => None,
        [] => {
            let message = format!("{rule}, and here is none: add one of {}", choice.join(", "));
            fields.findings.push(&fields.view.owner, Problem::Value(message));
            None
        }
        [(key, view)] => Some((key, view.clone())),
        [(first, _), (second, view), ..] => {
            let message = format!("{rule}, and here are `{first}` and `{second}`: {fix}");
            fields.findings.push(&fields.view.place.at(view.owner.position), Problem::Value(message));
            None
        }
    }
}
