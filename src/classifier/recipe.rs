//! What a classifier is made from: all that decides its values, as hashes.

use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::util::hex;

/// Changes when the same recipe would give other values: another averaging, another order.
const ALGORITHM: u32 = 1;

/// A SHA-256 digest in hexadecimal.
pub type Hash = String;

/// Everything that decides a classifier's values.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recipe {
    /// Of the text tower's weights, shapes and number of heads.
    pub text_tower: Hash,
    /// Of the class names, in order.
    pub class_names: Hash,
    /// Of all prompts' tokens, class by class: prompts and tokenizer together.
    pub prompts: Hash,
    pub classes: usize,
    /// Prompts for each class; 0 where not all classes have the same number.
    pub templates: usize,
    /// The text tower's arithmetic, e.g. `f32`.
    pub precision: String,
    pub algorithm: u32,
}

impl Recipe {
    /// The recipe of `prompts`, tokens of `names.len()` classes with equally many prompts each.
    pub fn new(text_tower: Hash, names: &[String], prompts: &[Vec<u32>], precision: &str) -> Self {
        let mut all_tokens = Sha256::new();
        for tokens in prompts {
            all_tokens.update((tokens.len() as u64).to_le_bytes());
            tokens
                .iter()
                .for_each(|token| all_tokens.update(token.to_le_bytes()));
        }
        Self {
            text_tower,
            class_names: Self::hash_of_names(names),
            prompts: hex::digest(all_tokens),
            classes: names.len(),
            templates: prompts.len() / names.len().max(1),
            precision: precision.into(),
            algorithm: ALGORITHM,
        }
    }

    /// The same, of several lists of prompts or with different numbers of prompts for each class:
    /// `counts` and `weights` as in [`Averaging::of_lists`](super::Averaging::of_lists).
    #[must_use]
    pub fn of_lists(self, counts: &[Vec<usize>], weights: &[f64]) -> Self {
        let of_class = |class: usize| counts.iter().map(|list| list[class]).sum::<usize>();
        let all: Vec<usize> = (0..self.classes).map(of_class).collect();
        let equal = all.windows(2).all(|pair| pair[0] == pair[1]);
        if equal && counts.len() == 1 {
            return self;
        }
        let mut hasher = Sha256::new();
        hasher.update(&self.prompts);
        for (list, weight) in counts.iter().zip(weights) {
            hasher.update(weight.to_bits().to_le_bytes());
            for count in list {
                hasher.update((*count as u64).to_le_bytes());
            }
        }
        Self {
            prompts: hex::digest(hasher),
            templates: if equal { self.templates } else { 0 },
            ..self
        }
    }

    /// [`class_names`](Self::class_names) of these names.
    pub fn hash_of_names(names: &[String]) -> Hash {
        let mut hasher = Sha256::new();
        for name in names {
            // The length makes the parts unambiguous.
            hasher.update((name.len() as u64).to_le_bytes());
            hasher.update(name);
        }
        hex::digest(hasher)
    }

    /// One hash over everything: equal keys, equal classifiers.
    pub fn key(&self) -> Hash {
        let mut hasher = Sha256::new();
        for (name, value) in self.fields() {
            hasher.update(format!("{name}={value}\n"));
        }
        hex::digest(hasher)
    }

