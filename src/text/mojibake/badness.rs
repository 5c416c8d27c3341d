//! Whether a text looks wrongly decoded: whether characters stand side by side that nobody writes so.
//!
//! The classes of characters, and which of them are unlikely side by side, are facts taken from
//! `ftfy` 6.3.1 (`ftfy/badness.py`, Robyn Speer, Apache-2.0). The classes cover the characters that
//! UTF-8 can become when it is read in one of the single-byte encodings. All are written as in a
//! regular expression, between brackets.

use std::sync::LazyLock;

use regex::Regex;

/// Control characters that only wrong decoding brings forth.
const C1: &str = "\u{80}-\u{9f}";
/// Characters that hardly occur otherwise.
const SUSPECT: &str = "¤¦¨ª¬¯¸ºƒˆˇ˘˛˜†‡‰⌐◊\u{fffd}";
/// Characters of all kinds of text.
const EVERYDAY: &str = "\u{a0}\u{ad}´·–—―’…";
const LEGAL: &str = "§¶";
const CURRENCY: &str = "¢£¥₧€";
/// Punctuation before a word, and the two accents of Greek that stand alone.
const OPENING: &str = "¡©«¿΄΅‘‚“„•‹\u{f8ff}";
/// Punctuation after a word.
const CLOSING: &str = "®»˝”›™";
const NUMERIC: &str = "±²³µ¹¼½¾×÷⁄№∂∆∏∑√∞∩∫≈≠≡≤≥";
/// Letters that faces are drawn with, in good company with odd characters.
const FACES: &str = "Ò-ÖÙ-Üò-öø-üŌŐŪŲ°";
const UPPER_ACCENTED: &str = "À-ÑØÜÝĀĂĄĆČĎĐĒĖĘĚĞĢĪİĶĹĻĽŁŃŅŇŒŘŚŞŠŢŤŮŰŸŹŻŽҐ";
const LOWER_ACCENTED: &str = "ßà-ñüāăąćčďđēėęěğģīįķĺļľłœŕśşšťźżžґﬁﬂ";
/// Capitals that are at home at the ends of words too.
const UPPER_OTHER: &str = "ÞΆΈΉΊΌΎΏΑ-ΩΪΫЁ-Я";
const LOWER_OTHER: &str = "άέήίΰα-ωа-џ";
/// Boxes and blocks, without the horizontal line, which faces have.
const BOXES: &str = "│┌┐┘├┤┬┼═-╬▀▄█▌▐░▒▓";
/// White space by Python's count.
const SPACE: &str = r"\s\x1c-\x1f";
/// A character of a word by Python's count.
const WORD: &str = r"\p{L}\p{N}_";

/// A class, and the classes that are unlikely right before it.
const UNLIKELY_BEFORE: [(&str, &[&str]); 10] = [
    (
        SUSPECT,
        &[
            SUSPECT,
            LOWER_ACCENTED,
            UPPER_ACCENTED,
            BOXES,
            OPENING,
            CLOSING,
            CURRENCY,
            NUMERIC,
            LEGAL,
        ],
    ),
    (
        LOWER_ACCENTED,
        &[SUSPECT, BOXES, CLOSING, CURRENCY, NUMERIC],
    ),
    (
        UPPER_ACCENTED,
        &[
            SUSPECT,
            LOWER_ACCENTED,
            LOWER_OTHER,
            BOXES,
            CLOSING,
            CURRENCY,
            NUMERIC,
        ],
    ),
    (
        BOXES,
        &[
            SUSPECT,
            LOWER_ACCENTED,
            UPPER_ACCENTED,
            OPENING,
            CLOSING,
            CURRENCY,
            NUMERIC,
            LEGAL,
        ],
    ),
    (OPENING, &[SUSPECT, BOXES, CURRENCY, NUMERIC]),
    (CLOSING, &[SUSPECT, BOXES]),
    (CURRENCY, &[SUSPECT, LOWER_ACCENTED, BOXES, CLOSING]),
    (NUMERIC, &[SUSPECT, UPPER_ACCENTED, BOXES]),
    (LEGAL, &[SUSPECT, UPPER_ACCENTED, BOXES]),
    (FACES, &[BOXES]),
];

/// What follows a lead byte of Arabic in Windows-1252.
const ARABIC: &[&str] = &[EVERYDAY, CURRENCY, SUSPECT, NUMERIC, OPENING, "ŸŠ®°µ»"];

