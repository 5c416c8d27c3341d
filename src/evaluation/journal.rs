//! An append-only journal of an evaluation or a sweep, so that it can go on when it was killed.
//!
//! A line is the CRC-32 of the rest, and one entry as JSON. Each entry is appended by one write:
//! a kill leaves whole lines and at most one torn one at the end, which the next run removes. The
//! first line says that the file is a journal; nothing else is ever truncated or written to.
//! Results of pictures follow each other without gaps, so that none can be counted twice. A picture
//! that the system could not read keeps its place, and the next run tries it again.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use tracing::info_span;

use crate::evaluation::Finding;
use crate::util::brief;
use crate::util::escape::Shown;
use crate::util::lock::{self, Lock};
use crate::util::output_file::hint_for;
use crate::util::regular_file;
use crate::util::warning::Warning;

/// Version of the lines' form, and of the names and values in [`RunIdentity`]s. A test holds the form.
const VERSION: u32 = 3;

/// How often the disk is waited for. A killed process loses nothing in between, only a machine
/// without power does.
const SYNC_EVERY: Duration = Duration::from_secs(2);

/// All that decides the results of a run, as names and values that a user understands. Each is
/// given explicitly: a type that changes its fields or its `Debug` form changes none of them.
pub type RunIdentity = BTreeMap<String, String>;

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Line {
    /// The first line.
    UtaEvalJournal { version: u32 },
    /// A run starts.
    Run {
        name: String,
        #[serde(rename = "subject")]
        identity: RunIdentity,
    },
    /// Consecutive pictures of a run.
    Pictures {
        run: String,
        /// Position of the first one.
        first: usize,
        findings: Vec<Finding>,
    },
    /// Pictures, by their positions, that could not be read before by the system's fault, and were
    /// tried again.
    Again {
        run: String,
        findings: Vec<(usize, Finding)>,
    },
}

/// Why a journal cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    #[error("the journal {} cannot be read or written", path.shown())]
    Io { path: PathBuf, source: io::Error },
    #[error("{} is no journal of uta-eval", path.shown())]
    NotAJournal { path: PathBuf },
    #[error("the journal {} has version {found}; this program reads version {VERSION}", path.shown())]
    Version { path: PathBuf, found: u32 },
    #[error("the journal {} is in use by another process", path.shown())]
    InUse { path: PathBuf },
    #[error("line {line} of the journal {} is damaged", path.shown())]
    Damaged { path: PathBuf, line: usize },
    #[error(
        "the journal {} is of another evaluation: {}",
        path.shown(),
        describe(differences)
    )]
    Changed {
        path: PathBuf,
        differences: Vec<Difference>,
    },
}

/// A setting that is another one now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    pub name: String,
    pub was: String,
    pub is: String,
}

fn describe(differences: &[Difference]) -> String {
    let one = |d: &Difference| {
        let (was, is) = (brief::excerpt(&d.was), brief::excerpt(&d.is));
        format!("{} was {was} and is {is}", d.name)
    };
    differences.iter().map(one).collect::<Vec<_>>().join("; ")
}

impl JournalError {
    /// What to do next.
    pub fn hint(&self) -> String {
        match self {
            Self::Io { source, .. } => match source.kind() {
                io::ErrorKind::InvalidInput => {
                    "--resume takes a file that an earlier --resume wrote, or a new name".into()
                }
                _ => hint_for(source).into(),
            },
            Self::NotAJournal { .. } => {
                "--resume takes a file that an earlier --resume wrote, or a new name".into()
            }
            Self::Version { .. } => {
                "go on with the program that began it, or remove the file and run again".into()
            }
            Self::InUse { .. } => "wait for it, or choose another file".into(),
            Self::Damaged { .. } => "remove the file to begin anew".into(),
            Self::Changed { .. } => {
                "go on with the settings of the journal, or name a new file to begin anew".into()
            }
        }
    }
}

/// What is known of a run.
#[derive(Debug)]
struct KnownRun {
    identity: RunIdentity,
    findings: Vec<Finding>,
}

/// An open journal, locked against other processes.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    file: File,
    runs: BTreeMap<String, KnownRun>,
    synced: Instant,
    /// Whether nothing is written any more, because of an error.
    ended: bool,
    /// What the user should know of it.
    pub warning: Option<Warning>,
}

