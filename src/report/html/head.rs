//! Title, style, script, and what the page may do.

use sha2::{Digest, Sha256};

use super::base64::base64;
use super::text;
use crate::report::Report;

const STYLE: &str = include_str!("style.css");

/// Sorts and searches the table of classes, and opens what a link leads into.
const SCRIPT: &str = include_str!("script.js");

/// The page up to its body. It may load nothing and run nothing but its own script, whatever stands in
/// a name.
pub(super) fn head(report: &Report) -> String {
    format!(
        "<!DOCTYPE html>\n<html lang=en><head><meta charset=utf-8><meta http-equiv=Content-Security-Policy content=\"default-src 'none'; img-src data:; style-src {}; script-src {}; base-uri 'none'; form-action 'none'\"><meta name=viewport content=\"width=device-width, initial-scale=1\"><title>{} – uta-eval</title><style>{STYLE}</style></head>\n",
        source(STYLE),
        source(SCRIPT),
        text(title(report)),
    )
}

/// The script, for the end of the body.
pub(super) fn script() -> String {
    format!("<script>{SCRIPT}</script>")
}

/// What was evaluated.
pub(super) fn title(report: &Report) -> String {
    format!("{} · {}", report.model.name, report.checkpoint.name)
}

/// A part of the page as a policy names it.
fn source(part: &str) -> String {
    format!("'sha256-{}'", base64(&Sha256::digest(part.as_bytes())))
}
