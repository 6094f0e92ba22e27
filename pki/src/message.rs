//! Sentences for people, in English and Vietnamese: what happened, and what to do next.

mod english;
mod package;
mod vietnamese;

use std::fmt;

use crate::Error;

/// A language of the operator's screen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Language {
    /// English.
    #[value(name = "en")]
    English,
    /// Tiếng Việt.
    #[value(name = "vi")]
    Vietnamese,
}

impl Language {
    /// From `LC_ALL`, `LC_MESSAGES` or `LANG`: the first that is set decides.
    pub fn of_environment() -> Language {
        let set = ["LC_ALL", "LC_MESSAGES", "LANG"].iter().filter_map(|name| std::env::var(name).ok());
        match set.into_iter().find(|value| !value.is_empty()) {
            Some(value) if value.starts_with("vi") => Language::Vietnamese,
            _ => Language::English,
        }
    }
}

/// What happened and why, and what to do next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// One sentence.
    pub what: String,
    /// The next step.
    pub next: String,
}

impl fmt::Display for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.what, self.next)
    }
}

/// The message of an error.
pub fn of(error: &Error, language: Language) -> Message {
    let (what, next) = match language {
        _ if error.number() >= 600 => package::of(error, language),
        Language::English => english::of(error),
        Language::Vietnamese => vietnamese::of(error),
    };
    Message { what, next: next.to_owned() }
}