impl Journal {
    /// Opens a journal, or begins one.
    ///
    /// # Errors
    /// When the file cannot be used, is something else, or is damaged before its end.
    pub fn open(path: &Path) -> Result<Self, JournalError> {
        let io = |source| JournalError::Io {
            path: path.into(),
            source,
        };
        // A device or a pipe has no end to read to.
        if let Ok(there) = std::fs::metadata(path) {
            regular_file::refuse_others(&there).map_err(io)?;
        }
        let mut options = File::options();
        let options = options.read(true).write(true).create(true).truncate(false);
        let mut file = options.open(path).map_err(io)?;
        let warning = match lock::attempt(&file).map_err(io)? {
            Lock::Held => None,
            Lock::InUse => return Err(JournalError::InUse { path: path.into() }),
            Lock::Missing(e) => Some(Warning::NoLock {
                path: path.into(),
                reason: e.to_string(),
            }),
        };
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).map_err(io)?;
        let mut journal = Self {
            path: path.into(),
            file,
            runs: BTreeMap::new(),
            synced: Instant::now(),
            ended: false,
            warning,
        };
        let sound = journal.read(&bytes)?;
        journal.file.set_len(sound as u64).map_err(io)?;
        journal.file.seek(SeekFrom::End(0)).map_err(io)?;
        if sound == 0 {
            journal.write(&Line::UtaEvalJournal { version: VERSION })?;
        }
        Ok(journal)
    }

    /// Begins a run or goes on with it: what has been found so far, picture by picture.
    ///
    /// # Errors
    /// When the run was begun with other settings.
    pub fn begin(
        &mut self,
        name: &str,
        identity: RunIdentity,
    ) -> Result<Vec<Finding>, JournalError> {
        let Some(run) = self.runs.get(name) else {
            self.write(&Line::Run {
                name: name.into(),
                identity: identity.clone(),
            })?;
            let findings = Vec::new();
            self.runs
                .insert(name.into(), KnownRun { identity, findings });
            return Ok(Vec::new());
        };
        let differences = differences(&run.identity, &identity);
        if differences.is_empty() {
            Ok(run.findings.clone())
        } else {
            Err(JournalError::Changed {
                path: self.path.clone(),
                differences,
            })
        }
    }

    /// Appends what was found in pictures of a run, beginning with number `first`.
    ///
    /// # Errors
    /// When the disk is full or gone.
    pub fn append(
        &mut self,
        run: &str,
        first: usize,
        findings: &[Finding],
    ) -> Result<(), JournalError> {
        let _span = info_span!("append to the journal").entered();
        self.write(&Line::Pictures {
            run: run.into(),
            first,
            findings: findings.into(),
        })?;
        if self.synced.elapsed() > SYNC_EVERY {
            self.file.sync_data().map_err(|e| self.failed(e))?;
            self.synced = Instant::now();
        }
        Ok(())
    }

    /// Appends what was found in pictures that were tried again, by their numbers.
    ///
    /// # Errors
    /// When the disk is full or gone.
    pub fn amend(&mut self, run: &str, findings: &[(usize, Finding)]) -> Result<(), JournalError> {
        self.write(&Line::Again {
            run: run.into(),
            findings: findings.into(),
        })
    }

    fn failed(&self, source: io::Error) -> JournalError {
        JournalError::Io {
            path: self.path.clone(),
            source,
        }
    }

    /// Appends a line. After an error there may be half a line, so that nothing follows it.
    fn write(&mut self, entry: &Line) -> Result<(), JournalError> {
        if self.ended {
            return Ok(());
        }
        let line = line(entry).map_err(|e| self.failed(e))?;
        let written = self.file.write_all(&line);
        self.ended = written.is_err();
        written.map_err(|e| self.failed(e))
    }

    /// Takes in the entries. Returns how many bytes are sound; what follows is a torn line.
    fn read(&mut self, bytes: &[u8]) -> Result<usize, JournalError> {
        let path = || self.path.clone();
        let header =
            line(&Line::UtaEvalJournal { version: VERSION }).map_err(|e| self.failed(e))?;
        if bytes.len() < header.len() && header.starts_with(bytes) {
            return Ok(0); // empty, or killed while the first line was written
        }
        let mut sound = 0;
        let mut torn = None;
        for (index, line) in bytes.split_inclusive(|b| *b == b'\n').enumerate() {
            let entry = parse(line);
            if let (Some(_), Some(line)) = (&entry, torn) {
                return Err(JournalError::Damaged { path: path(), line });
            }
            match (index, entry) {
                (0, Some(Line::UtaEvalJournal { version: VERSION })) => {}
                (0, Some(Line::UtaEvalJournal { version })) => {
                    return Err(JournalError::Version {
                        path: path(),
                        found: version,
                    });
                }
                (0, _) => return Err(JournalError::NotAJournal { path: path() }),
                (_, None) => {
                    torn.get_or_insert(index + 1);
                    continue;
                }
                (_, Some(entry)) => {
                    if !admit(&mut self.runs, entry) {
                        return Err(JournalError::Damaged {
                            path: path(),
                            line: index + 1,
                        });
                    }
                }
            }
            sound += line.len();
        }
        Ok(sound)
    }
}

