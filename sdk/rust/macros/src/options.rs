//! What stands in the parentheses of an attribute: `output`, `outputs`, `replace`.

use proc_macro2::TokenStream;
use syn::parse::{ParseStream, Parser};
use syn::{Ident, LitStr, Token, bracketed};

use crate::parts::check_name;

/// The options of `map` and `flat_map`.
#[derive(Default)]
pub(crate) struct Options {
    /// How the output columns are named.
    pub(crate) names: Names,
    /// Whether the output is these columns alone.
    pub(crate) replace: bool,
    /// Whether a process brings state over, or holds some itself.
    pub(crate) snapshot: Option<Ident>,
    /// What the timers of a process call.
    pub(crate) on_timer: Option<syn::Path>,
}

/// How the output columns are named.
#[derive(Default)]
pub(crate) enum Names {
    /// By the row's own struct.
    #[default]
    ByStruct,
    /// One value, one name.
    One(LitStr),
    /// A tuple, a name for each of its values.
    Tuple(Vec<LitStr>),
}

impl Options {
    /// An error where timers are named and there are none.
    pub(crate) fn without_timers(self, kind: &str) -> syn::Result<Self> {
        if let Some(snapshot) = &self.snapshot {
            return Err(syn::Error::new(snapshot.span(), format!("a {kind} has no state: that is for #[process]")));
        }
        match &self.on_timer {
            None => Ok(self),
            Some(path) => Err(syn::Error::new_spanned(path, format!("a {kind} has no timers: that is for #[process]"))),
        }
    }

    /// Reads the options.
    pub(crate) fn parse(tokens: TokenStream) -> syn::Result<Self> {
        (|input: ParseStream<'_>| {
            let mut options = Self::default();
            while !input.is_empty() {
                options.parse_one(input)?;
                if !input.is_empty() {
                    input.parse::<Token![,]>()?;
                }
            }
            Ok(options)
        })
        .parse2(tokens)
    }

    fn parse_one(&mut self, input: ParseStream<'_>) -> syn::Result<()> {
        let key: Ident = input.parse()?;
        let named = !matches!(self.names, Names::ByStruct);
        match key.to_string().as_str() {
            "output" | "outputs" if named => {
                Err(syn::Error::new(key.span(), "the output columns are named already: keep one of them"))
            }
            "output" => {
                input.parse::<Token![=]>()?;
                let name: LitStr = input.parse()?;
                check_name(&name)?;
                self.names = Names::One(name);
                Ok(())
            }
            "outputs" => {
                input.parse::<Token![=]>()?;
                self.names = Names::Tuple(parse_names(input)?);
                Ok(())
            }
            "replace" => {
                self.replace = true;
                Ok(())
            }
            "snapshot" => {
                self.snapshot = Some(key);
                Ok(())
            }
            "on_timer" => {
                input.parse::<Token![=]>()?;
                self.on_timer = Some(input.parse()?);
                Ok(())
            }
            other => Err(syn::Error::new(
                key.span(),
                format!(
                    "unknown option `{other}`: there are `output = \"…\"`, `outputs = [\"…\", \"…\"]` and `replace`"
                ),
            )),
        }
    }
}

fn parse_names(input: ParseStream<'_>) -> syn::Result<Vec<LitStr>> {
    let content;
    let bracket = bracketed!(content in input);
    let names: Vec<LitStr> =
        content.parse_terminated(<LitStr as syn::parse::Parse>::parse, Token![,])?.into_iter().collect();
    if names.is_empty() {
        return Err(syn::Error::new(bracket.span.join(), "name at least one output column"));
    }
    for (index, name) in names.iter().enumerate() {
        check_name(name)?;
        if names[..index].iter().any(|other| other.value() == name.value()) {
            return Err(syn::Error::new(name.span(), format!("two output columns are called `{}`", name.value())));
        }
    }
    Ok(names)
}
