//! Which pictures are worth a look.

use std::collections::HashMap;

use crate::metrics::Judgement;

/// Pictures in each group: enough to see a pattern, few enough for a small file.
const SHOWN: usize = 12;

/// A right answer with less probability, in millionths, is a surprise.
const SURPRISING: u32 = 900_000;

/// Pictures of one kind.
#[derive(Debug)]
pub struct Group<'a> {
    pub title: &'static str,
    pub explanation: &'static str,
    pub pictures: Vec<&'a Judgement>,
}

/// The pictures that the report shows, with their thumbnails.
#[derive(Debug)]
pub struct Gallery<'a> {
    pub groups: Vec<Group<'a>>,
    thumbnails: HashMap<&'a str, String>,
}

impl<'a> Gallery<'a> {
    /// Chooses pictures; `thumbnail` gives a name's data URI, if the picture can be read.
    pub fn new(judgements: &'a [Judgement], thumbnail: impl Fn(&str) -> Option<String>) -> Self {
        let groups = vec![
            Group {
                title: "Worst",
                explanation: "The true class is not among the first five; surest mistakes first.",
                pictures: first(judgements, |j| !j.top5(), |j| u32::MAX - j.confidence),
            },
            Group {
                title: "Surely mistaken",
                explanation: "Another class ranked first, with the highest probability; the true one is among the first five.",
                pictures: first(
                    judgements,
                    |j| j.top5() && !j.top1(),
                    |j| u32::MAX - j.confidence,
                ),
            },
            Group {
                title: "Surprisingly right",
                explanation: "Right, with a probability below 90 %; the lowest first.",
                pictures: first(
                    judgements,
                    |j| j.top1() && j.confidence < SURPRISING,
                    |j| j.confidence,
                ),
            },
        ];
        let shown = groups.iter().flat_map(|group| &group.pictures);
        let thumbnails = shown
            .filter_map(|j| Some((j.name.as_str(), thumbnail(&j.name)?)))
            .collect();
        Self { groups, thumbnails }
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
    kind: impl Fn(&Judgement) -> bool,
    key: impl Fn(&Judgement) -> u32,
) -> Vec<&Judgement> {
    let mut chosen: Vec<&Judgement> = judgements.iter().filter(|j| kind(j)).collect();
    chosen.sort_by_key(|judgement| key(judgement));
    chosen.truncate(SHOWN);
    chosen
}
