//! `#[derive(AggregateState)]`: a struct becomes the state of an aggregate, a column for each field.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{DeriveInput, Index};

use crate::columns::{named_fields, names};

/// The implementation of `AggregateState`.
pub(crate) fn expand(item: TokenStream) -> syn::Result<TokenStream> {
    let input: DeriveInput = syn::parse2(item)?;
    if let Some(parameter) = input.generics.params.first() {
        let message =
            "a state has no parameters: the types of its fields are those of the columns, which own their values";
        return Err(syn::Error::new_spanned(parameter, message));
    }
    let fields = named_fields(&input)?;
    let names = names(&fields)?;
    let idents: Vec<_> = fields.iter().map(|field| &field.ident).collect();
    let types: Vec<_> = fields.iter().map(|field| &field.ty).collect();
    let outputs: Vec<_> =
        types.iter().map(|of| quote_spanned!(of.span()=> <#of as ::volley_sdk::row::Output>)).collect();
    let loads: Vec<_> =
        types.iter().map(|of| quote_spanned!(of.span()=> <#of as ::volley_sdk::row::StateField>)).collect();
    let indices: Vec<Index> = (0..fields.len()).map(Index::from).collect();
    let places = 0..fields.len();
    let name = &input.ident;
    Ok(quote! {
        #[automatically_derived]
        impl ::volley_sdk::AggregateState for #name {
            type Readers<'a> = (#(#loads::Reader<'a>,)*);

            fn schema() -> ::volley_sdk::Schema {
                ::volley_sdk::Schema::new([#(
                    ::volley_sdk::Field::new(#names, ::volley_sdk::build::Builder::data_type(&#outputs::builder()))
                ),*])
            }

            fn columns(states: &mut [Self]) -> ::std::vec::Vec<::volley_sdk::Array> {
                let rows = states.len();
                ::volley_sdk::row::collect([#(
                    #outputs::column(rows, |row| {
                        ::core::option::Option::Some(::core::mem::take(&mut states[row].#idents))
                    })
                ),*])
            }

            fn readers<'a>(
                states: &::volley_sdk::Batch<'a>,
            ) -> ::core::result::Result<Self::Readers<'a>, ::volley_sdk::Failure> {
                ::core::result::Result::Ok((#(#loads::reader(states.at(#places))?,)*))
            }

            #[inline]
            fn load(readers: &Self::Readers<'_>, row: usize) -> Self {
                Self { #(#idents: #loads::load(&readers.#indices, row)),* }
            }
        }
    })
}
