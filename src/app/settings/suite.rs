//! The settings of a suite: checkpoints on the data sets of a paper's row.

use std::path::{Path, PathBuf};

use super::evaluate::{Manner, asked};
use super::judging::Judged;
use super::parts::{Opened, check_distinct, check_no_input};
use super::refused::{OfSweep, Refused};
use super::sweep::Sweep;
use crate::app::console::Console;
use crate::app::error::Error;
use crate::app::flags::{DatasetArg, EvaluateArgs, LabelsArg, OutputArgs, ProtocolArg};
use crate::app::json_output::JsonTarget;
use crate::app::suite_file::{self, SuiteEntry};
use crate::data::{Set, SuiteFolder, SuiteProblem, SuiteSet};
use crate::inference::accuracy;
use crate::inference::choice::Named;
use crate::util::escape::Shown;

/// Checkpoints on data sets.
#[derive(Debug)]
pub struct Suite {
    /// The evaluations; the place of a refused checkpoint is its row.
    pub sweep: Sweep,
    /// Where each evaluation is in the table.
    pub places: Vec<Place>,
    /// The checkpoints, in the order of rows.
    pub rows: Vec<SuiteRow>,
    /// The sets that are evaluated, in the order of columns, and where they are.
    pub sets: Vec<(SuiteSet, PathBuf)>,
    /// Sets that cannot be evaluated by what flags and small files say.
    pub failed: Vec<FailedSet>,
    /// What was found and is none of a suite's.
    pub problems: Vec<SuiteProblem>,
    /// Sets of the row that are not there.
    pub missing: Vec<SuiteSet>,
    /// As `--protocol` names it.
    pub protocol: &'static str,
    pub json: Option<JsonTarget>,
    /// The HTML page.
    pub report: Option<PathBuf>,
}

/// A checkpoint of the table.
#[derive(Debug)]
pub struct SuiteRow {
    /// The model's name, if one is chosen.
    pub model: Option<String>,
    /// The path or address.
    pub checkpoint: PathBuf,
    pub precision: &'static str,
}

/// A cell of the table.
#[derive(Debug, Clone)]
pub struct Place {
    /// The number of the checkpoint.
    pub row: usize,
    pub set: SuiteSet,
    /// Whether it was added because it costs nothing, so that it may be left out again.
    pub extra: bool,
}

/// A set that is there, and why it cannot be evaluated.
#[derive(Debug)]
pub struct FailedSet {
    pub set: SuiteSet,
    pub error: Error,
}

impl Suite {
    pub(super) fn new(args: EvaluateArgs, checkpoints: &[Option<PathBuf>]) -> Result<Self, Error> {
        check_flags(&args)?;
        let Some(root) = args.suite.clone() else {
            return Err(Error::usage(
                "a suite needs a folder",
                "see uta-eval suite --help",
            ));
        };
        let is_file = root.extension().is_some_and(|ending| ending == "toml");
        let (entries, problems, missing) = if is_file {
            let entries = suite_file::read(&root)?;
            let of_row = SuiteSet::NAMED.into_iter().filter(SuiteSet::in_average);
            let is_named = |set: &SuiteSet| entries.iter().any(|entry| entry.set == *set);
            let missing = of_row.filter(|set| !is_named(set)).collect();
            (entries, Vec::new(), missing)
        } else {
            let folder = SuiteFolder::find(&root)?;
            let missing = folder.missing();
            let entries = folder.found.into_iter().map(SuiteEntry::from).collect();
            (entries, folder.problems, missing)
        };
        if entries.is_empty() && problems.is_empty() {
            return Err(Error::usage(
                format!("{} holds no data set of a suite", root.shown()),
                "folders are known by their published names, which uta-eval guide suite lists; --imagenet-path evaluates one set",
            ));
        }
        let mut suite = Self {
            sweep: Sweep::empty(
                args.out.clone(),
                args.resume.clone(),
                args.outputs.trace.clone(),
            ),
            places: Vec::new(),
            rows: Vec::new(),
            sets: Vec::new(),
            failed: Vec::new(),
            problems,
            missing,
            protocol: crate::data::Rules::from(args.protocol).name(),
            json: args.outputs.json.clone().map(JsonTarget::new),
            report: args.outputs.report.clone(),
        };
        suite.plan(&args, &entries, checkpoints)?;
        suite.sweep = suite.sweep.checked()?;
        suite.check_outputs(&args)?;
        Ok(suite)
    }

