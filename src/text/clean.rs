//! What the reference does to a text before it is split into words.
//!
//! [`clean`] repairs the Unicode of the text (the reference calls `ftfy.fix_text`), decodes HTML
//! entities twice, makes every run of white space one space and lower-cases the result. On a plain
//! prompt nothing but the last two does anything, and [`needs_repair`] says so after one look.
//!
//! The repairs are those of `ftfy` 6.3.1, in its order. The module `mojibake` undoes wrong decodings;
//! the others are written out here.
//!
//! Lower case and composed characters are those of the newest Unicode that Rust's libraries know.
//! For characters newer than Unicode 14, the reference's own answer depends on its Python's version.

use std::borrow::Cow;
use std::sync::LazyLock;

use regex::Regex;
use unicode_normalization::UnicodeNormalization;

use super::entities;
use super::mojibake::{self, code_page::without_c1};

/// The most characters that are repaired together; a longer line is cut.
const LONGEST_SEGMENT: usize = 1_000_000;

/// The escape sequences with which programs colour a terminal.
static TERMINAL_ESCAPE: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"\x1b\[[\d;]*[a-zA-Z]").ok());

/// Cleans `text` as the reference does before it tokenizes: the result has no white space but
/// single spaces between words, and is lower case.
pub fn clean(text: &str) -> String {
    let repaired = if needs_repair(text) {
        Cow::Owned(repair(text))
    } else {
        Cow::Borrowed(text)
    };
    let unescaped = if repaired.contains('&') {
        Cow::Owned(entities::unescape(&entities::unescape(&repaired)))
    } else {
        repaired
    };
    let mut out = String::with_capacity(unescaped.len());
    for word in unescaped.split(is_space).filter(|word| !word.is_empty()) {
        if !out.is_empty() {
            out.push(' ');
        }
        out.push_str(word);
    }
    // The whole text at once: a Greek sigma looks at the letters around it.
    out.to_lowercase()
}

/// White space as Python's `str.split` sees it: Unicode's, and the four ASCII separators.
pub fn is_space(c: char) -> bool {
    c.is_whitespace() || ('\u{1c}'..='\u{1f}').contains(&c)
}

/// Whether any repair could change `text`: never for printable ASCII without an ampersand.
fn needs_repair(text: &str) -> bool {
    !text
        .bytes()
        .all(|b| matches!(b, b' '..=b'~' | b'\t' | b'\n') && b != b'&')
}

/// Repairs the Unicode of `text`, line by line.
fn repair(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    // From the first line with a `<` on, the text counts as real HTML, whose entities are meant.
    let mut decode_entities = true;
    for line in text.split_inclusive('\n') {
        let mut rest = line;
        while !rest.is_empty() {
            let cut = rest.char_indices().nth(LONGEST_SEGMENT);
            let (segment, after) = rest.split_at(cut.map_or(rest.len(), |(at, _)| at));
            decode_entities &= !segment.contains('<');
            out.push_str(&repair_segment(segment, decode_entities));
            rest = after;
        }
    }
    out
}

/// Repairs one segment until nothing changes any more. That comes to an end: every change makes the
/// text shorter or one of its characters plainer.
fn repair_segment(segment: &str, decode_entities: bool) -> String {
    let mut text = segment.to_owned();
    loop {
        let next = repair_once(&text, decode_entities);
        if next == text {
            return text;
        }
        text = next;
    }
}

/// One pass over all repairs, in the reference's order.
fn repair_once(segment: &str, decode_entities: bool) -> String {
    let text = if decode_entities && segment.contains('&') {
        Cow::Owned(entities::unescape_strict(segment))
    } else {
        Cow::Borrowed(segment)
    };
    let text = plain_characters(&mojibake::undo(&text));
    let text = text
        .replace("\r\n", "\n")
        .replace(['\r', '\u{2028}', '\u{2029}', '\u{85}'], "\n");
    let text = match &*TERMINAL_ESCAPE {
        Some(escape) if text.contains('\u{1b}') => escape.replace_all(&text, ""),
        _ => Cow::Owned(text),
    };
    text.chars()
        .filter(|&c| !is_useless_control(c))
        .nfc()
        .collect()
}

