//! Functions that an expression may call beside the built-in ones, by name.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use datafusion_expr::ScalarUDF;
use volley_api::{NodeName, OperatorContext, ScalarContext, ScalarFunctionFactory};

use crate::call_site::CallSite;
use crate::error::{Error, Result};
use crate::functions::{self, Known};

/// The most functions that can be given.
const FUNCTIONS_MAX: usize = 1_000;

/// The longest name, in bytes.
const NAME_BYTES_MAX: usize = 64;

/// Functions that expressions may call beside the built-in ones. Cheap to clone; default: none.
#[derive(Clone, Default)]
pub struct Functions {
    by_name: Arc<BTreeMap<String, Arc<dyn ScalarFunctionFactory>>>,
    /// The operator that calls them; none while planning.
    context: Option<ScalarContext>,
    /// The calls that an operator may make, so that it can end them.
    calls: Arc<Mutex<Vec<CallSite>>>,
    /// Whether they are known only to be refused.
    is_refused: bool,
}

impl Functions {
    /// These functions by name.
    ///
    /// # Errors
    /// When a name is not `[a-z][a-z0-9_]*` of at most 64 bytes, or is that of a built-in function.
    pub fn new(functions: impl IntoIterator<Item = (String, Arc<dyn ScalarFunctionFactory>)>) -> Result<Self> {
        let by_name: BTreeMap<_, _> = functions.into_iter().collect();
        if by_name.len() > FUNCTIONS_MAX {
            let seen = by_name.len();
            return Err(Error::Functions(format!("{seen} functions are given, and the limit is {FUNCTIONS_MAX}")));
        }
        for name in by_name.keys() {
            Self::check_name(name)?;
        }
        Ok(Self { by_name: Arc::new(by_name), ..Self::default() })
    }

    /// Whether expressions give the same for the same rows when these are read again: no function that stands in them depends
    /// on more. A name in a text of theirs counts as well.
    pub(crate) fn are_repeatable_in<'a>(&self, expressions: impl IntoIterator<Item = &'a str>) -> bool {
        let others: Vec<&str> =
            self.by_name.iter().filter(|(_, function)| !function.is_repeatable()).map(|(name, _)| &name[..]).collect();
        let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        let mut expressions = expressions.into_iter();
        others.is_empty()
            || !expressions.any(|sql| {
                let words = sql.split(|letter: char| !u8::try_from(letter).is_ok_and(is_word));
                words.map(str::to_lowercase).any(|word| others.contains(&word.as_str()))
            })
    }

    /// Whether a function may have that name.
    ///
    /// # Errors
    /// As [`Functions::new`].
    pub fn check_name(name: &str) -> Result<()> {
        check_name(name)
    }

    /// The same functions, with instances for this operator.
    #[must_use]
    pub(crate) fn at_work(&self, context: &OperatorContext) -> Self {
        let context = ScalarContext {
            node: context.node.clone(),
            subtask: context.subtask,
            clock: Arc::clone(&context.clock),
            seeds: context.seeds,
        };
        Self { context: Some(context), calls: Arc::default(), ..self.clone() }
    }

    /// The same names, each of which is refused where it is called.
    pub(crate) fn refused(&self) -> Self {
        Self { is_refused: true, ..self.clone() }
    }

    pub(crate) fn is_refused(&self) -> bool {
        self.is_refused
    }

    /// Ends the instances of the operator, after its last row.
    pub(crate) fn close(&self) -> volley_api::Result<()> {
        let calls = std::mem::take(&mut *self.calls.lock().unwrap_or_else(PoisonError::into_inner));
        calls.iter().try_for_each(CallSite::close)
    }

    /// What `name`, in lower case, stands for.
    pub(crate) fn known(&self, name: &str) -> Known {
        match functions::known(name) {
            Known::Nothing if self.by_name.contains_key(name) => Known::Given,
            known => known,
        }
    }

    /// The names of all functions that may be called, built-in ones too.
    pub(crate) fn names<'a>(&'a self) -> impl Iterator<Item = &'a str> {
        let built_in = functions::names().map(|name| -> &'a str { name });
        built_in.chain(self.by_name.keys().map(String::as_str))
    }

    /// One place that calls the function of that name.
    pub(crate) fn call_site(&self, name: &str) -> Option<Arc<ScalarUDF>> {
        let factory = Arc::clone(self.by_name.get(name)?);
        let (context, is_at_work) = match &self.context {
            Some(context) => (context.clone(), true),
            // Names of functions are names of nodes too.
            None => (ScalarContext::planning(NodeName::new(name).ok()?), false),
        };
        let site = CallSite::new(name, factory, context);
        if is_at_work {
            self.calls.lock().unwrap_or_else(PoisonError::into_inner).push(site.clone());
        }
        Some(Arc::new(ScalarUDF::new_from_impl(site)))
    }
}

impl fmt::Debug for Functions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.by_name.keys()).finish()
    }
}

fn check_name(name: &str) -> Result<()> {
    let mut bytes = name.bytes();
    let begins_well = bytes.next().is_some_and(|byte| byte.is_ascii_lowercase());
    let goes_on_well = bytes.all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
    if !begins_well || !goes_on_well || name.len() > NAME_BYTES_MAX {
        let name: String = name.chars().take(NAME_BYTES_MAX).collect();
        return Err(Error::Functions(format!(
            "`{name}` is no name of a function: use a lower-case letter, then letters, digits or `_`, at most \
             {NAME_BYTES_MAX} in all"
        )));
    }
    match functions::known(name) {
        Known::Nothing => Ok(()),
        _ => Err(Error::Functions(format!("the function `{name}` is built in: give yours another name"))),
    }
}
