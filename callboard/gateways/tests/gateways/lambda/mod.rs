//! Whatever AWS Lambda invokes a function with: what it is taken for, what becomes of it, and what its source hears.

mod batches;
mod callers;
mod desk;
mod events;
mod fuzz;
mod matrix;
mod requests;
mod sources;
mod wrong;

use crate::hall::Badges;
use callboard::{Fault, HostBuilder, Service, Tenant};
use callboard_bench::{Bench, Kept, START_MS};
use callboard_gateways::lambda::{Invocation, Lambda, LambdaOptions, Routes};
use callboard_handlers::Idempotency;
use serde_json::Value;
use std::sync::atomic::{AtomicU32, Ordering};

/// A function on the bench. The only place that invokes the gateway.
pub(crate) struct Function {
    pub(crate) bench: Bench,
    pub(crate) lambda: Lambda,
    requests: AtomicU32,
}

impl Function {
    pub(crate) async fn new(services: Vec<Service>, routes: &str) -> Self {
        Self::shaped(services, routes, |options| options).await
    }

    pub(crate) async fn shaped(
        services: Vec<Service>,
        routes: &str,
        change: impl FnOnce(LambdaOptions) -> LambdaOptions,
    ) -> Self {
        Self::guarded(services, routes, change, |builder| builder).await
    }

    /// With further handlers behind who checks the badges.
    pub(crate) async fn guarded(
        services: Vec<Service>,
        routes: &str,
        change: impl FnOnce(LambdaOptions) -> LambdaOptions,
        guard: impl FnOnce(HostBuilder) -> HostBuilder,
    ) -> Self {
        let shape = |builder: HostBuilder| guard(builder.handler(Badges)).handler(Idempotency);
        let bench = Bench::shaped(services, Kept::InMemory, shape).await;
        let options = LambdaOptions {
            http: crate::server::platform(),
            routes: Routes::parse(routes).unwrap(),
            tenant: Tenant::new("demo"),
            media_origin: None,
        };
        let lambda = Lambda::new(bench.host().clone(), change(options));
        Self { bench, lambda, requests: AtomicU32::new(0) }
    }

    /// Invokes it under an id of its own: only what an event itself says can make it known again.
    pub(crate) async fn invoke(&self, event: &Value) -> Result<Value, Fault> {
        let number = self.requests.fetch_add(1, Ordering::Relaxed);
        self.invoke_as(&format!("request-{number}"), event).await
    }

    pub(crate) async fn invoke_as(&self, id: &str, event: &Value) -> Result<Value, Fault> {
        let answer = self.send(id, event.to_string().into_bytes()).await?;
        Ok(serde_json::from_slice(&answer).expect("an answer is JSON"))
    }

    pub(crate) async fn send(&self, id: &str, event: Vec<u8>) -> Result<Vec<u8>, Fault> {
        let deadline_ms = START_MS + 30_000;
        let invocation = Invocation { id: id.into(), deadline_ms, trace: None, event: event.into() };
        self.lambda.handle(&invocation).await.map(|handled| handled.answer)
    }
}
