//! From syntax tree to something that can be evaluated: names bound, types settled, constants folded.

use std::sync::Arc;
use std::{io, panic, thread};

use arrow::datatypes::{DataType, Schema, SchemaRef};
use datafusion_common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion_common::{DFSchema, DataFusionError};
use datafusion_expr::execution_props::ExecutionProps;
use datafusion_expr::expr::{Between, BinaryExpr, InList};
use datafusion_expr::simplify::SimplifyContext;
use datafusion_expr::{Cast, Expr, ExprSchemable, Operator};
use datafusion_optimizer::simplify_expressions::ExprSimplifier;
use datafusion_physical_expr::{PhysicalExpr, create_physical_expr};
use datafusion_sql::planner::{ParserOptions, PlannerContext, SqlToRel};
use datafusion_sql::sqlparser::ast::Expr as SyntaxTree;

use crate::call_site;
use crate::comparison::Comparison;
use crate::context::{self, Context};
use crate::error::{Error, Result};
use crate::given::Functions;
use crate::syntax;
use crate::wording::reason;

/// The stack for reading and planning, both of which descend recursively: enough for the deepest tree that
/// `EXPRESSION_TOKENS_MAX` allows, in a build without optimisation. Only the part that is used takes memory.
const PLANNING_STACK_BYTES: usize = 128 * 1024 * 1024;

/// An expression that is ready to be evaluated.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    /// What evaluates it, over the columns `reads` in that order and nothing else.
    pub(crate) physical: Arc<dyn PhysicalExpr>,
    /// The type of its result.
    pub(crate) data_type: DataType,
    /// Whether its result may have nulls.
    pub(crate) nullable: bool,
    /// Which columns of the input it reads, ascending.
    pub(crate) reads: Vec<usize>,
    /// Those columns alone.
    pub(crate) reads_schema: SchemaRef,
    /// The column that it is, when it is just that.
    pub(crate) column: Option<usize>,
    /// The comparison that it is, when it is just that.
    pub(crate) comparison: Option<Comparison>,
}

/// Plans an expression over the columns of `schema`.
pub(crate) fn plan(sql: &str, schema: &SchemaRef, functions: &Functions) -> Result<Plan> {
    on_deep_stack(|| plan_tree(sql, syntax::parse(sql)?, schema, functions)).map_err(|error| no_thread(sql, &error))?
}

/// Plans an expression that stands in the text `sql`, over the columns of `schema`. Call it on a deep stack.
pub(crate) fn plan_tree(sql: &str, mut tree: SyntaxTree, schema: &SchemaRef, functions: &Functions) -> Result<Plan> {
    syntax::prefer_columns(&mut tree, schema);
    syntax::check_names(sql, &tree, schema, functions)?;
    let unfit = |error: DataFusionError| unfit(sql, &error);
    let df_schema = DFSchema::try_from(Arc::clone(schema)).map_err(unfit)?;
    let context = Context::new(functions);
    let planner = SqlToRel::new_with_options(&context, parser_options());
    let logical = planner.sql_to_expr(tree, &df_schema, &mut PlannerContext::new()).map_err(unfit)?;
    refuse_surprises(sql, &logical, &df_schema)?;
    let logical = settle(logical, &df_schema).map_err(unfit)?;
    physical(sql, &logical, schema)
}

/// What to say when there is no thread with a deep stack.
pub(crate) fn no_thread(sql: &str, error: &io::Error) -> Error {
    Error::Internal { sql: sql.into(), reason: format!("no thread to plan it on: {error}") }
}

/// Runs `work` where deep recursion is no danger.
pub(crate) fn on_deep_stack<T: Send>(work: impl FnOnce() -> T + Send) -> io::Result<T> {
    thread::scope(|scope| {
        let thread = thread::Builder::new()
            .name("volley-expr".into())
            .stack_size(PLANNING_STACK_BYTES)
            .spawn_scoped(scope, work)?;
        Ok(thread.join().unwrap_or_else(|panic| panic::resume_unwind(panic)))
    })
}

fn parser_options() -> ParserOptions {
    // Names as they stand in the schema; text as Utf8, which every format and every plugin takes.
    ParserOptions::new().with_enable_ident_normalization(false).with_map_string_types_to_utf8view(false)
}

/// Coerces types, folds constants, and turns views, which some functions return, into what sinks and plugins take.
fn settle(logical: Expr, schema: &DFSchema) -> Result<Expr, DataFusionError> {
    let context = SimplifyContext::default()
        .with_schema(Arc::new(schema.clone()))
        .with_config_options(Arc::clone(context::options()));
    let simplifier = ExprSimplifier::new(context);
    let settled = simplifier.simplify(simplifier.coerce(logical, schema)?)?.unalias();
    let plain = match settled.get_type(schema)? {
        DataType::Utf8View => DataType::Utf8,
        DataType::BinaryView => DataType::Binary,
        _ => return Ok(settled),
    };
    // A column that is only passed on stays what it is.
    let passed_on = matches!(settled, Expr::Column(_));
    Ok(if passed_on { settled } else { Expr::Cast(Cast::new(Box::new(settled), plain)) })
}

