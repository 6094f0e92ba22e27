//! `coloa report`: a month of a device, from its audit log, beside what there is now.

use super::chronicle::{Chronicle, makes_key};
use super::expiring::ends_within;
use super::paper::{Paper, Section};
use super::reckoning::{self, Reckoning};
use super::stock::{Holding, Stock};
use super::{Format, Report};
use crate::fault::Fault;
use crate::screen::Screen;
use crate::socket::AdminSocket;
use coloa_engine::audit::{AuditEvent, CLOCK_STEPPED_BACK, STARTED};
use coloa_wire::ErrorCode;
use coloa_wire::command::CommandCode as C;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use time::{Date, UtcOffset};

/// What a month brought to one partition.
#[derive(Default)]
struct Brought {
    made: u64,
    destroyed: u64,
    rotated: u64,
    stated: u64,
    uses: u64,
    refused: u64,
    compromised_uses: u64,
}

impl Brought {
    fn count(&mut self, event: &AuditEvent) {
        let code = C::try_from(event.action);
        let compromised = event.result == ErrorCode::KeyCompromisedUsed.number();
        if event.result != 0 && !compromised {
            self.refused = self.refused.saturating_add(event.count);
            return;
        }
        if compromised {
            self.compromised_uses = self.compromised_uses.saturating_add(event.count);
        }
        let counter = match code {
            _ if event.mechanism.is_some() => &mut self.uses,
            Ok(C::KeyRotate) if makes_key(event) => {
                self.rotated = self.rotated.saturating_add(1);
                &mut self.made
            }
            _ if makes_key(event) => &mut self.made,
            Ok(C::KeyDestroy) => &mut self.destroyed,
            Ok(C::ObjectDestroy) if event.detail.is_none() => &mut self.destroyed,
            Ok(C::KeyStateSet) => &mut self.stated,
            _ => return,
        };
        *counter = counter.saturating_add(event.count);
    }

    fn document(&self, label: &str) -> Value {
        json!({
            "partition": label, "keys_made": self.made, "objects_destroyed": self.destroyed, "keys_rotated": self.rotated,
            "states_set": self.stated, "key_uses": self.uses, "refused": self.refused,
            "uses_of_compromised_keys": self.compromised_uses,
        })
    }

    fn row(&self, label: &str) -> Vec<String> {
        let Brought { made, destroyed, rotated, stated, uses, refused, compromised_uses } = *self;
        let numbers = [made, rotated, stated, destroyed, uses, compromised_uses, refused].map(|n| n.to_string());
        core::iter::once(label.to_owned()).chain(numbers).collect()
    }
}

/// A month of a device.
struct Account {
    month: Date,
    stock: Stock,
    chronicle: Chronicle,
    brought: BTreeMap<String, Brought>,
    starts: u64,
    steps_back: u64,
    refused_elsewhere: u64,
}

impl Account {
    fn new(month: Date, stock: Stock, chronicle: Chronicle) -> Self {
        let brought = stock.holdings.iter().map(|h| (h.token.label.clone(), Brought::default())).collect();
        let (starts, steps_back, refused_elsewhere) = (0, 0, 0);
        let mut account = Account { month, stock, chronicle, brought, starts, steps_back, refused_elsewhere };
        let (from, until) = bounds(month);
        let records = core::mem::take(&mut account.chronicle.records);
        let within = records.iter().filter(|record| (from..until).contains(&record.time));
        within.for_each(|record| account.count(&record.event));
        account.chronicle.records = records;
        account
    }

    fn count(&mut self, event: &AuditEvent) {
        match event.action {
            STARTED => self.starts = self.starts.saturating_add(1),
            CLOCK_STEPPED_BACK => self.steps_back = self.steps_back.saturating_add(1),
            _ => {}
        }
        let Some(partition) = event.partition else {
            self.refused_elsewhere =
                self.refused_elsewhere.saturating_add(if event.result == 0 { 0 } else { event.count });
            return;
        };
        let holding = self.stock.holdings.iter().find(|holding| holding.token.partition == partition);
        // One that is no more has only its id.
        let label = holding.map_or_else(|| partition.to_string(), |holding| holding.token.label.clone());
        self.brought.entry(label).or_default().count(event);
    }

    fn reckonings(&self) -> Vec<Reckoning> {
        self.stock.holdings.iter().map(|holding| self.chronicle.reckon(holding, self.stock.head)).collect()
    }

    fn name(&self) -> String {
        format!("{:04}-{:02}", self.month.year(), u8::from(self.month.month()))
    }

    /// Keys that end within 30, 60 and 90 days after the month.
    fn ending(&self) -> [usize; 3] {
        let (_, until) = bounds(self.month);
        let keys = || self.stock.holdings.iter().flat_map(|holding: &Holding| &holding.keys);
        [30, 60, 90].map(|days| keys().filter(|key| ends_within(key, until, days)).count())
    }

