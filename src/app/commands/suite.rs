//! Checkpoints on the data sets of a paper's row.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use super::passes::{Outcomes, Passes};
use super::result_files;
use super::sweep_names::{distinct, file_name, stale};
use crate::app::console::Console;
use crate::app::error::Error;
use crate::app::exit_code::ExitCode;
use crate::app::json_output::{self, JsonOutput};
use crate::app::settings::{Place, Suite as Settings, SuiteRow};
use crate::data::SuiteSet;
use crate::report::Report;
use crate::report::suite::{self, Cell, Problem, Row, SetInfo, Suite};
use crate::report::table::{Failure, UNKNOWN_MODEL};
use crate::util::escape;
use crate::util::interrupt;
use crate::util::output_file::OutputFile;
use crate::util::warning::Warning;

/// Files with the table of a suite, in the folder for results.
const FILES: [&str; 5] = [
    "suite.csv",
    "suite.md",
    "suite.tex",
    "suite.html",
    "suite.json",
];

/// Evaluates everything, and prints the table.
///
/// # Errors
/// When results cannot be written. What else fails is a cell of the table and shows in the exit code.
pub fn run(settings: &Settings) -> Result<ExitCode, Error> {
    let mut console = Console::default();
    let mut running = Running::new(settings);
    if let Some(folder) = &settings.sweep.out {
        running.check_folder(folder, &console)?;
    }
    let json = settings.json.as_ref().map(JsonOutput::open).transpose()?;
    let html = settings
        .report
        .as_deref()
        .map(OutputFile::create)
        .transpose()?;
    let mut passes = Passes::new(
        &settings.sweep.runs,
        settings.sweep.journal.as_deref(),
        &console,
    )?;
    for remark in settings.sweep.remarks() {
        console.warn(remark);
    }
    running.tell_what_is_not_there(&console);
    running.tell_refused(&console);
    passes.run(&mut running, &mut console)?;
    console.say(&format!("{} pictures were decoded", passes.decoded));
    running.finish(json, html, &console)
}

struct Running<'a> {
    settings: &'a Settings,
    /// The table, whose cells have a result or a reason when they are known.
    suite: Suite,
    /// The file of each evaluation's result.
    results: Vec<Option<PathBuf>>,
    /// Evaluations that have ended or failed.
    known: HashSet<usize>,
    /// Sets that were added because they cost nothing, and cannot be evaluated.
    left_out: HashSet<SuiteSet>,
    skipped: bool,
    /// How a result that could not be written makes the program end.
    unwritten: Option<ExitCode>,
}

impl<'a> Running<'a> {
    fn new(settings: &'a Settings) -> Self {
        let rows = &settings.rows;
        let paths: Vec<&Path> = rows.iter().map(|row| row.checkpoint.as_path()).collect();
        let checkpoints: Vec<String> = paths.iter().map(|path| distinct(path, &paths)).collect();
        let row = |(row, checkpoint): (&SuiteRow, &String)| Row {
            model: row.model.as_deref().unwrap_or(UNKNOWN_MODEL).into(),
            checkpoint: checkpoint.clone(),
            path: escape::name(row.checkpoint.as_os_str()).into_owned(),
            precision: row.precision.into(),
            results: settings
                .sets
                .iter()
                .map(|(set, _)| Cell {
                    set: set.name().into(),
                    ..Cell::default()
                })
                .collect(),
            top1: suite::Summary::default(),
            top5: suite::Summary::default(),
            published_average_percent: None,
        };
        let sets = settings.sets.iter();
        let problems = settings.problems.iter().map(|problem| Problem {
            name: problem.name.clone(),
            reason: problem.reason.clone(),
        });
        let mut running = Self {
            suite: Suite {
                schema_version: suite::SUITE_VERSION,
                interrupted: false,
                program: Default::default(),
                protocol: settings.protocol.into(),
                sets: sets
                    .map(|(set, path)| SetInfo::new(set, path.as_path().into()))
                    .collect(),
                rows: rows.iter().zip(&checkpoints).map(row).collect(),
                missing: settings
                    .missing
                    .iter()
                    .map(|set| set.name().into())
                    .collect(),
                problems: problems.collect(),
            },
            results: settings
                .places
                .iter()
                .map(|place| result(settings, place, &checkpoints))
                .collect(),
            settings,
            known: HashSet::new(),
            left_out: HashSet::new(),
            skipped: false,
            unwritten: None,
        };
        for failed in &settings.failed {
            let failure = failure(&failed.error);
            for row in 0..running.suite.rows.len() {
                running.set(row, Cell::failed(failed.set.name(), failure.0.clone()));
            }
        }
        for refused in &settings.sweep.refused {
            let failure = failure(&refused.error);
            for (set, _) in &settings.sets {
                running.set(refused.place, Cell::failed(set.name(), failure.0.clone()));
            }
        }
        running
    }

