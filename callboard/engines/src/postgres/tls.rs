//! TLS on the way to the server, in the words of its own clients: `sslmode` and `sslrootcert` of the address. Where a server says that
//! it speaks TLS and it comes to nothing, nothing is sent without.

use percent_encoding::percent_decode_str;
use std::fs;
use std::sync::Arc;
use tokio_postgres::config::SslMode;
use tokio_postgres_rustls::MakeRustlsConnect;
use tokio_rustls::rustls::client::WebPkiServerVerifier;
use tokio_rustls::rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use tokio_rustls::rustls::crypto::{CryptoProvider, ring};
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use tokio_rustls::rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
};

/// What the certificate of the server must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Proof {
    /// Anybody's: who listens on the way learns nothing, who stands in it is not noticed, unless by the password.
    Nothing,
    /// Of somebody who is trusted.
    Authority,
    /// Of somebody who is trusted, and for the host of the address.
    Name,
}

/// What an address says of TLS.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Wish {
    pub(super) mode: SslMode,
    proof: Proof,
    /// The file of those who are trusted; otherwise those whom the machine trusts.
    roots: Option<String>,
}

/// Takes what an address says of TLS out of it: the library knows only a part of these words.
///
/// # Errors
/// What is wrong, in words that follow `the address of the records`.
pub(super) fn split(url: &str) -> Result<(String, Wish), String> {
    let (place, query) = url.split_once('?').unwrap_or((url, ""));
    let (mut mode, mut roots, mut rest) = (None, None, Vec::new());
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let value = |value: &str| percent_decode_str(value).decode_utf8_lossy().into_owned();
        match pair.split_once('=') {
            Some(("sslmode", said)) => mode = Some(value(said)),
            Some(("sslrootcert", said)) => roots = Some(value(said)),
            _ => rest.push(pair),
        }
    }
    let roots = roots.filter(|roots| roots != "system");
    let (mode, proof) = match mode.as_deref() {
        Some("disable") => (SslMode::Disable, Proof::Nothing),
        None | Some("prefer") => (SslMode::Prefer, Proof::Nothing),
        // As its own clients have it: who names those who are trusted wants to know.
        Some("require") if roots.is_none() => (SslMode::Require, Proof::Nothing),
        Some("require" | "verify-ca") => (SslMode::Require, Proof::Authority),
        Some("verify-full") => (SslMode::Require, Proof::Name),
        Some(_) => {
            return Err(
                "has an unknown `sslmode`; write `disable`, `prefer`, `require`, `verify-ca` or `verify-full`".into()
            );
        }
    };
    let url = if rest.is_empty() { place.to_owned() } else { format!("{place}?{}", rest.join("&")) };
    Ok((url, Wish { mode, proof, roots }))
}

impl Wish {
    /// How to speak TLS so.
    ///
    /// # Errors
    /// As [`split`].
    pub(super) fn connector(&self) -> Result<MakeRustlsConnect, String> {
        let provider = Arc::new(ring::default_provider());
        let verifier = Verifier {
            authorities: match self.proof {
                Proof::Nothing => None,
                Proof::Authority | Proof::Name => Some(self.authorities(&provider)?),
            },
            provider: provider.clone(),
            proof: self.proof,
        };
        let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let config = config.map_err(|error| format!("cannot be reached over TLS: {error}"))?;
        let config = config.dangerous().with_custom_certificate_verifier(Arc::new(verifier));
        Ok(MakeRustlsConnect::new(config.with_no_client_auth()))
    }

    fn authorities(&self, provider: &Arc<CryptoProvider>) -> Result<Arc<WebPkiServerVerifier>, String> {
        let certificates = match &self.roots {
            None => rustls_native_certs::load_native_certs().certs,
            Some(file) => read(file).map_err(|what| format!("names `sslrootcert={file}`, and {what}"))?,
        };
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(certificates);
        let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider.clone()).build();
        verifier.map_err(|_| "asks for a certificate that is trusted, and none is; name a file in `sslrootcert`".into())
    }
}

fn read(file: &str) -> Result<Vec<CertificateDer<'static>>, String> {
    let text = fs::read(file).map_err(|error| format!("it cannot be read: {error}"))?;
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
    match found {
        Ok(certificates) if !certificates.is_empty() => Ok(certificates),
        Ok(_) => Err("it holds no certificate in PEM".to_owned()),
        Err(error) => Err(format!("it is no PEM: {error}")),
    }
}

/// Judges the certificate of the server. That it holds the key belonging to it is always proved.
#[derive(Debug)]
struct Verifier {
    proof: Proof,
    authorities: Option<Arc<WebPkiServerVerifier>>,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        between: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let Some(authorities) = &self.authorities else { return Ok(ServerCertVerified::assertion()) };
        match authorities.verify_server_cert(certificate, between, name, ocsp, now) {
            // The name is looked at last.
            Err(Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) if self.proof == Proof::Authority => Ok(ServerCertVerified::assertion()),
            judged => judged,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let known = &self.provider.signature_verification_algorithms;
        tokio_rustls::rustls::crypto::verify_tls12_signature(message, certificate, signed, known)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let known = &self.provider.signature_verification_algorithms;
        tokio_rustls::rustls::crypto::verify_tls13_signature(message, certificate, signed, known)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wish(query: &str) -> (String, SslMode, Proof, Option<String>) {
        let (url, wish) = split(&format!("postgres://me:s3cret@db/films{query}")).expect("it can be read");
        (url.replace("postgres://me:s3cret@db/films", ""), wish.mode, wish.proof, wish.roots)
    }

    #[test]
    fn an_address_says_what_it_wants_of_tls_and_keeps_the_rest() {
        let roots = |file: &str| Some(file.to_owned());
        assert_eq!(wish(""), (String::new(), SslMode::Prefer, Proof::Nothing, None));
        assert_eq!(wish("?sslmode=disable"), (String::new(), SslMode::Disable, Proof::Nothing, None));
        assert_eq!(wish("?sslmode=require"), (String::new(), SslMode::Require, Proof::Nothing, None));
        let own = wish("?options=-c%20x%3D1&sslmode=require&sslrootcert=/a%20b.pem&channel_binding=require");
        let rest = "?options=-c%20x%3D1&channel_binding=require".to_owned();
        assert_eq!(own, (rest, SslMode::Require, Proof::Authority, roots("/a b.pem")));
        assert_eq!(
            wish("?sslmode=verify-full&sslrootcert=system"),
            (String::new(), SslMode::Require, Proof::Name, None)
        );
    }

    #[test]
    fn what_cannot_be_meant_is_refused_in_words() {
        assert!(split("postgres://db/films?sslmode=allow").expect_err("unknown").contains("verify-full"));
        let (_, wish) =
            split("postgres://db/films?sslmode=verify-ca&sslrootcert=/nowhere.pem").expect("it can be read");
        assert!(wish.connector().err().expect("no file").contains("`sslrootcert=/nowhere.pem`, and it cannot be read"));
        let file = tempfile::NamedTempFile::new().expect("a file");
        fs::write(&file, "no certificate").expect("written");
        let url = format!("postgres://db/films?sslmode=verify-ca&sslrootcert={}", file.path().display());
        let refused = split(&url).expect("it can be read").1.connector().err();
        assert!(refused.expect("no certificate").contains("it holds no certificate"));
    }
}
