//! Two results on the same pictures, and whether they differ by more than chance.

use std::collections::HashMap;
use std::fmt;
use std::path::Path;

use schemars::JsonSchema;
use serde::Serialize;

use super::Report;
use crate::metrics::interval::Pairs;
use crate::metrics::mcnemar::Form;
use crate::metrics::{Accuracy, Tally};
use crate::metrics::{Judgement, McNemar};
use crate::util::brief;
use crate::util::escape::{Lines, Shown};
use crate::util::path_text::PathText;
use crate::util::usage::UsageError;

/// Version of the JSON form. It grows when a field appears, changes its meaning or goes away.
pub const COMPARISON_VERSION: u32 = 1;

/// What the comparison says.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Comparison {
    /// Version of this form. It grows when a field appears, changes its meaning or goes away.
    #[schemars(extend("const" = COMPARISON_VERSION))]
    pub schema_version: u32,
    /// The first result.
    pub a: Side,
    /// The second result.
    pub b: Side,
    /// Whether both are one file, which says nothing of any difference.
    pub same_file: bool,
    /// Pictures that both results have, on which everything here is counted.
    #[schemars(range(min = 1))]
    pub pictures: usize,
    /// Pictures that one result has and the other has not.
    pub left_out: LeftOut,
    /// The label ranks first.
    pub top1: Difference,
    /// The label is among the first five.
    pub top5: Difference,
    /// Pictures whose top-1 only the first result has right.
    pub only_a: Vec<String>,
    /// Pictures whose top-1 only the second result has right.
    pub only_b: Vec<String>,
}

/// One of the two results.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Side {
    /// The file that was compared.
    pub path: PathText,
    /// Name of the model.
    pub model: String,
    /// Name of the checkpoint's file.
    pub checkpoint: String,
    /// SHA-256 of the checkpoint's file.
    pub checkpoint_sha256: String,
    /// The key under which the weights lie in the file; `null` if under none.
    pub checkpoint_weights: Option<String>,
    /// Precision of the linear layers.
    pub precision: String,
    /// As `--dataset` names it; `null` for other classes than ImageNet's. The same in both.
    pub dataset: Option<String>,
    /// Whose rules decided how pictures were judged. The same in both.
    #[schemars(extend("enum" = super::PROTOCOLS))]
    pub protocol: String,
    /// Classes each picture was ranked among. The same in both.
    #[schemars(range(min = 1))]
    pub classes: usize,
    /// `original`, or `real` for the ReaL labels. The same in both.
    #[schemars(extend("enum" = super::LABELS))]
    pub labels: String,
    /// Prompts for each class; 0 where not all classes have the same number.
    pub templates: usize,
    /// The file given with `--templates`; `null` for the built-in list, and where features were
    /// evaluated with another classifier.
    pub templates_file: Option<PathText>,
    /// The file given with `--classnames`; `null` for the built-in list.
    pub classnames_file: Option<PathText>,
    /// SHA-256 over all that decides the classifier.
    pub classifier_key: String,
}

/// Pictures that one result has and the other has not.
#[derive(Debug, Clone, Copy, Serialize, JsonSchema)]
pub struct LeftOut {
    /// Only in the first.
    pub only_in_a: usize,
    /// Only in the second.
    pub only_in_b: usize,
}

/// A difference that chance makes less often than this is called one.
const SIGNIFICANT: f64 = 0.05;

/// How often both results are right, and the paired test.
#[derive(Debug, Clone, Copy, Serialize, JsonSchema)]
pub struct Difference {
    /// The first result, on the pictures compared.
    pub a: Accuracy,
    /// The second result, on the same pictures.
    pub b: Accuracy,
    /// The second less the first, in percentage points.
    #[schemars(range(min = -100, max = 100))]
    pub difference: Option<f64>,
    /// Newcombe's 95 % interval of the difference for paired shares, low and high, in percentage
    /// points.
    #[schemars(inner(range(min = -100, max = 100)))]
    pub difference_interval95: Option<[f64; 2]>,
    /// Whether the difference may be chance.
    pub mcnemar: McNemar,
}

impl Difference {
    fn new(a: Accuracy, b: Accuracy, only_a: u64, only_b: u64) -> Self {
        let difference = (a.percent.zip(b.percent)).map(|(a, b)| b - a);
        let both = a.correct - only_a;
        let pairs = Pairs {
            both,
            only_a,
            only_b,
            neither: a.total - both - only_a - only_b,
        };
        Self {
            a,
            b,
            difference,
            difference_interval95: pairs.difference95(),
            mcnemar: McNemar::new(only_a, only_b),
        }
    }

