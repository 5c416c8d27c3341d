//! The settings of several evaluations.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

use clap::Parser;

use super::evaluate::{Evaluate, Manner, asked};
use super::parts::{Opened, check_distinct, check_no_input};
use super::refused::{OfSweep, Refused};
use crate::app::console::Console;
use crate::app::error::Error;
use crate::app::flags::{Cli, EvaluateArgs, OutputArgs, SweepArgs};
use crate::app::sweep_file;
use crate::checkpoint::hub;
use crate::inference::choice::Named;
use crate::inference::classifiers::ClassifierSource;
use crate::util::escape::{self, Shown};
use crate::util::usage::UsageError;
use crate::util::warning::Warning;

/// Several evaluations.
#[derive(Debug)]
pub struct Sweep {
    pub runs: Vec<Evaluate>,
    /// Checkpoints without an evaluation, by their places.
    pub refused: Vec<Refused>,
    /// Folder for the results.
    pub out: Option<PathBuf>,
    pub journal: Option<PathBuf>,
    /// What each thread did, and when.
    pub trace: Option<PathBuf>,
}

impl Sweep {
    /// No evaluation yet.
    pub(super) fn empty(
        out: Option<PathBuf>,
        journal: Option<PathBuf>,
        trace: Option<PathBuf>,
    ) -> Self {
        Self {
            runs: Vec::new(),
            refused: Vec::new(),
            out,
            journal,
            trace,
        }
    }

    /// The evaluations of several checkpoints with the same flags.
    pub(super) fn of_checkpoints(
        args: &EvaluateArgs,
        checkpoints: &[Option<PathBuf>],
    ) -> Result<Self, Error> {
        let OutputArgs {
            json,
            predictions,
            report,
            save_features,
            trace,
        } = &args.outputs;
        for (flag, path) in [
            ("--json", json),
            ("--predictions", predictions),
            ("--report", report),
            ("--save-features", save_features),
        ] {
            if path.is_some() {
                return Err(Error::usage(
                    format!("{flag} is for the result of one checkpoint"),
                    "give --out DIR, which gets a JSON result for each checkpoint",
                ));
            }
        }
        let mut opened = Opened::default();
        let mut sweep = Self::empty(args.out.clone(), args.resume.clone(), trace.clone());
        for checkpoint in checkpoints {
            sweep.add(args, checkpoint.as_deref(), &mut opened)?;
        }
        sweep.checked()
    }

    /// The evaluations of a sweep's file.
    pub(super) fn of_file(args: SweepArgs) -> Result<Self, Error> {
        let mut opened = Opened::default();
        let mut sweep = Self::empty(args.out, args.resume, args.trace);
        for line in sweep_file::read(&args.file)? {
            let place = &line.place;
            let words = std::iter::once("uta-eval").chain(line.flags.iter().map(String::as_str));
            let run = Cli::try_parse_from(words).map_err(|e| {
                Error::usage(
                    format!("{place}: {}", sweep_file::as_keys(&e)),
                    "its keys are the flags of the main command; see uta-eval --help",
                )
            })?;
            let run = run.evaluate;
            let located = |error| match error {
                Error::Usage(UsageError { message, hint }) => Error::Usage(UsageError {
                    message: format!("{place}: {message}"),
                    hint,
                }),
                error => error,
            };
            for checkpoint in checkpoints(&run).map_err(located)? {
                let added = sweep.add(&run, checkpoint.as_deref(), &mut opened);
                added.map_err(located)?;
            }
        }
        sweep.checked()
    }

    /// Adds the evaluation of a checkpoint.
    ///
    /// # Errors
    /// When the flags are wrong. What is wrong with the checkpoint does not stop the others.
    fn add(
        &mut self,
        args: &EvaluateArgs,
        checkpoint: Option<&Path>,
        opened: &mut Opened,
    ) -> Result<(), Error> {
        let named = Named::by(asked(args, checkpoint))?;
        let manner = Manner::new(args.clone(), opened)?;
        match named.choose(&mut Console::default()) {
            Ok(model) => self.runs.push(manner.with(model)?),
            Err(error) => {
                let place = self.runs.len() + self.refused.len();
                let of_sweep = OfSweep::new(&manner.facts());
                let precision = manner.precision();
                let refused = Refused::new(place, &named, precision, of_sweep, error.into());
                self.refused.push(refused);
            }
        }
        Ok(())
    }

    /// The paths and addresses of all checkpoints.
    pub(super) fn checkpoints(&self) -> impl Iterator<Item = &PathBuf> {
        let refused = self.refused.iter().map(|refused| &refused.checkpoint);
        let runs = self.runs.iter().map(|run| &run.model.checkpoint);
        runs.chain(refused)
    }

