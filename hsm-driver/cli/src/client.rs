//! `coloa client`.

use crate::arguments::Enrol;
use crate::fault::Fault;
use crate::partition;
use crate::screen::Screen;
use crate::socket::AdminSocket;
use coloa_wire::admin::{BoundClient, ClientEnrol, ClientEnrolReply, ClientList};
use coloa_wire::command::{ClientUnbind, TokenList};
use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair, PKCS_ECDSA_P384_SHA384};
use serde_json::json;
use std::fs::{DirBuilder, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;
use zeroize::Zeroizing;

/// The key is made and written here; only the request goes to the appliance.
pub fn enrol(socket: &mut AdminSocket, screen: &Screen, asked: &Enrol) -> Result<(), Fault> {
    let token = partition::find(socket, &asked.partition)?;
    let (partition, name, days, valid_from) = (token.partition, asked.name.clone(), asked.days, asked.valid_from);
    let enrolling = Enrolling { name: &asked.name, out: &asked.out, address: asked.address.as_deref() };
    let certify = |request| socket.ask(&ClientEnrol { partition, name, request, days, valid_from });
    let (made, address) = enrol_with(&enrolling, certify)?;
    let document = json!({
        "name": asked.name, "partition": token.partition.to_string(), "identity": made.identity.to_string(),
        "address": address, "server_name": made.server_name, "directory": asked.out,
    });
    screen.facts(
        &document,
        vec![
            (screen.text("Client", "Máy khách"), asked.name.clone()),
            (screen.text("Partition", "Phân vùng"), token.label),
            (screen.text("Identity", "Định danh"), made.identity.to_string()),
            (screen.text("Appliance", "Thiết bị"), address),
            (
                screen.text("For the application", "Cho ứng dụng"),
                format!("COLOA_CONF={}/coloa.toml", asked.out.display()),
            ),
        ],
    );
    Ok(())
}

/// Who is enrolled, and where the files go.
pub struct Enrolling<'a> {
    pub name: &'a str,
    pub out: &'a Path,
    /// Where the appliance is reached, when not where it listens.
    pub address: Option<&'a str>,
}

/// Makes a key, has it certified, and writes everything that its holder needs; where the appliance is reached.
pub fn enrol_with(
    asked: &Enrolling<'_>,
    certify: impl FnOnce(Vec<u8>) -> Result<ClientEnrolReply, Fault>,
) -> Result<(ClientEnrolReply, String), Fault> {
    let (key, request) = key_and_request(asked.name)?;
    let folder = DirBuilder::new().recursive(true).mode(0o700).create(asked.out);
    folder.map_err(|e| Fault::file(asked.out, e))?;
    write(&asked.out.join("client.key"), key.as_bytes(), 0o600)?;
    let made = certify(request).inspect_err(|_| {
        // A key that nobody certified is of no use, and would stand in the way of the next try.
        let _ = std::fs::remove_file(asked.out.join("client.key"));
    })?;
    let address = asked.address.map_or_else(|| made.address.clone(), str::to_owned);
    write(&asked.out.join("client.pem"), pem(&made.certificate).as_bytes(), 0o644)?;
    write(&asked.out.join("ca.pem"), pem(&made.ca).as_bytes(), 0o644)?;
    write(&asked.out.join("coloa.toml"), configuration(&address, &made).as_bytes(), 0o644)?;
    Ok((made, address))
}

fn key_and_request(name: &str) -> Result<(Zeroizing<String>, Vec<u8>), Fault> {
    let fault = |e: rcgen::Error| Fault::Key(e.to_string());
    let key = KeyPair::generate_for(&PKCS_ECDSA_P384_SHA384).map_err(fault)?;
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    let request = params.serialize_request(&key).map_err(fault)?.der().to_vec();
    Ok((Zeroizing::new(key.serialize_pem()), request))
}

