//! Uploads, their way to playable video, and who gets to see its bytes.
//!
//! The public modules are pure: they write the command lines of ffprobe and ffmpeg and read what those print. The flow
//! `publish` runs them. Bytes never pass through a function; what an episode is and who may watch it is asked by URI.

mod arrival;
mod assets;
pub mod boxes;
pub mod command;
pub mod encode;
mod exposure;
pub mod master;
mod model;
pub mod packets;
mod parts;
pub mod plan;
mod playback;
pub mod playlist;
pub mod poster;
pub mod probe;
pub mod progress;
mod publish;
pub mod rate;
mod records;
pub mod refusal;
mod removal;
pub mod source;
mod tus;
mod uploads;

use callboard::contract::Changed;
use callboard::{Kind, Service, Stranger, Values, Who, event};

/// The service.
pub fn service() -> Service {
    use Kind::{Delete, Get, Options, Patch, Post};
    use Stranger::{Denied, NotFound};
    const EDITOR: Who = Who::Role("editor");
    Service::new("media")
        .on(Options, "/uploads", uploads::describe, Who::Anyone, Denied)
        .tells(uploads::SPOKEN)
        .on(Options, "/uploads/{id}", uploads::describe, Who::Anyone, Denied)
        .tells(uploads::SPOKEN)
        .on(Post, "/uploads", uploads::create, EDITOR, Denied)
        .answers(&[201])
        .headers(&["tus-resumable", "upload-length", "upload-metadata"])
        .tells(&["tus-resumable", "upload-offset"])
        .reads(&["/episodes/{id}/facts"])
        .on(Get, "/uploads/{id}", uploads::read, Who::SignedIn, Denied)
        .tells(&["tus-resumable", "upload-offset", "upload-length"])
        .on(Patch, "/uploads/{id}", uploads::go_on, Who::SignedIn, Denied)
        .headers(&["tus-resumable", "upload-offset"])
        .tells(&["tus-resumable", "upload-offset"])
        .takes("application/offset+octet-stream")
        .on(Delete, "/uploads/{id}", uploads::remove, Who::SignedIn, Denied)
        .headers(&["tus-resumable"])
        .on(Post, "/uploads/{id}/parts", parts::store, Who::Services, NotFound)
        .on(Post, "/uploads/{id}/expiry", uploads::expire, Who::Services, NotFound)
        .on(Get, "/assets", assets::list, EDITOR, Denied)
        .on(Delete, "/assets/{id}/versions/{version}", assets::drop_version, Who::Services, NotFound)
        .on(Get, "/episodes/{id}/asset", assets::read, EDITOR, Denied)
        .on(Delete, "/episodes/{id}/asset", assets::remove, EDITOR, Denied)
        .on(Post, "/episodes/{id}/asset/removal", assets::follow_episode, Who::Services, NotFound)
        .on(Post, "/episodes/{id}/playback", playback::create, Who::Anyone, Denied)
        .refuses(&[401])
        .reads(&["/access/episodes/{id}"])
        .on(event("deleted"), "/episodes/{id}", assets::follow_episode, Who::Services, NotFound)
        .on(event("changed"), "/episodes/{id}", exposure::follow_episode, Who::Services, NotFound)
        .on(event("changed"), "/series/{id}", exposure::follow_series, Who::Services, NotFound)
        .on(event("delayed"), "/flows/publish/{run}", publish::delay, Who::Services, NotFound)
        .on(event("undone"), "/flows/publish/{run}", publish::fail, Who::Services, NotFound)
        .on(event("undo_stuck"), "/flows/publish/{run}", publish::fail, Who::Services, NotFound)
        .publishes::<model::News>(event("processing"), "/assets/{id}")
        .publishes::<model::News>(event("playable"), "/assets/{id}")
        .publishes::<model::News>(event("ready"), "/assets/{id}")
        .publishes::<model::News>(event("failed"), "/assets/{id}")
        .publishes::<model::News>(event("removed"), "/assets/{id}")
        .publishes::<model::Revoked>(event("revoked"), "/assets/{id}")
        .publishes::<model::Arrived>(event("completed"), "/uploads/{id}")
        .publishes::<Changed>(event("created"), "/uploads/{id}")
        .publishes::<Changed>(event("deleted"), "/uploads/{id}")
        .publishes::<Changed>(event("deleted"), "/episodes/{id}/asset")
        .shows::<model::Progress>(event("progress"), "/uploads/{id}")
        .shows::<model::Progress>(event("progress"), "/episodes/{id}")
        .flow(publish::flow())
        .flow(exposure::flow())
        .flow(removal::flow())
        .tenants_tables(&["upload", "upload_part", "upload_quota", "asset"])
        .migration("0001_media", include_str!("../migrations/0001_media.sql"))
        .statements(records::ALL)
        .tool("ffmpeg")
        .tool("ffprobe")
        .setting("media.upload_bytes_max", "21474836480", "largest file that may be uploaded, in bytes")
        .values(Values::Number)
        .setting("media.uploads_open_max", "8", "most unfinished uploads of one person")
        .values(Values::Number)
        .setting(
            "media.duration_max_ms",
            "600000",
            "longest video that is published, in milliseconds, at most ten minutes",
        )
        .values(Values::Number)
}
