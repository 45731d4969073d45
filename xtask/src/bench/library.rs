//! Figures of callboard itself: a program of its own measures them and prints one line of JSON each.

use super::dbos::Dbos;
use super::restate::Restate;
use super::{Goal, Row, Site, peers};
use crate::postgres::Postgres;
use crate::process::{self, Output};
use crate::tools;
use serde_json::Value;
use std::process::Stdio;

/// Cost of one call.
pub(crate) fn dispatch(site: &Site) -> Result<Vec<Row>, String> {
    measure(site, "dispatch")
}

/// Cost of a decision of policies.
pub(crate) fn policy(site: &Site) -> Result<Vec<Row>, String> {
    measure(site, "policy")
}

/// Writes beside SQLite alone.
pub(crate) fn commits(site: &Site) -> Result<Vec<Row>, String> {
    measure(site, "commits")
}

/// A function over HTTP beside bare axum, and beside workerd.
pub(crate) fn http(site: &Site) -> Result<Vec<Row>, String> {
    install_load();
    let workerd = peers::workerd(site);
    if let Err(error) = &workerd {
        eprintln!("measured without workerd: {error}");
    }
    let address = workerd.as_ref().map_or_else(|_| String::new(), |peer| peer.address.to_string());
    measure_beside(site, "http", &[("FIGURES_WORKERD", &address)])
}

/// Functions in processes.
pub(crate) fn processes(site: &Site) -> Result<Vec<Row>, String> {
    install_load();
    let python = peers::python(site)?;
    let shown = python.display().to_string();
    let lambda = peers::cargo_lambda(site, &python);
    let mut found = vec![("FIGURES_PYTHON", shown)];
    match &lambda {
        Ok((program, peer)) => {
            found.push(("FIGURES_LAMBDA_PROGRAM", program.display().to_string()));
            found.push(("FIGURES_LAMBDA_WATCH", peer.address.to_string()));
        }
        Err(error) => eprintln!("measured without `cargo lambda watch`: {error}"),
    }
    let found: Vec<(&str, &str)> = found.iter().map(|(name, value)| (*name, value.as_str())).collect();
    measure_beside(site, "processes", &found)
}

/// An event of AWS beside lambda_http.
pub(crate) fn invoke(site: &Site) -> Result<Vec<Row>, String> {
    measure(site, "invoke")
}

/// A segment beside nginx.
pub(crate) fn segment(site: &Site) -> Result<Vec<Row>, String> {
    install_load();
    measure(site, "segment")
}

/// A flow of three steps beside Restate.
pub(crate) fn flows(site: &Site) -> Result<Vec<Row>, String> {
    let restate = Restate::start(site);
    if let Err(error) = &restate {
        eprintln!("measured without Restate: {error}");
    }
    let ingress = restate.as_ref().map_or_else(|_| String::new(), |restate| restate.ingress.to_string());
    measure_beside(site, "flows", &[("FIGURES_RESTATE", &ingress)])
}

/// The same on PostgreSQL, beside DBOS on the same server.
pub(crate) fn flows_on_postgres(site: &Site) -> Result<Vec<Row>, String> {
    tools::install(&[&tools::POSTGRESQL], &Output::Shown, &|text| eprintln!("{text}"))?;
    let postgres = Postgres::start_durable(&site.data, &Output::Logged(site.data.join("postgres.log")))?;
    let dbos = Dbos::start(site, &postgres);
    if let Err(error) = &dbos {
        eprintln!("measured without DBOS: {error}");
    }
    let addresses = dbos.as_ref().map_or("", |dbos| &dbos.addresses);
    measure_beside(site, "flows-postgres", &[("FIGURES_POSTGRES", postgres.url()), ("FIGURES_DBOS", addresses)])
}

/// Events with five subscribers.
pub(crate) fn fanout(site: &Site) -> Result<Vec<Row>, String> {
    measure(site, "fanout")
}

/// Deliveries while a million messages wait.
pub(crate) fn backlog(site: &Site) -> Result<Vec<Row>, String> {
    measure(site, "backlog")
}

/// What nothing to do costs.
pub(crate) fn idle(site: &Site) -> Result<Vec<Row>, String> {
    measure(site, "idle")
}

/// Installs what puts load on servers; a figure without it says what to do.
fn install_load() {
    if let Err(error) = tools::install(&[&tools::WRK], &Output::Shown, &|text| eprintln!("{text}")) {
        eprintln!("measured without load: {error}");
    }
}

fn measure(site: &Site, name: &str) -> Result<Vec<Row>, String> {
    measure_beside(site, name, &[])
}

/// Measures beside peers whose addresses the program finds in its environment.
fn measure_beside(site: &Site, name: &str, peers: &[(&str, &str)]) -> Result<Vec<Row>, String> {
    let line = format!("cargo bench --locked --quiet --package callboard-bench --bench figures -- {name} --data");
    let mut command = process::command_line(&line, &site.root);
    let output = command.envs(peers.iter().copied()).arg(&site.data).stderr(Stdio::inherit()).output();
    let output = output.map_err(|error| format!("cannot start `{line}`: {error}"))?;
    if !output.status.success() {
        return Err(format!("`{line}` failed ({})", output.status));
    }
    String::from_utf8_lossy(&output.stdout).lines().map(read).collect()
}

fn read(line: &str) -> Result<Row, String> {
    let figure: Value = serde_json::from_str(line).map_err(|error| format!("`{line}` is no figure: {error}"))?;
    let text = |name: &str| figure[name].as_str().map(str::to_string);
    let needed = |name: &str| text(name).ok_or_else(|| format!("`{line}` has no `{name}`"));
    let is_reached = figure["is_reached"].as_bool().unwrap_or(false);
    Ok(Row {
        work: needed("work")?,
        ours: needed("ours")?,
        beside: text("beside"),
        ratio: figure["ratio"].as_f64(),
        goal: text("reach").map(|reach| Goal { reach, is_reached }),
        note: text("note"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_a_row() {
        let row = read(
            r#"{"work":"w","ours":"9 µs","beside":"6 µs","ratio":1.5,"reach":"≤ 2.0×","is_reached":true,"note":null}"#,
        );
        let row = row.unwrap();
        assert_eq!((row.work.as_str(), row.ratio, row.note), ("w", Some(1.5), None));
        assert!(row.goal.is_some_and(|goal| goal.is_reached));
        assert!(read("warning: unused").err().unwrap().contains("no figure"));
        assert!(read("{}").err().unwrap().contains("no `work`"));
    }
}
