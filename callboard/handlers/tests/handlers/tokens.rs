//! Tokens of another issuer: believed where everything about them fits, and in no other case.

use crate::gate::{Coming, guarded};
use callboard::{Answer, Fault, Kind};
use callboard_bench::{Bench, START_MS};
use callboard_handlers::{Authenticate, TokenRules, Tokens};
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};

const KEYS: &str = include_str!("keys/keys.json");
const SECRET: &[u8] = b"a secret of the tests, 32 bytes.";
const NOW_S: i64 = START_MS / 1_000;

fn rules() -> TokenRules {
    TokenRules {
        issuer: "https://id.example.org".into(),
        audience: "showrunner".into(),
        algorithms: ["RS256", "ES256", "EdDSA"].map(str::to_owned).to_vec(),
        tenants: vec!["demo".into()],
        roles: [("staff", "editor"), ("staff", "viewer"), ("boss", "owner")]
            .map(|(a, b)| (a.to_owned(), b.to_owned()))
            .to_vec(),
        leeway_s: 30,
        age_max_s: 3_600,
    }
}

async fn bench(rules: TokenRules) -> Bench {
    let tokens = Tokens::new(KEYS, rules).unwrap();
    guarded(move |builder| builder.handler(tokens).handler(Authenticate::new())).await
}

fn claims() -> Value {
    json!({"iss": "https://id.example.org", "aud": "showrunner", "sub": "ann", "tenant": "demo", "roles": ["staff", "owner"],
           "iat": NOW_S, "exp": NOW_S + 600})
}

fn with(name: &str, value: Value) -> Value {
    let mut claims = claims();
    claims[name] = value;
    claims
}

fn signing(kid: &str) -> (Algorithm, EncodingKey) {
    match kid {
        "rsa" => (Algorithm::RS256, EncodingKey::from_rsa_der(include_bytes!("keys/rsa.der"))),
        "ec" => (Algorithm::ES256, EncodingKey::from_ec_der(include_bytes!("keys/ec.der"))),
        "ed" => (Algorithm::EdDSA, EncodingKey::from_ed_der(include_bytes!("keys/ed.der"))),
        _ => (Algorithm::HS256, EncodingKey::from_secret(SECRET)),
    }
}

fn sign(kid: &str, claims: &Value) -> String {
    let (algorithm, key) = signing(kid);
    let header = Header { kid: Some(kid.to_owned()), ..Header::new(algorithm) };
    encode(&header, claims, &key).unwrap()
}

async fn come(bench: &Bench, token: &str) -> Result<Answer, Fault> {
    Coming::to(bench, Kind::Get, "/inside").with_token(token).come().await
}

/// Why a token proves nothing.
async fn why(bench: &Bench, token: &str) -> String {
    let fault = come(bench, token).await.expect_err("it proves nothing");
    assert_eq!((fault.code, fault.status()), ("not_signed_in", 401));
    let (name, value) = fault.headers.iter().find(|(name, _)| *name == "www-authenticate").expect("a challenge");
    assert!(value.starts_with("Bearer error=\"invalid_token\""), "{name}: {value}");
    fault.message.trim_start_matches("the token proves nothing: ").trim_end_matches("; get a new one").to_owned()
}

#[tokio::test]
async fn each_algorithm_with_its_own_key_makes_a_person_of_the_tenant() {
    let bench = bench(rules()).await;
    let mut people = Vec::new();
    for kid in ["rsa", "ec", "ed"] {
        let answer = come(&bench, &sign(kid, &claims())).await.unwrap_or_else(|fault| panic!("{kid}: {fault}"));
        let principal = answer.json()["principal"].clone();
        assert_eq!(principal["person"]["roles"], json!(["editor", "viewer"]), "theirs as the rules read them");
        people.push(principal["person"]["id"].as_str().unwrap().to_owned());
    }
    assert!(people.windows(2).all(|pair| pair[0] == pair[1]), "the same subject is the same person");
    assert!(people[0].starts_with("jwt-") && !people[0].contains("ann"), "by pseudonym: {}", people[0]);
    let aud = sign("ed", &with("aud", json!(["other", "showrunner"])));
    assert!(come(&bench, &aud).await.is_ok(), "one of several audiences");
}

