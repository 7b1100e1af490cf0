//! From text to syntax tree, within limits, and whether each name in it stands for something.

use std::ops::ControlFlow;

use arrow::datatypes::Schema;
use datafusion_sql::sqlparser::ast::{
    Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments, Ident, Query, Value, Visit, Visitor,
    visit_expressions_mut,
};
use datafusion_sql::sqlparser::dialect::GenericDialect;
use datafusion_sql::sqlparser::keywords::Keyword;
use datafusion_sql::sqlparser::parser::{Parser, ParserError};
use datafusion_sql::sqlparser::tokenizer::{Location, Token, TokenWithSpan, Tokenizer};

use crate::error::{Error, Result};
use crate::functions::Known;
use crate::given::Functions;
use crate::wording::{column_hint, nearest, position};

/// The longest expression, in bytes. Lists of values are the longest ones that people write.
pub(crate) const EXPRESSION_BYTES_MAX: usize = 64 * 1024;
/// The most tokens of an expression: what bounds the work, and the stack, before the depth is known.
const EXPRESSION_TOKENS_MAX: usize = 10_000;
/// The deepest syntax tree. A chain of `OR`s is as deep as it is long; planning and evaluation descend recursively.
const EXPRESSION_DEPTH_MAX: usize = 400;
/// The deepest nesting of parentheses, calls and the like, at which the parser stops.
const NESTING_MAX: usize = 200;

const DIALECT: GenericDialect = GenericDialect {};

/// An expression's syntax tree, and the name that `AS` gives it.
#[derive(Debug)]
pub(crate) struct Item {
    pub(crate) tree: Expr,
    pub(crate) alias: Option<Alias>,
}

/// The end of `expression AS name`.
#[derive(Debug)]
pub(crate) struct Alias {
    pub(crate) name: String,
    /// Where the word `AS` stands.
    pub(crate) as_at: Location,
}

/// Reads an expression. Call it on a deep stack.
pub(crate) fn parse(sql: &str) -> Result<Expr> {
    let item = parse_item(sql)?;
    match item.alias {
        None => Ok(item.tree),
        Some(alias) => Err(Error::Syntax {
            sql: sql.into(),
            at: position(alias.as_at),
            reason: "`AS` has no place here: the name is given elsewhere".into(),
        }),
    }
}

/// Reads an expression with or without `AS name` behind it. Call it on a deep stack.
pub(crate) fn parse_item(sql: &str) -> Result<Item> {
    let too_large = |seen, limit, unit| Error::TooLarge { sql: sql.into(), seen, limit, unit };
    if sql.len() > EXPRESSION_BYTES_MAX {
        return Err(too_large(sql.len(), EXPRESSION_BYTES_MAX, "bytes"));
    }
    let tokens = Tokenizer::new(&DIALECT, sql).tokenize_with_location().map_err(|error| Error::Syntax {
        sql: sql.into(),
        at: position(error.location),
        reason: error.message,
    })?;
    let words = tokens.iter().filter(|token| !matches!(token.token, Token::Whitespace(_))).count();
    if words > EXPRESSION_TOKENS_MAX {
        return Err(too_large(words, EXPRESSION_TOKENS_MAX, "words and signs"));
    }
    let mut parser = Parser::new(&DIALECT).with_recursion_limit(NESTING_MAX).with_tokens_with_locations(tokens);
    let tree = parser.parse_expr().map_err(|error| unreadable(sql, error))?;
    let alias = parse_alias(sql, &mut parser)?;
    let rest = parser.peek_token();
    if rest.token != Token::EOF {
        return Err(unexpected(sql, &rest));
    }
    let depth = depth(&tree);
    if depth > EXPRESSION_DEPTH_MAX {
        return Err(too_large(
            depth,
            EXPRESSION_DEPTH_MAX,
            "operations inside each other (a chain of `OR`s may be an `IN` list)",
        ));
    }
    Ok(Item { tree, alias })
}

