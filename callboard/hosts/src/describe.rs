//! What a function may do, in words: what is shown when it starts.

use crate::declared::Checked;
use callboard::Who;

/// The policy of a function, a line each.
pub(crate) fn policy(checked: &Checked) -> String {
    let Checked { name, triggers, who, declared, .. } = checked;
    let on: Vec<String> = triggers
        .iter()
        .map(|(kind, pattern)| format!("{} {}", kind.as_str().to_uppercase(), pattern.as_str()))
        .collect();
    let who = match who {
        Who::Anyone => "anyone".to_owned(),
        Who::SignedIn => "whoever is signed in".to_owned(),
        Who::Services => "services only".to_owned(),
        Who::Role(role) => format!("whoever has the role {role}"),
    };
    let network: Vec<String> = declared.network.iter().map(|port| format!("TCP port {port}")).collect();
    let documents = if declared.documents { vec!["its own".to_owned()] } else { Vec::new() };
    let rows: [(&str, &[String]); 6] = [
        ("reads", &declared.reads),
        ("publishes", &declared.events),
        ("sends", &declared.sends),
        ("starts flows", &declared.starts),
        ("documents", &documents),
        ("network", &network),
    ];
    let said = |list: &[String]| if list.is_empty() { "nothing".to_owned() } else { list.join(", ") };
    let rows: String = rows.iter().map(|(what, list)| format!("    {what:12} {}\n", said(list))).collect();
    format!(
        "  {name}  {}\n    called by    {who}\n{rows}    takes        {} MB, {} MB of files, {} ms, {} processes\n",
        on.join(", "),
        declared.memory_mb_max,
        declared.scratch_mb_max,
        declared.timeout_ms,
        declared.processes_max
    )
}
