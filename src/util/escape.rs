//! Text for people. File names, class names and whatever else comes from outside may hold any
//! character; none of it is to begin a line of its own, move a terminal's cursor, recolour what
//! follows, or reverse its order.
//!
//! What comes from outside is put into a text by [`Shown::shown`], so that it stays on its line; each
//! text as a whole goes through [`visible`] before a terminal gets it. Paths in documents that
//! programs read are [`PathText`](super::path_text::PathText)s.

use std::borrow::Cow;
use std::ffi::OsStr;
use std::fmt::{self, Write as _};
use std::path::Path;

/// Text of several lines with control characters, but for line breaks and tabs, written as escapes.
pub fn visible(text: &str) -> Cow<'_, str> {
    escaped(text, |c| commands(c) && !matches!(c, '\n' | '\t'))
}

/// Text of one line: line breaks and tabs are escapes, too.
pub fn one_line(text: &str) -> Cow<'_, str> {
    escaped(text, commands)
}

fn escaped(text: &str, obeyed: impl Fn(char) -> bool) -> Cow<'_, str> {
    if !text.contains(&obeyed) {
        return text.into();
    }
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        if obeyed(c) {
            shown.extend(c.escape_default())
        } else {
            shown.push(c)
        }
    }
    shown.into()
}

/// What comes from outside, as a part of a line for people.
pub trait Shown {
    /// The text, in which nothing ends the line or commands a terminal.
    fn shown(&self) -> Cow<'_, str>;
}

impl Shown for str {
    fn shown(&self) -> Cow<'_, str> {
        one_line(self)
    }
}

impl Shown for OsStr {
    fn shown(&self) -> Cow<'_, str> {
        match name(self) {
            Cow::Borrowed(name) => one_line(name),
            Cow::Owned(name) => one_line(&name).into_owned().into(),
        }
    }
}

impl Shown for Path {
    fn shown(&self) -> Cow<'_, str> {
        self.as_os_str().shown()
    }
}

/// Text of several lines, each written by one `writeln!`. Whatever that puts into its line stays there;
/// `write!` is for parts of lines that are the program's own.
#[derive(Debug)]
pub struct Lines<W>(W);

impl<W: fmt::Write> Lines<W> {
    pub fn new(to: W) -> Self {
        Self(to)
    }

    /// What the macros call.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write_fmt(&mut self, text: fmt::Arguments<'_>) -> fmt::Result {
        let text = text.to_string();
        match text.strip_suffix('\n') {
            Some(line) => {
                self.0.write_str(&one_line(line))?;
                self.0.write_char('\n')
            }
            None => self.0.write_str(&one_line(&text)),
        }
    }
}

/// A file's name as text, one for each name: bytes that are no UTF-8 are `\xE9`, and where a name
/// itself has such letters, its backslash is `\x5C`.
pub fn name(name: &OsStr) -> Cow<'_, str> {
    // Not only on Unix: there, too, this is UTF-8 but for what no text can be.
    bytes(name.as_encoded_bytes())
}

/// As [`name`], for a name of bytes, as archives have them.
pub fn bytes(name: &[u8]) -> Cow<'_, str> {
    let sound = std::str::from_utf8(name);
    if let Ok(text) = sound
        && !text
            .match_indices('\\')
            .any(|(at, _)| escape_at(text.as_bytes(), at).is_some())
    {
        return text.into();
    }
    let mut shown = String::with_capacity(name.len() + 8);
    let mut at = 0;
    for chunk in name.utf8_chunks() {
        for c in chunk.valid().chars() {
            if c == '\\' && escape_at(name, at).is_some() {
                shown += "\\x5C";
            } else {
                shown.push(c);
            }
            at += c.len_utf8();
        }
        for byte in chunk.invalid() {
            let _ = write!(shown, "\\x{byte:02X}");
            at += 1;
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

/// The bytes of the name that [`bytes`] made this text of.
pub fn unescaped(text: &str) -> Cow<'_, [u8]> {
    let text = text.as_bytes();
    if !text.contains(&b'\\') {
        return text.into();
    }
    let mut name = Vec::with_capacity(text.len());
    let mut at = 0;
    while let Some(byte) = text.get(at) {
        match escape_at(text, at) {
            Some(meant) => {
                name.push(meant);
                at += 4;
            }
            None => {
                name.push(*byte);
                at += 1;
            }
        }
    }
    name.into()
}

/// The byte that is meant where a text has `\xE9`.
fn escape_at(text: &[u8], at: usize) -> Option<u8> {
    let &[b'\\', b'x', high, low] = text.get(at..at + 4)? else {
        return None;
    };
    let digit = |digit: u8| match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    };
    Some(digit(high)? << 4 | digit(low)?)
}

