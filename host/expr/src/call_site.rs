//! One place of an expression that calls a given function, as DataFusion knows functions.

use std::any::Any;
use std::error::Error as StdError;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::{RecordBatch, RecordBatchOptions};
use arrow::datatypes::{DataType, Field, FieldRef, Schema, SchemaRef};
use datafusion_common::{DataFusionError, Result, ScalarValue, internal_datafusion_err};
use datafusion_expr::simplify::{ExprSimplifyResult, SimplifyContext};
use datafusion_expr::{
    ColumnarValue, Expr, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDFImpl, Signature, TypeSignature, Volatility,
};
use volley_api::{ScalarBinding, ScalarContext, ScalarFunction, ScalarFunctionFactory, ScalarOutcome};

use crate::error::Error;

/// One place that calls a function. Clones are the same place.
#[derive(Debug, Clone)]
pub(crate) struct CallSite(Arc<Site>);

struct Site {
    name: String,
    factory: Arc<dyn ScalarFunctionFactory>,
    context: ScalarContext,
    /// Every function is taken for one whose results depend on more than its arguments: which is not, is known only with the
    /// types. What comes of constants alone is asked for once all the same.
    signature: Signature,
    /// The instance, and the types that it is for: coercion may change them while the expression is planned.
    instance: Mutex<Option<(SchemaRef, Box<dyn ScalarFunction>)>>,
}

impl fmt::Debug for Site {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Site").field("name", &self.name).field("factory", &self.factory).finish_non_exhaustive()
    }
}

impl PartialEq for CallSite {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for CallSite {}

impl Hash for CallSite {
    fn hash<H: Hasher>(&self, state: &mut H) {
        Arc::as_ptr(&self.0).hash(state);
    }
}

/// What a call has failed with, on its way through DataFusion.
#[derive(Debug)]
pub(crate) struct CallFailure {
    function: String,
    error: volley_api::Error,
    /// Whether no other rows are worth trying.
    pub(crate) is_final: bool,
}

impl fmt::Display for CallFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.error.report())
    }
}

impl StdError for CallFailure {}

impl CallFailure {
    /// The function refuses its arguments, or constants.
    pub(crate) fn while_planning(&self, sql: &str) -> Error {
        self.at_no_row(sql)
    }

    pub(crate) fn at_no_row(&self, sql: &str) -> Error {
        self.told(sql, None, "")
    }

    pub(crate) fn at_row(&self, sql: &str, row_index: usize, row: &str) -> Error {
        self.told(sql, Some(row_index), row)
    }

    fn told(&self, sql: &str, row_index: Option<usize>, row: &str) -> Error {
        Error::Function {
            sql: sql.into(),
            function: self.function.clone(),
            row_index,
            row: row.into(),
            reason: self.error.report(),
            kind: self.error.kind(),
            is_retryable: self.error.is_retryable(),
        }
    }
}

/// The failure of a given function that an error of DataFusion comes from.
pub(crate) fn found(error: &DataFusionError) -> Option<&CallFailure> {
    if let DataFusionError::Collection(errors) = error {
        return errors.iter().find_map(found);
    }
    let mut cause: Option<&(dyn StdError + 'static)> = Some(error);
    while let Some(error) = cause {
        if let Some(call) = error.downcast_ref::<CallFailure>() {
            return Some(call);
        }
        if let Some(DataFusionError::External(inner)) = error.downcast_ref::<DataFusionError>()
            && let Some(call) = inner.downcast_ref::<CallFailure>()
        {
            return Some(call);
        }
        cause = error.source();
    }
    None
}

impl CallSite {
    pub(crate) fn new(name: &str, factory: Arc<dyn ScalarFunctionFactory>, context: ScalarContext) -> Self {
        let signature =
            Signature::one_of(vec![TypeSignature::Nullary, TypeSignature::UserDefined], Volatility::Volatile);
        Self(Arc::new(Site { name: name.to_owned(), factory, context, signature, instance: Mutex::default() }))
    }

    /// Ends the instance, where there is one.
    pub(crate) fn close(&self) -> volley_api::Result<()> {
        match self.0.instance.lock().unwrap_or_else(PoisonError::into_inner).take() {
            Some((_, mut instance)) => instance.close(),
            None => Ok(()),
        }
    }

    fn failed(&self, error: volley_api::Error, is_final: bool) -> DataFusionError {
        DataFusionError::External(Box::new(CallFailure { function: self.0.name.clone(), error, is_final }))
    }

    fn bind(&self, arguments: &SchemaRef) -> Result<ScalarBinding> {
        self.0.factory.bind(arguments).map_err(|error| self.failed(error, true))
    }

    fn call(&self, batch: &RecordBatch) -> Result<ScalarOutcome> {
        let mut slot = self.0.instance.lock().unwrap_or_else(PoisonError::into_inner);
        let arguments = batch.schema();
        if slot.as_ref().is_none_or(|(known, _)| *known != arguments) {
            let made = self.0.factory.create(&arguments, self.0.context.clone());
            *slot = Some((Arc::clone(&arguments), made.map_err(|error| self.failed(error, true))?));
        }
        let Some((_, instance)) = slot.as_mut() else { return Err(internal_datafusion_err!("no instance")) };
        instance.call(batch).map_err(|error| self.failed(error, true))
    }
}

/// The arguments under the names that functions know them by. Nulls may be anywhere: what is known of them changes while an
/// expression is planned, and what a function has agreed to must not.
fn named<'a>(types: impl Iterator<Item = &'a DataType>) -> SchemaRef {
    let field = |(index, data_type): (usize, &DataType)| Field::new(format!("arg{index}"), data_type.clone(), true);
    Arc::new(Schema::new(types.enumerate().map(field).collect::<Vec<_>>()))
}

