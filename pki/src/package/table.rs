//! The table of sites, CSV (RFC 4180) with a header line.
//!
//! Columns, in any order: `site` (name in the link policy), `organ` (O of the certificate), `red` (addresses of the TUN
//! interface with prefixes, separated by blanks), `black` (address and port), `peers` (`NAME@ADDRESS:PORT`, or `NAME` alone for
//! one that dials; separated by blanks). May be absent: `province`, `commune` (ST and L of the certificate), `red-namespace`,
//! `black-namespace`. The table is read whole before anything is issued.

use std::collections::HashSet;
use std::net::{IpAddr, SocketAddr};

use coloa_package::is_plain_name;

use crate::name::Subject;
use crate::{Error, Result};

const REQUIRED: [&str; 5] = ["site", "organ", "red", "black", "peers"];
const OPTIONAL: [&str; 4] = ["province", "commune", "red-namespace", "black-namespace"];

/// One line of the table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Site {
    /// Name in the link policy.
    pub name: String,
    /// The organ it belongs to.
    pub organ: String,
    /// Name in its certificate.
    pub subject: Subject,
    /// Addresses of its TUN interface.
    pub red: Vec<String>,
    /// Where it listens.
    pub black: SocketAddr,
    /// Its peers, and where they are.
    pub peers: Vec<(String, Option<SocketAddr>)>,
    /// Namespaces of red and black.
    pub namespaces: [String; 2],
}

/// Reads the whole table; the first mistake is named with line and column.
pub fn read(text: &str) -> Result<Vec<Site>> {
    let lines = records(text.trim_start_matches('\u{feff}'))?;
    let mut lines = lines.into_iter();
    let (_, header) = lines.next().ok_or_else(|| wrong(1, "site", "there is no header"))?;
    check_header(&header)?;
    let (mut sites, mut names, mut places) = (Vec::new(), HashSet::new(), HashSet::new());
    for (line, values) in lines {
        if values.len() != header.len() {
            return Err(wrong(
                line,
                header.last().map_or("site", String::as_str),
                "more or fewer columns than the header",
            ));
        }
        let site = Row { line, header: &header, values: &values }.site()?;
        if !names.insert(site.name.clone()) {
            return Err(wrong(line, "site", "this site is already in the table"));
        }
        if !places.insert((site.black, site.namespaces[1].clone())) {
            return Err(wrong(line, "black", "another site has this address"));
        }
        sites.push(site);
    }
    match sites.is_empty() {
        true => Err(wrong(2, "site", "there is no site")),
        false => Ok(sites),
    }
}

fn wrong(line: usize, column: &str, why: &'static str) -> Error {
    Error::PackageTable { line, column: column.to_owned(), why }
}

fn check_header(header: &[String]) -> Result<()> {
    if let Some(missing) = REQUIRED.iter().find(|r| !header.iter().any(|h| h == *r)) {
        return Err(wrong(1, missing, "the column is missing"));
    }
    let mut seen = HashSet::new();
    for column in header {
        if !REQUIRED.iter().chain(&OPTIONAL).any(|known| known == column) {
            return Err(wrong(1, column, "there is no such column"));
        }
        if !seen.insert(column) {
            return Err(wrong(1, column, "the column is there twice"));
        }
    }
    Ok(())
}

struct Row<'a> {
    line: usize,
    header: &'a [String],
    values: &'a [String],
}

impl Row<'_> {
    fn value(&self, column: &str) -> &str {
        let position = self.header.iter().position(|h| h == column);
        position.and_then(|p| self.values.get(p)).map_or("", |v| v.trim())
    }

    fn wrong(&self, column: &str, why: &'static str) -> Error {
        wrong(self.line, column, why)
    }

    fn site(&self) -> Result<Site> {
        let name = self.value("site");
        if !is_plain_name(name) {
            return Err(self.wrong("site", "a name has letters without marks, digits, '-', '_' and '.', at most 64"));
        }
        let black = self.value("black").parse().map_err(|_| self.wrong("black", "write it as 192.0.2.1:4500"))?;
        Ok(Site {
            name: name.to_owned(),
            organ: self.value("organ").to_owned(),
            subject: self.subject()?,
            red: self.red()?,
            black,
            peers: self.peers(name)?,
            namespaces: [self.namespace("red-namespace")?, self.namespace("black-namespace")?],
        })
    }

    fn subject(&self) -> Result<Subject> {
        let mut text = format!("CN={}", self.value("site"));
        for (field, column) in [("O", "organ"), ("L", "commune"), ("ST", "province")] {
            let value = self.value(column);
            if value.contains([',', '=', '+', '\\', '"']) {
                return Err(self.wrong(column, "it must not have any of , = + \\ \""));
            }
            match (value.is_empty(), column) {
                (true, "organ") => return Err(self.wrong(column, "it is empty")),
                (true, _) => {}
                (false, _) => text += &format!(",{field}={value}"),
            }
        }
        format!("{text},C=VN").parse().map_err(|_| self.wrong("organ", "the names do not fit a certificate"))
    }

    fn red(&self) -> Result<Vec<String>> {
        let fits = |text: &str| {
            let (address, length) = text.split_once('/')?;
            let most = if address.parse::<IpAddr>().ok()?.is_ipv4() { 32 } else { 128 };
            length.parse::<u8>().ok().filter(|l| *l <= most)
        };
        let red: Vec<String> = self.value("red").split_whitespace().map(str::to_owned).collect();
        match !red.is_empty() && red.iter().all(|text| fits(text).is_some()) {
            true => Ok(red),
            false => Err(self.wrong("red", "write addresses with prefixes, as 10.1.0.1/24 fd00:1::1/64")),
        }
    }

    fn peers(&self, own: &str) -> Result<Vec<(String, Option<SocketAddr>)>> {
        let bad = || self.wrong("peers", "write peers as NAME@192.0.2.9:4500, or NAME alone");
        let peer = |text: &str| {
            let (name, endpoint) = match text.split_once('@') {
                Some((name, endpoint)) => (name, Some(endpoint.parse().map_err(|_| bad())?)),
                None => (text, None),
            };
            match is_plain_name(name) && name != own {
                true => Ok((name.to_owned(), endpoint)),
                false => Err(bad()),
            }
        };
        self.value("peers").split_whitespace().map(peer).collect()
    }

    fn namespace(&self, column: &str) -> Result<String> {
        let value = self.value(column);
        match value.is_empty() || is_plain_name(value) {
            true => Ok(value.to_owned()),
            false => Err(self.wrong(column, "it is not a name as `ip netns` has them")),
        }
    }
}