/// Whether a terminal obeys a character, or a reader takes it for the end of a line.
fn commands(c: char) -> bool {
    let ends_lines = matches!(c, '\u{2028}' | '\u{2029}');
    let reorders = matches!(
        c,
        '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
    );
    c.is_control() || ends_lines || reorders
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_would_obey_is_shown_instead() {
        let text = "a\u{1b}[31mb\rc\u{9b}d\u{202e}e\tf\u{2028}g\u{85}h\u{61c}\n";
        let shown = "a\\u{1b}[31mb\\rc\\u{9b}d\\u{202e}e\tf\\u{2028}g\\u{85}h\\u{61c}\n";
        assert_eq!(visible(text), shown);
        assert_eq!(visible("é – ü\n"), "é – ü\n");
    }

    #[test]
    fn nothing_from_outside_begins_a_line() {
        let name = "a\ntop-1  100 %\r\n\u{2028}\u{2029}\u{85}\u{b}\u{c}\tb";
        let shown = name.shown();
        assert!(
            shown.starts_with("a\\ntop-1  100 %\\r\\n\\u{2028}"),
            "{shown}"
        );
        assert!(!shown.contains(char::is_control), "{shown}");
        assert_eq!(Path::new("a\nb").shown(), "a\\nb");
    }

    #[test]
    fn a_line_that_is_written_is_one_line() {
        let mut text = String::new();
        let mut lines = Lines::new(&mut text);
        let name = "a\ntop-1  100 %\n";
        writeln!(lines, "data  {name}").unwrap();
        writeln!(lines).unwrap();
        write!(lines, "b").unwrap();
        assert_eq!(text, "data  a\\ntop-1  100 %\\n\n\nb");
    }

    #[test]
    fn the_systems_codes_are_left_out() {
        let text = "x: No such file (os error 2); y (os error 13): z";
        assert_eq!(super::without_system_codes(text), "x: No such file; y: z");
        for text in ["plain", "a (os error ", "a (os error x) b"] {
            assert_eq!(super::without_system_codes(text), text);
        }
    }

    #[test]
    fn names_that_differ_in_a_byte_stay_apart() {
        assert_eq!(bytes(b"caf\xe9.jpg"), "caf\\xE9.jpg");
        assert_eq!(bytes(b"caf\xe8.jpg"), "caf\\xE8.jpg");
        assert_eq!(bytes("café.jpg".as_bytes()), "café.jpg");
        assert_eq!(bytes(b"caf\\xE9.jpg"), "caf\\x5CxE9.jpg");
        assert_eq!(bytes(b"C:\\xe9\\y"), "C:\\xe9\\y");
    }

    #[test]
    fn a_name_comes_back_as_the_bytes_it_was() {
        // All names of up to six of these bytes: every way in which escapes could run together.
        let letters = [b'\\', b'x', b'5', b'C', 0xe9, b'E'];
        let mut seen = std::collections::HashMap::new();
        for length in 0..=6u32 {
            for number in 0..letters.len().pow(length) {
                let digit = |i| letters[number / letters.len().pow(i) % letters.len()];
                let name: Vec<u8> = (0..length).map(digit).collect();
                let text = bytes(&name).into_owned();
                assert_eq!(*unescaped(&text), *name, "{text}");
                assert_eq!(seen.insert(text, name), None);
            }
        }
    }
}
