//! The gateway for AWS Lambda: whatever a function is invoked with becomes messages, and answers become what its source expects.
//! Requests go the way of the HTTP gateway; everything else goes where the deployment says.

mod arrival;
mod batch;
mod dynamo;
mod event;
mod fields;
mod records;
mod request;
mod response;
mod routes;
mod runtime;
mod single;

pub use routes::Routes;
pub use runtime::{Ended, Invocation, RuntimeApi};

use crate::http::{Credential, Gateway, HttpOptions, Place, Tenants};
use arrival::Arrival;
use batch::Rule;
use callboard::{Answer, AnswerBody, Data, Fault, Host, Kind, Principal, Tenant, Uri};
use event::{Event, Origin};
use fields::short;
use request::Asked;
use response::{collect, elsewhere, problem, write};
use routes::{Aim, address_of};
use serde::Deserialize;
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::sync::Arc;

/// How long before the end of an invocation its answer must be on its way, in milliseconds.
const RESERVE_MS: i64 = 200;

/// How a function behaves.
#[derive(Clone, Debug)]
pub struct LambdaOptions {
    /// Tenants, pages, assets and the services that answer.
    pub http: HttpOptions,
    /// Where events that are no requests go.
    pub routes: Routes,
    /// In which tenant they happen where their line does not say.
    pub tenant: Tenant,
    /// Where media is served from storage, such as `https://media.example.org`.
    pub media_origin: Option<String>,
}

/// What became of an invocation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Handled {
    /// The answer, as its source expects it.
    pub answer: Vec<u8>,
    /// Whether the invocation said that something waits.
    pub is_due: bool,
}

/// The gateway.
pub struct Lambda {
    host: Host,
    gateway: Arc<Gateway>,
    options: LambdaOptions,
}

impl Lambda {
    /// A gateway to a host.
    pub fn new(host: Host, options: LambdaOptions) -> Self {
        Self { gateway: Arc::new(Gateway::new(host.clone(), options.http.clone())), host, options }
    }

