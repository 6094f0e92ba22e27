//! `coloa backup show`, and `coloa backup verify` without the key.

use super::archive::Archive;
use crate::fault::Fault;
use crate::screen::{Screen, hex, moment};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

pub fn show(screen: &Screen, file: &Path) -> Result<(), Fault> {
    report(screen, &Archive::read(file)?)
}

/// Whole and in order; who has changed one on purpose is found with the key only.
pub fn verify(screen: &Screen, files: &[PathBuf]) -> Result<(), Fault> {
    let chain = Archive::read_chain(files)?;
    if let [one] = &chain[..] {
        report(screen, one)?;
    } else {
        let header = screen.text("File|Kind|Time|Records|Check value|Digest", "Tệp|Loại|Lúc|Bản ghi|Giá trị kiểm|Băm");
        let header: Vec<_> = header.split('|').collect();
        let document = json!(chain.iter().map(document).collect::<Vec<_>>());
        screen.rows(&document, &header, chain.iter().map(|archive| row(screen, archive)).collect());
    }
    screen.note(screen.text(
        "Whole and in order. Whether it is authentic, only the key tells: add --share or --full.",
        "Toàn vẹn và đúng thứ tự. Xác thực cần có khóa: thêm --share hoặc --full.",
    ));
    Ok(())
}

fn document(archive: &Archive) -> Value {
    let (header, footer) = (&archive.outline.header, &archive.outline.footer);
    let holders: Vec<_> = header.holders.iter().map(|h| &h.name).collect();
    json!({
        "file": archive.path, "bytes": archive.bytes.len(), "digest": hex(&archive.outline.digest),
        "kind": if header.base.is_some() { "incremental" } else { "full" },
        "base": header.base.as_ref().map(|b| hex(&b.digest)), "generation": footer.generation, "time": header.time,
        "device": header.label, "serial": hex(&header.serial), "key": hex(&header.key), "key_check": hex(&header.check),
        "threshold": header.threshold, "holders": holders, "records": footer.puts, "deletions": footer.deletions,
        "total": footer.records, "check": hex(&footer.check),
    })
}

fn kind<'a>(screen: &Screen, archive: &Archive) -> &'a str {
    match archive.outline.header.base {
        Some(_) => screen.text("incremental", "bổ sung"),
        None => screen.text("full", "đầy đủ"),
    }
}

fn row(screen: &Screen, archive: &Archive) -> Vec<String> {
    let (header, footer) = (&archive.outline.header, &archive.outline.footer);
    vec![
        archive.path.display().to_string(),
        kind(screen, archive).to_owned(),
        moment(header.time),
        footer.puts.to_string(),
        hex(&footer.check),
        hex(archive.outline.digest.get(..8).unwrap_or_default()),
    ]
}

/// Everything about one archive.
pub fn report(screen: &Screen, archive: &Archive) -> Result<(), Fault> {
    let (header, footer) = (&archive.outline.header, &archive.outline.footer);
    let holders: Vec<_> = header.holders.iter().map(|h| h.name.as_str()).collect();
    let base = header.base.as_ref().map(|b| hex(&b.digest)).unwrap_or_default();
    screen.facts(
        &document(archive),
        vec![
            (screen.text("Archive", "Tệp sao lưu"), archive.path.display().to_string()),
            (screen.text("Kind", "Loại"), kind(screen, archive).to_owned()),
            (screen.text("Builds on", "Nối tiếp"), base),
            (screen.text("Time", "Lúc"), moment(header.time)),
            (screen.text("Device", "Thiết bị"), format!("{} ({})", header.label, hex(&header.serial))),
            (screen.text("Backup key", "Khóa sao lưu"), hex(&header.key)),
            (screen.text("Shares that restore", "Số mảnh phục hồi"), header.threshold.to_string()),
            (screen.text("Holders", "Người giữ"), holders.join(", ")),
            (screen.text("Records", "Bản ghi"), footer.puts.to_string()),
            (screen.text("Deletions", "Bản ghi xóa"), footer.deletions.to_string()),
            (screen.text("Records in all", "Tổng bản ghi"), footer.records.to_string()),
            (screen.text("Bytes", "Byte"), archive.bytes.len().to_string()),
            (screen.text("Check value", "Giá trị kiểm"), hex(&footer.check)),
            (screen.text("Digest", "Băm"), hex(&archive.outline.digest)),
        ],
    );
    Ok(())
}