    /// Gives each evaluation its name, and refuses what contradicts itself.
    pub(super) fn checked(mut self) -> Result<Self, Error> {
        for (flag, output) in [("--trace", &self.trace), ("--resume", &self.journal)] {
            if let Some(output) = output {
                let pictures = self.runs.iter().map(|run| &run.pictures.path);
                let refused = self.refused.iter().map(|r| &r.of_sweep.pictures);
                let inputs = pictures.chain(refused).chain(self.checkpoints());
                let inputs: Vec<&PathBuf> = inputs.collect();
                check_no_input(output, flag, &inputs)?;
            }
        }
        let given = [
            ("--trace", self.trace.as_deref()),
            ("--resume", self.journal.as_deref()),
        ];
        let given: Vec<_> = given
            .into_iter()
            .filter_map(|(flag, path)| Some((flag, path?)))
            .collect();
        check_distinct(&given)?;
        let mut told = Told::default();
        name_runs(&mut self.runs, &mut told)?;
        for refused in &self.refused {
            let spelled = &refused.checkpoint;
            told.once(refused.key(&real(spelled)), spelled)?;
        }
        Ok(self)
    }

    /// Refuses a journal or a trace that is one of the files with the sweep's results.
    ///
    /// # Errors
    /// When that is so.
    pub fn check_results(&self, results: &[PathBuf]) -> Result<(), Error> {
        let written = [("--trace", &self.trace), ("--resume", &self.journal)];
        for (flag, path) in written {
            let Some(path) = path.as_deref() else {
                continue;
            };
            for result in results {
                check_distinct(&[(flag, path), ("--out", result)])?;
            }
        }
        Ok(())
    }

    /// What is worth a warning about the devices, once.
    pub fn remarks(&self) -> impl Iterator<Item = &Warning> {
        let mut told = HashSet::new();
        let remarks = self
            .runs
            .iter()
            .filter_map(|run| run.run.devices.remark.as_ref());
        remarks.filter(move |remark| told.insert(remark.to_string()))
    }
}

/// The evaluations so far, each with the checkpoint as it was spelled.
#[derive(Default)]
struct Told(HashMap<String, PathBuf>);

impl Told {
    /// Refuses to do the same again.
    fn once(&mut self, evaluation: String, spelled: &Path) -> Result<(), Error> {
        let Some(before) = self.0.insert(evaluation, spelled.into()) else {
            return Ok(());
        };
        let (spelled, before) = (spelled.shown(), before.shown());
        let same = if spelled == before {
            String::new()
        } else {
            format!(" (it is the same file as {before})")
        };
        Err(Error::usage(
            format!("the sweep evaluates {spelled} twice in the same way{same}"),
            "name each checkpoint once",
        ))
    }
}

/// Where a path really leads.
fn real(path: &Path) -> PathBuf {
    path.canonicalize().unwrap_or_else(|_| path.into())
}

/// Gives each run a name of its own, by which a journal knows it. A checkpoint is the same under
/// any path that leads to it.
fn name_runs(runs: &mut [Evaluate], told: &mut Told) -> Result<(), Error> {
    let mut names = HashSet::new();
    for run in runs {
        let spelled = &run.model.checkpoint;
        let checkpoint = real(spelled);
        let precision = run.run.devices.first().precision();
        let model = &run.model.config.name;
        let stream = run.stream();
        let text = |path: &Path| escape::name(path.as_os_str()).into_owned();
        let mut name = format!("{model} {} {precision} {stream}", text(&checkpoint));
        if run.prompts.all_files().next().is_some() {
            name += &format!(" templates {}", run.prompts.lists_label());
        }
        if let Some(weights) = &run.model.weights {
            name += &format!(" weights {weights}");
        }
        if let ClassifierSource::File(classifier) = &run.classifier {
            name += &format!(" classifier {}", text(classifier));
        }
        let distinctions = run.distinctions().into_iter();
        let distinctions = distinctions.map(|(name, value)| format!(" {name} {value}"));
        let full = format!("{name}{}", distinctions.collect::<String>());
        // They may be equal in what decides the result, and differ in how fast it comes.
        if !names.insert(name.clone()) {
            name = full.clone();
        }
        told.once(full, spelled)?;
        run.name = name;
    }
    Ok(())
}

/// The files that paths and patterns name; none where `--pretrained` alone names the weights.
pub(super) fn checkpoints(args: &EvaluateArgs) -> Result<Vec<Option<PathBuf>>, Error> {
    if args.ckpt_path.is_empty() && args.model.pretrained.is_some() {
        return Ok(vec![None]);
    }
    let mut files = Vec::new();
    for path in &args.ckpt_path {
        let pattern = path
            .to_str()
            .filter(|text| text.contains(['*', '?', '[']) && !text.starts_with(hub::SCHEME));
        let Some(pattern) = pattern.filter(|_| !path.exists()) else {
            files.push(Some(path.clone()));
            continue;
        };
        let unfit = |reason: String| {
            Error::usage(
                format!("--ckpt-path {pattern}: {reason}"),
                "* stands for any part of a name, ** for any folders",
            )
        };
        let found = glob::glob(pattern).map_err(|e| unfit(e.to_string()))?;
        let before = files.len();
        for file in found {
            files.push(Some(file.map_err(|e| unfit(e.to_string()))?));
        }
        if files.len() == before {
            return Err(unfit("no file fits the pattern".into()));
        }
    }
    Ok(files)
}
