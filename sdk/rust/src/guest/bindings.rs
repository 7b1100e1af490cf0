//! Bindings made from `wit/`. The worlds are taken apart, so that what they share (imports, types, lifecycle) is
//! bound once: a component's type is the union of the parts that it exports.

/// All imports, and the types that the worlds share.
#[allow(missing_docs, unreachable_pub, clippy::all, clippy::pedantic)]
pub mod imports {
    wit_bindgen::generate!({
        path: "../../wit/volley-operator@0.1.0",
        inline: "
            package volley:sdk;
            world imports {
                import volley:operator/types@0.1.0;
                import volley:operator/log@0.1.0;
                import volley:operator/metrics@0.1.0;
                import volley:operator/clock@0.1.0;
                import volley:operator/random@0.1.0;
                import volley:operator/emitter@0.1.0;
                import volley:operator/state@0.1.0;
                import volley:operator/timers@0.1.0;
                import volley:operator/http@0.1.0;
            }
        ",
        runtime_path: "::volley_sdk::__wit_bindgen::rt",
        generate_unused_types: true,
        generate_all,
    });
}

/// The export `lifecycle`, which every world has.
#[allow(missing_docs, unreachable_pub, clippy::all, clippy::pedantic)]
pub mod lifecycle {
    wit_bindgen::generate!({
        path: "../../wit/volley-operator@0.1.0",
        inline: "
            package volley:sdk;
            world lifecycle-part {
                export volley:operator/lifecycle@0.1.0;
            }
        ",
        pub_export_macro: true,
        export_macro_name: "export_part",
        runtime_path: "::volley_sdk::__wit_bindgen::rt",
        with: { "volley:operator/types@0.1.0": ::volley_sdk::guest::imports::volley::operator::types },
    });
}

/// The export of the world `map-operator`.
#[allow(missing_docs, unreachable_pub, clippy::all, clippy::pedantic)]
pub mod map {
    wit_bindgen::generate!({
        path: "../../wit/volley-operator@0.1.0",
        inline: "
            package volley:sdk;
            world map-part {
                export volley:operator/%map@0.1.0;
            }
        ",
        pub_export_macro: true,
        export_macro_name: "export_part",
        runtime_path: "::volley_sdk::__wit_bindgen::rt",
        with: { "volley:operator/types@0.1.0": ::volley_sdk::guest::imports::volley::operator::types },
    });
}

/// The export of the world `filter-operator`.
#[allow(missing_docs, unreachable_pub, clippy::all, clippy::pedantic)]
pub mod filter {
    wit_bindgen::generate!({
        path: "../../wit/volley-operator@0.1.0",
        inline: "
            package volley:sdk;
            world filter-part {
                export volley:operator/filter@0.1.0;
            }
        ",
        pub_export_macro: true,
        export_macro_name: "export_part",
        runtime_path: "::volley_sdk::__wit_bindgen::rt",
        with: { "volley:operator/types@0.1.0": ::volley_sdk::guest::imports::volley::operator::types },
    });
}

/// The export of the world `flat-map-operator`.
#[allow(missing_docs, unreachable_pub, clippy::all, clippy::pedantic)]
pub mod flat_map {
    wit_bindgen::generate!({
        path: "../../wit/volley-operator@0.1.0",
        inline: "
            package volley:sdk;
            world flat-map-part {
                export volley:operator/flat-map@0.1.0;
            }
        ",
        pub_export_macro: true,
        export_macro_name: "export_part",
        runtime_path: "::volley_sdk::__wit_bindgen::rt",
        with: { "volley:operator/types@0.1.0": ::volley_sdk::guest::imports::volley::operator::types },
    });
}

/// The export of the world `scalar-operator`.
#[allow(missing_docs, unreachable_pub, clippy::all, clippy::pedantic)]
pub mod scalar {
    wit_bindgen::generate!({
        path: "../../wit/volley-operator@0.1.0",
        inline: "
            package volley:sdk;
            world scalar-part {
                export volley:operator/scalar@0.1.0;
            }
        ",
        pub_export_macro: true,
        export_macro_name: "export_part",
        runtime_path: "::volley_sdk::__wit_bindgen::rt",
        with: { "volley:operator/types@0.1.0": ::volley_sdk::guest::imports::volley::operator::types },
    });
}

/// The export of the world `codec-operator`.
#[allow(missing_docs, unreachable_pub, clippy::all, clippy::pedantic)]
pub mod codec {
    wit_bindgen::generate!({
        path: "../../wit/volley-operator@0.1.0",
        inline: "
            package volley:sdk;
            world codec-part {
                export volley:operator/codec@0.1.0;
            }
        ",
        pub_export_macro: true,
        export_macro_name: "export_part",
        runtime_path: "::volley_sdk::__wit_bindgen::rt",
        with: { "volley:operator/types@0.1.0": ::volley_sdk::guest::imports::volley::operator::types },
    });
}

/// The export of the world `process-operator`.
#[allow(missing_docs, unreachable_pub, clippy::all, clippy::pedantic)]
pub mod process {
    wit_bindgen::generate!({
        path: "../../wit/volley-operator@0.1.0",
        inline: "
            package volley:sdk;
            world process-part {
                export volley:operator/process@0.1.0;
            }
        ",
        pub_export_macro: true,
        export_macro_name: "export_part",
        runtime_path: "::volley_sdk::__wit_bindgen::rt",
        with: {
            "volley:operator/types@0.1.0": ::volley_sdk::guest::imports::volley::operator::types,
            "volley:operator/timers@0.1.0": ::volley_sdk::guest::imports::volley::operator::timers,
        },
    });
}

/// The export of the world `aggregate-operator`.
#[allow(missing_docs, unreachable_pub, clippy::all, clippy::pedantic)]
pub mod aggregate {
    wit_bindgen::generate!({
        path: "../../wit/volley-operator@0.1.0",
        inline: "
            package volley:sdk;
            world aggregate-part {
                export volley:operator/aggregate@0.1.0;
            }
        ",
        pub_export_macro: true,
        export_macro_name: "export_part",
        runtime_path: "::volley_sdk::__wit_bindgen::rt",
        with: { "volley:operator/types@0.1.0": ::volley_sdk::guest::imports::volley::operator::types },
    });
}

/// The export `snapshot`, of operators that hold state themselves or bring state over.
#[allow(missing_docs, unreachable_pub, clippy::all, clippy::pedantic)]
pub mod snapshot {
    wit_bindgen::generate!({
        path: "../../wit/volley-operator@0.1.0",
        inline: "
            package volley:sdk;
            world snapshot-part {
                export volley:operator/snapshot@0.1.0;
            }
        ",
        pub_export_macro: true,
        export_macro_name: "export_part",
        runtime_path: "::volley_sdk::__wit_bindgen::rt",
        with: {
            "volley:operator/types@0.1.0": ::volley_sdk::guest::imports::volley::operator::types,
            "volley:operator/lifecycle@0.1.0":
                ::volley_sdk::guest::lifecycle::exports::volley::operator::lifecycle,
        },
    });
}
