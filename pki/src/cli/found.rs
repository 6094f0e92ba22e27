//! `init-root` and `init-issuing`.

use std::path::Path;

use coloa_pki::ca::{AtWork, Authority, Config, Founding, Order, RootTerms};
use coloa_pki::clock::Moment;
use coloa_pki::inventory::Inventory;
use coloa_pki::pem::{self, Label};
use coloa_pki::profile::ISSUING;
use coloa_pki::request::Request;
use coloa_pki::token::Token;
use coloa_pki::{Error, Result};
use cryptoki::types::AuthPin;
use serde_json::json;

use super::arguments::{InitIssuing, InitRoot, PinSource};
use super::pin;
use super::screen::Screen;

pub fn root(args: &InitRoot, screen: &Screen) -> Result<()> {
    let address = args.key.address();
    let token = Token::open(&address, pin::read(&args.key.pin, &address.label, screen.language())?)?;
    let founding =
        Founding { directory: &args.dir, address: &address, label: &args.key.label, crl_url: args.crl_url.as_deref() };
    let terms = RootTerms { subject: args.identity.subject.clone(), curve: args.identity.curve, days: args.days };
    let authority = founding.root(&token, terms, Moment::now()?)?;
    founded(&authority, screen)
}

pub fn issuing(args: &InitIssuing, screen: &Screen) -> Result<()> {
    let address = args.key.address();
    let founding =
        Founding { directory: &args.dir, address: &address, label: &args.key.label, crl_url: args.crl_url.as_deref() };
    match (&args.csr_out, &args.certificate, &args.root, &args.root_dir) {
        (Some(out), ..) => ask(args, &founding, out, screen),
        (_, Some(certificate), Some(root), _) => {
            let read = |path: &Path| pem::decode_one(&pem::read_file(path)?, Label::Certificate);
            let (certificate, root) = (read(certificate)?, read(root)?);
            let pin = pin::read(&args.key.pin, &address.label, screen.language())?;
            open(&founding, pin, (&certificate, &root), screen)
        }
        (_, _, _, Some(root_dir)) => with_root(args, &founding, root_dir, screen),
        // The argument parser lets none of this through.
        _ => Err(Error::NoAuthority { directory: args.dir.clone() }),
    }
}

/// First half with an offline root.
fn ask(args: &InitIssuing, founding: &Founding<'_>, out: &Path, screen: &Screen) -> Result<()> {
    let pin = pin::read(&args.key.pin, &founding.address.label, screen.language())?;
    let token = Token::open(founding.address, pin)?;
    let request = founding.request_issuing(&token, &args.identity.subject, args.identity.curve)?;
    let document = json!({ "subject": args.identity.subject.to_string(), "label": args.key.label });
    let facts = [(screen.text("request for", "yêu cầu cho"), args.identity.subject.to_string())];
    screen.release(Some(out), &[(Label::Request, &request)], document, &facts)
}

/// The root's token and the issuing one are open one after the other: they may share a module, even a token.
fn with_root(args: &InitIssuing, founding: &Founding<'_>, root_dir: &Path, screen: &Screen) -> Result<()> {
    let source = PinSource { pin_file: args.root_pin_file.clone(), pin_fd: args.root_pin_fd };
    let root_address = Config::read(root_dir)?.address();
    let root_pin = pin::read(&source, &root_address.label, screen.language())?;
    let own_pin = pin::read(&args.key.pin, &founding.address.label, screen.language())?;
    // Open the root first: keys should not be left behind because its PIN was wrong.
    drop(AtWork::open(root_dir)?.unlock(&Token::open(&root_address, root_pin.clone())?, Moment::now()?)?);
    let request = {
        let token = Token::open(founding.address, own_pin.clone())?;
        Request::parse(&founding.request_issuing(&token, &args.identity.subject, args.identity.curve)?)?
    };
    let (certificate, root) = {
        let token = Token::open(&root_address, root_pin)?;
        certify(AtWork::open(root_dir)?, &token, &request, args.days)?
    };
    open(founding, own_pin, (&certificate, &root), screen)
}

fn certify(root: AtWork, token: &Token, request: &Request, days: Option<u32>) -> Result<(Vec<u8>, Vec<u8>)> {
    let permitted = ISSUING.permit(request.subject().clone(), Vec::new())?;
    let (mut root, _) = root.unlock(token, Moment::now()?)?;
    let order = Order { permitted: &permitted, public_key: request.public_key(), days };
    let entry = root.issue(&order, Moment::now()?)?;
    Ok((entry.certificate, root.authority().certificate().to_vec()))
}

fn open(founding: &Founding<'_>, pin: AuthPin, (own, root): (&[u8], &[u8]), screen: &Screen) -> Result<()> {
    let token = Token::open(founding.address, pin)?;
    let authority = founding.issuing(&token, own, root, Moment::now()?)?;
    founded(&authority, screen)
}

fn founded(authority: &Authority, screen: &Screen) -> Result<()> {
    let own = Inventory::describe(authority.certificate())?;
    let head = authority.journal().head();
    let document = json!({
        "directory": authority.directory(), "role": authority.inventory().role, "subject": own.subject,
        "serial": coloa_pki::hex::encode(&own.serial), "not-after": own.not_after,
        "token": authority.config().token, "label": authority.config().label,
        "head": format!("{}:{}", head.number, head.hash),
        "pem": pem::encode(Label::Certificate, authority.certificate())?,
    });
    let facts = [
        (screen.text("authority", "cơ quan cấp"), own.subject),
        (screen.text("directory", "thư mục"), authority.directory().display().to_string()),
        (screen.text("key", "khóa"), format!("{} @ {}", authority.config().label, authority.config().token)),
        (screen.text("valid until", "có hiệu lực đến"), own.not_after.to_string()),
        (screen.text("journal head", "đầu nhật ký"), format!("{}:{}", head.number, head.hash)),
    ];
    screen.facts(document, &facts);
    Ok(())
}
