//! Bearer tokens of another issuer (JWT): whom they name is somebody of the tenant that they name. Keys, issuer, audience,
//! algorithms, tenants and what the issuer's roles are here is configured; what is not, is not believed.

use crate::bearer::{self, Proof};
use callboard::{Answer, BoxFuture, Fault, Handler, Host, Msg, Next, Principal, Tenant};
use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, JwkSet, KeyAlgorithm, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde::Deserialize;
use sha2::{Digest, Sha256};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

/// Longest token that is looked at.
const TOKEN_BYTES_MAX: usize = 8 * 1024;
/// Most roles that a token may name, and longest name of one.
const ROLES_MAX: usize = 16;
const ROLE_BYTES_MAX: usize = 32;
/// Between two looks whether the keys have changed.
const LOOK_PAUSE_MS: i64 = 1_000;

/// What is believed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenRules {
    /// Who issues the tokens: their `iss`.
    pub issuer: String,
    /// For whom: one of their `aud`.
    pub audience: String,
    /// Algorithms, of `RS256`, `ES256`, `EdDSA`, `HS256`.
    pub algorithms: Vec<String>,
    /// Tenants it may name.
    pub tenants: Vec<String>,
    /// Roles it may give: a role as its tokens name it, and what that is here. Others of a token's roles do not count.
    pub roles: Vec<(String, String)>,
    /// How far clocks may differ.
    pub leeway_s: i64,
    /// How old a token may be, however long it says that it lasts.
    pub age_max_s: i64,
}

/// Gives the keys where they have changed since it was last asked, or says why they cannot be read.
pub type KeySource = Box<dyn Fn() -> Option<Result<String, String>> + Send + Sync>;

/// Believes tokens that were signed with one of its keys.
pub struct Tokens {
    rules: TokenRules,
    keys: RwLock<Arc<[Key]>>,
    source: Option<KeySource>,
    /// When it was last looked whether they have changed.
    looked_ms: AtomicI64,
}

struct Key {
    id: Option<String>,
    algorithm: Algorithm,
    decoding: DecodingKey,
}

/// What a token says. Others of its claims are not looked at.
#[derive(Deserialize)]
struct Claims {
    sub: String,
    exp: f64,
    iat: f64,
    nbf: Option<f64>,
    tenant: String,
    #[serde(default)]
    roles: Vec<String>,
}

#[derive(Deserialize)]
struct Header {
    alg: String,
    kid: Option<String>,
    crit: Option<serde_json::Value>,
    typ: Option<String>,
}

impl Tokens {
    /// The handler; `keys` is a JSON Web Key Set.
    ///
    /// # Errors
    /// What is wrong with the keys or the rules.
    pub fn new(keys: &str, rules: TokenRules) -> Result<Self, String> {
        if rules.issuer.is_empty() || rules.audience.is_empty() {
            return Err("name the issuer and the audience of the tokens".to_owned());
        }
        let keys = RwLock::new(read(keys, &rules)?);
        Ok(Self { rules, keys, source: None, looked_ms: AtomicI64::new(i64::MIN) })
    }

    /// The same with keys that may change while the process runs: it is looked at most once a second whether they have, and what
    /// cannot be read changes nothing.
    #[must_use]
    pub fn renewed_from(self, source: KeySource) -> Self {
        Self { source: Some(source), ..self }
    }

    fn renew(&self, now_ms: i64) {
        let Some(source) = &self.source else { return };
        let looked_ms = self.looked_ms.load(Ordering::Relaxed);
        let is_due = now_ms.saturating_sub(looked_ms) >= LOOK_PAUSE_MS;
        let is_mine =
            || self.looked_ms.compare_exchange(looked_ms, now_ms, Ordering::Relaxed, Ordering::Relaxed).is_ok();
        if !is_due || !is_mine() {
            return;
        }
        match source().map(|text| text.and_then(|text| read(&text, &self.rules))) {
            None => {}
            Some(Ok(keys)) => {
                tracing::info!(keys.count = keys.len(), "the keys of tokens are new");
                *self.keys.write().unwrap_or_else(PoisonError::into_inner) = keys;
            }
            Some(Err(wrong)) => tracing::error!("the keys of tokens stay as they were: {wrong}"),
        }
    }

