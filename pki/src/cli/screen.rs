//! What people and machines read: tables or one JSON document.

use std::path::Path;

use coloa_pki::message::{self, Language};
use coloa_pki::pem::{self, Label};
use coloa_pki::{Error, Result, durable};
use comfy_table::{ContentArrangement, Table, presets};
use serde_json::{Value, json};

/// Language and form of the output.
pub struct Screen {
    language: Language,
    json: bool,
}

impl Screen {
    pub fn new(language: Language, json: bool) -> Screen {
        Screen { language, json }
    }

    pub fn language(&self) -> Language {
        self.language
    }

    /// The text in the operator's language.
    pub fn text(&self, english: &'static str, vietnamese: &'static str) -> &'static str {
        match self.language {
            Language::English => english,
            Language::Vietnamese => vietnamese,
        }
    }

    /// One thing: label and value by line, or the JSON.
    pub fn facts(&self, document: Value, facts: &[(&str, String)]) {
        self.print(&document, table(None, fact_rows(facts)));
    }

    /// What was released: the PEM to its file or, with these facts beside it on standard error, to standard output.
    /// In JSON both are one document.
    pub fn release(
        &self,
        out: Option<&Path>,
        objects: &[(Label, &[u8])],
        mut document: Value,
        facts: &[(&str, String)],
    ) -> Result<()> {
        let text: String = objects.iter().map(|(label, der)| pem::encode(*label, der)).collect::<Result<_>>()?;
        if let Some(path) = out {
            durable::replace(path, text.as_bytes())?;
        }
        if self.json || out.is_some() {
            document["pem"] = text.into();
            self.facts(document, facts);
        } else {
            eprint!("{}", table(None, fact_rows(facts)));
            print!("{text}");
        }
        Ok(())
    }

    /// Many things: a table with a header, a line below it, or the JSON.
    pub fn rows(&self, document: Value, header: &[&str], rows: Vec<Vec<String>>, below: &str) {
        self.print(&document, format!("{}{below}", table(Some(header), rows)));
    }

    /// A line for people beside the result; machines find the same in the document.
    pub fn note(&self, line: &str) {
        if !self.json {
            eprintln!("{line}");
        }
    }

    /// Number, fault, what happened and what to do next, on standard error.
    pub fn error(&self, error: &Error) {
        let message = message::of(error, self.language);
        if self.json {
            let document = json!({
                "error": error.number(), "fault": error.fault(), "what": message.what, "next": message.next,
            });
            eprintln!("{document}");
        } else {
            let word = self.text("error", "lỗi");
            eprintln!("{word} PKI-{}: {}\n  → {}", error.number(), message.what, message.next);
        }
    }

    fn print(&self, document: &Value, text: String) {
        match self.json {
            true => println!("{document}"),
            false => print!("{text}"),
        }
    }
}

/// Label and value; what is empty is not worth a line.
fn fact_rows(facts: &[(&str, String)]) -> Vec<Vec<String>> {
    let told = facts.iter().filter(|(_, value)| !value.is_empty());
    told.map(|(label, value)| vec![(*label).to_owned(), value.clone()]).collect()
}

fn table(header: Option<&[&str]>, rows: Vec<Vec<String>>) -> String {
    let mut table = Table::new();
    table.load_style(presets::UTF8_BORDERS_ONLY).set_content_arrangement(ContentArrangement::Dynamic);
    if let Some(header) = header {
        table.set_header(header.iter().map(|h| (*h).to_owned()).collect::<Vec<_>>());
    }
    table.add_rows(rows);
    format!("{table}\n")
}