/// Replaces characters by plainer ones: C1 controls, Latin ligatures, full and half width, quotes.
fn plain_characters(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars().map(without_c1) {
        match c {
            '\u{3000}' => out.push(' '),
            '\u{ff01}'..='\u{ffef}' => out.extend(std::iter::once(c).nfkc()),
            _ => match ligature(c) {
                Some(letters) => out.push_str(letters),
                None => out.push(straight_quote(c)),
            },
        }
    }
    out
}

/// The letters that a Latin ligature or digraph stands for.
fn ligature(c: char) -> Option<&'static str> {
    Some(match c {
        'Ĳ' => "IJ",
        'ĳ' => "ij",
        'ŉ' => "'n",
        'Ǳ' => "DZ",
        'ǲ' => "Dz",
        'ǳ' => "dz",
        'Ǆ' => "DŽ",
        'ǅ' => "Dž",
        'ǆ' => "dž",
        'Ǉ' => "LJ",
        'ǈ' => "Lj",
        'ǉ' => "lj",
        'Ǌ' => "NJ",
        'ǋ' => "Nj",
        'ǌ' => "nj",
        'ﬀ' => "ff",
        'ﬁ' => "fi",
        'ﬂ' => "fl",
        'ﬃ' => "ffi",
        'ﬄ' => "ffl",
        'ﬅ' => "ſt",
        'ﬆ' => "st",
        _ => return None,
    })
}

/// The straight form of a curly quotation mark; any other character is left as it is.
fn straight_quote(c: char) -> char {
    match c {
        '\u{2bc}' | '\u{2018}'..='\u{201b}' => '\'',
        '\u{201c}'..='\u{201f}' => '"',
        _ => c,
    }
}

/// Control characters that show nothing and are dropped. Joiners and direction marks stay.
fn is_useless_control(c: char) -> bool {
    matches!(
        c,
        '\0'..='\u{8}'
            | '\u{b}'
            | '\u{e}'..='\u{1f}'
            | '\u{7f}'
            | '\u{206a}'..='\u{206f}'
            | '\u{feff}'
            | '\u{fff9}'..='\u{fffc}'
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cleaning_gives_lower_case_words_with_single_spaces() {
        for (text, expected) in [
            ("", ""),
            (" \t\n ", ""),
            (
                "  A Photo\u{a0}OF\r\na\u{3000}TENCH. ",
                "a photo of a tench.",
            ),
            ("“Don’t” ﬁx ＬＯＵＤ", "\"don't\" fix loud"),
            ("&amp;lt;b&amp;gt; &copyX", "<b> ©x"),
            ("\u{1b}[36;44mblue\u{1b}[0m\u{7}\u{feff}", "blue"),
            ("e\u{301}", "é"),
            ("ΟΔΟΣ İ ẞ", "οδος i\u{307} ß"),
        ] {
            assert_eq!(clean(text), expected, "{text:?}");
        }
    }

    #[test]
    fn text_decoded_in_the_wrong_encoding_is_repaired() {
        assert_eq!(
            clean("cafÃ© & crÃ¨me &amp; â€œteaâ€\u{9d}"),
            "café & crème & \"tea\""
        );
        assert_eq!(clean("<b> cafÃ© &eacute;"), "<b> café é");
    }

    #[test]
    fn every_python_space_separates_words_and_nothing_else_does() {
        let spaces: Vec<u32> = (0..=0x10_ffff)
            .filter(|&c| char::from_u32(c).is_some_and(is_space))
            .collect();
        let mut expected: Vec<u32> = (0x09..=0x0d).chain(0x1c..=0x20).collect();
        expected.extend([0x85, 0xa0, 0x1680]);
        expected.extend(0x2000..=0x200a);
        expected.extend([0x2028, 0x2029, 0x202f, 0x205f, 0x3000]);
        assert_eq!(spaces, expected);
    }

    #[test]
    fn no_text_makes_cleaning_fail() {
        let long = "Ã©".repeat(100_000);
        let nested = format!("&{}", "amp;".repeat(500));
        for text in [
            long.as_str(),
            &nested,
            "&#x",
            "&",
            "\u{1b}[",
            "Ã",
            "í\u{a0}\u{80}Ã",
        ] {
            let _ = clean(text);
        }
    }
}
