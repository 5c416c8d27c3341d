//! HTML character references, decoded by the two rules the reference applies one after the other.
//!
//! [`unescape`] is the lenient rule of Python's `html.unescape`, which follows the HTML standard:
//! `&amp` needs no semicolon, the longest known prefix counts, numbers of forbidden code points
//! vanish or are mapped. [`unescape_strict`] is the rule of `ftfy`: only references that end in a
//! semicolon, plus names written all in capitals (`&EACUTE;`).
//!
//! The table of the 2231 names is `htmlize`'s; only the rules are here.

/// Longest run of characters after `&` that is looked up as a name, without its semicolon.
const LONGEST_NAME: usize = 32;

/// Longest run of letters and digits that the strict rule looks at.
const LONGEST_STRICT: usize = 24;

/// Decodes every character reference in `text` as Python's `html.unescape` does.
pub fn unescape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('&') {
        out.push_str(&rest[..at]);
        let after = &rest[at + 1..];
        let taken = match after.strip_prefix('#') {
            Some(number) => lenient_number(number, &mut out).map(|used| used + 1),
            None => lenient_name(after, &mut out),
        };
        rest = match taken {
            Some(used) => &after[used..],
            None => {
                out.push('&');
                after
            }
        };
    }
    out.push_str(rest);
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

/// Decodes what follows `&#`; returns how many bytes of it were used.
fn lenient_number(text: &str, out: &mut String) -> Option<usize> {
    let (digits, radix) = match text.strip_prefix(['x', 'X']) {
        Some(hexadecimal) => (hexadecimal, 16),
        None => (text, 10),
    };
    let mut value: u32 = 0;
    let mut length = 0;
    for c in digits.chars() {
        let Some(digit) = c.to_digit(radix) else {
            break;
        };
        value = value.saturating_mul(radix).saturating_add(digit);
        length += c.len_utf8();
    }
    if length == 0 {
        return None;
    }
    if let Some(c) = numbered(value) {
        out.push(c);
    }
    let closed = usize::from(digits[length..].starts_with(';'));
    Some(text.len() - digits.len() + length + closed)
}

/// The character of a numeric reference; `None` for a code point that vanishes.
fn numbered(value: u32) -> Option<char> {
    match value {
        0 => Some('\u{fffd}'),
        0x80..=0x9f => Some(windows_1252(value)),
        0x01..=0x08 | 0x0b | 0x0e..=0x1f | 0x7f | 0xfdd0..=0xfdef => None,
        0x11_0000.. => Some('\u{fffd}'),
        // The last two code points of every plane are not characters.
        _ if value & 0xfffe == 0xfffe => None,
        // Only surrogates are left to fail here.
        _ => Some(char::from_u32(value).unwrap_or('\u{fffd}')),
    }
}

/// The character that a browser shows for a number in the C1 range.
pub(super) fn windows_1252(value: u32) -> char {
    const TABLE: [char; 32] = [
        '€', '\u{81}', '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', '\u{8d}', 'Ž',
        '\u{8f}', '\u{90}', '‘', '’', '“', '”', '•', '–', '—', '\u{2dc}', '™', 'š', '›', 'œ',
        '\u{9d}', 'ž', 'Ÿ',
    ];
    TABLE
        .get(value.wrapping_sub(0x80) as usize)
        .copied()
        .unwrap_or('\u{fffd}')
}

/// Decodes the name that follows `&`, or its longest known prefix; returns the bytes used.
fn lenient_name(text: &str, out: &mut String) -> Option<usize> {
    let mut end = text
        .char_indices()
        .take(LONGEST_NAME)
        .take_while(|(_, c)| !matches!(c, '\t' | '\n' | '\u{c}' | ' ' | '<' | '&' | '#' | ';'))
        .last()
        .map(|(at, c)| at + c.len_utf8())?;
    end += usize::from(text[end..].starts_with(';'));
    // No name is shorter than two characters.
    (2..=end)
        .rev()
        .filter(|&end| text.is_char_boundary(end))
        .find_map(|end| {
            out.push_str(named(&text[..end])?);
            Some(end)
        })
}

/// What a name means, written as after the ampersand, with its semicolon if it has one.
fn named(name: &str) -> Option<&'static str> {
    let mut key = Vec::with_capacity(name.len() + 1);
    key.push(b'&');
    key.extend_from_slice(name.as_bytes());
    std::str::from_utf8(htmlize::ENTITIES.get(key.as_slice())?).ok()
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
    let name = &reference[1..];
    if name.starts_with('#') {
        let decoded = unescape(reference);
        // A semicolon that is left over says that only a part was understood.
        return (!decoded.contains(';')).then_some(decoded);
    }
    if let Some(value) = named(name) {
        return Some(value.to_owned());
    }
    // `&EACUTE;`: a name in capitals that means nothing itself, while the same in lower case does.
    if name.bytes().any(|b| b.is_ascii_lowercase()) || unescape(reference) != reference {
        return None;
    }
    named(&name.to_ascii_lowercase()).map(str::to_uppercase)
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
