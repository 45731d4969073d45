//! The media service on the bench with the real ffmpeg: what it takes, what it refuses, and what it makes of what it
//! accepts. Every input is drawn here; nothing is downloaded.

mod clips;
mod endings;
mod exposing;
mod hostile;
mod house;
mod ladder;
mod publishing;
mod quick;
mod refusals;
mod runs;
mod uploading;
