//! Delivery of media without asking any record: a marker says what is public, a signed pass opens what is not.

use super::answer::Ask;
use super::body::Body;
use super::gateway::Gateway;
use super::{blob, headers};
use callboard::{Fault, Host, Id, PassError, Tenant, Uri};
use hyper::Response;
use hyper::header::{CACHE_CONTROL, HeaderValue};
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How long a marker is believed once it was seen.
const MARKER_AGE_MAX: Duration = Duration::from_secs(2);
/// Most markers remembered.
const MARKERS_MAX: usize = 4096;
/// Most folders below a version.
const DEPTH_MAX: usize = 3;

/// What an address of media names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    pass: Option<String>,
    folder: String,
    version: String,
    file: String,
    media_type: &'static str,
}

/// Reads `/media/[~{pass}/]{folder}/{version}/{file}`; none where it names nothing that could be delivered.
pub(crate) fn parse(path: &str) -> Option<Target> {
    let uri = Uri::from_encoded(path).ok()?;
    let mut segments = uri.segments().skip(1).peekable();
    let pass = segments.next_if(|segment| segment.starts_with('~')).map(|segment| segment[1..].to_owned());
    let folder = segments.next().filter(|name| is_name(name))?.to_owned();
    let version = segments.next().filter(|name| is_name(name))?.to_owned();
    let names: Vec<&str> = segments.collect();
    let media_type = media_type(names.last()?)?;
    let is_fine = names.len() <= DEPTH_MAX && names.iter().all(|name| is_name(name));
    is_fine.then(|| Target { pass, folder, version, file: names.join("/"), media_type })
}

/// Names of files as our own tools write them; nothing hidden, nothing that another system reads as a path.
fn is_name(name: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    !name.is_empty() && name.len() <= 128 && !name.starts_with('.') && name.bytes().all(is_plain)
}

fn media_type(file: &str) -> Option<&'static str> {
    Some(match file.rsplit_once('.')?.1 {
        "m3u8" => "application/vnd.apple.mpegurl",
        "mp4" => "video/mp4",
        "m4s" => "video/iso.segment",
        "vtt" => "text/vtt; charset=utf-8",
        "jpg" => "image/jpeg",
        _ => return None,
    })
}

/// The number of a segment: the digits at the end of its name. Playlists and initialisation segments have none.
fn segment_number(file: &str) -> Option<u32> {
    let stem = file.strip_suffix(".m4s")?;
    let digits = stem.len() - stem.trim_end_matches(|c: char| c.is_ascii_digit()).len();
    stem[stem.len() - digits..].parse().ok()
}

/// Which versions were public a moment ago.
#[derive(Default)]
pub(crate) struct Markers(Mutex<HashMap<String, Instant>>);

impl Markers {
    async fn is_public(&self, host: &Host, tenant: &Tenant, target: &Target) -> Result<bool, Fault> {
        let key = format!("public/{tenant}/{}/{}", target.folder, target.version);
        let now = Instant::now();
        let seen = self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&key).copied();
        if seen.is_some_and(|at| now.duration_since(at) < MARKER_AGE_MAX) {
            return Ok(true);
        }
        let is_there = host.ports().blobs.meta(&key).await?.is_some();
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !is_there {
            seen.remove(&key);
        } else {
            if seen.len() >= MARKERS_MAX {
                seen.clear();
            }
            seen.insert(key, now);
        }
        Ok(is_there)
    }
}

impl Gateway {
    /// Delivers a file of media.
    pub(crate) async fn deliver(&self, ask: &Ask<'_>, id: Id) -> Response<Body> {
        match self.find_media(ask).await {
            Ok(response) => response,
            Err(fault) => self.refuse(ask, id, fault).await,
        }
    }

