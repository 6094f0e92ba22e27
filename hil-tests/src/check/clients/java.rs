//! Java's SunPKCS11.

use super::{module, plain, run};
use crate::built;
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

/// What the example prints when the JDK's software has judged what the token did.
const JUDGED: [&str; 7] = [
    "SHA256withRSA: verified by SunRsaSign",
    "RSASSA-PSS: verified by SunRsaSign",
    "SHA256withECDSA: verified by SunEC",
    "ECDH: the same secret as SunEC",
    "AES/GCM/NoPadding: the same as SunJCE",
    "AES/CBC/PKCS5Padding: the same as SunJCE",
    "RSA/ECB/PKCS1Padding: decrypts what SunJCE encrypted",
];

/// The program of `examples/java`, as it is there.
pub fn runs_the_example(token: &Token) -> Result<()> {
    let folder = built::root().join("examples/java");
    std::fs::write(token.scratch.join("pin"), USER_PIN)?;
    let mut java = plain(token, "java");
    java.arg(format!("-Dcoloa.module={}", module()?.display()));
    let told = run(java.args([folder.join("Sign.java"), folder.join("token.cfg"), "pin".into()]))?;
    ensure!(JUDGED.iter().all(|line| told.lines().any(|told| told == *line)), "{told}");
    Ok(())
}
