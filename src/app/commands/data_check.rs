//! `uta-eval data check`: what a folder of pictures is, and what is odd about it.

use std::collections::BTreeMap;
use std::sync::Arc;

use image::ImageFormat;

use crate::app::console::Console;
use crate::app::error::Error;
use crate::app::exit_code::ExitCode;
use crate::app::json_output::{self, JsonOutput};
use crate::app::settings::{CheckedSet, DataCheck};
use crate::data::check::{self, Look};
use crate::data::{ClassFolders, DataSet, Fault, Set, Unreadable};
use crate::picture::{Colour, Header};
use crate::report::SCHEMA_VERSION;
use crate::report::check::{Check, Class, Misnamed};
use crate::text::ClassNames;

/// Looks at every picture and prints what was found.
///
/// # Errors
/// When the path cannot be evaluated, or the findings cannot be written.
pub fn run(settings: &DataCheck) -> Result<ExitCode, Error> {
    let mut console = Console::default();
    console.wait_for("finding the pictures");
    let checked = CheckedData::find(settings)?;
    let output = settings.json.as_ref().map(JsonOutput::open).transpose()?;
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(settings.workers)
        .build()
        .map_err(|e| Error::Threads {
            what: "the threads that read pictures",
            source: std::io::Error::other(e.to_string()),
        })?;
    let samples = &checked.data.samples;
    let seen = console.start_check(samples.len());
    let looks = pool.install(|| check::look(samples, settings.depth, &seen));
    let duplicates = pool
        .install(|| check::duplicates(samples, &looks))
        .map_err(|source| Error::System {
            what: "a picture cannot be read any more",
            source,
        })?;
    console.clear();
    let check = checked.report(settings, &looks, &duplicates);
    let exit_code = match (check.unreadable.is_empty(), check.whole) {
        (false, _) => ExitCode::SkippedPictures,
        (true, false) => ExitCode::Unexpected,
        (true, true) => ExitCode::Success,
    };
    json_output::write(output, &check)?;
    Ok(exit_code)
}

/// What is checked against what.
struct CheckedData {
    data: DataSet,
    /// Absent for listed classes.
    set: Option<Set>,
    folders: ClassFolders,
    names: ClassNames,
    /// The classes that have a folder in the whole set.
    classes: Vec<usize>,
}

impl CheckedData {
    fn find(settings: &DataCheck) -> Result<Self, Error> {
        let location = &settings.pictures;
        let (set, data) = match &settings.set {
            CheckedSet::Any => location.recognise()?,
            CheckedSet::This(set) => (*set, location.find(&set.folders())?),
            CheckedSet::Listed { folders, names } => {
                let data = location.find(folders)?;
                return Ok(Self {
                    classes: (0..data.classes).collect(),
                    data,
                    set: None,
                    folders: folders.as_ref().clone(),
                    names: names.clone(),
                });
            }
        };
        let folders = set.folders();
        Ok(Self {
            data,
            set: Some(set),
            classes: folders.classes(),
            folders,
            names: ClassNames::imagenet(),
        })
    }

    fn report(&self, settings: &DataCheck, looks: &[Look], duplicates: &[Vec<usize>]) -> Check {
        let samples = &self.data.samples;
        let mut counts: BTreeMap<usize, usize> = self.classes.iter().map(|c| (*c, 0)).collect();
        for sample in samples {
            *counts.entry(sample.label).or_default() += 1;
        }
        let size = self.set.map(Set::size);
        let expected = size.and_then(|size| size.in_a_class);
        let classes = |odd: &dyn Fn(usize) -> bool| -> Vec<Class> {
            let odd = counts.iter().filter(|(_, pictures)| odd(**pictures));
            odd.map(|(class, pictures)| Class {
                class: *class,
                folder: self.folders.folder_of(*class).map(Into::into),
                name: self.names.name(*class).unwrap_or_default().into(),
                pictures: *pictures,
            })
            .collect()
        };
        let missing_classes = classes(&|pictures| pictures == 0);
        let odd_counts = classes(&|n| n > 0 && expected.is_some_and(|expected| n != expected));
        let name = |index: usize| Arc::clone(samples[index].name.whole());
        let readable: Vec<(usize, Header)> = looks
            .iter()
            .enumerate()
            .filter_map(|(index, look)| Some((index, *look.header.as_ref().ok()?)))
            .collect();
        let those = |is: &dyn Fn(&Header) -> bool| -> Vec<Arc<str>> {
            let those = readable.iter().filter(|(_, headers)| is(headers));
            those.map(|(index, _)| name(*index)).collect()
        };
        let mut formats: BTreeMap<&'static str, usize> = BTreeMap::new();
        for (_, headers) in &readable {
            *formats.entry(format_name(headers.format)).or_default() += 1;
        }
        let across = |group: &&Vec<usize>| {
            let first = samples[group[0]].label;
            group.iter().any(|index| samples[*index].label != first)
        };
        let unreadable = looks.iter().zip(samples).filter_map(|(look, sample)| {
            let reason = look.header.as_ref().err()?;
            Some(Unreadable::of(sample, reason.clone(), Fault::default()))
        });
        let misnamed = readable.iter().filter_map(|(index, headers)| {
            let name = name(*index);
            is_misnamed(&name, headers.format).then(|| Misnamed {
                name,
                format: format_name(headers.format),
            })
        });
        Check {
            schema_version: SCHEMA_VERSION,
            program: Default::default(),
            path: self.data.root.as_path().into(),
            source: self.data.source,
            dataset: self.set.map(Set::name),
            depth: settings.depth,
            pictures: samples.len(),
            bytes: looks.iter().map(|look| look.bytes).sum(),
            classes_present: self.data.classes_present,
            classes: self.classes.len(),
            whole_set: size.map(|size| size.pictures),
            ignored: self.data.ignored,
            remarks: self.data.remarks.iter().map(ToString::to_string).collect(),
            formats,
            whole: missing_classes.is_empty()
                && odd_counts.is_empty()
                && size.is_none_or(|size| size.pictures == samples.len()),
            missing_classes,
            odd_counts,
            pictures_in_a_class: expected,
            duplicates_across_classes: duplicates.iter().filter(across).count(),
            duplicates: duplicates
                .iter()
                .map(|group| group.iter().map(|index| name(*index)).collect())
                .collect(),
            unreadable: unreadable.collect(),
            gray: those(&|headers| headers.colour == Colour::Gray),
            cmyk: those(&|headers| headers.colour == Colour::Cmyk),
            turned: those(&|headers| headers.turned),
            misnamed: misnamed.collect(),
        }
    }
}

fn is_misnamed(name: &str, format: ImageFormat) -> bool {
    // PGM and PPM are one format.
    ImageFormat::from_path(name).is_ok_and(|named| named != format)
}

fn format_name(format: ImageFormat) -> &'static str {
    match format {
        ImageFormat::Jpeg => "JPEG",
        ImageFormat::Png => "PNG",
        ImageFormat::WebP => "WebP",
        ImageFormat::Bmp => "BMP",
        ImageFormat::Pnm => "PNM",
        ImageFormat::Tiff => "TIFF",
        ImageFormat::Gif => "GIF",
        _ => "of another format",
    }
}
