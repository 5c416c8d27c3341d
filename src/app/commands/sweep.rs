//! Several evaluations: pictures are decoded once for all that want the same crops, and equal text
//! towers share one classifier.

use std::cell::RefCell;
use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use super::candidate::{Candidate, Pictures};
use super::listing::{Listing, TABLES};
use super::pass;
use super::sinks::Records;
use crate::app::console::Console;
use crate::app::error::{Error, ExitCode, Warning};
use crate::app::json_output;
use crate::app::settings::{Evaluate, Sweep};
use crate::app::stdout::show;
use crate::evaluation::journal::Journal;
use crate::inference::classifiers::Shelf;
use crate::inference::loading;
use crate::inference::weights::Weights;
use crate::report::Report;
use crate::report::table::{self, Columns, Failure, Figures, Row, Table};
use crate::util::interrupt;
use crate::util::memory;
use crate::util::output_file::{OutputError, OutputFile};

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
    let listing = Listing::of(sweep);
    if let Some(folder) = &sweep.out {
        check_folder(sweep, folder, &listing, &console)?;
    }
    let journal = sweep.journal.as_deref().map(Journal::open).transpose()?;
    let mut running = Running {
        sweep,
        journal: journal.map(RefCell::new),
        shelf: Shelf::default(),
        rows: sweep.runs.iter().map(|_| None).collect(),
        columns: Columns::of(&listing.further, listing.subjects.iter()),
        listing,
        told: false,
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
        if interrupt::requested() {
            break;
        }
    }
    console.say(&format!("{} pictures were decoded", running.decoded));
    running.finish(&console)
}

/// Finds out whether all results can be written, before any is computed.
fn check_folder(
    sweep: &Sweep,
    folder: &Path,
    listing: &Listing,
    console: &Console,
) -> Result<(), Error> {
    let files = listing.files(folder);
    sweep.check_results(&files)?;
    files.iter().try_for_each(|file| OutputFile::check(file))?;
    let stale = listing.stale(folder);
    if !stale.is_empty() {
        console.warn(&Warning::StaleResults {
            folder: folder.into(),
            files: stale,
        });
    }
    Ok(())
}

/// Creates the folder for the results; a trace may go there as well.
///
/// # Errors
/// When it cannot be created.
pub fn create_folder(sweep: &Sweep) -> Result<(), Error> {
    let Some(folder) = &sweep.out else {
        return Ok(());
    };
    std::fs::create_dir_all(folder).map_err(|source| OutputError {
        path: folder.clone(),
        source,
    })?;
    Ok(())
}

/// Evaluations that can share a pass over the pictures.
struct Group {
    pictures: Arc<Pictures>,
    /// Their numbers in the sweep, and their files.
    members: Vec<(usize, Arc<Weights>)>,
}

