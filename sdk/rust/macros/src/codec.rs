//! `#[codec]`: bytes to rows and back, one record at a time.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{FnArg, Ident, ImplItem, ImplItemFn, ItemFn, ItemImpl, ReturnType, Type};

use crate::options::Options;
use crate::parts::{Parts, Row, argument, read_arguments};
use crate::signature::{Argument, Signature};
use crate::types::{generic, returned, without_lifetimes};

const RULE: &str = "a codec is `impl Name { fn decode(bytes: &[u8]) -> Record<Row> { … } \
                    fn encode(column: f64, …, out: &mut Vec<u8>) { … } }`";

/// The two functions, and a codec of the name of the block around them.
pub(crate) fn expand(options: TokenStream, functions: TokenStream) -> syn::Result<TokenStream> {
    let block: ItemImpl = syn::parse2(functions).map_err(|error| syn::Error::new(error.span(), RULE))?;
    let options = Options::parse(options)?;
    let name = name(&block)?;
    let (mut decode, mut encode, mut others) = (None, None, Vec::new());
    for item in block.items {
        match item {
            ImplItem::Fn(function) if function.sig.ident == "decode" => decode = Some(function),
            ImplItem::Fn(function) if function.sig.ident == "encode" => encode = Some(function),
            other => others.push(other),
        }
    }
    let missing = |what: &str| syn::Error::new(name.span(), format!("there is no function `{what}`: {RULE}"));
    let decode = decode.ok_or_else(|| missing("decode"))?;
    let encode = encode.ok_or_else(|| missing("encode"))?;
    let decoding = decoder(decode, &options)?;
    let encoding = encoder(encode)?;
    let config = config(&decoding.signature, &encoding.signature)?;
    let Decoding { signature, row } = &decoding;
    let (cells, as_cells, names) = (&row.cells, &row.as_cells, &row.names);
    let (read, decode_config) = (&signature.function, with_config(signature));
    let wrapped = row.wrap(&quote!(__value));
    let Encoding { signature, out, rejects } = &encoding;
    let Parts { checks, readers, reads, .. } = Parts::new(signature);
    let write = with_out(&signature.function, out);
    let arguments = read_arguments(
        signature,
        &quote!(__writer.refuse(__row, ::volley_sdk::Reject::new("null", "a column of the record has no value"));),
    );
    let encode_config = with_config(signature);
    let columns = (0..signature.columns().count()).map(argument);
    let call = quote!(Self::encode(#encode_config #(#columns,)* __writer.frame()));
    let each = if *rejects {
        quote! {
            match #call {
                ::core::result::Result::Ok(()) => __writer.push(__row),
                ::core::result::Result::Err(__reject) => __writer.refuse(__row, __reject),
            }
        }
    } else {
        quote!(#call; __writer.push(__row);)
    };
    let doc = "The codec that calls `decode` for every record and `encode` for every row.";
    Ok(quote! {
        #[doc = #doc]
        pub struct #name {
            config: #config,
        }

        impl #name {
            #read
            #write
            #(#others)*
        }

        impl ::volley_sdk::CodecOperator for #name {
            type Config = #config;

            fn decoder(
                config: Self::Config,
            ) -> ::core::result::Result<(Self, ::volley_sdk::Schema), ::volley_sdk::OpenError> {
                ::core::result::Result::Ok((Self { config }, ::volley_sdk::row::fields::<#cells>(#names)))
            }

            fn encoder(
                config: Self::Config,
                input: &::volley_sdk::Schema,
            ) -> ::core::result::Result<(Self, ::std::vec::Vec<::std::string::String>), ::volley_sdk::OpenError> {
                #checks
                ::core::result::Result::Ok((Self { config }, #reads.reads))
            }

            fn decode(
                &mut self,
                frames: &::volley_sdk::Frames<'_>,
            ) -> ::core::result::Result<::volley_sdk::Decoded, ::volley_sdk::Failure> {
                let mut __builders = #as_cells::builders();
                let mut __reading = ::volley_sdk::row::Reading::new(frames);
                while let ::core::option::Option::Some(__bytes) = __reading.left() {
                    match Self::decode(#decode_config __bytes) {
                        ::volley_sdk::Record::Row(__value, __used) => {
                            #as_cells::push(#wrapped, &mut __builders);
                            __reading.row(__used);
                        }
                        ::volley_sdk::Record::Incomplete => __reading.incomplete(),
                        ::volley_sdk::Record::Bad(__used, __reject) => __reading.bad(__used, __reject),
                    }
                }
                ::core::result::Result::Ok(__reading.finish(#as_cells::finish(__builders)))
            }

            #[allow(unused_mut, clippy::let_unit_value)]
            fn encode(
                &mut self,
                batch: &::volley_sdk::Batch<'_>,
            ) -> ::core::result::Result<::volley_sdk::Encoded, ::volley_sdk::Failure> {
                #readers
                let mut __writer = ::volley_sdk::FrameWriter::new();
                for __row in 0..batch.len() {
                    #arguments
                    #each
                }
                ::core::result::Result::Ok(__writer.finish())
            }
        }

        ::volley_sdk::export_codec!(#name);
    })
}

struct Decoding {
    signature: Signature,
    row: Row,
}

fn decoder(function: ImplItemFn, options: &Options) -> syn::Result<Decoding> {
    let signature = Signature::parse(plain(&function), "codec")?;
    let ReturnType::Type(_, output) = &signature.function.sig.output else {
        return Err(syn::Error::new_spanned(&signature.function.sig, "`decode` returns `Record<Row>`"));
    };
    let value = generic(output, "Record")
        .ok_or_else(|| syn::Error::new_spanned(output, "`decode` returns `Record<Row>`"))?
        .clone();
    if signature.columns().count() != 1 {
        let message =
            "`decode` takes the bytes that are still to be read, `bytes: &[u8]`, and before them at most `#[config]`";
        return Err(syn::Error::new_spanned(&signature.function.sig, message));
    }
    let row = Row::new(&value, &options.names)?;
    Ok(Decoding { signature, row })
}

struct Encoding {
    signature: Signature,
    out: FnArg,
    rejects: bool,
}

fn encoder(mut function: ImplItemFn) -> syn::Result<Encoding> {
    let out = function.sig.inputs.pop().map(syn::punctuated::Pair::into_value);
    let is_bytes = |argument: &FnArg| match argument {
        FnArg::Typed(argument) => match &*argument.ty {
            Type::Reference(reference) => reference.mutability.is_some() && generic(&reference.elem, "Vec").is_some(),
            _ => false,
        },
        FnArg::Receiver(_) => false,
    };
    let out = out.filter(is_bytes).ok_or_else(|| {
        syn::Error::new_spanned(
            &function.sig,
            "the last argument of `encode` is what it writes to: `out: &mut Vec<u8>`",
        )
    })?;
    let signature = Signature::parse(plain(&function), "codec")?;
    let returned = returned(&signature.function.sig.output);
    if let Some(value) = returned.value {
        let message =
            "`encode` returns nothing, or `Result<(), Reject>` to refuse a row: the record is what it writes to `out`";
        return Err(syn::Error::new_spanned(value, message));
    }
    let rejects = returned.rejects;
    Ok(Encoding { signature, out, rejects })
}

/// The function as one that stands alone.
fn plain(function: &ImplItemFn) -> TokenStream {
    let ImplItemFn { attrs, vis, sig, block, .. } = function;
    quote!(#(#attrs)* #vis #sig #block)
}

/// The function with the argument that was taken away.
fn with_out(function: &ItemFn, out: &FnArg) -> TokenStream {
    let mut function = function.clone();
    function.sig.inputs.push(out.clone());
    quote!(#function)
}

fn with_config(signature: &Signature) -> TokenStream {
    match signature.arguments.first() {
        Some(Argument::Config(_)) => quote!(&self.config,),
        _ => quote!(),
    }
}

/// The configuration of either function, or of both.
fn config(decode: &Signature, encode: &Signature) -> syn::Result<TokenStream> {
    let types = [decode.config(), encode.config()];
    match types {
        [None, None] => Ok(quote!(::volley_sdk::NoConfig)),
        [Some(one), Some(other)] if quote!(#one).to_string() != quote!(#other).to_string() => {
            Err(syn::Error::new_spanned(other, "`decode` and `encode` have one configuration: the same type for both"))
        }
        _ => {
            let config = types.into_iter().flatten().next();
            let span = config.map_or_else(proc_macro2::Span::call_site, Spanned::span);
            let config = config.map(without_lifetimes);
            Ok(quote_spanned!(span=> #config))
        }
    }
}

fn name(block: &ItemImpl) -> syn::Result<Ident> {
    match &*block.self_ty {
        Type::Path(path) if block.trait_.is_none() && path.path.segments.len() == 1 => {
            Ok(path.path.segments[0].ident.clone())
        }
        other => Err(syn::Error::new_spanned(other, RULE)),
    }
}
