//! `#[aggregate]`: what is known of a group, row by row.

use proc_macro2::TokenStream;
use quote::{ToTokens, format_ident, quote};
use syn::{FnArg, Ident, ImplItem, ImplItemFn, ItemImpl, Receiver, Type};

use crate::options::Options;
use crate::parts::{Parts, Row, call, columns, for_each_group};
use crate::signature::{Signature, take_attribute};
use crate::types::{ident, returned};

const RULE: &str = "#[aggregate] belongs on `impl State { fn update(&mut self, column: f64) … fn merge(&mut self, other: Self) … \
                    fn evaluate(&self) -> … }`";

/// The block, and an operator around the state.
pub(crate) fn expand(options: TokenStream, item: TokenStream) -> syn::Result<TokenStream> {
    let mut block: ItemImpl = syn::parse2(item).map_err(|error| syn::Error::new(error.span(), RULE))?;
    let options = Options::parse(options)?;
    let state = state_of(&block)?;
    let update = taken(&mut block, "update")?;
    check_receiver(&update, true)?;
    let visibility = update.vis.clone();
    let (update, signature) = signature_of(update)?;
    if options.replace {
        let message = "the results of an aggregate stand behind the key and the window: there is nothing to replace";
        return Err(syn::Error::new_spanned(&update.sig, message));
    }
    let merge = taken(&mut block, "merge")?;
    check_receiver(&merge, true)?;
    check_merge(&merge)?;
    let mut evaluate = taken(&mut block, "evaluate")?;
    check_receiver(&evaluate, false)?;
    let evaluated = evaluate_call(&mut evaluate)?;
    let returned_row = returned(&evaluate.sig.output);
    let Some(value) = returned_row.value.filter(|_| !returned_row.rejects) else {
        let message =
            "evaluate gives the values of the results: `-> f64`, a tuple, or a struct with #[derive(Columns)]";
        return Err(syn::Error::new_spanned(&evaluate.sig, message));
    };
    let row = Row::new(value, &options.names)?;
    let added = returned(&update.sig.output);
    if let Some(value) = added.value {
        let message = "update gives nothing back, or `Result<(), Reject>` to refuse the row";
        return Err(syn::Error::new_spanned(value, message));
    }
    let parts = Parts::new(&signature);
    let Parts { config, config_type, checks, reads, readers, .. } = &parts;
    let called = call(&signature);
    let each = if added.rejects {
        quote! {
            if let ::core::result::Result::Err(__reject) = __state.#called {
                __rejects.push(__row, __reject);
            }
        }
    } else {
        quote!(__state.#called;)
    };
    let each = quote! {
        let __state = &mut __states[__group as usize];
        #each
    };
    let updates = for_each_group(&signature, &each);
    let (cells, as_cells, names) = (&row.cells, &row.as_cells, &row.names);
    let wrapped = row.wrap(&quote!(__value));
    let operator = format_ident!("{state}Operator");
    let doc = format!("The operator that keeps a [`{state}`] for each group.");
    let columns = columns(&parts, &[&row]);
    for method in [update, merge, evaluate] {
        block.items.push(ImplItem::Fn(method));
    }
    Ok(quote! {
        #block

        #[doc = #doc]
        #visibility struct #operator {
            config: #config_type,
            states: ::std::vec::Vec<#state>,
        }

        impl ::volley_sdk::AggregateOperator for #operator {
            #config

            fn open(
                config: Self::Config,
                input: &::volley_sdk::Schema,
            ) -> ::core::result::Result<(Self, ::volley_sdk::Binding), ::volley_sdk::OpenError> {
                #checks
                let columns = ::volley_sdk::row::fields::<#cells>(#names);
                let binding = #reads.append(columns).state(<#state as ::volley_sdk::AggregateState>::schema());
                ::core::result::Result::Ok((Self { config, states: ::std::vec::Vec::new() }, binding))
            }

            #[allow(unused_mut, clippy::let_unit_value)]
            fn update(
                &mut self,
                groups: ::volley_sdk::Groups<'_>,
                batch: &::volley_sdk::Batch<'_>,
            ) -> ::core::result::Result<::volley_sdk::Rejects, ::volley_sdk::Failure> {
                #readers
                ::volley_sdk::row::grow_states(&mut self.states, groups.total());
                let __states = &mut self.states[..];
                let __groups = groups.numbers();
                let mut __rejects = ::volley_sdk::Rejects::new();
                #updates
                ::core::result::Result::Ok(__rejects)
            }

            fn merge(
                &mut self,
                groups: ::volley_sdk::Groups<'_>,
                state: &::volley_sdk::Batch<'_>,
            ) -> ::core::result::Result<(), ::volley_sdk::Failure> {
                let __readers = <#state as ::volley_sdk::AggregateState>::readers(state)?;
                ::volley_sdk::row::grow_states(&mut self.states, groups.total());
                let __states = &mut self.states[..];
                for (__row, __group) in groups.numbers().iter().enumerate() {
                    let __other = <#state as ::volley_sdk::AggregateState>::load(&__readers, __row);
                    __states[*__group as usize].merge(__other);
                }
                ::core::result::Result::Ok(())
            }

            fn drain(
                &mut self,
                groups_total: usize,
            ) -> ::core::result::Result<::std::vec::Vec<::volley_sdk::Array>, ::volley_sdk::Failure> {
                ::volley_sdk::row::grow_states(&mut self.states, groups_total);
                let __columns = <#state as ::volley_sdk::AggregateState>::columns(&mut self.states);
                self.states.clear();
                ::core::result::Result::Ok(__columns)
            }

            fn evaluate(
                &mut self,
                state: &::volley_sdk::Batch<'_>,
            ) -> ::core::result::Result<::std::vec::Vec<::volley_sdk::Array>, ::volley_sdk::Failure> {
                let __readers = <#state as ::volley_sdk::AggregateState>::readers(state)?;
                let mut __builders = #as_cells::builders_for(state.len());
                let __evaluate = |__state: #state| {
                    let __value = __state.#evaluated;
                    #wrapped
                };
                for __turn in 0..state.len() / 8 {
                    let __states = <#state as ::volley_sdk::AggregateState>::load_eight(&__readers, __turn);
                    #as_cells::push_eight(__states.map(&__evaluate), &mut __builders);
                }
                for __row in state.len() / 8 * 8..state.len() {
                    let __state = <#state as ::volley_sdk::AggregateState>::load(&__readers, __row);
                    #as_cells::push(__evaluate(__state), &mut __builders);
                }
                ::core::result::Result::Ok(#as_cells::finish(__builders))
            }
        }

        ::volley_sdk::__export_operator!(#operator, AggregateOperator, AggregateRunner, aggregate, #columns);
    })
}

