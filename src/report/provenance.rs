//! Where, when and by which command a result was made.

use std::time::{Instant, SystemTime};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::util::machine;

/// Where, when and by which command a result was made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Provenance {
    /// When the evaluation began, in UTC, as RFC 3339 has it. After a merge, the first of the shards.
    pub started: String,
    /// The machine's name; after a merge, of all machines. Empty where the system does not tell.
    pub hosts: Vec<String>,
    /// The machine's processor; after a merge, of all machines.
    pub processors: Vec<String>,
    /// The command line, as a shell reads it; after a merge, the first shard's.
    pub command: String,
}

impl Provenance {
    /// Of this process, for what began at `start`.
    pub fn since(start: Instant) -> Self {
        let started = SystemTime::now()
            .checked_sub(start.elapsed())
            .unwrap_or(SystemTime::UNIX_EPOCH);
        Self {
            started: machine::date(started),
            hosts: machine::host().into_iter().collect(),
            processors: vec![machine::processor()],
            command: machine::command(),
        }
    }

    /// Adds another shard's.
    pub(super) fn append(&mut self, other: Self) {
        // As text these dates sort as the times do.
        self.started = std::mem::take(&mut self.started).min(other.started);
        for (own, others) in [
            (&mut self.hosts, other.hosts),
            (&mut self.processors, other.processors),
        ] {
            for name in others {
                if !own.contains(&name) {
                    own.push(name);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(started: &str, host: &str) -> Provenance {
        Provenance {
            started: started.into(),
            hosts: vec![host.into()],
            processors: vec!["P".into()],
            command: host.into(),
        }
    }

    #[test]
    fn shards_began_with_the_first_and_ran_on_all_machines() {
        let mut merged = of("2026-11-27T02:10:00Z", "b");
        merged.append(of("2026-11-27T01:59:59Z", "a"));
        merged.append(of("2026-11-28T00:00:00Z", "b"));
        assert_eq!(merged.started, "2026-11-27T01:59:59Z");
        assert_eq!(merged.hosts, ["b", "a"]);
        assert_eq!(merged.processors, ["P"]);
        assert_eq!(merged.command, "b");
    }
}