#[tokio::test]
async fn what_does_not_fit_proves_nothing_and_says_why() {
    let bench = bench(rules()).await;
    let without = |name: &str| {
        let mut claims = claims();
        claims.as_object_mut().unwrap().remove(name);
        claims
    };
    for (claims, want) in [
        (with("iss", json!("https://evil.example.org")), "it is of another issuer"),
        (with("aud", json!("other")), "it is for another audience"),
        (with("tenant", json!("rival")), "it is for another channel"),
        (with("exp", json!(NOW_S - 31)), "it has expired"),
        (with("exp", json!("never")), "it cannot be read"),
        (with("iat", json!(NOW_S + 31)), "it is not valid yet"),
        (with("nbf", json!(NOW_S + 31)), "it is not valid yet"),
        (with("iat", json!(NOW_S - 3_631)), "it is too old"),
        (with("sub", json!("")), "it names nobody, or roles that are none"),
        (with("roles", json!(vec!["x"; 17])), "it names nobody, or roles that are none"),
        (with("roles", json!([""])), "it names nobody, or roles that are none"),
        (without("exp"), "it cannot be read"),
        (without("iat"), "it cannot be read"),
        (without("iss"), "it cannot be read"),
        (without("aud"), "it cannot be read"),
        (without("sub"), "it cannot be read"),
        (without("tenant"), "it cannot be read"),
    ] {
        assert_eq!(why(&bench, &sign("ed", &claims)).await, want, "{claims}");
    }
    assert!(come(&bench, &sign("ed", &with("exp", json!(NOW_S - 29)))).await.is_ok(), "within the leeway");
    let valid = sign("ed", &claims());
    bench.clock().advance(631_000);
    assert_eq!(why(&bench, &valid).await, "it has expired");
}

/// Header and claims without a signature that fits.
fn forge(header: &Value, claims: &Value, signature: &str) -> String {
    use base64::Engine;
    let part = |value: &Value| base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(value.to_string());
    format!("{}.{}.{signature}", part(header), part(claims))
}

#[tokio::test]
async fn a_token_cannot_choose_how_it_is_checked() {
    let bench = bench(rules()).await;
    let unknown = "it is signed with no key or algorithm that is known here";
    for alg in ["none", "None", "NONE", "", "HS512", "RS384", "PS256"] {
        assert_eq!(why(&bench, &forge(&json!({"alg": alg, "kid": "ed"}), &claims(), "")).await, unknown, "{alg}");
    }
    // The public key of a pair as if it were a secret that both sides share.
    let public: Value = serde_json::from_str(KEYS).unwrap();
    for (kid, field) in [("rsa", "n"), ("ed", "x")] {
        let all = public["keys"].as_array().unwrap();
        let text = all.iter().find(|key| key["kid"] == kid).unwrap()[field].as_str().unwrap();
        let header = Header { kid: Some(kid.to_owned()), ..Header::new(Algorithm::HS256) };
        let token = encode(&header, &claims(), &EncodingKey::from_secret(text.as_bytes())).unwrap();
        assert_eq!(why(&bench, &token).await, unknown);
    }
    // A shared secret is not believed unless the settings say so.
    assert_eq!(why(&bench, &sign("hs", &claims())).await, unknown);
    // The right algorithm with another's key, and another's name.
    let header = Header { kid: Some("rsa".to_owned()), ..Header::new(Algorithm::EdDSA) };
    assert_eq!(why(&bench, &encode(&header, &claims(), &signing("ed").1).unwrap()).await, unknown);
    let valid = sign("ed", &claims());
    let (body, signature) = valid.rsplit_once('.').unwrap();
    let first = if signature.starts_with('A') { 'B' } else { 'A' };
    assert_eq!(why(&bench, &format!("{body}.{first}{}", &signature[1..])).await, "its signature is wrong");
    let critical = forge(&json!({"alg": "EdDSA", "kid": "ed", "crit": ["exp"]}), &claims(), signature);
    assert_eq!(why(&bench, &critical).await, "it asks for an extension that is not known here");
    let typed = forge(&json!({"alg": "EdDSA", "kid": "ed", "typ": "logout+jwt"}), &claims(), signature);
    assert_eq!(why(&bench, &typed).await, "it is of another type");
    for wrong in ["a.b.c", "..", "é.é.é", &format!("{}.a.b", "x".repeat(9_000))] {
        why(&bench, wrong).await;
    }
}

#[tokio::test]
async fn a_shared_secret_is_believed_where_the_settings_say_so() {
    let bench = bench(TokenRules { algorithms: vec!["HS256".into()], ..rules() }).await;
    assert!(come(&bench, &sign("hs", &claims())).await.is_ok());
    assert_eq!(why(&bench, &sign("ed", &claims())).await, "it is signed with no key or algorithm that is known here");
}

#[tokio::test]
async fn where_nobody_needs_to_be_signed_in_a_token_that_proves_nothing_is_nobodys() {
    let bench = bench(rules()).await;
    let answer = Coming::to(&bench, Kind::Get, "/who").with_token("a.b.c").come().await.unwrap();
    assert_eq!(answer.json(), json!({"principal": "nobody", "has_credential": false}));
    // A session is still a session.
    assert!(come(&bench, "good").await.is_ok());
}

