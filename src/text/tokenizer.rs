//! CLIP's tokenizer: cleaned text, split into words, each word's bytes merged pair by pair.
//!
//! The merges are compiled in from `assets/text/bpe_merges.txt`. The vocabulary follows from them:
//! 256 byte symbols, the same with the word ending `</w>`, one entry per merge, and the two special
//! tokens. The merging itself is the `tokenizers` crate's. The split is done here, because a special
//! token counts as one only where the reference's pattern finds it as a word of its own.

use regex::Regex;
use tokenizers::Model;
use tokenizers::models::bpe::{BPE, Merges, Vocab};

use super::TextError;
use super::clean::clean;

/// The most ids that a text has, start and end included: the length of the model's context.
pub const CONTEXT: usize = 77;
/// How many ids there are.
pub const VOCABULARY: usize = 49_408;
/// The id that every text begins with.
pub const START_OF_TEXT: u32 = 49_406;
/// The id that every text ends with, the largest of all.
pub const END_OF_TEXT: u32 = 49_407;

const MERGES: &str = include_str!("../../assets/text/bpe_merges.txt");
const WORD_END: &str = "</w>";
const START_TEXT: &str = "<start_of_text>";
const END_TEXT: &str = "<end_of_text>";

/// What counts as a word. The reference's pattern ignores case throughout. In the first part that
/// makes a long s an s; in the classes it does nothing but take U+0345 (a combining mark that is an
/// iota in upper case) out of all of them, so that it is dropped. Letters and digits are those of the
/// Unicode version that the crate `regex` knows; the reference's library may know some newer ones.
const WORD: &str = r"(?i:<start_of_text>|<end_of_text>|'s|'t|'re|'ve|'m|'ll|'d)|\p{L}+|\p{N}|[^\s\p{L}\p{N}\u{345}]+";

/// CLIP's tokenizer, ready to encode. Cheap to share between threads by reference.
#[derive(Debug)]
pub struct Tokenizer {
    merging: BPE,
    word: Regex,
    /// The character that stands for each byte in the vocabulary.
    symbols: [char; 256],
}

impl Tokenizer {
    /// Builds the tokenizer from the merges compiled into the program.
    ///
    /// # Errors
    ///
    /// Only if those tables are damaged, which the tests rule out.
    pub fn clip() -> Result<Self, TextError> {
        let symbols = byte_symbols();
        let merges = read_merges()?;
        let vocabulary = vocabulary(&symbols, &merges);
        if vocabulary.len() != VOCABULARY {
            return Err(damaged(format!(
                "{} tokens, not {VOCABULARY}",
                vocabulary.len()
            )));
        }
        let merging = BPE::builder()
            .vocab_and_merges(vocabulary, merges)
            .end_of_word_suffix(WORD_END.to_owned())
            .build()
            .map_err(|error| damaged(error.to_string()))?;
        let word = Regex::new(WORD).map_err(|error| damaged(error.to_string()))?;
        Ok(Self {
            merging,
            word,
            symbols,
        })
    }