fn state_of(block: &ItemImpl) -> syn::Result<Ident> {
    if let Some((_, path, _)) = &block.trait_ {
        return Err(syn::Error::new_spanned(path, RULE));
    }
    if !block.generics.params.is_empty() {
        return Err(syn::Error::new_spanned(&block.generics, "a state has no parameters"));
    }
    match &*block.self_ty {
        Type::Path(path) if path.path.get_ident().is_some() => Ok(path.path.segments[0].ident.clone()),
        other => Err(syn::Error::new_spanned(other, "the state is a struct of this module, by its name")),
    }
}

/// The method of that name, out of the block.
fn taken(block: &mut ItemImpl, name: &str) -> syn::Result<ImplItemFn> {
    let place = block.items.iter().position(|item| matches!(item, ImplItem::Fn(method) if method.sig.ident == name));
    match place.map(|place| block.items.remove(place)) {
        Some(ImplItem::Fn(method)) => Ok(method),
        _ => Err(syn::Error::new_spanned(&block.self_ty, format!("there is no `{name}`. {RULE}"))),
    }
}

fn check_receiver(method: &ImplItemFn, is_mutable: bool) -> syn::Result<()> {
    let name = &method.sig.ident;
    let fits = |receiver: &Receiver| {
        receiver.reference.is_some() && receiver.mutability.is_some() == is_mutable && receiver.colon_token.is_none()
    };
    match method.sig.inputs.first() {
        Some(FnArg::Receiver(receiver)) if fits(receiver) => Ok(()),
        _ => {
            let wanted = if is_mutable { "&mut self" } else { "&self" };
            Err(syn::Error::new_spanned(&method.sig, format!("{name} takes `{wanted}`: what is known of one group")))
        }
    }
}

/// What the arguments behind `self` are, and the method without the attributes that only the macro knows.
fn signature_of(mut update: ImplItemFn) -> syn::Result<(ImplItemFn, Signature)> {
    let mut inputs = std::mem::take(&mut update.sig.inputs).into_iter();
    let receiver = inputs.next();
    update.sig.inputs = inputs.collect();
    let signature = Signature::parse(update.to_token_stream(), "aggregate")?;
    let mut sig = signature.function.sig.clone();
    sig.inputs = receiver.into_iter().chain(std::mem::take(&mut sig.inputs)).collect();
    Ok((ImplItemFn { sig, ..update }, signature))
}

fn check_merge(merge: &ImplItemFn) -> syn::Result<()> {
    let is_self =
        |argument: &FnArg| matches!(argument, FnArg::Typed(other) if ident(&other.ty).as_deref() == Some("Self"));
    let inputs = &merge.sig.inputs;
    if inputs.len() == 2 && inputs.iter().skip(1).all(is_self) && returned(&merge.sig.output).value.is_none() {
        return Ok(());
    }
    Err(syn::Error::new_spanned(
        &merge.sig,
        "merge takes another state and gives nothing back: `fn merge(&mut self, other: Self)`",
    ))
}

/// How `evaluate` is called: it may take the configuration.
fn evaluate_call(evaluate: &mut ImplItemFn) -> syn::Result<TokenStream> {
    let mut with_config = false;
    for argument in evaluate.sig.inputs.iter_mut().skip(1) {
        let FnArg::Typed(typed) = argument else { continue };
        if with_config || take_attribute(&mut typed.attrs, "config").is_none() {
            let message =
                "evaluate takes the state, and `#[config] config: &T` if it wants: what else it needs is in the state";
            return Err(syn::Error::new_spanned(typed, message));
        }
        with_config = true;
    }
    Ok(if with_config { quote!(evaluate(&self.config)) } else { quote!(evaluate()) })
}
