//! `#[map]`: one row out for every row in.

use proc_macro2::TokenStream;
use quote::quote;

use crate::options::Options;
use crate::parts::{Parts, Row, call, columns, read_arguments};
use crate::signature::Signature;
use crate::types::returned;

/// The function, and an operator of the same name around it.
pub(crate) fn expand(options: TokenStream, function: TokenStream) -> syn::Result<TokenStream> {
    let signature = Signature::parse(function, "map")?;
    let options = Options::parse(options)?.without_timers("map")?;
    let returned = returned(&signature.function.sig.output);
    let value = returned.value.ok_or_else(|| {
        let message =
            "a map returns the value of its output column: write `-> f64`, or another type, after the arguments";
        syn::Error::new_spanned(&signature.function.sig, message)
    })?;
    let row = Row::new(value, &options.names)?;
    let parts = Parts::new(&signature);
    let Parts { name, declaration, config, checks, reads, readers, .. } = &parts;
    let function = &signature.function;
    let (cells, as_cells, names) = (&row.cells, &row.as_cells, &row.names);
    let writes = if options.replace { quote!(replace) } else { quote!(append) };
    let nulls = quote!(#as_cells::push_nulls(&mut __builders););
    let arguments = read_arguments(&signature, &nulls);
    let called = call(&signature);
    let wrapped = row.wrap(&quote!(__value));
    let push = quote!(#as_cells::push(#wrapped, &mut __builders));
    let each = if returned.rejects {
        quote! {
            match #called {
                ::core::result::Result::Ok(__value) => #push,
                ::core::result::Result::Err(__reject) => {
                    __rejects.push(__row, __reject);
                    #nulls
                }
            }
        }
    } else {
        quote! {
            let __value = #called;
            #push;
        }
    };
    let columns = columns(&parts, &[&row]);
    Ok(quote! {
        #function
        #declaration

        impl ::volley_sdk::MapOperator for #name {
            #config

            fn open(
                config: Self::Config,
                input: &::volley_sdk::Schema,
            ) -> ::core::result::Result<(Self, ::volley_sdk::Binding), ::volley_sdk::OpenError> {
                #checks
                let columns = ::volley_sdk::row::fields::<#cells>(#names);
                ::core::result::Result::Ok((Self { config }, #reads.#writes(columns)))
            }

            #[allow(unused_mut, clippy::let_unit_value)]
            fn map(
                &mut self,
                batch: &::volley_sdk::Batch<'_>,
            ) -> ::core::result::Result<::volley_sdk::Mapped, ::volley_sdk::Failure> {
                #readers
                let mut __builders = #as_cells::builders();
                let mut __rejects = ::volley_sdk::Rejects::new();
                for __row in 0..batch.len() {
                    #arguments
                    #each
                }
                let columns = #as_cells::finish(__builders);
                ::core::result::Result::Ok(::volley_sdk::Mapped::with_rejects(columns, __rejects))
            }
        }

        ::volley_sdk::__export_operator!(#name, MapOperator, MapRunner, map, #columns);
    })
}
