//! `coloa backup key`.

use super::archive::NewFile;
use super::{Trouble, paper};
use crate::fault::Fault;
use crate::screen::{Screen, hex};
use crate::secret;
use crate::socket::AdminSocket;
use coloa_wire::command::{BackupKeyCreate, BackupKeyInfo, BackupKeyInfoReply, BackupShareTake};
use serde_json::{Value, json};
use std::fs::DirBuilder;
use std::io::Write;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

pub fn create(
    socket: &mut AdminSocket,
    screen: &Screen,
    (threshold, holders): (u8, &[String]),
    folder: Option<&Path>,
) -> Result<(), Fault> {
    // Before there is a key: whether its shares have somewhere to go.
    prepare(screen, folder, holders.len())?;
    let request = BackupKeyCreate { threshold, holders: holders.to_vec() };
    let info = socket.call(None, &request)?;
    give_out(socket, screen, &info, (None, folder))
}

pub fn hand_out(
    socket: &mut AdminSocket,
    screen: &Screen,
    holder: Option<&str>,
    folder: Option<&Path>,
) -> Result<(), Fault> {
    let info = socket.call(None, &BackupKeyInfo {})?;
    let waiting = |name: &str| info.holders.iter().any(|h| h.name == name && !h.taken);
    match holder {
        Some(name) if !waiting(name) => return Err(Trouble::NoSuchHolder(name.into()).into()),
        _ => prepare(screen, folder, info.holders.len())?,
    }
    give_out(socket, screen, &info, (holder, folder))
}

pub fn show(socket: &mut AdminSocket, screen: &Screen) -> Result<(), Fault> {
    let info = socket.call(None, &BackupKeyInfo {})?;
    report(screen, &info, &[])
}

/// A folder for all the files, or a terminal.
fn prepare(screen: &Screen, folder: Option<&Path>, count: usize) -> Result<(), Fault> {
    let Some(folder) = folder else {
        return if screen.is_json() || !secret::can_ask() { Err(Trouble::NoTerminal.into()) } else { Ok(()) };
    };
    DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(|e| Fault::file(folder, e))?;
    (1..=count).try_for_each(|index| NewFile::create(&path(folder, index)).map(drop))
}

pub fn path(folder: &Path, index: usize) -> PathBuf {
    folder.join(format!("share-{index}.txt"))
}

/// Hands out what was not taken; the place for a share is there before it leaves the device.
fn give_out(
    socket: &mut AdminSocket,
    screen: &Screen,
    info: &BackupKeyInfoReply,
    (only, folder): (Option<&str>, Option<&Path>),
) -> Result<(), Fault> {
    let mut files = Vec::new();
    for (index, holder) in (1..).zip(&info.holders) {
        if holder.taken || only.is_some_and(|name| name != holder.name) {
            continue;
        }
        match folder {
            Some(folder) => {
                let path = path(folder, index);
                let mut file = NewFile::create(&path)?;
                file.write(take(socket, screen, info, index)?.as_bytes())?;
                file.keep()?;
                files.push(path);
            }
            None => show_one(socket, screen, info, index)?,
        }
    }
    let info = socket.call(None, &BackupKeyInfo {})?;
    report(screen, &info, &files)
}

pub fn take(
    socket: &mut AdminSocket,
    screen: &Screen,
    info: &BackupKeyInfoReply,
    index: usize,
) -> Result<Zeroizing<String>, Fault> {
    let number = u8::try_from(index).unwrap_or_default();
    socket.call(None, &BackupShareTake { index: number })?;
    let share = Zeroizing::new(socket.bulk().to_vec());
    paper::print(screen, info, index, &share)
}

/// One holder at the screen at a time.
pub fn show_one(
    socket: &mut AdminSocket,
    screen: &Screen,
    info: &BackupKeyInfoReply,
    index: usize,
) -> Result<(), Fault> {
    let name = info.holders.get(index.saturating_sub(1)).map_or("", |h| h.name.as_str());
    let alone = screen.text("Only this person looks at the screen now:", "Chỉ người này nhìn màn hình:");
    let key = screen.text("Press Enter", "Nhấn Enter");
    wait(&format!("{alone} {name}. {key}: "))?;
    let share = take(socket, screen, info, index)?;
    println!("\n{}", *share);
    wait(screen.text(
        "When it is written down and compared, press Enter; it is not shown again: ",
        "Khi đã chép và so xong, nhấn Enter; sẽ không hiện lại: ",
    ))?;
    clear();
    Ok(())
}

pub fn wait(prompt: &str) -> Result<(), Fault> {
    print!("{prompt}");
    let fail = |e: std::io::Error| Fault::Lost(e.to_string());
    std::io::stdout().flush().map_err(fail)?;
    std::io::stdin().read_line(&mut String::new()).map(drop).map_err(fail)
}

/// Clears the screen and what was scrolled away.
pub fn clear() {
    print!("\u{1b}[2J\u{1b}[3J\u{1b}[H");
    let _ = std::io::stdout().flush();
}

fn report(screen: &Screen, info: &BackupKeyInfoReply, files: &[PathBuf]) -> Result<(), Fault> {
    let holder = |h: &coloa_wire::command::ShareHolder| json!({ "name": h.name, "taken": h.taken });
    let holders: Vec<Value> = info.holders.iter().map(holder).collect();
    let document = json!({
        "key": hex(&info.key), "check": hex(&info.check), "threshold": info.threshold, "holders": holders,
        "created": info.created, "files": files,
    });
    let state = |taken: bool| match taken {
        true => screen.text("has the share", "đã nhận mảnh"),
        false => screen.text("waits", "chưa nhận"),
    };
    let listed: Vec<_> = info.holders.iter().map(|h| format!("{}: {}", h.name, state(h.taken))).collect();
    let listed_files: Vec<_> = files.iter().map(|f| f.display().to_string()).collect();
    screen.facts(
        &document,
        vec![
            (screen.text("Backup key", "Khóa sao lưu"), hex(&info.key)),
            (screen.text("Check value", "Giá trị kiểm"), hex(&info.check)),
            (screen.text("Shares that restore", "Số mảnh phục hồi"), info.threshold.to_string()),
            (screen.text("Holders", "Người giữ"), listed.join("\n")),
            (screen.text("Files", "Tệp"), listed_files.join("\n")),
        ],
    );
    Ok(())
}
