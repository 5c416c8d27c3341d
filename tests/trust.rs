//! The Hub's variables and certificates, as its Python tools treat them.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use crate::hub::{Fault, Server};
use crate::support::{Folder, Ran, fixture};

/// All variables that these tests are about; those of the machine must not count.
const VARIABLES: [&str; 16] = [
    "HF_HOME",
    "HF_HUB_CACHE",
    "HUGGINGFACE_HUB_CACHE",
    "XDG_CACHE_HOME",
    "HF_TOKEN",
    "HF_TOKEN_PATH",
    "HUGGING_FACE_HUB_TOKEN",
    "HF_HUB_DISABLE_IMPLICIT_TOKEN",
    "HF_HUB_OFFLINE",
    "TRANSFORMERS_OFFLINE",
    "REQUESTS_CA_BUNDLE",
    "CURL_CA_BUNDLE",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "HTTPS_PROXY",
    "https_proxy",
];

const FILE: &str = "hf://someone/UTA/weights/uta.safetensors";

/// Inspects a file of the Hub, in an environment that is known.
fn inspect(home: &Folder, endpoint: &str, variables: &[(&str, &str)]) -> Ran {
    let mut command = Command::new(env!("CARGO_BIN_EXE_uta-eval"));
    command.args(["inspect", FILE]);
    for variable in VARIABLES {
        command.env_remove(variable);
    }
    command.env("HOME", home.path());
    command.env("HF_ENDPOINT", endpoint);
    command.envs(variables.iter().copied());
    Ran::of(command)
}

/// A server without files, which keeps the token of the last request.
struct Listener {
    endpoint: String,
    token: Arc<Mutex<Option<String>>>,
    connections: Arc<AtomicUsize>,
}

/// Serves, in the way that `shake` makes of a connection.
fn listen<S: Read + Write>(
    scheme: &str,
    shake: impl Fn(TcpStream) -> S + Send + 'static,
) -> Listener {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("{scheme}://{}", listener.local_addr().unwrap());
    let token = Arc::new(Mutex::new(None));
    let connections = Arc::new(AtomicUsize::new(0));
    let (seen, counted) = (Arc::clone(&token), Arc::clone(&connections));
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            counted.fetch_add(1, Ordering::SeqCst);
            let mut stream = BufReader::new(shake(stream.unwrap()));
            let mut found = None;
            let mut line = String::new();
            // A client that hangs up is no fault of the server.
            while stream.read_line(&mut line).is_ok_and(|read| read > 2) {
                if let Some(value) = line.to_lowercase().strip_prefix("authorization: bearer ") {
                    found = Some(value.trim_end().to_string());
                }
                line.clear();
            }
            if line == "\r\n" {
                *seen.lock().unwrap() = found;
            }
            let answer = b"HTTP/1.1 404 No\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
            let _ = stream.get_mut().write_all(answer);
            let _ = stream.get_mut().flush();
        }
    });
    Listener {
        endpoint,
        token,
        connections,
    }
}

/// The token that is sent in an environment.
fn sent(home: &Folder, variables: &[(&str, &str)]) -> Option<String> {
    let server = listen("http", |stream| stream);
    inspect(home, &server.endpoint, variables)
        .ended_with(4)
        .said(&["does not exist"]);
    let token = server.token.lock().unwrap();
    token.clone()
}

#[test]
fn the_token_is_the_one_that_the_python_tools_would_send() {
    let home = Folder::new();
    assert_eq!(sent(&home, &[]), None);
    home.write(".cache/huggingface/token", "hf_home\n");
    home.write("other/token", " hf_other\r\n");
    home.write("mine", "hf_mine");
    home.write("xdg/huggingface/token", "hf_xdg");
    let other = home.join("other");
    let other = other.to_str().unwrap();
    let xdg = home.join("xdg");
    let xdg = xdg.to_str().unwrap();
    for (variables, expected) in [
        (&[][..], Some("hf_home")),
        (&[("HF_TOKEN", "hf_set")], Some("hf_set")),
        (&[("HF_TOKEN", " hf_set \n")], Some("hf_set")),
        // An empty one is none.
        (&[("HF_TOKEN", "")], Some("hf_home")),
        (&[("HF_TOKEN", " \n")], Some("hf_home")),
        (&[("HUGGING_FACE_HUB_TOKEN", "hf_old")], Some("hf_old")),
        (
            &[("HF_TOKEN", "hf_set"), ("HUGGING_FACE_HUB_TOKEN", "hf_old")],
            Some("hf_set"),
        ),
        (&[("HF_HOME", other)], Some("hf_other")),
        (&[("HF_HOME", "~/other")], Some("hf_other")),
        (&[("HF_HOME", "$HOME/other")], Some("hf_other")),
        (&[("HF_HOME", "${HOME}/other")], Some("hf_other")),
        (&[("XDG_CACHE_HOME", xdg)], Some("hf_xdg")),
        (&[("HF_TOKEN_PATH", "~/mine")], Some("hf_mine")),
        // The cache's place says nothing about the token's.
        (&[("HF_HUB_CACHE", other)], Some("hf_home")),
        (
            &[
                ("HF_TOKEN", "hf_set"),
                ("HF_HUB_DISABLE_IMPLICIT_TOKEN", "1"),
            ],
            None,
        ),
    ] {
        let token = sent(&home, variables);
        assert_eq!(token.as_deref(), expected, "{variables:?}");
    }
}

