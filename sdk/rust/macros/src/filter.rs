//! `#[filter]`: keeps or drops each row.

use proc_macro2::TokenStream;
use quote::quote;
use syn::Type;

use crate::parts::{Parts, call, columns, read_arguments};
use crate::signature::Signature;
use crate::types::{generic, ident, returned, text};

/// The function, and an operator of the same name around it.
pub(crate) fn expand(options: TokenStream, function: TokenStream) -> syn::Result<TokenStream> {
    let signature = Signature::parse(function, "filter")?;
    if !options.is_empty() {
        let message = "a filter has no options: it writes no columns, and its arguments name those it reads";
        return Err(syn::Error::new_spanned(options, message));
    }
    let returned = returned(&signature.function.sig.output);
    check_returned(&signature, returned.value)?;
    let parts = Parts::new(&signature);
    let Parts { name, declaration, config, checks, reads, readers, .. } = &parts;
    let function = &signature.function;
    let arguments = read_arguments(&signature, &quote!(__keep.push(false);));
    let called = call(&signature);
    let push = quote! {
        // A decision that is not there drops the row, like false.
        let __value: ::core::option::Option<bool> = ::core::convert::Into::into(__value);
        __keep.push(__value.unwrap_or(false));
    };
    let each = if returned.rejects {
        quote! {
            match #called {
                ::core::result::Result::Ok(__value) => { #push }
                ::core::result::Result::Err(__reject) => {
                    __rejects.push(__row, __reject);
                    __keep.push(false);
                }
            }
        }
    } else {
        quote! {
            let __value = #called;
            #push
        }
    };
    let columns = columns(&parts, &[]);
    Ok(quote! {
        #function
        #declaration

        impl ::volley_sdk::FilterOperator for #name {
            #config

            fn open(
                config: Self::Config,
                input: &::volley_sdk::Schema,
            ) -> ::core::result::Result<(Self, ::volley_sdk::Binding), ::volley_sdk::OpenError> {
                #checks
                ::core::result::Result::Ok((Self { config }, #reads))
            }

            #[allow(unused_mut)]
            fn filter(
                &mut self,
                batch: &::volley_sdk::Batch<'_>,
            ) -> ::core::result::Result<::volley_sdk::Filtered, ::volley_sdk::Failure> {
                #readers
                let mut __keep = ::volley_sdk::BitsBuilder::new();
                let mut __rejects = ::volley_sdk::Rejects::new();
                for __row in 0..batch.len() {
                    #arguments
                    #each
                }
                ::core::result::Result::Ok(::volley_sdk::Filtered::from_bits(__keep).with_rejects(__rejects))
            }
        }

        ::volley_sdk::__export_operator!(#name, FilterOperator, FilterRunner, filter, #columns);
    })
}

fn check_returned(signature: &Signature, value: Option<&Type>) -> syn::Result<()> {
    const RULE: &str = "a filter returns bool (or Option<bool>, or Result of them to refuse rows)";
    let Some(value) = value else {
        return Err(syn::Error::new_spanned(&signature.function.sig, format!("{RULE}: write `-> bool`")));
    };
    let decision = generic(value, "Option").unwrap_or(value);
    if ident(decision).as_deref() == Some("bool") {
        return Ok(());
    }
    Err(syn::Error::new_spanned(value, format!("{RULE}, not `{}`", text(value))))
}
