//! The policy: the binding tables in Cedar, policies of the channel's own beside the settings, and what each service may and does.

use crate::settings::Settings;
use callboard::policy::Policy;
use callboard::{Fault, Service};
use callboard_policy::CedarPolicy;
use serde_json::Value;
use std::fmt::Write;
use std::sync::Arc;

/// The policy of these services. A file that is named must be there; `policy.cedar` beside the settings may.
///
/// # Errors
/// `settings` with file, line and column of the first mistake.
pub(crate) fn read(settings: &Settings, services: &[Service]) -> Result<Arc<dyn Policy>, Fault> {
    let file = settings.beside(settings.get("policy"));
    let name = file.display().to_string();
    let text = match std::fs::read_to_string(&file) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && settings.is_default("policy") => String::new(),
        Err(error) => return Err(Fault::bad_input("settings", format!("the policy {name}: {error}"))),
    };
    let policy = CedarPolicy::new(services, &name, &text);
    Ok(Arc::new(policy.map_err(|error| Fault::bad_input("settings", error.to_string()))?))
}

/// All of the policy, as Cedar reads it.
pub(crate) fn cedar(told: &Value) -> String {
    told["policy"].as_str().unwrap_or_default().to_owned()
}

/// What every service declares, what its functions were seen to use, and where that differs.
pub(crate) fn privileges(told: &Value) -> String {
    let mut out = String::new();
    for service in told["services"].as_array().into_iter().flatten() {
        let name = service["service"].as_str().unwrap_or_default();
        writeln!(out, "{name}").expect("a string takes every write");
        line(&mut out, "  declared", &words(&service["declared"]));
        for function in service["functions"].as_array().into_iter().flatten() {
            let observed = function["observed"].as_object();
            let observed: Vec<String> =
                observed.into_iter().flatten().map(|(right, count)| format!("{right} ×{count}")).collect();
            let undeclared = words(&function["undeclared"]);
            if observed.is_empty() {
                continue;
            }
            writeln!(out, "  {}", function["function"].as_str().unwrap_or_default())
                .expect("a string takes every write");
            line(&mut out, "    observed", &observed);
            line(&mut out, "    not declared", &undeclared);
        }
        line(&mut out, "  declared, not seen since the start", &words(&service["unused"]));
    }
    out.push_str("\nper function, with what each could do without: --format json\n");
    out
}

fn words(list: &Value) -> Vec<String> {
    list.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}

fn line(out: &mut String, head: &str, words: &[String]) {
    if !words.is_empty() {
        writeln!(out, "{head}: {}", grouped(words)).expect("a string takes every write");
    }
}

/// Rights with the same beginning together: `read table series, season; get /home`.
fn grouped(words: &[String]) -> String {
    let mut groups: Vec<(&str, Vec<&str>)> = Vec::new();
    for right in words {
        let on = right.split(" ×").next().unwrap_or(right).rfind(' ').unwrap_or(0);
        let (what, on) = right.split_at(on);
        match groups.last_mut() {
            Some((last, all)) if *last == what => all.push(on.trim_start()),
            _ => groups.push((what, vec![on.trim_start()])),
        }
    }
    let groups: Vec<String> = groups.into_iter().map(|(what, on)| format!("{what} {}", on.join(", "))).collect();
    groups.join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::all_services;
    use callboard::policy::{Asker, Question, Tables};
    use callboard::{Kind, Principal, Tenant, Uri};
    use serde_json::json;

    #[test]
    fn every_declaration_of_the_platform_names_a_function_that_is_there() {
        let services = all_services();
        let rows: Vec<_> = services.iter().flat_map(|service| &service.bindings).collect();
        for service in &services {
            for used in service.uses.iter().filter(|used| !matches!(used.kind, Kind::Event(_))) {
                let is_there =
                    rows.iter().any(|row| row.kind == used.kind && row.pattern.shape() == used.pattern.shape());
                assert!(is_there, "{} uses {} {}", service.name, used.kind, used.pattern.as_str());
            }
        }
    }

    #[test]
    fn cedar_and_the_tables_agree_on_every_row_of_the_platform() {
        let services = all_services();
        let policy = CedarPolicy::always(&services, "policy.cedar", "").expect("no policies of one's own");
        let roles: [&[&str]; 5] = [&[], &["viewer"], &["editor"], &["owner"], &["viewer", "editor", "owner"]];
        let mut principals: Vec<Principal> = roles.iter().map(|roles| Principal::person("p", roles)).collect();
        principals.extend([Principal::Nobody, Principal::Service("cli".into())]);
        let asker = |declares| Some(Asker { service: "site", declares });
        let mut asked = 0;
        for service in &services {
            for binding in service.bindings.iter().filter(|binding| !matches!(binding.kind, Kind::Event(_))) {
                let uri = Uri::parse(&binding.pattern.as_str().replace(['{', '}'], "")).expect("a URI");
                let declares = service.name == "site"
                    || services
                        .iter()
                        .filter(|one| one.name == "site")
                        .flat_map(|site| &site.uses)
                        .any(|used| used.kind == binding.kind && used.pattern.shape() == binding.pattern.shape());
                for principal in &principals {
                    for asker in [None, asker(declares)] {
                        let tenant = &Tenant::new("demo");
                        let question = Question { service, binding, tenant, uri: &uri, principal, asker };
                        let (tables, cedar) =
                            (Tables.decide(&question).is_ok(), policy.decide_in_cedar(&question).is_ok());
                        let place = format!("{} {}", binding.kind, binding.pattern.as_str());
                        assert_eq!(tables, cedar, "{place} by {principal:?} for {asker:?}");
                        asked += 1;
                    }
                }
            }
        }
        assert!(asked > 1_000, "{asked} questions");
    }

    #[test]
    fn privileges_are_told_in_words() {
        let told = json!({"services": [{"service": "shop", "declared": ["get /a", "get /b", "run ffmpeg"], "unused": ["run ffmpeg"],
            "functions": [{"function": "shop::buy", "observed": {"get /a": 3, "get /b": 1}, "undeclared": []},
                          {"function": "shop::sell", "observed": {}, "undeclared": []}]}]});
        let want = "shop\n  declared: get /a, /b; run ffmpeg\n  shop::buy\n    observed: get /a ×3, /b ×1\n  \
                    declared, not seen since the start: run ffmpeg\n";
        assert!(privileges(&told).starts_with(want), "{}", privileges(&told));
    }
}
