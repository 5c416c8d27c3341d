//! Axes, lines and words of a chart.

use std::fmt::Write as _;

/// A rectangle of a chart, into which shares of 0 to 1 are drawn, and the chart so far.
pub(super) struct Plot {
    pub svg: String,
    pub left: f64,
    pub top: f64,
    pub width: f64,
    pub height: f64,
}

impl Plot {
    pub fn x(&self, share: f64) -> f64 {
        self.left + self.width * share
    }

    pub fn y(&self, share: f64) -> f64 {
        self.top + self.height * (1.0 - share)
    }

    /// A line from one place, given in shares, to another.
    pub fn line(&mut self, class: &str, from: (f64, f64), to: (f64, f64)) {
        let _ = write!(
            self.svg,
            "<line class=\"{class}\" x1={:.1} y1={:.1} x2={:.1} y2={:.1} />",
            self.x(from.0),
            self.y(from.1),
            self.x(to.0),
            self.y(to.1)
        );
    }

    /// A column from the bottom, between two shares of the width.
    pub fn column(&mut self, class: &str, from: f64, to: f64, tall: f64, title: &str) {
        const GAP: f64 = 1.5;
        let _ = write!(
            self.svg,
            "<rect class=\"{class}\" x={:.1} y={:.1} width={:.1} height={:.1}><title>{title}</title></rect>",
            self.x(from) + GAP,
            self.y(tall),
            self.x(to) - self.x(from) - 2.0 * GAP,
            self.height * tall
        );
    }

    /// The lower edge with a percentage at each fifth, and what they are of.
    pub fn percentages_below(&mut self, title: &str) {
        self.line("axis", (0.0, 0.0), (1.0, 0.0));
        let below = self.y(0.0);
        for step in 0..=5 {
            let share = f64::from(step) / 5.0;
            let at = (self.x(share), below + 18.0);
            self.word("tick", at, "middle", &(20 * step).to_string());
        }
        let at = (self.x(0.5), below + 40.0);
        self.word("title", at, "middle", title);
    }

    /// Lines across at these shares, with what they mean.
    pub fn marks_beside(&mut self, marks: &[(f64, String)]) {
        for (share, mark) in marks {
            if *share > 0.0 {
                self.line("grid", (0.0, *share), (1.0, *share));
            }
            let at = (self.left - 7.0, self.y(*share) + 4.0);
            self.word("tick", at, "end", mark);
        }
    }

    /// What the marks beside are of.
    pub fn title_beside(&mut self, title: &str) {
        let middle = self.y(0.5);
        let _ = write!(
            self.svg,
            "<text class=title transform=\"translate(13 {middle:.1}) rotate(-90)\" text-anchor=middle>{title}</text>"
        );
    }

    pub fn word(&mut self, class: &str, (x, y): (f64, f64), anchor: &str, word: &str) {
        let _ = write!(
            self.svg,
            "<text class={class} x={x:.1} y={y:.1} text-anchor={anchor}>{word}</text>"
        );
    }
}

/// The beginning of a chart of this size, in units of its own, with what it shows for who cannot see
/// it.
pub(super) fn open(width: u32, height: u32, label: &str) -> String {
    format!("<svg viewBox=\"0 0 {width} {height}\" role=img aria-label=\"{label}\">")
}

/// At most five round marks up to a number: their distance.
pub(super) fn step(most: u64) -> u64 {
    let mut power = 1;
    loop {
        for digit in [1, 2, 5] {
            if most <= 5 * digit * power {
                return digit * power;
            }
        }
        power *= 10;
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn marks_are_few_and_round() {
        for (most, step) in [
            (0, 1),
            (1, 1),
            (5, 1),
            (6, 2),
            (22, 5),
            (100, 20),
            (730, 200),
        ] {
            assert_eq!(super::step(most), step, "{most}");
        }
    }
}
