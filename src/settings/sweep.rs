//! The settings of several evaluations.

use std::collections::HashSet;
use std::path::PathBuf;

use clap::Parser;

use super::evaluate::Evaluate;
use super::parts::{Opened, check_no_input};
use crate::cli::{Cli, EvaluateArgs, OutputArgs, SweepArgs};
use crate::error::{Error, Warning};
use crate::hub;
use crate::sweep_file;

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
    /// The evaluations of several checkpoints with the same flags.
    pub(super) fn of_checkpoints(
        args: &EvaluateArgs,
        checkpoints: &[PathBuf],
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
        let run = |checkpoint: &PathBuf| Evaluate::new(args.clone(), checkpoint, &mut opened);
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
        for flags in sweep_file::read(&args.file)? {
            let line = std::iter::once("uta-eval").chain(flags.iter().map(String::as_str));
            let run = Cli::try_parse_from(line).map_err(|e| {
                let text = e.to_string();
                let reason = text.lines().next().unwrap_or_default();
                let reason = reason.trim_start_matches("error: ");
                Error::usage(
                    format!("{}: {}: {reason}", args.file.display(), flags.join(" ")),
                    "its keys are the flags of the main command; see uta-eval --help",
                )
            })?;
            let run = run.evaluate;
            for checkpoint in checkpoints(&run.ckpt_path)? {
                runs.push(Evaluate::new(run.clone(), &checkpoint, &mut opened)?);
            }
        }
        Self::new(runs, args.out, args.resume, args.trace)
    }

    fn new(
        mut runs: Vec<Evaluate>,
        out: Option<PathBuf>,
        journal: Option<PathBuf>,
        trace: Option<PathBuf>,
    ) -> Result<Self, Error> {
        if let Some(trace) = &trace {
            let pictures = runs.iter().map(|run| &run.pictures.path);
            let checkpoints = runs.iter().map(|run| &run.model.checkpoint);
            let inputs: Vec<&PathBuf> = pictures.chain(checkpoints).chain(&journal).collect();
            check_no_input(trace, "--trace", &inputs)?;
        }
        let mut names = HashSet::new();
        for run in &mut runs {
            let checkpoint = run.model.checkpoint.display();
            let precision = run.run.devices.first().precision();
            let model = &run.model.variant.name;
            run.name = format!("{model} {checkpoint} {precision} {}", run.stream());
            if !names.insert(run.name.clone()) {
                return Err(Error::usage(
                    format!("the sweep evaluates {checkpoint} twice in the same way"),
                    "name each checkpoint once",
                ));
            }
        }
        Ok(Self {
            runs,
            out,
            journal,
            trace,
        })
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

/// The files that paths and patterns name.
pub(super) fn checkpoints(paths: &[PathBuf]) -> Result<Vec<PathBuf>, Error> {
    let mut files = Vec::new();
    for path in paths {
        let pattern = path
            .to_str()
            .filter(|text| text.contains(['*', '?', '[']) && !text.starts_with(hub::SCHEME));
        let Some(pattern) = pattern.filter(|_| !path.exists()) else {
            files.push(path.clone());
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
            files.push(file.map_err(|e| unfit(e.to_string()))?);
        }
        if files.len() == before {
            return Err(unfit("no file fits the pattern".into()));
        }
    }
    Ok(files)
}
