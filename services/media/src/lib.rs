//! Uploads and their way to playable video.
//!
//! The modules below are pure: they write the command lines of ffprobe and ffmpeg and read what those print.
//! They start no process and open no file.

pub mod boxes;
pub mod command;
pub mod encode;
pub mod master;
pub mod packets;
pub mod plan;
pub mod playlist;
pub mod poster;
pub mod probe;
pub mod progress;
pub mod rate;
pub mod refusal;
pub mod source;
