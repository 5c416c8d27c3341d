//! HTML character references, decoded by the two rules the reference applies one after the other.
//!
//! [`unescape`] is the lenient rule of Python's `html.unescape`, which follows the HTML standard:
//! `&amp` needs no semicolon, the longest known prefix counts. [`unescape_strict`] is the rule of
//! `ftfy`: only references that end in a semicolon, plus names written all in capitals (`&EACUTE;`).
//!
//! The crate `htmlize` decodes names: it equals Python there. It cannot decode numbers: Python drops
//! control characters and code points that are no characters; the standard, and so the crate, keeps
//! them. No crate has `ftfy`'s rule.

use super::mojibake::code_page::without_c1;

/// Longest run of letters and digits that the strict rule looks at.
const LONGEST_STRICT: usize = 24;

/// Decodes every character reference in `text` as Python's `html.unescape` does.
pub fn unescape(text: &str) -> String {
    let mut pieces = text.split("&#");
    // No name goes on past an ampersand.
    let mut out = htmlize::unescape(pieces.next().unwrap_or_default()).into_owned();
    for piece in pieces {
        let rest = match number(piece) {
            Some((value, used)) => {
                out.extend(numbered(value));
                &piece[used..]
            }
            None => {
                out.push_str("&#");
                piece
            }
        };
        out.push_str(&htmlize::unescape(rest));
    }
    out
}

/// Decodes the unambiguous references of `text`: those closed by a semicolon.
pub fn unescape_strict(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('&') {
        out.push_str(&rest[..at]);
        let reference = &rest[at..];
        let used = strict_length(reference);
        match used.and_then(|used| strict_value(&reference[..used])) {
            Some(value) => out.push_str(&value),
            // The ampersand alone is passed over when nothing follows it that looks like a
            // reference; a reference of unknown meaning is passed over whole.
            None => out.push_str(&reference[..used.unwrap_or(1)]),
        }
        rest = &reference[used.unwrap_or(1)..];
    }
    out.push_str(rest);
    out
}

/// The number that `text`, which follows `&#`, begins with, and how many bytes it takes.
fn number(text: &str) -> Option<(u32, usize)> {
    let (digits, radix) = match text.strip_prefix(['x', 'X']) {
        Some(hexadecimal) => (hexadecimal, 16),
        None => (text, 10),
    };
    let length = digits
        .bytes()
        .take_while(|&b| char::from(b).is_digit(radix))
        .count();
    if length == 0 {
        return None;
    }
    // Too large for 32 bits is too large for a character.
    let value = u32::from_str_radix(&digits[..length], radix).unwrap_or(u32::MAX);
    let closed = usize::from(digits[length..].starts_with(';'));
    Some((value, text.len() - digits.len() + length + closed))
}

/// The character of a numeric reference; `None` for a code point that vanishes.
fn numbered(value: u32) -> Option<char> {
    match value {
        0 => Some('\u{fffd}'),
        0x80..=0x9f => char::from_u32(value).map(without_c1),
        0x01..=0x08 | 0x0b | 0x0e..=0x1f | 0x7f | 0xfdd0..=0xfdef => None,
        0x11_0000.. => Some('\u{fffd}'),
        // The last two code points of every plane are not characters.
        _ if value & 0xfffe == 0xfffe => None,
        // Only surrogates are left to fail here.
        _ => Some(char::from_u32(value).unwrap_or('\u{fffd}')),
    }
}

/// Length of the reference that `text` starts with, from ampersand to semicolon.
fn strict_length(text: &str) -> Option<usize> {
    let hash = usize::from(text[1..].starts_with('#'));
    let body = &text[1 + hash..];
    let length = body.bytes().take_while(u8::is_ascii_alphanumeric).count();
    ((1..=LONGEST_STRICT).contains(&length) && body[length..].starts_with(';'))
        .then_some(1 + hash + length + 1)
}

/// What a reference, from ampersand to semicolon, means by the strict rule.
fn strict_value(reference: &str) -> Option<String> {
    if reference.starts_with("&#") {
        let decoded = unescape(reference);
        // A semicolon that is left over says that only a part was understood.
        return (!decoded.contains(';')).then_some(decoded);
    }
    if let Some(value) = named(reference) {
        return Some(value.to_owned());
    }
    // `&EACUTE;`: a name in capitals that means nothing itself, while the same in lower case does.
    if reference.bytes().any(|b| b.is_ascii_lowercase()) || unescape(reference) != reference {
        return None;
    }
    named(&reference.to_ascii_lowercase()).map(str::to_uppercase)
}

/// What a name of HTML means, written from ampersand to semicolon.
fn named(reference: &str) -> Option<&'static str> {
    std::str::from_utf8(htmlize::ENTITIES.get(reference.as_bytes())?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lenient_rule_takes_the_longest_known_prefix() {
        for (text, expected) in [
            ("&amp;", "&"),
            ("&ampx", "&x"),
            ("&notit;", "¬it;"),
            ("&notin;", "∉"),
            ("&unknown;", "&unknown;"),
            ("&", "&"),
            ("&&amp", "&&"),
            ("a &lt b", "a < b"),
            ("&é", "&é"),
        ] {
            assert_eq!(unescape(text), expected, "{text}");
        }
    }

    #[test]
    fn numbers_of_forbidden_code_points_vanish_or_are_mapped() {
        for (text, expected) in [
            ("&#65;&#x41;&#X41", "AAA"),
            ("&#0;&#xD800;&#99999999999999;", "\u{fffd}\u{fffd}\u{fffd}"),
            ("&#128;&#x9f;", "€Ÿ"),
            ("a&#1;&#xFFFE;&#x1FFFF;b", "ab"),
            ("&#13;&#12;", "\r\u{c}"),
            ("&#;&#x;&#xg;", "&#;&#x;&#xg;"),
        ] {
            assert_eq!(unescape(text), expected, "{text}");
        }
    }

    #[test]
    fn the_strict_rule_needs_a_semicolon_and_knows_capitals() {
        for (text, expected) in [
            ("&lt;tag&gt;", "<tag>"),
            ("this&not that", "this&not that"),
            ("P&EACUTE;REZ BUNDESSTRA&SZLIG;E", "PÉREZ BUNDESSTRASSE"),
            ("&ntilde; &Ntilde; &NTILDE; &nTILDE;", "ñ Ñ Ñ &nTILDE;"),
            ("&#35; &#59; &#12ab;", "# &#59; &#12ab;"),
        ] {
            assert_eq!(unescape_strict(text), expected, "{text}");
        }
    }
}
