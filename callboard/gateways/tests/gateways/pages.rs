//! Pages for people: caching, faults in words, the way to sign in and back, and redirects that stay inside.

use crate::server::Server;

#[tokio::test]
async fn a_page_for_everybody_may_be_shared_and_one_for_somebody_not() {
    let server = Server::start().await;
    let page = server.get("/").send().await;
    assert_eq!((page.status, page.header("content-type")), (200, Some("text/html; charset=utf-8")));
    assert_eq!(page.header("cache-control"), Some("public, s-maxage=60, stale-while-revalidate=600"));
    assert!(page.headers.iter().any(|(name, value)| name == "vary" && value == "cookie"));
    let policy = page.header("content-security-policy").unwrap();
    assert!(policy.contains("script-src 'self';") && policy.contains("frame-ancestors 'none'"));
    let own = server.get("/").header("cookie", "session=t-viewer").send().await;
    assert_eq!(own.header("cache-control"), Some("private, no-store"));
    let cached = server.get("/about/cached").send().await;
    assert_eq!(cached.header("cache-control"), Some("public, max-age=3600"));
    let cached = server.get("/about/cached").header("cookie", "session=t-viewer").send().await;
    assert_eq!(cached.header("cache-control"), Some("private, no-store"), "no function shares what somebody sees");
}

#[tokio::test]
async fn text_is_compressed_as_the_browser_accepts() {
    let server = Server::start().await;
    let plain = server.get("/").send().await;
    assert_eq!(plain.header("content-encoding"), None);
    for (accepted, want) in [("gzip, br", "br"), ("gzip", "gzip")] {
        let page = server.get("/").header("accept-encoding", accepted).send().await;
        assert_eq!(page.header("content-encoding"), Some(want));
        assert!(page.body.len() < plain.body.len() / 5, "{} bytes", page.body.len());
        let vary: Vec<_> = page.headers.iter().filter(|(name, _)| name == "vary").collect();
        assert!(vary.iter().any(|(_, value)| value == "accept-encoding"), "{vary:?}");
    }
    let refused = server.get("/").header("accept-encoding", "br;q=0").send().await;
    assert_eq!((refused.header("content-encoding"), refused.body.len()), (None, plain.body.len()));
    let short = server.get("/api/hello").header("accept-encoding", "br").send().await;
    assert_eq!(short.header("content-encoding"), None);
}

#[tokio::test]
async fn a_fault_on_a_page_is_a_page() {
    let server = Server::start().await;
    let page = server.get("/nothing/here").send().await;
    assert_eq!((page.status, page.header("content-type")), (404, Some("text/html; charset=utf-8")));
    assert!(page.text().starts_with("<h1>404 no_such_uri</h1><h2>Nothing here</h2>"), "{}", page.text());
    assert_eq!(page.header("cache-control"), Some("no-store"));
    assert!(page.header("content-security-policy").unwrap().contains("script-src 'self'"));
    for path in
        ["/fault?status=200&code=a&title=b&message=c", "/f%61ult?status=200&code=a&title=b&message=c", "/@other/fault"]
    {
        let answer = server.get(path).send().await;
        assert_eq!(answer.status, 404, "{path}");
        assert!(answer.text().starts_with("<h1>404 no_such_uri</h1>"), "{path}: {}", answer.text());
    }
}

#[tokio::test]
async fn a_page_of_a_fault_knows_who_reads_it() {
    let server = Server::start().await;
    for (cookie, want) in [("session=t-viewer", "p1"), ("session=worthless", "Sign in"), ("a=b", "Sign in")] {
        let page = server.get("/nothing/here").header("cookie", cookie).send().await;
        assert_eq!((page.status, page.header("cache-control")), (404, Some("no-store")), "{cookie}");
        assert!(page.text().ends_with(&format!("<nav>{want}</nav>")), "{cookie}: {}", page.text());
    }
}

#[tokio::test]
async fn a_page_answers_reading_and_its_form_and_nothing_else() {
    let server = Server::start().await;
    let put = server.request("PUT", "/sign-in").send().await;
    assert_eq!((put.status, put.header("allow")), (405, Some("GET, HEAD, POST")));
    assert!(put.text().contains("<h2>Method not allowed</h2>"), "{}", put.text());
    let post = server.request("POST", "/").send().await;
    assert_eq!((post.status, post.header("allow")), (405, Some("GET, HEAD")));
}

