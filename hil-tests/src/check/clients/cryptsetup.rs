//! LUKS2 with systemd: a volume that opens with an RSA key in the token. The volume is a file and its passphrase is tested
//! only, because a mapped device would be the whole machine's. systemd pads with PKCS#1 v1.5, which a strict partition does not
//! decrypt.

use super::{Pair, module, openssl::openssl, plain, run, tool};
use crate::target::{LABEL, USER_PIN};
use crate::token::Token;
use anyhow::{Context, Result, bail, ensure};
use std::fs::{File, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};

/// The volume. LUKS2 keeps 16 MiB for its header.
const VOLUME: &str = "volume";
const SIZE: u64 = 20 << 20;
/// The file with the first passphrase.
const PASSPHRASE: &str = "passphrase";
/// Debian puts it where a user's PATH does not look.
const CRYPTSETUP: &str = "/usr/sbin/cryptsetup";
/// The name of the pair and its certificate.
const NAME: &str = "luks";

/// `systemd-cryptenroll` binds a volume to a certificate in the token; `cryptsetup` opens it with the key and nothing else.
pub fn opens_a_volume(token: &Token) -> Result<()> {
    let pair = Pair::make(token, "rsa:2048", NAME, "f1")?;
    certify(token, pair.id)?;
    format(token)?;
    let uri = format!("--pkcs11-token-uri=pkcs11:token={LABEL};object={NAME}");
    let mut enroll = systemd(token, "systemd-cryptenroll")?;
    run(enroll.env("PIN", USER_PIN).args(["--unlock-key-file", PASSPHRASE, &uri, VOLUME]))?;
    run(systemd(token, "systemd-cryptenroll")?.args(["--wipe-slot=0", VOLUME]))?;
    ensure!(open(token, USER_PIN)?.contains("Key slot 1 unlocked"), "another key slot was opened");
    refuses(token, "000000", "is incorrect, please try again")?;
    tool(token, &["--delete-object", "--type", "cert", "--label", NAME])?;
    open(token, USER_PIN).context("the key without its certificate")?;
    pair.remove(token)?;
    refuses(token, USER_PIN, "Failed to find selected private key")
}

fn certify(token: &Token, id: &str) -> Result<()> {
    let key = format!("pkcs11:token={LABEL};object={NAME};type=private");
    let made = ["req", "-new", "-x509", "-days", "30", "-subj", "/CN=luks", "-outform", "DER", "-out", "luks.der"];
    run(openssl(token)?.args(made).args(["-engine", "pkcs11", "-keyform", "engine", "-key", &key]))?;
    tool(token, &["--write-object", "luks.der", "--type", "cert", "--label", NAME, "--id", id]).map(drop)
}

/// A volume whose one passphrase is weak and quick to try; it is wiped when the token has taken over.
fn format(token: &Token) -> Result<()> {
    let passphrase = token.scratch.join(PASSPHRASE);
    std::fs::write(&passphrase, "until the token has taken over")?;
    std::fs::set_permissions(&passphrase, Permissions::from_mode(0o600))?;
    File::create(token.scratch.join(VOLUME))?.set_len(SIZE)?;
    let quick = ["--pbkdf", "pbkdf2", "--pbkdf-force-iterations", "1000"];
    let mut cryptsetup = systemd(token, CRYPTSETUP)?;
    run(cryptsetup.args(["luksFormat", "--type", "luks2", "--batch-mode"]).args(quick).args([VOLUME, PASSPHRASE]))
        .map(drop)
}

/// `cryptsetup` asks for the PIN itself and hands it to systemd's plug-in.
fn open(token: &Token, pin: &str) -> Result<String> {
    let asked = token.scratch.join("pin");
    std::fs::write(&asked, pin)?;
    let mut cryptsetup = systemd(token, CRYPTSETUP)?;
    cryptsetup.args(["open", "--verbose", "--test-passphrase", "--token-only", VOLUME]);
    run(cryptsetup.stdin(File::open(asked)?))
}

fn refuses(token: &Token, pin: &str, why: &str) -> Result<()> {
    match open(token, pin) {
        Ok(told) => bail!("the volume opens, against: {why}\n{told}"),
        Err(told) if told.to_string().contains(why) => Ok(()),
        Err(told) => Err(told.context("refused, but for another reason")),
    }
}

/// Before a program: the folders in which p11-kit finds modules hold ours only, and cryptsetup's locks are its own.
const PRIVATE: &str = "mount -t tmpfs none /run
mount --bind modules /usr/share/p11-kit/modules
[ ! -d /etc/pkcs11 ] || mount -t tmpfs none /etc/pkcs11
exec \"$@\"";

/// A program in a mount namespace of its own, so that the machine's folders stay as they are: p11-kit lets root name no others.
fn systemd(token: &Token, program: &str) -> Result<Command> {
    let modules = token.scratch.join("modules");
    std::fs::create_dir_all(&modules)?;
    std::fs::write(modules.join("coloa.module"), format!("module: {}\n", module()?.display()))?;
    let mut unshare = plain(token, "unshare");
    unshare.args(["--mount", "--map-root-user", "sh", "-ec", PRIVATE, "sh", program]).stdin(Stdio::null());
    Ok(unshare)
}
