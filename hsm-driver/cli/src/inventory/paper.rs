//! A page of tables, as text for a terminal and as HTML that needs nothing but itself.

use comfy_table::{ContentArrangement, Table, presets};
use std::fmt::Write;

pub struct Paper {
    pub title: String,
    pub sections: Vec<Section>,
}

pub struct Section {
    pub title: String,
    pub header: Vec<String>,
    pub rows: Vec<Vec<String>>,
    /// What must be said about the table.
    pub notes: Vec<String>,
}

impl Section {
    pub fn new(title: &str, header: &[&str], rows: Vec<Vec<String>>) -> Self {
        let header = header.iter().map(|cell| (*cell).to_owned()).collect();
        Section { title: title.to_owned(), header, rows, notes: Vec::new() }
    }
}

impl Paper {
    pub fn text(&self) -> String {
        self.text_within(None)
    }

    /// In so many columns, for a printer.
    pub fn text_within(&self, columns: Option<u16>) -> String {
        let mut out = format!("{}\n", self.title);
        for section in &self.sections {
            let mut table = Table::new();
            table.load_style(presets::UTF8_BORDERS_ONLY).set_content_arrangement(ContentArrangement::Dynamic);
            table.set_header(section.header.clone());
            if let Some(columns) = columns {
                table.set_width(columns);
            }
            table.add_rows(section.rows.clone());
            // Writing to a `String` cannot fail.
            let _ = write!(out, "\n{}\n{table}\n", section.title);
            section.notes.iter().for_each(|note| {
                let _ = writeln!(out, "{note}");
            });
        }
        out
    }

    pub fn html(&self, language: &str) -> String {
        let mut out = format!(
            "<!DOCTYPE html>\n<html lang=\"{language}\"><head><meta charset=\"utf-8\"><title>{}</title><style>{STYLE}</style></head><body>\n<h1>{}</h1>\n",
            escaped(&self.title),
            escaped(&self.title)
        );
        for section in &self.sections {
            let cells = |row: &[String], tag: &str| -> String {
                row.iter().map(|cell| format!("<{tag}>{}</{tag}>", escaped(cell))).collect()
            };
            let rows: String = section.rows.iter().map(|row| format!("<tr>{}</tr>\n", cells(row, "td"))).collect();
            let notes: String = section.notes.iter().map(|note| format!("<p>{}</p>\n", escaped(note))).collect();
            let head = cells(&section.header, "th");
            let title = escaped(&section.title);
            let _ = write!(
                out,
                "<h2>{title}</h2>\n<table><thead><tr>{head}</tr></thead><tbody>\n{rows}</tbody></table>\n{notes}"
            );
        }
        out + "</body></html>\n"
    }
}

const STYLE: &str = "body{font-family:sans-serif;margin:2em}table{border-collapse:collapse}td,th{border:1px solid #999;padding:.2em .6em;text-align:left}th{background:#eee}td{overflow-wrap:anywhere}@media print{body{margin:0}tr{break-inside:avoid}}";

/// Labels are written by clients: none becomes markup.
fn escaped(text: &str) -> String {
    text.chars().fold(String::with_capacity(text.len()), |mut out, c| {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            other => out.push(other),
        }
        out
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_is_no_markup() {
        let rows = vec![vec!["<script>alert('x')</script>".to_owned()]];
        let paper = Paper { title: "a & b".into(), sections: vec![Section::new("\"s\"", &["h"], rows)] };
        let html = paper.html("en");
        assert!(!html.contains("<script") && html.contains("&lt;script&gt;alert(&#39;x&#39;)"), "{html}");
        assert!(html.contains("a &amp; b") && html.contains("&quot;s&quot;"));
        assert!(paper.text().contains("<script>"));
    }
}
