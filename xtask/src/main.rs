//! The project's own commands: set up, test, tidy, measure. Built before anything else, so it depends on little.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command line speaks to the person in front of it")]

mod arguments;
mod bench;
mod contracts;
mod islands;
mod phases;
mod postgres;
mod process;
mod project;
mod soak;
mod table;
mod tidy;
mod timings;
mod tools;
mod up;

use arguments::Order;
use project::Project;
use std::process::ExitCode;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let project = Project::here();
    let outcome = match arguments::parse(&words) {
        Ok(Order::Help) => {
            println!("{}", arguments::HELP);
            Ok(true)
        }
        Ok(Order::Up(order)) => up::run(&project, &order).map(|()| true),
        Ok(Order::Test(choice)) => phases::run(&project, &choice),
        Ok(Order::Tidy) => print_tidiness(&project),
        Ok(Order::Soak(order)) => soak::run(&project, &order),
        Ok(Order::Bench(order)) => bench::run(&project, &order),
        Err(error) => Err(error),
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn print_tidiness(project: &Project) -> Result<bool, String> {
    let findings = tidy::run(&project.root)?;
    for finding in &findings {
        println!("{finding}");
    }
    match findings.len() {
        0 => println!("tidy"),
        count => println!("{count} to put right"),
    }
    Ok(findings.is_empty())
}
