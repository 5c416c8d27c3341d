//! UTF-8 as it comes out of a text that was wrongly decoded: harmed, or in a variant of some programs.

/// Puts byte A0 back where some program took it for a space to be made plain, if the sequence is a
/// likely one.
///
/// `Ã` alone is an `à`, which mostly is a word of its own: it gets its byte and keeps the space. In
/// Portuguese `às` and `àquele`, `àquela`, `àquilo` it begins a word.
pub fn restore_spaces(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len() + 8);
    let mut rest = bytes;
    while let Some(&first) = rest.first() {
        let used = altered_length(rest).unwrap_or(1);
        let (sequence, after) = rest.split_at(used);
        if used == 1 {
            out.push(first);
        } else {
            out.extend(sequence.iter().map(|&b| if b == b' ' { 0xa0 } else { b }));
            let begins_word = [&b" "[..], b"quele", b"quela", b"quilo", b"s "]
                .iter()
                .any(|start| after.starts_with(start));
            if first == 0xc3 && !begins_word {
                out.push(b' ');
            }
        }
        rest = after;
    }
    out
}

/// Length of the sequence that `bytes` begins with, if it is UTF-8 but for a space in place of A0.
///
/// Only sequences of likely characters count. After E0 and E1, A0 would give rare scripts; E4 and
/// higher give Chinese; 85 was an ellipsis.
fn altered_length(bytes: &[u8]) -> Option<usize> {
    match bytes {
        [0xc2 | 0xc3 | 0xc5 | 0xce | 0xd0 | 0xd9, b' ', ..] => Some(2),
        [
            0xe2 | 0xe3,
            b' ',
            0x80..=0x84 | 0x86..=0x9f | 0xa1..=0xbf,
            ..,
        ]
        | [
            0xe0..=0xe3,
            0x80..=0x84 | 0x86..=0x9f | 0xa1..=0xbf,
            b' ',
            ..,
        ] => Some(3),
        [0xf0, b' ', 0x80..=0xbf, 0x80..=0xbf, ..]
        | [0xf0, 0x80..=0xbf, b' ', 0x80..=0xbf, ..]
        | [0xf0, 0x80..=0xbf, 0x80..=0xbf, b' ', ..] => Some(4),
        _ => None,
    }
}

/// Makes U+FFFD of every sequence in which bytes were lost: byte 1A stands for each, or once a `?`.
pub fn mark_losses(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len() + 8);
    let mut rest = bytes;
    while let Some(&first) = rest.first() {
        let lossy = lossy_length(rest);
        match lossy {
            Some(_) => out.extend("\u{fffd}".bytes()),
            None => out.push(first),
        }
        rest = &rest[lossy.unwrap_or(1)..];
    }
    out
}

/// Length of the sequence that `bytes` begins with, if bytes were lost from it.
fn lossy_length(bytes: &[u8]) -> Option<usize> {
    match *bytes {
        // A pair of surrogates.
        [0xed, 0xa0..=0xaf, a, 0xed, 0xb0..=0xbf, b, ..] if is_lossy(&[a, b], 2) => Some(6),
        [0xc2..=0xc3, a, ..] if is_lossy(&[a], 1) => Some(2),
        [0xc4..=0xdf, a, ..] if is_lossy(&[a], 0) => Some(2),
        [0xe0..=0xef, a, b, ..] if is_lossy(&[a, b], 1) => Some(3),
        [0xf0..=0xf4, a, b, c, ..] if is_lossy(&[a, b, c], 1) => Some(4),
        [0x1a, ..] => Some(1),
        _ => None,
    }
}

/// Whether `tails` continue a sequence, some of them lost, of which at most `marks` are now a `?`.
fn is_lossy(tails: &[u8], marks: usize) -> bool {
    let count = |wanted: fn(&u8) -> bool| tails.iter().filter(|&byte| wanted(byte)).count();
    let kept = count(|byte| matches!(byte, 0x80..=0xbf));
    let substitutes = count(|&byte| byte == 0x1a);
    let question_marks = tails.len() - kept - substitutes;
    kept < tails.len() && question_marks <= marks && question_marks == count(|&byte| byte == b'?')
}

