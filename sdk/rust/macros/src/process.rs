//! `#[process]`: a function for the rows of a key, and one for its timers.

use proc_macro2::TokenStream;
use quote::{format_ident, quote};
use syn::{Ident, Type};

use crate::options::{Names, Options};
use crate::parts::{Parts, Row, argument, columns_and_states, port, read_arguments};
use crate::signature::{Argument, Signature};
use crate::states::State;
use crate::types::{returned, without_lifetimes};

/// The function, and an operator of the same name around it.
pub(crate) fn expand(options: TokenStream, function: TokenStream) -> syn::Result<TokenStream> {
    let signature = Signature::parse(function, "process")?;
    let options = Options::parse(options)?;
    let returned = returned(&signature.function.sig.output);
    if let Some(value) = returned.value {
        let message = "a process returns nothing or Result<(), Reject>: its rows go through `out: &mut Emit<…>`";
        return Err(syn::Error::new_spanned(value, message));
    }
    let ports = ports(&signature, &options)?;
    let parts = Parts::new(&signature);
    let Parts { name, config, checks, reads, readers, .. } = &parts;
    let visibility = &signature.function.vis;
    let doc = format!("The operator that calls [`{name}()`] for every row.");
    let plain_config = signature.config().map_or_else(|| quote!(::volley_sdk::NoConfig), without_lifetimes);
    let function = &signature.function;
    let arguments = read_arguments(&signature, &TokenStream::new());
    let cells: Vec<&TokenStream> = ports.iter().map(|(_, row)| &row.cells).collect();
    let names: Vec<&TokenStream> = ports.iter().map(|(_, row)| &row.names).collect();
    let labels: Vec<&String> = ports.iter().map(|(label, _)| label).collect();
    let indices: Vec<usize> = (0..ports.len()).collect();
    let variables: Vec<Ident> = indices.iter().map(|index| port(*index)).collect();
    let mode = if options.replace { quote!(Replace) } else { quote!(Keyed) };
    let states: Vec<&State> = signature.states().collect();
    let declarations = states.iter().map(|state| state.declaration());
    let state_checks = states.iter().filter_map(|state| state.check());
    let StateCode { load, store, begin, row_end, end } = StateCode::new(&states);
    let time = signature.has_time();
    let time_open = time.then(|| quote!(let (binding, time) = ::volley_sdk::row::read_time(binding, input)?;));
    let time_field = time.then(|| quote!(time: ::volley_sdk::row::TimeColumn,));
    let time_value = time.then(|| quote!(time,));
    let time_reader = time.then(|| quote!(let __times = self.time.reader(batch)?;));
    let time_argument = time.then(|| {
        quote! { let ::core::option::Option::Some(__time) = __times.get(__row) else { continue; }; }
    });
    let prefetch = prefetch(&signature, &states, time_argument.as_ref(), &arguments);
    let called = call(&signature, None);
    let each = if returned.rejects {
        quote! { if let ::core::result::Result::Err(__reject) = #called { __rejects.push(__row, __reject); } }
    } else {
        quote! { let () = #called; }
    };
    let flush = quote!(#(#variables.flush(__cx.out(), #indices)?;)*);
    let on_timers = options.on_timer.as_ref().map(|on_timer| {
        let called = call(&signature, Some(on_timer));
        quote! {
            #[allow(unused_mut, unused_variables, clippy::let_unit_value)]
            fn on_timers(
                &mut self,
                timers: &[::volley_sdk::Timer],
                _: ::core::option::Option<::volley_sdk::NewKeys<'_>>,
                __cx: &mut ::volley_sdk::Context<'_>,
            ) -> ::core::result::Result<(), ::volley_sdk::Failure> {
                let __keys = __cx.distinct(timers.iter().map(|timer| timer.group));
                #load
                let mut __timers = ::volley_sdk::Timers::new();
                #(let mut #variables = ::volley_sdk::Emit::<#cells>::new();)*
                #begin
                for (__row, __timer) in timers.iter().enumerate() {
                    let __place = __keys.places[__row];
                    __timers.set_group(__timer.group);
                    #(#variables.set_row(__row);)*
                    let () = #called;
                    #row_end
                }
                #end
                #flush
                #store
                __timers.flush(__cx)?;
                ::core::result::Result::Ok(())
            }
        }
    });
    let rows: Vec<&Row> = ports.iter().take(1).map(|(_, row)| row).collect();
    let stated = states.iter().map(|state| state.stated());
    let stated = quote!(::core::option::Option::Some(&[#(#stated),*]));
    let columns = columns_and_states(&parts, &rows, &stated);
    let exported = match &options.snapshot {
        Some(_) => quote!(#name, SnapshotOperator, ProcessRunner, process, #columns, snapshot),
        None => quote!(#name, ProcessOperator, ProcessRunner, process, #columns),
    };
    Ok(quote! {
        // Columns, states and outputs come together.
        #[allow(clippy::too_many_arguments)]
        #function

        #(#state_checks)*

        #[doc = #doc]
        #[allow(non_camel_case_types, dead_code)]
        #visibility struct #name {
            config: #plain_config,
            #time_field
        }

        impl ::volley_sdk::ProcessOperator for #name {
            #config

            fn states() -> ::std::vec::Vec<::volley_sdk::state::StateDeclaration> {
                ::std::vec![#(#declarations),*]
            }

            fn open(
                config: Self::Config,
                input: &::volley_sdk::ProcessInput,
            ) -> ::core::result::Result<(Self, ::volley_sdk::Binding), ::volley_sdk::OpenError> {
                let schema = &input.schema;
                { let input = schema; let _ = input; #checks }
                let binding = #reads;
                #(
                    let columns = ::volley_sdk::row::fields::<#cells>(#names);
                    let binding = binding.port(#labels, columns, ::volley_sdk::WriteMode::#mode);
                )*
                #time_open
                ::core::result::Result::Ok((Self { config, #time_value }, binding))
            }

            #[allow(unused_mut, unused_variables, clippy::let_unit_value)]
            fn process(
                &mut self,
                __rows: &::volley_sdk::KeyedBatch<'_>,
                __cx: &mut ::volley_sdk::Context<'_>,
            ) -> ::core::result::Result<::volley_sdk::Rejects, ::volley_sdk::Failure> {
                let batch = &__rows.batch;
                #readers
                #time_reader
                let __keys = __cx.distinct(__rows.groups.iter().copied());
                #load
                let mut __timers = ::volley_sdk::Timers::new();
                let mut __rejects = ::volley_sdk::Rejects::new();
                #(let mut #variables = ::volley_sdk::Emit::<#cells>::new();)*
                #begin
                #prefetch
                for __row in 0..batch.len() {
                    #time_argument
                    #arguments
                    let __place = __keys.places[__row];
                    __timers.set_group(__rows.groups[__row]);
                    #(#variables.set_row(__row);)*
                    #each
                    #row_end
                }
                #end
                #flush
                #store
                __timers.flush(__cx)?;
                ::core::result::Result::Ok(__rejects)
            }

            #on_timers
        }

        ::volley_sdk::__export_operator!(#exported);
    })
}

/// The code around the rows of a call that reads and writes states.
struct StateCode {
    /// Reads values.
    load: TokenStream,
    /// Writes them.
    store: TokenStream,
    /// Makes the handles of states that are read when they are asked for.
    begin: TokenStream,
    /// Ends the call where such a state could not be read.
    row_end: TokenStream,
    /// Writes these.
    end: TokenStream,
}

impl StateCode {
    fn new(states: &[&State]) -> Self {
        let places = (0_u32..).zip(states);
        let (values, others): (Vec<_>, Vec<_>) = places.partition(|(_, state)| state.is_value());
        let held = |of: &[(u32, &&State)]| of.iter().map(|(place, _)| held(*place)).collect::<Vec<Ident>>();
        let (value_held, other_held) = (held(&values), held(&others));
        let types = values.iter().map(|(_, state)| state.of());
        let value_places: Vec<u32> = values.iter().map(|(place, _)| *place).collect();
        let load = quote! {
            #(let mut #value_held = ::volley_sdk::state::Values::<#types>::load(__cx, #value_places, &__keys.groups)?;)*
        };
        let store = quote!(#(#value_held.store(__cx, #value_places, &__keys.groups)?;)*);
        if others.is_empty() {
            let none = TokenStream::new();
            return Self { load, store, begin: none.clone(), row_end: none.clone(), end: none };
        }
        let handles = others.iter().map(|(place, state)| state.handle(*place));
        Self {
            load,
            store,
            begin: quote! {
                let __shared = ::volley_sdk::state::Shared::new(__cx);
                #(let mut #other_held = #handles;)*
            },
            row_end: quote!(__shared.check()?;),
            end: quote! {
                #(#other_held.store();)*
                __shared.check()?;
            },
        }
    }
}

/// The variable of the state at a place.
fn held(place: u32) -> Ident {
    format_ident!("__state_{place}")
}

/// Reads the entries of maps that the rows of a batch will ask for.
fn prefetch(
    signature: &Signature,
    states: &[&State],
    time_argument: Option<&TokenStream>,
    arguments: &TokenStream,
) -> Option<TokenStream> {
    let wanted: Vec<(Ident, &syn::Expr)> =
        (0..).zip(states).filter_map(|(place, state)| Some((held(place), state.prefetch()?))).collect();
    if wanted.is_empty() {
        return None;
    }
    let (maps, keys): (Vec<&Ident>, Vec<&&syn::Expr>) = wanted.iter().map(|(map, key)| (map, key)).unzip();
    let mut columns = 0;
    let named = signature.arguments.iter().zip(&signature.names).filter_map(|(of, name)| match of {
        Argument::Config(_) => Some(quote!(let #name = &self.config;)),
        Argument::Time => Some(quote!(let #name = __time;)),
        Argument::Column(_) => {
            let variable = argument(columns);
            columns += 1;
            Some(quote!(let #name = #variable;))
        }
        Argument::Emit { .. } | Argument::State(_) | Argument::Timers => None,
    });
    Some(quote! {
        for __row in 0..batch.len() {
            #time_argument
            #arguments
            #(#named)*
            #(#maps.want(__keys.places[__row], #keys);)*
        }
        #(#maps.prefetch();)*
        __shared.check()?;
    })
}

/// The call of the function with the variables of one row, or of `on_timer` with those of one timer.
fn call(signature: &Signature, on_timer: Option<&syn::Path>) -> TokenStream {
    let name = &signature.function.sig.ident;
    let (mut columns, mut ports, mut states) = (0, 0, 0);
    let mut arguments: Vec<TokenStream> = Vec::new();
    let config = signature.config().is_some().then(|| quote!(&self.config));
    for argument in &signature.arguments {
        match argument {
            Argument::Config(_) => {}
            Argument::Column(_) => {
                let variable = crate::parts::argument(columns);
                columns += 1;
                if on_timer.is_none() {
                    arguments.push(quote!(#variable));
                }
            }
            Argument::Time => {
                if on_timer.is_none() {
                    arguments.push(quote!(__time));
                }
            }
            Argument::Emit { .. } => {
                let variable = port(ports);
                ports += 1;
                arguments.push(quote!(&mut #variable));
            }
            Argument::State(_) => {
                let variable = held(states);
                states += 1;
                arguments.push(quote!(#variable.at(__place)));
            }
            Argument::Timers => arguments.push(quote!(&mut __timers)),
        }
    }
    match on_timer {
        None => {
            let config = config.into_iter();
            quote!(#name(#(#config,)* #(#arguments),*))
        }
        Some(on_timer) => {
            let config = config.into_iter();
            let timer = std::iter::once(quote!(*__timer));
            let all = timer.chain(arguments);
            quote!(#on_timer(#(#config,)* #(#all),*))
        }
    }
}

/// The output ports with their rows: one for each `&mut Emit<…>`.
fn ports(signature: &Signature, options: &Options) -> syn::Result<Vec<(String, Row)>> {
    let emits: Vec<(&Ident, &Type)> = signature.emits().collect();
    match emits.first() {
        None => {
            let message = "a process puts its rows out through `out: &mut Emit<…>`: add that argument";
            Err(syn::Error::new_spanned(&signature.function.sig, message))
        }
        Some((first, _)) if *first != "out" => {
            let message =
                "the first port is the main output: call it `out`; the others are side outputs by their names";
            Err(syn::Error::new(first.span(), message))
        }
        Some(_) => emits
            .iter()
            .enumerate()
            .map(|(index, (label, row))| {
                let names = if index == 0 { &options.names } else { &Names::ByStruct };
                Ok((label.to_string(), Row::emitted(row, names)?))
            })
            .collect(),
    }
}
