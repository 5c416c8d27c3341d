use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use sha2::{Digest, Sha256};

use crate::support::{Folder, Ran, demo, fixture, run_with};

/// How the server misbehaves.
#[derive(Clone, Copy, PartialEq)]
pub enum Fault {
    None,
    /// The first answer with the file ends in the middle.
    Cut,
    /// Every answer with the file is shorter than what was announced, and says so.
    Short,
    /// A byte differs.
    Changed,
    /// Every answer is this status.
    Status(u16),
    /// The first answers are "too many requests", to be repeated after a second.
    Busy,
    /// As this, but to be repeated after a day.
    BusyForADay,
    /// The first answer with the file stops in the middle, and the connection stays.
    Stalled,
    /// Every answer redirects to itself.
    Circle,
    /// A header has this value.
    Header(&'static str, &'static str),
    /// A header is missing.
    Without(&'static str),
    /// Ranges mean nothing to it.
    NoRanges,
}

pub struct Server {
    pub endpoint: String,
    requests: Arc<AtomicUsize>,
    /// Where the last answer began.
    begun: Arc<AtomicUsize>,
    /// The last request's first line.
    asked_for: Arc<Mutex<String>>,
}

impl Server {
    pub fn new(fault: Fault) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let requests = Arc::new(AtomicUsize::new(0));
        let begun = Arc::new(AtomicUsize::new(0));
        let (counted, begins) = (requests.clone(), begun.clone());
        let asked_for = Arc::new(Mutex::new(String::new()));
        let line = asked_for.clone();
        std::thread::spawn(move || {
            let file = std::fs::read(demo("uta_demo.safetensors")).unwrap();
            let mut cut = false;
            for stream in listener.incoming() {
                counted.fetch_add(1, Ordering::SeqCst);
                // A client that hangs up is no fault of the server.
                let _ = answer(stream.unwrap(), &file, fault, &mut cut, &begins, &line);
            }
        });
        Self {
            endpoint,
            requests,
            begun,
            asked_for,
        }
    }

    fn asked(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }
}