    /// What the difference means, in a sentence.
    fn verdict(&self, name: &str) -> String {
        let McNemar {
            only_a,
            only_b,
            p_value,
            ..
        } = self.mcnemar;
        let points = self.difference.unwrap_or(f64::NAN);
        let p = PValue(p_value);
        if (only_a, only_b) == (0, 0) {
            format!("A and B have the same pictures right at {name}")
        } else if p_value >= SIGNIFICANT {
            format!("at {name}, chance may explain the difference of {points:+.2} points (p = {p})")
        } else {
            let (better, other) = if points > 0.0 { ("B", "A") } else { ("A", "B") };
            format!(
                "{better} is better than {other} at {name}, by {:.2} points: more than chance explains (p = {p})",
                points.abs()
            )
        }
    }
}

impl Comparison {
    /// Compares; with `common`, on the pictures that both have.
    ///
    /// # Errors
    /// When the pictures or their labels differ.
    pub fn new(
        (a_path, a): (&Path, &Report),
        (b_path, b): (&Path, &Report),
        common: bool,
    ) -> Result<Self, UsageError> {
        check_protocol(&format!("{} and {}", a_path.shown(), b_path.shown()), a, b)?;
        let of_b: HashMap<&str, &Judgement> =
            b.judgements.iter().map(|j| (j.name.as_str(), j)).collect();
        let pairs: Vec<(&Judgement, &Judgement)> = a
            .judgements
            .iter()
            .filter_map(|j| Some((j, *of_b.get(j.name.as_str())?)))
            .collect();
        let left_out = LeftOut {
            only_in_a: a.judgements.len() - pairs.len(),
            only_in_b: of_b.len() - pairs.len(),
        };
        let names = format!("{} and {}", a_path.shown(), b_path.shown());
        if pairs.is_empty() {
            return Err(UsageError::new(
                format!("{names} have no picture in common"),
                "compare results on the same pictures",
            ));
        }
        if !common && (left_out.only_in_a, left_out.only_in_b) != (0, 0) {
            return Err(UsageError::new(
                format!(
                    "{names} are not on the same pictures: {} are only in the first, {} only in the second, {} in both",
                    left_out.only_in_a,
                    left_out.only_in_b,
                    pairs.len()
                ),
                "--common compares them on the pictures that both have",
            ));
        }
        a.check_counts(a_path)?;
        b.check_counts(b_path)?;
        if let Some((a, b)) = pairs.iter().find(|(a, b)| a.label != b.label) {
            return Err(UsageError::new(
                format!(
                    "{names} label {} differently: {} and {}",
                    a.name, a.label, b.label
                ),
                "compare results with the same classes",
            ));
        }
        let only = |right: fn(&Judgement) -> bool| {
            let mut only = (0, 0);
            for (a, b) in &pairs {
                only.0 += u64::from(right(a) && !right(b));
                only.1 += u64::from(right(b) && !right(a));
            }
            only
        };
        let mut tallies = (Tally::default(), Tally::default());
        for (a, b) in &pairs {
            tallies.0.count(a.rank);
            tallies.1.count(b.rank);
        }
        let difference = |accuracy: fn(&Tally) -> Accuracy, (only_a, only_b)| {
            Difference::new(accuracy(&tallies.0), accuracy(&tallies.1), only_a, only_b)
        };
        let names_where = |right: fn(&(&Judgement, &Judgement)) -> bool| {
            let pairs = pairs.iter().filter(|pair| right(pair));
            pairs.map(|(a, _)| a.name.clone()).collect()
        };
        Ok(Self {
            schema_version: COMPARISON_VERSION,
            a: Side::of(a_path, a),
            b: Side::of(b_path, b),
            same_file: is_same_file(a_path, b_path),
            pictures: pairs.len(),
            left_out,
            top1: difference(Tally::top1_accuracy, only(Judgement::top1)),
            top5: difference(Tally::top5_accuracy, only(Judgement::top5)),
            only_a: names_where(|(a, b)| a.top1() && !b.top1()),
            only_b: names_where(|(a, b)| b.top1() && !a.top1()),
        })
    }
}

impl Side {
    fn of(path: &Path, report: &Report) -> Self {
        Self {
            path: path.into(),
            model: report.model.name.clone(),
            checkpoint: report.checkpoint.name.clone(),
            checkpoint_sha256: report.checkpoint.sha256.clone(),
            checkpoint_weights: report.checkpoint.weights.clone(),
            precision: report.settings.precision.to_string(),
            dataset: report.data.dataset.clone(),
            protocol: report.data.protocol.clone(),
            classes: report.data.classes,
            labels: report.data.labels.clone(),
            templates: report.prompts.templates,
            templates_file: report.prompts.templates_file.clone(),
            classnames_file: report.prompts.classnames_file.clone(),
            classifier_key: report.classifier.key.clone(),
        }
    }

