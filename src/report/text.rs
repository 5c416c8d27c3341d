//! The report as a person reads it.

use std::fmt::{self, Display};

use super::Report;
use crate::data::Truth;
use crate::metrics::Accuracy;
use crate::util::brief;
use crate::util::escape::Lines;

/// Unreadable pictures that are listed; the JSON form lists all.
const LISTED: usize = 10;

/// Confusions that are listed; the JSON form lists more.
const CONFUSIONS: usize = 3;

impl Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let f = &mut Lines::new(f);
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
        if self.interrupted {
            let done = self.statistics.top1.total + self.unreadable.len() as u64;
            writeln!(
                f,
                "PARTIAL      interrupted after {done} of {} pictures",
                self.to_evaluate()
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
                "recall       {recall:.2} %, the mean of the classes' accuracies"
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
        if statistics.ties.pictures > 0 {
            let ties = statistics.ties;
            writeln!(
                f,
                "tied         {} pictures between classes; {} by index for the label, {} against it",
                ties.pictures, ties.label_first, ties.label_behind
            )?;
        }
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
        writeln!(f, "sha256       {}", self.checkpoint.sha256)?;
        let labels = self.data.labels_file.as_ref();
        let labels = labels.map_or(String::new(), |path| {
            format!(", labels of {}", path.display())
        });
        writeln!(
            f,
            "data         {}{} ({}{}): {} pictures of {} classes, ranked among {}",
            match self.data.dataset.as_deref() {
                None | Some("imagenet") => String::new(),
                Some("objectnet") => format!("objectnet (protocol {}), ", self.data.protocol),
                Some(set) => format!("{set}, "),
            },
            self.data.path.display(),
            self.data.source,
            labels,
            self.data.pictures,
            self.data.classes_present,
            self.data.classes
        )?;
        if let Some(features) = &self.features_file {
            writeln!(f, "features     {}", features.display())?;
        }
        if self.data.labels == Truth::Real.name() {
            writeln!(
                f,
                "labels       ReaL, any of a picture's; {} pictures have none and are left out",
                self.data.unlabelled
            )?;
        }
        let templates = match self.prompts.templates {
            0 => "each class's own prompts".into(),
            templates => format!("{templates} templates"),
        };
        match &self.classifier.path {
            None => writeln!(f, "classifier   built from {templates}")?,
            Some(path) => writeln!(
                f,
                "classifier   of {templates}, from the {}: {}",
                self.classifier.origin,
                path.display()
            )?,
        }
        if let Some(limit) = self.settings.limit {
            writeln!(f, "limit        the first {limit} pictures")?;
        }
        if let Some(shard) = self.settings.shard {
            writeln!(f, "shard        {shard} of {} pictures", self.data.selected)?;
        }
        if !self.unreadable.is_empty() {
            writeln!(
                f,
                "skipped      {} unreadable pictures, not counted",
                self.unreadable.len()
            )?;
            for picture in self.unreadable.iter().take(LISTED) {
                writeln!(f, "             {}: {}", picture.name, picture.reason)?;
            }
            if self.unreadable.len() > LISTED {
                writeln!(
                    f,
                    "             and {} more",
                    self.unreadable.len() - LISTED
                )?;
            }
        }
        if !self.tied_classes.is_empty() {
            let groups: Vec<String> = self.tied_classes.iter().map(|g| format!("{g:?}")).collect();
            writeln!(
                f,
                "ties         classes {} have identical prompts; the lower index ranks first",
                brief::list(&groups)
            )?;
        }
        writeln!(
            f,
            "ran          {} on {}, batch size {}, {} loader and {} compute threads",
            self.settings.precision,
            self.settings.device,
            self.settings.batch_size,
            self.settings.workers,
            self.settings.threads
        )?;
        writeln!(
            f,
            "seconds      {:.1} loading, {:.1} classifier, {:.1} pictures ({}), {:.1} in all",
            self.seconds.load,
            self.seconds.classifier,
            self.seconds.evaluation,
            match self.pictures_per_second {
                Some(rate) => format!("{rate:.1} pictures/s"),
                None => "all known before".into(),
            },
            self.seconds.total
        )?;
        if let Some(first) = self.seconds.first_batch {
            writeln!(f, "first batch  after {first:.1} s")?;
        }
        if let Some(peak) = self.peak_memory_bytes {
            writeln!(f, "memory       {:.2} GB at most", peak as f64 / 1e9)?;
        }
        Ok(())
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
