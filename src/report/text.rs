//! The report as a person reads it: `{}` is what matters, `{:#}` has paths, hashes and memory, too.

use std::fmt::{self, Display};

use super::{Data, Report};
use crate::data::Truth;
use crate::metrics::Accuracy;
use crate::util::brief;
use crate::util::count::{count, picks};
use crate::util::escape::{self, Lines, Shown};

/// Unreadable pictures that are listed; the JSON form lists all.
const LISTED: usize = 10;

/// Confusions that are listed; the JSON form lists more.
const CONFUSIONS: usize = 3;

/// How many bytes at the beginning of a line are to stand out.
pub fn headline(line: &str) -> usize {
    if line.starts_with("top-1 ") || line.starts_with("top-5 ") {
        line.find('%').map_or(0, |at| at + 1)
    } else if line.starts_with("PARTIAL ") || line.starts_with("verdict ") {
        line.trim_end().len()
    } else {
        0
    }
}

impl Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let detailed = f.alternate();
        let f = &mut Lines::new(f);
        self.accuracy(f)?;
        self.subject(f, detailed)?;
        self.remarks(f)?;
        self.work(f, detailed)
    }
}

/// Where the text goes, line by line.
type Out<'a, 'b> = Lines<&'a mut fmt::Formatter<'b>>;

impl Report {
    /// How right it is, and where it is wrong.
    fn accuracy(&self, f: &mut Out<'_, '_>) -> fmt::Result {
        if self.interrupted {
            let done = self.statistics.top1.total + self.unreadable.len() as u64;
            writeln!(
                f,
                "PARTIAL      interrupted after {done} of {}",
                count(self.to_evaluate(), "picture")
            )?;
        }
        let statistics = &self.statistics;
        writeln!(f, "top-1        {}", Fraction(statistics.top1))?;
        writeln!(f, "top-5        {}", Fraction(statistics.top5))?;
        for checked in &self.expectations {
            let outcome = if checked.met { "met" } else { "missed" };
            writeln!(f, "{outcome:<13}{checked}")?;
        }
        if let (Some(recall), Some(ece), Some(confidence)) = (
            statistics.mean_per_class_recall_percent,
            statistics.calibration.ece_percent,
            statistics.calibration.mean_confidence_percent,
        ) {
            writeln!(
                f,
                "per class    {recall:.2} %, the mean of the classes' accuracies"
            )?;
            writeln!(
                f,
                "calibration  {ece:.2} % expected error, {confidence:.2} % mean confidence"
            )?;
        }
        for (index, confusion) in statistics.confusions.iter().take(CONFUSIONS).enumerate() {
            writeln!(
                f,
                "{:<13}{} taken for {} ({})",
                if index == 0 { "confused" } else { "" },
                brief::excerpt(&confusion.label_name),
                brief::excerpt(&confusion.predicted_name),
                confusion.pictures
            )?;
        }
        let ties = statistics.ties;
        if ties.pictures > 0 {
            writeln!(
                f,
                "ties         {} {} several best classes, of which the lowest number counts: {} right by that, {} wrong",
                count(ties.pictures, "picture"),
                picks(ties.pictures, "has", "have"),
                ties.label_first,
                ties.label_behind
            )?;
        }
        Ok(())
    }

    /// What was evaluated, on what.
    fn subject(&self, f: &mut Out<'_, '_>, detailed: bool) -> fmt::Result {
        let published = self.model.published.as_ref();
        let published =
            published.map(|published| format!("published top-1 {} %", published.top1_percent));
        let further: Vec<String> = [self.model.published_name.clone(), published]
            .into_iter()
            .flatten()
            .collect();
        let model = match further.as_slice() {
            [] => self.model.name.clone(),
            further => format!("{} ({})", self.model.name, further.join(", ")),
        };
        writeln!(
            f,
            "model        {model}, {0} x {0} pixels",
            self.model.image_size
        )?;
        writeln!(
            f,
            "checkpoint   {} ({}, {}{})",
            self.checkpoint.name,
            self.checkpoint.format,
            self.checkpoint.dtypes.join(", "),
            self.checkpoint.within()
        )?;
        if detailed {
            writeln!(f, "             {}", self.checkpoint.path.shown())?;
            writeln!(f, "sha256       {}", self.checkpoint.sha256)?;
        }
        let data = &self.data;
        let labels = data.labels_file.as_ref().map(|path| {
            let name = path.file_name().unwrap_or(path.as_os_str());
            format!(", labels of {}", name.shown())
        });
        writeln!(
            f,
            "data         {}{}: {} of {}, ranked among {} ({}{})",
            match data.dataset.as_deref() {
                Some("objectnet") => format!("protocol {}, ", data.protocol),
                _ => String::new(),
            },
            data.short_name(),
            count(data.pictures, "picture"),
            count(data.classes_present, "class"),
            data.classes,
            data.source,
            labels.unwrap_or_default()
        )?;
        if detailed {
            writeln!(f, "             {}", data.path.shown())?;
            if let Some(labels) = &data.labels_file {
                writeln!(f, "             {}", labels.shown())?;
            }
        }
        if let Some(features) = &self.features_file {
            writeln!(f, "features     {}", features.shown())?;
        }
        if data.labels == Truth::Real.name() {
            writeln!(
                f,
                "labels       ReaL, any of a picture's; {} {} none and {} left out",
                count(data.unlabelled, "picture"),
                picks(data.unlabelled, "has", "have"),
                picks(data.unlabelled, "is", "are")
            )?;
        }
        let templates = match self.prompts.templates {
            0 => "each class's own prompts".into(),
            templates => count(templates, "template"),
        };
        match &self.classifier.path {
            None => writeln!(f, "classifier   built from {templates}")?,
            Some(_) => writeln!(
                f,
                "classifier   of {templates}, from the {}",
                self.classifier.origin
            )?,
        }
        if detailed {
            if let Some(path) = &self.classifier.path {
                writeln!(f, "             {}", path.shown())?;
            }
            writeln!(f, "             key {}", self.classifier.key)?;
        }
        Ok(())
    }

