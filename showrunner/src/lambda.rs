//! `lambda`: the same program as a function on AWS Lambda. It answers what it is invoked with, one after the other, and does
//! nothing in between: what waits is done when somebody says that it is due.

use crate::app::{self, App};
use crate::cli::Lambda as Arguments;
use crate::settings::Settings;
use crate::up;
use crate::upkeep::Upkeep;
use callboard::ports::Clock;
use callboard::{Fault, Host, Secret, Service, Tenant};
use callboard_engines::delivery;
use callboard_engines::outside::HttpOutside;
use callboard_engines::wakes::{DELAY_MS_MAX, HereWakes, Keys, SqsWakes, Wakes};
use callboard_gateways::lambda::{Ended, Invocation, Lambda, LambdaOptions, Routes, RuntimeApi};
use std::sync::Arc;

/// Where the Runtime API is, by the name that AWS gave it.
pub(crate) const RUNTIME_API: &str = "AWS_LAMBDA_RUNTIME_API";
/// How long before the end of an invocation waiting work ends, in milliseconds.
const RESERVE_MS: i64 = 500;

/// Answers invocations until the process is ended.
///
/// # Errors
/// What keeps it from starting; `runtime.away`.
pub(crate) async fn run(settings: &Settings, arguments: &Arguments) -> Result<(), Fault> {
    let address = std::env::var(RUNTIME_API).map_err(|_| {
        let message =
            format!("{RUNTIME_API} is not set: a function is started by AWS Lambda; use `showrunner up` here");
        Fault::unavailable("runtime.away", message)
    })?;
    let mut api = RuntimeApi::new(address);
    let function = match Function::open(settings, arguments.dev_single).await {
        Ok(function) => function,
        Err(fault) => {
            api.fail_to_start(&fault).await?;
            return Err(fault);
        }
    };
    loop {
        let invocation = api.next().await?;
        let ended = match function.invoke(&invocation).await {
            Ok(answer) => api.respond(&invocation.id, answer).await?,
            Err(fault) => {
                tracing::warn!(
                    invocation.id,
                    fault.code = fault.code,
                    fault.detail = fault.detail,
                    "an invocation failed: {}",
                    fault.message
                );
                api.fail(&invocation.id, &fault).await?
            }
        };
        if let Ended::Refused(status) = ended {
            tracing::warn!(invocation.id, http.status = status, "an answer was not taken");
        }
    }
}

/// Everything between two invocations.
struct Function {
    host: Host,
    lambda: Lambda,
    /// What messages are for that other functions deliver.
    foreign: Vec<String>,
    queues: Vec<Queue>,
    upkeep: Upkeep,
    _app: App,
}

/// Who is woken for which messages.
struct Queue {
    wakes: Arc<dyn Wakes>,
    /// What the messages are for that this queue is not for.
    others: Vec<String>,
    is_own: bool,
}

impl Function {
    async fn open(settings: &Settings, is_single: bool) -> Result<Self, Fault> {
        if !settings.has_shared_records() && !is_single {
            let message =
                "a function keeps nothing: set `records` to a PostgreSQL, or start it with --dev-single to try it";
            return Err(Fault::bad_input("lambda.records", message));
        }
        let own: Vec<&'static str> = app::chosen_services(settings).iter().map(|service| service.name).collect();
        let settings = &match settings.is_default("data") {
            // A function may write nowhere else.
            true => settings.clone().with("data", std::env::temp_dir().join("showrunner").display().to_string()),
            false => settings.clone(),
        };
        // Every service is there, so that each can be read and whoever listens to what happens is known; others' are not served.
        let app = app::open_as(settings, app::all_services(), false).await?;
        let host = app.host.clone();
        let mut http = up::options(settings)?;
        http.services.clone_from(&own);
        let media_origin = Some(settings.get("lambda_media_origin").to_owned()).filter(|origin| !origin.is_empty());
        let routes =
            Routes::parse(settings.get("lambda_sources")).map_err(|what| Fault::bad_input("settings", what))?;
        let tenant = Tenant::new(settings.get("tenant"));
        let lambda = Lambda::new(host.clone(), LambdaOptions { http, routes, tenant, media_origin });
        let foreign = host.space().targets_of(|name| !own.contains(&name));
        let queues = queues(settings, &host, &own)?;
        Ok(Self { host, lambda, foreign, queues, upkeep: Upkeep::default(), _app: app })
    }

    /// Answers one invocation, and before that does or tells what it left to do.
    async fn invoke(&self, invocation: &Invocation) -> Result<Vec<u8>, Fault> {
        let now_ms = self.host.ports().clock.now_ms();
        let (end_ms, before) = (invocation.deadline_ms.saturating_sub(RESERVE_MS), self.host.commits());
        let whole_ms = u64::try_from(end_ms.saturating_sub(now_ms)).unwrap_or(0);
        // Most of the time is for the answer, whatever there is to hear.
        let heard = self.upkeep.hear(&self.host, now_ms + end_ms.saturating_sub(now_ms) / 4).await;
        warn(heard, "what happened elsewhere cannot be heard");
        let handled = self.lambda.handle(invocation).await;
        let is_due = handled.as_ref().is_ok_and(|handled| handled.is_due);
        let has_changed = self.host.commits() > before;
        if is_due || (has_changed && self.queues.iter().any(|queue| queue.is_own && queue.wakes.is_here())) {
            let done = delivery::drain_until(&self.host, &self.foreign, end_ms, whole_ms).await;
            // What was to be done is done; the rest is still there for whoever looks next.
            let done = warn(done, "messages cannot be taken").unwrap_or(0);
            tracing::debug!(invocation.id, messages.delivered = done, "waiting work was done");
        }
        if is_due || has_changed {
            for queue in &self.queues {
                warn(self.wake(queue).await, "nobody could be woken");
            }
        }
        if is_due {
            // Nobody waits for this answer.
            warn(self.upkeep.tidy(&self.host, end_ms).await, "what is past its time cannot be removed");
        }
        handled.map(|handled| handled.answer)
    }

