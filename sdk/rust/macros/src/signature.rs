//! The signature of a row-wise function: which arguments are columns, configuration, or outputs.

use proc_macro2::TokenStream;
use syn::{Attribute, FnArg, GenericParam, Ident, ItemFn, LitStr, Pat, Type};

use crate::parts::check_name;
use crate::states::{State, no_state};
use crate::types::{check_argument, generic, ident, text};

/// A function that has what a row-wise operator needs.
pub(crate) struct Signature {
    /// The function, without the attributes that only the macros know.
    pub(crate) function: ItemFn,
    /// Its arguments in order.
    pub(crate) arguments: Vec<Argument>,
    /// What the function calls them.
    pub(crate) names: Vec<Ident>,
}

/// What an argument is.
pub(crate) enum Argument {
    /// `#[config] config: &T`
    Config(Type),
    /// A column.
    Column(Column),
    /// `name: &mut Emit<T>`, an output port of a flat-map or a process.
    Emit { name: Ident, row: Type },
    /// `name: &mut Value<T>`, or `Map`, `List`, `Merged`: a state of a process.
    State(Box<State>),
    /// `timers: &mut Timers`, of a process.
    Timers,
    /// `#[time] at_ms: i64`, the event time of the row, of a process.
    Time,
}

/// A column that the function reads.
pub(crate) struct Column {
    /// The column's name.
    pub(crate) name: LitStr,
    /// The argument's type.
    pub(crate) read_as: Type,
}

impl Signature {
    /// Takes a function apart; `kind` is what messages call it.
    pub(crate) fn parse(tokens: TokenStream, kind: &str) -> syn::Result<Self> {
        let mut function: ItemFn = syn::parse2(tokens).map_err(|error| {
            syn::Error::new(error.span(), format!("#[{kind}] belongs on a function: `fn name(column: f64, …) -> …`"))
        })?;
        check_form(&function, kind)?;
        let (mut arguments, mut names) = (Vec::new(), Vec::new());
        for (index, input) in function.sig.inputs.iter_mut().enumerate() {
            let (name, argument) = parse_argument(input, index, kind)?;
            names.push(name);
            arguments.push(argument);
        }
        let signature = Self { function, arguments, names };
        signature.check_twice()?;
        Ok(signature)
    }

    /// The columns in order.
    pub(crate) fn columns(&self) -> impl Iterator<Item = &Column> {
        self.arguments.iter().filter_map(|argument| match argument {
            Argument::Column(column) => Some(column),
            _ => None,
        })
    }

    /// The configuration's type.
    pub(crate) fn config(&self) -> Option<&Type> {
        self.arguments.iter().find_map(|argument| match argument {
            Argument::Config(config) => Some(config),
            _ => None,
        })
    }

    /// The states in order.
    pub(crate) fn states(&self) -> impl Iterator<Item = &State> {
        self.arguments.iter().filter_map(|argument| match argument {
            Argument::State(state) => Some(&**state),
            _ => None,
        })
    }

    /// Whether the function wants to know event times.
    pub(crate) fn has_time(&self) -> bool {
        self.arguments.iter().any(|argument| matches!(argument, Argument::Time))
    }

    /// The output ports in order.
    pub(crate) fn emits(&self) -> impl Iterator<Item = (&Ident, &Type)> {
        self.arguments.iter().filter_map(|argument| match argument {
            Argument::Emit { name, row } => Some((name, row)),
            _ => None,
        })
    }

    fn check_twice(&self) -> syn::Result<()> {
        let columns: Vec<&Column> = self.columns().collect();
        for (index, column) in columns.iter().enumerate() {
            if columns[..index].iter().any(|other| other.name.value() == column.name.value()) {
                let message = format!("column `{}` is read by two arguments: one is enough", column.name.value());
                return Err(syn::Error::new(column.name.span(), message));
            }
        }
        Ok(())
    }
}