/// Lets a column win over a keyword that SQL takes for a call without parentheses (`user`, `current_date`): whoever has
/// such a column means it.
pub(crate) fn prefer_columns(tree: &mut Expr, schema: &Schema) {
    let _: ControlFlow<()> = visit_expressions_mut(tree, |part| {
        if let Some(word) = bare_call(part).filter(|word| schema.field_with_name(&word.value).is_ok()) {
            *part = Expr::Identifier(word);
        }
        ControlFlow::Continue(())
    });
}

/// The word of a call without parentheses.
pub(crate) fn bare_call(tree: &Expr) -> Option<Ident> {
    match tree {
        Expr::Function(Function { name, args: FunctionArguments::None, .. }) => match name.0.as_slice() {
            [part] => part.as_ident().cloned(),
            _ => None,
        },
        _ => None,
    }
}

fn parse_alias(sql: &str, parser: &mut Parser<'_>) -> Result<Option<Alias>> {
    let as_at = parser.peek_token().span.start;
    if !parser.parse_keyword(Keyword::AS) {
        return Ok(None);
    }
    let name = parser.parse_identifier().map_err(|error| unreadable(sql, error))?;
    Ok(Some(Alias { name: name.value, as_at }))
}

fn unexpected(sql: &str, token: &TokenWithSpan) -> Error {
    Error::Syntax {
        sql: sql.into(),
        at: position(token.span.start),
        reason: format!("expected an operator or the end, found `{}`", token.token),
    }
}

fn unreadable(sql: &str, error: ParserError) -> Error {
    let text = match error {
        ParserError::RecursionLimitExceeded => {
            return Error::Refused { sql: sql.into(), what: format!("is nested more than {NESTING_MAX} levels deep") };
        }
        ParserError::TokenizerError(text) | ParserError::ParserError(text) => text,
    };
    // The parser's messages end in " at Line: 1, Column: 12", unless the place is the end of the text.
    let (reason, at) = match text.rsplit_once(" at Line: ") {
        Some((reason, place)) => {
            let (line, column) = place.split_once(", Column: ").unwrap_or((place, "?"));
            (reason, if line == "1" { format!("column {column}") } else { format!("line {line}, column {column}") })
        }
        None => (&*text, "its end".into()),
    };
    let reason = reason.replacen("Expected: ", "expected ", 1).replacen("found: EOF", "found the end", 1);
    Error::Syntax { sql: sql.into(), at, reason: reason.replacen("found: ", "found ", 1) }
}

fn depth(tree: &Expr) -> usize {
    struct Depth {
        now: usize,
        max: usize,
    }
    impl Visitor for Depth {
        type Break = ();
        fn pre_visit_expr(&mut self, _expr: &Expr) -> ControlFlow<()> {
            self.now += 1;
            self.max = self.max.max(self.now);
            ControlFlow::Continue(())
        }
        fn post_visit_expr(&mut self, _expr: &Expr) -> ControlFlow<()> {
            self.now -= 1;
            ControlFlow::Continue(())
        }
    }
    let mut depth = Depth { now: 0, max: 0 };
    let _ = tree.visit(&mut depth);
    depth.max
}

/// Refuses what no expression of a pipeline may have, and names that stand for nothing.
pub(crate) fn check_names(sql: &str, tree: &Expr, schema: &Schema, functions: &Functions) -> Result<()> {
    match tree.visit(&mut Names { sql, schema, functions }) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(error) => Err(*error),
    }
}

struct Names<'a> {
    sql: &'a str,
    schema: &'a Schema,
    functions: &'a Functions,
}

