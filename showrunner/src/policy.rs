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

/// What every function declares, what it was seen to use, and where that differs: a table for each service.
pub(crate) fn privileges(told: &Value) -> String {
    let functions = |service: &Value| service["functions"].as_array().cloned().unwrap_or_default();
    let services = told["services"].as_array().into_iter().flatten().map(functions);
    services.filter(|functions| !functions.is_empty()).map(|functions| table(&functions)).collect::<Vec<_>>().join("\n")
}

const HEADS: [&str; 4] = ["FUNCTION", "RIGHT", "SEEN", "DIFFERENCE"];

fn table(functions: &[Value]) -> String {
    let lines: Vec<[String; 4]> = functions.iter().flat_map(lines).collect();
    let width = |at: usize| lines.iter().map(|line| line[at].chars().count()).max().unwrap_or(0).max(HEADS[at].len());
    let (row, right, seen) = (width(0), width(1), width(2));
    let mut out = String::new();
    for [one, two, three, four] in std::iter::once(HEADS.map(str::to_owned)).chain(lines) {
        let line = format!("{one:row$}  {two:right$}  {three:>seen$}  {four}");
        writeln!(out, "{}", line.trim_end()).expect("a string takes every write");
    }
    out
}

/// The rights of a function, a line for each that was used and one for those of a kind that were not.
fn lines(function: &Value) -> Vec<[String; 4]> {
    let undeclared = words(&function["undeclared"]);
    let seen = function["observed"].as_object().into_iter().flatten().map(|(right, count)| {
        let difference = if undeclared.contains(right) { "not declared" } else { "" };
        [right.clone(), count.to_string(), difference.to_owned()]
    });
    let unused = grouped(&words(&function["unused"])).into_iter();
    let unused = unused.map(|rights| [rights, String::new(), "declared, not seen".to_owned()]);
    let mut rights: Vec<[String; 3]> = seen.chain(unused).collect();
    if rights.is_empty() {
        rights.push(["nothing".to_owned(), String::new(), String::new()]);
    }
    let row = std::iter::once(function["row"].as_str().unwrap_or_default()).chain(std::iter::repeat(""));
    row.zip(rights).map(|(row, [right, seen, difference])| [row.to_owned(), right, seen, difference]).collect()
}

fn words(list: &Value) -> Vec<String> {
    list.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}

/// Rights with the same beginning together: `read table series, season`, `get /home`.
fn grouped(words: &[String]) -> Vec<String> {
    let mut groups: Vec<(&str, Vec<&str>)> = Vec::new();
    for right in words {
        let (what, on) = right.rsplit_once(' ').unwrap_or(("", right));
        match groups.last_mut() {
            Some((last, all)) if *last == what => all.push(on),
            _ => groups.push((what, vec![on])),
        }
    }
    groups.into_iter().map(|(what, on)| format!("{what} {}", on.join(", "))).collect()
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
            for used in service.all_uses().into_iter().filter(|used| !matches!(used.kind, Kind::Event(_))) {
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
        let asker = |declares| Some(Asker { service: "site", row: "site page /", declares });
        let mut asked = 0;
        for service in &services {
            for binding in service.bindings.iter().filter(|binding| !matches!(binding.kind, Kind::Event(_))) {
                let uri = Uri::parse(&binding.pattern.as_str().replace(['{', '}'], "")).expect("a URI");
                let declares = service.name == "site"
                    || services
                        .iter()
                        .filter(|one| one.name == "site")
                        .flat_map(callboard::Service::all_uses)
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
    fn privileges_are_a_table() {
        let told = json!({"services": [{"service": "shop", "functions": [
            {"row": "shop post /a", "observed": {"get /b": 3, "emit sold /a": 1}, "undeclared": ["emit sold /a"],
                "unused": ["read table pen", "read table ink", "run ffmpeg"]},
            {"row": "shop get /c", "observed": {}, "undeclared": [], "unused": []}]}]});
        let want = "\
FUNCTION      RIGHT                SEEN  DIFFERENCE
shop post /a  get /b                  3
              emit sold /a            1  not declared
              read table pen, ink        declared, not seen
              run ffmpeg                 declared, not seen
shop get /c   nothing
";
        assert_eq!(privileges(&told), want);
    }
}