    /// Tells of what is due soon; what is due later is found by whoever looks every minute.
    async fn wake(&self, queue: &Queue) -> Result<(), Fault> {
        if queue.wakes.is_here() {
            return Ok(());
        }
        let Some(due_ms) = self.host.ports().records.next_due(&queue.others).await? else { return Ok(()) };
        let delay_ms = due_ms.saturating_sub(self.host.ports().clock.now_ms()).max(0);
        if delay_ms > DELAY_MS_MAX {
            return Ok(());
        }
        queue.wakes.wake(delay_ms).await
    }
}

/// Logs what went wrong beside an answer that does not depend on it.
fn warn<T>(result: Result<T, Fault>, what: &str) -> Option<T> {
    let logged = |fault: &Fault| tracing::warn!(fault.code = fault.code, fault.detail = fault.detail, "{what}");
    result.inspect_err(logged).ok()
}

/// A queue. Whoever runs this chose it, so it may be in a network of theirs.
fn queue_at(clock: Arc<dyn Clock>, address: &str, region: &str, keys: Keys) -> Result<SqsWakes, String> {
    SqsWakes::new(Arc::new(HttpOutside::new().anywhere()), clock, address, region, keys)
}

fn queues(settings: &Settings, host: &Host, own: &[&str]) -> Result<Vec<Queue>, Fault> {
    let wrong = |what: String| Fault::bad_input("settings", format!("setting `lambda_wake` {what}"));
    let named = read_queues(settings.get("lambda_wake"), &app::all_services()).map_err(wrong)?;
    if named.is_empty() {
        let others = host.space().targets_of(|name| !own.contains(&name));
        return Ok(vec![Queue { wakes: Arc::new(HereWakes), others, is_own: true }]);
    }
    let variable = |name: &str| std::env::var(name).map_err(|_| wrong(format!("is set, and {name} is not")));
    let keys = Keys {
        id: variable("AWS_ACCESS_KEY_ID")?,
        secret: Secret::new(variable("AWS_SECRET_ACCESS_KEY")?),
        token: std::env::var("AWS_SESSION_TOKEN").ok().filter(|token| !token.is_empty()).map(Secret::new),
    };
    let region = variable("AWS_REGION")?;
    let queue = |(services, address): (Vec<String>, String)| {
        let is_of = |name: &str| match services.is_empty() {
            true => own.contains(&name),
            false => services.iter().any(|service| service == name),
        };
        let wakes = queue_at(host.ports().clock.clone(), &address, &region, keys.clone());
        let others = host.space().targets_of(|name| !is_of(name));
        Ok(Queue { wakes: Arc::new(wakes.map_err(wrong)?), others, is_own: own.iter().any(|name| is_of(name)) })
    };
    named.into_iter().map(queue).collect()
}

/// Reads queues with the services they are for; none where it is for those of this process.
///
/// # Errors
/// What to write instead.
pub(crate) fn read_queues(text: &str, services: &[Service]) -> Result<Vec<(Vec<String>, String)>, String> {
    let one = |word: &str| {
        let (names, address) = match word.split_once("=https://").or_else(|| word.split_once("=http://")) {
            Some((names, _)) => (names, &word[names.len() + 1..]),
            None => ("", word),
        };
        let names: Vec<String> = names.split(',').filter(|name| !name.is_empty()).map(str::to_owned).collect();
        let unknown = names.iter().find(|name| !services.iter().any(|service| service.name == **name));
        match unknown {
            Some(name) => Err(format!("there is no service `{name}`")),
            None if address.contains("://") => Ok((names, address.to_owned())),
            None => {
                Err("write the address of a queue, such as `https://sqs.eu-central-1.amazonaws.com/1/wake`".to_owned())
            }
        }
    };
    text.split_whitespace().map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use callboard_engines::clock::SystemClock;

    #[tokio::test]
    async fn a_queue_may_be_at_an_endpoint_of_the_own_network() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("it has one").port();
        let taking = tokio::spawn(async move { drop(listener.accept().await) });
        let keys = Keys { id: "id".into(), secret: Secret::new("secret".into()), token: None };
        // An address that is not public and yet leads here.
        let queue = queue_at(Arc::new(SystemClock), &format!("https://0.0.0.0:{port}/1/wake"), "eu-central-1", keys);
        let fault = queue.expect("an address").wake(0).await.expect_err("whoever listens speaks no TLS");
        assert_eq!(fault.code, "outside.unreachable", "it was called: {fault:?}");
        taking.await.expect("called");
    }

    #[test]
    fn a_queue_is_for_the_services_before_its_address_or_for_the_own() {
        let services = [Service::new("media"), Service::new("payments"), Service::new("site")];
        let address = "https://sqs.eu-central-1.amazonaws.com/1/wake";
        assert_eq!(read_queues("", &services), Ok(Vec::new()));
        assert_eq!(read_queues(address, &services), Ok(vec![(Vec::new(), address.to_owned())]));
        let named =
            read_queues(&format!("media,site={address} payments=http://127.0.0.1:1/2/x"), &services).expect("two");
        assert_eq!(named[0].0, ["media", "site"]);
        assert_eq!(named[1], (vec!["payments".to_owned()], "http://127.0.0.1:1/2/x".to_owned()));
        assert!(read_queues(&format!("films={address}"), &services).expect_err("unknown").contains("`films`"));
        assert!(read_queues("wake", &services).expect_err("no address").contains("the address of a queue"));
    }
}
