//! Functions of callboard in operating-system processes of their own, in any language.

pub mod runtime;
pub mod sandbox;