    async fn find_media(&self, ask: &Ask<'_>) -> Result<Response<Body>, Fault> {
        if ask.parts.method != hyper::Method::GET && !ask.is_head() {
            let fault = Fault::bad_input("method_not_allowed", "media can only be read");
            return Err(fault.header("allow", "GET, HEAD"));
        }
        let nothing = || Fault::not_found("no_such_uri", "there is nothing here");
        let target = parse(ask.path).ok_or_else(nothing)?;
        let tenant = &ask.place.tenant;
        let policy = match &target.pass {
            Some(token) => {
                self.check_pass(tenant, &target, token)?;
                headers::PRIVATE
            }
            None if self.markers.is_public(&self.host, tenant, &target).await? => headers::IMMUTABLE,
            None => return Err(nothing()),
        };
        let key = format!("media/{tenant}/{}/{}/{}", target.folder, target.version, target.file);
        let blobs = &self.host.ports().blobs;
        let mut response = blob::serve(blobs, &key, target.media_type, ask.parts).await?.ok_or_else(nothing)?;
        let to = response.headers_mut();
        ask.secure(to);
        to.insert(CACHE_CONTROL, HeaderValue::from_static(policy));
        Ok(response)
    }

    fn check_pass(&self, tenant: &Tenant, target: &Target, token: &str) -> Result<(), Fault> {
        let invalid = || Fault::denied("pass.invalid", PassError::Forged.to_string());
        let pass = self.host.key().check(token, self.host.ports().clock.now_ms()).map_err(|error| match error {
            PassError::Forged => invalid(),
            PassError::Expired => Fault::denied("pass.expired", error.to_string()),
        })?;
        let is_for_this = pass.tenant == tenant.as_str()
            && pass.folder == target.folder
            && pass.version == target.version
            && pass.purpose == "play";
        let is_past_preview = |last| segment_number(&target.file).is_some_and(|number| number > last);
        if !is_for_this || pass.last_segment.is_some_and(is_past_preview) {
            return Err(invalid());
        }
        if self.revoked.contains(tenant, &pass) {
            let message = "this media link was taken back; open the page again to see what you may watch";
            return Err(Fault::denied("pass.revoked", message));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn addresses_of_media_are_read() {
        let target = parse("/media/a1/full-1/v0/seg_7.m4s").unwrap();
        assert_eq!((target.pass.as_deref(), target.file.as_str()), (None, "v0/seg_7.m4s"));
        let target = parse("/media/~k1.x-_.y/a1/full-1/master.m3u8").unwrap();
        assert_eq!((target.pass.as_deref(), target.folder.as_str()), (Some("k1.x-_.y"), "a1"));
    }

    #[test]
    fn everything_that_climbs_hides_or_is_of_another_type_is_nothing() {
        for path in [
            "/media/a1/full-1/../../x.jpg",
            "/media/a1/full-1/%2e%2e/x.jpg",
            "/media/a1/full-1/%252e%252e/x.jpg",
            "/media/a1/full-1/..%5cx.jpg",
            "/media/a1/full-1/x%00.jpg",
            "/media/a1/full-1/..%2fx.jpg",
            "/media/a1/full-1/.hidden.jpg",
            "/media/a1/full-1/x.json",
            "/media/a1/full-1/x",
            "/media/a1/full-1",
            "/media/a1//x.jpg",
            "/media/a1/full-1/a/b/c/x.jpg",
            "/media/~/a1/full-1/C:x.jpg",
        ] {
            assert_eq!(parse(path), None, "{path}");
        }
    }

    #[test]
    fn segments_have_numbers() {
        assert_eq!(segment_number("v0/seg_00012.m4s"), Some(12));
        assert_eq!(segment_number("master.m3u8"), None);
        assert_eq!(segment_number("init.m4s"), None);
    }

    proptest! {
        #[test]
        fn no_target_leaves_its_folder(path in "/media(/[a.~%2fe5c\\\\]{0,6}){1,5}(\\.jpg)?") {
            if let Some(target) = parse(&path) {
                let names = [&target.folder, &target.version].into_iter().map(String::as_str);
                for name in names.chain(target.file.split('/')) {
                    prop_assert!(is_name(name) && name != ".." && !name.contains(['/', '\\', '%']), "{}", name);
                }
            }
        }
    }
}
