//! The operators that are made of expressions alone.

mod columns;
mod filter;
mod union;

pub use columns::{SelectFactory, WithColumnsFactory};
pub use filter::FilterFactory;
pub use union::UnionFactory;

use volley_api::{NodeName, OperatorContext, OriginColumn, OriginDirectory, Replayed};

use crate::given::Functions;
use crate::wording::{cut, on_one_line};

/// The most characters of an operator's label.
const LABEL_CHARS_MAX: usize = 100;

/// A label for drawings of the plan: on one line, of bounded length.
fn label(kind: &str, text: &str) -> String {
    cut(&format!("{kind} {}", on_one_line(text)), LABEL_CHARS_MAX)
}

/// What a replay makes of rows that go through expressions.
fn replayed<'a>(functions: &Functions, expressions: impl IntoIterator<Item = &'a str>) -> Replayed {
    if functions.are_repeatable_in(expressions) { Replayed::RowByRow } else { Replayed::Otherwise }
}

/// What a failure is told by: the node, and the names behind the origins of its rows.
struct Place {
    node: NodeName,
    origins: OriginDirectory,
}

impl Place {
    fn of(context: &OperatorContext) -> Self {
        Self { node: context.node.clone(), origins: context.origins.clone() }
    }

    /// A failure in this crate as one of the node that it happened in, with the origin of the row that caused it, where
    /// the rows' origins are known.
    fn error(&self, error: crate::Error, origins: Option<&OriginColumn>) -> volley_api::Error {
        let origin = match (&error, origins) {
            (crate::Error::Evaluate { row_index, .. }, Some(origins)) if *row_index < origins.len() => {
                let origin = origins.get(*row_index);
                self.origins.resolve(origin).map(|(source, split)| (source, split, origin.position))
            }
            (crate::Error::Function { row_index: Some(row_index), .. }, Some(origins))
                if *row_index < origins.len() =>
            {
                let origin = origins.get(*row_index);
                self.origins.resolve(origin).map(|(source, split)| (source, split, origin.position))
            }
            _ => None,
        };
        let error = volley_api::Error::from(error);
        match origin {
            Some((source, split, position)) => error
                .within(format_args!("node `{}`: source `{source}`, split `{split}`, position {position}", self.node)),
            None => error.within(format_args!("node `{}`", self.node)),
        }
    }
}
