//! How a data set's pictures are judged: among which classes, and what is right.

use std::sync::Arc;

use super::set::{Set, Size};

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
    /// A set's own.
    pub fn of(set: Set) -> Self {
        Self {
            set: Some(set),
            size: Some(set.size()),
            choices: set.classes().map(Into::into),
            border: set.border(),
            truth: Truth::Labels,
        }
    }

    /// Of classes that a file lists; with a set, of its pictures.
    pub fn listed(set: Option<Set>) -> Self {
        Self {
            set,
            size: None,
            choices: None,
            border: set.map_or(0, Set::border),
            truth: Truth::Labels,
        }
    }

    /// Set and labels in a few words.
    pub fn name(&self) -> String {
        let set = self.set.map_or("other classes", Set::name);
        let listed = if self.set.is_some() && self.size.is_none() {
            " with classes of its own"
        } else {
            ""
        };
        format!("{set}{listed}, {} labels", self.truth.name())
    }

    /// How many classes pictures are ranked among, of all there are.
    pub fn ranked_among(&self, classes: usize) -> usize {
        self.choices.as_ref().map_or(classes, |some| some.len())
    }
}
