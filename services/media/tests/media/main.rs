//! The media service against the real ffmpeg: what it refuses, and what it makes of what it accepts.
//! Every input is drawn here; nothing is downloaded.

mod clips;
mod hostile;
mod ladder;
mod quick;
mod refusals;
mod runs;
