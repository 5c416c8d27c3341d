//! Which prompts belong to which class, and how their features become columns.

/// How the features of prompts are averaged.
#[derive(Debug, Clone, PartialEq)]
pub struct Averaging {
    classes: usize,
    /// For each list of prompts, the number of each class's; all have the same number if absent.
    counts: Option<Vec<Vec<usize>>>,
    /// Of each list.
    weights: Vec<f64>,
}

impl From<usize> for Averaging {
    /// So many classes with equally many prompts each.
    fn from(classes: usize) -> Self {
        Self {
            classes,
            counts: None,
            weights: vec![1.0],
        }
    }
}

impl Averaging {
    /// Lists of prompts, one after the other, with the number of each class's prompts in each, and
    /// their weights.
    pub fn of_lists(counts: Vec<Vec<usize>>, weights: Vec<f64>) -> Self {
        let classes = counts.first().map_or(0, Vec::len);
        Self {
            classes,
            counts: Some(counts),
            weights,
        }
    }

    /// How many sums of features are formed: one for each class and list.
    pub fn sums(&self) -> usize {
        self.weights.len() * self.classes
    }

    /// The sum that each of so many prompts belongs to, in the order of the prompts.
    pub fn sum_of(&self, prompts: usize) -> Vec<usize> {
        match &self.counts {
            None => {
                let per_class = (prompts / self.classes.max(1)).max(1);
                (0..prompts).map(|prompt| prompt / per_class).collect()
            }
            Some(counts) => {
                let counts = counts.iter().flatten().enumerate();
                let sums = counts.flat_map(|(sum, count)| std::iter::repeat_n(sum, *count));
                sums.take(prompts).collect()
            }
        }
    }

    /// A column for each class, from all sums.
    pub fn columns(&self, sums: &[f64], embedding: usize) -> Vec<Vec<f32>> {
        let sum = |place: usize| &sums[place * embedding..(place + 1) * embedding];
        let single = |class: usize| {
            let sum = sum(class);
            unit(sum).map(|v| v as f32).collect()
        };
        let weighted = |class: usize| {
            let mut mean = vec![0.0; embedding];
            for (list, weight) in self.weights.iter().enumerate() {
                let column = unit(sum(list * self.classes + class));
                mean.iter_mut()
                    .zip(column)
                    .for_each(|(m, v)| *m += weight * v);
            }
            unit(&mean).map(|v| v as f32).collect()
        };
        match self.weights.len() {
            1 => (0..self.classes).map(single).collect(),
            _ => (0..self.classes).map(weighted).collect(),
        }
    }
}

/// A vector at unit length.
fn unit(vector: &[f64]) -> impl Iterator<Item = f64> {
    let length = vector.iter().map(|v| v * v).sum::<f64>().sqrt();
    let length = length.max(f64::MIN_POSITIVE);
    vector.iter().map(move |v| v / length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prompts_belong_to_sums_list_by_list_and_class_by_class() {
        assert_eq!(Averaging::from(2).sum_of(6), [0, 0, 0, 1, 1, 1]);
        let lists = Averaging::of_lists(vec![vec![1, 2], vec![2, 1]], vec![1.0, 1.0]);
        assert_eq!(lists.sums(), 4);
        assert_eq!(lists.sum_of(6), [0, 1, 1, 2, 2, 3]);
    }

    #[test]
    fn lists_weigh_the_same_however_many_prompts_they_have() {
        let lists = Averaging::of_lists(vec![vec![1], vec![9]], vec![3.0, 4.0]);
        let columns = lists.columns(&[2.0, 0.0, 0.0, 9.0], 2);
        assert_eq!(columns, [[0.6, 0.8]]);
        let one = Averaging::of_lists(vec![vec![4]], vec![7.0]);
        let same = Averaging::from(1);
        let sums = [0.3, -0.7];
        assert_eq!(one.columns(&sums, 2), same.columns(&sums, 2));
    }
}
