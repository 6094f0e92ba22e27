//! `join`: a site's box comes up from one package and one code (R32).
//!
//! Before the code is asked for, the package is read, its signature verified under the trusted roots, its time and its site
//! checked. What it brings is put into a folder of its own beside the final one; the rename that gives it its name is the one
//! moment in which the box has joined. A cut before it leaves nothing that counts (the key in the token is replaced by the next
//! attempt), a cut after it leaves everything.

mod arguments;
mod place;
mod record;
mod token;
mod trouble;

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use coloa_package::{Body, Code, Keys, MAX_PACKAGE, Package, Receipt};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use zeroize::Zeroizing;

pub use arguments::JoinArgs;
use record::Records;
use token::{Imported, Wrapped};
pub use trouble::Trouble;

use crate::admission::{self, Trust};
use crate::config::Identity;
use crate::fault::{Fault, Lang};
use crate::hex;
use crate::keyholder::process::KeySpec;

/// Extended key usage "signs key packages": 2.25.82554203446187077083008497123949274289 (X.667), content octets.
const PACKAGE_SIGNING: &[u8] =
    &[0x69, 0xfc, 0x9b, 0xae, 0x9e, 0xd2, 0x8d, 0xa2, 0xad, 0xdf, 0x8a, 0xa9, 0x9b, 0x81, 0xf9, 0xe9, 0x9f, 0xc9, 0x31];
/// Octets of a file with a code.
const MAX_CODE: u64 = 256;

/// A package whose signature holds, and its file's digest.
struct Believed {
    package: Package,
    serial: String,
    digest: [u8; 32],
}

/// Runs the command.
pub fn run(args: &JoinArgs, lang: Lang) -> Result<(), Fault> {
    let trust = Trust::load(&Identity {
        certificate: PathBuf::new(),
        trust_anchors: args.trust.clone(),
        crl: args.crl.clone(),
    })?;
    let believed = Believed::read(&args.package, &trust)?;
    if args.show {
        believed.show(args.json, lang);
        return Ok(());
    }
    let (records, now) = (Records::open(&args.state_dir)?, admission::now().as_secs());
    let joined = believed.may_be_opened(args, &records, now).and_then(|()| {
        if !args.json {
            believed.show(false, lang);
        }
        believed.join(args, &trust, (&records, lang))
    });
    if let Err(Fault::Join(trouble)) = &joined {
        records.refused(&believed.serial, trouble.code(), now);
    }
    joined
}

impl Believed {
    fn read(path: &Path, trust: &Trust) -> Result<Self, Fault> {
        let refuse = |why: String| Fault::Join(Trouble::Unbelieved { why });
        let mut octets = Vec::new();
        let file = File::open(path).map_err(|e| Fault::file(path, e))?;
        file.take(MAX_PACKAGE).read_to_end(&mut octets).map_err(|e| Fault::file(path, e))?;
        let package = Package::parse(&octets).map_err(|e| refuse(e.to_string()))?;
        let chain: Vec<CertificateDer<'_>> = package.signers.iter().map(|der| der.as_slice().into()).collect();
        let signer = chain.first().ok_or_else(|| refuse("nobody signed it".into()))?;
        trust
            .verify_purpose(&chain, PACKAGE_SIGNING, admission::now())
            .map_err(|e| refuse(format!("its signer is not trusted here ({e})")))?;
        let message = package.message().map_err(|e| refuse(e.to_string()))?;
        webpki::EndEntityCert::try_from(signer)
            .and_then(|c| c.verify_signature(webpki::aws_lc_rs::ECDSA_P384_SHA384, &message, &package.signature))
            .map_err(|_| refuse("its signature is wrong, so it was changed".into()))?;
        let serial = hex::encode(&package.header.serial);
        Ok(Self { package, serial, digest: coloa_package::digest(&octets) })
    }

    /// What people compare with the letter.
    fn show(&self, json: bool, lang: Lang) {
        let (header, digest) = (&self.package.header, hex::encode(&self.digest));
        if json {
            println!(
                "{}",
                serde_json::json!({
                    "package": self.serial, "site": header.site, "organ": header.organ, "issuer": header.issuer,
                    "from": header.from, "until": header.until, "digest": digest, "contents": header.contents,
                })
            );
            return;
        }
        let [site, by, serial, print, left] = match lang {
            Lang::En => ["site", "made by", "package", "SHA-256", "days left"],
            Lang::Vi => ["đơn vị", "cơ quan cấp", "gói khóa", "dấu vân tay", "số ngày còn lại"],
        };
        let days = header.until.saturating_sub(admission::now().as_secs()) / 86_400;
        // What an authority wrote may still hold control characters.
        let (name, organ, issuer) = (&header.site, header.organ.escape_debug(), header.issuer.escape_debug());
        println!("{site}: {} ({organ})\n{by}: {issuer}", name.escape_debug());
        println!("{serial}: {}\n{print}: {digest}\n{left}: {days}", self.serial);
    }

    /// All that can be told without the code.
    fn may_be_opened(&self, args: &JoinArgs, records: &Records, now: u64) -> Result<(), Fault> {
        let header = &self.package.header;
        let opened = Trouble::Opened { serial: self.serial.clone() };
        if records.is_opened(&self.serial) {
            return Err(Fault::Join(opened));
        }
        if place::holds(&args.folder, &header.serial) {
            // The power went between the last two steps.
            records.opened(&self.serial, now)?;
            return Err(Fault::Join(opened));
        }
        let refused = match args.site.as_ref().filter(|site| **site != header.site) {
            Some(_) => Trouble::AnotherSite { site: header.site.clone() },
            None if now < header.from => Trouble::Early { from: header.from },
            None if now > header.until => Trouble::Late { until: header.until },
            None if args.folder.symlink_metadata().is_ok() => {
                Trouble::Occupied { path: args.folder.display().to_string() }
            }
            None => return Ok(()),
        };
        Err(Fault::Join(refused))
    }

