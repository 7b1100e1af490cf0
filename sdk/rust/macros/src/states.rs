//! The states of a process: what its arguments say of them, and the code that reads and writes them.

use proc_macro2::TokenStream;
use quote::{ToTokens, format_ident, quote, quote_spanned};
use syn::meta::ParseNestedMeta;
use syn::punctuated::Punctuated;
use syn::spanned::Spanned;
use syn::{Attribute, Expr, Ident, LitInt, LitStr, PathArguments, Token, Type, bracketed};

use crate::types::{ident, text, without_lifetimes};

/// A state that the function has.
pub(crate) struct State {
    /// The state's name: that of the argument.
    pub(crate) name: Ident,
    /// What there is for each key.
    kind: Kind,
    /// The row, or that of each entry.
    of: Type,
    /// `#[state(version = 2)]`
    version: Option<LitInt>,
    /// `#[state(ttl_ms = 1000)]`
    ttl_ms: Option<LitInt>,
}

/// What there is for each key.
enum Kind {
    /// `Value<T>`
    Value,
    /// `Map<K, V>`
    Map(Box<MapOf>),
    /// `List<T>`
    List,
    /// `Merged<T>`, with `#[state(merge = ["sum", "max"])]`
    Merged(Vec<LitStr>),
}

/// What is particular to a map.
struct MapOf {
    /// `K`
    key: Type,
    /// `#[state(prefetch = item.to_owned())]`
    prefetch: Option<Expr>,
}

/// What `#[state(…)]` says.
#[derive(Default)]
struct Said {
    version: Option<LitInt>,
    ttl_ms: Option<LitInt>,
    merge: Option<(Ident, Vec<LitStr>)>,
    prefetch: Option<(Ident, Expr)>,
}

/// The words for functions, and what they are in the SDK.
const FUNCTIONS: [(&str, &str); 3] = [("sum", "Sum"), ("min", "Min"), ("max", "Max")];

impl State {
    /// The state that an argument `name: &mut referred` is, if it is one; `declared` is the attribute in front of it.
    pub(crate) fn parse(name: Ident, referred: &Type, declared: Option<&Attribute>) -> syn::Result<Option<Self>> {
        let Some((kind, types)) = wrapped(referred) else { return Ok(None) };
        let said = declared.map_or_else(|| Ok(Said::default()), Said::parse)?;
        let Said { version, ttl_ms, merge, prefetch } = said;
        if let Some((word, _)) = merge.as_ref().filter(|_| kind != "Merged") {
            let message = format!("a {kind} is not merged: rows are added to `{name}: &mut Merged<…>`");
            return Err(syn::Error::new(word.span(), message));
        }
        if let Some((word, _)) = prefetch.as_ref().filter(|_| kind != "Map") {
            let message = format!("a {kind} has no entries to fetch: that is for `{name}: &mut Map<…, …>`");
            return Err(syn::Error::new(word.span(), message));
        }
        let wanted = if kind == "Map" { 2 } else { 1 };
        let Some(of) = types.last().filter(|_| types.len() == wanted) else {
            let example = if kind == "Map" { "Map<String, i64>, keys and values" } else { "one type, a row" };
            let message = format!("`{}` does not say what it holds: write {example}", text(referred));
            return Err(syn::Error::new_spanned(referred, message));
        };
        let kind = match kind {
            "Map" => {
                check_map_key(types[0])?;
                let prefetch = prefetch.map(|(_, expression)| expression);
                Kind::Map(Box::new(MapOf { key: types[0].clone(), prefetch }))
            }
            "List" => Kind::List,
            "Merged" => Kind::Merged(functions(&name, of, referred, merge)?),
            _ => Kind::Value,
        };
        Ok(Some(Self { name, kind, of: (*of).clone(), version, ttl_ms }))
    }

    /// Whether all values of a batch are read before its first row.
    pub(crate) fn is_value(&self) -> bool {
        matches!(self.kind, Kind::Value)
    }

    /// The key of a map that is to be fetched before a row asks for it.
    pub(crate) fn prefetch(&self) -> Option<&Expr> {
        match &self.kind {
            Kind::Map(map) => map.prefetch.as_ref(),
            Kind::Value | Kind::List | Kind::Merged(_) => None,
        }
    }

    /// The row, or that of each entry.
    pub(crate) fn of(&self) -> TokenStream {
        without_lifetimes(&self.of)
    }

