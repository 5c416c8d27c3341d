//! How JSON documents are laid out: a line for each field, and for each element of a list. A list of
//! a million short rows then has a million lines, not six million.

use serde::Serialize;

/// Spaces by which the indented form sets inner values apart.
const STEP: usize = 2;

/// Forms a document that ends in a line break.
///
/// # Errors
/// When the value has no JSON form.
pub fn to_string(value: &impl Serialize) -> serde_json::Result<String> {
    let indented = serde_json::to_string_pretty(value)?;
    let mut text = String::with_capacity(indented.len());
    // Indentation of the outermost list, inside it.
    let mut list: Option<usize> = None;
    // Strings have no line breaks of their own.
    for line in indented.lines() {
        let content = line.trim_start();
        let indent = line.len() - content.len();
        let closes = content.starts_with([']', '}']);
        if list.is_some_and(|list| indent > list + STEP || (closes && indent > list)) {
            // It belongs to the element of the list that the line before begins or goes on with.
            let opened = text.ends_with(['[', '{']);
            text.push_str(if opened || closes { "" } else { " " });
            text.push_str(content);
            continue;
        }
        if !text.is_empty() {
            text.push('\n');
        }
        text.push_str(line);
        if list == Some(indent) {
            list = None;
        } else if content.ends_with('[') {
            list.get_or_insert(indent);
        }
    }
    text.push('\n');
    Ok(text)
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