    /// How its classifier was made, for a person.
    fn prompts(&self) -> [(&'static str, String); 3] {
        let file = |file: &Option<PathText>| match file {
            Some(path) => path.shown().into_owned(),
            None => "built-in".into(),
        };
        let key: String = self.classifier_key.chars().take(SHOWN_OF_KEY).collect();
        [
            (
                "templates",
                format!("{} ({})", self.templates, file(&self.templates_file)),
            ),
            ("class names", file(&self.classnames_file)),
            ("classifier", key),
        ]
    }
}

fn is_same_file(a: &Path, b: &Path) -> bool {
    let real = |path: &Path| path.canonicalize().ok();
    a == b || real(a).zip(real(b)).is_some_and(|(a, b)| a == b)
}

/// Digits of a classifier's key that tell it from others.
const SHOWN_OF_KEY: usize = 12;

/// Refuses results that were judged by different rules: their accuracies mean different things.
fn check_protocol(names: &str, a: &Report, b: &Report) -> Result<(), UsageError> {
    let rules = |report: &Report| {
        let data = &report.data;
        [
            ("data set", data.dataset.clone().unwrap_or("none".into())),
            ("classes to rank among", data.classes.to_string()),
            ("protocol", data.protocol.clone()),
            ("labels", data.labels.clone()),
        ]
    };
    let differences: Vec<String> = rules(a)
        .into_iter()
        .zip(rules(b))
        .filter(|(a, b)| a != b)
        .map(|((name, a), (_, b))| {
            format!("{name} ({} and {})", brief::excerpt(&a), brief::excerpt(&b))
        })
        .collect();
    if differences.is_empty() {
        Ok(())
    } else {
        Err(UsageError::new(
            format!(
                "{names} were judged by different rules; they differ in {}",
                differences.join(", ")
            ),
            "compare results with the same --dataset, --protocol, --labels and classes",
        ))
    }
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let f = &mut Lines::new(f);
        for (letter, side) in [("A", &self.a), ("B", &self.b)] {
            writeln!(
                f,
                "{letter}            {}: {}, {}{}, {}",
                side.path,
                side.model,
                side.checkpoint,
                side.checkpoint_weights
                    .as_ref()
                    .map_or(String::new(), |key| format!(" ({key})")),
                side.precision
            )?;
        }
        for ((name, a), (_, b)) in self.a.prompts().into_iter().zip(self.b.prompts()) {
            if a != b {
                writeln!(f, "{name:<13}A {a}, B {b}")?;
            }
        }
        write!(f, "pictures     {}", self.pictures)?;
        match self.left_out {
            LeftOut {
                only_in_a: 0,
                only_in_b: 0,
            } => writeln!(f)?,
            LeftOut {
                only_in_a,
                only_in_b,
            } => writeln!(
                f,
                " in both; left out: {only_in_a} only in A, {only_in_b} only in B"
            )?,
        }
        for (name, difference) in [("top-1", &self.top1), ("top-5", &self.top5)] {
            writeln!(f, "{name:<13}{difference}")?;
            writeln!(f, "{:13}{}", "", Test(&difference.mcnemar))?;
        }
        writeln!(f, "verdict      {}", self.top1.verdict("top-1"))
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let percent = |accuracy: Accuracy| accuracy.percent.unwrap_or(f64::NAN);
        write!(
            f,
            "A {:.2} %, B {:.2} %, difference {:+.2} points{}",
            percent(self.a),
            percent(self.b),
            self.difference.unwrap_or(f64::NAN),
            match self.difference_interval95 {
                Some([low, high]) =>
                    format!(", 95 % interval {low:+.2} to {high:+.2} (Newcombe, paired)"),
                None => String::new(),
            }
        )
    }
}

/// The second line of a difference.
struct Test<'a>(&'a McNemar);

impl fmt::Display for Test<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let test = self.0;
        write!(
            f,
            "only A right {}, only B right {}; McNemar ",
            test.only_a, test.only_b
        )?;
        match (test.form, test.statistic) {
            (Form::ChiSquareCorrected, Some(statistic)) => write!(
                f,
                "(chi-square {statistic:.3}, continuity-corrected) p = {}",
                PValue(test.p_value)
            ),
            _ => write!(f, "(exact binomial) p = {}", PValue(test.p_value)),
        }
    }
}

struct PValue(f64);

impl fmt::Display for PValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            p if p < 1e-4 => write!(f, "{p:.1e}"),
            p => write!(f, "{p:.4}"),
        }
    }
}
