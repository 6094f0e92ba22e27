//! `policy edit`: a description in the author's editor. What comes back is parsed, its serial must have risen, the author sees
//! what it changes, and only then it replaces the old one, in one step. A draft that is refused is kept.

use std::fs::{self, File};
use std::io::{self, BufRead, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::Command;

use coloa_link::Bundle;

use super::{description, diff, read_any};
use crate::cli::EditArgs;
use crate::fault::{Fault, Lang, said};

/// Edits the description.
pub fn run(args: &EditArgs, lang: Lang) -> Result<(), Fault> {
    let path = &args.description;
    let text = fs::read_to_string(path).map_err(|e| Fault::file(path, e))?;
    let old = description::parse(&text).map_err(|why| Fault::Policy { path: path.clone(), why })?;
    let signed = args.bundle.as_deref().map(|bundle| read_any(bundle, args.authority.as_deref())).transpose()?;
    let floor = signed.map_or(old.serial, |signed| signed.serial.max(old.serial));
    let draft = Draft::make(path, &with_serial(&text, floor.saturating_add(1)))?;
    open_editor(&draft.0)?;
    let (text, new) = draft.read(floor)?;
    let changes = diff::between(&old, &new);
    if changes.is_empty() {
        println!(
            "{}",
            said(lang, "nothing has changed: the description stays as it was", "không có thay đổi: giữ nguyên bản cũ")
        );
        return draft.discard();
    }
    println!("serial {} → {}", old.serial, new.serial);
    changes.iter().for_each(|change| println!("{change}"));
    if !args.yes && !confirmed(lang) {
        let kept = draft.0.display();
        let english = format!("not replaced; the draft is kept as {kept}");
        println!("{}", said(lang, &english, &format!("chưa thay thế; bản nháp giữ tại {kept}")));
        return Ok(());
    }
    draft.replace(path, &text)?;
    println!(
        "{}",
        said(
            lang,
            "replaced; now sign it: coloa-linkd policy sign",
            "đã thay thế; tiếp theo ký: coloa-linkd policy sign"
        )
    );
    Ok(())
}

/// Beside the description, so that it can take its place in one step.
struct Draft(PathBuf);

impl Draft {
    fn make(path: &Path, text: &str) -> Result<Self, Fault> {
        let mut name = path.as_os_str().to_owned();
        name.push(".draft");
        let draft = Self(name.into());
        fs::write(&draft.0, text).map_err(|e| Fault::file(&draft.0, e))?;
        Ok(draft)
    }

    fn read(&self, floor: u64) -> Result<(String, Bundle), Fault> {
        let refused = |why: String| Fault::Policy {
            path: self.0.clone(),
            why: format!("{why}; the description was not replaced and the draft is kept"),
        };
        let text = fs::read_to_string(&self.0).map_err(|e| Fault::file(&self.0, e))?;
        let new = description::parse(&text).map_err(refused)?;
        if new.serial <= floor {
            return Err(refused(format!("its serial {} does not rise above {floor}", new.serial)));
        }
        Ok((text, new))
    }

    fn discard(&self) -> Result<(), Fault> {
        fs::remove_file(&self.0).map_err(|e| Fault::file(&self.0, e))
    }

    /// Durable before it takes the place.
    fn replace(&self, path: &Path, text: &str) -> Result<(), Fault> {
        let write = || {
            let mut file = File::create(&self.0)?;
            file.write_all(text.as_bytes())?;
            file.sync_all()?;
            fs::rename(&self.0, path)?;
            let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
            File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
        };
        write().map_err(|e| Fault::file(path, e))
    }
}

fn open_editor(draft: &Path) -> Result<(), Fault> {
    let chosen = ["VISUAL", "EDITOR"].into_iter().find_map(std::env::var_os).unwrap_or_else(|| "vi".into());
    // An editor may have words of its own: `code --wait`. The shell splits them as the author's does.
    let status = Command::new("sh").arg("-c").arg("eval \"$0 \\\"\\$1\\\"\"").arg(&chosen).arg(draft).status();
    match status {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(Fault::file(draft, format!("the editor {} ended with {status}", chosen.display()))),
        Err(why) => Err(Fault::file(draft, format!("the editor {} does not start: {why}", chosen.display()))),
    }
}

fn confirmed(lang: Lang) -> bool {
    if !io::stdin().is_terminal() {
        return false;
    }
    print!("{} [y/N] ", said(lang, "replace the description?", "thay thế bản mô tả?"));
    let _ = io::stdout().flush();
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer).is_ok() && matches!(answer.trim(), "y" | "Y" | "yes" | "c" | "có")
}

/// The text with another serial, all else as it stands: comments are the author's.
fn with_serial(text: &str, serial: u64) -> String {
    let is_serial =
        |line: &str| line.trim_start().strip_prefix("serial").is_some_and(|rest| rest.trim_start().starts_with('='));
    let at = text.lines().take_while(|line| !line.trim_start().starts_with('[')).position(is_serial);
    let lines = text.lines().enumerate();
    let changed = lines
        .map(|(number, line)| if Some(number) == at { format!("serial = {serial}\n") } else { format!("{line}\n") });
    changed.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_serial_changes() {
        let text = "# ours\nserial=7\n[[site]]\nserial = 9 # not this\n";
        assert_eq!(with_serial(text, 8), "# ours\nserial = 8\n[[site]]\nserial = 9 # not this\n");
    }
}
