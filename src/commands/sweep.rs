//! Several evaluations: pictures are decoded once for all that want the same crops, and equal text
//! towers share one classifier.

use std::cell::RefCell;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use super::candidate::{Candidate, Pictures};
use super::pass;
use super::sinks::Records;
use crate::checkpoint::Checkpoint;
use crate::classifiers::Shelf;
use crate::error::{Error, ExitCode};
use crate::interruption;
use crate::journal::Journal;
use crate::loading;
use crate::memory;
use crate::progress::Console;
use crate::report::json;
use crate::report::output::{OutputFile, print};
use crate::report::table::{self, Figures, Row};
use crate::settings::{Evaluate, Sweep};

/// Part of the free memory that loaded towers may take; the rest is for activations and for text
/// towers.
const SHARE_FOR_TOWERS: f64 = 0.6;

/// Bytes of towers that are loaded together where the free memory is not known.
const UNKNOWN_MEMORY: u64 = 4 << 30;

/// Evaluates everything, and prints the table.
///
/// # Errors
/// When results cannot be written. A failed evaluation is a row of the table and shows in the exit
/// code.
pub fn run(sweep: &Sweep) -> Result<ExitCode, Error> {
    let mut console = Console::default();
    let journal = sweep.journal.as_deref().map(Journal::open).transpose()?;
    let mut running = Running {
        sweep,
        journal: journal.map(RefCell::new),
        shelf: Shelf::default(),
        rows: sweep.runs.iter().map(|_| None).collect(),
        skipped: false,
        decoded: 0,
    };
    for remark in sweep.remarks() {
        console.warn(remark);
    }
    let mut groups = running.groups(&mut console);
    while let Some(group) = groups.pop() {
        let rest = running.pass(group, &mut console)?;
        groups.extend(rest);
        if interruption::requested() {
            break;
        }
    }
    console.say(&format!("{} pictures were decoded", running.decoded));
    running.finish()
}

/// Creates the folder for the results; a trace may go there as well.
///
/// # Errors
/// When it cannot be created.
pub fn create_folder(sweep: &Sweep) -> Result<(), Error> {
    let Some(folder) = &sweep.out else {
        return Ok(());
    };
    std::fs::create_dir_all(folder).map_err(|source| Error::Output {
        path: folder.clone(),
        source,
    })
}

/// Evaluations that can share a pass over the pictures.
struct Group {
    pictures: Arc<Pictures>,
    /// Their numbers in the sweep, and their files.
    members: Vec<(usize, Arc<Checkpoint>)>,
}

struct Running<'a> {
    sweep: &'a Sweep,
    journal: Option<RefCell<Journal>>,
    shelf: Shelf,
    /// What has come of each evaluation so far.
    rows: Vec<Option<Row>>,
    /// Whether a picture could not be read.
    skipped: bool,
    /// Pictures that went through a loader.
    decoded: usize,
}

impl<'a> Running<'a> {
    /// Finds all that can be wrong in seconds, and what can share a pass; the last group is the
    /// first to run.
    fn groups(&mut self, console: &mut Console) -> Vec<Group> {
        let mut found: HashMap<String, Arc<Pictures>> = HashMap::new();
        let mut groups: Vec<(String, Group)> = Vec::new();
        for (number, run) in self.sweep.runs.iter().enumerate() {
            let set = run.stream();
            let mut open = || -> Result<_, Error> {
                let model = &run.model;
                let checkpoint = loading::open_for(&model.checkpoint, &model.variant)?;
                let pictures = match found.get(&set) {
                    Some(pictures) => Arc::clone(pictures),
                    None => Arc::new(Pictures::find(run, console)?),
                };
                Ok((checkpoint, pictures))
            };
            let (checkpoint, pictures) = match open() {
                Ok(opened) => opened,
                Err(error) => {
                    self.failed(number, &error, console);
                    continue;
                }
            };
            found.insert(set.clone(), Arc::clone(&pictures));
            let preprocessing = &run.model.variant.preprocessing;
            let shared = format!(
                "{set} {} {:?} {:?} {} {}",
                preprocessing.size,
                preprocessing.interpolation,
                run.run.loader,
                run.run.devices.name(),
                run.run.strict
            );
            match groups.iter_mut().find(|(key, _)| *key == shared) {
                Some((_, group)) => group.members.push((number, checkpoint)),
                None => groups.push((
                    shared,
                    Group {
                        pictures,
                        members: vec![(number, checkpoint)],
                    },
                )),
            }
        }
        groups.into_iter().rev().map(|(_, group)| group).collect()
    }

