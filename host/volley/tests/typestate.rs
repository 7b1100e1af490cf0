//! What makes no sense does not compile; what one reads then stands beside the cases.

#[test]
fn what_makes_no_sense_does_not_compile() {
    trybuild::TestCases::new().compile_fail("tests/compile_errors/*.rs");
}
