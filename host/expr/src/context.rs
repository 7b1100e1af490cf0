//! What DataFusion's planner asks of its surroundings: functions, options, and nothing else.

use std::sync::{Arc, LazyLock};

use arrow::datatypes::DataType;
use datafusion_common::config::ConfigOptions;
use datafusion_common::{DFSchema, Result, TableReference, plan_err};
use datafusion_expr::expr::ScalarFunction;
use datafusion_expr::planner::{ContextProvider, ExprPlanner, PlannerResult, RawFieldAccessExpr};
use datafusion_expr::{AggregateUDF, Expr, GetFieldAccess, ScalarUDF, TableSource, WindowUDF, lit};

use crate::functions;
use crate::given::Functions;

/// The options of planning and evaluation: DataFusion's own defaults, never the environment's, so that an expression
/// means the same everywhere.
pub(crate) fn options() -> &'static Arc<ConfigOptions> {
    static OPTIONS: LazyLock<Arc<ConfigOptions>> = LazyLock::new(|| Arc::new(ConfigOptions::new()));
    &OPTIONS
}

/// A world without tables.
pub(crate) struct Context<'a> {
    planners: Vec<Arc<dyn ExprPlanner>>,
    functions: &'a Functions,
}

impl<'a> Context<'a> {
    pub(crate) fn new(functions: &'a Functions) -> Self {
        Self {
            functions,
            planners: vec![
                Arc::new(datafusion_functions::core::planner::CoreFunctionPlanner::default()),
                Arc::new(datafusion_functions::datetime::planner::DatetimeFunctionPlanner),
                Arc::new(datafusion_functions::unicode::planner::UnicodeFunctionPlanner),
                Arc::new(StructFieldPlanner),
            ],
        }
    }
}

/// Plans `column['field']`, which the core planner knows only as `column.field`.
#[derive(Debug)]
struct StructFieldPlanner;

impl ExprPlanner for StructFieldPlanner {
    fn plan_field_access(
        &self,
        access: RawFieldAccessExpr,
        _schema: &DFSchema,
    ) -> Result<PlannerResult<RawFieldAccessExpr>> {
        let RawFieldAccessExpr { field_access: GetFieldAccess::NamedStructField { name }, expr } = access else {
            return plan_err!("elements of a list cannot be reached, only fields of a struct, as in column['field']");
        };
        let get_field = datafusion_functions::core::get_field();
        Ok(PlannerResult::Planned(Expr::ScalarFunction(ScalarFunction::new_udf(get_field, vec![expr, lit(name)]))))
    }
}

impl ContextProvider for Context<'_> {
    fn get_table_source(&self, name: TableReference) -> Result<Arc<dyn TableSource>> {
        plan_err!("an expression has no tables, and so no `{name}`")
    }

    fn get_expr_planners(&self) -> &[Arc<dyn ExprPlanner>] {
        &self.planners
    }

    fn get_function_meta(&self, name: &str) -> Option<Arc<ScalarUDF>> {
        let name = name.to_lowercase();
        functions::get(&name).or_else(|| self.functions.call_site(&name))
    }

    fn get_aggregate_meta(&self, _name: &str) -> Option<Arc<AggregateUDF>> {
        None
    }

    fn get_window_meta(&self, _name: &str) -> Option<Arc<WindowUDF>> {
        None
    }

    fn get_variable_type(&self, _variable_names: &[String]) -> Option<DataType> {
        None
    }

    fn options(&self) -> &ConfigOptions {
        options()
    }

    fn udf_names(&self) -> Vec<String> {
        self.functions.names().map(str::to_owned).collect()
    }

    fn udaf_names(&self) -> Vec<String> {
        Vec::new()
    }

    fn udwf_names(&self) -> Vec<String> {
        Vec::new()
    }
}