    fn join(&self, args: &JoinArgs, trust: &Trust, (records, lang): (&Records, Lang)) -> Result<(), Fault> {
        let code = read_code(args, lang)?;
        let left = records.count_try(&self.serial, admission::now().as_secs())?;
        let unbelieved = |why: String| Fault::Join(Trouble::Unbelieved { why });
        let keys = Keys::derive(&code, &self.package.header.serial).map_err(|e| unbelieved(e.to_string()))?;
        let body = self.package.open(&keys).map_err(|e| match e {
            coloa_package::Error::Code => Fault::Join(Trouble::Code { left }),
            other => unbelieved(other.to_string()),
        })?;
        records.forgive(&self.serial)?;
        let chain = chain_of(&body).ok_or_else(|| unbelieved("it holds no certificate".into()))?;
        let usage = admission::Shown::AsClient.usage();
        let verified = trust.verify(&chain, usage, admission::now());
        verified.map_err(|e| unbelieved(format!("the site's certificate does not serve ({e})")))?;
        let now = self.place(args, &keys, (&body, &chain))?;
        records.opened(&self.serial, now)?;
        report(args, &self.serial, lang);
        Ok(())
    }

    /// Folder, key, receipt, and the rename.
    fn place(&self, args: &JoinArgs, keys: &Keys, (body, chain): (&Body, &[CertificateDer<'_>])) -> Result<u64, Fault> {
        let spec = self.key_spec(args)?;
        let staging = place::Staging::new(&args.folder)?;
        staging.fill(body, &place::local(args, &spec)?)?;
        let id: Vec<u8> = self.package.header.serial.to_vec();
        let what = Wrapped { wrapped: &self.package.wrapped, under: &keys.wrapping, point: &body.point, id: &id };
        let key = Imported::take(&spec, &what)?;
        let device = args.device.clone().unwrap_or_else(host_name);
        let mut receipt = Receipt {
            package: self.package.header.serial,
            digest: self.digest,
            opened: admission::now().as_secs(),
            device: device.chars().filter(|c| !c.is_control()).take(64).collect(),
            signature: Vec::new(),
        };
        receipt.signature = key.sign(chain.first().ok_or(Fault::WrongKey)?, &receipt.message())?;
        staging.finish(&receipt.to_bytes())?;
        Ok(receipt.opened)
    }

    /// A label of its own for each package, so that nothing else in the token is touched.
    fn key_spec(&self, args: &JoinArgs) -> Result<KeySpec, Fault> {
        let missing = || Fault::token("--module, --token and --pin-file are needed");
        let short: String = self.serial.chars().take(16).collect();
        Ok(KeySpec {
            module: args.module.clone().ok_or_else(missing)?,
            token: args.token.clone().ok_or_else(missing)?,
            key: Some(format!("link-{short}")),
            key_id: None,
            pin_file: args.pin_file.clone().ok_or_else(missing)?,
        })
    }
}

fn chain_of(body: &Body) -> Option<Vec<CertificateDer<'static>>> {
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(body.item(place::CERTIFICATE)?).collect();
    chain.ok().filter(|c| !c.is_empty())
}

fn report(args: &JoinArgs, serial: &str, lang: Lang) {
    let (config, receipt) = (args.folder.join(place::CONFIG), args.folder.join(place::RECEIPT));
    if args.json {
        println!("{}", serde_json::json!({ "package": serial, "config": config, "receipt": receipt }));
        return;
    }
    let [done, send, next] = match lang {
        Lang::En => ["The box has joined.", "send back", "next"],
        Lang::Vi => ["Thiết bị đã gia nhập.", "gửi lại cơ quan cấp", "tiếp theo"],
    };
    println!("{done}\n{send}: {}\n{next}: coloa-linkd check --config {}", receipt.display(), config.display());
}

fn host_name() -> String {
    std::fs::read_to_string("/proc/sys/kernel/hostname").map_or_else(|_| "?".into(), |name| name.trim().to_owned())
}

/// From a file, a descriptor or the terminal; never from the command line.
fn read_code(args: &JoinArgs, lang: Lang) -> Result<Code, Fault> {
    let from = match (&args.code_file, args.code_fd) {
        (Some(path), _) => path.clone(),
        (None, Some(fd)) => PathBuf::from(format!("/proc/self/fd/{fd}")),
        (None, None) => return typed(lang),
    };
    let mut text = Zeroizing::new(String::new());
    let file = File::open(&from).map_err(|e| Fault::file(&from, e))?;
    file.take(MAX_CODE).read_to_string(&mut text).map_err(|e| Fault::file(&from, e))?;
    Code::parse(&text).map_err(|_| Fault::Join(Trouble::Mistyped))
}

fn typed(lang: Lang) -> Result<Code, Fault> {
    let prompt = match lang {
        Lang::En => "Activation code: ",
        Lang::Vi => "Mã kích hoạt: ",
    };
    let terminal = Path::new("/dev/tty");
    let text = rpassword::prompt_password(prompt).map_err(|e| Fault::file(terminal, e))?;
    Code::parse(&Zeroizing::new(text)).map_err(|_| Fault::Join(Trouble::Mistyped))
}
