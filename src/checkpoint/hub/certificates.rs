//! Which certificates are trusted, and what a server's says that is not.
//!
//! As Python's tools do it: the bundle that a variable names stands for all others; without one, those of
//! the system count, and without any, the ones that browsers trust, which are built in.

use std::net::{TcpStream, ToSocketAddrs};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, ClientConnection, DigitallySignedStruct, SignatureScheme};
use ureq::http::Uri;
use ureq::tls::{Certificate, PemItem, RootCerts, parse_pem};
use x509_cert::der::Decode;

use super::client::Fault;
use super::environment::variable;
use crate::util::brief;

/// Variables that name a bundle, a file or a folder of files; the first that is set counts.
const BUNDLES: [&str; 4] = [
    "REQUESTS_CA_BUNDLE",
    "CURL_CA_BUNDLE",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
];
/// How long a server may take to show its certificate once more.
const PATIENCE: Duration = Duration::from_secs(5);

/// The certificates that are trusted.
///
/// # Errors
/// When a variable names a bundle that cannot be read or has none.
pub fn trusted() -> Result<RootCerts, Fault> {
    let set = BUNDLES
        .into_iter()
        .find_map(|name| Some((name, PathBuf::from(variable(name)?))));
    let Some((name, path)) = set else {
        let system = rustls_native_certs::load_native_certs().certs;
        let system: Vec<_> = system
            .iter()
            .map(|certificate| Certificate::from_der(certificate).to_owned())
            .collect();
        return Ok(if system.is_empty() {
            RootCerts::WebPki
        } else {
            RootCerts::from(system)
        });
    };
    let unusable = |reason: String| Fault::Bundle {
        variable: name,
        path: path.clone(),
        reason,
    };
    let mut found = Vec::new();
    for part in std::env::split_paths(&path).filter(|_| name == "SSL_CERT_DIR" && !path.exists()) {
        found.extend(bundle(&part).unwrap_or_default());
    }
    if found.is_empty() {
        found = bundle(&path).map_err(|e| unusable(e.to_string()))?;
    }
    if found.is_empty() {
        return Err(unusable("it has no certificate".into()));
    }
    Ok(RootCerts::from(found))
}

/// The certificates of a file, or of all files in a folder.
fn bundle(path: &Path) -> std::io::Result<Vec<Certificate<'static>>> {
    let of = |bytes: &[u8]| -> Vec<_> {
        let items = parse_pem(bytes).filter_map(Result::ok);
        let certificate = |item| match item {
            PemItem::Certificate(certificate) => Some(certificate),
            _ => None,
        };
        items.filter_map(certificate).collect()
    };
    if !path.is_dir() {
        return Ok(of(&std::fs::read(path)?));
    }
    let mut found = Vec::new();
    for entry in std::fs::read_dir(path)? {
        // What cannot be read is no certificate; folders of certificates have links that lead nowhere.
        if let Ok(bytes) = std::fs::read(entry?.path()) {
            found.extend(of(&bytes));
        }
    }
    Ok(found)
}

/// Why a certificate is not accepted, if that is what is wrong.
pub fn refused(error: &ureq::Error) -> Option<String> {
    let rustls = match error {
        ureq::Error::Rustls(error) => error,
        ureq::Error::Io(error) => error.get_ref()?.downcast_ref()?,
        _ => return None,
    };
    match rustls {
        rustls::Error::InvalidCertificate(reason) => Some(match reason {
            rustls::CertificateError::UnknownIssuer => {
                "none of the trusted certificates is its issuer's".into()
            }
            reason => reason.to_string(),
        }),
        rustls::Error::NoCertificatesPresented => Some("it shows none".into()),
        _ => None,
    }
}

/// Whose certificate a server shows, in words.
pub fn shown(url: &str) -> Option<String> {
    let uri: Uri = url.parse().ok()?;
    let host = uri.host()?;
    let port = uri.port_u16().unwrap_or(443);
    let name = host.trim_matches(['[', ']']);
    let address = (name, port).to_socket_addrs().ok()?.next()?;
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE).ok()?;
    stream.set_read_timeout(Some(PATIENCE)).ok()?;
    stream.set_write_timeout(Some(PATIENCE)).ok()?;
    let provider = Arc::new(ring::default_provider());
    let look = Arc::new(Look {
        provider: Arc::clone(&provider),
        seen: Mutex::new(None),
    });
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .ok()?
        .dangerous()
        .with_custom_certificate_verifier(Arc::clone(&look) as _)
        .with_no_client_auth();
    let name = ServerName::try_from(name.to_string()).ok()?;
    let mut connection = ClientConnection::new(Arc::new(config), name).ok()?;
    // It ends with the refusal of whatever is shown.
    let _ = connection.complete_io(&mut stream);
    let seen = look.seen.lock().ok()?.take()?;
    let certificate = x509_cert::Certificate::from_der(&seen).ok()?;
    let facts = certificate.tbs_certificate();
    let (subject, issuer) = (facts.subject().to_string(), facts.issuer().to_string());
    Some(format!(
        "it is that of \"{}\", issued by \"{}\"",
        brief::excerpt(&subject),
        brief::excerpt(&issuer)
    ))
}

/// Sees a certificate, and accepts none.
#[derive(Debug)]
struct Look {
    provider: Arc<CryptoProvider>,
    seen: Mutex<Option<Vec<u8>>>,
}

impl ServerCertVerifier for Look {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        if let Ok(mut seen) = self.seen.lock() {
            *seen = Some(end_entity.to_vec());
        }
        Err(rustls::CertificateError::ApplicationVerificationFailure.into())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Err(rustls::CertificateError::ApplicationVerificationFailure.into())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Err(rustls::CertificateError::ApplicationVerificationFailure.into())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider
            .signature_verification_algorithms
            .supported_schemes()
    }
}
