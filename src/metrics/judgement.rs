//! What is kept of each picture.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::metrics::Prediction;

/// Whether the best logit belonged to several classes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tie {
    /// It belonged to one.
    None,
    /// Several had it, the label was not among them.
    Elsewhere,
    /// Several had it, one of them the label.
    WithLabel,
}

/// One evaluated picture, in a few dozen bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "Form", into = "Form")]
pub struct Judgement {
    /// The picture's path; below the data set's folder in a report.
    pub name: String,
    /// The right class; where several are, one of them.
    pub label: u32,
    /// The class that ranked first.
    pub best: u32,
    /// Place of the label (or the first class that is right, too) among the first five, 0 being
    /// the first.
    pub rank: Option<u8>,
    /// Probability of the best class, in millionths.
    pub confidence: u32,
    pub tie: Tie,
}

/// One evaluated picture.
#[derive(Serialize, Deserialize, JsonSchema)]
struct Form(
    /// Its name below `data.path`.
    String,
    /// Its label.
    u32,
    /// The class that ranked first.
    u32,
    /// Place of the label among the first five, 1 to 5, or 0.
    #[schemars(range(max = 5))]
    u8,
    /// Probability of the best class, in millionths.
    #[schemars(range(max = 1_000_000))]
    u32,
    /// 0; or if the best logit belongs to several classes 1, or 2 if the label is one of them.
    #[schemars(range(max = 2))]
    u8,
);

impl Judgement {
    /// Judges a prediction; `right` are the classes that are right, the label among them.
    pub fn new(name: String, label: usize, right: &[usize], prediction: &Prediction) -> Self {
        let rank = prediction.rank_of(right);
        let first = prediction.logits.first();
        let tie = if prediction.logits.get(1) != first {
            Tie::None
        } else if rank.is_some_and(|rank| prediction.logits.get(rank) == first) {
            Tie::WithLabel
        } else {
            Tie::Elsewhere
        };
        let index = |class: usize| u32::try_from(class).unwrap_or(u32::MAX);
        Self {
            name,
            label: index(label),
            best: prediction.classes.first().map_or(u32::MAX, |c| index(*c)),
            rank: rank.and_then(|rank| u8::try_from(rank).ok()),
            confidence: prediction.confidence,
            tie,
        }
    }

    /// Whether the label ranked first.
    pub fn top1(&self) -> bool {
        self.rank == Some(0)
    }

    /// Whether the label was among the first five.
    pub fn top5(&self) -> bool {
        self.rank.is_some()
    }
}

impl From<Judgement> for Form {
    fn from(j: Judgement) -> Self {
        let place = j.rank.map_or(0, |rank| rank + 1);
        Self(j.name, j.label, j.best, place, j.confidence, j.tie as u8)
    }
}

impl TryFrom<Form> for Judgement {
    type Error = String;

    fn try_from(form: Form) -> Result<Self, String> {
        let Form(name, label, best, place, confidence, tie) = form;
        let tie = match tie {
            0 => Tie::None,
            1 => Tie::Elsewhere,
            2 => Tie::WithLabel,
            _ => return Err(format!("{name}: {tie} is no kind of tie")),
        };
        if place > 5 || confidence > 1_000_000 || (label == best && place != 1) {
            return Err(format!("{name}: its numbers contradict each other"));
        }
        Ok(Self {
            name,
            label,
            best,
            rank: place.checked_sub(1),
            confidence,
            tie,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ties_are_told_apart_by_whether_they_concern_the_label() {
        let judge = |logits: &[f32], label| {
            let j = Judgement::new(
                "x".into(),
                label,
                &[label],
                &Prediction::from_logits(logits),
            );
            (j.best, j.rank, j.tie)
        };
        assert_eq!(judge(&[1.0, 2.0, 2.0], 1), (1, Some(0), Tie::WithLabel));
        assert_eq!(judge(&[1.0, 2.0, 2.0], 2), (1, Some(1), Tie::WithLabel));
        assert_eq!(judge(&[1.0, 2.0, 2.0], 0), (1, Some(2), Tie::Elsewhere));
        assert_eq!(judge(&[1.0, 2.0, 3.0], 0), (2, Some(2), Tie::None));
        assert_eq!(judge(&[1.0], 0), (0, Some(0), Tie::None));
    }

    #[test]
    fn a_row_that_contradicts_itself_is_refused() {
        let read = |row| serde_json::from_str::<Judgement>(row);
        assert!(read(r#"["a",1,1,1,5,0]"#).is_ok());
        for row in [
            r#"["a",1,1,2,5,0]"#,
            r#"["a",1,1,0,5,0]"#,
            r#"["a",1,1,1,1000001,0]"#,
            r#"["a",1,2,6,5,0]"#,
            r#"["a",1,2,0,5,3]"#,
        ] {
            assert!(read(row).is_err(), "{row}");
        }
    }
}