/// Longer or more particular sequences that are unlikely: for each place, the classes it may have.
const UNLIKELY: &[&[&[&str]]] = &[
    &[&[C1]],
    &[&["a-zA-Z"], &[LOWER_OTHER, UPPER_OTHER], &[SUSPECT]],
    &[&[SPACE], &[UPPER_ACCENTED], &[CURRENCY]],
    &[
        &[LOWER_ACCENTED, UPPER_ACCENTED, BOXES, CURRENCY, CLOSING],
        &[OPENING],
        &[NUMERIC],
    ],
    &[
        &[
            LOWER_ACCENTED,
            UPPER_ACCENTED,
            BOXES,
            CURRENCY,
            NUMERIC,
            LEGAL,
        ],
        &[CLOSING],
        &[OPENING],
    ],
    &[&["a-z"], &[UPPER_ACCENTED], &[OPENING, CURRENCY]],
    &[
        &[LOWER_ACCENTED, UPPER_ACCENTED],
        &[OPENING, CLOSING],
        &[WORD],
    ],
    &[&["Œœ"], &["^A-Za-z"]],
    &[&[UPPER_ACCENTED], &["°"]],
    // Windows-1252: Latin-1's characters, punctuation, Arabic, scripts of South Asia.
    &[
        &["ÂÃÎÐ"],
        &[OPENING, CLOSING, "€œŠš¢£Ÿž\u{a0}\u{ad}®©°·»–—´"],
    ],
    &[&[".,?!", CLOSING], &["Â"], &[" "]],
    &[&["a-z"], &["ÃÂ"], &[" "]],
    &[&["a-z"], &[SPACE], &["ÃÂ"], &[" "]],
    &[&["×"], &["²³"]],
    &[&["ØÙ"], ARABIC, &["ØÙ"], ARABIC],
    &[&["à"], &["²µ¹¼½¾"]],
    // Mac OS Roman.
    &[&["√"], &["±∂†≠®™´≤≥¥µø"]],
    &[&["≈"], &["°¢"]],
    &[&["‚"], &["Ä"], &["ìîïòôúùû†°¢π"]],
    &[&["‚"], &["âó"], &["àä°ê"]],
    // Windows-1251: punctuation, Cyrillic, and Windows-1252 below it.
    &[&["в"], &["Ђ"]],
    &[
        &["ВГРС"],
        &[C1, SUSPECT, OPENING, CLOSING, CURRENCY, "°µ"],
        &["ВГРС"],
    ],
    &[
        &["Г"],
        &["ў"],
        &["В"],
        &["Ђ"],
        &["В"],
        &[r"^\n"],
        &["A-Za-z "],
    ],
    // Windows-1253: punctuation, Greek.
    &[&["β"], &["€"], &["™\u{a0}Ά\u{ad}®°"]],
    &[
        &["ΒΓΞΟ"],
        &[C1, SUSPECT, OPENING, CLOSING, CURRENCY, "°"],
        &["ΒΓΞΟ"],
    ],
];

/// A lonely lead byte that begins the text.
const LONELY: &str = "^[ÃÂ] ";

static PATTERN: LazyLock<Option<Regex>> = LazyLock::new(|| {
    let class = |parts: &[&str]| format!("[{}]", parts.concat());
    let pairs = UNLIKELY_BEFORE
        .iter()
        .map(|(second, first)| class(first) + &class(&[second]));
    let longer = UNLIKELY
        .iter()
        .map(|places| places.iter().map(|parts| class(parts)).collect());
    let all: Vec<String> = pairs.chain(longer).chain([LONELY.to_owned()]).collect();
    Regex::new(&all.join("|")).ok()
});

/// Whether somewhere in `text` characters stand side by side that hint at a wrong decoding.
pub fn is_bad(text: &str) -> bool {
    PATTERN
        .as_ref()
        .is_some_and(|pattern| pattern.is_match(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wrongly_decoded_text_is_bad_and_odd_but_meant_text_is_not() {
        assert!(PATTERN.is_some());
        for text in [
            "cafÃ©",
            "â€œ",
            "Â ",
            "voilÃ  la",
            "\u{85}",
            "РџСЂРёРІРµС‚",
            "Ñ‚ÐµÑÑ‚",
            "Γ©Γ",
            "√©",
            "ā€",
            "┬½",
        ] {
            assert!(is_bad(text), "{text}");
        }
        for text in [
            "",
            "café",
            "¿Qué?",
            "20 °C ±½",
            "(╯°□°)╯",
            "┌─┐",
            "Œuvre",
            "Москва",
            "ΟΔΟΣ",
            "§ 5",
            "™",
            "5 €",
            "日本語",
        ] {
            assert!(!is_bad(text), "{text}");
        }
    }
}