impl Visitor for Names<'_> {
    type Break = Box<Error>;

    fn pre_visit_query(&mut self, _query: &Query) -> ControlFlow<Box<Error>> {
        self.refuse("has a query inside: an expression sees the columns of one row and no tables".into())
    }

    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<Box<Error>> {
        match expr {
            Expr::Identifier(name) => self.column(std::slice::from_ref(name)),
            Expr::CompoundIdentifier(names) => self.column(names),
            Expr::Function(call) => self.function(call),
            Expr::Wildcard(_) | Expr::QualifiedWildcard(..) => {
                self.refuse("has a `*` in place of a value: name the column".into())
            }
            Expr::Array(_) => self.refuse("writes a list out, which is not supported".into()),
            Expr::Value(value) => match &value.value {
                Value::Placeholder(name) => {
                    self.refuse(format!("has the parameter `{name}`, and there is nothing to put in its place"))
                }
                _ => ControlFlow::Continue(()),
            },
            _ => ControlFlow::Continue(()),
        }
    }
}

impl Names<'_> {
    fn refuse(&self, what: String) -> ControlFlow<Box<Error>> {
        ControlFlow::Break(Box::new(Error::Refused { sql: self.sql.into(), what }))
    }

    fn column(&self, names: &[Ident]) -> ControlFlow<Box<Error>> {
        let Some(first) = names.first() else { return ControlFlow::Continue(()) };
        if self.schema.index_of(&first.value).is_ok() {
            return ControlFlow::Continue(());
        }
        let name = names.iter().map(|part| part.value.as_str()).collect::<Vec<_>>().join(".");
        let known: Vec<&str> = self.schema.fields().iter().map(|field| field.name().as_str()).collect();
        ControlFlow::Break(Box::new(Error::UnknownColumn {
            sql: self.sql.into(),
            at: position(first.span.start),
            hint: column_hint(&name, &known),
            name,
        }))
    }

    fn function(&self, call: &Function) -> ControlFlow<Box<Error>> {
        let ident = call.name.0.first().and_then(|part| part.as_ident());
        let name = match ident {
            Some(ident) if call.name.0.len() == 1 => ident.value.to_lowercase(),
            _ => call.name.to_string().to_lowercase(),
        };
        match self.functions.known(&name) {
            _ if call.over.is_some() => {
                self.refuse(format!("calls `{name}` over a window: an expression sees one row at a time"))
            }
            Known::Aggregate => {
                self.refuse(format!("calls `{name}`, an aggregate: an expression sees one row at a time"))
            }
            _ if call.filter.is_some() || !call.within_group.is_empty() => {
                self.refuse(format!("calls `{name}` with a clause that only aggregates have"))
            }
            Known::Window => {
                self.refuse(format!("calls `{name}`, a window function: an expression sees one row at a time"))
            }
            Known::NotRepeatable => self.refuse(format!(
                "calls `{name}`, which gives something else at every run, where a replay must give the same rows: \
                 read it from a column of the input"
            )),
            Known::Given if self.functions.is_refused() => self.refuse(format!(
                "calls `{name}`, which is one of `functions`, inside an aggregate: compute it before, in a `with_columns`"
            )),
            Known::Scalar | Known::Given if has_wildcard(&call.args) => {
                self.refuse(format!("hands `*` to `{name}`: name the columns"))
            }
            Known::Scalar | Known::Given => ControlFlow::Continue(()),
            Known::Nothing => ControlFlow::Break(Box::new(Error::UnknownFunction {
                sql: self.sql.into(),
                at: position(ident.map_or(Location { line: 0, column: 0 }, |ident| ident.span.start)),
                hint: nearest(&name, self.functions.names())
                    .map(|nearest| format!("; did you mean `{nearest}`?"))
                    .unwrap_or_default(),
                name,
            })),
        }
    }
}

fn has_wildcard(arguments: &FunctionArguments) -> bool {
    let FunctionArguments::List(list) = arguments else { return false };
    list.args.iter().any(|argument| {
        matches!(argument, FunctionArg::Unnamed(FunctionArgExpr::Wildcard | FunctionArgExpr::QualifiedWildcard(_)))
    })
}
