//! What expressions make of a stream.

use std::sync::Arc;

use volley_expr::{FilterFactory, SelectFactory, WithColumnsFactory};

use super::DataStream;
use crate::Expr;
use crate::expr::select_items;
use crate::graph::Kind;

/// Expressions are built of [`col`](crate::col) and [`lit`](crate::lit), or written as SQL text. Their types are checked with
/// the plan, before any row moves.
impl DataStream {
    /// The rows for which a condition is true; false and null are dropped.
    pub fn filter_expr(&self, condition: impl Into<Expr>) -> Self {
        let condition = condition.into().to_string();
        self.then("filter", Kind::Operator(Arc::new(FilterFactory::new(condition))))
    }

    /// The columns of a list alone, in its order. A column that is passed on keeps its name; others have one by
    /// [`Expr::alias`], or by `AS` where they are SQL text.
    pub fn select_expr<E: Into<Expr>>(&self, columns: impl IntoIterator<Item = E>) -> Self {
        let items = select_items(columns.into_iter().map(Into::into).collect());
        self.try_then("select", items.map(|items| Kind::Operator(Arc::new(SelectFactory::new(items)))))
    }

    /// All columns, and one more of that name; a column that has the name already is replaced where it stands.
    pub fn with_column(&self, name: impl Into<String>, column: impl Into<Expr>) -> Self {
        self.with_columns([(name.into(), column.into())])
    }

    /// All columns, and more; as [`with_column`](Self::with_column). The expressions see the columns as they were, not each
    /// other.
    pub fn with_columns<N: Into<String>, E: Into<Expr>>(&self, columns: impl IntoIterator<Item = (N, E)>) -> Self {
        let columns = columns.into_iter().map(|(name, column)| (name.into(), column.into().to_string()));
        self.then("with-columns", Kind::Operator(Arc::new(WithColumnsFactory::new(columns.collect()))))
    }
}
