//! What there is now: the device, its clients, its partitions and their keys.

use super::paper::Section;
use crate::fault::Fault;
use crate::key::{self, class_word, date, document, label, state_word, type_word};
use crate::partition;
use crate::screen::{Screen, hex};
use crate::socket::AdminSocket;
use coloa_wire::admin::{BoundClient, ClientList, ServiceInfo, ServiceInfoReply};
use coloa_wire::command::{DeviceInfo, DeviceInfoReply, KeyEntry, TokenInfo, TokenList};
use serde_json::{Value, json};

/// One partition and its keys.
pub struct Holding {
    pub token: TokenInfo,
    pub keys: Vec<KeyEntry>,
}

pub struct Stock {
    pub device: DeviceInfoReply,
    pub service: ServiceInfoReply,
    pub clients: Vec<BoundClient>,
    pub holdings: Vec<Holding>,
    /// The last audit record before the keys were looked at.
    pub head: u64,
}

impl Stock {
    pub fn take(socket: &mut AdminSocket, only: Option<&str>) -> Result<Self, Fault> {
        let device = socket.call(None, &DeviceInfo {})?;
        let service = socket.ask(&ServiceInfo {})?;
        let clients = socket.ask(&ClientList {})?.clients;
        let tokens = match only {
            Some(wanted) => vec![partition::find(socket, wanted)?],
            None => socket.call(None, &TokenList {})?.tokens,
        };
        let mut holdings = Vec::new();
        for token in tokens {
            let keys = key::all(token.partition, |page| socket.call(None, page))?;
            holdings.push(Holding { token, keys });
        }
        Ok(Stock { head: device.audit_records, device, service, clients, holdings })
    }

    pub fn device_document(&self) -> Value {
        json!({
            "label": self.device.label, "serial": self.device.serial, "version": self.service.version,
            "place": self.service.listening, "certificate_ends": self.service.certificate_ends.map(|s| date(s.saturating_mul(1000))),
        })
    }

    pub fn client_documents(&self) -> Vec<Value> {
        let document = |c: &BoundClient| json!({ "name": c.name, "identity": c.identity.to_string(), "partition": self.label_of(c), "channels": c.channels });
        self.clients.iter().map(document).collect()
    }

    fn label_of(&self, client: &BoundClient) -> String {
        let holding = self.holdings.iter().find(|holding| holding.token.partition == client.partition);
        holding.map_or_else(|| client.partition.to_string(), |holding| holding.token.label.clone())
    }

    pub fn sections(&self, screen: &Screen) -> Vec<Section> {
        let ends = self.service.certificate_ends.map_or_else(String::new, |s| date(s.saturating_mul(1000)));
        let device = vec![self.device.label.clone(), self.device.serial.clone(), self.service.version.clone(), ends];
        let header = [
            screen.text("Device", "Thiết bị"),
            screen.text("Serial", "Số hiệu"),
            screen.text("Version", "Phiên bản"),
            screen.text("Certificate ends", "Chứng thư hết hạn"),
        ];
        let mut sections = vec![Section::new(screen.text("Devices", "Thiết bị"), &header, vec![device])];
        sections.push(self.client_section(screen));
        sections.extend(self.holdings.iter().map(|holding| holding.section(screen)));
        sections
    }

    fn client_section(&self, screen: &Screen) -> Section {
        let row =
            |c: &BoundClient| vec![c.name.clone(), self.label_of(c), c.channels.to_string(), c.identity.to_string()];
        let header = [
            screen.text("Client certificate", "Chứng thư máy khách"),
            screen.text("Partition", "Phân vùng"),
            screen.text("Channels", "Kênh"),
            screen.text("Identity", "Định danh"),
        ];
        let rows = self.clients.iter().map(row).collect();
        let mut section = Section::new(screen.text("Clients", "Máy khách"), &header, rows);
        section.notes.push(screen.text("The appliance keeps a client's identity, not its certificate: when that ends stands in the certificate.", "Thiết bị chỉ giữ định danh của máy khách, không giữ chứng thư: hạn dùng xem trong chứng thư.").to_owned());
        section
    }
}

impl Holding {
    pub fn document(&self) -> Value {
        let mut document = partition::document(&self.token);
        document["keys"] = json!(self.keys.iter().map(document_of).collect::<Vec<_>>());
        document
    }

    fn section(&self, screen: &Screen) -> Section {
        let header = [
            screen.text("Key", "Khóa"),
            screen.text("Kind", "Loại"),
            screen.text("State", "Trạng thái"),
            screen.text("Check value", "Giá trị kiểm tra"),
            screen.text("Expires", "Hết hạn"),
            screen.text("Site", "Địa điểm"),
            screen.text("Id", "Mã"),
        ];
        let title = format!("{} {}", screen.text("Partition", "Phân vùng"), self.token.label);
        Section::new(&title, &header, self.keys.iter().map(|key| row(screen, key)).collect())
    }
}

fn document_of(key: &KeyEntry) -> Value {
    document(key)
}

fn row(screen: &Screen, key: &KeyEntry) -> Vec<String> {
    vec![
        label(key),
        format!("{}, {}", type_word(key.key_type, key.bits), class_word(key.class)),
        state_word(screen, key.state).into(),
        hex(&key.check_value),
        key.expires.map_or_else(String::new, date),
        key.metadata.site.clone().unwrap_or_default(),
        key.object.to_string(),
    ]
}
