//! The application drawn from its binding tables: as text, as JSON, as a Mermaid diagram.

use callboard::flow::Undo;
use callboard::operator::describe;
use callboard::{Flow, Kind, Service, Space};
use serde_json::{Value, json};
use std::fmt::Write;

/// Services with their functions, tables and flows, for a terminal.
pub(crate) fn text(space: &Space) -> String {
    let mut out = String::new();
    for service in &space.services {
        let rows: Vec<_> = service.bindings.iter().map(|binding| describe(service, binding)).collect();
        let width = |heading: &str, pick: fn(&callboard::operator::FunctionRow) -> usize| {
            rows.iter().map(pick).max().unwrap_or(0).max(heading.len())
        };
        let (trigger, uri, who) = (
            width("trigger", |row| row.trigger.len()),
            width("URI", |row| row.uri.len()),
            width("who may", |row| row.who.len()),
        );
        line(&mut out, format_args!("{}", service.name));
        if !rows.is_empty() {
            let headings = format_args!("  {:trigger$}  {:uri$}  {:who$}  function", "trigger", "URI", "who may");
            line(&mut out, headings);
        }
        for row in &rows {
            line(
                &mut out,
                format_args!("  {:trigger$}  {:uri$}  {:who$}  {}", row.trigger, row.uri, row.who, row.function),
            );
        }
        for flow in &service.flows {
            line(&mut out, format_args!("  flow {}: {}", flow.name, steps(flow).join(" → ")));
        }
        let tables: Vec<_> = service.tables.iter().map(|table| table.name).collect();
        if !tables.is_empty() {
            line(&mut out, format_args!("  tables {}", tables.join(", ")));
        }
        if !service.tools.is_empty() {
            line(&mut out, format_args!("  programs {}", service.tools.join(", ")));
        }
        out.push('\n');
    }
    out
}

fn line(out: &mut String, text: std::fmt::Arguments<'_>) {
    writeln!(out, "{text}").expect("a string takes every write");
}

fn steps(flow: &Flow) -> Vec<String> {
    let undo = |step: &callboard::flow::StepRow| match &step.undo {
        Undo::By(_) => " ↩",
        _ => "",
    };
    flow.steps
        .iter()
        .map(|step| format!("{}{}{}", step.id, if step.over.is_some() { "*" } else { "" }, undo(step)))
        .collect()
}

/// The same for programs.
pub(crate) fn json(space: &Space) -> Value {
    let services = space.services.iter().map(|service| {
        json!({
            "service": service.name,
            "functions": service.bindings.iter().map(|binding| describe(service, binding)).collect::<Vec<_>>(),
            "tables": service.tables.iter().map(|table| json!({"table": table.name, "tenants": table.is_tenants})).collect::<Vec<_>>(),
            "flows": service.flows.iter().map(flow_json).collect::<Vec<_>>(),
            "programs": service.tools,
            "settings": service.settings.iter().map(|one| json!({"name": one.name, "default": one.default, "meaning": one.meaning})).collect::<Vec<_>>(),
        })
    });
    json!({"services": services.collect::<Vec<_>>()})
}

fn flow_json(flow: &Flow) -> Value {
    let step = |step: &callboard::flow::StepRow| {
        let undo = match &step.undo {
            Undo::By(_) => json!({"function": step.undo_name()}),
            Undo::Never(reason) => json!({"none": reason}),
            Undo::Unsaid => Value::Null,
        };
        json!({"id": step.id, "function": step.function_name(), "over": step.over, "undo": undo, "attempts": step.retry.attempts})
    };
    json!({"flow": flow.name, "steps": flow.steps.iter().map(step).collect::<Vec<_>>()})
}

/// Services, the events they listen to and their tables, as a Mermaid flowchart.
pub(crate) fn mermaid(space: &Space) -> String {
    let mut out = String::from("flowchart LR\n");
    line(&mut out, format_args!("  http([HTTP])\n  kernel([kernel])"));
    for service in &space.services {
        line(&mut out, format_args!("  subgraph {}", service.name));
        for (at, binding) in service.bindings.iter().enumerate() {
            line(
                &mut out,
                format_args!("    {}_{at}[\"{} {}\"]", service.name, binding.kind, binding.pattern.as_str()),
            );
        }
        for table in &service.tables {
            line(&mut out, format_args!("    {}_{}[({})]", service.name, table.name, table.name));
        }
        for flow in &service.flows {
            line(&mut out, format_args!("    {}_{}{{{{flow {}}}}}", service.name, flow.name, flow.name));
        }
        line(&mut out, format_args!("  end"));
        arrows(&mut out, service);
    }
    out
}

fn arrows(out: &mut String, service: &Service) {
    for (at, binding) in service.bindings.iter().enumerate() {
        let from = if matches!(binding.kind, Kind::Event(_)) { "kernel" } else { "http" };
        if !matches!(binding.who, callboard::Who::Services) || from == "kernel" {
            line(out, format_args!("  {from} --> {}_{at}", service.name));
        }
    }
}
