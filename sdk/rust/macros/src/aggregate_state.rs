//! `#[derive(AggregateState)]`: a struct becomes the state of an aggregate, a column for each field.

use proc_macro2::TokenStream;
use quote::{format_ident, quote, quote_spanned};
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
    // A variable for each field in each of eight rows.
    let variable = |field: usize, row: usize| format_ident!("__{field}_{row}");
    let eights = (0..fields.len()).map(|field| {
        let variables = (0..8).map(|row| variable(field, row));
        quote!([#(#variables),*])
    });
    let states = (0..8).map(|row| {
        let variables = (0..fields.len()).map(|field| variable(field, row));
        quote!(Self { #(#idents: #variables),* })
    });
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
                let mut builders = (#(#outputs::builder(),)*);
                #(::volley_sdk::build::Builder::reserve(&mut builders.#indices, states.len());)*
                // Once through memory, which is far more than is near the processor.
                let (turns, rest) = states.as_chunks_mut::<8>();
                for [__a, __b, __c, __d, __e, __f, __g, __h] in turns {
                    #(#outputs::write_eight(
                        [
                            #loads::give(&mut __a.#idents), #loads::give(&mut __b.#idents),
                            #loads::give(&mut __c.#idents), #loads::give(&mut __d.#idents),
                            #loads::give(&mut __e.#idents), #loads::give(&mut __f.#idents),
                            #loads::give(&mut __g.#idents), #loads::give(&mut __h.#idents),
                        ],
                        &mut builders.#indices,
                    );)*
                }
                for state in rest {
                    #(#outputs::write(#loads::give(&mut state.#idents), &mut builders.#indices);)*
                }
                ::volley_sdk::row::collect([#(::volley_sdk::build::Builder::finish(builders.#indices)),*])
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

            #[inline(always)]
            fn load_eight(readers: &Self::Readers<'_>, turn: usize) -> [Self; 8] {
                #(let #eights = #loads::load_eight(&readers.#indices, turn);)*
                [#(#states),*]
            }
        }
    })
}
