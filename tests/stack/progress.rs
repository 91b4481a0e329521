//! Shows the steps of the start on standard error: spinners on a terminal, plain lines elsewhere.

use std::io::{IsTerminal, Write};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use crate::stack::file;

/// The steps shown so far.
pub struct Progress {
    bars: Option<MultiProgress>,
}

impl Progress {
    /// Shows spinners if standard error is a terminal.
    pub fn new() -> Self {
        Self {
            bars: std::io::stderr().is_terminal().then(MultiProgress::new),
        }
    }

    /// Begins a step, as in "starting the server".
    pub fn step(&self, doing: &str) -> Step {
        let bar = match &self.bars {
            Some(bars) => {
                let bar = bars.add(ProgressBar::new_spinner());
                if let Ok(style) =
                    ProgressStyle::with_template("  {spinner} {prefix} {wide_msg:.dim}")
                {
                    bar.set_style(style);
                }
                bar.set_prefix(doing.to_owned());
                bar.enable_steady_tick(Duration::from_millis(100));
                Some(bar)
            }
            None => {
                print(&format!("  … {doing}"));
                None
            }
        };
        Step {
            bar,
            began: Instant::now(),
            tail: None,
        }
    }

    /// Writes a line between the steps.
    pub fn say(&self, line: &str) {
        match &self.bars {
            Some(bars) => bars.suspend(|| print(line)),
            None => print(line),
        }
    }
}

/// A step that has begun. If it is dropped before it is done, it disappears from a terminal.
pub struct Step {
    bar: Option<ProgressBar>,
    began: Instant,
    tail: Option<tokio::task::JoinHandle<()>>,
}

impl Step {
    /// Shows the last line of a growing log beside the step.
    pub fn follow(&mut self, log: impl Into<PathBuf>) {
        let (Some(bar), log) = (self.bar.clone(), log.into()) else {
            return;
        };
        self.tail = Some(tokio::spawn(async move {
            loop {
                bar.set_message(file::last_lines(&log, 1));
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
        }));
    }

    /// Ends the step and shows its result, as in "server MariaDB 10.11, port 41234".
    pub fn done(mut self, result: &str) {
        let line = format!("  ✓ {result} ({:.1} s)", self.began.elapsed().as_secs_f32());
        self.stop_following();
        match self.bar.take() {
            Some(bar) => {
                if let Ok(style) = ProgressStyle::with_template("{prefix}") {
                    bar.set_style(style);
                }
                bar.set_prefix(line);
                bar.finish();
            }
            None => print(&line),
        }
    }

    fn stop_following(&mut self) {
        if let Some(tail) = self.tail.take() {
            tail.abort();
        }
    }
}

impl Drop for Step {
    fn drop(&mut self) {
        self.stop_following();
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

/// Writes a line to standard error. A terminal that was closed is no reason to stop.
pub fn print(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}
