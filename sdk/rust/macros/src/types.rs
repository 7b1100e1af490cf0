//! What is said about types by looking at them: the usual mistakes, each with the type to use instead. Whether a
//! type is a column's at all is left to the traits of `volley_sdk::row`, which see through aliases.

use proc_macro2::{Spacing, TokenStream, TokenTree};
use quote::ToTokens;
use syn::{GenericArgument, PathArguments, ReturnType, Type, TypeParamBound};

/// Types that authors reach for first, and what a column is read as instead.
const INSTEAD: &[(&str, &str)] = &[
    ("String", "&str"),
    ("usize", "u64"),
    ("isize", "i64"),
    ("u128", "u64, or Decimal<P, S> for a Decimal128 column"),
    ("i128", "i64, or Decimal<P, S> for a Decimal128 column"),
    ("char", "&str"),
    ("str", "&str"),
];

/// Refuses types that can be told to be wrong as an argument.
pub(crate) fn check_argument(argument: &Type) -> syn::Result<()> {
    let refuse = |instead: &str| {
        let found = text(argument);
        let message = format!("a column cannot be read as `{found}`: take {instead}");
        Err(syn::Error::new_spanned(argument, message))
    };
    if let Some(inner) = generic(argument, "Option") {
        return check_argument(inner);
    }
    match argument {
        Type::Reference(reference) if reference.mutability.is_some() => {
            refuse("the value itself; only `out: &mut Emit<…>` of a flat_map is mutable")
        }
        Type::Reference(reference) => match &*reference.elem {
            Type::Slice(slice) if ident(&slice.elem).as_deref() == Some("u8") => Ok(()),
            Type::Slice(_) => refuse("&[u8] for bytes; lists are read batch-wise"),
            inner => match ident(inner).as_deref() {
                Some("str") => Ok(()),
                Some("String") => refuse("&str"),
                _ => refuse(&format!("`{}` without the &; configuration is marked #[config]", text(inner))),
            },
        },
        Type::ImplTrait(_) => refuse("a concrete type: bool, a number, &str, &[u8], Date, Decimal or a timestamp"),
        _ => {
            let name = ident(argument).unwrap_or_default();
            match INSTEAD.iter().find(|(wrong, _)| *wrong == name) {
                Some((_, instead)) => refuse(instead),
                None if name == "Vec" => refuse("&[u8] for bytes; lists are read batch-wise"),
                None => Ok(()),
            }
        }
    }
}

/// What a function returns, and whether it may refuse a row.
pub(crate) struct Returned<'a> {
    /// The type of the value; none for a function without a result.
    pub(crate) value: Option<&'a Type>,
    /// Whether it is wrapped in a `Result`.
    pub(crate) rejects: bool,
}

/// Takes a return type apart.
pub(crate) fn returned(output: &ReturnType) -> Returned<'_> {
    let ReturnType::Type(_, value) = output else {
        return Returned { value: None, rejects: false };
    };
    let (value, rejects) = match generic(value, "Result") {
        Some(inner) => (inner, true),
        None => (&**value, false),
    };
    let nothing = matches!(value, Type::Tuple(tuple) if tuple.elems.is_empty());
    Returned { value: (!nothing).then_some(value), rejects }
}

/// The type of the rows that `Vec<T>`, `Option<T>`, `[T; N]` or `impl Iterator<Item = T>` gives.
pub(crate) fn item(rows: &Type) -> Option<Type> {
    if let Some(inner) = generic(rows, "Vec").or_else(|| generic(rows, "Option")) {
        return Some(inner.clone());
    }
    match rows {
        Type::Array(array) => Some((*array.elem).clone()),
        Type::ImplTrait(iterator) => iterator.bounds.iter().find_map(|bound| {
            let TypeParamBound::Trait(bound) = bound else { return None };
            let segment = bound.path.segments.last()?;
            let PathArguments::AngleBracketed(arguments) = &segment.arguments else { return None };
            arguments.args.iter().find_map(|argument| match argument {
                GenericArgument::AssocType(assoc) if assoc.ident == "Item" => Some(assoc.ty.clone()),
                _ => None,
            })
        }),
        _ => None,
    }
}

