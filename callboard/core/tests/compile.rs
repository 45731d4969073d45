//! A function of the wrong shape is refused by the compiler with words that say what is expected.

#[test]
fn a_wrong_function_is_told_what_is_expected() {
    trybuild::TestCases::new().compile_fail("tests/wrong/*.rs");
}
