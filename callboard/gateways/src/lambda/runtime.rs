//! The side of a function in the Runtime API: one request at a time to the process that runs us, on one connection.

use bytes::Bytes;
use callboard::Fault;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper::header::{HOST, HeaderMap, HeaderName};
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::json;
use tokio::net::TcpStream;

/// Largest event that is taken: what any source sends, and room.
const EVENT_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Where all paths begin.
const VERSION: &str = "/2018-06-01/runtime";

/// What a function is invoked with.
#[derive(Clone, Debug)]
pub struct Invocation {
    /// The id of the request; an asynchronous one that is tried again has the same.
    pub id: String,
    /// When the process is stopped, in Unix milliseconds.
    pub deadline_ms: i64,
    /// The trace it belongs to, where there is one.
    pub trace: Option<String>,
    /// The event.
    pub event: Bytes,
}

/// How an answer was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// It was.
    Taken,
    /// It was refused: too late, too large, or for another request.
    Refused(u16),
}

/// The Runtime API of the process that runs us.
#[derive(Debug)]
pub struct RuntimeApi {
    address: String,
    sender: Option<SendRequest<Full<Bytes>>>,
}

impl RuntimeApi {
    /// The API at `host:port`, as `AWS_LAMBDA_RUNTIME_API` has it. It is asked when something is asked of it.
    pub fn new(address: impl Into<String>) -> Self {
        Self { address: address.into(), sender: None }
    }

    /// Waits for an invocation.
    ///
    /// # Errors
    /// `runtime.away` where the API cannot be asked, or answers what is no invocation.
    pub async fn next(&mut self) -> Result<Invocation, Fault> {
        let response = self.send(Method::GET, "/invocation/next", &[], Bytes::new()).await?;
        let (parts, body) = response.into_parts();
        if parts.status != StatusCode::OK {
            return Err(away(format!("it answers {} to a question for work", parts.status)));
        }
        let header = |name: &str| text_of(&parts.headers, name);
        let id = header("lambda-runtime-aws-request-id").ok_or_else(|| away("an invocation has no id".to_owned()))?;
        let deadline_ms = header("lambda-runtime-deadline-ms").and_then(|text| text.parse().ok());
        let deadline_ms = deadline_ms.ok_or_else(|| away("an invocation has no deadline".to_owned()))?;
        let trace = header("lambda-runtime-trace-id").filter(|trace| !trace.is_empty());
        let event = Limited::new(body, EVENT_BYTES_MAX).collect().await;
        let event = event.map_err(|error| away(format!("an event cannot be read: {error}")))?.to_bytes();
        Ok(Invocation { id, deadline_ms, trace, event })
    }

    /// Answers an invocation.
    ///
    /// # Errors
    /// `runtime.away`.
    pub async fn respond(&mut self, id: &str, answer: Vec<u8>) -> Result<Ended, Fault> {
        self.end(&format!("/invocation/{id}/response"), &[], answer.into()).await
    }

    /// Says that an invocation failed.
    ///
    /// # Errors
    /// `runtime.away`.
    pub async fn fail(&mut self, id: &str, fault: &Fault) -> Result<Ended, Fault> {
        let kind = [("lambda-runtime-function-error-type", fault.code)];
        self.end(&format!("/invocation/{id}/error"), &kind, told(fault)).await
    }

    /// Says that the process could not begin.
    ///
    /// # Errors
    /// `runtime.away`.
    pub async fn fail_to_start(&mut self, fault: &Fault) -> Result<Ended, Fault> {
        self.end("/init/error", &[("lambda-runtime-function-error-type", fault.code)], told(fault)).await
    }

    async fn end(&mut self, path: &str, headers: &[(&'static str, &str)], body: Bytes) -> Result<Ended, Fault> {
        let response = self.send(Method::POST, path, headers, body).await?;
        let status = response.status();
        // The connection is good for the next request only when this answer was read.
        response.into_body().collect().await.map_err(|error| away(error.to_string()))?;
        Ok(if status == StatusCode::ACCEPTED { Ended::Taken } else { Ended::Refused(status.as_u16()) })
    }

    async fn send(
        &mut self,
        method: Method,
        path: &str,
        headers: &[(&'static str, &str)],
        body: Bytes,
    ) -> Result<Response<Incoming>, Fault> {
        let mut request = Request::builder().method(method).uri(format!("{VERSION}{path}")).header(HOST, &self.address);
        for (name, value) in headers {
            request = request.header(HeaderName::from_static(name), *value);
        }
        let request = request.body(Full::new(body)).map_err(|error| away(error.to_string()))?;
        let sender = self.sender().await?;
        sender.send_request(request).await.map_err(|error| away(error.to_string()))
    }

    async fn sender(&mut self) -> Result<&mut SendRequest<Full<Bytes>>, Fault> {
        let open = match self.sender.take() {
            Some(mut sender) => sender.ready().await.ok().map(|()| sender),
            None => None,
        };
        let sender = match open {
            Some(sender) => sender,
            None => self.connect().await?,
        };
        Ok(self.sender.insert(sender))
    }

    async fn connect(&self) -> Result<SendRequest<Full<Bytes>>, Fault> {
        let stream = TcpStream::connect(&self.address).await.map_err(|error| away(error.to_string()))?;
        drop(stream.set_nodelay(true));
        let (sender, connection) =
            http1::handshake(TokioIo::new(stream)).await.map_err(|error| away(error.to_string()))?;
        // It ends with the sender; why it ended, the next request hears.
        tokio::spawn(async move { drop(connection.await) });
        Ok(sender)
    }
}

fn text_of(headers: &HeaderMap, name: &str) -> Option<String> {
    headers.get(name)?.to_str().ok().map(str::to_owned)
}

fn told(fault: &Fault) -> Bytes {
    json!({"errorMessage": fault.message, "errorType": fault.code, "stackTrace": []}).to_string().into()
}

fn away(detail: String) -> Fault {
    let message = "the Runtime API does not answer as it should; look at AWS_LAMBDA_RUNTIME_API";
    Fault::unavailable("runtime.away", message).detail(detail)
}