/// Decodes UTF-8 and two variants: pairs of surrogates of three bytes each (CESU-8), and Java's NUL
/// of two bytes. `None` if that does not explain all bytes.
pub fn decode(bytes: &[u8]) -> Option<String> {
    let mut standard = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let Some(&first) = rest.first() {
        let (c, used) = match *rest {
            // The reference's pattern takes a newline at the very end for the end itself.
            [0xc0, 0x80, ..] | [0xc0, b'\n'] => ('\0', 2),
            [
                0xed,
                high @ 0xa0..=0xaf,
                a @ 0x80..=0xbf,
                0xed,
                low @ 0xb0..=0xbf,
                b,
                ref after @ ..,
            ] if matches!(b, 0x80..=0xbf) || (b == b'\n' && after.is_empty()) => {
                (surrogate_pair([high, a, low, b])?, 6)
            }
            _ => {
                standard.push(first);
                rest = &rest[1..];
                continue;
            }
        };
        standard.extend(c.encode_utf8(&mut [0; 4]).bytes());
        rest = &rest[used..];
    }
    String::from_utf8(standard).ok()
}

/// The character of a pair of surrogates, of which each byte but the leads holds four or six bits.
fn surrogate_pair([high, a, low, b]: [u8; 4]) -> Option<char> {
    let bits = |byte: u8, mask: u8| u32::from(byte & mask);
    let plane_and_rest =
        bits(high, 0x0f) << 16 | bits(a, 0x3f) << 10 | bits(low, 0x0f) << 6 | bits(b, 0x3f);
    char::from_u32(0x1_0000 + plane_and_rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_space_becomes_byte_a0_where_that_makes_a_likely_character() {
        for (bytes, expected) in [
            (&b"voil\xc3 le"[..], &b"voil\xc3\xa0 le"[..]),
            (b"\xc3  la", b"\xc3\xa0 la"),
            (b"\xc3 s 5, \xc3 quele", b"\xc3\xa0s 5, \xc3\xa0quele"),
            (b"\xc5 koda", b"\xc5\xa0koda"),
            (b"\xe2 \x81\xe4 \x81", b"\xe2\xa0\x81\xe4 \x81"),
            (b"\xf0\x9f \x8e\xf0", b"\xf0\x9f\xa0\x8e\xf0"),
            (b"a \xe9 b", b"a \xe9 b"),
        ] {
            assert_eq!(restore_spaces(bytes), expected);
        }
    }

    #[test]
    fn a_sequence_that_lost_bytes_becomes_one_replacement_character() {
        for (bytes, expected) in [
            (&b"\xc3\x1a \xc3? \xc4?"[..], "\u{fffd} \u{fffd} \u{c4}?"),
            (b"\xe2\x80\x1a\xe2?\x1a\xe2??", "\u{fffd}\u{fffd}\u{e2}??"),
            (b"\xed\xa0?\xed\xb0\x80", "\u{fffd}"),
            (b"\xf0\x9f\x1a\x8ea\x1a", "\u{fffd}a\u{fffd}"),
        ] {
            let marked = mark_losses(bytes);
            let text: String = marked.utf8_chunks().fold(String::new(), |text, chunk| {
                let invalid = chunk.invalid().iter().map(|&b| char::from(b));
                text + chunk.valid() + &invalid.collect::<String>()
            });
            assert_eq!(text, expected);
        }
    }

    #[test]
    fn variants_of_utf8_are_decoded_and_anything_else_is_refused() {
        for (bytes, expected) in [
            (&b"caf\xc3\xa9 \xed\x9e\xa3"[..], Some("café 힣")),
            (b"\xed\xa0\xbd\xed\xb8\x80!", Some("😀!")),
            (b"a\xc0\x80b", Some("a\0b")),
            (b"a\xc0\n", Some("a\0")),
            (b"a\xc0\nb", None),
            (b"\xed\xa0\xbd\xed\xb8\n", Some("\u{1f60a}")),
            (b"\xed\xa0\xbd\xed\xb8", None),
            (b"\xed\xb8\x80", None),
            (b"\xc3", None),
            (b"\xe2\xc0\x80", None),
        ] {
            assert_eq!(decode(bytes).as_deref(), expected, "{bytes:x?}");
        }
    }
}
