//! A file's way from the Hub into the cache: into a partial file that later attempts go on with,
//! checked there, and only then put where the Python tools look for it.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use crate::util::hex;
use crate::util::lock::{self, Lock};
use crate::util::warning::Warning;
use hf_hub::{Cache, Repo};
use sha2::{Digest, Sha256};
use ureq::http::StatusCode;
use ureq::http::header::{CONTENT_LENGTH, CONTENT_RANGE};

use super::client::{Answer, Client, Fault, text};

/// Bytes that are read at once.
const PART: usize = 1 << 16;
/// Longer names come from nobody.
const LONGEST_NAME: usize = 128;

/// What the server says about a file before it sends it.
struct Announced {
    commit: String,
    /// Names the content; of large files it is the SHA-256.
    etag: String,
    bytes: u64,
}

impl Announced {
    fn ask(client: &Client, url: &str) -> Result<Self, Fault> {
        let answer = client.get(url, Some("bytes=0-0"))?;
        let name = |header: &'static str, value: Option<String>| {
            let value = value.ok_or(Fault::MissingHeader(header))?;
            let plain = value.trim_start_matches("W/").replace('"', "");
            if is_plain(&plain) {
                Ok(plain)
            } else {
                Err(Fault::NoName { header, value })
            }
        };
        let linked = answer.header("x-linked-etag");
        Ok(Self {
            commit: name("x-repo-commit", answer.header("x-repo-commit"))?,
            etag: name("etag", linked.or_else(|| answer.header("etag")))?,
            bytes: length(&answer).ok_or(Fault::MissingHeader("content-range"))?,
        })
    }
}

/// Length of the whole file; a server that knows no ranges sends all of it.
fn length(answer: &Answer) -> Option<u64> {
    let headers = answer.last.headers();
    match answer.last.status() {
        StatusCode::PARTIAL_CONTENT => {
            let range = text(headers, CONTENT_RANGE.as_str())?;
            range.rsplit('/').next()?.parse().ok()
        }
        _ => text(headers, CONTENT_LENGTH.as_str())?.parse().ok(),
    }
}

/// Whether a server's word may become a file's name: it must not lead anywhere.
fn is_plain(name: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    (1..=LONGEST_NAME).contains(&name.len()) && name.bytes().all(plain) && !name.starts_with('.')
}

/// Downloads a file of a repository, and gives its path in the cache.
pub fn fetch(
    client: &Client,
    cache: &Cache,
    repo: &Repo,
    file: &str,
    tell: &mut dyn FnMut(usize, usize),
) -> Result<PathBuf, Fault> {
    let url = format!(
        "{}/{}/resolve/{}/{file}",
        client.endpoint,
        repo.url(),
        repo.url_revision()
    );
    let announced = Announced::ask(client, &url)?;
    let kept = cache.repo(repo.clone());
    let blob = kept.blob_path(&announced.etag);
    let disk = |path: &Path| {
        let path = path.to_path_buf();
        move |source| Fault::Disk { path, source }
    };
    let blobs = blob.parent().unwrap_or(&blob);
    std::fs::create_dir_all(blobs).map_err(disk(blobs))?;
    // One process at a time downloads a file; the others then find it.
    let beside = |ending: &str| blobs.join(format!("{}.{ending}", announced.etag));
    let lock = beside("lock");
    let lock_file = File::create(&lock).map_err(disk(&lock))?;
    if let Lock::Missing(reason) = lock::wait(&lock_file).map_err(disk(&lock))? {
        super::tell(Warning::NoLock {
            path: lock.clone(),
            reason: reason.to_string(),
        });
    }
    if !blob.metadata().is_ok_and(|m| m.len() == announced.bytes) {
        let part = beside("part");
        download(client, &url, &announced, &part, tell)?;
        std::fs::rename(&part, &blob).map_err(disk(&blob))?;
    }
    let pointer = kept.pointer_path(&announced.commit).join(file);
    place(&blob, &pointer, file).map_err(disk(&pointer))?;
    // A commit's own name leads to it without one.
    if announced.commit != repo.revision() {
        kept.create_ref(&announced.commit).map_err(disk(&pointer))?;
    }
    Ok(pointer)
}