    /// What a reader of the accuracy has to know.
    fn remarks(&self, f: &mut Out<'_, '_>) -> fmt::Result {
        if let Some(limit) = self.settings.limit {
            writeln!(f, "limit        the first {}", count(limit, "picture"))?;
        }
        if let Some(shard) = self.settings.shard {
            let selected = count(self.data.selected, "picture");
            writeln!(f, "shard        {shard} of {selected}")?;
        }
        if !self.unreadable.is_empty() {
            let pictures = count(self.unreadable.len(), "unreadable picture");
            writeln!(f, "skipped      {pictures}, not counted")?;
            for picture in self.unreadable.iter().take(LISTED) {
                writeln!(f, "             {}: {}", picture.name, picture.reason)?;
            }
            if self.unreadable.len() > LISTED {
                let more = self.unreadable.len() - LISTED;
                writeln!(f, "             and {more} more")?;
            }
        }
        if !self.tied_classes.is_empty() {
            let numbers = |group: &Vec<usize>| {
                let numbers: Vec<String> = group.iter().map(ToString::to_string).collect();
                numbers.join(" and ")
            };
            let groups: Vec<String> = self.tied_classes.iter().map(numbers).collect();
            writeln!(
                f,
                "same prompts classes {}: the lower number always ranks first",
                brief::list(&groups)
            )?;
        }
        Ok(())
    }

    /// How the work was done, and how long it took.
    fn work(&self, f: &mut Out<'_, '_>, detailed: bool) -> fmt::Result {
        let settings = &self.settings;
        writeln!(
            f,
            "ran          {} on {}, batch size {}, {} and {}",
            settings.precision,
            settings.device,
            settings.batch_size,
            count(settings.workers, "loader thread"),
            count(settings.threads, "compute thread")
        )?;
        let seconds = self.seconds;
        let [load, classifier, evaluation, total] = [
            seconds.load,
            seconds.classifier,
            seconds.evaluation,
            seconds.total,
        ]
        .map(Tenths::of);
        let other = match total.without(&[load, classifier, evaluation]) {
            Tenths(0) => String::new(),
            other => format!(", {other} other"),
        };
        writeln!(
            f,
            "seconds      {load} loading, {classifier} classifier, {evaluation} pictures ({}){other}, {total} in all",
            match self.pictures_per_second {
                Some(rate) => format!("{rate:.1} pictures/s"),
                None => "– pictures/s".into(),
            }
        )?;
        if !detailed {
            return Ok(());
        }
        if let Some(first) = seconds.first_batch {
            writeln!(f, "first batch  after {first:.1} s")?;
        }
        if let Some(peak) = self.peak_memory_bytes {
            writeln!(f, "memory       {:.2} GB at most", peak as f64 / 1e9)?;
        }
        Ok(())
    }
}

impl Data {
    /// The data set, and the folder that holds it where that has another name.
    pub fn short_name(&self) -> String {
        let set = self.dataset.as_deref().unwrap_or("other classes");
        let mut parts = self.path.iter().rev().map(escape::name);
        match parts.find(|part| !matches!(part.as_ref(), "val" | "." | "/")) {
            Some(folder) if folder != set => format!("{set} in {folder}"),
            _ => set.into(),
        }
    }
}

/// Whole tenths of a second, so that stages add up to what is shown as their sum.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Tenths(u64);

impl Tenths {
    fn of(seconds: f64) -> Self {
        Self((10.0 * seconds).floor() as u64)
    }

    /// What remains of it when parts are taken away.
    fn without(self, parts: &[Self]) -> Self {
        let parts: u64 = parts.iter().map(|part| part.0).sum();
        Self(self.0.saturating_sub(parts))
    }
}

impl Display for Tenths {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.0 / 10, self.0 % 10)
    }
}

/// `97.73 %  (215/220)`
struct Fraction(Accuracy);

impl Display for Fraction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.percent {
            Some(percent) => {
                write!(f, "{percent:.2} %  ({}/{})", self.0.correct, self.0.total)?;
                match self.0.interval95 {
                    Some([low, high]) => write!(f, ", 95 % interval {low:.2} to {high:.2}"),
                    None => Ok(()),
                }
            }
            None => write!(f, "undefined: no picture could be read"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_accuracy_stands_out_and_nothing_else() {
        let beginning = |line: &'static str| &line[..headline(line)];
        let top1 = "top-1        97.73 %  (215/220), 95 % interval 94.79 to 99.03\n";
        assert_eq!(beginning(top1), "top-1        97.73 %");
        let partial = "PARTIAL      interrupted after 3 of 9 pictures\n";
        assert_eq!(beginning(partial), partial.trim_end());
        for line in [
            "top-1        undefined: no picture could be read\n",
            "per class    97.73 %, the mean\n",
            "\n",
            "",
        ] {
            assert_eq!(beginning(line), "");
        }
    }

    #[test]
    fn stages_add_up_to_their_sum_as_shown() {
        let parts = [0.19, 0.19, 0.19].map(Tenths::of);
        let total = Tenths::of(0.57);
        let rest = total.without(&parts);
        assert_eq!(format!("{} {rest} {total}", parts[0]), "0.1 0.2 0.5");
        assert_eq!(Tenths::of(12_961.04).to_string(), "12961.0");
        // After the clock was set back, if that is possible at all.
        assert_eq!(Tenths::of(0.1).without(&parts), Tenths(0));
    }
}
