//! Hosts, mounts and proxies: which tenant a request is for, and what nobody may make it believe.

use crate::server::{Server, platform};
use callboard::Tenant;
use callboard_bench::Kept;
use callboard_gateways::http::{HttpOptions, Tenants};

async fn tenant(server: &Server, host: &str, path: &str) -> Result<String, (u16, String)> {
    let answer = server.get(path).host(host).send().await;
    match answer.status {
        200 => Ok(answer.json()["tenant"].as_str().unwrap().to_owned()),
        _ => Err(answer.problem()),
    }
}

#[tokio::test]
async fn a_tenant_is_found_by_host_or_mount() {
    let server = Server::start().await;
    for (host, path, want) in [
        ("localhost:8080", "/api/seen", "demo"),
        ("127.0.0.1:8080", "/api/seen", "demo"),
        ("[::1]:8080", "/api/seen", "demo"),
        ("LOCALHOST", "/@other/api/seen", "other"),
        ("other.localhost:8080", "/api/seen", "other"),
        ("other.example", "/api/seen", "other"),
    ] {
        assert_eq!(tenant(&server, host, path).await.as_deref(), Ok(want), "{host}{path}");
    }
}

#[tokio::test]
async fn what_is_no_tenant_is_not_found() {
    let server = Server::start().await;
    for (host, path) in [
        ("nobody.localhost", "/api/seen"),
        ("evil.example", "/api/seen"),
        ("demo.localhost.evil.example", "/api/seen"),
        ("localhost", "/@nobody/api/seen"),
        ("localhost", "/@Demo/api/seen"),
        ("localhost", "/@by-host/api/seen"),
    ] {
        let answer = server.get(path).host(host).send().await;
        assert_eq!(answer.status, 404, "{host}{path}");
        assert!(answer.text().contains("tenant.unknown"), "{}", answer.text());
    }
}

#[tokio::test]
async fn a_tenants_own_host_serves_no_other_tenant() {
    let server = Server::start().await;
    let answer = server.get("/@demo/api/seen").host("other.localhost").send().await;
    assert_eq!(answer.status, 404);
}

#[tokio::test]
async fn a_host_that_is_none_is_refused() {
    let server = Server::start().await;
    for host in ["evil\"x", "a/b", "user@localhost", ""] {
        assert_eq!(server.get("/api/seen").host(host).send().await.problem(), (400, "host.wrong".into()), "{host}");
    }
    assert_eq!(server.get("/api/seen").without_host().send().await.problem(), (400, "host.wrong".into()));
    let twice = server.get("/api/seen").header("host", "other.localhost").send().await;
    assert_eq!(twice.problem(), (400, "host.wrong".into()));
    let target = server.get("http://other.localhost/api/seen").send().await;
    assert_eq!(target.problem(), (400, "host.wrong".into()), "the target says another host than the header");
}

#[tokio::test]
async fn only_a_trusted_proxy_says_that_there_is_tls() {
    let ask = |server: &Server| {
        let request = server.get("/api/seen").header("x-forwarded-proto", "https").header("cookie", "session=t-viewer");
        request.header("x-forwarded-host", "other.example").send()
    };
    let stranger = ask(&Server::start().await).await;
    assert_eq!(stranger.json()["meta"]["origin"], "http://localhost");
    assert_eq!(stranger.json()["tenant"], "demo");

    let mut options = platform();
    options.proxies = vec![[127, 0, 0, 1].into()];
    let trusted = ask(&Server::with(options, Kept::InMemory).await).await;
    assert_eq!(trusted.json()["meta"]["origin"], "https://other.example");
    assert_eq!(trusted.json()["principal"], "nobody", "over TLS only `__Host-session` counts");
    assert_eq!(trusted.header("strict-transport-security"), Some("max-age=31536000"));
}

#[tokio::test]
async fn over_tls_a_cookie_is_bound_to_its_host() {
    let mut options = platform();
    options.proxies = vec![[127, 0, 0, 1].into()];
    let server = Server::with(options, Kept::InMemory).await;
    let answer = server.request("POST", "/api/sessions").header("x-forwarded-proto", "https").send().await;
    let cookie = answer.header("set-cookie").unwrap();
    assert!(
        cookie.starts_with("__Host-session=t-viewer; Path=/; HttpOnly; SameSite=Lax") && cookie.ends_with("; Secure")
    );
}

#[tokio::test]
async fn an_application_without_tenants_answers_under_every_name() {
    let options = HttpOptions::new(Tenants::Only(Tenant::only()));
    let server = Server::with(options, Kept::InMemory).await;
    assert_eq!(tenant(&server, "any.example", "/api/seen").await.as_deref(), Ok("only"));
    let mount = server.get("/@demo/api/seen").send().await;
    assert_eq!(mount.problem(), (404, "no_such_uri".into()), "without pages a fault is a problem document");
}
