//! Text from outside in a page: it makes no tag, and nothing in it reverses the order of what follows.

use crate::util::escape::one_line;

/// Between tags.
pub fn escape_text(text: impl AsRef<str>) -> String {
    htmlize::escape_text(one_line(text.as_ref())).into_owned()
}

/// Between quotes.
pub fn escape_attribute(text: impl AsRef<str>) -> String {
    htmlize::escape_attribute(one_line(text.as_ref())).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_makes_no_tag_and_reverses_nothing() {
        let text = "<b>\"a\u{202e}b\nc";
        assert_eq!(escape_text(text), "&lt;b&gt;\"a\\u{202e}b\\nc");
        assert_eq!(escape_attribute(text), "&lt;b&gt;&quot;a\\u{202e}b\\nc");
    }
}