    /// Plans the evaluations of all checkpoints on all sets, checkpoint by checkpoint.
    fn plan(
        &mut self,
        args: &EvaluateArgs,
        entries: &[SuiteEntry],
        checkpoints: &[Option<PathBuf>],
    ) -> Result<(), Error> {
        let mut judged = Vec::new();
        for entry in entries {
            let of_set = entry.flags(args);
            self.sets.push((entry.set.clone(), entry.path.clone()));
            match Judged::of(&of_set) {
                Ok(found) => judged.push((entry.set.clone(), of_set.clone(), found, false)),
                Err(error) => self.failed.push(FailedSet {
                    set: entry.set.clone(),
                    error,
                }),
            }
            let has_own = entries.iter().any(|other| other.set == SuiteSet::Real);
            if entry.set == SuiteSet::ImageNet && !has_own {
                let mut real = of_set;
                real.pictures.labels = Some(LabelsArg::Real);
                real.expect.expect = None;
                real.expect.expect_top1 = None;
                real.expect.expect_top5 = None;
                if let Ok(found) = Judged::of(&real) {
                    self.sets.push((SuiteSet::Real, entry.path.clone()));
                    judged.push((SuiteSet::Real, real, found, true));
                }
            }
        }
        self.sets.sort();
        judged.sort_by(|a, b| a.0.cmp(&b.0));
        let mut opened = Opened::default();
        let precision = opened.devices(&args.run.compute)?.first().precision();
        for (_, args, judged, _) in &judged {
            // Whatever the checkpoints are, the flags have to make sense.
            Manner::of(args.clone(), judged.clone(), &mut opened)?;
        }
        let mut expected = false;
        for (row, checkpoint) in checkpoints.iter().enumerate() {
            let named = Named::by(asked(args, checkpoint.as_deref()))?;
            let model = match named.choose(&mut Console::default()) {
                Ok(model) => model,
                Err(error) => {
                    let of_sweep = OfSweep::default();
                    let refused = Refused::new(row, &named, precision, of_sweep, error.into());
                    self.rows.push(SuiteRow {
                        model: refused.model.clone(),
                        checkpoint: refused.checkpoint.clone(),
                        precision,
                    });
                    self.sweep.refused.push(refused);
                    continue;
                }
            };
            self.rows.push(SuiteRow {
                model: Some(model.config.name.clone()),
                checkpoint: model.checkpoint.clone(),
                precision,
            });
            for (set, args, judged, extra) in &judged {
                let mut args = args.clone();
                let known = accuracy::published(&model, &judged.protocol).is_ok();
                args.expect.expect = args.expect.expect.filter(|_| known);
                expected |= args.expect.expect.is_some();
                let manner = Manner::of(args, judged.clone(), &mut opened)?;
                self.sweep.runs.push(manner.with(model.clone())?);
                self.places.push(Place {
                    row,
                    set: set.clone(),
                    extra: *extra,
                });
            }
        }
        // Nobody knows what is published of a checkpoint that is refused.
        if args.expect.expect.is_some() && !expected && self.sweep.refused.is_empty() {
            return Err(Error::usage(
                "no published accuracy is known of these checkpoints on these sets",
                "say with --pretrained which weights they are, or leave --expect out",
            ));
        }
        Ok(())
    }

    /// Refuses outputs that would replace each other or an input.
    fn check_outputs(&self, args: &EvaluateArgs) -> Result<(), Error> {
        let json = self.json.as_ref().and_then(JsonTarget::file);
        let outputs = [
            ("--json", json),
            ("--report", self.report.as_deref()),
            ("--trace", args.outputs.trace.as_deref()),
            ("--resume", args.resume.as_deref()),
        ];
        let given = outputs
            .into_iter()
            .filter_map(|(flag, path)| Some((flag, path?)));
        let given: Vec<(&str, &Path)> = given.collect();
        let sets = self.sets.iter().map(|(_, path)| path);
        let inputs: Vec<&PathBuf> = self.sweep.checkpoints().chain(sets).collect();
        for (flag, path) in &given {
            check_no_input(path, flag, &inputs)?;
        }
        check_distinct(&given)
    }
}

/// Refuses flags that are about one data set.
fn check_flags(args: &EvaluateArgs) -> Result<(), Error> {
    for (flag, given) in [
        ("--expect-top1", args.expect.expect_top1.is_some()),
        ("--expect-top5", args.expect.expect_top5.is_some()),
    ] {
        if given {
            return Err(Error::usage(
                format!("{flag} is about one data set"),
                "give it in a suite's TOML file for each set, or give --expect published",
            ));
        }
    }
    Ok(())
}

impl SuiteEntry {
    /// The flags of an evaluation on this set.
    fn flags(&self, of_all: &EvaluateArgs) -> EvaluateArgs {
        let mut args = of_all.clone();
        args.suite = None;
        args.pictures.imagenet_path = Some(self.path.clone());
        args.dataset = self.set.dataset().map(dataset);
        if self.set == SuiteSet::Real {
            args.pictures.labels = Some(LabelsArg::Real);
        }
        if self.set != SuiteSet::ObjectNet {
            args.protocol = ProtocolArg::ClipBenchmark;
        }
        // The results' own files are the suite's; each gets a name of its own.
        args.outputs = OutputArgs::default();
        args.out = None;
        args.resume = None;
        if let Some(own) = &self.own {
            own.outrank(&mut args);
        }
        // Figures are of the labels of the row's six sets.
        if !self.set.in_average() {
            args.expect.expect = None;
        }
        args
    }
}

fn dataset(set: Set) -> DatasetArg {
    match set {
        Set::ImageNet => DatasetArg::Imagenet,
        Set::V2 => DatasetArg::ImagenetV2,
        Set::A => DatasetArg::ImagenetA,
        Set::R => DatasetArg::ImagenetR,
        Set::Sketch => DatasetArg::ImagenetSketch,
        Set::ObjectNet => DatasetArg::Objectnet,
    }
}
