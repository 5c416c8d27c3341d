//! The single-byte encodings in which UTF-8 is wrongly read.

use std::sync::LazyLock;

use encoding_rs::{
    Encoding, ISO_8859_2, MACINTOSH, WINDOWS_1250, WINDOWS_1251, WINDOWS_1252, WINDOWS_1253,
    WINDOWS_1254, WINDOWS_1257,
};

/// Stands for the replacement character in a page of Windows, where it means nothing else.
const SUBSTITUTE: u8 = 0x1a;

/// The upper half of IBM's page 437, which `encoding_rs` lacks: browsers do not know it.
const IBM_437: &str = "\
    ÇüéâäàåçêëèïîìÄÅÉæÆôöòûùÿÖÜ¢£¥₧ƒáíóúñÑªº¿⌐¬½¼¡«»░▒▓│┤╡╢╖╕╣║╗╝╜╛┐\
    └┴┬├─┼╞╟╚╔╩╦╠═╬╧╨╤╥╙╘╒╓╫╪┘┌█▄▌▐▀αßΓπΣσµτΦΘΩδ∞φε∩≡±≥≤⌠⌡÷≈°∙·√ⁿ²■\u{a0}";

/// All pages, in the order in which they are tried: Latin-1, Windows', and those of other systems.
static PAGES: LazyLock<[CodePage; 10]> = LazyLock::new(|| {
    [
        CodePage::new(Family::Latin1, (0x80..=0xff).map(char::from)),
        CodePage::windows(WINDOWS_1252),
        CodePage::windows(WINDOWS_1251),
        CodePage::windows(WINDOWS_1250),
        CodePage::windows(WINDOWS_1253),
        CodePage::windows(WINDOWS_1254),
        CodePage::windows(WINDOWS_1257),
        CodePage::new(Family::Other, upper_half(ISO_8859_2)),
        CodePage::new(Family::Macintosh, upper_half(MACINTOSH)),
        CodePage::new(Family::Other, IBM_437.chars()),
    ]
});

/// An encoding of one byte a character: ASCII, and 128 characters of its own.
pub struct CodePage {
    family: Family,
    /// What the bytes from 0x80 on stand for.
    upper: [char; 128],
    /// The same sorted by character, each with its byte.
    sorted: [(char, u8); 128],
}

/// What pages have in common.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Family {
    Latin1,
    Windows,
    Macintosh,
    Other,
}

impl CodePage {
    /// The pages in the order in which they are tried.
    pub fn all() -> &'static [Self] {
        &*PAGES
    }

    fn new(family: Family, characters: impl Iterator<Item = char>) -> Self {
        let mut upper = ['\u{fffd}'; 128];
        for (place, c) in upper.iter_mut().zip(characters) {
            *place = c;
        }
        let mut sorted = [('\u{fffd}', 0); 128];
        for (place, pair) in sorted.iter_mut().zip(upper.into_iter().zip(0x80..)) {
            *place = pair;
        }
        sorted.sort_unstable();
        Self {
            family,
            upper,
            sorted,
        }
    }

    /// A page of Windows. A byte that it leaves open stands for what it is in Latin-1.
    fn windows(encoding: &'static Encoding) -> Self {
        let closed = (0x80..=0xff)
            .map(char::from)
            .zip(upper_half(encoding))
            .map(|(latin, c)| if c == '\u{fffd}' { latin } else { c });
        Self::new(Family::Windows, closed)
    }

    /// The bytes of `text`, or `None` if some character is not in this page. In a page of Windows,
    /// the replacement character becomes byte 1A, the control character "substitute".
    pub fn encode(&self, text: &str) -> Option<Vec<u8>> {
        text.chars().map(|c| self.byte(c)).collect()
    }

    fn byte(&self, c: char) -> Option<u8> {
        match u8::try_from(c) {
            Ok(SUBSTITUTE) if self.may_lose_characters() => None,
            Ok(byte) if byte.is_ascii() => Some(byte),
            _ if c == '\u{fffd}' && self.may_lose_characters() => Some(SUBSTITUTE),
            _ => {
                let found = self.sorted.binary_search_by_key(&c, |&(own, _)| own);
                found.ok().map(|at| self.sorted[at].1)
            }
        }
    }

    /// Whether programs that read this page may turn a byte that it leaves open into U+FFFD.
    pub fn may_lose_characters(&self) -> bool {
        self.family == Family::Windows
    }

    /// Whether a space may be what became of byte A0. In Mac OS Roman, a dash before a space would
    /// look so.
    pub fn may_lose_spaces(&self) -> bool {
        self.family != Family::Macintosh
    }
}

/// The bytes from 0x80 on that Latin-1 or a page of Windows shows as `c`.
pub fn latin_bytes(c: char) -> impl Iterator<Item = u8> {
    PAGES
        .iter()
        .filter(|page| matches!(page.family, Family::Latin1 | Family::Windows))
        .filter_map(move |page| page.byte(c))
        .filter(|byte| !byte.is_ascii())
}

/// The character that a browser shows for a C1 control character; any other character is kept.
pub fn without_c1(c: char) -> char {
    match c {
        // By Windows-1252, the second page.
        '\u{80}'..='\u{9f}' => PAGES[1].upper[c as usize - 0x80],
        _ => c,
    }
}

/// What an encoding has for the bytes from 0x80 on: U+FFFD where it leaves one open.
fn upper_half(encoding: &'static Encoding) -> impl Iterator<Item = char> {
    let bytes: Vec<u8> = (0x80..=0xff).collect();
    let (text, _) = encoding.decode_without_bom_handling(&bytes);
    text.chars().collect::<Vec<_>>().into_iter()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_page_has_128_characters_of_its_own_and_writes_what_it_reads() {
        for page in CodePage::all() {
            let text: String = page.upper.iter().collect();
            let bytes: Vec<u8> = (0x80..=0xff).collect();
            assert_eq!(page.encode(&text), Some(bytes), "{text}");
        }
    }

    #[test]
    fn a_page_refuses_what_it_does_not_have() {
        let [latin, windows, ..] = CodePage::all() else {
            panic!("pages");
        };
        assert_eq!(latin.encode("a\u{1a}é"), Some(vec![b'a', 0x1a, 0xe9]));
        assert_eq!(latin.encode("€"), None);
        assert_eq!(latin.encode("\u{fffd}"), None);
        assert_eq!(windows.encode("€\u{81}"), Some(vec![0x80, 0x81]));
        assert_eq!(windows.encode("a\u{fffd}"), Some(vec![b'a', 0x1a]));
        assert_eq!(windows.encode("\u{1a}"), None);
    }
}
