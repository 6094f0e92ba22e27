//! `coloa backup create`.

use super::archive::{Archive, NewFile};
use super::progress::Progress;
use super::show;
use crate::fault::Fault;
use crate::screen::Screen;
use crate::socket::AdminSocket;
use coloa_wire::command::{BackupExportBase, BackupExportBegin, BackupExportPage, CataloguePlace};
use std::path::Path;

pub fn create(socket: &mut AdminSocket, screen: &Screen, out: &Path, since: Option<&Path>) -> Result<(), Fault> {
    let base = since.map(Archive::read).transpose()?;
    show::report(screen, &make(socket, screen, out, base)?)
}

/// Writes an archive, and reads it back.
pub fn make(socket: &mut AdminSocket, screen: &Screen, out: &Path, base: Option<Archive>) -> Result<Archive, Fault> {
    let mut file = NewFile::create(out)?;
    begin(socket, base.as_ref())?;
    let progress = Progress::new(screen, screen.text("Backing up", "Đang sao lưu"));
    for chunk in 0.. {
        let page = socket.call(None, &BackupExportPage { chunk })?;
        file.write(socket.bulk())?;
        progress.at(page.done, page.total);
        if page.last {
            break;
        }
    }
    drop(progress);
    file.keep()?;
    // What is on the disk, not what was sent there.
    Archive::read(out)
}

fn begin(socket: &mut AdminSocket, base: Option<&Archive>) -> Result<(), Fault> {
    let Some(base) = base else {
        return socket.call(None, &BackupExportBegin { base: None }).map(drop);
    };
    let (chain, chunks, at) = base.outline.catalogue;
    let place = Some(CataloguePlace { chain, chunks });
    socket.call_with(&BackupExportBegin { base: place }, base.header())?;
    base.chunks(at).try_for_each(|chunk| socket.call_with(&BackupExportBase {}, chunk).map(drop))
}
