//! Mistakes in a file of policies are told with their place.

use crate::rows::services;
use callboard_policy::CedarPolicy;

#[test]
fn mistakes_are_told_with_their_place_and_what_is_wrong() {
    for (text, place, part) in [
        (
            "permit (principal, action, resource);\nforbid (principal action, resource);",
            "policy.cedar:2:19",
            "unexpected token",
        ),
        ("// all\npermit (principal, action == Action::\"fly\", resource);", "policy.cedar:2:", "fly"),
        ("permit (principal, action, resource) when { principal.age > 3 };", "policy.cedar:1:", "age"),
        ("permit (principal, action, resource)", "policy.cedar:1:", "unexpected end"),
        (
            "forbid (principal, action, resource in Function::\"shelf get /boks\");",
            "policy.cedar:1:1",
            "there is no Function::\"shelf get /boks\"; `showrunner policy --cedar` names them all",
        ),
        (
            "forbid (principal, action, resource in Service::\"shop\");",
            "policy.cedar:1:1",
            "there is no Service::\"shop\"",
        ),
        (
            "@id(\"a\") permit (principal, action, resource);\n @id(\"a\") forbid (principal, action, resource);",
            "policy.cedar:2:2",
            "two policies are named `a`",
        ),
        ("permit (principal == ?principal, action, resource);", "policy.cedar:1:", "template"),
    ] {
        let Err(error) = CedarPolicy::new(&services(), "policy.cedar", text) else { panic!("{text} is read") };
        assert!(error.place.starts_with(place), "{text}: {error}");
        assert!(error.message.contains(part), "{text}: {error}");
    }
}

#[test]
fn everything_the_tables_say_is_text_that_cedar_reads() {
    use callboard::policy::Policy;
    let text = CedarPolicy::new(&services(), "policy.cedar", "").expect("nothing").text().expect("a text");
    for part in [
        "@id(\"shelf get /open\")",
        "principal in Role::\"owner\"",
        "// Service::\"reader\" is in Use::\"shelf post /books\"",
    ] {
        assert!(text.contains(part), "{text}");
    }
    // What is generated reads as policies of one's own too.
    assert!(CedarPolicy::new(&services(), "generated", &text).is_ok());
}
