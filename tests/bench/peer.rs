//! PyTorch beside us, where Python has it.

use std::cell::RefCell;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

/// How long its threads may still look for work, and keep the cores, when it has answered.
const REST: Duration = Duration::from_millis(50);

/// Runs the work of `peer.py` on request, and waits meanwhile.
pub struct Peer {
    child: Child,
    ask: RefCell<ChildStdin>,
    hear: RefCell<BufReader<ChildStdout>>,
}

impl Peer {
    /// Starts PyTorch with as many threads as we have. `PEER_PYTHON` names another Python than `python3`. Where there is none, says
    /// so.
    pub fn start() -> Option<Self> {
        let python = std::env::var("PEER_PYTHON").unwrap_or("python3".into());
        let child = Command::new(&python)
            .args(["-c", include_str!("peer.py")])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn();
        let mut child = match child {
            Ok(child) => child,
            Err(e) => {
                eprintln!("no PyTorch beside us: {python}: {e}");
                return None;
            }
        };
        let ask = RefCell::new(child.stdin.take().unwrap());
        let hear = RefCell::new(BufReader::new(child.stdout.take().unwrap()));
        let peer = Self { child, ask, hear };
        match peer.answer(&format!("hello {}", rayon::current_num_threads())) {
            Ok(version) => {
                println!("beside PyTorch {version}, with as many threads, in turns");
                Some(peer)
            }
            Err(reason) => {
                eprintln!(
                    "no PyTorch beside us ({reason}); PEER_PYTHON may name a Python that has it"
                );
                None
            }
        }
    }

    /// Its rate, in the units of `peer.py`.
    ///
    /// # Errors
    /// What it lacks.
    pub fn rate(&self, request: &str) -> Result<f64, String> {
        let answer = self.answer(request)?;
        std::thread::sleep(REST);
        answer.parse().map_err(|_| answer)
    }

    fn answer(&self, request: &str) -> Result<String, String> {
        let told = writeln!(self.ask.borrow_mut(), "{request}");
        let mut line = String::new();
        let heard = told.and_then(|()| self.hear.borrow_mut().read_line(&mut line));
        match (heard, line.trim().strip_prefix("error: ")) {
            (Ok(1..), None) => Ok(line.trim().into()),
            (Ok(1..), Some(reason)) => Err(reason.into()),
            _ => Err("it has ended".into()),
        }
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
