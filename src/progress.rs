//! Progress bars and warnings on standard error. Bars appear on a terminal only.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use crate::error::Warning;
use crate::metrics::Tally;

/// Steps on standard error while the program works, and warns.
#[derive(Debug)]
pub struct Console {
    bar: ProgressBar,
}

impl Default for Console {
    fn default() -> Self {
        Self {
            bar: ProgressBar::hidden(),
        }
    }
}

impl Console {
    /// Shows that something without a countable end is going on.
    pub fn wait_for(&mut self, what: &'static str) {
        let style = ProgressStyle::with_template("{spinner} {msg} ({elapsed})");
        self.start(ProgressBar::new_spinner(), style, what);
    }

    /// Starts the classifier's bar; its steps are token positions.
    pub fn start_classifier(&mut self, positions: usize) {
        let style = ProgressStyle::with_template(
            "classifier {wide_bar} {percent} % of {len} token positions, {eta} left",
        );
        self.start(ProgressBar::new(positions as u64), style, "");
    }

    /// Token positions done.
    pub fn classifier_done(&self, positions: usize) {
        self.bar.set_position(positions as u64);
    }

    /// Starts the pictures' bar.
    pub fn start_pictures(&mut self, pictures: usize) {
        let style = ProgressStyle::with_template(
            "pictures {wide_bar} {pos}/{len}, {per_sec}, {eta} left, top-1 {msg}",
        );
        self.start(ProgressBar::new(pictures as u64), style, "–");
    }

    /// Pictures done, with the running accuracy.
    pub fn pictures_done(&self, tally: &Tally, unreadable: usize) {
        self.bar.set_position(tally.pictures + unreadable as u64);
        if let Some(percent) = tally.top1_accuracy().percent {
            self.bar.set_message(format!("{percent:.2} %"));
        }
    }

    /// Removes the bar.
    pub fn clear(&mut self) {
        self.bar.finish_and_clear();
        self.bar = ProgressBar::hidden();
    }

    /// Prints a warning.
    pub fn warn(&self, warning: &Warning) {
        self.say(&format!("warning: {warning}"));
    }

    /// Prints a line above the bar.
    pub fn say(&self, line: &str) {
        self.bar.suspend(|| eprintln!("{line}"));
    }

    fn start(
        &mut self,
        bar: ProgressBar,
        style: Result<ProgressStyle, indicatif::style::TemplateError>,
        message: &'static str,
    ) {
        self.clear();
        if let Ok(style) = style {
            bar.set_style(style);
        }
        bar.set_message(message);
        bar.enable_steady_tick(Duration::from_millis(200));
        self.bar = bar;
    }
}
