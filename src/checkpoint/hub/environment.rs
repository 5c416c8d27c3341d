//! What the environment says about the Hub, as the Python tools read it (huggingface_hub's `constants.py`
//! and `utils/_auth.py`). A variable that is set to nothing counts as unset.

use std::ffi::OsString;
use std::path::PathBuf;

const DEFAULT_ENDPOINT: &str = "https://huggingface.co";

/// A variable with something in it.
pub fn variable(name: &str) -> Option<OsString> {
    std::env::var_os(name).filter(|value| !value.is_empty())
}

/// Whether a variable says yes.
pub fn is_set(name: &str) -> bool {
    let value = variable(name).map(|value| value.to_string_lossy().to_uppercase());
    value.is_some_and(|value| matches!(value.as_str(), "1" | "ON" | "YES" | "TRUE"))
}

/// Whether downloads are forbidden.
pub fn offline() -> bool {
    match variable("HF_HUB_OFFLINE") {
        Some(_) => is_set("HF_HUB_OFFLINE"),
        None => is_set("TRANSFORMERS_OFFLINE"),
    }
}

/// Where the Hub is.
pub fn endpoint() -> String {
    let set = variable("HF_ENDPOINT").map(|value| value.to_string_lossy().into_owned());
    let endpoint = set.unwrap_or(DEFAULT_ENDPOINT.into());
    endpoint.trim_end_matches('/').into()
}

/// Where downloaded files are kept; `None` where neither a variable nor a home folder says it.
pub fn cache_folder() -> Option<PathBuf> {
    ["HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"]
        .into_iter()
        .find_map(path)
        .or_else(|| Some(home()?.join("hub")))
}

/// The token that goes with requests, if there is one and none of the variables forbids it.
pub fn token() -> Option<String> {
    if is_set("HF_HUB_DISABLE_IMPLICIT_TOKEN") {
        return None;
    }
    let set = ["HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"]
        .into_iter()
        .find_map(variable);
    set.and_then(|token| clean(&token.to_string_lossy()))
        .or_else(|| {
            let file = path("HF_TOKEN_PATH").or_else(|| Some(home()?.join("token")))?;
            clean(&std::fs::read_to_string(file).ok()?)
        })
}

/// A token without line ends and the blanks around it.
fn clean(token: &str) -> Option<String> {
    let token = token.replace(['\r', '\n'], "");
    let token = token.trim();
    (!token.is_empty()).then(|| token.into())
}

/// The folder of all that the Python tools keep.
fn home() -> Option<PathBuf> {
    path("HF_HOME").or_else(|| {
        let caches = path("XDG_CACHE_HOME").or_else(|| Some(dirs::home_dir()?.join(".cache")));
        Some(caches?.join("huggingface"))
    })
}

/// A path that a variable gives, with the home folder for `~` and other variables for `$NAME` or
/// `${NAME}`.
fn path(name: &str) -> Option<PathBuf> {
    let value = variable(name)?;
    let Some(text) = value.to_str() else {
        return Some(value.into());
    };
    let home = dirs::home_dir().and_then(|home| home.into_os_string().into_string().ok());
    let of = |name: &str| std::env::var(name).ok();
    Some(expand(text, home.as_deref(), of).into())
}

/// As Python's `os.path.expandvars(os.path.expanduser(text))`; what is not known stays as it is.
fn expand(text: &str, home: Option<&str>, value: impl Fn(&str) -> Option<String>) -> String {
    let text = match (text.strip_prefix('~'), home) {
        (Some(rest), Some(home)) if rest.is_empty() || rest.starts_with('/') => {
            format!("{}{rest}", home.trim_end_matches('/'))
        }
        _ => text.to_string(),
    };
    let mut expanded = String::new();
    let mut rest = text.as_str();
    while let Some((before, behind)) = rest.split_once('$') {
        expanded += before;
        let braced = behind
            .strip_prefix('{')
            .and_then(|behind| behind.split_once('}'));
        let word = |c: char| !(c.is_ascii_alphanumeric() || c == '_');
        let (name, after) =
            braced.unwrap_or_else(|| behind.split_at(behind.find(word).unwrap_or(behind.len())));
        match value(name).filter(|_| !name.is_empty()) {
            Some(value) => expanded += &value,
            None => {
                expanded.push('$');
                expanded += &behind[..behind.len() - after.len()];
            }
        }
        rest = after;
    }
    expanded + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn homes_and_variables_are_expanded_as_python_does() {
        let value = |name: &str| match name {
            "A" => Some("x".to_string()),
            "B_2" => Some("$A".into()),
            _ => None,
        };
        // What `os.path.expandvars(os.path.expanduser(text))` gives.
        for (text, expected) in [
            ("~", "/home/me"),
            ("~/c", "/home/me/c"),
            ("~you/c", "~you/c"),
            ("/a/~", "/a/~"),
            ("$A/b", "x/b"),
            ("${A}b$A", "xbx"),
            ("$Ab/$", "$Ab/$"),
            ("$B_2-${C}${", "$A-${C}${"),
            ("~/$A", "/home/me/x"),
            ("${}$$A", "${}$x"),
        ] {
            assert_eq!(expand(text, Some("/home/me"), value), expected, "{text}");
        }
        assert_eq!(expand("~/c", None, value), "~/c");
    }

    #[test]
    fn a_token_is_what_is_left_without_blanks_and_line_ends() {
        assert_eq!(clean(" hf_a\r\n").as_deref(), Some("hf_a"));
        assert_eq!(clean("hf_\na").as_deref(), Some("hf_a"));
        assert_eq!(clean(" \n"), None);
        assert_eq!(clean(""), None);
    }
}
