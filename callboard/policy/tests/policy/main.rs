//! Cedar beside the tables: both agree on everything, own policies widen and narrow, and changes that are told allow what was
//! refused.

mod agreement;
mod files;
mod own;
mod rows;
