//! What a person sees while something takes a while: a spinner on a terminal, plain lines anywhere else.

use indicatif::{ProgressBar, ProgressStyle};
use std::io::IsTerminal;
use std::time::{Duration, Instant};

/// One thing being done, from `start` to `done` or `fail`.
pub struct Task {
    bar: Option<ProgressBar>,
    title: String,
    since: Instant,
}

/// Is a person watching? Colour and redrawn lines are for them only.
pub fn on_terminal() -> bool {
    std::io::stdout().is_terminal() && std::io::stderr().is_terminal() && std::env::var_os("CI").is_none()
}

impl Task {
    /// Says what starts now.
    pub fn start(title: impl Into<String>) -> Self {
        let title = title.into();
        let bar = on_terminal().then(|| spinner(&title));
        if bar.is_none() {
            println!("… {title}");
        }
        Self { bar, title, since: Instant::now() }
    }

    /// Shows the latest line of what is going on; on a terminal only.
    pub fn note(&self, line: &str) {
        if let Some(bar) = &self.bar {
            bar.set_message(line.trim().chars().take(80).collect::<String>());
        }
    }

    /// It worked.
    pub fn done(self) {
        self.close("✔");
    }

    /// It did not.
    pub fn fail(self) {
        self.close("✘");
    }

    fn close(self, mark: &str) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
        println!("{mark} {} ({:.1} s)", self.title, self.since.elapsed().as_secs_f64());
    }
}

fn spinner(title: &str) -> ProgressBar {
    let bar = ProgressBar::new_spinner().with_prefix(title.to_owned());
    if let Ok(style) = ProgressStyle::with_template("{spinner} {prefix} [{elapsed}] {msg:.dim}") {
        bar.set_style(style);
    }
    bar.enable_steady_tick(Duration::from_millis(120));
    bar
}
