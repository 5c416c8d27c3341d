//! Several evaluations: pictures are decoded once for all that want the same crops, and equal text
//! towers share one classifier.

use std::cell::RefCell;
use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use super::prepared::{Pictures, PreparedEvaluation};
use super::result_files::PictureRecords;
use super::shared_pass;
use super::sweep_names::{SweepNames, TABLES};
use crate::app::console::Console;
use crate::app::error::Error;
use crate::app::exit_code::ExitCode;
use crate::app::json_output;
use crate::app::settings::{Evaluate, Sweep};
use crate::app::stdout::show;
use crate::evaluation::EvaluationError;
use crate::evaluation::journal::Journal;
use crate::inference::classifiers::SharedClassifiers;
use crate::inference::loading;
use crate::inference::weights::Weights;
use crate::report::Report;
use crate::report::table::{self, Columns, Failure, Figures, Row, Table};
use crate::util::interrupt;
use crate::util::memory;
use crate::util::output_file::{OutputError, OutputFile};
use crate::util::warning::Warning;

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
    let sweep_names = SweepNames::of(sweep);
    if let Some(folder) = &sweep.out {
        check_folder(sweep, folder, &sweep_names, &console)?;
    }
    let journal = sweep.journal.as_deref().map(Journal::open).transpose()?;
    if let Some(warning) = journal
        .as_ref()
        .and_then(|journal| journal.warning.as_ref())
    {
        console.warn(warning);
    }
    let mut running = Running {
        sweep,
        journal: journal.map(RefCell::new),
        shared: SharedClassifiers::default(),
        rows: sweep.runs.iter().map(|_| None).collect(),
        columns: Columns::of(&sweep_names.further, sweep_names.labels.iter()),
        sweep_names,
        told: false,
        skipped: false,
        decoded: 0,
        unwritten: None,
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
    sweep_names: &SweepNames,
    console: &Console,
) -> Result<(), Error> {
    let files = sweep_names.files(folder);
    sweep.check_results(&files)?;
    files.iter().try_for_each(|file| OutputFile::check(file))?;
    let stale = sweep_names.stale(folder);
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
    shared: SharedClassifiers,
    /// What has come of each evaluation so far.
    rows: Vec<Option<Row>>,
    sweep_names: SweepNames,
    /// Where cells are in the lines that tell of rows.
    columns: Columns,
    /// Whether a row has been told, and so the head above them.
    told: bool,
    /// Whether a picture could not be read.
    skipped: bool,
    /// Pictures that went through a loader.
    decoded: usize,
    /// How a result that could not be written makes the program end.
    unwritten: Option<ExitCode>,
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
                let weights = loading::open_for(model.location(), &model.config, console)?;
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
        let mut evaluations: Vec<PreparedEvaluation<'a>> = Vec::new();
        let mut numbers = Vec::new();
        let mut members = members.into_iter().peekable();
        while let Some((number, _)) = members.peek() {
            let run = &self.sweep.runs[*number];
            taken += run.tower_bytes();
            if !evaluations.is_empty() && taken > budget {
                break;
            }
            let Some((number, weights)) = members.next() else {
                break;
            };
            match self.prepare(run, weights, &pictures, console) {
                Ok(prepared) => {
                    evaluations.push(prepared);
                    numbers.push(number);
                }
                Err(error) => self.failed(number, &error, console),
            }
        }
        let mut records: Vec<_> = evaluations
            .iter()
            .map(|_| PictureRecords::default())
            .collect();
        let files = records.iter_mut().collect();
        let journal = self.journal.as_ref();
        let pass = shared_pass::run(evaluations, files, &pictures, journal, console)?;
        self.decoded += pass.decoded;
        let failures = records.into_iter().flat_map(PictureRecords::into_failures);
        if failures.count() > 0 {
            self.unwritten.get_or_insert(ExitCode::Output);
        }
        for (number, result) in numbers.into_iter().zip(pass.ended) {
            match result {
                Ok(ended) => {
                    // A disk that is full takes the figures not away.
                    if let Err(error) = self.keep(number, &ended.report) {
                        console.error(&error.with_causes(), error.hint().as_deref());
                        self.unwritten.get_or_insert(error.exit_code());
                    }
                    self.ended(number, &ended.report, console);
                }
                Err(Error::Evaluation(EvaluationError::Interrupted)) => {}
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
    ) -> Result<PreparedEvaluation<'a>, Error> {
        let start = Instant::now();
        let mut journal = self.journal.as_ref().map(RefCell::borrow_mut);
        let (journal, shared) = (journal.as_deref_mut(), &mut self.shared);
        PreparedEvaluation::prepare(run, start, weights, pictures, journal, shared, console)
    }

    /// Writes the result of an evaluation, unless it is partial.
    fn keep(&self, number: usize, report: &Report) -> Result<(), Error> {
        match &self.sweep_names.labels[number].result {
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
        let (message, hint) = (error.with_causes(), error.hint());
        if message.contains('\n') {
            console.error(&message, hint.as_deref());
        }
        let failure = Failure::new(&message, hint.as_deref());
        self.row(number, Err(failure), console);
    }

    /// Keeps a row, and tells it.
    fn row(&mut self, number: usize, outcome: Result<Figures, Failure>, console: &Console) {
        let row = Row {
            label: self.sweep_names.labels[number].clone(),
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
            further: self.sweep_names.further.clone(),
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
                console.error(&format!("{}: {checked}", row.label.checkpoint), None);
            }
        }
        let interrupted = outcomes().flatten().any(|figures| figures.interrupted);
        let not_begun = self.rows.iter().filter(|row| row.is_none()).count();
        if not_begun > 0 {
            console.say(&format!("{not_begun} evaluations were not begun"));
        }
        Ok(if interrupted || not_begun > 0 {
            ExitCode::Interrupted
        } else if let Some(code) = self.unwritten {
            code
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
