//! What people and machines read: tables or one JSON document.

use crate::arguments::Lang;
use crate::fault::Fault;
use coloa_wire::error::Language;
use comfy_table::{ContentArrangement, Table, presets};
use serde_json::{Value, json};
use time::OffsetDateTime;

/// Language and form of the output.
pub struct Screen {
    language: Language,
    json: bool,
}

impl Screen {
    pub fn new(lang: Option<Lang>, json: bool) -> Self {
        let language = match lang {
            Some(Lang::En) => Language::English,
            Some(Lang::Vi) => Language::Vietnamese,
            None => from_environment(),
        };
        Screen { language, json }
    }

    /// Whether machines read.
    pub fn is_json(&self) -> bool {
        self.json
    }

    /// The text in the reader's language.
    pub fn text<'a>(&self, english: &'a str, vietnamese: &'a str) -> &'a str {
        match self.language {
            Language::English => english,
            Language::Vietnamese => vietnamese,
        }
    }

    /// One thing: label and value by line, or the document.
    pub fn facts(&self, document: &Value, facts: Vec<(&str, String)>) {
        let rows = facts.into_iter().filter(|(_, value)| !value.is_empty());
        self.print(document, None, rows.map(|(label, value)| vec![label.to_owned(), value]).collect());
    }

    /// The same beside the result, for people: on standard error.
    pub fn facts_aside(&self, facts: Vec<(&str, String)>) {
        if !self.json {
            let rows = facts.into_iter().filter(|(_, value)| !value.is_empty());
            eprintln!("{}", table(None, rows.map(|(label, value)| vec![label.to_owned(), value]).collect()));
        }
    }

    /// Many things: a table with a header, or the document.
    pub fn rows(&self, document: &Value, header: &[&str], rows: Vec<Vec<String>>) {
        self.print(document, Some(header), rows);
    }

    /// What was done, in one sentence; the document says it to machines.
    pub fn done(&self, document: &Value, sentence: &str) {
        if self.json { println!("{document}") } else { println!("{sentence}") }
    }

    /// A line beside the result, for people.
    pub fn note(&self, line: &str) {
        if !self.json {
            eprintln!("{line}");
        }
    }

    /// What a person types at this prompt, for an act that there is no way back from.
    pub fn typed(&self, prompt: &str) -> Result<String, Fault> {
        self.note(prompt);
        let mut line = String::new();
        std::io::stdin().read_line(&mut line).map_err(|_| Fault::NotConfirmed)?;
        Ok(line.trim_end_matches(['\r', '\n']).to_owned())
    }

    /// What happened and what to do next, on standard error.
    pub fn fault(&self, fault: &Fault) {
        let words = fault.words(self.language);
        if self.json {
            eprintln!("{}", json!({ "error": words, "number": fault.number() }));
        } else {
            eprintln!("coloa: {words}");
        }
    }

    /// What happened, where it is no end: for people.
    pub fn aside(&self, fault: &Fault) {
        self.note(&format!("coloa: {}", fault.words(self.language)));
    }

    fn print(&self, document: &Value, header: Option<&[&str]>, rows: Vec<Vec<String>>) {
        if self.json {
            println!("{document}");
            return;
        }
        println!("{}", table(header, rows));
    }
}

fn table(header: Option<&[&str]>, rows: Vec<Vec<String>>) -> Table {
    let mut table = Table::new();
    table.load_style(presets::UTF8_BORDERS_ONLY).set_content_arrangement(ContentArrangement::Dynamic);
    if let Some(header) = header {
        table.set_header(header.iter().map(|h| (*h).to_owned()).collect::<Vec<_>>());
    }
    table.add_rows(rows);
    table
}

/// A time in milliseconds since 1970, to the second.
pub fn moment(millis: u64) -> String {
    let at = i64::try_from(millis / 1000).ok().and_then(|s| OffsetDateTime::from_unix_timestamp(s).ok());
    at.map_or_else(String::new, |t| format!("{} {:02}:{:02}:{:02} UTC", t.date(), t.hour(), t.minute(), t.second()))
}

fn from_environment() -> Language {
    let named = ["LC_ALL", "LC_MESSAGES", "LANG"].iter().filter_map(|v| std::env::var(v).ok()).find(|v| !v.is_empty());
    if named.is_some_and(|l| l.starts_with("vi")) { Language::Vietnamese } else { Language::English }
}

/// Lower-case hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}
