//! `coloa inventory`, `coloa report`, `coloa expiring`: what there is, and whether it adds up (R35).
//!
//! The keys come from the store as it is now, their history from the audit log. Both are asked over the local socket, one
//! after the other, so what happens in between is left out of the comparison. Nothing here is believed of the other: where the
//! two do not agree, that is said, with the ids.

mod chronicle;
mod expiring;
mod month;
pub mod paper;
mod reckoning;
mod stock;

pub use expiring::expiring;
pub use month::report;

use crate::fault::Fault;
use crate::screen::Screen;
use crate::socket::AdminSocket;
use chronicle::Chronicle;
use clap::{Args, ValueEnum};
use serde_json::json;
use std::path::PathBuf;
use stock::Stock;
use time::{Date, Month};

const EXAMPLES: &str = "\
Examples:
  coloa inventory
  coloa --json inventory | jq .totals
  coloa report --month 2026-10 --format html --out 2026-10.html --lang vi
  coloa expiring --days 30";

#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct Inventory {
    /// Only this partition
    #[arg(long, value_name = "LABEL|ID")]
    pub partition: Option<String>,
}

#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct Report {
    /// Which month, in UTC
    #[arg(long, value_name = "YYYY-MM", value_parser = month)]
    pub month: Date,
    /// How it is written
    #[arg(long, value_enum, default_value = "text")]
    pub format: Format,
    /// Into this file, which must not exist, instead of the screen
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
}

#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct Expiring {
    /// Within so many days
    #[arg(long, default_value_t = 90)]
    pub days: u32,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For a terminal
    Text,
    /// For a browser and for print
    Html,
    /// For machines
    Json,
}

/// The first day of a month.
fn month(text: &str) -> Result<Date, String> {
    let wrong = || "a month is written YYYY-MM, like 2026-10".to_owned();
    let (year, month) = text.split_once('-').filter(|(y, m)| y.len() == 4 && m.len() == 2).ok_or_else(wrong)?;
    let month: u8 = month.parse().map_err(|_| wrong())?;
    let month = Month::try_from(month).map_err(|_| wrong())?;
    Date::from_calendar_date(year.parse().map_err(|_| wrong())?, month, 1).map_err(|_| wrong())
}

pub fn show(socket: &mut AdminSocket, screen: &Screen, asked: &Inventory) -> Result<(), Fault> {
    let stock = Stock::take(socket, asked.partition.as_deref())?;
    let chronicle = Chronicle::read(socket)?;
    let reckonings: Vec<_> = stock.holdings.iter().map(|holding| chronicle.reckon(holding, stock.head)).collect();
    if screen.is_json() {
        let document = json!({
            "device": stock.device_document(), "clients": stock.client_documents(),
            "partitions": stock.holdings.iter().map(stock::Holding::document).collect::<Vec<_>>(),
            "totals": reckonings.iter().map(reckoning::Reckoning::document).collect::<Vec<_>>(),
            "log_is_whole": chronicle.is_whole(),
        });
        println!("{document}");
        return Ok(());
    }
    let mut sections = stock.sections(screen);
    sections.push(reckoning::section(screen, &reckonings, &chronicle));
    let title = screen.text("Inventory", "Kiểm kê").to_owned();
    println!("{}", paper::Paper { title, sections }.text());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_month_is_a_month() {
        assert_eq!(month("2026-10").unwrap().to_string(), "2026-10-01");
        for wrong in ["2026-13", "2026-1", "26-10", "2026", "2026-00", "x026-10", "2026-10-01"] {
            assert!(month(wrong).is_err(), "{wrong}");
        }
    }
}