/// What is there already is not overwritten.
pub fn write(path: &Path, content: &[u8], mode: u32) -> Result<(), Fault> {
    let file = OpenOptions::new().write(true).create_new(true).mode(mode).open(path);
    let written = file.and_then(|mut f| {
        f.write_all(content)?;
        f.sync_all()
    });
    written.map_err(|e| Fault::file(path, e))
}

fn configuration(address: &str, made: &ClientEnrolReply) -> String {
    format!(
        "# Where libcoloa_pkcs11.so finds its token; paths are relative to this file.\n[[token]]\nbody = \"network\"\n\
         address = \"{address}\"\nserver_name = \"{}\"\nca = \"ca.pem\"\ncertificate = \"client.pem\"\nkey = \"client.key\"\n\
         connections = 4\n",
        made.server_name
    )
}

pub fn pem(der: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::from("-----BEGIN CERTIFICATE-----\n");
    for line in der.chunks(48) {
        for group in line.chunks(3) {
            let bits = (0..3).fold(0u32, |bits, at| bits << 8 | u32::from(group.get(at).copied().unwrap_or(0)));
            for digit in 0..4usize {
                let value = (bits >> (18 - 6 * digit)) & 63;
                out.push(if digit > group.len() { '=' } else { char::from(DIGITS[value as usize]) });
            }
        }
        out.push('\n');
    }
    out + "-----END CERTIFICATE-----\n"
}

pub fn list(socket: &mut AdminSocket, screen: &Screen) -> Result<(), Fault> {
    let labels = socket.call(None, &TokenList {})?.tokens;
    let clients = socket.ask(&ClientList {})?.clients;
    let label = |client: &BoundClient| {
        labels.iter().find(|t| t.partition == client.partition).map(|t| t.label.clone()).unwrap_or_default()
    };
    let document: Vec<_> = clients
        .iter()
        .map(|c| {
            json!({
                "name": c.name, "partition": c.partition.to_string(), "label": label(c),
                "identity": c.identity.to_string(), "channels": c.channels,
            })
        })
        .collect();
    let header = [
        screen.text("Client", "Máy khách"),
        screen.text("Partition", "Phân vùng"),
        screen.text("Channels", "Kênh"),
        screen.text("Identity", "Định danh"),
    ];
    let row = |c: &BoundClient| vec![c.name.clone(), label(c), c.channels.to_string(), c.identity.to_string()];
    screen.rows(&json!(document), &header, clients.iter().map(row).collect());
    Ok(())
}

pub fn remove(
    socket: &mut AdminSocket,
    screen: &Screen,
    partition: &str,
    (name, identity): (Option<&str>, Option<&str>),
) -> Result<(), Fault> {
    let token = partition::find(socket, partition)?;
    let is_wanted = |c: &BoundClient| {
        c.partition == token.partition
            && name.is_none_or(|n| n == c.name)
            && identity.is_none_or(|i| i.eq_ignore_ascii_case(&c.identity.to_string()))
    };
    let mut found = socket.ask(&ClientList {})?.clients.into_iter().filter(is_wanted);
    let wanted = name.or(identity).unwrap_or_default();
    let client = match (found.next(), found.next()) {
        (Some(client), None) => client,
        (None, _) => return Err(Fault::Unknown(format!("client \"{wanted}\" of \"{}\"", token.label))),
        (Some(_), Some(_)) => return Err(Fault::Ambiguous(format!("\"{wanted}\""))),
    };
    socket.call(None, &ClientUnbind { partition: token.partition, identity: client.identity })?;
    let sentence = screen.text(
        "Removed: the certificate sees this partition no more.",
        "Đã gỡ: chứng thư không còn thấy phân vùng này.",
    );
    screen.done(&json!({ "removed": client.identity.to_string() }), sentence);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pem_is_what_others_read() {
        assert!(pem(b"M").contains("\nTQ==\n"));
        assert!(pem(b"Ma").contains("\nTWE=\n"));
        assert!(pem(b"Man").contains("\nTWFu\n"));
        assert!(pem(&[0xff; 50]).lines().all(|l| l.len() <= 64));
    }
}
