//! Which pictures are worth a look.

use std::collections::{HashMap, HashSet};

use crate::metrics::{Confusion, Judgement};
use crate::report::Report;

/// Pictures in each group: enough to see a pattern, few enough for a small file.
const SHOWN: usize = 12;

/// Pictures of each confusion.
const SHOWN_OF_CONFUSION: usize = 6;

/// A right answer with less probability, in millionths, is an unsure one.
const UNSURE: u32 = 900_000;

/// Pictures of one kind.
#[derive(Debug)]
pub struct Group<'a> {
    pub title: &'static str,
    pub explanation: &'static str,
    pub pictures: Vec<&'a Judgement>,
}

/// A confusion with its pictures.
#[derive(Debug)]
pub struct ShownConfusion<'a> {
    pub confusion: &'a Confusion,
    pub pictures: Vec<&'a Judgement>,
}

/// The pictures that the report shows, with their thumbnails.
#[derive(Debug)]
pub struct Gallery<'a> {
    pub groups: Vec<Group<'a>>,
    pub confusions: Vec<ShownConfusion<'a>>,
    thumbnails: HashMap<&'a str, String>,
}

impl<'a> Gallery<'a> {
    /// Chooses pictures; `thumbnail` gives a name's data URI, if the picture can be read.
    pub fn new(report: &'a Report, thumbnail: impl Fn(&str) -> Option<String>) -> Self {
        let judgements = report.judgements.as_slice();
        let surest = |j: &Judgement| u32::MAX - j.confidence;
        let confident = first(judgements, SHOWN, |j| !j.top1(), surest);
        let known: HashSet<&str> = confident.iter().map(|j| j.name.as_str()).collect();
        let missed = |j: &Judgement| !j.top5() && !known.contains(j.name.as_str());
        let groups = vec![
            Group {
                title: "Confident mistakes",
                explanation: "Another class ranked first; the highest probabilities first.",
                pictures: confident.clone(),
            },
            Group {
                title: "Missed by far",
                explanation: "The right class is not among the first five; the highest probabilities first. Pictures shown above are left out.",
                pictures: first(judgements, SHOWN, missed, surest),
            },
            Group {
                title: "Right but unsure",
                explanation: "Right, with a probability below 90 %; the lowest first.",
                pictures: first(
                    judgements,
                    SHOWN,
                    |j| j.top1() && j.confidence < UNSURE,
                    |j| j.confidence,
                ),
            },
        ];
        let confusions = report.statistics.confusions.iter().map(|confusion| {
            let of_it = |j: &Judgement| {
                (j.label, j.best) == (confusion.label, confusion.predicted) && !j.top1()
            };
            ShownConfusion {
                confusion,
                pictures: first(judgements, SHOWN_OF_CONFUSION, of_it, surest),
            }
        });
        let confusions: Vec<ShownConfusion> = confusions.collect();
        let of_groups = groups.iter().flat_map(|group| &group.pictures);
        let of_confusions = confusions.iter().flat_map(|shown| &shown.pictures);
        let mut thumbnails = HashMap::new();
        for judgement in of_groups.chain(of_confusions) {
            let name = judgement.name.as_str();
            if !thumbnails.contains_key(name)
                && let Some(uri) = thumbnail(name)
            {
                thumbnails.insert(name, uri);
            }
        }
        Self {
            groups,
            confusions,
            thumbnails,
        }
    }

    /// A shown picture's data URI.
    pub fn thumbnail(&self, judgement: &Judgement) -> Option<&str> {
        self.thumbnails
            .get(judgement.name.as_str())
            .map(String::as_str)
    }
}

/// The first pictures of a kind by a key; equal ones in file order.
fn first(
    judgements: &[Judgement],
    most: usize,
    kind: impl Fn(&Judgement) -> bool,
    key: impl Fn(&Judgement) -> u32,
) -> Vec<&Judgement> {
    let mut chosen: Vec<&Judgement> = judgements.iter().filter(|j| kind(j)).collect();
    chosen.sort_by_key(|judgement| key(judgement));
    chosen.truncate(most);
    chosen
}
