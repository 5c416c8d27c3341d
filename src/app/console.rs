//! Progress bars and warnings on standard error. Bars appear on a terminal only.

use std::sync::OnceLock;
use std::time::{Duration, Instant};

use indicatif::ProgressBar;

use crate::app::bars::{self, terminal_width};
use crate::app::stderr;
use crate::inference::{Progress, Work};
use crate::metrics::Tally;
use crate::util::warning::Warning;

/// How much is said on standard error.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Talk {
    /// Errors only.
    Quiet,
    /// Bars on a terminal, and warnings.
    #[default]
    Normal,
    /// A line for each stage, too.
    Verbose,
}

/// Chosen once, when the program starts.
static TALK: OnceLock<Talk> = OnceLock::new();

impl Talk {
    /// Makes this what every console of the process does. Only the first call counts.
    pub fn choose(self) {
        let _ = TALK.set(self);
    }

    pub fn chosen() -> Self {
        TALK.get().copied().unwrap_or_default()
    }
}

/// Steps on standard error while the program works, and warns.
#[derive(Debug)]
pub struct Console {
    bar: ProgressBar,
    /// What is going on, and since when.
    stage: Option<(&'static str, Instant)>,
}

impl Default for Console {
    fn default() -> Self {
        Self {
            bar: ProgressBar::hidden(),
            stage: None,
        }
    }
}

impl Progress for Console {
    fn start(&mut self, work: Work) {
        match work {
            Work::Waiting(what) => self.wait_for(what),
            Work::Download(bytes) => self.start_download(bytes),
            Work::Classifier(positions) => self.start_classifier(positions),
        }
    }

    fn advance(&mut self, done: usize) {
        self.bar.set_position(done as u64);
    }

    fn finish(&mut self) {
        self.clear();
    }

    fn say(&mut self, line: &str) {
        Console::say(self, line);
    }

    fn warn(&mut self, warning: &Warning) {
        Console::warn(self, warning);
    }
}

impl Console {
    /// Shows that something without a countable end is going on.
    pub fn wait_for(&mut self, what: &'static str) {
        self.show(what, bars::waiting(what));
    }

    /// Starts the classifier's bar; its steps are token positions.
    fn start_classifier(&mut self, positions: usize) {
        self.show("building the classifier", bars::classifier(positions));
    }

    /// Starts a download's bar.
    fn start_download(&mut self, bytes: usize) {
        self.show("downloading the checkpoint", bars::download(bytes));
    }

    /// Starts the pictures' bar.
    pub fn start_pictures(&mut self, pictures: usize) {
        let bar = bars::pictures(pictures, terminal_width());
        self.show("evaluating the pictures", bar);
    }

    /// Pictures done, with the running accuracy.
    pub fn pictures_done(&self, tally: &Tally, unreadable: usize) {
        self.bar.set_position(tally.pictures + unreadable as u64);
        if let Some(percent) = tally.top1_accuracy().percent {
            self.bar.set_message(format!("{percent:.2} %"));
        }
    }

    /// Starts the bar of pictures that are looked at. The function moves it by one.
    pub fn start_check(&mut self, pictures: usize) -> impl Fn() + Sync + use<> {
        self.show("looking at the pictures", bars::check(pictures));
        let bar = self.bar.clone();
        move || bar.inc(1)
    }

    /// Removes the bar. When verbose, tells how long its stage took.
    pub fn clear(&mut self) {
        self.bar.finish_and_clear();
        self.bar = ProgressBar::hidden();
        if let Some((what, since)) = self.stage.take()
            && Talk::chosen() == Talk::Verbose
        {
            self.say(&format!("{what}: {:.1} s", since.elapsed().as_secs_f64()));
        }
    }

    /// Prints a warning.
    pub fn warn(&self, warning: &Warning) {
        self.say(&format!("warning: {warning}"));
    }

    /// Prints a line that is only of interest to those who want to know more.
    pub fn detail(&self, line: &str) {
        if Talk::chosen() == Talk::Verbose {
            self.say(line);
        }
    }

    /// Prints an error that does not end the program, however quiet it is to be.
    pub fn error(&self, message: &str, hint: Option<&str>) {
        self.bar.suspend(|| stderr::error(message, hint));
    }

    /// Prints a line above the bar, unless the program is to be quiet.
    pub fn say(&self, line: &str) {
        if Talk::chosen() == Talk::Quiet {
            return;
        }
        self.bar.suspend(|| stderr::line(line));
    }

    fn show(&mut self, what: &'static str, bar: ProgressBar) {
        self.clear();
        self.stage = Some((what, Instant::now()));
        match Talk::chosen() {
            // The bar stays hidden.
            Talk::Quiet => return,
            Talk::Verbose => self.say(&format!("{what} …")),
            Talk::Normal => {}
        }
        bar.enable_steady_tick(Duration::from_millis(200));
        self.bar = bar;
    }
}
