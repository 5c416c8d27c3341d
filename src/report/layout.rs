//! How JSON documents are laid out: a line for each field, and for each element of a list.

use std::io;

use serde::Serialize;
use serde_json::ser::{Formatter, PrettyFormatter, Serializer};

/// Forms a document that ends in a line break.
///
/// # Errors
/// When the value has no JSON form.
pub fn to_string(value: &impl Serialize) -> serde_json::Result<String> {
    let mut bytes = Vec::new();
    value.serialize(&mut Serializer::with_formatter(
        &mut bytes,
        Layout::default(),
    ))?;
    bytes.push(b'\n');
    String::from_utf8(bytes).map_err(serde::ser::Error::custom)
}

/// Indents, but keeps what is inside a list's element on one line. A list with a million short
/// rows then has a million lines, not six.
#[derive(Default)]
struct Layout {
    pretty: PrettyFormatter<'static>,
    lists: usize,
    /// Lists and objects inside the outermost list.
    inside: usize,
}

impl Layout {
    fn compact(&self) -> bool {
        self.inside > 0
    }

    fn open(&mut self) {
        self.inside += usize::from(self.lists > 0);
    }

    fn close(&mut self) {
        self.inside = self.inside.saturating_sub(1);
    }
}

/// Passes on to the indenting form outside elements.
macro_rules! indented_outside {
    ($($name:ident($($argument:ident: $type:ty),*) else $compact:expr;)*) => {$(
        fn $name<W: ?Sized + io::Write>(
            &mut self, writer: &mut W $(, $argument: $type)*
        ) -> io::Result<()> {
            if self.compact() {
                let text: &str = $compact;
                writer.write_all(text.as_bytes())
            } else {
                self.pretty.$name(writer $(, $argument)*)
            }
        }
    )*};
}

impl Formatter for Layout {
    fn begin_array<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.open();
        if self.compact() {
            return writer.write_all(b"[");
        }
        self.lists += 1;
        self.pretty.begin_array(writer)
    }

    fn end_array<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        if self.compact() {
            self.close();
            return writer.write_all(b"]");
        }
        self.lists -= 1;
        self.pretty.end_array(writer)
    }

    fn begin_array_value<W: ?Sized + io::Write>(
        &mut self,
        writer: &mut W,
        first: bool,
    ) -> io::Result<()> {
        if self.compact() {
            return writer.write_all(if first { b"" } else { b", " });
        }
        self.pretty.begin_array_value(writer, first)
    }

    fn begin_object<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.open();
        if self.compact() {
            return writer.write_all(b"{");
        }
        self.pretty.begin_object(writer)
    }

    fn end_object<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        if self.compact() {
            self.close();
            return writer.write_all(b"}");
        }
        self.pretty.end_object(writer)
    }

    fn begin_object_key<W: ?Sized + io::Write>(
        &mut self,
        writer: &mut W,
        first: bool,
    ) -> io::Result<()> {
        if self.compact() {
            return writer.write_all(if first { b"" } else { b", " });
        }
        self.pretty.begin_object_key(writer, first)
    }

    indented_outside! {
        end_array_value() else "";
        begin_object_value() else ": ";
        end_object_value() else "";
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn elements_of_lists_stay_on_one_line() {
        let value = serde_json::json!({
            "a": {"b": 1, "none": []},
            "c": [["x", 1], {"y": [2, {"z": 3}]}, 4],
        });
        let text = super::to_string(&value).unwrap();
        let expected = "{\n  \"a\": {\n    \"b\": 1,\n    \"none\": []\n  },\n  \"c\": [\n    [\"x\", 1],\n    {\"y\": [2, {\"z\": 3}]},\n    4\n  ]\n}\n";
        assert_eq!(text, expected);
        assert_eq!(
            serde_json::from_str::<serde_json::Value>(&text).unwrap(),
            value
        );
    }
}
