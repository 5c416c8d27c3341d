//! Text for a terminal. File names may hold any character; none of them is to move the cursor,
//! recolour what follows, or reverse its order.

use std::borrow::Cow;

/// The text with control characters, but for line breaks and tabs, written as escapes.
pub fn visible(text: &str) -> Cow<'_, str> {
    if !text.contains(commands) {
        return text.into();
    }
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        if commands(c) {
            shown.extend(c.escape_default())
        } else {
            shown.push(c)
        }
    }
    shown.into()
}

/// A file's name as text, in which bytes that are no UTF-8 stay apart from each other: `\xE9`.
pub fn name(name: &std::ffi::OsStr) -> Cow<'_, str> {
    if let Some(text) = name.to_str() {
        return text.into();
    }
    let mut shown = String::new();
    for chunk in name.as_encoded_bytes().utf8_chunks() {
        shown += chunk.valid();
        for byte in chunk.invalid() {
            shown += &format!("\\x{byte:02X}");
        }
    }
    shown.into()
}

/// The text without the numbers that the standard library puts behind what the system says: "No such
/// file or directory (os error 2)".
pub fn without_system_codes(text: &str) -> Cow<'_, str> {
    const BEGIN: &str = " (os error ";
    if !text.contains(BEGIN) {
        return text.into();
    }
    let mut parts = text.split(BEGIN);
    let mut shown = parts.next().unwrap_or_default().to_string();
    for part in parts {
        match part.split_once(')') {
            Some((code, rest)) if code.parse::<i32>().is_ok() => shown += rest,
            _ => {
                shown += BEGIN;
                shown += part;
            }
        }
    }
    shown.into()
}

/// Whether a terminal obeys a character instead of showing it.
fn commands(c: char) -> bool {
    let reorders =
        matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    (c.is_control() && !matches!(c, '\n' | '\t')) || reorders
}

#[cfg(test)]
mod tests {
    #[test]
    fn what_a_terminal_would_obey_is_shown_instead() {
        let text = "a\u{1b}[31mb\rc\u{9b}d\u{202e}e\tf\n";
        let shown = "a\\u{1b}[31mb\\rc\\u{9b}d\\u{202e}e\tf\n";
        assert_eq!(super::visible(text), shown);
        assert_eq!(super::visible("é – ü\n"), "é – ü\n");
    }

    #[test]
    fn the_systems_codes_are_left_out() {
        let text = "x: No such file (os error 2); y (os error 13): z";
        assert_eq!(super::without_system_codes(text), "x: No such file; y: z");
        for text in ["plain", "a (os error ", "a (os error x) b"] {
            assert_eq!(super::without_system_codes(text), text);
        }
    }

    #[cfg(unix)]
    #[test]
    fn names_that_differ_in_a_byte_stay_apart() {
        use std::os::unix::ffi::OsStrExt;
        let name = |bytes| super::name(std::ffi::OsStr::from_bytes(bytes)).into_owned();
        assert_eq!(name(b"caf\xe9.jpg"), "caf\\xE9.jpg");
        assert_eq!(name(b"caf\xe8.jpg"), "caf\\xE8.jpg");
        assert_eq!(name("café.jpg".as_bytes()), "café.jpg");
    }
}
