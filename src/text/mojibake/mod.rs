//! Text that was decoded in the wrong encoding ("mojibake", `cafÃ©` for `café`), decoded rightly.
//!
//! Someone wrote UTF-8 and someone else read it in a single-byte encoding, perhaps more than once,
//! perhaps only in a part of the text. [`undo`] takes the wrong step back where the text shows it. It
//! decides exactly as `ftfy` 6.3.1 does in `fix_encoding` (Robyn Speer, Apache-2.0), which the
//! reference applies to every text; the tests compare the two.
//!
//! | file | what |
//! |---|---|
//! | [`badness`] | whether a text looks wrongly decoded |
//! | [`code_page`] | the single-byte encodings |
//! | [`utf8`] | UTF-8 that lost something on its way, and its decoding |

mod badness;
pub(super) mod code_page;
mod utf8;

use std::borrow::Cow;

use badness::is_bad;
use code_page::CodePage;

/// Decodes `text` again until it no longer looks wrongly decoded or nothing helps.
pub(super) fn undo(text: &str) -> Cow<'_, str> {
    let mut text = Cow::Borrowed(text);
    while let Some(better) = undo_once(&text) {
        text = Cow::Owned(better);
    }
    text
}

/// Takes one wrong step back. `None` if the text is fine or stays as it is.
fn undo_once(text: &str) -> Option<String> {
    if text.is_ascii() || !is_bad(text) {
        return None;
    }
    // A page that can write all of the text, as bytes that are UTF-8, decides.
    let whole = CodePage::all()
        .iter()
        .find_map(|page| decode_whole(text, page));
    if let Some(decoded) = whole {
        return (decoded != text).then_some(decoded);
    }
    let decoded = decode_runs(text);
    if decoded != text {
        return Some(decoded);
    }
    // Nobody means C1 control characters: browsers show them by Windows-1252.
    let shown: String = text.chars().map(code_page::without_c1).collect();
    (shown != text).then_some(shown)
}

/// What the text says if its bytes in `page` are UTF-8; `None` if they are not.
fn decode_whole(text: &str, page: &CodePage) -> Option<String> {
    let mut bytes = page.encode(text)?;
    if page.may_lose_spaces() {
        bytes = utf8::restore_spaces(&bytes);
    }
    if page.may_lose_characters() {
        bytes = utf8::mark_losses(&bytes);
    }
    utf8::decode(&bytes)
}

/// Decodes those parts of the text that look like UTF-8 sequences read in a Latin-like page.
fn decode_runs(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    let mut before = None;
    while let Some(first) = rest.chars().next() {
        // After the tail of some other sequence, this is the middle of something not understood.
        let length = if before.is_some_and(is_certain_tail) {
            0
        } else {
            run_length(rest)
        };
        if length == 0 {
            out.push(first);
            before = Some(first);
            rest = &rest[first.len_utf8()..];
            continue;
        }
        let (run, after) = rest.split_at(length);
        // A run that is the whole text has been tried, and would be tried for ever.
        if run.len() < text.len() && is_bad(run) {
            out.push_str(&undo(run));
        } else {
            out.push_str(run);
        }
        before = run.chars().next_back();
        rest = after;
    }
    out
}

/// Length in bytes of the sequences, one after the other, that `text` begins with.
fn run_length(text: &str) -> usize {
    let mut chars = text.chars();
    loop {
        let mut ahead = chars.clone();
        let Some(tails) = ahead.next().and_then(tails_after) else {
            break;
        };
        if !(0..tails).all(|_| ahead.next().is_some_and(is_tail)) {
            break;
        }
        chars = ahead;
    }
    text.len() - chars.as_str().len()
}

/// How many bytes follow in UTF-8 after the lead byte that `c` stands for, if it stands for one. No
/// character stands for lead bytes of two kinds.
fn tails_after(c: char) -> Option<usize> {
    code_page::latin_bytes(c).find_map(|byte| match byte {
        0xc2..=0xdf => Some(1),
        0xe0..=0xef => Some(2),
        // Hardly any text uses the planes that begin otherwise.
        0xf0 | 0xf3 => Some(3),
        _ => None,
    })
}

/// Whether `c` stands for a byte that continues a sequence, perhaps a space for byte A0.
fn is_tail(c: char) -> bool {
    c == ' ' || code_page::latin_bytes(c).any(|byte| matches!(byte, 0x80..=0xbf))
}

/// Whether `c` stands for such a byte and hardly ever for itself, as dashes and quotes do.
fn is_certain_tail(c: char) -> bool {
    !matches!(
        c,
        ' ' | '–' | '—' | '―' | '‘' | '’' | '‚' | '“' | '”' | '„' | '•' | '…'
    ) && is_tail(c)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_character_stands_for_lead_bytes_of_two_kinds() {
        for c in '\u{80}'..='\u{ffff}' {
            let kinds = [0xc2..=0xdf, 0xe0..=0xef, 0xf0..=0xf3];
            let found = kinds
                .iter()
                .filter(|kind| code_page::latin_bytes(c).any(|byte| kind.contains(&byte)));
            assert!(found.count() <= 1, "{c}");
        }
    }

    #[test]
    fn a_wrong_decoding_is_undone_in_the_whole_text_or_in_parts_of_it() {
        for (text, expected) in [
            ("cafÃ©", "café"),
            ("cafÃƒÂ©", "café"),
            ("naïve cafÃ©", "naïve café"),
            ("ÐŸÑ€Ð¸Ð²ÐµÑ‚ мир", "Привет мир"),
            ("voilÃ  le travail", "voilà le travail"),
            ("â€œ like this â€\u{fffd}", "“ like this \u{fffd}"),
            ("3Ã—4 \u{93}x\u{94}", "3×4 “x”"),
            ("café, 20° ±½", "café, 20° ±½"),
        ] {
            assert_eq!(undo(text), expected, "{text}");
        }
    }
}