impl ScalarUDFImpl for CallSite {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn name(&self) -> &str {
        &self.0.name
    }

    fn signature(&self) -> &Signature {
        &self.0.signature
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        Ok(types.to_vec())
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        Ok(self.bind(&named(types.iter()))?.data_type)
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        let binding = self.bind(&named(args.arg_fields.iter().map(|field| field.data_type())))?;
        Ok(Arc::new(Field::new(self.name(), binding.data_type, binding.nullable)))
    }

    /// Constants are folded where the results depend on nothing else. What they fail with is told when rows need it.
    fn simplify(&self, args: Vec<Expr>, _info: &SimplifyContext) -> Result<ExprSimplifyResult> {
        let literals: Option<Vec<&ScalarValue>> = args
            .iter()
            .map(|expr| match expr {
                Expr::Literal(value, _) => Some(value),
                _ => None,
            })
            .collect();
        let Some(literals) = literals else { return Ok(ExprSimplifyResult::Original(args)) };
        let types: Vec<DataType> = literals.iter().map(|value| value.data_type()).collect();
        let arguments = named(types.iter());
        if !self.bind(&arguments)?.is_deterministic {
            return Ok(ExprSimplifyResult::Original(args));
        }
        let columns = literals.iter().map(|value| value.to_array()).collect::<Result<Vec<_>>>()?;
        let options = RecordBatchOptions::new().with_row_count(Some(1));
        let batch = RecordBatch::try_new_with_options(arguments, columns, &options)?;
        match self.call(&batch) {
            Ok(ScalarOutcome::Values(values)) => {
                Ok(ExprSimplifyResult::Simplified(Expr::Literal(ScalarValue::try_from_array(&values, 0)?, None)))
            }
            Ok(ScalarOutcome::NotTogether(_)) | Err(_) => Ok(ExprSimplifyResult::Original(args)),
        }
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let arguments = named(args.arg_fields.iter().map(|field| field.data_type()));
        let is_constant = args.args.iter().all(|value| matches!(value, ColumnarValue::Scalar(_)));
        // What depends on nothing else is asked for once.
        let once = is_constant && args.number_rows > 1 && self.bind(&arguments)?.is_deterministic;
        let rows = if once { 1 } else { args.number_rows };
        if rows == 0 {
            return Ok(ColumnarValue::Array(arrow::array::new_empty_array(args.return_field.data_type())));
        }
        let columns = args.args.into_iter().map(|value| value.into_array(rows)).collect::<Result<Vec<_>>>()?;
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        let batch = RecordBatch::try_new_with_options(arguments, columns, &options)?;
        match self.call(&batch)? {
            ScalarOutcome::Values(values) if once => {
                Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(&values, 0)?))
            }
            ScalarOutcome::Values(values) => Ok(ColumnarValue::Array(values)),
            // Constants are the same for fewer rows.
            ScalarOutcome::NotTogether(error) => Err(self.failed(error, once)),
        }
    }
}
