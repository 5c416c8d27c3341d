//! The machine's name, processor and clock, and the command line.

use std::borrow::Cow;
use std::time::SystemTime;

use crate::util::escape;

/// A time in UTC, to the second, as RFC 3339 has it.
pub fn date(time: SystemTime) -> String {
    let time = chrono::DateTime::<chrono::Utc>::from(time);
    time.to_rfc3339_opts(chrono::SecondsFormat::Secs, true)
}

/// The machine's name in its network. `None` where the system does not tell.
pub fn host() -> Option<String> {
    #[cfg(unix)]
    let name = nix::unistd::gethostname().ok()?;
    #[cfg(not(unix))]
    let name = std::env::var_os("COMPUTERNAME")?;
    Some(escape::name(&name).into_owned())
}

/// The processor's name, or where the system does not tell, its architecture.
pub fn processor() -> String {
    let named = || {
        if cfg!(target_vendor = "apple") {
            let mut sysctl = std::process::Command::new("sysctl");
            let name = sysctl.args(["-n", "machdep.cpu.brand_string"]).output();
            return String::from_utf8(name.ok()?.stdout).ok();
        }
        let text = std::fs::read_to_string("/proc/cpuinfo").ok()?;
        of_cpuinfo(&text).map(Into::into)
    };
    let name = named().map(|name| name.split_whitespace().collect::<Vec<_>>().join(" "));
    name.filter(|name| !name.is_empty())
        .unwrap_or_else(|| std::env::consts::ARCH.into())
}

fn of_cpuinfo(text: &str) -> Option<&str> {
    let mut fields = text.lines().filter_map(|line| line.split_once(':'));
    let (_, value) = fields.find(|(name, _)| name.trim() == "model name")?;
    Some(value.trim())
}

/// The command line of this process, as a shell reads it.
pub fn command() -> String {
    let arguments = std::env::args_os().skip(1);
    let words = arguments.map(|word| quoted(&escape::name(&word)).into_owned());
    let words = std::iter::once(env!("CARGO_PKG_NAME").to_string()).chain(words);
    words.collect::<Vec<_>>().join(" ")
}

/// A word, in quotes if a shell would read it otherwise.
fn quoted(word: &str) -> Cow<'_, str> {
    let plain = |c: char| c.is_alphanumeric() || "-_./:=@%+,".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.into()
    } else {
        format!("'{}'", word.replace('\'', "'\\''")).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn dates_are_in_utc() {
        let at = |seconds| date(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds));
        assert_eq!(at(0), "1970-01-01T00:00:00Z");
        assert_eq!(at(951_782_400), "2000-02-29T00:00:00Z");
        assert_eq!(at(1_700_000_000), "2023-11-14T22:13:20Z");
    }

    #[test]
    fn a_processor_has_a_name() {
        let text = "processor : 0\nmodel\t\t: 85\nmodel name\t: Chip(R) 9 @ 2GHz\n";
        assert_eq!(of_cpuinfo(text), Some("Chip(R) 9 @ 2GHz"));
        assert_eq!(of_cpuinfo("processor : 0\n"), None);
        assert!(!processor().is_empty());
    }

    #[test]
    fn words_are_quoted_where_a_shell_needs_it() {
        for (word, shown) in [
            ("--limit", "--limit"),
            ("/a/b-1.json", "/a/b-1.json"),
            ("a b", "'a b'"),
            ("*.pt", "'*.pt'"),
            ("it's", "'it'\\''s'"),
            ("", "''"),
        ] {
            assert_eq!(quoted(word), shown);
        }
    }
}