#[test]
fn keys_and_rules_that_cannot_be_are_refused_with_what_is_wrong() {
    let wrong = |keys: &str, rules: TokenRules| Tokens::new(keys, rules).err().expect("it is refused");
    assert!(wrong("{", rules()).contains("no JSON Web Key Set"));
    assert!(wrong("{\"keys\": []}", rules()).contains("none of them is for RS256, ES256, EdDSA"));
    assert!(wrong(KEYS, TokenRules { algorithms: vec!["none".into()], ..rules() }).contains("`none` is no algorithm"));
    assert!(wrong(KEYS, TokenRules { issuer: String::new(), ..rules() }).contains("name the issuer"));
    let encrypting = KEYS.replace("\"sig\"", "\"enc\"");
    assert!(wrong(&encrypting, rules()).contains("the key rsa is not for signatures"));
    let other = KEYS.replace("\"RS256\"", "\"PS512\"");
    assert!(wrong(&other, rules()).contains("the key rsa is for an algorithm that is not known here; use RS256"));
}

#[tokio::test]
async fn an_issuer_gives_only_the_roles_and_only_in_the_tenants_that_it_may() {
    let bench = bench(TokenRules { tenants: vec!["demo".into(), "second".into()], ..rules() }).await;
    let token = |tenant: &str, roles: &[&str]| {
        let mut claims = with("tenant", json!(tenant));
        claims["roles"] = json!(roles);
        sign("ed", &claims)
    };
    let nobody = Coming::to(&bench, Kind::Get, "/inside").come().await.expect_err("nobody is signed in");
    assert_eq!(nobody.code, "not_signed_in");
    // Whoever has none of the roles that count is a stranger who is signed in, whatever the token calls them.
    let stranger = come(&bench, &token("demo", &["owner", "editor", "admin"])).await.expect("signed in");
    assert_eq!(stranger.json()["principal"]["person"]["roles"], json!([]));
    assert_eq!(why(&bench, &token("second", &["boss"])).await, "it is for another channel");
    let owner = come(&bench, &token("demo", &["boss"])).await.expect("signed in");
    assert_eq!(owner.json()["principal"]["person"]["roles"], json!(["owner"]));
    let come_to =
        |tenant, token: String| Coming::to(&bench, Kind::Get, "/inside").in_tenant(tenant).with_token(&token).come();
    let second = come_to("second", token("second", &["boss"])).await.expect("it may name this one too");
    assert_ne!(second.json()["principal"]["person"]["id"], owner.json()["principal"]["person"]["id"]);
    let fault = come_to("rival", token("rival", &["boss"])).await.expect_err("it may not name this one");
    assert!(fault.message.contains("its issuer is not believed in this channel"), "{fault}");
}

#[tokio::test]
async fn keys_that_change_are_believed_without_a_restart_and_broken_ones_change_nothing() {
    let all: Value = serde_json::from_str(KEYS).unwrap();
    let only = |kid: &str| {
        let key = all["keys"].as_array().unwrap().iter().find(|key| key["kid"] == kid).unwrap();
        json!({"keys": [key]}).to_string()
    };
    let news: Arc<Mutex<Option<Result<String, String>>>> = Arc::default();
    let shelf = news.clone();
    let tokens = Tokens::new(&only("ed"), rules()).unwrap();
    let tokens = tokens.renewed_from(Box::new(move || shelf.lock().unwrap().take()));
    let bench = guarded(move |builder| builder.handler(tokens).handler(Authenticate::new())).await;
    let unknown = "it is signed with no key or algorithm that is known here";
    assert!(come(&bench, &sign("ed", &claims())).await.is_ok());
    assert_eq!(why(&bench, &sign("ec", &claims())).await, unknown);

    *news.lock().unwrap() = Some(Ok(only("ec")));
    assert_eq!(why(&bench, &sign("ec", &claims())).await, unknown, "it is not looked at every token");
    bench.clock().advance(1_000);
    assert!(come(&bench, &sign("ec", &claims())).await.is_ok(), "the new key");
    assert_eq!(why(&bench, &sign("ed", &claims())).await, unknown, "the old one is gone");

    for broken in [Ok("{".to_owned()), Ok("{\"keys\": []}".to_owned()), Err("it is not there".to_owned())] {
        *news.lock().unwrap() = Some(broken);
        bench.clock().advance(1_000);
        assert!(come(&bench, &sign("ec", &claims())).await.is_ok(), "what cannot be read changes nothing");
        assert_eq!(*news.lock().unwrap(), None, "it was looked at");
    }
}