    /// Finds out whether all results can be written, before any is computed.
    fn check_folder(&self, folder: &Path, console: &Console) -> Result<(), Error> {
        let tables = FILES.iter().map(|name| folder.join(name));
        let files: Vec<PathBuf> = self
            .results
            .iter()
            .flatten()
            .cloned()
            .chain(tables)
            .collect();
        self.settings.sweep.check_results(&files)?;
        files.iter().try_for_each(|file| OutputFile::check(file))?;
        let stale = stale(folder, files);
        if !stale.is_empty() {
            console.warn(&Warning::StaleResults {
                folder: folder.into(),
                files: stale,
            });
        }
        Ok(())
    }

    /// Says what is missing, and what cannot be evaluated: a line each.
    fn tell_what_is_not_there(&self, console: &Console) {
        for set in &self.settings.missing {
            console.say(&format!("{}: not there", set.name()));
        }
        for failed in &self.settings.failed {
            let message = format!("{}: {}", failed.set.name(), failed.error.with_causes());
            console.error(&message, failed.error.hint().as_deref());
        }
        for problem in &self.settings.problems {
            let message = format!("{}: {}", problem.name, problem.reason);
            console.error(&message, Some(&problem.hint));
        }
    }

    /// Says for which checkpoints no model can be chosen, and why.
    fn tell_refused(&self, console: &Console) {
        for refused in &self.settings.sweep.refused {
            let checkpoint = &self.suite.rows[refused.place].checkpoint;
            let message = format!("{checkpoint}: {}", refused.error.with_causes());
            console.error(&message, refused.error.hint().as_deref());
        }
    }

    fn set(&mut self, row: usize, cell: Cell) {
        let Some(row) = self.suite.rows.get_mut(row) else {
            return;
        };
        if let Some(place) = row.results.iter_mut().find(|known| known.set == cell.set) {
            *place = cell;
        }
    }

    /// Writes the result of an evaluation, unless it is partial.
    fn keep(&self, number: usize, report: &Report) -> Result<(), Error> {
        match &self.results[number] {
            Some(path) if !report.interrupted => {
                json_output::write_file(OutputFile::create(path)?, report)
            }
            _ => Ok(()),
        }
    }

    /// The table with averages, without sets that are not worth a column.
    fn table(&self) -> Suite {
        let mut suite = self.suite.clone();
        let left_out = |name: &str| self.left_out.iter().any(|set| set.name() == name);
        suite.sets.retain(|set| !left_out(&set.name));
        for row in &mut suite.rows {
            row.results.retain(|cell| !left_out(&cell.set));
        }
        suite.summarise();
        suite
    }

    /// Writes the tables so far into the folder.
    fn write_tables(&self) -> Result<(), Error> {
        let Some(folder) = &self.settings.sweep.out else {
            return Ok(());
        };
        let suite = self.table();
        let texts = [
            suite::csv(&suite),
            suite::markdown(&suite),
            suite::latex(&suite),
            suite::html(&suite),
            json_output::document(&suite)?,
        ];
        result_files::write_into(folder, FILES.iter().zip(texts))
    }