    /// All parts by name.
    pub(super) fn fields(&self) -> [(&'static str, String); 7] {
        [
            ("text_tower", self.text_tower.clone()),
            ("class_names", self.class_names.clone()),
            ("prompts", self.prompts.clone()),
            ("classes", self.classes.to_string()),
            ("templates", self.templates.to_string()),
            ("precision", self.precision.clone()),
            ("algorithm", self.algorithm.to_string()),
        ]
    }

    /// From the parts by name; `None` when one is missing.
    pub(super) fn from_fields(field: impl Fn(&str) -> Option<String>) -> Option<Self> {
        Some(Self {
            text_tower: field("text_tower")?,
            class_names: field("class_names")?,
            prompts: field("prompts")?,
            classes: field("classes")?.parse().ok()?,
            templates: field("templates")?.parse().ok()?,
            precision: field("precision")?,
            algorithm: field("algorithm")?.parse().ok()?,
        })
    }

    /// Whether a classifier of this recipe may stand in where `wanted` is asked for, whatever
    /// templates either was made with.
    ///
    /// # Errors
    /// What differs.
    pub fn check(&self, wanted: &Self) -> Result<(), Difference> {
        if self.text_tower != wanted.text_tower {
            Err(Difference::TextTower)
        } else if self.class_names != wanted.class_names {
            Err(Difference::ClassNames {
                found: self.classes,
                expected: wanted.classes,
            })
        } else if self.precision != wanted.precision {
            let (found, expected) = (self.precision.clone(), wanted.precision.clone());
            Err(Difference::Precision { found, expected })
        } else if self.algorithm != wanted.algorithm {
            Err(Difference::Algorithm)
        } else {
            Ok(())
        }
    }
}

/// Why a classifier does not belong to a model and classes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Difference {
    TextTower,
    ClassNames { found: usize, expected: usize },
    Precision { found: String, expected: String },
    Algorithm,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TextTower => write!(f, "it was made by another text tower than the checkpoint's"),
            Self::ClassNames { found, expected } if found != expected => {
                write!(f, "it has {found} classes, not {expected}")
            }
            Self::ClassNames { .. } => write!(f, "it was made of other class names"),
            Self::Precision { found, expected } => {
                write!(f, "it was made in {found}, not {expected}")
            }
            Self::Algorithm => write!(f, "it was made by another version of this program"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recipe() -> Recipe {
        Recipe::new(
            "tower".into(),
            &["a".into(), "b".into()],
            &[vec![1, 2], vec![3]],
            "f32",
        )
    }

    #[test]
    fn every_part_changes_the_key() {
        let changes: [fn(&mut Recipe); 7] = [
            |r| r.text_tower.push('x'),
            |r| r.class_names.push('x'),
            |r| r.prompts.push('x'),
            |r| r.classes += 1,
            |r| r.templates += 1,
            |r| r.precision.push('x'),
            |r| r.algorithm += 1,
        ];
        let mut keys = vec![recipe().key()];
        for change in changes {
            let mut changed = recipe();
            change(&mut changed);
            keys.push(changed.key());
        }
        keys.sort();
        keys.dedup();
        assert_eq!(keys.len(), 8);
    }

    #[test]
    fn lists_and_weights_change_the_key_and_one_list_of_equal_counts_does_not() {
        assert_eq!(recipe().of_lists(&[vec![1, 1]], &[2.0]), recipe());
        let keys = [
            recipe(),
            recipe().of_lists(&[vec![2, 0]], &[1.0]),
            recipe().of_lists(&[vec![1, 0], vec![0, 1]], &[1.0, 1.0]),
            recipe().of_lists(&[vec![1, 0], vec![0, 1]], &[1.0, 2.0]),
            recipe().of_lists(&[vec![0, 1], vec![1, 0]], &[1.0, 1.0]),
        ]
        .map(|recipe| recipe.key());
        let distinct: std::collections::HashSet<&String> = keys.iter().collect();
        assert_eq!(distinct.len(), keys.len());
    }

    #[test]
    fn moving_a_boundary_between_names_or_prompts_changes_the_hash() {
        let names = Recipe::new(
            "tower".into(),
            &["ab".into(), "".into()],
            &[vec![1, 2], vec![3]],
            "f32",
        );
        assert_ne!(names.class_names, recipe().class_names);
        let prompts = Recipe::new(
            "tower".into(),
            &["a".into(), "b".into()],
            &[vec![1], vec![2, 3]],
            "f32",
        );
        assert_ne!(prompts.prompts, recipe().prompts);
    }
}
