//! `#[scalar]`: one value for every row, from arguments by their place.

use proc_macro2::TokenStream;
use quote::{format_ident, quote, quote_spanned};
use syn::Ident;
use syn::spanned::Spanned;

use crate::parts::{Parts, argument, argument_function, call, reader};
use crate::signature::Signature;
use crate::types::{generic, returned, without_lifetimes};

/// The function, and a scalar of the same name around it.
pub(crate) fn expand(options: TokenStream, function: TokenStream) -> syn::Result<TokenStream> {
    let signature = Signature::parse(function, "scalar")?;
    let determinism = determinism(options)?;
    let returned = returned(&signature.function.sig.output);
    let value = returned.value.ok_or_else(|| {
        let message = "a scalar returns its value: write `-> f64`, or another type, after the arguments";
        syn::Error::new_spanned(&signature.function.sig, message)
    })?;
    let parts = Parts::new(&signature);
    let Parts { name, declaration, config, readers, read_columns, .. } = &parts;
    let function = &signature.function;
    let result = without_lifetimes(value);
    let names: Vec<_> = signature.columns().map(|column| &column.name).collect();
    let checks = signature.columns().enumerate().map(|(index, column)| {
        let (read_as, name) = (without_lifetimes(&column.read_as), &column.name);
        quote_spanned! {column.read_as.span()=>
            ::volley_sdk::row::check_type::<#read_as>(arguments, #index, #name)?;
        }
    });
    let sees = signature.columns().any(|column| generic(&column.read_as, "Option").is_some());
    let nulls = format_ident!("{}", if sees { "See" } else { "Propagate" });
    let arguments = in_closure(&signature);
    let called = call(&signature);
    let results = if returned.rejects {
        quote! {
            ::volley_sdk::row::results_or::<#result>(batch.len(), |__row| {
                #arguments
                ::core::option::Option::Some((#called).map_err(::core::convert::Into::into))
            })
        }
    } else {
        quote! {
            ::core::result::Result::Ok(::volley_sdk::row::results::<#result>(batch.len(), |__row| {
                #arguments
                ::core::option::Option::Some(#called)
            }))
        }
    };
    Ok(quote! {
        #function
        #declaration

        impl ::volley_sdk::ScalarOperator for #name {
            #config
            const DETERMINISM: ::volley_sdk::Determinism = ::volley_sdk::Determinism::#determinism;
            const NULLS: ::volley_sdk::NullHandling = ::volley_sdk::NullHandling::#nulls;

            fn open(
                config: Self::Config,
                arguments: &::volley_sdk::Schema,
            ) -> ::core::result::Result<(Self, ::volley_sdk::DataType), ::volley_sdk::OpenError> {
                ::volley_sdk::row::check_arity(arguments, &[#(#names),*])?;
                #(#checks)*
                ::core::result::Result::Ok((Self { config }, ::volley_sdk::row::result_type::<#result>()))
            }

            #[allow(clippy::redundant_closure_call)]
            fn call(
                &mut self,
                batch: &::volley_sdk::Batch<'_>,
            ) -> ::core::result::Result<::volley_sdk::Array, ::volley_sdk::Failure> {
                #readers
                #results
            }
        }

        ::volley_sdk::__export_operator!(
            #name,
            ScalarOperator,
            ScalarRunner,
            scalar,
            ::core::option::Option::Some(::volley_sdk::row::SectionColumns {
                reads: #read_columns,
                writes: &[(&["result"], &[<#result as ::volley_sdk::row::Output>::TYPE])],
                states: ::core::option::Option::None,
            })
        );
    })
}

/// Reads the arguments of one row, within a closure: where one has no value, neither has the result.
fn in_closure(signature: &Signature) -> TokenStream {
    let reads = signature.columns().enumerate().map(|(index, column)| {
        let (variable, reader, read) = (argument(index), reader(index), argument_function(column, "read"));
        quote_spanned!(column.read_as.span()=> let #variable = #read(&#reader, __row)?;)
    });
    quote!(#(#reads)*)
}

fn determinism(options: TokenStream) -> syn::Result<Ident> {
    if options.is_empty() {
        return Ok(format_ident!("Deterministic"));
    }
    let word: Ident = syn::parse2(options.clone()).map_err(|_| unknown(&options))?;
    match word.to_string().as_str() {
        "replayable" => Ok(format_ident!("Replayable")),
        "nondeterministic" => Ok(format_ident!("Nondeterministic")),
        _ => Err(unknown(&options)),
    }
}

fn unknown(options: &TokenStream) -> syn::Error {
    let message = "a scalar has the options `replayable` (it asks `clock` or `random`) and `nondeterministic`, and without \
                   either its result depends on its arguments alone";
    syn::Error::new_spanned(options, message)
}
