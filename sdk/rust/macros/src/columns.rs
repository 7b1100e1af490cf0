//! `#[derive(Columns)]`: a struct becomes a row of output columns.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{Data, DeriveInput, Field, Fields, GenericParam, Index, LitStr};

use crate::parts::check_name;

/// The implementations of `Cells` and `Columns`.
pub(crate) fn expand(item: TokenStream) -> syn::Result<TokenStream> {
    let input: DeriveInput = syn::parse2(item)?;
    let fields = named_fields(&input)?;
    for parameter in &input.generics.params {
        if !matches!(parameter, GenericParam::Lifetime(_)) {
            let message = "a row of columns has no type parameters: the types of its fields are those of the columns";
            return Err(syn::Error::new_spanned(parameter, message));
        }
    }
    let names = names(&fields)?;
    let idents: Vec<_> = fields.iter().map(|field| &field.ident).collect();
    let types: Vec<_> = fields.iter().map(|field| &field.ty).collect();
    let outputs: Vec<_> =
        types.iter().map(|of| quote_spanned!(of.span()=> <#of as ::volley_sdk::row::Output>)).collect();
    let indices: Vec<Index> = (0..fields.len()).map(Index::from).collect();
    let name = &input.ident;
    let (generics, arguments, conditions) = input.generics.split_for_impl();
    Ok(quote! {
        #[automatically_derived]
        impl #generics ::volley_sdk::row::Cells for #name #arguments #conditions {
            type Builders = (#(#outputs::Builder,)*);
            const TYPES: &'static [&'static str] = &[#(#outputs::TYPE),*];

            fn data_types() -> ::std::vec::Vec<::volley_sdk::DataType> {
                ::std::vec![#(::volley_sdk::build::Builder::data_type(&#outputs::builder())),*]
            }

            fn builders() -> Self::Builders {
                (#(#outputs::builder(),)*)
            }

            fn builders_for(rows: usize) -> Self::Builders {
                let mut builders = Self::builders();
                #(::volley_sdk::build::Builder::reserve(&mut builders.#indices, rows);)*
                builders
            }

            fn push(self, builders: &mut Self::Builders) {
                #(#outputs::write(self.#idents, &mut builders.#indices);)*
            }

            #[inline(always)]
            fn push_eight(rows: [Self; 8], builders: &mut Self::Builders) {
                let [__a, __b, __c, __d, __e, __f, __g, __h] = rows;
                #(#outputs::write_eight(
                    [__a.#idents, __b.#idents, __c.#idents, __d.#idents, __e.#idents, __f.#idents, __g.#idents, __h.#idents],
                    &mut builders.#indices,
                );)*
            }

            fn push_nulls(builders: &mut Self::Builders) {
                #(::volley_sdk::build::Builder::push_null(&mut builders.#indices);)*
            }

            fn finish(builders: Self::Builders) -> ::std::vec::Vec<::volley_sdk::Array> {
                ::volley_sdk::row::collect([#(::volley_sdk::build::Builder::finish(builders.#indices)),*])
            }
        }

        #[automatically_derived]
        impl #generics ::volley_sdk::row::Columns for #name #arguments #conditions {
            const NAMES: &'static [&'static str] = &[#(#names),*];
        }
    })
}

pub(crate) fn named_fields(input: &DeriveInput) -> syn::Result<Vec<&Field>> {
    match &input.data {
        Data::Struct(data) => match &data.fields {
            Fields::Named(fields) if !fields.named.is_empty() => return Ok(fields.named.iter().collect()),
            _ => {}
        },
        Data::Enum(_) | Data::Union(_) => {}
    }
    let message = "Columns is for a struct with named fields, one for each output column: `struct Row { speed: f64 }`";
    Err(syn::Error::new_spanned(&input.ident, message))
}

/// The columns' names: those of the fields, or what `#[column("…")]` says.
pub(crate) fn names(fields: &[&Field]) -> syn::Result<Vec<LitStr>> {
    let mut names: Vec<LitStr> = Vec::new();
    for field in fields {
        let renamed = field.attrs.iter().find(|attribute| attribute.path().is_ident("column"));
        let name = match (renamed, &field.ident) {
            (Some(attribute), _) => attribute.parse_args::<LitStr>().map_err(|error| {
                syn::Error::new(error.span(), "write the column's name as a text: #[column(\"name\")]")
            })?,
            (None, Some(ident)) => LitStr::new(ident.to_string().trim_start_matches("r#"), ident.span()),
            (None, None) => return Err(syn::Error::new_spanned(field, "a column needs a name")),
        };
        check_name(&name)?;
        if names.iter().any(|other| other.value() == name.value()) {
            return Err(syn::Error::new(name.span(), format!("two columns are called `{}`", name.value())));
        }
        names.push(name);
    }
    Ok(names)
}