/// Records with the line on which each begins; empty lines are skipped.
fn records(text: &str) -> Result<Vec<(usize, Vec<String>)>> {
    let (mut all, mut row, mut field) = (Vec::new(), Vec::new(), String::new());
    let (mut line, mut start, mut quoted) = (1, 1, false);
    let mut characters = text.chars().peekable();
    while let Some(c) = characters.next() {
        match c {
            '"' if quoted && characters.peek() == Some(&'"') => field.push(characters.next().unwrap_or('"')),
            '"' if quoted || field.trim().is_empty() => quoted = !quoted,
            ',' if !quoted => row.push(std::mem::take(&mut field)),
            '\n' if !quoted => {
                row.push(std::mem::take(&mut field));
                let row: Vec<String> = std::mem::take(&mut row).iter().map(|f| f.trim().to_owned()).collect();
                if row.iter().any(|f| !f.is_empty()) {
                    all.push((start, row));
                }
                line += 1;
                start = line;
            }
            '\n' => return Err(wrong(line, "site", "a quoted value does not end on its line")),
            other => field.push(other),
        }
    }
    if quoted {
        return Err(wrong(line, "site", "a quoted value does not end"));
    }
    row.push(field);
    if row.iter().any(|f| !f.trim().is_empty()) {
        all.push((start, row.iter().map(|f| f.trim().to_owned()).collect()));
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: &str = "site,organ,province,red,black,peers\n";

    fn refused(text: &str) -> (usize, String) {
        match read(text) {
            Err(Error::PackageTable { line, column, .. }) => (line, column),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_table_is_read_whole() {
        let text = format!(
            "\u{feff}{HEADER}hue,\"Uỷ ban\",Huế,10.1.0.1/24 fd00::1/64,192.0.2.1:4500,b@192.0.2.2:4500 c\r\n\n"
        );
        let sites = read(&text).unwrap();
        assert_eq!(sites.len(), 1);
        assert_eq!(sites[0].red, ["10.1.0.1/24", "fd00::1/64"]);
        assert_eq!(sites[0].peers[1], ("c".into(), None));
        assert!(sites[0].subject.to_string().contains("O=Uỷ ban"), "{}", sites[0].subject);
    }

    #[test]
    fn each_bad_line_is_named_with_its_column() {
        let good = "a,O,P,10.1.0.1/24,192.0.2.1:4500,b\n";
        for (line, column) in [
            ("../x,O,P,10.1.0.1/24,192.0.2.2:4500,b", "site"),
            ("a,O,P,10.1.0.1/24,192.0.2.2:4500,b", "site"),
            ("c,,P,10.1.0.1/24,192.0.2.2:4500,b", "organ"),
            ("c,\"O,X\",P,10.1.0.1/24,192.0.2.2:4500,b", "organ"),
            ("c,O,P,10.1.0.1/33,192.0.2.2:4500,b", "red"),
            ("c,O,P,,192.0.2.2:4500,b", "red"),
            ("c,O,P,10.1.0.1/24,192.0.2.2,b", "black"),
            ("c,O,P,10.1.0.1/24,192.0.2.1:4500,b", "black"),
            ("c,O,P,10.1.0.1/24,192.0.2.2:4500,b@nowhere", "peers"),
            ("c,O,P,10.1.0.1/24,192.0.2.2:4500,c", "peers"),
            ("c,O,P,10.1.0.1/24,192.0.2.2:4500", "peers"),
        ] {
            assert_eq!(refused(&format!("{HEADER}{good}{line}\n")), (3, column.to_owned()), "{line}");
        }
        assert_eq!(refused("site,organ\n"), (1, "red".into()));
        assert_eq!(refused("site,organ,red,black,peers,colour\n"), (1, "colour".into()));
        assert_eq!(refused(HEADER), (2, "site".into()));
        assert_eq!(refused(&format!("{HEADER}\"a,O\n")).0, 2);
    }
}