fn answer(
    mut stream: TcpStream,
    file: &[u8],
    fault: Fault,
    cut: &mut bool,
    begins: &AtomicUsize,
    asked_for: &Mutex<String>,
) -> std::io::Result<()> {
    let (mut begin, mut first, mut lists) = (0, false, false);
    let (mut family, mut lists_family, mut shard) = (None, false, None);
    for line in BufReader::new(stream.try_clone()?).lines() {
        let line = line?.to_lowercase();
        if line.is_empty() {
            break;
        }
        if line.starts_with("get ") {
            *asked_for.lock().unwrap() = line.clone();
            family = family_file(&line);
            shard = shard_of(&line, file);
            lists_family = line.starts_with("get /api/models/someone/");
            lists = line.starts_with("get /api/models/jjjjh/uta/");
        }
        if let Some(range) = line.strip_prefix("range: bytes=") {
            let (from, to) = range.split_once('-').unwrap();
            begin = from.parse().unwrap();
            first = to == "0";
        }
    }
    begins.store(begin, Ordering::SeqCst);
    if let Fault::Status(code) = fault {
        return write!(
            stream,
            "HTTP/1.1 {code} No\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
        );
    }
    let busy = |after: u32| {
        format!(
            "HTTP/1.1 429 Busy\r\nretry-after: {after}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
        )
    };
    match fault {
        Fault::Busy if !std::mem::replace(cut, true) => {
            return stream.write_all(busy(1).as_bytes());
        }
        Fault::BusyForADay => return stream.write_all(busy(86_400).as_bytes()),
        Fault::Circle => {
            return write!(
                stream,
                "HTTP/1.1 302 Found\r\nlocation: /x\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
            );
        }
        _ => {}
    }
    if lists_family {
        let files = FAMILY.map(|(file, _)| format!("{{\"rfilename\":\"{file}\"}}"));
        let body = format!("{{\"sha\":\"0123\",\"siblings\":[{}]}}", files.join(","));
        let length = body.len();
        return write!(
            stream,
            "HTTP/1.1 200 OK\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
        );
    }
    let family = shard.or(family);
    let file = match family {
        None => file,
        Some(Ok(ref bytes)) => bytes,
        Some(Err(())) => {
            return write!(
                stream,
                "HTTP/1.1 404 No\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
            );
        }
    };
    if lists {
        let files = [
            "README.md",
            "checkpoints/uta_b.safetensors",
            "checkpoints/uta_l.safetensors",
        ];
        let files = files.map(|file| format!("{{\"rfilename\":\"{file}\"}}"));
        let body = format!("{{\"sha\":\"0123\",\"siblings\":[{}]}}", files.join(","));
        let length = body.len();
        return write!(
            stream,
            "HTTP/1.1 200 OK\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
        );
    }
    let digest: String = Sha256::digest(file)
        .iter()
        .map(|b| format!("{b:02x}"))
        .collect();
    let mut body = if first {
        file[..1].to_vec()
    } else {
        file[begin..].to_vec()
    };
    if !first && fault == Fault::Short {
        body.truncate(1000);
    }
    if !first && fault == Fault::Changed {
        *body.last_mut().unwrap() ^= 1;
    }
    let mut status = "206 Partial Content";
    let range = format!(
        "bytes {begin}-{}/{}",
        (begin + body.len()).max(1) - 1,
        file.len()
    );
    let mut headers = vec![
        ("content-range", range),
        ("x-repo-commit", "0123".into()),
        ("etag", format!("\"{digest}\"")),
        ("connection", "close".into()),
    ];
    match fault {
        Fault::Header(name, value) => {
            let header = headers.iter_mut().find(|header| header.0 == name).unwrap();
            header.1 = value.into();
        }
        Fault::Without(name) => headers.retain(|header| header.0 != name),
        Fault::NoRanges => {
            status = "200 OK";
            body = file.to_vec();
            headers.remove(0);
        }
        _ => {}
    }
    let headers = headers
        .iter()
        .map(|(name, value)| format!("{name}: {value}\r\n"));
    let headers: String = headers.collect();
    write!(
        stream,
        "HTTP/1.1 {status}\r\ncontent-length: {}\r\n{headers}\r\n",
        body.len()
    )?;
    if !first && fault == Fault::Stalled && !*cut {
        *cut = true;
        stream.write_all(&body[..body.len() / 2])?;
        // Kept open, and silent, while the next request is answered.
        std::thread::spawn(move || {
            std::thread::sleep(std::time::Duration::from_secs(30));
            drop(stream);
        });
        return Ok(());
    }
    if !first && fault == Fault::Cut && !*cut {
        *cut = true;
        body.truncate(body.len() / 2);
    }
    stream.write_all(&body)
}

/// A repository's files, and the fixtures that they are.
const FAMILY: [(&str, &str); 3] = [
    ("README.md", "families/openclip_custom_text.json"),
    (
        "open_clip_config.json",
        "families/openclip_custom_text.json",
    ),
    (
        "open_clip_model.safetensors",
        "families/openclip_custom_text.safetensors",
    ),
];

/// The bytes of a file of the repository `someone/CLIP`; an error if it does not have it.
fn family_file(line: &str) -> Option<Result<Vec<u8>, ()>> {
    let (_, rest) = line.split_once("/someone/clip/resolve/main/")?;
    let name = rest.split(' ').next()?;
    let found = FAMILY.iter().find(|(file, _)| *file == name);
    Some(found.map_or(Err(()), |(_, path)| {
        Ok(std::fs::read(fixture(path)).unwrap())
    }))
}