    /// The kind of source that an event comes from, such as `sqs` or `http`.
    ///
    /// # Errors
    /// `event.invalid`.
    pub fn source_of(event: &[u8]) -> Result<&'static str, Fault> {
        event::detect(text_of(event)?).map(|event| event.name())
    }

    /// Handles an invocation.
    ///
    /// # Errors
    /// What the invocation ends with where its source has no other way to hear of a failure: it is tried again, or given up.
    pub async fn handle(&self, invocation: &Invocation) -> Result<Handled, Fault> {
        let text = text_of(&invocation.event)?;
        let answer = match event::detect(text)? {
            Event::HttpV2 => self.ask(request::v2(text, self.time_ms(invocation), self.own_host())?).await,
            Event::Rest => self.ask(request::rest(text, self.time_ms(invocation), self.own_host())?).await,
            Event::Alb => self.ask(request::alb(text, self.time_ms(invocation), self.own_host())?).await,
            Event::WebSocket => self.tell_socket(invocation, text).await?,
            Event::Records(origin, records) => return self.take_records(invocation, origin, records).await,
            Event::Bridge => return self.take_one(invocation, single::eventbridge(text)?).await,
            Event::Direct => return self.take_one(invocation, single::direct(text, &invocation.id)).await,
            Event::Due => return Ok(Handled { answer: b"null".to_vec(), is_due: true }),
            Event::Test => b"null".to_vec(),
        };
        Ok(Handled { answer, is_due: false })
    }

    /// How long an answer may still take.
    fn time_ms(&self, invocation: &Invocation) -> u64 {
        let left_ms =
            invocation.deadline_ms.saturating_sub(RESERVE_MS).saturating_sub(self.host.ports().clock.now_ms());
        u64::try_from(left_ms).unwrap_or(0).min(self.options.http.limits.answer_timeout_ms)
    }

    /// The host a request is taken to be for that names none.
    fn own_host(&self) -> &str {
        match &self.options.http.tenants {
            Tenants::Resolved { suffix, .. } => suffix,
            Tenants::Only(_) => "localhost",
        }
    }

    async fn ask(&self, asked: Asked) -> Vec<u8> {
        let Asked { request, outside, shape } = asked;
        let timeout_ms = outside.as_ref().map_or(0, |outside| outside.answer_timeout_ms);
        let target = request.uri().to_string();
        let is_media = request.method().is_safe() && request.uri().path().contains("/media/");
        let response = self.gateway.handle(outside, request).await;
        let id = response.headers().get("x-request-id").and_then(|id| id.to_str().ok()).unwrap_or_default().to_owned();
        let response = match collect(response, timeout_ms).await {
            Ok(response) => response,
            Err(fault) => {
                let origin =
                    self.options.media_origin.as_deref().filter(|_| is_media && fault.code == "answer.too_large");
                origin.and_then(|origin| elsewhere(origin, &target)).unwrap_or_else(|| problem(&fault, &id))
            }
        };
        write(shape, response)
    }

    async fn take_one(&self, invocation: &Invocation, arrival: Arrival<'_>) -> Result<Handled, Fault> {
        let mut is_due = false;
        let answer = self.carry_out(invocation, arrival, &mut is_due).await?;
        Ok(Handled { answer: plain(answer)?, is_due })
    }

    async fn take_records(
        &self,
        invocation: &Invocation,
        origin: Origin,
        records: &RawValue,
    ) -> Result<Handled, Fault> {
        let arrivals = records::arrivals(origin, records)?;
        let (mut failed, mut is_due) = (Vec::new(), false);
        let rule = Rule::of(origin, &arrivals);
        for (at, mut arrival) in arrivals.into_iter().enumerate() {
            let item = arrival.item.clone();
            if rule.stops() && !failed.is_empty() {
                failed.push((item, None));
                continue;
            }
            if arrival.key.is_none() {
                arrival.key = Some(arrival::key_of(&["invocation", &invocation.id, &at.to_string()]));
            }
            if let Err(fault) = self.carry_out(invocation, arrival, &mut is_due).await {
                tracing::warn!(
                    fault.code = fault.code,
                    fault.detail = fault.detail,
                    "an event failed: {}",
                    fault.message
                );
                failed.push((item, Some(fault)));
            }
        }
        Ok(Handled { answer: rule.answer(failed)?, is_due })
    }

    /// Makes an arrival a message, and carries it out.
    async fn carry_out(
        &self,
        invocation: &Invocation,
        arrival: Arrival<'_>,
        is_due: &mut bool,
    ) -> Result<Option<Answer>, Fault> {
        let route = self.options.routes.find(&arrival.source)?;
        let (kind, uri, data, key) = match &route.aim {
            Aim::Due => {
                *is_due = true;
                return Ok(None);
            }
            Aim::On(kind, address) => (kind.clone(), address_of(address, &arrival)?, arrival.data, arrival.key),
            Aim::Own(above) => own(&arrival, above)?,
        };
        self.check_service(&kind, &uri)?;
        let tenant = route.tenant.as_ref().unwrap_or(&self.options.tenant);
        let mut msg = self.host.message(kind, uri, tenant.clone()).with_data(data);
        let head = msg.head_mut();
        head.source = Cow::Borrowed(arrival.from);
        // Whoever configured the source answers for it, as whoever writes a table answers for what is bound in it.
        head.principal = Principal::Service(arrival.from.into());
        head.idempotency_key = key;
        head.attempt = arrival.attempt;
        head.deadline_ms = Some(invocation.deadline_ms.saturating_sub(RESERVE_MS));
        head.meta.push((Cow::Borrowed("source"), arrival.source.into_owned()));
        let timeout_ms = self.time_ms(invocation);
        let answer = match msg.kind {
            Kind::Event(_) => self.gateway.bounded(timeout_ms, self.host.publish(msg)).await,
            _ => self.gateway.bounded(timeout_ms, self.host.dispatch(msg)).await,
        };
        match answer {
            // It took effect before; only its answer was not kept, and nobody here waits for one.
            Err(fault) if fault.code == "idempotency.done" => Ok(None),
            answer => answer.map(Some),
        }
    }

    /// Only what this deployment serves is reached from outside.
    fn check_service(&self, kind: &Kind, uri: &Uri) -> Result<(), Fault> {
        let found = self.host.space().binding_for(kind, uri);
        match found.filter(|(service, _)| !self.options.http.answers(service.name)) {
            Some(_) => Err(Fault::not_found("no_such_uri", format!("there is nothing at {uri}"))),
            None => Ok(()),
        }
    }

    /// What happens on a socket happens on behalf of whoever opened it, as far as its headers prove who that is.
    async fn tell_socket(&self, invocation: &Invocation, text: &str) -> Result<Vec<u8>, Fault> {
        let (arrival, headers) = single::socket(text)?;
        let route = self.options.routes.find(&arrival.source)?;
        let Aim::On(kind, address) = &route.aim else {
            let message = format!("a line for `{}` says what happens and where", short(&arrival.source));
            return Err(Fault::bad_input("event.address", message));
        };
        let uri = address_of(address, &arrival)?;
        self.check_service(kind, &uri)?;
        let tenant = route.tenant.as_ref().unwrap_or(&self.options.tenant).clone();
        let place = Place::secure(tenant.clone());
        let mut msg = self.host.message(kind.clone(), uri, tenant).with_data(arrival.data);
        let head = msg.head_mut();
        head.source = Cow::Borrowed(arrival.from);
        head.credential = Credential::read(&headers.0, &place).into_secret();
        head.deadline_ms = Some(invocation.deadline_ms.saturating_sub(RESERVE_MS));
        let status = match self.gateway.bounded(self.time_ms(invocation), self.host.dispatch(msg)).await {
            Ok(_) => 200,
            Err(fault) => {
                tracing::debug!(fault.code = fault.code, fault.detail = fault.detail, "a socket was refused something");
                fault.status()
            }
        };
        Ok(format!("{{\"statusCode\":{status}}}").into_bytes())
    }
}

