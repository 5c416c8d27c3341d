//! Several evaluations, and the table of them.

use std::path::Path;

use super::passes::{Outcomes, Passes};
use super::result_files;
use super::sweep_names::{SweepNames, TABLES};
use crate::app::console::Console;
use crate::app::error::Error;
use crate::app::exit_code::ExitCode;
use crate::app::json_output;
use crate::app::settings::Sweep;
use crate::app::stdout::show;
use crate::report::Report;
use crate::report::table::{self, Failure, Figures, Row, Table};
use crate::util::count::{count, picks};
use crate::util::output_file::{OutputError, OutputFile};
use crate::util::warning::Warning;

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
    let mut passes = Passes::new(&sweep.runs, sweep.journal.as_deref(), &console)?;
    let mut running = Running {
        sweep,
        rows: sweep_names.labels.iter().map(|_| None).collect(),
        sweep_names,
        told: 0,
        skipped: false,
        unwritten: None,
    };
    for remark in sweep.remarks() {
        console.warn(remark);
    }
    for refused in &sweep.refused {
        running.fail(refused.place, &refused.error, &console);
    }
    passes.run(&mut running, &mut console)?;
    let decoded = count(passes.decoded, "picture");
    let were = picks(passes.decoded, "was", "were");
    console.say(&format!("{decoded} {were} decoded"));
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

struct Running<'a> {
    sweep: &'a Sweep,
    /// What has come of each evaluation so far, by its place.
    rows: Vec<Option<Row>>,
    sweep_names: SweepNames,
    /// Evaluations that have been told of.
    told: usize,
    /// Whether a picture could not be read.
    skipped: bool,
    /// How a result that could not be written makes the program end.
    unwritten: Option<ExitCode>,
}

impl Outcomes for Running<'_> {
    fn ended(&mut self, number: usize, report: Report, console: &Console) {
        let place = self.sweep_names.places[number];
        // A disk that is full takes the figures not away.
        if let Err(error) = self.keep(place, &report) {
            console.error(&error.with_causes(), error.hint().as_deref());
            self.unwritten.get_or_insert(error.exit_code());
        }
        self.skipped |= !report.unreadable.is_empty();
        self.row(place, Ok(Figures::of(&report)), console);
    }

    fn unwritten(&mut self) {
        self.unwritten.get_or_insert(ExitCode::Output);
    }

    fn failed(&mut self, number: usize, error: &Error, console: &Console) {
        self.fail(self.sweep_names.places[number], error, console);
    }

    /// Keeps what is done, whatever comes. The next attempt may succeed, and the last one is not
    /// forgiven.
    fn passed(&mut self, console: &Console) {
        if let Err(error) = self.write_tables() {
            console.warn(&Warning::ResultNotWritten {
                reason: error.with_causes(),
            });
        }
    }
}

impl Running<'_> {
    /// Writes the result of an evaluation, unless it is partial.
    fn keep(&self, place: usize, report: &Report) -> Result<(), Error> {
        match &self.sweep_names.labels[place].result {
            Some(path) if !report.interrupted => {
                json_output::write_file(OutputFile::create(path)?, report)
            }
            _ => Ok(()),
        }
    }

    /// Tells all that is wrong; the table has room for the beginning.
    fn fail(&mut self, place: usize, error: &Error, console: &Console) {
        let (message, hint) = (error.with_causes(), error.hint());
        if message.contains('\n') {
            console.error(&message, hint.as_deref());
        }
        let failure = Failure::new(&message, hint.as_deref());
        self.row(place, Err(failure), console);
    }

    /// Keeps a row, and tells it.
    fn row(&mut self, place: usize, outcome: Result<Figures, Failure>, console: &Console) {
        let row = Row {
            label: self.sweep_names.labels[place].clone(),
            outcome,
        };
        self.told += 1;
        // The table itself comes once, at the end.
        let (told, all) = (self.told, self.rows.len());
        console.say(&format!("{told} of {all}: {}", table::sentence(&row)));
        self.rows[place] = Some(row);
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
        result_files::write_into(folder, TABLES.iter().zip(texts))
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
            let evaluations = count(not_begun, "evaluation");
            let were = picks(not_begun, "was", "were");
            console.say(&format!("{evaluations} {were} not begun"));
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