fn check_form(function: &ItemFn, kind: &str) -> syn::Result<()> {
    let signature = &function.sig;
    if let Some(token) = &signature.asyncness {
        let message =
            format!("a {kind} function is not async: it is called for every row, and the host waits for nothing");
        return Err(syn::Error::new_spanned(token, message));
    }
    if let Some(token) = &signature.unsafety {
        return Err(syn::Error::new_spanned(
            token,
            format!("a {kind} function is not unsafe: it is called by safe code"),
        ));
    }
    for parameter in &signature.generics.params {
        if !matches!(parameter, GenericParam::Lifetime(_)) {
            let message =
                format!("a {kind} function has no type parameters: its argument types say what columns it reads");
            return Err(syn::Error::new_spanned(parameter, message));
        }
    }
    if let Some(variadic) = &signature.variadic {
        return Err(syn::Error::new_spanned(variadic, "name the columns: there are no variable arguments"));
    }
    Ok(())
}

/// An argument, and what the function calls it.
fn parse_argument(input: &mut FnArg, index: usize, kind: &str) -> syn::Result<(Ident, Argument)> {
    let argument = match input {
        FnArg::Typed(argument) => argument,
        FnArg::Receiver(receiver) => {
            let message =
                format!("a {kind} function stands alone, it has no self; a configuration is `#[config] config: &T`");
            return Err(syn::Error::new_spanned(receiver, message));
        }
    };
    let config = take_attribute(&mut argument.attrs, "config");
    let renamed = take_attribute(&mut argument.attrs, "column");
    let Pat::Ident(name) = &*argument.pat else {
        let message = "an argument is a plain name, that of its column: take it apart inside the function";
        return Err(syn::Error::new_spanned(&argument.pat, message));
    };
    let name = name.ident.clone();
    if let Some(attribute) = config {
        return Ok((name, parse_config(&argument.ty, &attribute, index)?));
    }
    if let Type::Reference(reference) = &*argument.ty
        && let Some(row) = generic(&reference.elem, "Emit")
    {
        if kind != "flat_map" && kind != "process" {
            let message = format!("a {kind} has no ports to emit to: that is for #[flat_map]");
            return Err(syn::Error::new_spanned(&argument.ty, message));
        }
        let port = used(&name);
        return Ok((name, Argument::Emit { name: port, row: row.clone() }));
    }
    if kind == "process" {
        if take_attribute(&mut argument.attrs, "time").is_some() {
            if ident(&argument.ty).as_deref() == Some("i64") {
                return Ok((name, Argument::Time));
            }
            let message = "the event time of a row is in milliseconds: write `#[time] at_ms: i64`";
            return Err(syn::Error::new_spanned(&argument.ty, message));
        }
        let declared = take_attribute(&mut argument.attrs, "state");
        if let Type::Reference(reference) = &*argument.ty {
            if let Some(state) = State::parse(used(&name), &reference.elem, declared.as_ref())? {
                return Ok((name, Argument::State(Box::new(state))));
            }
            if ident(&reference.elem).as_deref() == Some("Timers") {
                return Ok((name, Argument::Timers));
            }
        }
        if let Some(attribute) = declared {
            return Err(no_state(&attribute, &argument.ty));
        }
    }
    check_argument(&argument.ty)?;
    let column = match renamed {
        Some(attribute) => attribute
            .parse_args::<LitStr>()
            .map_err(|error| syn::Error::new(error.span(), "write the column's name as a text: #[column(\"name\")]"))?,
        // A raw identifier stands for the plain word.
        None => LitStr::new(name.to_string().trim_start_matches("r#"), name.span()),
    };
    check_name(&column)?;
    Ok((name, Argument::Column(Column { name: column, read_as: (*argument.ty).clone() })))
}

/// A name without the underscore that says that one of the functions does not use it.
fn used(name: &Ident) -> Ident {
    match name.to_string().trim_start_matches('_') {
        "" => name.clone(),
        used => Ident::new(used, name.span()),
    }
}

fn parse_config(config: &Type, attribute: &Attribute, index: usize) -> syn::Result<Argument> {
    if index != 0 {
        return Err(syn::Error::new_spanned(attribute, "the configuration is the first argument"));
    }
    match config {
        Type::Reference(reference) if reference.mutability.is_none() => Ok(Argument::Config((*reference.elem).clone())),
        other => {
            let found = text(other);
            let message =
                format!("the configuration is lent to the function: write `&{}`", found.trim_start_matches("&mut "));
            Err(syn::Error::new_spanned(other, message))
        }
    }
}

pub(crate) fn take_attribute(attributes: &mut Vec<Attribute>, name: &str) -> Option<Attribute> {
    let place = attributes.iter().position(|attribute| attribute.path().is_ident(name))?;
    Some(attributes.remove(place))
}
