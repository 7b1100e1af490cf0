//! Aggregates over one input: planned once, shared by all aggregators of a job's operator.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, FieldRef, SchemaRef};
use datafusion_sql::sqlparser::ast::Expr;
use volley_api::{AggregateBinding, EventTimeColumn};

use super::call::Call;
use super::create;
use super::function::{Function, Types};
use crate::Expression;
use crate::error::{Error, Result};
use crate::given::Functions;
use crate::{plan, projection};

/// Aggregates whose types are settled.
#[derive(Debug)]
pub(super) struct Bound {
    pub(super) input: SchemaRef,
    pub(super) event_time: Option<EventTimeColumn>,
    pub(super) items: Vec<BoundItem>,
    /// Each argument once, however many aggregates have it.
    pub(super) arguments: Vec<Argument>,
    /// Each condition once.
    pub(super) filters: Vec<Expression>,
}

/// One aggregate.
#[derive(Debug)]
pub(super) struct BoundItem {
    pub(super) name: String,
    pub(super) sql: String,
    pub(super) function: Function,
    pub(super) types: Types,
    /// Index of its argument; `None` where only rows are counted.
    pub(super) argument: Option<usize>,
    /// Index of its condition.
    pub(super) filter: Option<usize>,
    pub(super) state: Vec<FieldRef>,
}

/// An expression that aggregates are called with.
#[derive(Debug)]
pub(super) struct Argument {
    pub(super) expression: Expression,
    /// What its values are cast to.
    pub(super) data_type: DataType,
    /// Whether an aggregate without a condition has it.
    pub(super) for_all_rows: bool,
}

impl Bound {
    /// Plans the aggregates `(name, sql)` over the columns of `input`.
    pub(super) fn new(
        items: &[(String, String)],
        functions: &Functions,
        input: &SchemaRef,
        event_time: Option<&EventTimeColumn>,
    ) -> volley_api::Result<Self> {
        projection::check_names(items)?;
        let sql = items.first().map_or("", |(_, sql)| sql);
        let planned = plan::on_deep_stack(|| {
            let mut planner = Planner { input, functions, arguments: Vec::new(), filters: Vec::new() };
            let items = items.iter().map(|(name, sql)| planner.item(name, sql)).collect::<Result<Vec<_>>>()?;
            let arguments = planner.arguments.into_iter().map(|(_, argument)| argument).collect();
            let filters = planner.filters.into_iter().map(|(_, filter)| filter).collect();
            let (input, event_time) = (Arc::clone(input), event_time.cloned());
            Ok::<_, Error>(Self { input, event_time, items, arguments, filters })
        });
        let bound = planned.map_err(|error| plan::no_thread(sql, &error))??;
        bound.check_event_time()?;
        Ok(bound)
    }

    fn check_event_time(&self) -> volley_api::Result<()> {
        let Some(item) = self.items.iter().find(|item| item.function.needs_event_time()) else { return Ok(()) };
        match &self.event_time {
            Some(column) => {
                column.check(&self.input).map_err(|error| error.within(format!("aggregate `{}`", item.sql)))
            }
            None => {
                let what = "orders rows by event time, and the stream has none: declare `event_time` at its source, or \
                            use min or max";
                Err(Error::Aggregate { sql: item.sql.clone(), what: what.into() }.into())
            }
        }
    }

    /// Whether any aggregate orders rows.
    pub(super) fn needs_event_time(&self) -> bool {
        self.items.iter().any(|item| item.function.needs_event_time())
    }

    /// What is made of the input.
    pub(super) fn binding(&self) -> AggregateBinding {
        let result = |item: &BoundItem| {
            let nullable = !item.function.counts();
            Arc::new(Field::new(&item.name, item.types.result.clone(), nullable))
        };
        let arguments = self.items.iter().filter_map(|item| item.argument);
        let mut reads: Vec<String> = arguments.flat_map(|index| self.arguments[index].expression.reads()).collect();
        reads.extend(self.filters.iter().flat_map(Expression::reads));
        if let Some(column) = self.event_time.as_ref().filter(|_| self.needs_event_time()) {
            reads.push(column.name.to_string());
        }
        let names = self.input.fields().iter().map(|field| field.name());
        AggregateBinding {
            results: self.items.iter().map(|item| result(item) as FieldRef).collect(),
            state: self.items.iter().flat_map(|item| item.state.iter().cloned()).collect(),
            reads: names.filter(|name| reads.contains(name)).cloned().collect(),
            is_order_free: !self.needs_event_time(),
        }
    }
}

struct Planner<'a> {
    input: &'a SchemaRef,
    functions: &'a Functions,
    /// With the text and type by which equal ones are found.
    arguments: Vec<((String, DataType), Argument)>,
    /// With the text by which equal ones are found.
    filters: Vec<(String, Expression)>,
}

impl Planner<'_> {
    fn item(&mut self, name: &str, sql: &str) -> Result<BoundItem> {
        let Call { function, argument, filter } = Call::parse(sql)?;
        let filter = filter.map(|filter| self.filter(sql, filter)).transpose()?;
        let (types, argument) = match argument {
            None => (Types { argument: DataType::Null, result: DataType::Int64 }, None),
            Some(tree) => self.argument(sql, function, tree, filter.is_none())?,
        };
        let state = create::state(name, function, &types);
        Ok(BoundItem { name: name.into(), sql: sql.into(), function, types, argument, filter, state })
    }

    fn filter(&mut self, sql: &str, tree: Expr) -> Result<usize> {
        let text = tree.to_string();
        if let Some(index) = self.filters.iter().position(|(known, _)| *known == text) {
            return Ok(index);
        }
        let filter = Expression::of_tree(sql, tree, self.input, self.functions)?;
        match filter.data_type() {
            DataType::Boolean => self.filters.push((text, filter)),
            found => return Err(Error::NotBoolean { sql: text, found: found.to_string() }),
        }
        Ok(self.filters.len() - 1)
    }

    fn argument(
        &mut self,
        sql: &str,
        function: Function,
        tree: Expr,
        for_all_rows: bool,
    ) -> Result<(Types, Option<usize>)> {
        let text = tree.to_string();
        let expression = Expression::of_tree(sql, tree, self.input, self.functions)?;
        let types = function.types(expression.data_type()).map_err(|takes| Error::Aggregate {
            sql: sql.into(),
            what: format!("takes {takes}, and `{text}` is {}", expression.data_type()),
        })?;
        if function == Function::Count && expression.column().is_some() && !expression.nullable() {
            // All rows count, and there is nothing to compute.
            return Ok((types, None));
        }
        let key = (text, types.argument.clone());
        let index = self.arguments.iter().position(|(known, _)| *known == key).unwrap_or_else(|| {
            let data_type = types.argument.clone();
            self.arguments.push((key, Argument { expression, data_type, for_all_rows: false }));
            self.arguments.len() - 1
        });
        self.arguments[index].1.for_all_rows |= for_all_rows;
        Ok((types, Some(index)))
    }
}
