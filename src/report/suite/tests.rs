use super::*;
use crate::metrics::Tally;
use crate::report::table::UNKNOWN_MODEL;

fn accuracy(correct: u64, total: u64) -> Accuracy {
    let tally = Tally {
        pictures: total,
        top1: correct,
        top5: correct,
    };
    tally.top1_accuracy()
}

fn cell(set: &SuiteSet, correct: u64, total: u64) -> Cell {
    Cell {
        set: set.name().into(),
        top1: Some(accuracy(correct, total)),
        top5: Some(accuracy(total - 1, total)),
        whole: true,
        ..Cell::default()
    }
}

/// Three checkpoints on three sets of the six and one beside.
fn suite() -> Suite {
    let sets = [
        SuiteSet::ImageNet,
        SuiteSet::A,
        SuiteSet::ObjectNet,
        SuiteSet::Real,
    ];
    let row = |model: &str, counts: [u64; 4]| Row {
        model: model.into(),
        checkpoint: format!("{model}.pt"),
        path: format!("/models/{model}.pt"),
        precision: "f32".into(),
        results: sets
            .iter()
            .zip(counts)
            .map(|(set, correct)| cell(set, correct, 1000))
            .collect(),
        top1: Summary::default(),
        top5: Summary::default(),
        published_average_percent: None,
    };
    let mut suite = Suite {
        schema_version: SUITE_VERSION,
        interrupted: false,
        program: Program::default(),
        protocol: "clip-benchmark".into(),
        sets: sets
            .iter()
            .map(|set| SetInfo::new(set, std::path::PathBuf::from("/data").into()))
            .collect(),
        rows: vec![
            row("small", [600, 300, 400, 650]),
            row("large_1", [800, 700, 600, 850]),
            row("best&<1>", [800, 710, 590, 860]),
        ],
        missing: vec!["imagenet-r".into()],
        problems: vec![Problem {
            name: "notes".into(),
            reason: "no set".into(),
        }],
    };
    suite.summarise();
    suite
}

/// By hand: (60 + 30 + 40) / 3 and 60 less that; bounds by the squares of distances to Wilson's.
#[test]
fn averages_and_drops_are_those_of_a_calculation_by_hand() {
    let suite = suite();
    let top1 = suite.rows[0].top1;
    let (average, drop) = (top1.average.unwrap(), top1.drop.unwrap());
    assert_eq!(top1.sets, 3);
    assert!((average.percent - 130.0 / 3.0).abs() < 1e-12);
    assert!((drop.percent - (60.0 - 130.0 / 3.0)).abs() < 1e-12);
    let shares = [60.0, 30.0, 40.0];
    let bounds: Vec<[f64; 2]> = [600, 300, 400]
        .iter()
        .map(|correct| accuracy(*correct, 1000).interval95.unwrap())
        .collect();
    let squares = |factors: [f64; 3], side: [usize; 3]| -> f64 {
        (0..3)
            .map(|i| (factors[i] * (shares[i] - bounds[i][side[i]])).powi(2))
            .sum::<f64>()
            .sqrt()
    };
    let third = 1.0 / 3.0;
    let low = average.percent - squares([third; 3], [0; 3]);
    assert!((average.interval95[0] - low).abs() < 1e-9);
    let factors = [2.0 * third, -third, -third];
    let high = drop.percent + squares(factors, [1, 0, 0]);
    assert!((drop.interval95[1] - high).abs() < 1e-9);
    assert!(drop.interval95[0] < drop.percent && drop.percent < drop.interval95[1]);
}

#[test]
fn a_set_without_a_result_leaves_no_average() {
    let mut suite = suite();
    suite.rows[0].results[1] = Cell::failed("imagenet-a", "it is damaged".into());
    suite.summarise();
    assert_eq!(suite.rows[0].top1.average, None);
    assert_eq!(suite.rows[0].top1.drop, None);
    assert!(suite.rows[1].top1.average.is_some());
    let text = suite.to_string();
    assert!(
        text.contains("small.pt, imagenet-a: failed: it is damaged"),
        "{text}"
    );
}