fn text_of(event: &[u8]) -> Result<&str, Fault> {
    std::str::from_utf8(event)
        .map_err(|error| fields::invalid(format!("the event is no UTF-8 from byte {} on", error.valid_up_to())))
}

/// An event in our own form.
#[derive(Deserialize)]
struct Own<'e> {
    specversion: Cow<'e, str>,
    id: Cow<'e, str>,
    #[serde(default)]
    source: Cow<'e, str>,
    #[serde(rename = "type")]
    kind: String,
    subject: String,
    #[serde(borrow, default)]
    data: Option<&'e RawValue>,
}

/// What happens, where, with what data, and under which key it may come again.
type Meant = (Kind, Uri, Data, Option<Arc<str>>);

/// Reads what an envelope of ours says; who sent it, on whose behalf and after what is not believed.
fn own(arrival: &Arrival<'_>, above: &Uri) -> Result<Meant, Fault> {
    let text =
        std::str::from_utf8(&arrival.data.bytes).map_err(|_| fields::invalid("the envelope is no UTF-8".to_owned()))?;
    let own: Own<'_> = fields::read(text, "")?;
    if own.specversion != "1.0" {
        return Err(fields::invalid(format!("`specversion` is `{}`, and not `1.0`", own.specversion)));
    }
    let uri = Uri::parse(&own.subject)?;
    if !uri.is_within(above) {
        let message =
            format!("`{}` may only say what happens at {above} and below, not at {uri}", short(&arrival.source));
        return Err(Fault::denied("event.address", message));
    }
    let data = own
        .data
        .map_or(Data::EMPTY, |raw| Data { media_type: "application/json".into(), bytes: raw.get().to_owned().into() });
    Ok((Kind::from(own.kind), uri, data, Some(arrival::key_of(&["own", &own.source, &own.id]))))
}

/// An answer for somebody who takes any JSON.
fn plain(answer: Option<Answer>) -> Result<Vec<u8>, Fault> {
    let Some(answer) = answer else { return Ok(b"null".to_vec()) };
    match answer.body {
        AnswerBody::Nothing => Ok(b"null".to_vec()),
        AnswerBody::Bytes { media_type, bytes } if media_type.contains("json") => Ok(bytes.into()),
        AnswerBody::Bytes { bytes, .. } => match std::str::from_utf8(&bytes) {
            Ok(text) => Ok(serde_json::Value::from(text).to_string().into_bytes()),
            Err(_) => Err(Fault::bad_input("media_type", "the answer is no text; ask for it over HTTP")),
        },
        AnswerBody::Blob(_) | AnswerBody::Intake(_) | AnswerBody::Pieces { .. } => Err(Fault::bad_input(
            "media_type",
            "these bytes are stored or come while they are sent; ask for them over HTTP",
        )),
    }
}