    fn document(&self) -> Value {
        let [in_30, in_60, in_90] = self.ending();
        json!({
            "month": self.name(), "device": self.stock.device_document(), "starts": self.starts,
            "clock_stepped_back": self.steps_back, "refused_without_partition": self.refused_elsewhere,
            "partitions": self.brought.iter().map(|(label, one)| one.document(label)).collect::<Vec<_>>(),
            "totals_now": self.reckonings().iter().map(Reckoning::document).collect::<Vec<_>>(),
            "log_is_whole": self.chronicle.is_whole(),
            "keys_expiring_after_the_month": { "30": in_30, "60": in_60, "90": in_90 },
        })
    }

    fn paper(&self, screen: &Screen) -> Paper {
        let title = format!(
            "{} {}: {} ({})",
            screen.text("Monthly report", "Báo cáo tháng"),
            self.name(),
            self.stock.device.label,
            self.stock.device.serial
        );
        let sections = vec![
            self.device_section(screen),
            self.partition_section(screen),
            reckoning::section(screen, &self.reckonings(), &self.chronicle),
            self.ending_section(screen),
        ];
        Paper { title, sections }
    }

    fn device_section(&self, screen: &Screen) -> Section {
        let header = [
            screen.text("Starts", "Số lần khởi động"),
            screen.text("Clock stepped back", "Đồng hồ lùi"),
            screen.text("Refused before a partition", "Bị từ chối ngoài phân vùng"),
        ];
        let row = [self.starts, self.steps_back, self.refused_elsewhere].map(|n| n.to_string()).to_vec();
        Section::new(screen.text("Device", "Thiết bị"), &header, vec![row])
    }

    fn partition_section(&self, screen: &Screen) -> Section {
        let header = [
            screen.text("Partition", "Phân vùng"),
            screen.text("Keys made", "Khóa đã tạo"),
            screen.text("Replaced", "Đã thay"),
            screen.text("States set", "Lần đổi trạng thái"),
            screen.text("Objects destroyed", "Đối tượng đã tiêu hủy"),
            screen.text("Key uses", "Lần dùng khóa"),
            screen.text("of compromised keys", "dùng khóa đã lộ"),
            screen.text("Refused", "Bị từ chối"),
        ];
        let rows = self.brought.iter().map(|(label, one)| one.row(label)).collect();
        Section::new(screen.text("What the month brought", "Trong tháng"), &header, rows)
    }

    fn ending_section(&self, screen: &Screen) -> Section {
        let header = ["30", "60", "90"];
        let row = self.ending().map(|n| n.to_string()).to_vec();
        let title = screen.text("Keys that end within days after the month", "Khóa hết hạn trong số ngày sau tháng");
        Section::new(title, &header, vec![row])
    }
}

/// A month's first moment and that of the next, in milliseconds since 1970.
fn bounds(month: Date) -> (u64, u64) {
    let days = i64::from(month.month().length(month.year()));
    let start = month.midnight().assume_offset(UtcOffset::UTC).unix_timestamp();
    let millis = |seconds: i64| u64::try_from(seconds).unwrap_or_default().saturating_mul(1000);
    (millis(start), millis(start.saturating_add(days.saturating_mul(86_400))))
}

pub fn report(socket: &mut AdminSocket, screen: &Screen, asked: &Report) -> Result<(), Fault> {
    let stock = Stock::take(socket, None)?;
    let account = Account::new(asked.month, stock, Chronicle::read(socket)?);
    let format = if screen.is_json() { Format::Json } else { asked.format };
    let text = match format {
        Format::Json => format!("{}\n", account.document()),
        Format::Html => account.paper(screen).html(screen.text("en", "vi")),
        Format::Text => account.paper(screen).text(),
    };
    let Some(out) = &asked.out else {
        print!("{text}");
        return Ok(());
    };
    let fault = |e: std::io::Error| Fault::file(out, e);
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(out).map_err(fault)?;
    file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(fault)?;
    screen.done(&json!({ "file": out }), screen.text("Written.", "Đã ghi."));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::Month;

    #[test]
    fn a_month_ends_where_the_next_begins() {
        let first = |year, month| Date::from_calendar_date(year, month, 1).unwrap();
        let (from, until) = bounds(first(2026, Month::December));
        assert_eq!(until - from, 31 * 86_400_000);
        assert_eq!(until, bounds(first(2027, Month::January)).0);
        assert_eq!(bounds(first(1970, Month::January)).0, 0);
        let (from, until) = bounds(first(2028, Month::February));
        assert_eq!(until - from, 29 * 86_400_000);
    }
}
