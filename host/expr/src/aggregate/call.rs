//! From text to one call of an aggregate function, and what to say of everything else.

use std::ops::ControlFlow;

use datafusion_sql::sqlparser::ast::{
    DuplicateTreatment, Expr, Function as FunctionCall, FunctionArg, FunctionArgExpr, FunctionArguments, Ident, Visit,
    Visitor,
};

use super::function::{self, Function};
use crate::error::{Error, Result};
use crate::functions::{self, Known};
use crate::syntax;
use crate::wording::nearest;

/// One aggregate as it was written.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) function: Function,
    /// What it is called with; `None` for `*`.
    pub(super) argument: Option<Expr>,
    /// The condition of `FILTER (WHERE …)`.
    pub(super) filter: Option<Expr>,
}

impl Call {
    /// Reads a call. Call it on a deep stack.
    pub(super) fn parse(sql: &str) -> Result<Self> {
        let refused = |what: String| Error::Aggregate { sql: sql.into(), what };
        let call = match unwrapped(syntax::parse(sql)?) {
            Expr::Function(call) => call,
            other => return Err(refused(no_call(&other))),
        };
        let name = call.name.to_string().to_lowercase();
        let Some(function) = function::get(&name) else {
            return Err(refused(unknown(&name, &Expr::Function(call))));
        };
        if let Some(clause) = refused_clause(&call) {
            return Err(refused(format!(
                "has {clause}: all that may follow the argument of `{name}` is FILTER (WHERE condition)"
            )));
        }
        let filter = call.filter.map(|filter| *filter);
        let (argument, is_distinct) = argument(call.args, &name).map_err(refused)?;
        let function = match (function, is_distinct) {
            (function, false) => function,
            (Function::Count, true) if argument.is_some() => Function::CountDistinct,
            _ => {
                let what = format!("has DISTINCT in `{name}`, which only count(DISTINCT x) may have");
                return Err(refused(what));
            }
        };
        if argument.is_none() && function != Function::Count {
            return Err(refused(format!("hands `*` to `{name}`, which only `count` takes: name a column")));
        }
        for (part, place) in [(&argument, "the argument of"), (&filter, "the filter of")] {
            if let Some(inner) = part.as_ref().and_then(inner_aggregate) {
                return Err(refused(format!(
                    "calls the aggregate `{inner}` in {place} `{name}`: aggregate twice with two nodes, one behind the other"
                )));
            }
        }
        Ok(Self { function, argument, filter })
    }
}

/// An expression without the parentheses around it.
fn unwrapped(mut tree: Expr) -> Expr {
    while let Expr::Nested(inner) = tree {
        tree = *inner;
    }
    tree
}

/// What to say of something that is not a call.
fn no_call(tree: &Expr) -> String {
    match (tree, inner_aggregate(tree)) {
        (_, Some(inner)) => format!(
            "does more than call `{inner}`: a call stands alone here, and what is computed of results goes into a `select` \
             that follows"
        ),
        (Expr::Identifier(name), None) if function::get(&name.value.to_lowercase()).is_some() => {
            format!("names an aggregate and does not call it: write {name}(x), where x is a column or an expression")
        }
        (Expr::Identifier(name), None) => format!(
            "is a column and no aggregate: for many rows there is one value of it by a call, such as max({name}) or \
             last({name})"
        ),
        _ => format!("is no call of an aggregate: {}", allowed()),
    }
}

/// What to say of a call of something that is not one of ours.
fn unknown(name: &str, call: &Expr) -> String {
    match (functions::known(name), inner_aggregate(call)) {
        (Known::Scalar | Known::NotRepeatable | Known::Given, Some(inner)) => format!(
            "calls `{name}` with the result of `{inner}`: a call of an aggregate stands alone here, and what is computed of \
             results goes into a `select` that follows"
        ),
        (Known::Scalar | Known::NotRepeatable | Known::Given, None) => {
            format!("calls `{name}`, a function of one row: {}", allowed())
        }
        (Known::Window, _) => format!("calls `{name}`, a window function: {}", allowed()),
        (Known::Aggregate, _) => format!("calls `{name}`, which is not supported: {}", allowed()),
        (Known::Nothing, _) => {
            let guess = match nearest(name, function::names()) {
                Some(near) => format!("; did you mean `{near}`? Here"),
                None => ":".into(),
            };
            format!("calls `{name}`, which is not a known aggregate{guess} {}", allowed())
        }
    }
}

fn allowed() -> String {
    format!("an aggregate is one call of {}, with an optional FILTER (WHERE condition)", function::list())
}

/// A clause of a call that only databases have a use for.
fn refused_clause(call: &FunctionCall) -> Option<String> {
    if call.over.is_some() {
        return Some("an OVER clause".into());
    }
    if !call.within_group.is_empty() {
        return Some("a WITHIN GROUP clause".into());
    }
    if call.null_treatment.is_some() {
        return Some("IGNORE NULLS or RESPECT NULLS".into());
    }
    match &call.args {
        FunctionArguments::List(list) => list.clauses.first().map(|clause| format!("`{clause}` among the arguments")),
        _ => None,
    }
}

/// The one argument, and whether DISTINCT stands before it.
fn argument(arguments: FunctionArguments, name: &str) -> Result<(Option<Expr>, bool), String> {
    let list = match arguments {
        FunctionArguments::List(list) => list,
        FunctionArguments::Subquery(_) => return Err(format!("has a query as the argument of `{name}`")),
        FunctionArguments::None => return Err(format!("lacks the parentheses behind `{name}`")),
    };
    let is_distinct = list.duplicate_treatment == Some(DuplicateTreatment::Distinct);
    let [argument] = <[FunctionArg; 1]>::try_from(list.args)
        .map_err(|args| format!("calls `{name}` with {} arguments, and it takes one", args.len()))?;
    match argument {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(argument)) => Ok((Some(argument), is_distinct)),
        FunctionArg::Unnamed(FunctionArgExpr::Wildcard) => Ok((None, is_distinct)),
        other => Err(format!("calls `{name}` with `{other}`: name a column, or write an expression")),
    }
}

/// The name of an aggregate that is called somewhere in an expression.
fn inner_aggregate(tree: &Expr) -> Option<Ident> {
    struct Search;
    impl Visitor for Search {
        type Break = Ident;

        fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<Ident> {
            let Expr::Function(call) = expr else { return ControlFlow::Continue(()) };
            let name = call.name.to_string().to_lowercase();
            let is_aggregate = function::get(&name).is_some() || matches!(functions::known(&name), Known::Aggregate);
            match call.over {
                None if is_aggregate => ControlFlow::Break(Ident::new(name)),
                _ => ControlFlow::Continue(()),
            }
        }
    }
    match tree.visit(&mut Search) {
        ControlFlow::Break(name) => Some(name),
        ControlFlow::Continue(()) => None,
    }
}