    fn prove(&self, token: &str, tenant: &Tenant, now_ms: i64) -> Result<Principal, &'static str> {
        self.renew(now_ms);
        let keys = self.keys.read().unwrap_or_else(PoisonError::into_inner).clone();
        let key = find_key(&keys, token)?;
        let mut validation = Validation::new(key.algorithm);
        validation.set_issuer(&[&self.rules.issuer]);
        validation.set_audience(&[&self.rules.audience]);
        validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        // Time is the host's, so that tests can move it.
        (validation.validate_exp, validation.validate_nbf) = (false, false);
        let claims = jsonwebtoken::decode::<Claims>(token, &key.decoding, &validation).map_err(|error| {
            use jsonwebtoken::errors::ErrorKind;
            match error.kind() {
                ErrorKind::InvalidIssuer => "it is of another issuer",
                ErrorKind::InvalidAudience => "it is for another audience",
                ErrorKind::InvalidSignature => "its signature is wrong",
                _ => "it cannot be read",
            }
        })?;
        self.check(claims.claims, tenant, now_ms)
    }

    fn check(&self, claims: Claims, tenant: &Tenant, now_ms: i64) -> Result<Principal, &'static str> {
        #[expect(clippy::cast_precision_loss, reason = "seconds since 1970 fit a float to the microsecond")]
        let (now_s, leeway_s, age_max_s) =
            (now_ms as f64 / 1_000.0, self.rules.leeway_s as f64, self.rules.age_max_s as f64);
        let is_time = [claims.exp, claims.iat, claims.nbf.unwrap_or(0.0)].iter().all(|time| time.is_finite());
        if !is_time || claims.exp + leeway_s <= now_s {
            return Err("it has expired");
        }
        if claims.iat - leeway_s > now_s || claims.nbf.is_some_and(|nbf| nbf - leeway_s > now_s) {
            return Err("it is not valid yet");
        }
        if claims.iat + age_max_s + leeway_s <= now_s {
            return Err("it is too old");
        }
        if claims.tenant != tenant.as_str() {
            return Err("it is for another channel");
        }
        if !self.rules.tenants.iter().any(|name| name == tenant.as_str()) {
            return Err("its issuer is not believed in this channel");
        }
        let is_role = |role: &String| !role.is_empty() && role.len() <= ROLE_BYTES_MAX;
        if claims.sub.is_empty() || claims.roles.len() > ROLES_MAX || !claims.roles.iter().all(is_role) {
            return Err("it names nobody, or roles that are none");
        }
        let given = self.rules.roles.iter().filter(|(theirs, _)| claims.roles.contains(theirs));
        let roles = given.map(|(_, ours)| Arc::from(ours.as_str())).collect();
        Ok(Principal::Person { id: self.pseudonym(tenant, &claims.sub), roles, session: None })
    }

    /// Whoever another issuer names is nobody's account here, and is not the same person in two tenants.
    fn pseudonym(&self, tenant: &Tenant, subject: &str) -> Arc<str> {
        let mut hash = Sha256::new();
        for part in [tenant.as_str(), &self.rules.issuer, subject] {
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part);
        }
        let digits: String = hash.finalize().iter().take(16).map(|byte| format!("{byte:02x}")).collect();
        format!("jwt-{digits}").into()
    }
}

/// Reads a JSON Web Key Set: those of its keys that are for one of the algorithms.
fn read(keys: &str, rules: &TokenRules) -> Result<Arc<[Key]>, String> {
    let algorithms: Vec<Algorithm> = rules.algorithms.iter().map(|name| algorithm(name)).collect::<Result<_, _>>()?;
    let set: JwkSet = serde_json::from_str(keys).map_err(|error| format!("they are no JSON Web Key Set: {error}"))?;
    let keys: Vec<Key> = set.keys.iter().map(key).collect::<Result<_, _>>()?;
    let keys: Arc<[Key]> = keys.into_iter().filter(|key| algorithms.contains(&key.algorithm)).collect();
    if keys.is_empty() {
        return Err(format!("none of them is for {}", rules.algorithms.join(", ")));
    }
    Ok(keys)
}