/// The `T` of `Wrapper<T, …>`, whatever path leads to `Wrapper`.
pub(crate) fn generic<'a>(wrapped: &'a Type, wrapper: &str) -> Option<&'a Type> {
    let Type::Path(path) = wrapped else { return None };
    let segment = path.path.segments.last().filter(|segment| segment.ident == wrapper)?;
    let PathArguments::AngleBracketed(arguments) = &segment.arguments else { return None };
    arguments.args.iter().find_map(|argument| match argument {
        GenericArgument::Type(inner) => Some(inner),
        _ => None,
    })
}

/// The last name of a path type.
pub(crate) fn ident(path: &Type) -> Option<String> {
    match path {
        Type::Path(path) => path.path.segments.last().map(|segment| segment.ident.to_string()),
        _ => None,
    }
}

/// A type as a person would write it.
pub(crate) fn text(of: &impl ToTokens) -> String {
    of.to_token_stream().to_string().replace("& ", "&").replace(" < ", "<").replace(" >", ">").replace(" ,", ",")
}

/// The same tokens with every named lifetime but `'static` made `'_`, so that they can stand outside of the
/// function that declares it.
pub(crate) fn without_lifetimes(of: &impl ToTokens) -> TokenStream {
    let mut named = false;
    of.to_token_stream()
        .into_iter()
        .map(|token| match token {
            TokenTree::Group(group) => {
                let mut inner = proc_macro2::Group::new(group.delimiter(), without_lifetimes(&group.stream()));
                inner.set_span(group.span());
                TokenTree::Group(inner)
            }
            TokenTree::Punct(punct) if punct.as_char() == '\'' && punct.spacing() == Spacing::Joint => {
                named = true;
                TokenTree::Punct(punct)
            }
            TokenTree::Ident(name) if named => {
                named = false;
                let kept = if name == "static" { name } else { proc_macro2::Ident::new("_", name.span()) };
                TokenTree::Ident(kept)
            }
            other => other,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use syn::parse_quote;

    use super::*;

    #[test]
    fn rows_are_seen_through_their_wrappers() {
        for rows in [
            parse_quote!(Vec<(String, i64)>),
            parse_quote!(std::vec::Vec<(String, i64)>),
            parse_quote!(Option<(String, i64)>),
            parse_quote!([(String, i64); 3]),
            parse_quote!(impl Iterator<Item = (String, i64)> + 'static),
        ] {
            let found: Type = item(&rows).unwrap();
            assert_eq!(text(&found), "(String, i64)", "{}", text(&rows));
        }
        assert!(item(&parse_quote!(String)).is_none());
    }

    #[test]
    fn lifetimes_are_forgotten() {
        let row: Type = parse_quote!(Row<'a, (&'b str, &'static [u8])>);
        let wanted: Type = parse_quote!(Row<'_, (&'_ str, &'static [u8])>);
        assert_eq!(without_lifetimes(&row).to_string(), wanted.to_token_stream().to_string());
    }

    #[test]
    fn usual_mistakes_get_an_answer() {
        for (wrong, instead) in [
            (parse_quote!(String), "take &str"),
            (parse_quote!(Option<&String>), "take &str"),
            (parse_quote!(usize), "take u64"),
            (parse_quote!(&f64), "`f64` without the &"),
            (parse_quote!(Vec<f64>), "batch-wise"),
        ] {
            let error = check_argument(&wrong).unwrap_err().to_string();
            assert!(error.contains(instead), "{error}");
        }
        assert!(check_argument(&parse_quote!(Option<&'a str>)).is_ok());
        assert!(check_argument(&parse_quote!(&[u8])).is_ok());
    }
}