    /// Evaluates as many of a group as memory holds. Returns the others, if there are any.
    fn pass(&mut self, group: Group, console: &mut Console) -> Result<Option<Group>, Error> {
        let Group { pictures, members } = group;
        let budget = memory::available().map_or(UNKNOWN_MEMORY, |free| {
            (free as f64 * SHARE_FOR_TOWERS) as u64
        });
        let mut taken = 0;
        let mut candidates: Vec<Candidate<'a>> = Vec::new();
        let mut numbers = Vec::new();
        let mut members = members.into_iter().peekable();
        while let Some((number, _)) = members.peek() {
            let run = &self.sweep.runs[*number];
            taken += run.tower_bytes();
            if !candidates.is_empty() && taken > budget {
                break;
            }
            let Some((number, checkpoint)) = members.next() else {
                break;
            };
            match self.prepare(run, checkpoint, &pictures, console) {
                Ok(candidate) => {
                    candidates.push(candidate);
                    numbers.push(number);
                }
                Err(error) => self.failed(number, &error, console),
            }
        }
        let known = candidates.iter().map(|candidate| candidate.known.len());
        let needed = pictures.samples.len() - known.min().unwrap_or(pictures.samples.len());
        let mut records: Vec<_> = candidates.iter().map(|_| Records::default()).collect();
        let files = records.iter_mut().collect();
        let journal = self.journal.as_ref();
        let ended = pass::run(candidates, files, &pictures, journal, console)?;
        let interrupted = interruption::requested();
        if !interrupted {
            self.decoded += needed;
        }
        for (number, result) in numbers.into_iter().zip(ended) {
            match result {
                Ok(ended) if !ended.report.interrupted => {
                    self.skipped |= !ended.report.unreadable.is_empty();
                    if let Some(path) = self.json_path(number) {
                        json::write_file(OutputFile::create(&path)?, &ended.report)?;
                    }
                    self.row(number, Ok(Figures::of(&ended.report)), console);
                }
                Ok(_) | Err(Error::Interrupted) => {}
                Err(error) => self.failed(number, &error, console),
            }
        }
        self.write_tables()?;
        let members: Vec<_> = members.collect();
        Ok((!members.is_empty()).then_some(Group { pictures, members }))
    }

    fn prepare(
        &mut self,
        run: &'a Evaluate,
        checkpoint: Arc<Checkpoint>,
        pictures: &Pictures,
        console: &mut Console,
    ) -> Result<Candidate<'a>, Error> {
        let start = Instant::now();
        let mut journal = self.journal.as_ref().map(RefCell::borrow_mut);
        let (journal, shelf) = (journal.as_deref_mut(), &mut self.shelf);
        Candidate::prepare(run, start, checkpoint, pictures, journal, shelf, console)
    }

    fn failed(&mut self, number: usize, error: &Error, console: &Console) {
        self.row(number, Err(error.with_causes()), console);
    }

    /// Keeps a row, and tells it.
    fn row(&mut self, number: usize, outcome: Result<Figures, String>, console: &Console) {
        let run = &self.sweep.runs[number];
        let name = |path: &Path| {
            let name = path.file_name().unwrap_or(path.as_os_str());
            name.to_string_lossy().into_owned()
        };
        let row = Row {
            model: run.model.variant.name.clone(),
            checkpoint: name(&run.model.checkpoint),
            set: run.set_name(),
            precision: run.run.devices.first().precision().into(),
            outcome,
        };
        console.say(table::text(std::slice::from_ref(&row)).trim_end());
        self.rows[number] = Some(row);
    }

    /// The file for the result of an evaluation.
    fn json_path(&self, number: usize) -> Option<PathBuf> {
        let run = &self.sweep.runs[number];
        let stem = run.model.checkpoint.file_stem().unwrap_or_default();
        let name = format!(
            "{:03}-{}-{}.json",
            number + 1,
            run.model.variant.name,
            stem.to_string_lossy()
        );
        Some(self.sweep.out.as_ref()?.join(name))
    }

    fn sorted(&self) -> Vec<Row> {
        let mut rows: Vec<Row> = self.rows.iter().flatten().cloned().collect();
        table::sort(&mut rows);
        rows
    }

    /// Writes the tables so far; what is done survives whatever comes.
    fn write_tables(&self) -> Result<(), Error> {
        let Some(folder) = &self.sweep.out else {
            return Ok(());
        };
        let rows = self.sorted();
        for (name, text) in [
            ("table.csv", table::csv(&rows)),
            ("table.md", table::markdown(&rows)),
            ("table.tex", table::latex(&rows)),
        ] {
            let mut file = OutputFile::create(&folder.join(name))?;
            file.write(text.as_bytes())?;
            file.finish()?;
        }
        Ok(())
    }

    /// Prints the table, and says how it all went.
    fn finish(self) -> Result<ExitCode, Error> {
        self.write_tables()?;
        print(&table::text(&self.sorted()))?;
        let outcomes = || self.rows.iter().flatten().map(|row| &row.outcome);
        Ok(if self.rows.iter().any(Option::is_none) {
            ExitCode::Interrupted
        } else if outcomes().any(Result::is_err) {
            ExitCode::PartOfSweep
        } else if outcomes().flatten().any(|figures| !figures.met) {
            ExitCode::Unexpected
        } else if self.skipped {
            ExitCode::SkippedPictures
        } else {
            ExitCode::Success
        })
    }
}
