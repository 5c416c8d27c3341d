//! Requests to the Hub: a server that stalls, sends in circles or is busy ends in an error or in
//! another attempt, never in waiting for ever.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use ureq::http::header::{AUTHORIZATION, LOCATION, RANGE, RETRY_AFTER};
use ureq::http::{HeaderMap, Response, Uri};
use ureq::tls::TlsConfig;
use ureq::{Agent, Body};

use super::certificates;
use super::environment::{endpoint, token};

use crate::util::escape::Shown;

/// Waits between attempts after a fault that may pass. Each attempt goes on where the last ended.
const WAITS: [Duration; 3] = [
    Duration::from_millis(500),
    Duration::from_secs(2),
    Duration::from_secs(8),
];
/// A server that asks for a longer wait is not waited for.
const LONGEST_WAIT: Duration = Duration::from_secs(60);
/// Redirects that are followed; what browsers follow is twice as many.
const REDIRECTS: usize = 10;
/// How long a server may be silent, unless `HF_HUB_DOWNLOAD_TIMEOUT` says otherwise in seconds.
const SILENCE: Duration = Duration::from_secs(30);

/// What went wrong with a request.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    #[error("the server answers with status {code}")]
    Status {
        code: u16,
        /// How long it asks to wait.
        retry_after: Option<Duration>,
    },
    #[error("the request failed: {0}")]
    Request(#[from] Box<ureq::Error>),
    #[error("the certificate of {host} is not accepted: {reason}{}", shown.as_ref().map_or(String::new(), |shown| format!("; {shown}")))]
    Certificate {
        host: String,
        reason: String,
        /// Whose it is, and who issued it.
        shown: Option<String>,
    },
    #[error("{variable} names {}, which cannot be used as certificates: {reason}", path.shown())]
    Bundle {
        variable: &'static str,
        path: PathBuf,
        reason: String,
    },
    #[error("the connection broke: {0}")]
    Broken(io::Error),
    #[error("the server redirects in circles, or more than {REDIRECTS} times")]
    Redirects,
    #[error("the server redirects to {0:?}, which is no address")]
    NoAddress(String),
    #[error("the server's answer has no header {0}")]
    MissingHeader(&'static str),
    #[error("the server's header {header} is {value:?}, which cannot be a file's name")]
    NoName { header: &'static str, value: String },
    #[error("the server's answer is no list of files: {0}")]
    NoList(io::Error),
    /// Removed already.
    #[error("the download is damaged: {0}")]
    Damaged(String),
    #[error("{} cannot be written or removed: {source}", path.shown())]
    Disk { path: PathBuf, source: io::Error },
}

impl Fault {
    fn may_pass(&self) -> bool {
        match self {
            Self::Status { code, .. } => *code >= 500 || matches!(code, 408 | 416 | 429),
            Self::Request(e) => !matches!(
                **e,
                ureq::Error::BadUri(_) | ureq::Error::Http(_) | ureq::Error::Tls(_)
            ),
            Self::Broken(_) => true,
            _ => false,
        }
    }
}

/// Tries again, after a while, what failed and may pass.
pub fn patiently<T>(mut attempt: impl FnMut() -> Result<T, Fault>) -> Result<T, Fault> {
    let mut waits = WAITS.iter();
    loop {
        let fault = match attempt() {
            Ok(done) => return Ok(done),
            Err(fault) => fault,
        };
        let asked = match &fault {
            Fault::Status { retry_after, .. } => *retry_after,
            _ => None,
        };
        match waits.next() {
            Some(wait) if fault.may_pass() && asked.is_none_or(|asked| asked <= LONGEST_WAIT) => {
                std::thread::sleep(asked.unwrap_or(*wait));
            }
            _ => return Err(fault),
        }
    }
}

/// A client of the Hub.
pub struct Client {
    agent: Agent,
    pub endpoint: String,
    token: Option<String>,
}

/// An answer, and the headers of those that redirected to it.
pub struct Answer {
    pub last: Response<Body>,
    before: Vec<HeaderMap>,
}

impl Client {
    /// # Errors
    /// When the certificates that a variable names cannot be used.
    pub fn new() -> Result<Self, Fault> {
        let silence = std::env::var("HF_HUB_DOWNLOAD_TIMEOUT");
        let silence = silence.ok().and_then(|seconds| seconds.parse().ok());
        let silence = silence.filter(|seconds| *seconds > 0);
        let silence = Some(silence.map_or(SILENCE, Duration::from_secs));
        let config = Agent::config_builder()
            .timeout_resolve(silence)
            .timeout_connect(silence)
            .timeout_send_request(silence)
            .timeout_recv_response(silence)
            .timeout_per_read(silence)
            .tls_config(
                TlsConfig::builder()
                    .root_certs(certificates::trusted()?)
                    .build(),
            )
            // Followed here, where the headers on the way are seen and the token stays at home.
            .max_redirects(0)
            // An answer with an error says how long to wait.
            .http_status_as_error(false)
            .accept_encoding("identity")
            .user_agent(concat!("uta-eval/", env!("CARGO_PKG_VERSION")))
            .build();
        Ok(Self {
            agent: config.into(),
            endpoint: endpoint(),
            token: token(),
        })
    }

    /// Asks for a file, or the bytes of it that a range says, wherever the server says that it is.
    pub fn get(&self, url: &str, range: Option<&str>) -> Result<Answer, Fault> {
        let mut url = url.to_string();
        let mut before = Vec::new();
        for _ in 0..=REDIRECTS {
            let mut request = self.agent.get(&url);
            if let Some(range) = range {
                request = request.header(RANGE, range);
            }
            if let Some(token) = self.token.as_ref().filter(|_| self.is_home(&url)) {
                request = request.header(AUTHORIZATION, format!("Bearer {token}"));
            }
            let response = request.call().map_err(|error| failed(&url, error))?;
            let status = response.status();
            let headers = response.headers();
            if status.is_redirection() {
                let location = text(headers, LOCATION.as_str());
                let location = location.ok_or(Fault::MissingHeader("location"))?;
                url = resolve(&url, &location).ok_or(Fault::NoAddress(location))?;
                before.push(headers.clone());
                continue;
            }
            if !status.is_success() {
                let retry_after = text(headers, RETRY_AFTER.as_str());
                return Err(Fault::Status {
                    code: status.as_u16(),
                    retry_after: retry_after
                        .and_then(|seconds| seconds.trim().parse().ok())
                        .map(Duration::from_secs),
                });
            }
            return Ok(Answer {
                last: response,
                before,
            });
        }
        Err(Fault::Redirects)
    }

    /// Whether an address is at the Hub itself, and not where it keeps its files.
    fn is_home(&self, url: &str) -> bool {
        let origin = |url: &str| {
            let uri: Uri = url.parse().ok()?;
            Some((uri.scheme()?.clone(), uri.authority()?.clone()))
        };
        origin(url).is_some() && origin(url) == origin(&self.endpoint)
    }
}

impl Answer {
    /// A header of the first answer that has it.
    pub fn header(&self, name: &str) -> Option<String> {
        let answers = self.before.iter().chain([self.last.headers()]);
        answers.into_iter().find_map(|headers| text(headers, name))
    }
}

/// Why a request failed.
fn failed(url: &str, error: ureq::Error) -> Fault {
    let Some(reason) = certificates::refused(&error) else {
        return Fault::Request(error.into());
    };
    let host = url.parse::<Uri>().ok();
    let host = host.and_then(|uri| Some(uri.authority()?.to_string()));
    Fault::Certificate {
        host: host.unwrap_or(url.into()),
        reason,
        shown: certificates::shown(url),
    }
}

/// A header's value, if it is text.
pub fn text(headers: &HeaderMap, name: &str) -> Option<String> {
    Some(headers.get(name)?.to_str().ok()?.into())
}

/// The address that a redirect from `base` leads to.
fn resolve(base: &str, location: &str) -> Option<String> {
    if location.starts_with("http://") || location.starts_with("https://") {
        return Some(location.into());
    }
    let base: Uri = base.parse().ok()?;
    let (scheme, authority) = (base.scheme_str()?, base.authority()?);
    Some(match location.strip_prefix("//") {
        Some(rest) => format!("{scheme}://{rest}"),
        None if location.starts_with('/') => format!("{scheme}://{authority}{location}"),
        None => {
            let folder = base
                .path()
                .rsplit_once('/')
                .map_or("", |(folder, _)| folder);
            format!("{scheme}://{authority}{folder}/{location}")
        }
    })
}

#[cfg(test)]
mod tests {
    use super::resolve;

    #[test]
    fn redirects_are_resolved_against_the_address_that_they_come_from() {
        for (location, expected) in [
            ("https://cdn.x/y?z", "https://cdn.x/y?z"),
            ("//cdn.x/y", "http://cdn.x/y"),
            ("/y", "http://hub:1/y"),
            ("y", "http://hub:1/a/y"),
        ] {
            let found = resolve("http://hub:1/a/b", location);
            assert_eq!(found.as_deref(), Some(expected));
        }
        assert_eq!(resolve("no address", "y"), None);
    }
}
