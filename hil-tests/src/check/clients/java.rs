//! Java's SunPKCS11.

use super::{module, plain, run};
use crate::target::USER_PIN;
use crate::token::Token;
use anyhow::{Result, ensure};

/// Java makes key entries with certificates through SunPKCS11 and finds them again.
pub fn keeps_keys(token: &Token) -> Result<()> {
    let module = module()?;
    let slot = format!("name = coloa\nlibrary = {}\nslot = {}\n", module.display(), token.slot.id());
    std::fs::write(token.scratch.join("sun.cfg"), slot)?;
    let keytool = |words: &[&str]| {
        let store = ["-keystore", "NONE", "-storetype", "PKCS11", "-storepass", USER_PIN];
        let provider = ["-providerClass", "sun.security.pkcs11.SunPKCS11", "-providerArg", "sun.cfg"];
        run(plain(token, "keytool").args(words).args(store).args(provider))
    };
    let rsa = ["-keyalg", "RSA", "-keysize", "2048", "-sigalg", "SHA256withRSA"];
    let ec = ["-keyalg", "EC", "-groupname", "secp384r1", "-sigalg", "SHA384withECDSA"];
    for (alias, how) in [("java-rsa", rsa.as_slice()), ("java-ec", ec.as_slice())] {
        keytool(&[["-genkeypair", "-alias", alias, "-dname", &format!("CN={alias}")].as_slice(), how].concat())?;
        let listed = keytool(&["-list"])?;
        ensure!(listed.contains(&format!("{alias}, PrivateKeyEntry")), "{listed}");
        keytool(&["-certreq", "-alias", alias, "-file", "java.csr"])?;
        let told = run(plain(token, "openssl").args(["req", "-in", "java.csr", "-noout", "-verify"]))?;
        ensure!(!told.to_lowercase().contains("fail"), "{told}");
        keytool(&["-delete", "-alias", alias])?;
    }
    Ok(())
}
