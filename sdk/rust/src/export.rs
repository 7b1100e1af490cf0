//! The macros that make an operator the component's: one per world.

/// Makes a [`MapOperator`](crate::MapOperator) the operator of this component. Once per crate.
///
/// Name and version are those of the crate. Outside of wasm it only checks that the type is a map.
#[macro_export]
macro_rules! export_map {
    ($operator:ty) => {
        $crate::__export_operator!($operator, MapOperator, MapRunner, map, ::core::option::Option::None);
    };
}

/// Makes a [`FilterOperator`](crate::FilterOperator) the operator of this component. Once per crate.
///
/// Name and version are those of the crate. Outside of wasm it only checks that the type is a filter.
#[macro_export]
macro_rules! export_filter {
    ($operator:ty) => {
        $crate::__export_operator!($operator, FilterOperator, FilterRunner, filter, ::core::option::Option::None);
    };
}

/// Makes a [`FlatMapOperator`](crate::FlatMapOperator) the operator of this component. Once per crate.
///
/// Name and version are those of the crate. Outside of wasm it only checks that the type is a flat-map.
#[macro_export]
macro_rules! export_flat_map {
    ($operator:ty) => {
        $crate::__export_operator!($operator, FlatMapOperator, FlatMapRunner, flat_map, ::core::option::Option::None);
    };
}

/// Makes a [`ScalarOperator`](crate::ScalarOperator) the function of this component. Once per crate.
///
/// Name and version are those of the crate. Outside of wasm it only checks that the type is a scalar.
#[macro_export]
macro_rules! export_scalar {
    ($operator:ty) => {
        $crate::__export_operator!($operator, ScalarOperator, ScalarRunner, scalar, ::core::option::Option::None);
    };
}

/// Makes a [`CodecOperator`](crate::CodecOperator) the format of this component. Once per crate.
///
/// Name and version are those of the crate. Outside of wasm it only checks that the type is a codec.
#[macro_export]
macro_rules! export_codec {
    ($operator:ty) => {
        $crate::__export_operator!($operator, CodecOperator, CodecRunner, codec, ::core::option::Option::None);
    };
}

/// Makes an [`AggregateOperator`](crate::AggregateOperator) the operator of this component. Once per crate.
///
/// Name and version are those of the crate. Outside of wasm it only checks that the type is an aggregate.
#[macro_export]
macro_rules! export_aggregate {
    ($operator:ty) => {
        $crate::__export_operator!(
            $operator,
            AggregateOperator,
            AggregateRunner,
            aggregate,
            ::core::option::Option::None
        );
    };
}

/// Makes a [`ProcessOperator`](crate::ProcessOperator) the operator of this component. Once per crate.
///
/// Name and version are those of the crate. Outside of wasm it only checks that the type is a process. With `, snapshot`
/// behind it the type is a [`SnapshotOperator`](crate::SnapshotOperator), which holds state itself or brings state over.
#[macro_export]
macro_rules! export_process {
    ($operator:ty) => {
        $crate::__export_operator!($operator, ProcessOperator, ProcessRunner, process, ::core::option::Option::None);
    };
    ($operator:ty, snapshot) => {
        $crate::__export_operator!(
            $operator,
            SnapshotOperator,
            ProcessRunner,
            process,
            ::core::option::Option::None,
            snapshot
        );
    };
}

/// What they share, and what the row-wise attributes use: these know the columns that `$columns` states.
#[doc(hidden)]
#[macro_export]
macro_rules! __export_operator {
    ($operator:ty, $kind:ident, $runner:ident, $part:ident, $columns:expr $(, $more:ident)?) => {
        const _: () = {
            const fn exported<T: $crate::$kind>() {}
            exported::<$operator>();
        };

        #[cfg(target_arch = "wasm32")]
        #[allow(unsafe_code)]
        const _: () = {
            struct Exported;

            impl $crate::guest::Slot for Exported {
                type Runner = $crate::guest::$runner<$operator>;
                const NAME: &'static str = ::core::env!("CARGO_PKG_NAME");
                const VERSION: &'static str = ::core::env!("CARGO_PKG_VERSION");

                fn with<R>(f: impl FnOnce(&mut $crate::guest::Holder<Self::Runner>) -> R) -> R {
                    static OPERATOR: $crate::guest::OneThread<
                        $crate::guest::Holder<$crate::guest::$runner<$operator>>,
                    > = $crate::guest::OneThread::new($crate::guest::Holder::new());
                    OPERATOR.with(f)
                }
            }

    $crate::guest::lifecycle::export_part!(Exported with_types_in $crate::guest::lifecycle_entries);
    $crate::guest::$part::export_part!(Exported with_types_in $crate::guest::$part);
    $($crate::guest::$more::export_part!(Exported with_types_in $crate::guest::$more);)?

            const SECTION: $crate::row::Section<'static> = $crate::row::Section {
                name: ::core::env!("CARGO_PKG_NAME"),
                version: ::core::env!("CARGO_PKG_VERSION"),
                columns: $columns,
            };
            // The linker strings sections of one name together: there must be this one alone.
            #[unsafe(link_section = "volley-operator")]
            static SECTION_BYTES: [u8; $crate::row::section_len(&SECTION)] = $crate::row::section_bytes(&SECTION);
        };
    };
}
