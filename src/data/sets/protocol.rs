//! How a data set's pictures are judged: among which classes, and what is right.

use std::sync::Arc;

use super::class_folders::ClassFolders;
use super::set::{Set, Size};

/// Whose rules decide how a set is judged. They differ in ObjectNet alone.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Rules {
    /// CLIP_benchmark's, by which the accuracies of CLIP models are published: ObjectNet's pictures
    /// are whole and ranked among the names of its 113 folders.
    #[default]
    ClipBenchmark,
    /// Those of ObjectNet's authors: the border is cut off, and pictures are ranked among the
    /// classes of ImageNet that show the same objects.
    ObjectNet,
}

impl Rules {
    const ALL: [Self; 2] = [Self::ClipBenchmark, Self::ObjectNet];

    /// As `--protocol` and a result name them.
    pub fn name(self) -> &'static str {
        match self {
            Self::ClipBenchmark => "clip-benchmark",
            Self::ObjectNet => "objectnet",
        }
    }

    /// The rules of a name.
    pub fn by_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|rules| rules.name() == name)
    }
}

/// How pictures are judged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Protocol {
    /// Absent for other classes than ImageNet's.
    pub set: Option<Set>,
    /// What the whole set has; absent for listed classes.
    pub size: Option<Size>,
    /// The classes that pictures are ranked among, in ascending order; all when absent.
    pub choices: Option<Arc<[usize]>>,
    /// Pixels on each side that are cut off before anything else.
    pub border: usize,
    pub truth: Truth,
    pub rules: Rules,
}

/// What is right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Truth {
    /// The label; for some sets any of the classes that belong to it.
    Labels,
    /// Any of a picture's ReaL labels.
    Real,
}

impl Truth {
    /// As a result names it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Labels => "original",
            Self::Real => "real",
        }
    }
}

impl Default for Protocol {
    fn default() -> Self {
        Self::of(Set::default())
    }
}

impl Protocol {
    /// A set's by CLIP_benchmark's rules.
    pub fn of(set: Set) -> Self {
        Self::by(Rules::default(), set)
    }

    /// A set's.
    pub fn by(rules: Rules, set: Set) -> Self {
        let own_classes = set == Set::ObjectNet && rules == Rules::ClipBenchmark;
        let choices = set.classes().filter(|_| !own_classes);
        Self {
            set: Some(set),
            size: Some(set.size()),
            choices: choices.map(Into::into),
            border: border(rules, set),
            truth: Truth::Labels,
            rules,
        }
    }

    /// Of classes that a file lists; with a set, of its pictures.
    pub fn listed(rules: Rules, set: Option<Set>) -> Self {
        Self {
            set,
            size: None,
            choices: None,
            border: set.map_or(0, |set| border(rules, set)),
            truth: Truth::Labels,
            rules,
        }
    }

    /// The set's folders, with classes that are ImageNet's or the set's own.
    pub fn folders(&self) -> Option<ClassFolders> {
        let own = self.set == Some(Set::ObjectNet) && self.choices.is_none();
        match self.set? {
            Set::ObjectNet if own => Some(Set::objectnet_folders()),
            set => Some(set.folders()),
        }
    }

    /// The classes that are right for a label, where there are several.
    pub fn right(&self, label: usize) -> Option<Arc<[usize]>> {
        self.choices.as_ref()?;
        self.set?.right(label)
    }

    /// Set and labels in a few words.
    pub fn name(&self) -> String {
        let set = self.set.map_or("other classes", Set::name);
        let listed = if self.set.is_some() && self.size.is_none() {
            " with classes of its own"
        } else {
            ""
        };
        let rules = match self.set {
            Some(Set::ObjectNet) => format!(" by the protocol {}", self.rules.name()),
            _ => String::new(),
        };
        format!("{set}{listed}{rules}, {} labels", self.truth.name())
    }

    /// How many classes pictures are ranked among, of all there are.
    pub fn ranked_among(&self, classes: usize) -> usize {
        self.choices.as_ref().map_or(classes, |some| some.len())
    }
}

/// Pixels on each side that are cut off.
fn border(rules: Rules, set: Set) -> usize {
    match rules {
        Rules::ClipBenchmark => 0,
        Rules::ObjectNet => set.border(),
    }
}