#[tokio::test]
async fn whoever_is_not_signed_in_is_sent_there_and_back() {
    let server = Server::start().await;
    let page = server.get("/me/list?a=1&b=//evil").send().await;
    assert_eq!(page.status, 303);
    assert_eq!(page.header("location"), Some("/sign-in?next=%2Fme%2Flist%3Fa%3D1%26b%3D%2F%2Fevil"));
    assert_eq!(page.header("cache-control"), Some("no-store"));
    let form = server.request("POST", "/me/list").body("application/x-www-form-urlencoded", "next=/").send().await;
    assert_eq!((form.status, form.header("location")), (303, Some("/sign-in?next=%2Fme%2Flist")));
    let mounted = server.get("/@other/me/list").send().await;
    assert_eq!(mounted.header("location"), Some("/@other/sign-in?next=%2Fme%2Flist"));
    let resource = server.request("DELETE", "/api/things/7").send().await;
    assert_eq!(resource.problem(), (404, "no_such_uri".into()), "a stranger of this row sees nothing");
}

#[tokio::test]
async fn a_cookie_that_proves_nothing_is_taken_back() {
    let server = Server::start().await;
    let page = server.get("/me/list").header("cookie", "session=worthless").send().await;
    assert_eq!(page.status, 303);
    assert_eq!(page.header("set-cookie"), Some("session=; Path=/; HttpOnly; SameSite=Lax; Max-Age=0"));
    assert!(page.header("clear-cookie").is_none());
}

#[tokio::test]
async fn no_redirect_leaves_the_application() {
    let server = Server::start().await;
    for (next, want) in [
        ("/me/list", "/me/list"),
        ("/watch/1?t=5", "/watch/1?t=5"),
        ("//evil.example", "/"),
        ("/\\evil.example", "/"),
        ("https://evil.example", "/"),
        ("/%09/evil.example", "/"),
        ("evil.example", "/"),
        ("javascript:alert(1)", "/"),
        ("", "/"),
    ] {
        let next = next.replace('?', "%3F");
        let form = server.request("POST", "/sign-in").body("application/x-www-form-urlencoded", format!("next={next}"));
        let answer = form.send().await;
        assert_eq!((answer.status, answer.header("location")), (303, Some(want)), "{next}");
    }
    let form = server.request("POST", "/@other/sign-in").body("application/x-www-form-urlencoded", "next=/a");
    assert_eq!(form.send().await.header("location"), Some("/@other/a"));
    let crlf =
        server.request("POST", "/sign-in").body("application/x-www-form-urlencoded", "next=/a%0d%0aset-cookie:x=y");
    let answer = crlf.send().await;
    assert_eq!((answer.header("location"), answer.header("set-cookie")), (Some("/"), None));
}

#[tokio::test]
async fn addresses_that_moved_and_slashes_too_many_lead_on() {
    let server = Server::start().await;
    let moved = server.get("/about/old").send().await;
    assert_eq!((moved.status, moved.header("location")), (301, Some("/series/n%C3%A4w")));
    let slash = server.get("/@other/me/list/?a=1").send().await;
    assert_eq!((slash.status, slash.header("location")), (301, Some("/@other/me/list?a=1")));
    for path in ["//evil.example/", "/%5cevil.example/"] {
        let answer = server.get(path).send().await;
        assert_eq!((answer.status, answer.header("location")), (400, None), "{path}");
    }
}

#[tokio::test]
async fn files_of_the_program_are_kept_for_ever() {
    let server = Server::start().await;
    let style = server.get("/assets/1f.css").header("accept-encoding", "gzip, br").send().await;
    assert_eq!((style.status, style.text(), style.header("content-encoding")), (200, "br", Some("br")));
    assert_eq!(style.header("cache-control"), Some("public, max-age=31536000, immutable"));
    let plain = server.get("/assets/1f.css").send().await;
    assert_eq!((plain.text(), plain.header("content-type")), ("body {}", Some("text/css")));
    let etag = plain.header("etag").unwrap();
    assert_eq!(server.get("/assets/1f.css").header("if-none-match", etag).send().await.status, 304);
    assert_eq!(server.get("/robots.txt").send().await.header("cache-control"), Some("public, max-age=3600"));
    assert_eq!(server.get("/assets/../Cargo.toml").send().await.status, 400);
    assert_eq!(server.get("/assets/other.css").send().await.status, 404);
}