/// What is wrong where planning stops: what a given function says for itself, or DataFusion's reason.
fn unfit(sql: &str, error: &DataFusionError) -> Error {
    match call_site::found(error) {
        Some(call) => call.while_planning(sql),
        None => Error::Type { sql: sql.into(), reason: reason(error) },
    }
}

fn physical(sql: &str, logical: &Expr, schema: &SchemaRef) -> Result<Plan> {
    let unfit = |error: DataFusionError| unfit(sql, &error);
    let names = logical.column_refs();
    let mut reads: Vec<usize> = names.iter().filter_map(|column| schema.index_of(&column.name).ok()).collect();
    reads.sort_unstable();
    let reads_schema = project(schema, &reads);
    let df_schema = DFSchema::try_from(Arc::clone(&reads_schema)).map_err(unfit)?;
    let mut props = ExecutionProps::new();
    props.config_options = Some(Arc::clone(context::options()));
    let physical = create_physical_expr(logical, &df_schema, &props).map_err(unfit)?;
    let data_type = physical.data_type(&reads_schema).map_err(unfit)?;
    let nullable = physical.nullable(&reads_schema).map_err(unfit)?;
    if data_type == DataType::Null {
        let what = "is null for every row and has no type: say which, as in CAST(NULL AS BIGINT)";
        return Err(Error::Refused { sql: sql.into(), what: what.into() });
    }
    let column = if let Expr::Column(column) = logical { schema.index_of(&column.name).ok() } else { None };
    let comparison = Comparison::of(&*physical);
    Ok(Plan { physical, data_type, nullable, reads, reads_schema, column, comparison })
}

/// The given columns of a schema, in that order, without its metadata.
pub(crate) fn project(schema: &Schema, columns: &[usize]) -> SchemaRef {
    Arc::new(Schema::new(columns.iter().map(|&column| Arc::clone(&schema.fields()[column])).collect::<Vec<_>>()))
}

/// Refuses what the coercion would let pass with a surprise, or refuse with words that are not the author's: text
/// compared with numbers (DataFusion compares both as text, where `'9' > '15'`), and `NOT` of something else than true
/// or false.
fn refuse_surprises(sql: &str, logical: &Expr, schema: &DFSchema) -> Result<()> {
    let mut surprise = None;
    let walked = logical.apply(|expr| {
        let pairs: Vec<(&Expr, &Expr)> = match expr {
            Expr::Not(inner) => {
                surprise = not_of_what(inner, schema);
                Vec::new()
            }
            Expr::BinaryExpr(BinaryExpr { left, op, right }) if is_comparison(*op) => vec![(left, right)],
            Expr::Between(Between { expr, low, high, .. }) => vec![(expr, low), (expr, high)],
            Expr::InList(InList { expr, list, .. }) => list.iter().map(|item| (&**expr, item)).collect(),
            _ => Vec::new(),
        };
        surprise = surprise.take().or_else(|| pairs.iter().find_map(|(left, right)| mixed_types(left, right, schema)));
        Ok(if surprise.is_some() { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
    });
    let reason = match walked {
        Err(error) if call_site::found(&error).is_some() => return Err(unfit(sql, &error)),
        Err(error) => Some(reason(&error)),
        Ok(_) => surprise,
    };
    reason.map_or(Ok(()), |reason| Err(Error::Type { sql: sql.into(), reason }))
}

fn not_of_what(inner: &Expr, schema: &DFSchema) -> Option<String> {
    match inner.get_type(schema).ok()? {
        DataType::Boolean | DataType::Null => None,
        other => Some(format!("NOT needs true or false, and `{}` is {other}", written(inner))),
    }
}

/// An expression as its author may have written it.
fn written(expr: &Expr) -> String {
    match expr {
        Expr::Literal(value, _) if value.data_type().is_string() => format!("'{value}'"),
        Expr::Literal(value, _) => value.to_string(),
        other => other.to_string(),
    }
}

fn is_comparison(op: Operator) -> bool {
    matches!(
        op,
        Operator::Eq
            | Operator::NotEq
            | Operator::Lt
            | Operator::LtEq
            | Operator::Gt
            | Operator::GtEq
            | Operator::IsDistinctFrom
            | Operator::IsNotDistinctFrom
    )
}

fn mixed_types(left: &Expr, right: &Expr, schema: &DFSchema) -> Option<String> {
    // A side whose type is not known yet is left to the coercion, which has its own words.
    let (left_type, right_type) = (left.get_type(schema).ok()?, right.get_type(schema).ok()?);
    let is_number = |data_type: &DataType| data_type.is_numeric();
    let is_text = |data_type: &DataType| match data_type {
        DataType::Dictionary(_, value) => value.is_string(),
        other => other.is_string(),
    };
    let mixed = is_number(&left_type) && is_text(&right_type) || is_text(&left_type) && is_number(&right_type);
    mixed.then(|| {
        format!(
            "`{}` ({left_type}) is compared with `{}` ({right_type}): numbers are written without quotes, \
             and text is made a number by CAST(… AS DOUBLE)",
            written(left),
            written(right)
        )
    })
}