#[test]
fn what_fails_on_several_sets_is_told_once() {
    let mut suite = suite();
    let damaged = |cell: &Cell| Cell::failed(&cell.set, "it is damaged".into());
    let none: Vec<Cell> = suite.rows[0].results.iter().map(damaged).collect();
    suite.rows[0].model = UNKNOWN_MODEL.into();
    suite.rows[0].results = none;
    for place in [1, 3] {
        let cell = &mut suite.rows[1].results[place];
        *cell = damaged(cell);
    }
    suite.summarise();
    let text = suite.to_string();
    let told: Vec<&str> = text
        .lines()
        .filter(|line| line.contains("failed"))
        .collect();
    let expected = [
        "small.pt: failed: it is damaged",
        "large_1.pt, imagenet-a, imagenet-real: failed: it is damaged",
    ];
    assert_eq!(told, expected);
    // No line of intervals where there is none.
    let rows: Vec<&str> = text.lines().skip(2).take(2).collect();
    assert!(rows[0].starts_with("unknown"), "{text}");
    assert!(rows[1].starts_with("large_1"), "{text}");
    // The model's name does not tell which checkpoint that is.
    assert!(latex(&suite).contains("unknown & small.pt & -- & -- &"));
    assert!(html(&suite).contains("<span>small.pt</span>"));
}

#[test]
fn the_best_of_a_column_is_marked_and_the_least_drop() {
    use marks::Mark::{Best, None, Second};
    let suite = suite();
    let columns = suite.columns(Measure::Top1);
    let titles: Vec<&str> = columns.iter().map(|column| column.title.as_str()).collect();
    assert_eq!(
        titles,
        [
            "IN-1K",
            "IN-A",
            "ObjectNet",
            "average of 3",
            "drop",
            "IN-ReaL"
        ]
    );
    let marks: Vec<_> = columns.iter().map(|column| column.marks(1)).collect();
    assert_eq!(marks[0], [None, Best, Best], "two share the first place");
    assert_eq!(marks[1], [None, Second, Best]);
    assert_eq!(marks[2], [None, Best, Second]);
    assert_eq!(marks[3], [None, Best, Best]);
    let drops: Vec<f64> = suite
        .rows
        .iter()
        .map(|r| r.top1.drop.unwrap().percent)
        .collect();
    assert!(drops[0] > drops[1]);
    assert_eq!(marks[4][0], None);
}

#[test]
fn text_is_aligned_and_names_what_is_missing() {
    let text = suite().to_string();
    let lines: Vec<&str> = text.lines().collect();
    let end = |line: &str, word: &str| line.find(word).map(|start| start + word.len());
    assert_eq!(end(lines[1], "IN-1K"), end(lines[2], "60.00"), "{text}");
    assert!(lines[3].trim_start().starts_with("±3.0"), "{text}");
    assert!(text.contains("not there: imagenet-r"), "{text}");
    assert!(text.contains("notes: not evaluated: no set"), "{text}");
}

#[test]
fn each_form_escapes_what_it_must() {
    let suite = suite();
    let latex = latex(&suite);
    for line in [
        "\\begin{tabular}{lrrrrrr}",
        "Model & IN-1K & IN-A & ObjectNet & Avg. of 3 & $\\Delta\\downarrow$ & IN-ReaL \\\\",
        "large\\_1 & \\textbf{80.0} & \\underline{70.0} & \\textbf{60.0} & \\textbf{70.0} &",
        "best\\&\\textless{}1\\textgreater{} & \\textbf{80.0} & \\textbf{71.0} &",
        "% not there: imagenet-r",
    ] {
        assert!(latex.contains(line), "{line}\n{latex}");
    }
    let markdown = markdown(&suite);
    for line in [
        "| model | checkpoint | IN-1K | IN-A | ObjectNet | average of 3 | drop | IN-ReaL |",
        "| small | small.pt | 60.00 (56.93–62.99) |",
        "| best&amp;\\<1> | best&amp;\\<1>.pt | **80.00** (77.41–82.36) |",
    ] {
        assert!(markdown.contains(line), "{line}\n{markdown}");
    }
    let html = html(&suite);
    assert!(html.contains("best&amp;&lt;1&gt;"), "{html}");
    let csv = csv(&suite);
    let mut lines = ::csv::Reader::from_reader(csv.as_bytes());
    let head = lines.headers().unwrap().clone();
    let record = lines.records().next().unwrap().unwrap();
    let value = |name: &str| {
        let place = head.iter().position(|column| column == name).unwrap();
        record[place].parse::<f64>().unwrap()
    };
    assert_eq!(value("imagenet_top1"), 60.0);
    assert_eq!(value("objectnet_top1"), 40.0);
    assert!((value("average_top1") - 130.0 / 3.0).abs() < 1e-9);
    assert_eq!(value("average_sets"), 3.0);
}