/// The one key that fits the header. The algorithm is the key's: a token cannot choose how it is checked.
fn find_key<'a>(keys: &'a [Key], token: &str) -> Result<&'a Key, &'static str> {
    let header: Header = bearer::read_part(token.split('.').next().unwrap_or_default()).ok_or("it cannot be read")?;
    if header.crit.is_some() {
        return Err("it asks for an extension that is not known here");
    }
    if header.typ.is_some_and(|typ| !["jwt", "at+jwt"].contains(&&*typ.to_ascii_lowercase())) {
        return Err("it is of another type");
    }
    let fits = |key: &&Key| header.kid.as_ref().is_none_or(|id| key.id.as_ref() == Some(id));
    let mut fitting = keys.iter().filter(|key| algorithm(&header.alg) == Ok(key.algorithm)).filter(fits);
    match (fitting.next(), fitting.next()) {
        (Some(key), None) => Ok(key),
        (Some(_), Some(_)) => Err("it does not say with which key it is signed"),
        (None, _) => Err("it is signed with no key or algorithm that is known here"),
    }
}

fn algorithm(name: &str) -> Result<Algorithm, String> {
    match name {
        "RS256" => Ok(Algorithm::RS256),
        "ES256" => Ok(Algorithm::ES256),
        "EdDSA" => Ok(Algorithm::EdDSA),
        "HS256" => Ok(Algorithm::HS256),
        _ => Err(format!("`{name}` is no algorithm here; there are RS256, ES256, EdDSA and HS256")),
    }
}

fn key(jwk: &Jwk) -> Result<Key, String> {
    let id = jwk.common.key_id.clone();
    let name = id.as_deref().unwrap_or("without an id");
    if jwk.common.public_key_use.as_ref().is_some_and(|usage| *usage != PublicKeyUse::Signature) {
        return Err(format!("the key {name} is not for signatures; leave it out"));
    }
    let (algorithm, named) = match &jwk.algorithm {
        AlgorithmParameters::RSA(_) => (Algorithm::RS256, KeyAlgorithm::RS256),
        AlgorithmParameters::EllipticCurve(curve) if curve.curve == EllipticCurve::P256 => {
            (Algorithm::ES256, KeyAlgorithm::ES256)
        }
        AlgorithmParameters::OctetKeyPair(pair) if pair.curve == EllipticCurve::Ed25519 => {
            (Algorithm::EdDSA, KeyAlgorithm::EdDSA)
        }
        AlgorithmParameters::OctetKey(_) => (Algorithm::HS256, KeyAlgorithm::HS256),
        _ => return Err(format!("the key {name} is on a curve that is not known here; use P-256 or Ed25519")),
    };
    if jwk.common.key_algorithm.is_some_and(|said| said != named) {
        return Err(format!("the key {name} is for an algorithm that is not known here; use {named}"));
    }
    let decoding = DecodingKey::from_jwk(jwk).map_err(|error| format!("the key {name} cannot be read: {error}"))?;
    Ok(Key { id, algorithm, decoding })
}

impl Handler for Tokens {
    fn handle<'a>(&'a self, host: &'a Host, mut msg: Msg, next: Next<'a>) -> BoxFuture<'a, Result<Answer, Fault>> {
        let is_ours = |token: &str| token.bytes().filter(|byte| *byte == b'.').count() == 2;
        let Some(token) = bearer::take(&mut msg, is_ours) else { return next.run(host, msg) };
        let proof = match token.expose().len() <= TOKEN_BYTES_MAX {
            true => self.prove(token.expose(), &msg.tenant, host.ports().clock.now_ms()),
            false => Err("it is too long"),
        };
        bearer::go_on(host, msg, next, proof.map_or_else(Proof::Nothing, Proof::Of))
    }
}
