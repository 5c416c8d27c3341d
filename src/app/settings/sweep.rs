//! The settings of several evaluations.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

use clap::Parser;

use super::evaluate::Evaluate;
use super::parts::{Opened, check_distinct, check_no_input};
use crate::app::error::Error;
use crate::app::flags::{Cli, EvaluateArgs, OutputArgs, SweepArgs};
use crate::app::sweep_file;
use crate::checkpoint::hub;
use crate::inference::classifiers::ClassifierSource;
use crate::util::escape::{self, Shown};
use crate::util::usage::UsageError;
use crate::util::warning::Warning;

/// Several evaluations.
#[derive(Debug)]
pub struct Sweep {
    pub runs: Vec<Evaluate>,
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
        let run = |checkpoint: &Option<PathBuf>| {
            Evaluate::new(args.clone(), checkpoint.as_deref(), &mut opened)
        };
        Self::new(
            checkpoints.iter().map(run).collect::<Result<_, _>>()?,
            args.out.clone(),
            args.resume.clone(),
            trace.clone(),
        )
    }

    /// The evaluations of a sweep's file.
    pub(super) fn of_file(args: SweepArgs) -> Result<Self, Error> {
        let mut opened = Opened::default();
        let mut runs = Vec::new();
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
                let run = Evaluate::new(run.clone(), checkpoint.as_deref(), &mut opened);
                runs.push(run.map_err(located)?);
            }
        }
        Self::new(runs, args.out, args.resume, args.trace)
    }

    pub(super) fn new(
        mut runs: Vec<Evaluate>,
        out: Option<PathBuf>,
        journal: Option<PathBuf>,
        trace: Option<PathBuf>,
    ) -> Result<Self, Error> {
        for (flag, output) in [("--trace", &trace), ("--resume", &journal)] {
            if let Some(output) = output {
                let pictures = runs.iter().map(|run| &run.pictures.path);
                let checkpoints = runs.iter().map(|run| &run.model.checkpoint);
                let inputs: Vec<&PathBuf> = pictures.chain(checkpoints).collect();
                check_no_input(output, flag, &inputs)?;
            }
        }
        let given = [
            ("--trace", trace.as_deref()),
            ("--resume", journal.as_deref()),
        ];
        let given: Vec<_> = given
            .into_iter()
            .filter_map(|(flag, path)| Some((flag, path?)))
            .collect();
        check_distinct(&given)?;
        name_runs(&mut runs)?;
        Ok(Self {
            runs,
            out,
            journal,
            trace,
        })
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

/// Gives each run a name of its own, by which a journal knows it. A checkpoint is the same under
/// any path that leads to it.
fn name_runs(runs: &mut [Evaluate]) -> Result<(), Error> {
    let mut names = HashSet::new();
    let mut told: HashMap<String, PathBuf> = HashMap::new();
    for run in runs {
        let spelled = run.model.checkpoint.clone();
        let checkpoint = spelled.canonicalize().unwrap_or_else(|_| spelled.clone());
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
        if let Some(before) = told.insert(full, spelled.clone()) {
            let (spelled, before) = (spelled.shown(), before.shown());
            let same = if spelled == before {
                String::new()
            } else {
                format!(" (it is the same file as {before})")
            };
            return Err(Error::usage(
                format!("the sweep evaluates {spelled} twice in the same way{same}"),
                "name each checkpoint once",
            ));
        }
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