/// Takes in an entry, unless it does not follow from those before.
fn admit(runs: &mut BTreeMap<String, KnownRun>, entry: Line) -> bool {
    match entry {
        Line::UtaEvalJournal { .. } => false,
        Line::Run { name, identity } => {
            let findings = Vec::new();
            runs.insert(name, KnownRun { identity, findings }).is_none()
        }
        Line::Pictures {
            run,
            first,
            mut findings,
        } => match runs.get_mut(&run) {
            Some(run) if run.findings.len() == first => {
                run.findings.append(&mut findings);
                true
            }
            _ => false,
        },
        Line::Again { run, findings } => match runs.get_mut(&run) {
            Some(run) => findings.into_iter().all(|(number, finding)| {
                let known = run.findings.get_mut(number);
                match known.filter(|known| known.is_passing()) {
                    Some(known) => {
                        *known = finding;
                        true
                    }
                    None => false,
                }
            }),
            None => false,
        },
    }
}

fn differences(was: &RunIdentity, is: &RunIdentity) -> Vec<Difference> {
    let names: std::collections::BTreeSet<&String> = was.keys().chain(is.keys()).collect();
    let value =
        |identity: &RunIdentity, name| identity.get(name).map_or("absent".into(), String::clone);
    names
        .into_iter()
        .filter(|name| was.get(*name) != is.get(*name))
        .map(|name| Difference {
            name: name.clone(),
            was: value(was, name),
            is: value(is, name),
        })
        .collect()
}

fn line(entry: &Line) -> io::Result<Vec<u8>> {
    let json = serde_json::to_string(entry)?;
    Ok(format!("{:08x} {json}\n", crc32fast::hash(json.as_bytes())).into_bytes())
}

