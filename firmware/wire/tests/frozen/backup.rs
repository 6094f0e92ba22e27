//! The bytes of the commands about backups.

use super::{against, head};
use coloa_wire::command::*;

#[test]
fn bytes_of_backup_commands() {
    let (key, check, chain) = ([0x11; 16], [0x22; 8], [0x33; 32]);
    let holders = vec![ShareHolder { name: "An".into(), taken: true }];
    let given = BackupShareGiveReply { verdict: ShareVerdict::Altered, holder: "An".into(), given: 1, wanted: 2 };
    let begun = BackupRestoreBeginReply { key, threshold: 2, holders: vec!["An".into()] };
    let finished = BackupRestoreFinishReply { partitions: vec!["court".into()], objects: 9, check };
    let base = Some(CataloguePlace { chain, chunks: 7 });
    let rows = [
        ("BackupKeyCreate", head(&BackupKeyCreate { threshold: 2, holders: vec!["An".into(), "Bình".into()] })),
        ("BackupKeyInfoReply", head(&BackupKeyInfoReply { key, check, threshold: 2, holders, created: 5 })),
        ("BackupShareTake", head(&BackupShareTake { index: 1 })),
        ("BackupKeyInfo", head(&BackupKeyInfo {})),
        ("BackupExportBegin", head(&BackupExportBegin { base: None })),
        ("BackupExportBegin.base", head(&BackupExportBegin { base })),
        ("BackupExportBase", head(&BackupExportBase {})),
        ("BackupExportPage", head(&BackupExportPage { chunk: 3 })),
        ("BackupExportPageReply", head(&BackupExportPageReply { last: true, done: 5, total: 6 })),
        ("BackupRestoreBegin", head(&BackupRestoreBegin { verify_only: true })),
        ("BackupRestoreBeginReply", head(&begun)),
        ("BackupShareGive", head(&BackupShareGive { share: ShareBytes(vec![1, 2, 3]) })),
        ("BackupShareGiveReply", head(&given)),
        ("BackupRestorePage", head(&BackupRestorePage {})),
        ("BackupRestorePageReply", head(&BackupRestorePageReply { records: 8 })),
        ("BackupRestoreFinish", head(&BackupRestoreFinish {})),
        ("BackupRestoreFinishReply", head(&finished)),
        ("BackupRestoreAbort", head(&BackupRestoreAbort {})),
    ];
    let out: String = rows.iter().map(|(name, bytes)| format!("{name} {bytes}\n")).collect();
    against("backup.txt", &out);
}
