//! What a person reads who uses the macros wrongly; the messages stand beside the cases.

#[test]
fn misuse_is_explained() {
    trybuild::TestCases::new().compile_fail("tests/compile_errors/*.rs");
}
