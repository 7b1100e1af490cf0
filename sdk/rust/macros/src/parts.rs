//! Pieces of code that the three kinds of operator share.

use proc_macro2::TokenStream;
use quote::{format_ident, quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{Ident, LitStr, Type};

use crate::options::Names;
use crate::signature::{Argument, Column, Signature};
use crate::types::{text, without_lifetimes};

/// Refuses column names that cannot be announced as they are.
pub(crate) fn check_name(name: &LitStr) -> syn::Result<()> {
    let value = name.value();
    if value.is_empty() {
        return Err(syn::Error::new(name.span(), "a column has a name of one character or more"));
    }
    if value.chars().any(|c| c.is_control() || c == '"' || c == '\\') {
        let message =
            "a column's name has no quotes, backslashes or control characters here; use a batch-wise operator";
        return Err(syn::Error::new(name.span(), message));
    }
    Ok(())
}

/// What is generated for an operator, whatever its kind.
pub(crate) struct Parts {
    /// The operator's type, named like the function.
    pub(crate) name: Ident,
    /// The declaration of that type.
    pub(crate) declaration: TokenStream,
    /// `type Config = …;`
    pub(crate) config: TokenStream,
    /// The type alone.
    pub(crate) config_type: TokenStream,
    /// Checks of the input's columns, in `open`.
    pub(crate) checks: TokenStream,
    /// `Binding::reads([…])`
    pub(crate) reads: TokenStream,
    /// Prepares the columns of a batch.
    pub(crate) readers: TokenStream,
    /// `(name, type)` of every column that is read, for the section.
    pub(crate) read_columns: TokenStream,
}

impl Parts {
    /// The parts that the signature alone decides.
    pub(crate) fn new(signature: &Signature) -> Self {
        let name = signature.function.sig.ident.clone();
        let visibility = &signature.function.vis;
        let config = signature.config().map_or_else(|| quote!(::volley_sdk::NoConfig), without_lifetimes);
        let doc = format!("The operator that calls [`{name}()`] for every row.");
        let names: Vec<&LitStr> = signature.columns().map(|column| &column.name).collect();
        let types: Vec<TokenStream> = signature.columns().map(|column| without_lifetimes(&column.read_as)).collect();
        let spans: Vec<_> = signature.columns().map(|column| column.read_as.span()).collect();
        let readers = (0..names.len()).map(reader);
        let indices = 0..names.len();
        let checks = names.iter().zip(&types).zip(&spans).map(|((name, read_as), span)| {
            quote_spanned!(*span=> ::volley_sdk::row::check_argument::<#read_as>(input, #name)?;)
        });
        let prepared = readers.zip(indices).zip(types.iter().zip(&spans)).map(|((reader, index), (read_as, span))| {
            quote_spanned!(*span=> let #reader = ::volley_sdk::row::reader::<#read_as>(batch, #index)?;)
        });
        Self {
            declaration: quote! {
                #[doc = #doc]
                #[allow(non_camel_case_types)]
                #visibility struct #name {
                    config: #config,
                }
            },
            config: quote!(type Config = #config;),
            config_type: config.clone(),
            checks: quote!(#(#checks)*),
            reads: quote!(::volley_sdk::Binding::reads::<&str>([#(#names),*])),
            readers: quote!(#(#prepared)*),
            read_columns: quote!(&[#((#names, <#types as ::volley_sdk::row::Argument<'_>>::TYPE)),*]),
            name,
        }
    }
}

/// The variable that holds a column.
pub(crate) fn reader(index: usize) -> Ident {
    format_ident!("__column_{index}")
}

/// The variable of an output port.
pub(crate) fn port(index: usize) -> Ident {
    format_ident!("__port_{index}")
}

/// Reads the arguments of one row into variables, or does `on_null` and goes on with the next row.
pub(crate) fn read_arguments(signature: &Signature, on_null: &TokenStream) -> TokenStream {
    let reads = signature.columns().enumerate().map(|(index, column)| {
        let (variable, reader) = (argument(index), reader(index));
        let read = argument_function(column, "read");
        quote! {
            let ::core::option::Option::Some(#variable) = #read(&#reader, __row) else {
                #on_null continue;
            };
        }
    });
    quote!(#(#reads)*)
}

/// A function of the type that an argument is read as.
pub(crate) fn argument_function(column: &Column, name: &str) -> TokenStream {
    let (read_as, name) = (without_lifetimes(&column.read_as), format_ident!("{name}"));
    quote_spanned!(column.read_as.span()=> <#read_as as ::volley_sdk::row::Argument<'_>>::#name)
}

/// The variable of an argument.
pub(crate) fn argument(index: usize) -> Ident {
    format_ident!("__argument_{index}")
}

/// A loop over rows that have a group each, eight at a time: does `each` for those whose arguments have values, with the
/// variables of one row, `__row` and `__group` among them.
pub(crate) fn for_each_group(signature: &Signature, each: &TokenStream) -> TokenStream {
    let variables: Vec<Ident> = (0..signature.columns().count()).map(argument).collect();
    let eights = signature.columns().enumerate().map(|(index, column)| {
        let (eight, read, reader) = (argument(index), argument_function(column, "read_eight"), reader(index));
        quote!(let #eight = #read(&#reader, __turn);)
    });
    let reads = signature.columns().enumerate().map(|(index, column)| {
        let (read, reader) = (argument_function(column, "read"), reader(index));
        quote!(#read(&#reader, __row))
    });
    quote! {
        let mut __each = |__row: usize, __group: u32, #(#variables),*| {
            #(let ::core::option::Option::Some(#variables) = #variables else { return };)*
            #each
        };
        // A host looks at the time once in a turn of a loop.
        let (__turns, __rest) = __groups.as_chunks::<8>();
        for (__turn, __group) in __turns.iter().enumerate() {
            #(#eights)*
            for __at in 0..8 {
                __each(8 * __turn + __at, __group[__at], #(#variables[__at]),*);
            }
        }
        for (__row, __group) in (8 * __turns.len()..).zip(__rest) {
            __each(__row, *__group, #(#reads),*);
        }
    }
}

/// The call of the function with the variables of one row.
pub(crate) fn call(signature: &Signature) -> TokenStream {
    let name = &signature.function.sig.ident;
    let (mut columns, mut ports) = (0, 0);
    let mut arguments = Vec::new();
    for of in &signature.arguments {
        arguments.push(match of {
            Argument::Config(_) => quote!(&self.config),
            Argument::Column(_) => {
                let variable = argument(columns);
                columns += 1;
                quote!(#variable)
            }
            Argument::Emit { .. } => {
                let variable = port(ports);
                ports += 1;
                quote!(&mut #variable)
            }
            // Only a process has these, and it has a call of its own.
            Argument::State(_) | Argument::Timers | Argument::Time => TokenStream::new(),
        });
    }
    quote!(#name(#(#arguments),*))
}

/// The type of an output row, its names, and how a value becomes a row.
pub(crate) struct Row {
    /// A type that is `Cells`.
    pub(crate) cells: TokenStream,
    /// `<type as Cells>`, so that errors point at the type.
    pub(crate) as_cells: TokenStream,
    /// Names of the columns, a `&[&str]`.
    pub(crate) names: TokenStream,
    /// Whether a value is wrapped into a tuple of one.
    pub(crate) wrapped: bool,
}

impl Row {
    /// The row that values of type `value` make under these names.
    pub(crate) fn new(value: &Type, names: &Names) -> syn::Result<Self> {
        let plain = without_lifetimes(value);
        match names {
            Names::One(name) => {
                if let Type::Tuple(tuple) = value {
                    let count = tuple.elems.len();
                    if count == 1 {
                        return Ok(Self::of(value, plain, quote!(&[#name]), false));
                    }
                    let message =
                        format!("one name for {count} values: write `outputs = [\"…\", …]` with {count} names");
                    return Err(syn::Error::new(name.span(), message));
                }
                Ok(Self::of(value, quote!((#plain,)), quote!(&[#name]), true))
            }
            Names::Tuple(names) => {
                let Type::Tuple(tuple) = value else {
                    let message = format!(
                        "`outputs` names the values of a tuple, this is `{}`: use `output = \"…\"`",
                        text(value)
                    );
                    return Err(syn::Error::new_spanned(value, message));
                };
                if tuple.elems.len() != names.len() {
                    let message =
                        format!("{} values in the row, {} names in `outputs`", tuple.elems.len(), names.len());
                    return Err(syn::Error::new_spanned(value, message));
                }
                Ok(Self::of(value, plain, quote!(&[#(#names),*]), false))
            }
            Names::ByStruct => Self::by_struct(value),
        }
    }

    /// The row of an `Emit<row>` under these names.
    pub(crate) fn emitted(row: &Type, names: &Names) -> syn::Result<Self> {
        match (names, row) {
            (Names::One(_), Type::Tuple(_)) | (Names::Tuple(_) | Names::ByStruct, _) => Self::new(row, names),
            (Names::One(_), value) => {
                let message = format!("rows are emitted as tuples or structs: write `Emit<({},)>`", text(value));
                Err(syn::Error::new_spanned(value, message))
            }
        }
    }

    /// The row of a struct that names its own columns.
    pub(crate) fn by_struct(value: &Type) -> syn::Result<Self> {
        if let Some(example) = unnamed(value) {
            let message = format!("the output of type `{}` has no column name: write {example}", text(value));
            return Err(syn::Error::new_spanned(value, message));
        }
        let plain = without_lifetimes(value);
        let names = quote_spanned!(value.span()=> <#plain as ::volley_sdk::row::Columns>::NAMES);
        Ok(Self::of(value, plain, names, false))
    }

    fn of(value: &Type, cells: TokenStream, names: TokenStream, wrapped: bool) -> Self {
        let as_cells = quote_spanned!(value.span()=> <#cells as ::volley_sdk::row::Cells>);
        Self { cells, as_cells, names, wrapped }
    }

    /// The value in a variable, as a row.
    pub(crate) fn wrap(&self, variable: &TokenStream) -> TokenStream {
        if self.wrapped { quote!((#variable,)) } else { variable.clone() }
    }
}

/// How to name a type that is known to bring no names.
fn unnamed(value: &Type) -> Option<String> {
    const PLAIN: &[&str] =
        &["bool", "i8", "i16", "i32", "i64", "u8", "u16", "u32", "u64", "f32", "f64", "String", "str", "Option", "Vec"];
    match value {
        Type::Tuple(tuple) if !tuple.elems.is_empty() => {
            let names = vec!["\"…\""; tuple.elems.len()].join(", ");
            Some(format!("`outputs = [{names}]` in the attribute"))
        }
        Type::Reference(_) => Some("`output = \"…\"` in the attribute".to_owned()),
        other => crate::types::ident(other)
            .filter(|name| PLAIN.contains(&name.as_str()))
            .map(|_| "`output = \"…\"` in the attribute".to_owned()),
    }
}

/// The `columns` of the operator's custom section.
pub(crate) fn columns(parts: &Parts, rows: &[&Row]) -> TokenStream {
    columns_and_states(parts, rows, &quote!(::core::option::Option::None))
}

/// The same, of an operator that may keep state.
pub(crate) fn columns_and_states(parts: &Parts, rows: &[&Row], states: &TokenStream) -> TokenStream {
    let reads = &parts.read_columns;
    let writes = rows.iter().map(|row| {
        let (names, as_cells) = (&row.names, &row.as_cells);
        quote!((#names, #as_cells::TYPES))
    });
    quote! {
        ::core::option::Option::Some(::volley_sdk::row::SectionColumns {
            reads: #reads,
            writes: &[#(#writes),*],
            states: #states,
        })
    }
}
