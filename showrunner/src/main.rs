//! Independent video on one binary: configuration, assembly and command line.
fn main() {}