#[test]
fn files_are_kept_where_the_python_tools_look_for_them() {
    for (variables, place) in [
        (&[][..], ".cache/huggingface/hub"),
        (&[("XDG_CACHE_HOME", "~/xdg")], "xdg/huggingface/hub"),
        (&[("HF_HOME", "$HOME/hf")], "hf/hub"),
        (&[("HUGGINGFACE_HUB_CACHE", "~/old")], "old"),
        (
            &[
                ("HUGGINGFACE_HUB_CACHE", "~/old"),
                ("HF_HUB_CACHE", "~/new"),
            ],
            "new",
        ),
    ] {
        let (home, server) = (Folder::new(), Server::new(Fault::None));
        inspect(&home, &server.endpoint, variables).ended_with(0);
        let place = home.join(place).join("models--someone--UTA");
        assert!(place.is_dir(), "{variables:?}");
    }
}

#[test]
fn both_variables_forbid_downloads() {
    let home = Folder::new();
    for (variables, forbidden) in [
        (&[("HF_HUB_OFFLINE", "yes")][..], true),
        (&[("TRANSFORMERS_OFFLINE", "1")], true),
        (
            &[("TRANSFORMERS_OFFLINE", "1"), ("HF_HUB_OFFLINE", "0")],
            false,
        ),
    ] {
        let server = listen("http", |stream| stream);
        let text = if forbidden {
            "forbids"
        } else {
            "does not exist"
        };
        inspect(&home, &server.endpoint, variables)
            .ended_with(4)
            .said(&[text]);
        assert_eq!(server.connections.load(Ordering::SeqCst) == 0, forbidden);
    }
}

/// A server with this certificate.
fn secure(name: &str) -> Listener {
    let certificate = CertificateDer::from_pem_file(fixture(&format!("tls/{name}.pem"))).unwrap();
    let key = PrivateKeyDer::from_pem_file(fixture(&format!("tls/{name}.key"))).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .unwrap();
    let config = Arc::new(config);
    listen("https", move |stream| {
        StreamOwned::new(ServerConnection::new(Arc::clone(&config)).unwrap(), stream)
    })
}

#[test]
fn a_certificate_of_the_named_bundle_is_accepted() {
    let home = Folder::new();
    let authority = fixture("tls/ca.pem");
    home.copy(&authority, "certificates/ours.pem");
    home.write("certificates/readme.txt", "not a certificate");
    let folder = home.join("certificates");
    let (file, folder) = (authority.to_str().unwrap(), folder.to_str().unwrap());
    let server = secure("server");
    for variables in [
        [("SSL_CERT_FILE", file)],
        [("SSL_CERT_DIR", folder)],
        [("REQUESTS_CA_BUNDLE", file)],
        [("REQUESTS_CA_BUNDLE", folder)],
        [("CURL_CA_BUNDLE", file)],
        [("CURL_CA_BUNDLE", folder)],
    ] {
        inspect(&home, &server.endpoint, &variables)
            .ended_with(4)
            .said(&["does not exist"]);
    }
}

#[test]
fn a_certificate_that_is_not_accepted_is_named_and_not_asked_for_again() {
    let home = Folder::new();
    let authority = fixture("tls/ca.pem");
    let authority = authority.to_str().unwrap();
    for (name, variables, reason) in [
        ("server", &[][..], "none of the trusted certificates"),
        (
            "other",
            &[("SSL_CERT_FILE", authority)],
            "not valid for name",
        ),
    ] {
        let server = secure(name);
        inspect(&home, &server.endpoint, variables)
            .ended_with(4)
            .said(&[
                FILE,
                "the certificate of 127.0.0.1:",
                reason,
                &format!("it is that of \"CN={name}.test\""),
                "Test Authority",
                "Intercepting Proxy",
                "SSL_CERT_FILE",
            ]);
        // Once to ask, and once to see whose it is.
        assert_eq!(server.connections.load(Ordering::SeqCst), 2);
    }
}

#[test]
fn a_bundle_that_cannot_be_used_is_named_before_anything_is_asked() {
    let home = Folder::new();
    let empty = home.write("empty.pem", "");
    let server = listen("https", |stream| stream);
    for (variable, path) in [
        ("REQUESTS_CA_BUNDLE", home.join("nowhere.pem")),
        ("CURL_CA_BUNDLE", empty.clone()),
        ("SSL_CERT_FILE", empty),
    ] {
        let path = path.to_str().unwrap();
        inspect(&home, &server.endpoint, &[(variable, path)])
            .ended_with(4)
            .said(&[variable, path, "PEM"]);
    }
    assert_eq!(server.connections.load(Ordering::SeqCst), 0);
}