struct Running<'a> {
    sweep: &'a Sweep,
    journal: Option<RefCell<Journal>>,
    shelf: Shelf,
    /// What has come of each evaluation so far.
    rows: Vec<Option<Row>>,
    listing: Listing,
    /// Where cells are in the lines that tell of rows.
    columns: Columns,
    /// Whether a row has been told, and so the head above them.
    told: bool,
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
                let weights = loading::open_for(&model.checkpoint, &model.config)?;
                let pictures = match found.get(&set) {
                    Some(pictures) => Arc::clone(pictures),
                    None => Arc::new(Pictures::find(run, console)?),
                };
                Ok((weights, pictures))
            };
            let (weights, pictures) = match open() {
                Ok(opened) => opened,
                Err(error) => {
                    self.failed(number, &error, console);
                    continue;
                }
            };
            found.insert(set.clone(), Arc::clone(&pictures));
            let preprocessing = &run.model.config.preprocessing;
            let shared = format!(
                "{set} {} {:?} {:?} {:?} {} {}",
                preprocessing.size,
                preprocessing.interpolation,
                preprocessing.resize,
                run.run.loader,
                run.run.devices.name(),
                run.run.strict
            );
            match groups.iter_mut().find(|(key, _)| *key == shared) {
                Some((_, group)) => group.members.push((number, weights)),
                None => groups.push((
                    shared,
                    Group {
                        pictures,
                        members: vec![(number, weights)],
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
            let Some((number, weights)) = members.next() else {
                break;
            };
            match self.prepare(run, weights, &pictures, console) {
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
        let interrupted = interrupt::requested();
        if !interrupted {
            self.decoded += needed;
        }
        for (number, result) in numbers.into_iter().zip(ended) {
            match result {
                Ok(ended) => match self.keep(number, &ended.report) {
                    Ok(()) => self.ended(number, &ended.report, console),
                    Err(error) => self.failed(number, &error, console),
                },
                Err(Error::Interrupted) => {}
                Err(error) => self.failed(number, &error, console),
            }
        }
        // The next attempt may succeed, and the last one is not forgiven.
        if let Err(error) = self.write_tables() {
            console.warn(&Warning::ResultNotWritten {
                reason: error.with_causes(),
            });
        }
        let members: Vec<_> = members.collect();
        Ok((!members.is_empty()).then_some(Group { pictures, members }))
    }

    fn prepare(
        &mut self,
        run: &'a Evaluate,
        weights: Arc<Weights>,
        pictures: &Pictures,
        console: &mut Console,
    ) -> Result<Candidate<'a>, Error> {
        let start = Instant::now();
        let mut journal = self.journal.as_ref().map(RefCell::borrow_mut);
        let (journal, shelf) = (journal.as_deref_mut(), &mut self.shelf);
        Candidate::prepare(run, start, weights, pictures, journal, shelf, console)
    }

    /// Writes the result of an evaluation, unless it is partial.
    fn keep(&self, number: usize, report: &Report) -> Result<(), Error> {
        match &self.listing.subjects[number].result {
            Some(path) if !report.interrupted => {
                json_output::write_file(OutputFile::create(path)?, report)
            }
            _ => Ok(()),
        }
    }

    fn ended(&mut self, number: usize, report: &Report, console: &Console) {
        self.skipped |= !report.unreadable.is_empty();
        self.row(number, Ok(Figures::of(report)), console);
    }

    /// Tells all that is wrong; the table has room for the beginning.
    fn failed(&mut self, number: usize, error: &Error, console: &Console) {
        let message = error.with_causes();
        if message.contains('\n') {
            console.error(&message, error.hint().as_deref());
        }
        self.row(number, Err(Failure::of(error)), console);
    }

    /// Keeps a row, and tells it.
    fn row(&mut self, number: usize, outcome: Result<Figures, Failure>, console: &Console) {
        let row = Row {
            subject: self.listing.subjects[number].clone(),
            outcome,
        };
        if !std::mem::replace(&mut self.told, true) {
            console.say(&self.columns.head());
        }
        console.say(&self.columns.row(&row));
        self.rows[number] = Some(row);
    }

    fn table(&self) -> Table {
        let mut rows: Vec<Row> = self.rows.iter().flatten().cloned().collect();
        table::sort(&mut rows);
        Table {
            further: self.listing.further.clone(),
            rows,
        }
    }

    /// Writes the tables so far; what is done survives whatever comes.
    fn write_tables(&self) -> Result<(), Error> {
        let Some(folder) = &self.sweep.out else {
            return Ok(());
        };
        let table = self.table();
        let texts = [
            table::csv(&table),
            table::markdown(&table),
            table::latex(&table),
        ];
        for (name, text) in TABLES.iter().zip(texts) {
            let mut file = OutputFile::create(&folder.join(name))?;
            file.write(text.as_bytes())?;
            file.finish()?;
        }
        Ok(())
    }

    /// Prints the table, and says how it all went.
    fn finish(self, console: &Console) -> Result<ExitCode, Error> {
        let written = self.write_tables();
        show(&table::text(&self.table()))?;
        written?;
        let outcomes = || self.rows.iter().flatten().map(|row| &row.outcome);
        let mut missed = false;
        for row in self.rows.iter().flatten() {
            for checked in row.outcome.iter().flat_map(Figures::missed) {
                missed = true;
                console.error(&format!("{}: {checked}", row.subject.checkpoint), None);
            }
        }
        let interrupted = outcomes().flatten().any(|figures| figures.interrupted);
        let not_begun = self.rows.iter().filter(|row| row.is_none()).count();
        if not_begun > 0 {
            console.say(&format!("{not_begun} evaluations were not begun"));
        }
        Ok(if interrupted || not_begun > 0 {
            ExitCode::Interrupted
        } else if outcomes().any(Result::is_err) {
            ExitCode::PartOfSweep
        } else if missed {
            ExitCode::Unexpected
        } else if self.skipped {
            ExitCode::SkippedPictures
        } else {
            ExitCode::Success
        })
    }
}