/// The bytes of a file of the repository `someone/Parts`, which has the demo's weights in two files, of which
/// one is lost where the commit is not named; an error if it does not have it.
fn shard_of(line: &str, demo: &[u8]) -> Option<Result<Vec<u8>, ()>> {
    let (_, rest) = line.split_once("/someone/parts/resolve/")?;
    let (revision, name) = rest.split(' ').next()?.split_once('/')?;
    let tensors = safetensors::SafeTensors::deserialize(demo).unwrap();
    let of = |part: usize| {
        let mut names = tensors.names();
        names.sort();
        let half = names.len() / 2;
        let names = if part == 0 {
            &names[..half]
        } else {
            &names[half..]
        };
        let tensors = names
            .iter()
            .map(|name| (*name, tensors.tensor(name).unwrap()));
        tensors.collect::<Vec<_>>()
    };
    let names = ["model-1.safetensors", "model-2.safetensors"];
    if name == "lost.safetensors.index.json" {
        return Some(Ok(br#"{"weight_map":{"a":"model-3.safetensors"}}"#.to_vec()));
    }
    Some(match names.iter().position(|known| *known == name) {
        Some(part) if revision == "0123" => Ok(safetensors::serialize(of(part), None).unwrap()),
        None if name == "model.safetensors.index.json" => {
            let entries = [0, 1].map(|part| {
                let entry = |(tensor, _)| format!("{tensor:?}:{:?}", names[part]);
                of(part)
                    .into_iter()
                    .map(entry)
                    .collect::<Vec<_>>()
                    .join(",")
            });
            Ok(format!("{{\"weight_map\":{{{}}}}}", entries.join(",")).into_bytes())
        }
        _ => Err(()),
    })
}

const ADDRESS: &str = "hf://someone/UTA/weights/uta.safetensors";

fn classify(home: &Folder, server: &Server, more: &[(&str, &str)]) -> Ran {
    let class = demo("imagenet/val")
        .read_dir()
        .unwrap()
        .next()
        .unwrap()
        .unwrap();
    let picture = class
        .path()
        .read_dir()
        .unwrap()
        .next()
        .unwrap()
        .unwrap()
        .path();
    let picture = picture.to_str().unwrap();
    let mut variables = vec![
        ("HF_HOME", home.path().to_str().unwrap()),
        ("HF_ENDPOINT", server.endpoint.as_str()),
    ];
    variables.extend(more);
    let arguments = [
        "classify",
        picture,
        "--labels",
        "a,b",
        "--model",
        "uta_demo",
        "--ckpt-path",
        ADDRESS,
    ];
    run_with(&arguments, &variables)
}

#[test]
fn a_downloaded_checkpoint_is_used_again_without_the_network() {
    let (home, server) = (Folder::new(), Server::new(Fault::None));
    let offline = [("HF_HUB_OFFLINE", "1")];
    classify(&home, &server, &offline)
        .ended_with(4)
        .said(&[ADDRESS, "HF_HUB_OFFLINE"]);
    assert_eq!(server.asked(), 0);
    let first = classify(&home, &server, &[]).ended_with(0);
    let asked = server.asked();
    assert!(asked > 0);
    let again = classify(&home, &server, &offline).ended_with(0);
    assert_eq!((again.stdout, server.asked()), (first.stdout, asked));
    assert!(
        home.join("hub/models--someone--UTA/snapshots/0123/weights/uta.safetensors")
            .exists()
    );
}

#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[test]
fn a_cache_without_locks_is_used_with_a_warning() {
    // ENOLCK, ENOSYS, EOPNOTSUPP.
    for errno in ["37", "38", "95"] {
        let (home, server) = (Folder::new(), Server::new(Fault::None));
        let faults = [crate::faults::preload(), ("FAULT_LOCK", errno)];
        classify(&home, &server, &faults).ended_with(0).warned(&[
            "warning: ",
            "cannot be locked",
            "no other process",
        ]);
    }
    let (home, server) = (Folder::new(), Server::new(Fault::None));
    let faults = [crate::faults::preload(), ("FAULT_LOCK", "5")];
    classify(&home, &server, &faults)
        .ended_with(4)
        .said(&["it cannot be locked"]);
}

#[test]
fn a_cut_download_goes_on_where_it_was() {
    let (home, server) = (Folder::new(), Server::new(Fault::Cut));
    classify(&home, &server, &[]).ended_with(0);
    assert!(server.begun.load(Ordering::SeqCst) > 0);
}

#[test]
fn a_download_of_the_wrong_length_or_content_is_removed() {
    for (fault, text) in [
        (Fault::Short, "were announced"),
        (Fault::Changed, "SHA-256"),
    ] {
        let (home, server) = (Folder::new(), Server::new(fault));
        classify(&home, &server, &[])
            .ended_with(4)
            .said(&["is damaged", text, "hint: "]);
        let blobs = home.join("hub/models--someone--UTA/blobs");
        let files = blobs
            .read_dir()
            .unwrap()
            .filter(|f| f.as_ref().unwrap().metadata().unwrap().len() > 0);
        assert_eq!(files.count(), 0);
    }
}

#[test]
fn refusals_say_what_to_do() {
    for (status, text) in [
        (404, "does not exist"),
        (429, "too many requests"),
        (401, "HF_TOKEN"),
    ] {
        let (home, server) = (Folder::new(), Server::new(Fault::Status(status)));
        classify(&home, &server, &[])
            .ended_with(4)
            .said(&[ADDRESS, text, "hint: "]);
    }
}

#[test]
fn a_revision_is_asked_for_and_every_command_takes_addresses() {
    let (home, server) = (Folder::new(), Server::new(Fault::None));
    let variables = [
        ("HF_HOME", home.path().to_str().unwrap()),
        ("HF_ENDPOINT", server.endpoint.as_str()),
    ];
    let address = "hf://someone/UTA@v1.0/weights/uta.safetensors";
    run_with(&["inspect", address, "--model", "uta_demo"], &variables).ended_with(0);
    let line = server.asked_for.lock().unwrap().clone();
    assert!(
        line.contains("/someone/uta/resolve/v1.0/weights/uta.safetensors"),
        "{line}"
    );

    let converted = home.join("converted.safetensors");
    run_with(
        &["convert", address, converted.to_str().unwrap()],
        &variables,
    )
    .ended_with(0);
    assert!(converted.exists());
}

#[test]
fn addresses_that_name_no_file_are_refused_without_asking() {
    let (home, server) = (Folder::new(), Server::new(Fault::None));
    let variables = [
        ("HF_HOME", home.path().to_str().unwrap()),
        ("HF_ENDPOINT", server.endpoint.as_str()),
    ];
    for address in [
        "hf://",
        "hf://a/b@/c",
        "hf://a/@v/c",
        "hf://a/b/../c",
        "hf://a//c",
    ] {
        run_with(&["inspect", address], &variables)
            .ended_with(4)
            .said(&["no address of a file", "hf://jjjjh/UTA"]);
    }
    assert_eq!(server.asked(), 0);
}

#[test]
fn a_published_models_name_stands_for_its_file() {
    let (home, server) = (Folder::new(), Server::new(Fault::None));
    let variables = [
        ("HF_HOME", home.path().to_str().unwrap()),
        ("HF_ENDPOINT", server.endpoint.as_str()),
    ];
    let offline = [&variables[..], &[("HF_HUB_OFFLINE", "1")]].concat();
    run_with(&["inspect", "UTA-B"], &offline)
        .ended_with(4)
        .said(&["hf://jjjjh/UTA", "HF_HUB_OFFLINE"]);
    assert_eq!(server.asked(), 0);

    let first = run_with(&["inspect", "UTA-B"], &variables).ended_with(0);
    let line = server.asked_for.lock().unwrap().clone();
    assert!(
        line.contains("/jjjjh/uta/resolve/main/checkpoints/uta_b.safetensors"),
        "{line}"
    );
    let asked = server.asked();
    let again = run_with(&["inspect", "eva_base_p16"], &offline).ended_with(0);
    assert_eq!((again.stdout, server.asked()), (first.stdout, asked));

    run_with(&["inspect", "UTA-g-pix336"], &variables)
        .ended_with(4)
        .said(&[
            "not clear",
            "checkpoints/uta_b.safetensors",
            "checkpoints/uta_l.safetensors",
            "hint: ",
        ]);
    // A path is never asked for elsewhere.
    let asked = server.asked();
    run_with(&["inspect", "./UTA-B"], &variables).ended_with(4);
    assert_eq!(server.asked(), asked);
}

/// The folder with the contents of the repository's files.
fn blobs(home: &Folder) -> std::path::PathBuf {
    home.join("hub/models--someone--UTA/blobs")
}

#[test]
fn a_complete_or_damaged_partial_file_is_used_or_begun_anew() {
    let file = std::fs::read(demo("uta_demo.safetensors")).unwrap();
    let digest: String = Sha256::digest(&file)
        .iter()
        .map(|b| format!("{b:02x}"))
        .collect();
    let mut changed = file.clone();
    changed[1000] ^= 1;
    let longer = [&file[..], b"x"].concat();
    for (part, asks) in [(&file, 1), (&changed, 2), (&longer, 2)] {
        let (home, server) = (Folder::new(), Server::new(Fault::None));
        std::fs::create_dir_all(blobs(&home)).unwrap();
        std::fs::write(blobs(&home).join(format!("{digest}.part")), part).unwrap();
        classify(&home, &server, &[]).ended_with(0);
        assert_eq!(server.asked(), asks);
        assert!(!blobs(&home).join(format!("{digest}.part")).exists());
    }
}

#[test]
fn a_stalled_server_is_asked_again_for_the_rest() {
    let (home, server) = (Folder::new(), Server::new(Fault::Stalled));
    let clock = std::time::Instant::now();
    classify(&home, &server, &[("HF_HUB_DOWNLOAD_TIMEOUT", "1")]).ended_with(0);
    assert!(server.begun.load(Ordering::SeqCst) > 0);
    assert!(clock.elapsed().as_secs() < 25);
}

#[test]
fn redirects_in_circles_end() {
    let (home, server) = (Folder::new(), Server::new(Fault::Circle));
    classify(&home, &server, &[]).ended_with(4).said(&[
        ADDRESS,
        "redirects in circles",
        "HF_ENDPOINT",
    ]);
    assert!(server.asked() < 20);
}

#[test]
fn a_busy_server_is_asked_again_when_it_says_unless_that_is_long() {
    let (home, server) = (Folder::new(), Server::new(Fault::Busy));
    classify(&home, &server, &[]).ended_with(0);
    let (home, server) = (Folder::new(), Server::new(Fault::BusyForADay));
    classify(&home, &server, &[])
        .ended_with(4)
        .said(&["too many requests; it asks to wait 86400 s"]);
    assert_eq!(server.asked(), 1);
}

#[test]
fn a_name_of_the_server_that_leads_elsewhere_is_refused() {
    for (header, value) in [
        ("x-repo-commit", "../../../evil"),
        ("x-repo-commit", ".."),
        ("etag", "\"../../../evil\""),
        ("etag", "\"/evil\""),
        ("etag", "\"\""),
    ] {
        let (home, server) = (Folder::new(), Server::new(Fault::Header(header, value)));
        classify(&home, &server, &[]).ended_with(4).said(&[
            header,
            "cannot be a file's name",
            "hint: ",
        ]);
        assert_eq!(home.names(), [""; 0]);
    }
}

#[test]
fn an_answer_of_no_hub_says_what_it_lacks_and_what_to_check() {
    for header in ["x-repo-commit", "etag", "content-range"] {
        let (home, server) = (Folder::new(), Server::new(Fault::Without(header)));
        classify(&home, &server, &[])
            .ended_with(4)
            .said(&["no header", header, "HF_ENDPOINT"]);
    }
}

#[test]
fn a_server_without_ranges_gives_the_whole_file() {
    let (home, server) = (Folder::new(), Server::new(Fault::NoRanges));
    classify(&home, &server, &[]).ended_with(0);
}

#[test]
fn a_repositorys_address_stands_for_its_weights_and_its_description() {
    let (home, server) = (Folder::new(), Server::new(Fault::None));
    let picture = fixture("golden/photos/01_chelsea_420.jpg");
    let arguments = [
        "classify",
        picture.to_str().unwrap(),
        "--labels",
        "a cat,a dog",
        "--ckpt-path",
        "hf://someone/CLIP",
    ];
    let variables = [
        ("HF_HOME", home.path().to_str().unwrap()),
        ("HF_ENDPOINT", server.endpoint.as_str()),
    ];
    let inspected = ["inspect", "hf://someone/CLIP"];
    let first = run_with(&inspected, &variables)
        .ended_with(0)
        .printed(&["layout       open-clip-custom-text\n"]);
    let asked = server.asked();
    let offline = [&variables[..], &[("HF_HUB_OFFLINE", "1")]].concat();
    let again = run_with(&inspected, &offline).ended_with(0);
    assert_eq!((again.stdout, server.asked()), (first.stdout, asked));
    run_with(&arguments, &variables).ended_with(0);
    let snapshot = home.join("hub/models--someone--CLIP/snapshots/0123");
    assert!(snapshot.join("open_clip_config.json").exists());
    assert!(snapshot.join("open_clip_model.safetensors").exists());
    assert!(!snapshot.join("README.md").exists());
}

#[test]
fn a_tag_means_the_repository_that_is_published_for_the_model() {
    let (home, server) = (Folder::new(), Server::new(Fault::Status(404)));
    let variables = [
        ("HF_HOME", home.path().to_str().unwrap()),
        ("HF_ENDPOINT", server.endpoint.as_str()),
    ];
    let picture = fixture("golden/photos/01_chelsea_420.jpg");
    let classify = |model: &str, tag: &str| {
        let picture = picture.to_str().unwrap();
        let arguments = ["classify", picture, "--labels", "a,b"];
        let flags = ["--model", model, "--pretrained", tag];
        run_with(&[&arguments[..], &flags].concat(), &variables)
    };
    classify("ViT-H-14-quickgelu", "dfn5b")
        .ended_with(4)
        .said(&["hf://apple/DFN5B-CLIP-ViT-H-14 does not exist"]);
    assert_eq!(server.asked(), 1);
    classify("ViT-B-32", "nobody").ended_with(2).said(&[
        "no weights of ViT-B-32 have the tag nobody",
        "laion2b_s34b_b79k",
    ]);
    classify("uta_demo", "openai")
        .ended_with(2)
        .said(&["tags belong to open_clip's names"]);
    assert_eq!(server.asked(), 1);
}

#[test]
fn a_list_of_files_brings_all_of_its_commit() {
    let (home, server) = (Folder::new(), Server::new(Fault::None));
    let variables = [
        ("HF_HOME", home.path().to_str().unwrap()),
        ("HF_ENDPOINT", server.endpoint.as_str()),
    ];
    let address = "hf://someone/Parts/model.safetensors.index.json";
    let inspect = ["inspect", address, "--model", "uta_demo"];
    let first = run_with(&inspect, &variables)
        .ended_with(0)
        .printed(&["safetensors in 2 files"]);
    let asked = server.asked();
    let offline = [&variables[..], &[("HF_HUB_OFFLINE", "1")]].concat();
    let again = run_with(&inspect, &offline).ended_with(0);
    assert_eq!((again.stdout, server.asked()), (first.stdout, asked));
}

#[test]
fn a_listed_file_that_the_hub_does_not_have_is_named() {
    let (home, server) = (Folder::new(), Server::new(Fault::None));
    let variables = [
        ("HF_HOME", home.path().to_str().unwrap()),
        ("HF_ENDPOINT", server.endpoint.as_str()),
    ];
    let address = "hf://someone/Parts/lost.safetensors.index.json";
    run_with(&["inspect", address], &variables)
        .ended_with(4)
        .said(&["hf://someone/Parts@0123/model-3.safetensors does not exist"]);
}
