//! Recordings go with their person: when a member is removed, so is whatever was captured of them.

use callboard::invocation::Recorder;
use callboard::{Empty, Env, Fault, Msg, Reply, Service, Stranger, Who, event};
use std::sync::Arc;

/// The service. Where several processes share the records, each has recordings of its own, so each must hear of it.
pub(crate) fn service(recorder: Arc<dyn Recorder>, has_others: bool) -> Service {
    let forget = move |_: Env, msg: Msg<Empty>| {
        let recorder = recorder.clone();
        async move {
            let count = recorder.erase(msg.param("id")).await?;
            tracing::info!(count, "recordings of a member who was removed are erased");
            Ok::<Reply, Fault>(Reply::nothing())
        }
    };
    let service = Service::new("recordings");
    let service = service.on(event("deleted"), "/members/{id}", forget, Who::Services, Stranger::NotFound);
    if has_others { service.every_node() } else { service }
}
