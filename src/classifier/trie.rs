//! The trie of all prompts' tokens: prompts that begin alike share their beginning.

use crate::model::Forest;

/// Distinct prefixes of token sequences, in depth-first order: parents before children, and the
/// descendants of a node right behind it.
#[derive(Debug, Default)]
pub struct Trie {
    tokens: Vec<u32>,
    positions: Vec<u32>,
    parents: Vec<Option<usize>>,
    /// For each sequence, the node of its last token.
    ends: Vec<usize>,
}

impl Trie {
    /// Builds the trie of sequences, none of them empty.
    pub fn new(sequences: &[Vec<u32>]) -> Self {
        let mut order: Vec<usize> = (0..sequences.len()).collect();
        order.sort_by_key(|i| &sequences[*i]);
        let mut trie = Self {
            ends: vec![0; sequences.len()],
            ..Self::default()
        };
        let mut path: Vec<usize> = Vec::new(); // nodes of the previous sequence
        let mut previous: &[u32] = &[];
        for index in order {
            let sequence = &sequences[index];
            let shared = sequence
                .iter()
                .zip(previous)
                .take_while(|(a, b)| a == b)
                .count();
            path.truncate(shared);
            for (position, token) in sequence.iter().enumerate().skip(shared) {
                trie.parents.push(path.last().copied());
                path.push(trie.tokens.len());
                trie.tokens.push(*token);
                trie.positions.push(position as u32);
            }
            trie.ends[index] = path.last().copied().unwrap_or(0);
            previous = sequence;
        }
        trie
    }

    /// Number of nodes: the token positions that have to be computed.
    pub fn len(&self) -> usize {
        self.tokens.len()
    }

    pub fn is_empty(&self) -> bool {
        self.tokens.is_empty()
    }

    /// For each sequence, the node of its last token.
    pub fn ends(&self) -> &[usize] {
        &self.ends
    }

    /// Tokens of a node's ancestors, from the first on.
    pub fn prefix(&self, node: usize) -> Vec<u32> {
        self.ancestors(node)
            .into_iter()
            .map(|ancestor| self.tokens[ancestor])
            .collect()
    }

    /// Cuts the nodes from `first` on into runs of at most `nodes`, in order. Before the first run
    /// the ancestors of `first` are kept.
    pub fn runs(&self, first: usize, nodes: usize) -> impl Iterator<Item = Run> + '_ {
        let mut kept: Vec<usize> = self.ancestors(first);
        (first..self.len()).step_by(nodes.max(1)).map(move |start| {
            let end = (start + nodes).min(self.len());
            let row_of = |node: usize| match kept.binary_search(&node) {
                Ok(row) => row,
                Err(_) => kept.len() + node - start,
            };
            let forest = Forest {
                tokens: self.tokens[start..end].to_vec(),
                positions: self.positions[start..end].to_vec(),
                parents: self.parents[start..end]
                    .iter()
                    .map(|p| p.map(row_of))
                    .collect(),
            };
            // In depth-first order, an ancestor of any later node that lies before `end` is an
            // ancestor of the node at `end`: nothing else need be kept.
            let ancestors = self.ancestors(end);
            let keep = ancestors.iter().map(|node| row_of(*node)).collect();
            kept = ancestors;
            Run {
                start,
                forest,
                keep,
            }
        })
    }

    /// The ancestors of a node, root first; none behind the last node.
    fn ancestors(&self, node: usize) -> Vec<usize> {
        let parent = self.parents.get(node).copied().flatten();
        let mut path: Vec<usize> = std::iter::successors(parent, |n| self.parents[*n]).collect();
        path.reverse();
        path
    }
}

/// Consecutive nodes, and which rows the following run needs of them.
#[derive(Debug)]
pub struct Run {
    /// The first node.
    pub start: usize,
    pub forest: Forest,
    /// Rows to keep, ascending (see [`Forest`] for the numbering of rows).
    pub keep: Vec<usize>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sequences() -> Vec<Vec<u32>> {
        vec![
            vec![9, 1, 2, 8],
            vec![9, 1, 8],
            vec![9, 3, 8],
            vec![9, 1, 2, 8],
            vec![9, 1, 2, 4, 8],
        ]
    }

    #[test]
    fn shared_beginnings_are_stored_once() {
        let trie = Trie::new(&sequences());
        // 9; 9 1; 9 1 2; 9 1 2 4; 9 1 2 4 8; 9 1 2 8; 9 1 8; 9 3; 9 3 8
        assert_eq!(trie.len(), 9);
        assert_eq!(trie.ends()[0], trie.ends()[3]);
    }

    #[test]
    fn runs_of_any_length_describe_the_same_sequences() {
        let sequences = sequences();
        let trie = Trie::new(&sequences);
        for nodes in 1..=trie.len() {
            let mut kept: Vec<Vec<u32>> = Vec::new();
            let mut all: Vec<Vec<u32>> = Vec::new();
            for run in trie.runs(0, nodes) {
                let mut rows = std::mem::take(&mut kept);
                for (token, parent) in run.forest.tokens.iter().zip(&run.forest.parents) {
                    let mut prefix = parent.map_or_else(Vec::new, |row| rows[row].clone());
                    prefix.push(*token);
                    rows.push(prefix.clone());
                    all.push(prefix);
                }
                kept = run.keep.iter().map(|row| rows[*row].clone()).collect();
            }
            for first in 0..trie.len() {
                let later: Vec<usize> = trie.runs(first, nodes).map(|run| run.start).collect();
                assert_eq!(later.first(), Some(&first));
                assert_eq!(trie.prefix(first), all[first][..all[first].len() - 1]);
            }
            for (sequence, end) in sequences.iter().zip(trie.ends()) {
                assert_eq!(&all[*end], sequence, "with runs of {nodes} nodes");
            }
        }
    }
}