    /// The bytes that decide every id: part of the key under which encoded prompts may be kept.
    pub const fn merges() -> &'static [u8] {
        MERGES.as_bytes()
    }

    /// The ids of `text`, from [`START_OF_TEXT`] to [`END_OF_TEXT`] inclusive, without padding.
    ///
    /// There are never more than [`CONTEXT`]; a longer text is cut and ends in [`END_OF_TEXT`]
    /// all the same. An end-of-text token written out in the text is encoded as that token, so the
    /// first [`END_OF_TEXT`] is not always the last id.
    pub fn encode(&self, text: &str) -> Vec<u32> {
        let text = clean(text);
        let mut ids = vec![START_OF_TEXT];
        for word in self.word.find_iter(&text) {
            self.push_word(word.as_str(), &mut ids);
            // One more than fits says that the text is too long; the rest cannot matter.
            if ids.len() >= CONTEXT {
                ids.truncate(CONTEXT - 1);
                break;
            }
        }
        ids.push(END_OF_TEXT);
        ids
    }

    /// The ids of `text` up to the first end-of-text token, whose state stands for the whole text.
    /// Attention is causal, so what may follow cannot matter.
    pub fn encode_to_end(&self, text: &str) -> Vec<u32> {
        let mut ids = self.encode(text);
        if let Some(end) = ids.iter().position(|&id| id == END_OF_TEXT) {
            ids.truncate(end + 1);
        }
        ids
    }

    /// [`encode_to_end`](Self::encode_to_end) of many texts on all cores, in order.
    pub fn encode_batch_to_end<S: AsRef<str> + Sync>(&self, texts: &[S]) -> Vec<Vec<u32>> {
        use rayon::prelude::*;
        texts
            .par_iter()
            .map(|text| self.encode_to_end(text.as_ref()))
            .collect()
    }

    /// Appends the ids of one word.
    fn push_word(&self, word: &str, ids: &mut Vec<u32>) {
        match word {
            START_TEXT => ids.push(START_OF_TEXT),
            END_TEXT => ids.push(END_OF_TEXT),
            _ => {
                let symbols: String = word
                    .bytes()
                    .map(|byte| self.symbols[usize::from(byte)])
                    .collect();
                // Every byte has a symbol in the vocabulary, so merging cannot fail.
                let tokens = self.merging.tokenize(&symbols).unwrap_or_default();
                ids.extend(tokens.iter().map(|token| token.id));
            }
        }
    }
}

/// The merges in order of rank.
fn read_merges() -> Result<Merges, TextError> {
    MERGES
        .lines()
        .enumerate()
        .map(|(index, line)| {
            line.split_once(' ')
                .map(|(left, right)| (left.to_owned(), right.to_owned()))
                .ok_or_else(|| damaged(format!("merge {} is not a pair", index + 1)))
        })
        .collect()
}

/// Ids by position: symbols, symbols that end a word, merges, special tokens.
fn vocabulary(symbols: &[char; 256], merges: &Merges) -> Vocab {
    let mut in_order = *symbols;
    // Bytes that stand for themselves come first, the substituted ones follow.
    in_order.sort_unstable();
    let plain = in_order.iter().map(char::to_string);
    let ending = in_order.iter().map(|symbol| format!("{symbol}{WORD_END}"));
    let merged = merges.iter().map(|(left, right)| format!("{left}{right}"));
    let special = [START_TEXT, END_TEXT].map(str::to_owned);
    plain
        .chain(ending)
        .chain(merged)
        .chain(special)
        .zip(0..)
        .collect()
}

/// A printable character for every byte: itself if it is visible in Latin-1, and otherwise the next
/// one from U+0100 on.
fn byte_symbols() -> [char; 256] {
    let mut substitutes = '\u{100}'..;
    std::array::from_fn(|index| {
        let own = u8::try_from(index).map(char::from).unwrap_or_default();
        if matches!(own, '!'..='~' | '¡'..='¬' | '®'..='ÿ') {
            own
        } else {
            substitutes.next().unwrap_or_default()
        }
    })
}

fn damaged(reason: String) -> TextError {
    TextError::Tables { reason }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_has_a_symbol_of_its_own() {
        let mut symbols = byte_symbols().to_vec();
        symbols.sort_unstable();
        symbols.dedup();
        assert_eq!(symbols.len(), 256);
        assert_eq!((symbols[0], symbols[255]), ('!', '\u{143}'));
    }

    #[test]
    fn a_text_that_just_fits_is_not_cut_and_a_longer_one_ends_in_the_end_token() {
        let tokenizer = Tokenizer::clip().unwrap();
        for words in [0, 1, CONTEXT - 3, CONTEXT - 2, CONTEXT - 1, CONTEXT, 1000] {
            let ids = tokenizer.encode(&"cat ".repeat(words));
            assert_eq!(ids.len(), (words + 2).min(CONTEXT));
            assert_eq!(ids.first(), Some(&START_OF_TEXT));
            assert_eq!(
                ids.iter().position(|&id| id == END_OF_TEXT),
                Some(ids.len() - 1)
            );
        }
    }
}