/// The entry of a line; `None` when it is torn or damaged.
fn parse(line: &[u8]) -> Option<Line> {
    let line = line.strip_suffix(b"\n")?;
    let (sum, json) = (line.get(..8)?, line.get(9..)?);
    let sum = u32::from_str_radix(std::str::from_utf8(sum).ok()?, 16).ok()?;
    (line[8] == b' ' && crc32fast::hash(json) == sum)
        .then(|| serde_json::from_slice(json).ok())
        .flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::Prediction;

    fn identity(limit: &str) -> RunIdentity {
        [("limit".to_string(), limit.to_string())].into()
    }

    fn findings() -> Vec<Finding> {
        let logits = vec![0.1 + 0.2, f32::MIN_POSITIVE, -16_777_217.0, 1.0 / 3.0];
        vec![
            Finding::Predicted(Prediction {
                classes: vec![3, 1, 4, 1],
                logits,
                confidence: 314_159,
            }),
            Finding::Unreadable("the file is empty".into()),
        ]
    }

    /// A change of this text is a change of the form: it asks for another version.
    #[test]
    fn version_3_has_this_form() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal");
        let mut journal = Journal::open(&path).unwrap();
        journal.begin("a", identity("5")).unwrap();
        let mut found = findings();
        found.push(Finding::Unavailable("gone".into()));
        journal.append("a", 0, &found).unwrap();
        let again = Finding::Unreadable("the file is empty".into());
        journal.amend("a", &[(2, again.clone())]).unwrap();
        let lines = std::fs::read_to_string(&path).unwrap();
        let lines: Vec<&str> = lines.lines().map(|line| &line[9..]).collect();
        let expected = [
            r#"{"uta_eval_journal":{"version":3}}"#,
            r#"{"run":{"name":"a","subject":{"limit":"5"}}}"#,
            r#"{"pictures":{"run":"a","first":0,"findings":[{"predicted":{"classes":[3,1,4,1],"logits":[0.3,1.1754944e-38,-16777216.0,0.33333334],"confidence":314159}},{"unreadable":"the file is empty"},{"unavailable":"gone"}]}}"#,
            r#"{"again":{"run":"a","findings":[[2,{"unreadable":"the file is empty"}]]}}"#,
        ];
        assert_eq!(lines, expected);
        drop(journal);
        let mut journal = Journal::open(&path).unwrap();
        found[2] = again;
        assert_eq!(journal.begin("a", identity("5")).unwrap(), found);
    }

    /// The bytes of a journal with two batches.
    fn journal(path: &Path) -> Vec<u8> {
        let mut journal = Journal::open(path).unwrap();
        assert!(journal.begin("a", identity("5")).unwrap().is_empty());
        journal.append("a", 0, &findings()).unwrap();
        journal.append("a", 2, &findings()).unwrap();
        std::fs::read(path).unwrap()
    }

    #[test]
    fn cut_anywhere_it_goes_on_with_the_batches_that_are_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal");
        let bytes = journal(&path);
        let ends: Vec<usize> = (0..bytes.len()).filter(|i| bytes[*i] == b'\n').collect();
        for cut in 0..=bytes.len() {
            std::fs::write(&path, &bytes[..cut]).unwrap();
            let mut journal = Journal::open(&path).unwrap();
            let found = journal.begin("a", identity("5")).unwrap();
            let batches = ends.iter().skip(2).filter(|end| **end < cut).count();
            let expected: Vec<Finding> = (0..batches).flat_map(|_| findings()).collect();
            assert_eq!(found, expected, "cut at {cut}");
            journal.append("a", found.len(), &findings()).unwrap();
            drop(journal);
            let mut journal = Journal::open(&path).unwrap();
            assert_eq!(
                journal.begin("a", identity("5")).unwrap().len(),
                found.len() + 2
            );
        }
    }

    #[test]
    fn a_flipped_bit_is_never_believed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal");
        let bytes = journal(&path);
        let last = bytes[..bytes.len() - 1]
            .iter()
            .rposition(|b| *b == b'\n')
            .unwrap();
        for at in 0..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[at] ^= 4;
            std::fs::write(&path, &damaged).unwrap();
            match Journal::open(&path) {
                // The last line counts as torn.
                Ok(mut journal) => {
                    assert!(at >= last, "byte {at}");
                    assert!(journal.begin("a", identity("5")).unwrap().len() <= 2);
                }
                Err(_) => assert_eq!(std::fs::read(&path).unwrap(), damaged),
            }
        }
    }

    #[test]
    fn a_line_that_comes_twice_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal");
        let bytes = journal(&path);
        let last = bytes[..bytes.len() - 1]
            .iter()
            .rposition(|b| *b == b'\n')
            .unwrap();
        let twice = [&bytes[..], &bytes[last + 1..]].concat();
        std::fs::write(&path, twice).unwrap();
        let error = Journal::open(&path).unwrap_err();
        assert!(
            matches!(error, JournalError::Damaged { line: 5, .. }),
            "{error}"
        );
    }

    #[test]
    fn another_file_is_left_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("weights");
        for bytes in [&b"weights"[..], b"\n", b"{}\n", &[0; 100]] {
            std::fs::write(&path, bytes).unwrap();
            let error = Journal::open(&path).unwrap_err();
            assert!(matches!(error, JournalError::NotAJournal { .. }), "{error}");
            assert_eq!(std::fs::read(&path).unwrap(), bytes);
        }
    }

    #[test]
    fn a_changed_setting_is_named_and_two_processes_do_not_write_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal");
        journal(&path);
        let mut journal = Journal::open(&path).unwrap();
        let error = journal.begin("a", identity("6")).unwrap_err().to_string();
        assert!(error.ends_with("limit was 5 and is 6"), "{error}");
        let error = Journal::open(&path).unwrap_err();
        assert!(matches!(error, JournalError::InUse { .. }), "{error}");
    }
}
