//! `#[flat_map]`: any number of rows out for every row in.

use proc_macro2::TokenStream;
use quote::quote;

use crate::options::{Names, Options};
use crate::parts::{Parts, Row, call, columns, port, read_arguments};
use crate::signature::Signature;
use crate::types::{Returned, item, returned, text};

/// The function, and an operator of the same name around it.
pub(crate) fn expand(options: TokenStream, function: TokenStream) -> syn::Result<TokenStream> {
    let signature = Signature::parse(function, "flat_map")?;
    let options = Options::parse(options)?.without_timers("flat_map")?;
    let returned = returned(&signature.function.sig.output);
    let ports = ports(&signature, &options, &returned)?;
    let parts = Parts::new(&signature);
    let Parts { name, declaration, config, checks, reads, readers, .. } = &parts;
    let function = &signature.function;
    let arguments = read_arguments(&signature, &TokenStream::new());
    let called = call(&signature);
    let cells: Vec<&TokenStream> = ports.iter().map(|(_, row)| &row.cells).collect();
    let names: Vec<&TokenStream> = ports.iter().map(|(_, row)| &row.names).collect();
    let labels: Vec<&String> = ports.iter().map(|(label, _)| label).collect();
    let indices: Vec<usize> = (0..ports.len()).collect();
    let variables: Vec<_> = indices.iter().map(|index| port(*index)).collect();
    let mode = if options.replace { quote!(Replace) } else { quote!(Append) };
    let take = match returned.value {
        Some(_) => {
            let (variable, wrapped) = (&variables[0], ports[0].1.wrap(&quote!(__value)));
            quote!(for __value in __rows { #variable.push(#wrapped); })
        }
        None => quote!(let () = __rows;),
    };
    let each = if returned.rejects {
        quote! {
            match #called {
                ::core::result::Result::Ok(__rows) => { #take }
                ::core::result::Result::Err(__reject) => __rejects.push(__row, __reject),
            }
        }
    } else {
        quote! {
            let __rows = #called;
            #take
        }
    };
    let rows: Vec<&Row> = ports.iter().take(1).map(|(_, row)| row).collect();
    let columns = columns(&parts, &rows);
    Ok(quote! {
        #function
        #declaration

        impl ::volley_sdk::FlatMapOperator for #name {
            #config

            fn open(
                config: Self::Config,
                input: &::volley_sdk::Schema,
            ) -> ::core::result::Result<(Self, ::volley_sdk::Binding), ::volley_sdk::OpenError> {
                #checks
                let binding = #reads;
                #(
                    let columns = ::volley_sdk::row::fields::<#cells>(#names);
                    let binding = binding.port(#labels, columns, ::volley_sdk::WriteMode::#mode);
                )*
                ::core::result::Result::Ok((Self { config }, binding))
            }

            #[allow(unused_mut, clippy::let_unit_value)]
            fn flat_map(
                &mut self,
                batch: &::volley_sdk::Batch<'_>,
                out: &mut ::volley_sdk::Emitter<'_>,
            ) -> ::core::result::Result<::volley_sdk::Rejects, ::volley_sdk::Failure> {
                #readers
                let mut __rejects = ::volley_sdk::Rejects::new();
                #(let mut #variables = ::volley_sdk::Emit::<#cells>::new();)*
                for __row in 0..batch.len() {
                    #arguments
                    #(#variables.set_row(__row);)*
                    #each
                }
                #(#variables.flush(out, #indices)?;)*
                ::core::result::Result::Ok(__rejects)
            }
        }

        ::volley_sdk::__export_operator!(#name, FlatMapOperator, FlatMapRunner, flat_map, #columns);
    })
}

/// The output ports with their rows: one for rows that are returned, else one for each `&mut Emit<…>`.
fn ports(signature: &Signature, options: &Options, returned: &Returned<'_>) -> syn::Result<Vec<(String, Row)>> {
    let emits: Vec<_> = signature.emits().collect();
    match (returned.value, emits.first()) {
        (None, None) => {
            let message =
                "a flat_map returns rows (`-> Vec<…>`, `-> impl Iterator<Item = …>`) or takes `out: &mut Emit<…>`";
            Err(syn::Error::new_spanned(&signature.function.sig, message))
        }
        (Some(value), Some(_)) => {
            let message =
                "rows are either returned or emitted: with `&mut Emit<…>` return nothing, or Result<(), Reject>";
            Err(syn::Error::new_spanned(value, message))
        }
        (Some(value), None) => {
            let row = item(value).ok_or_else(|| {
                let found = text(value);
                let message = format!("rows are Vec<T>, Option<T>, [T; N] or impl Iterator<Item = T>, not `{found}`");
                syn::Error::new_spanned(value, message)
            })?;
            Ok(vec![("out".to_owned(), Row::new(&row, &options.names)?)])
        }
        (None, Some((first, _))) => {
            if *first != "out" {
                let message =
                    "the first port is the main output: call it `out`; the others are side outputs by their names";
                return Err(syn::Error::new(first.span(), message));
            }
            let ports = emits.iter().enumerate().map(|(index, (label, row))| {
                // The attribute's names are those of the main output.
                let names = if index == 0 { &options.names } else { &Names::ByStruct };
                Ok((label.to_string(), Row::emitted(row, names)?))
            });
            ports.collect()
        }
    }
}
