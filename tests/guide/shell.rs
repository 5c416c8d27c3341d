//! As much of a shell's grammar as the documents use.

use std::iter::Peekable;
use std::str::Chars;

/// A command and its words, without quotes and redirections. Variables are left as they are.
#[derive(Debug, PartialEq, Eq)]
pub struct Command {
    /// Where it begins, from 1.
    pub line: usize,
    pub words: Vec<String>,
}

/// The commands of a script whose first line has this number.
pub fn commands(script: &str, line: usize) -> Vec<Command> {
    let mut reader = Reader {
        rest: script.chars().peekable(),
        line,
        commands: Vec::new(),
        words: Vec::new(),
        word: None,
        begun: line,
        to_a_file: false,
    };
    reader.read();
    reader.commands
}

struct Reader<'a> {
    rest: Peekable<Chars<'a>>,
    line: usize,
    commands: Vec<Command>,
    words: Vec<String>,
    word: Option<String>,
    /// The line on which the command begins.
    begun: usize,
    /// Whether the next word names the file of a redirection.
    to_a_file: bool,
}

impl Reader<'_> {
    fn read(&mut self) {
        while let Some(c) = self.next() {
            match c {
                '\\' => match self.next() {
                    Some('\n') | None => {}
                    Some(escaped) => self.push(escaped),
                },
                '\'' => self.quoted('\''),
                '"' => self.quoted('"'),
                '$' if self.rest.peek() == Some(&'(') => self.substitution(),
                '#' if self.word.is_none() => {
                    while self.rest.peek().is_some_and(|c| *c != '\n') {
                        self.next();
                    }
                }
                '<' | '>' => {
                    self.end_word();
                    self.to_a_file = true;
                }
                '\n' | ';' | '|' | '&' => self.end_command(),
                c if c.is_whitespace() => self.end_word(),
                c => self.push(c),
            }
        }
        self.end_command();
    }

    fn next(&mut self) -> Option<char> {
        let c = self.rest.next();
        self.line += usize::from(c == Some('\n'));
        c
    }

    fn push(&mut self, c: char) {
        if self.word.is_none() && self.words.is_empty() {
            self.begun = self.line;
        }
        self.word.get_or_insert_default().push(c);
    }

    fn quoted(&mut self, quote: char) {
        self.word.get_or_insert_default();
        while let Some(c) = self.next() {
            if c == quote {
                return;
            }
            match (quote, c, self.rest.peek()) {
                ('"', '\\', Some('"' | '\\' | '$' | '\n')) => {
                    if let Some(escaped) = self.next().filter(|c| *c != '\n') {
                        self.push(escaped);
                    }
                }
                _ => self.push(c),
            }
        }
        panic!("line {}: {quote} has no end", self.line);
    }

    /// `$(…)` and `$((…))`, whose blanks separate no words.
    fn substitution(&mut self) {
        self.push('$');
        let mut depth = 0;
        while let Some(c) = self.next() {
            self.push(c);
            depth += i32::from(c == '(') - i32::from(c == ')');
            if depth == 0 {
                return;
            }
        }
        panic!("line {}: $( has no end", self.line);
    }

    fn end_word(&mut self) {
        if let Some(word) = self.word.take()
            && !std::mem::take(&mut self.to_a_file)
        {
            self.words.push(word);
        }
    }

    fn end_command(&mut self) {
        self.end_word();
        let words = std::mem::take(&mut self.words);
        if !words.is_empty() {
            let line = self.begun;
            self.commands.push(Command { line, words });
        }
    }
}

/// The arguments of each call of the program that a script makes, also through `cargo run`, another
/// program, or a script in one of its words.
pub fn calls(script: &str, line: usize) -> Vec<Command> {
    let mut calls = Vec::new();
    for command in commands(script, line) {
        let words = &command.words;
        let place = |wanted: &str| words.iter().position(|word| word == wanted);
        let call = match words[0].as_str() {
            "cargo" if words[1] == "run" => place("--"),
            "uta-eval" | "parallel" => place("uta-eval"),
            _ => None,
        };
        if let Some(call) = call {
            // Values for GNU parallel follow.
            let end = place(":::").unwrap_or(words.len());
            calls.push(Command {
                line: command.line,
                words: words[call + 1..end].into(),
            });
            continue;
        }
        for word in words.iter().filter(|word| word.contains("uta-eval ")) {
            calls.extend(self::calls(word, command.line));
        }
    }
    calls
}

/// The scripts in a YAML document, with the number of their first lines: block scalars, and the values
/// of `run`. `first` is the number of the document's first line.
pub fn scripts(yaml: &str, first: usize) -> Vec<(usize, String)> {
    let indent = |line: &str| line.len() - line.trim_start().len();
    let mut scripts = Vec::new();
    let mut lines = (first..).zip(yaml.lines()).peekable();
    while let Some((number, line)) = lines.next() {
        let joint = match line.rsplit([' ', ':']).next() {
            Some("|" | "|-") => "\n",
            Some(">" | ">-") => " ",
            _ => {
                let key = line.trim_start().trim_start_matches("- ");
                scripts.extend(key.strip_prefix("run: ").map(|run| (number, run.into())));
                continue;
            }
        };
        let mut inner = Vec::new();
        while let Some((_, text)) = lines.next_if(|(_, next)| indent(next) > indent(line)) {
            inner.push(text.trim_start());
        }
        scripts.push((number + 1, inner.join(joint)));
    }
    scripts
}

#[test]
fn commands_are_found_wherever_a_shell_would_find_them() {
    let words = |script: &str| -> Vec<Vec<String>> {
        calls(script, 1)
            .into_iter()
            .map(|call| call.words)
            .collect()
    };
    for (script, expected) in [
        (
            "uta-eval a \\\n  'b c' \"d \\\" $E\" > f # g",
            vec![vec!["a", "b c", "d \" $E"]],
        ),
        (
            "x=1; uta-eval a && uta-eval b | less",
            vec![vec!["a"], vec!["b"]],
        ),
        ("cargo run --release -- a", vec![vec!["a"]]),
        ("sbatch --wrap 'uta-eval a \\\n b'", vec![vec!["a", "b"]]),
        ("parallel -S h uta-eval {}/4 ::: 1 2", vec![vec!["{}/4"]]),
        ("uta-eval $((A + 1))/8", vec![vec!["$((A + 1))/8"]]),
        ("# uta-eval a\nman uta-eval", vec![]),
    ] {
        assert_eq!(words(script), expected, "{script}");
    }
    assert_eq!(calls("\n# c\nuta-eval \\\n a\nuta-eval b", 5)[0].line, 7);
    let yaml = "- run: a\n- run: |\n    b\n    c\nargs:\n  - >-\n    d\n    e\nname: f";
    let found = [(1, "a"), (3, "b\nc"), (7, "d e")].map(|(line, text)| (line, text.into()));
    assert_eq!(scripts(yaml, 1), found);
}