    /// A `StateDeclaration`.
    pub(crate) fn declaration(&self) -> TokenStream {
        let (name, of) = (self.name.to_string(), self.of());
        let version = self.version.as_ref().map(|version| quote!(.with_version(#version)));
        let ttl = self.ttl_ms.as_ref().map(|ttl| quote!(.with_ttl_ms(#ttl)));
        let made = match &self.kind {
            Kind::Value => quote!(value::<#of>(#name)),
            Kind::Map(map) => {
                let key = without_lifetimes(&map.key);
                quote!(map::<#key, #of>(#name))
            }
            Kind::List => quote!(list::<#of>(#name)),
            Kind::Merged(functions) => {
                let functions = merge_functions(functions);
                quote!(merge::<#of>(#name, #functions))
            }
        };
        quote_spanned!(self.of.span()=> ::volley_sdk::state::StateDeclaration::#made #version #ttl)
    }

    /// A `SectionState`.
    pub(crate) fn stated(&self) -> TokenStream {
        let name = self.name.to_string();
        let version = self.version.as_ref().map_or_else(|| quote!(1), |version| quote!(#version));
        let ttl_ms = match &self.ttl_ms {
            Some(ttl_ms) => quote!(::core::option::Option::Some(#ttl_ms)),
            None => quote!(::core::option::Option::None),
        };
        let types = types(&self.of);
        let kind = match &self.kind {
            Kind::Value => quote!(Value),
            Kind::Map(map) => {
                let keys = self::types(&map.key);
                quote!(Map { keys: #keys })
            }
            Kind::List => quote!(List),
            Kind::Merged(functions) => quote!(Merge { functions: &[#(#functions),*] }),
        };
        quote! {
            ::volley_sdk::row::SectionState {
                name: #name,
                kind: ::volley_sdk::row::SectionKind::#kind,
                types: #types,
                version: #version,
                ttl_ms: #ttl_ms,
            }
        }
    }

    /// The handle of a state that is no value, over a variable `__shared`; the state is declared at this place.
    pub(crate) fn handle(&self, place: u32) -> TokenStream {
        let (name, of) = (self.name.to_string(), self.of());
        let made = match &self.kind {
            Kind::Map(map) => {
                let key = without_lifetimes(&map.key);
                quote!(Map::<#key, #of>::new(&__shared, #place, &__keys.groups))
            }
            Kind::Merged(functions) => {
                let functions = merge_functions(functions);
                quote!(Merged::<#of>::new(&__shared, #place, &__keys.groups, #name, &#functions))
            }
            Kind::List | Kind::Value => quote!(List::<#of>::new(&__shared, #place, &__keys.groups)),
        };
        quote_spanned!(self.of.span()=> ::volley_sdk::state::#made)
    }

    /// What stops the compiler where there are not as many functions as columns, behind whatever name the row's type has.
    pub(crate) fn check(&self) -> Option<TokenStream> {
        let Kind::Merged(functions) = &self.kind else { return None };
        let (types, count) = (types(&self.of), functions.len());
        let plural = if count == 1 { "" } else { "s" };
        let message = format!(
            "`merge` of the state `{}` has {count} function{plural}, and its row has another number of columns: write one for each",
            self.name
        );
        Some(quote_spanned!(self.of.span()=> const _: () = ::core::assert!(#types.len() == #count, #message);))
    }
}

impl Said {
    fn parse(attribute: &Attribute) -> syn::Result<Self> {
        let mut said = Self::default();
        attribute.parse_nested_meta(|meta| said.parse_one(&meta))?;
        Ok(said)
    }

    fn parse_one(&mut self, meta: &ParseNestedMeta<'_>) -> syn::Result<()> {
        let word = meta.path.get_ident().cloned();
        match word.map(|word| (word.to_string(), word)) {
            Some((key, _)) if key == "version" => self.version = Some(meta.value()?.parse()?),
            Some((key, _)) if key == "ttl_ms" => self.ttl_ms = Some(meta.value()?.parse()?),
            Some((key, word)) if key == "merge" => self.merge = Some((word, parse_functions(meta)?)),
            Some((key, word)) if key == "prefetch" => self.prefetch = Some((word, meta.value()?.parse()?)),
            _ => {
                let message =
                    "a state has `version = …` and `ttl_ms = …`; a Merged `merge = \"…\"`, a Map `prefetch = …`";
                return Err(meta.error(message));
            }
        }
        Ok(())
    }
}

/// `"sum"` or `["sum", "max"]`.
fn parse_functions(meta: &ParseNestedMeta<'_>) -> syn::Result<Vec<LitStr>> {
    let value = meta.value()?;
    let functions = if value.peek(syn::token::Bracket) {
        let content;
        bracketed!(content in value);
        Punctuated::<LitStr, Token![,]>::parse_terminated(&content)?.into_iter().collect()
    } else {
        vec![value.parse()?]
    };
    for function in &functions {
        let word = function.value();
        if !FUNCTIONS.iter().any(|(known, _)| *known == word) {
            let message = format!("state is not merged by `{word}`: there are \"sum\", \"min\" and \"max\"");
            return Err(syn::Error::new(function.span(), message));
        }
    }
    Ok(functions)
}

/// What a merged state is merged by, as many functions as the row has columns if its type shows how many.
fn functions(
    name: &Ident,
    of: &Type,
    referred: &Type,
    merge: Option<(Ident, Vec<LitStr>)>,
) -> syn::Result<Vec<LitStr>> {
    let columns = match of {
        Type::Tuple(tuple) => Some(tuple.elems.len()),
        _ => None,
    };
    let Some((word, functions)) = merge else {
        let example = match columns {
            None | Some(0 | 1) => "\"sum\"".to_owned(),
            Some(columns) => format!("[{}]", vec!["\"sum\""; columns].join(", ")),
        };
        let message = format!(
            "how do rows of `{name}` come together? write `#[state(merge = {example})]` in front of it: \"sum\", \"min\" or \"max\" for each column"
        );
        return Err(syn::Error::new_spanned(referred, message));
    };
    match columns {
        Some(columns) if columns != functions.len() => {
            let message = format!("{} functions for {columns} columns: there is one for each", functions.len());
            Err(syn::Error::new(word.span(), message))
        }
        _ => Ok(functions),
    }
}

/// Floats have no order; the compiler would say so at great length.
fn check_map_key(key: &Type) -> syn::Result<()> {
    let parts: Vec<&Type> = match key {
        Type::Tuple(tuple) => tuple.elems.iter().collect(),
        other => vec![other],
    };
    match parts.into_iter().find(|part| matches!(ident(part).as_deref(), Some("f32" | "f64"))) {
        Some(float) => {
            let message =
                format!("a map's keys are compared, and `{}` may be NaN: take an integer or a text", text(float));
            Err(syn::Error::new_spanned(float, message))
        }
        None => Ok(()),
    }
}

/// The kind of state that a type is by its name, and the types in its brackets.
fn wrapped(of: &Type) -> Option<(&'static str, Vec<&Type>)> {
    let Type::Path(path) = of else { return None };
    let segment = path.path.segments.last()?;
    let kind = ["Value", "Map", "List", "Merged"].into_iter().find(|kind| segment.ident == kind)?;
    let types = match &segment.arguments {
        PathArguments::AngleBracketed(arguments) => arguments
            .args
            .iter()
            .filter_map(|argument| match argument {
                syn::GenericArgument::Type(inner) => Some(inner),
                _ => None,
            })
            .collect(),
        _ => Vec::new(),
    };
    Some((kind, types))
}

/// `[MergeFunction::Sum, …]`
fn merge_functions(functions: &[LitStr]) -> TokenStream {
    let function = |word: &LitStr| {
        let found = FUNCTIONS.iter().find(|(known, _)| *known == word.value());
        let variant = format_ident!("{}", found.map_or("Sum", |(_, variant)| variant));
        quote!(::volley_sdk::state::MergeFunction::#variant)
    };
    let functions = functions.iter().map(function);
    quote!([#(#functions),*])
}

/// The types of a row's columns, as the component announces them.
fn types(row: &Type) -> TokenStream {
    let plain = without_lifetimes(row);
    quote_spanned!(row.span()=> <#plain as ::volley_sdk::state::StateRow>::TYPES)
}

/// Where an attribute stands in front of what is no state.
pub(crate) fn no_state(attribute: &Attribute, found: &impl ToTokens) -> syn::Error {
    let message = format!(
        "#[state] stands in front of a state: `&mut Value<T>`, `&mut Map<K, V>`, `&mut List<T>` or `&mut Merged<T>`; this is `{}`",
        text(found)
    );
    syn::Error::new_spanned(attribute, message)
}
