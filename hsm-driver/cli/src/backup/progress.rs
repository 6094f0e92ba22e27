//! A bar on standard error, for a person who waits.

use crate::screen::Screen;
use indicatif::{ProgressBar, ProgressStyle};
use std::io::IsTerminal;

/// A bar, where somebody sees it.
pub struct Progress(Option<ProgressBar>);

impl Progress {
    pub fn new(screen: &Screen, what: &str) -> Self {
        let seen = !screen.is_json() && std::io::stderr().is_terminal();
        Progress(seen.then(|| {
            let bar = ProgressBar::new(0).with_message(what.to_owned());
            let style = ProgressStyle::with_template("{msg} [{bar:40}] {pos}/{len} {eta}");
            bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()).progress_chars("=> "))
        }))
    }

    pub fn at(&self, done: u64, of: u64) {
        if let Some(bar) = &self.0 {
            bar.set_length(of);
            bar.set_position(done);
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = &self.0 {
            bar.finish_and_clear();
        }
    }
}