    /// Prints the table, and says how it all went.
    fn finish(
        mut self,
        json: Option<JsonOutput>,
        html: Option<OutputFile>,
        console: &Console,
    ) -> Result<ExitCode, Error> {
        let begun = |number: &usize| self.known.contains(number);
        let all = 0..self.settings.sweep.runs.len();
        let not_begun = all.filter(|number| !begun(number)).count();
        let partial = |cell: &Cell| {
            cell.remarks
                .iter()
                .any(|remark| remark.starts_with("PARTIAL"))
        };
        let cells = || self.suite.rows.iter().flat_map(|row| &row.results);
        self.suite.interrupted = interrupt::requested() && (not_begun > 0 || cells().any(partial));
        let suite = self.table();
        let written = self.write_tables();
        json_output::write(json, &suite)?;
        if let Some(mut file) = html {
            file.write(suite::html(&suite).as_bytes())?;
            file.finish()?;
        }
        written?;
        let mut missed = false;
        let mut failed = !self.settings.failed.is_empty() || !self.settings.problems.is_empty();
        for row in &suite.rows {
            for cell in &row.results {
                failed |= cell.failure.is_some();
                for checked in cell.expectations.iter().filter(|checked| !checked.met) {
                    missed = true;
                    console.error(
                        &format!("{}, {}: {checked}", row.checkpoint, cell.set),
                        None,
                    );
                }
            }
        }
        Ok(if suite.interrupted {
            ExitCode::Interrupted
        } else if let Some(code) = self.unwritten {
            code
        } else if failed {
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

impl Outcomes for Running<'_> {
    fn looking(&mut self, number: usize, console: &Console) {
        let path = &self.settings.sweep.runs[number].pictures.path;
        let set = self.settings.places[number].set.name();
        console.say(&format!("{set}: {}", escape::name(path.as_os_str())));
    }

    fn ended(&mut self, number: usize, report: Report, console: &Console) {
        // A disk that is full takes the figures not away.
        if let Err(error) = self.keep(number, &report) {
            console.error(&error.with_causes(), error.hint().as_deref());
            self.unwritten.get_or_insert(error.exit_code());
        }
        self.known.insert(number);
        self.skipped |= !report.unreadable.is_empty();
        let Place { row, set, .. } = &self.settings.places[number];
        let run = &self.settings.sweep.runs[number];
        let is_variant = matches!(set, SuiteSet::V2Threshold | SuiteSet::V2TopImages);
        let published = run.published.as_ref().filter(|_| !is_variant);
        let published = published.map(|published| published.top1_percent);
        let result = self.results[number].clone().filter(|_| !report.interrupted);
        let result = result.map(Into::into);
        let cell = Cell::of(set.name(), &report, published, result);
        let percent = |percent: Option<f64>| percent.map_or("–".into(), |p| format!("{p:.2} %"));
        console.say(&format!(
            "{}: {}: top-1 {}",
            self.suite.rows[*row].checkpoint,
            set.name(),
            percent(report.statistics.top1.percent)
        ));
        self.set(*row, cell);
    }

    fn unwritten(&mut self) {
        self.unwritten.get_or_insert(ExitCode::Output);
    }

    fn failed(&mut self, number: usize, error: &Error, console: &Console) {
        self.known.insert(number);
        let Place { row, set, extra } = &self.settings.places[number];
        let unlabelled = matches!(error, Error::Data(e) if e.is_without_real_labels());
        if *extra && unlabelled {
            if self.left_out.insert(set.clone()) {
                let name = set.name();
                console.say(&format!("{name}: left out: {}", error.with_causes()));
            }
            return;
        }
        let (message, hint) = (error.with_causes(), error.hint());
        let checkpoint = &self.suite.rows[*row].checkpoint;
        let message = format!("{checkpoint}: {}: {message}", set.name());
        console.error(&message, hint.as_deref());
        self.set(*row, Cell::failed(set.name(), failure(error).0));
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

/// What a cell says of an error.
fn failure(error: &Error) -> Failure {
    Failure::new(&error.with_causes(), error.hint().as_deref())
}

/// The file of an evaluation's result.
fn result(settings: &Settings, place: &Place, checkpoints: &[String]) -> Option<PathBuf> {
    let folder = settings.sweep.out.as_ref()?;
    let stem = Path::new(&checkpoints[place.row]).with_extension("");
    let (number, set) = (place.row + 1, place.set.name());
    let name = format!("{number:03}-{}-{set}", escape::name(stem.as_os_str()));
    Some(folder.join(file_name(&name)))
}
