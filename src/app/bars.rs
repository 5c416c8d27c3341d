//! How progress bars look: whole numbers, in groups of three digits, and at 60 columns still a bar.

use std::fmt::Write;

use indicatif::{ProgressBar, ProgressState, ProgressStyle};

use crate::util::count::grouped;

/// Columns from which on a line has room for words beside its numbers.
const ROOMY: u16 = 80;

/// Columns of the terminal on standard error; as many as usual where that is none.
pub fn terminal_width() -> u16 {
    let (_, columns) = console::Term::stderr().size();
    columns
}

/// Something without a countable end.
pub fn waiting(what: &'static str) -> ProgressBar {
    let bar = ProgressBar::new_spinner();
    styled(bar, "{spinner} {msg} ({elapsed})").with_message(what)
}

/// The classifier; its steps are token positions, of which no one has an idea.
pub fn classifier(positions: usize) -> ProgressBar {
    let bar = ProgressBar::new(positions as u64);
    styled(bar, "classifier {wide_bar} {percent} %, {eta} left")
}

/// A download, in bytes.
pub fn download(bytes: usize) -> ProgressBar {
    let bar = ProgressBar::new(bytes as u64);
    styled(
        bar,
        "download {wide_bar} {megabytes} of {all_megabytes} MB, {megabytes_per_second} MB/s, {eta} left",
    )
}

/// Pictures that are evaluated. The message is the running top-1 accuracy.
pub fn pictures(pictures: usize, columns: u16) -> ProgressBar {
    let bar = ProgressBar::new(pictures as u64);
    let template = if columns < ROOMY {
        "pictures {wide_bar} {done}/{all}, {eta} left, {msg}"
    } else {
        "pictures {wide_bar} {done} of {all}, {rate}/s, {eta} left, top-1 {msg}"
    };
    styled(bar, template).with_message("–")
}

/// Pictures that are looked at.
pub fn check(pictures: usize) -> ProgressBar {
    let bar = ProgressBar::new(pictures as u64);
    styled(
        bar,
        "pictures {wide_bar} {done} of {all}, {rate}/s, {eta} left",
    )
}

/// With a template of this file's keys.
fn styled(bar: ProgressBar, template: &str) -> ProgressBar {
    const MEGABYTE: u64 = 1_000_000;
    let Ok(style) = ProgressStyle::with_template(template) else {
        return bar;
    };
    let number = |of: fn(&ProgressState) -> u64| {
        move |state: &ProgressState, out: &mut dyn Write| {
            // Nothing can be done where a line cannot be formed.
            let _ = out.write_str(&grouped(of(state)));
        }
    };
    let style = style
        .with_key("done", number(ProgressState::pos))
        .with_key("all", number(|s| s.len().unwrap_or_default()))
        .with_key("rate", number(|s| whole(s.per_sec())))
        .with_key("megabytes", number(|s| s.pos() / MEGABYTE))
        .with_key(
            "all_megabytes",
            number(|s| s.len().unwrap_or_default() / MEGABYTE),
        )
        .with_key(
            "megabytes_per_second",
            number(|s| whole(s.per_sec()) / MEGABYTE),
        );
    bar.with_style(style)
}

/// The nearest whole number.
fn whole(rate: f64) -> u64 {
    rate.max(0.0).round() as u64
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::{Arc, Mutex};

    use indicatif::{ProgressDrawTarget, TermLike};

    use super::*;

    /// A terminal of so many columns, whose last line is kept.
    #[derive(Debug, Clone)]
    struct Terminal(u16, Arc<Mutex<String>>);

    impl TermLike for Terminal {
        fn width(&self) -> u16 {
            self.0
        }
        fn height(&self) -> u16 {
            24
        }
        fn move_cursor_up(&self, _: usize) -> io::Result<()> {
            Ok(())
        }
        fn move_cursor_down(&self, _: usize) -> io::Result<()> {
            Ok(())
        }
        fn move_cursor_right(&self, _: usize) -> io::Result<()> {
            Ok(())
        }
        fn move_cursor_left(&self, _: usize) -> io::Result<()> {
            Ok(())
        }
        fn write_line(&self, text: &str) -> io::Result<()> {
            self.write_str(text)
        }
        fn write_str(&self, text: &str) -> io::Result<()> {
            if !text.trim().is_empty() {
                *self.1.lock().unwrap() = text.into();
            }
            Ok(())
        }
        fn clear_line(&self) -> io::Result<()> {
            Ok(())
        }
        fn flush(&self) -> io::Result<()> {
            Ok(())
        }
    }

    /// What a bar shows at a place.
    fn shown(bar: ProgressBar, columns: u16, done: u64, message: &'static str) -> String {
        let line = Arc::new(Mutex::new(String::new()));
        let terminal = Terminal(columns, Arc::clone(&line));
        bar.set_draw_target(ProgressDrawTarget::term_like(Box::new(terminal)));
        bar.set_message(message);
        // No download is so fast that its rate takes more room.
        std::thread::sleep(std::time::Duration::from_millis(50));
        bar.set_position(done);
        bar.force_draw();
        let text = line.lock().unwrap().clone();
        assert!(text.chars().count() <= usize::from(columns), "{text}");
        text
    }

    /// Cells of the bar in a line.
    fn cells(line: &str) -> usize {
        line.chars().filter(|c| matches!(c, '█' | '░')).count()
    }

    #[test]
    fn at_sixty_columns_there_is_room_for_a_bar() {
        for (bar, done) in [
            (pictures(50_000, 60), 12_345),
            (check(50_000), 12_345),
            (classifier(4_000_000), 1_000_000),
            (download(1_762_883_688), 123_456_789),
        ] {
            let line = shown(bar, 60, done, "77.12 %");
            assert!(cells(&line) >= 10, "{line}");
        }
    }

    #[test]
    fn numbers_are_whole_and_have_one_kind_of_separator() {
        let line = shown(pictures(50_000, 60), 60, 12_345, "77.12 %");
        assert!(line.contains(" 12,345/50,000, "), "{line}");
        assert!(line.ends_with(", 77.12 %"), "{line}");
        let line = shown(pictures(50_000, 100), 100, 12_345, "77.12 %");
        assert!(line.contains(" 12,345 of 50,000, "), "{line}");
        assert!(line.ends_with(" left, top-1 77.12 %"), "{line}");
        let rate = line.split(", ").nth(1).unwrap();
        let digits = rate.strip_suffix("/s").unwrap();
        assert!(
            digits.chars().all(|c| c.is_ascii_digit() || c == ','),
            "{line}"
        );
        let line = shown(download(1_762_883_688), 80, 1_234_567_890, "");
        assert!(line.contains(" 1,234 of 1,762 MB, "), "{line}");
        let line = shown(classifier(328_378), 80, 164_189, "");
        assert!(line.contains(" 50 %, "), "{line}");
    }
}