/// Completes the partial file. One that turns out damaged is removed, and if part of it is from an
/// earlier attempt, the whole file is asked for once more.
fn download(
    client: &Client,
    url: &str,
    announced: &Announced,
    part: &Path,
    tell: &mut dyn FnMut(usize, usize),
) -> Result<(), Fault> {
    loop {
        let start = part.metadata().map_or(0, |m| m.len());
        if start < announced.bytes {
            append(client, url, announced, part, start, tell)?;
        }
        let Some(damage) = damage(part, announced) else {
            return Ok(());
        };
        std::fs::remove_file(part).map_err(|source| Fault::Disk {
            path: part.into(),
            source,
        })?;
        if start == 0 {
            return Err(Fault::Damaged(damage));
        }
    }
}

/// Appends what is missing behind `start`.
fn append(
    client: &Client,
    url: &str,
    announced: &Announced,
    part: &Path,
    start: u64,
    tell: &mut dyn FnMut(usize, usize),
) -> Result<(), Fault> {
    let answer = client.get(url, Some(&format!("bytes={start}-")))?;
    let disk = |source| Fault::Disk {
        path: part.into(),
        source,
    };
    // A server that knows no ranges begins anew.
    let goes_on = answer.last.status() == StatusCode::PARTIAL_CONTENT;
    let mut options = File::options();
    let options = options.create(true).write(true).truncate(!goes_on);
    let mut file = options.append(goes_on).open(part).map_err(disk)?;
    let mut done = if goes_on { start } else { 0 };
    // No more than one byte beyond what was announced, which is enough to see that it is too much.
    let body = answer.last.into_body().into_reader();
    let mut body = body.take((announced.bytes - done).saturating_add(1));
    let mut bytes = vec![0; PART];
    loop {
        tell(done as usize, announced.bytes as usize);
        match body.read(&mut bytes) {
            Ok(0) => return Ok(()),
            Ok(read) => {
                file.write_all(&bytes[..read]).map_err(disk)?;
                done += read as u64;
            }
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(Fault::Broken(e)),
        }
    }
}

/// How a file differs from what was announced.
fn damage(path: &Path, announced: &Announced) -> Option<String> {
    let found = path.metadata().map_or(0, |m| m.len());
    if found != announced.bytes {
        let bytes = announced.bytes;
        let found = if found > bytes {
            "more".into()
        } else {
            found.to_string()
        };
        return Some(format!("it has {found} bytes, and {bytes} were announced"));
    }
    let etag = &announced.etag;
    if etag.len() != 64 || !etag.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    let mut hasher = Sha256::new();
    let copied = File::open(path).and_then(|mut file| io::copy(&mut file, &mut hasher));
    if let Err(e) = copied {
        return Some(e.to_string());
    }
    let digest = hex::digest(hasher);
    (digest != etag.to_lowercase())
        .then(|| format!("its SHA-256 is {digest}, and {etag} was announced"))
}

/// Puts a link to the content where the commit's file is looked for.
fn place(blob: &Path, pointer: &Path, file: &str) -> io::Result<()> {
    if let Some(folder) = pointer.parent() {
        std::fs::create_dir_all(folder)?;
    }
    // One that is there leads to older or missing content.
    match std::fs::remove_file(pointer) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
        _ => {}
    }
    #[cfg(unix)]
    {
        // Up from the file's folder through `snapshots/COMMIT`, so that the cache can be moved.
        let up = "../".repeat(file.split('/').count() + 1);
        let name = blob.file_name().unwrap_or_default();
        std::os::unix::fs::symlink(Path::new(&up).join("blobs").join(name), pointer)
    }
    #[cfg(not(unix))]
    {
        let _ = file;
        std::fs::rename(blob, pointer)
    }
}
