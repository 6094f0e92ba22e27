//! `device-key`, `issue`, `revoke` and `crl`: what needs a token.

use std::path::Path;

use coloa_pki::ca::{AtWork, Order, Unlocked, chain_and_root};
use coloa_pki::clock::Moment;
use coloa_pki::name::AltName;
use coloa_pki::pem::{self, Label};
use coloa_pki::profile::Profile;
use coloa_pki::request::{self, Request};
use coloa_pki::token::{Signer, Token};
use coloa_pki::{Result, hex};
use serde_json::json;

use super::arguments::{Crl, DeviceKey, Issue, PinSource, Revoke};
use super::pin;
use super::screen::Screen;

pub fn device_key(args: &DeviceKey, screen: &Screen) -> Result<()> {
    let names = args.dns.iter().map(|n| AltName::dns(n)).chain(args.ip.iter().map(|ip| Ok(AltName::Ip(*ip))));
    let names: Vec<AltName> = names.collect::<Result<_>>()?;
    let address = args.key.address();
    let token = Token::open(&address, pin::read(&args.key.pin, &address.label, screen.language())?)?;
    let key = match args.use_existing {
        true => token.key(&args.key.label)?,
        false => token.generate(&args.key.label, args.identity.curve)?,
    };
    let der = request::write(&args.identity.subject, &names, &key)?;
    let curve = key.public_key().curve().name();
    let document = json!({
        "subject": args.identity.subject.to_string(), "token": address.label, "label": args.key.label, "curve": curve,
        "key-id": hex::encode(&key.public_key().identifier()),
    });
    let facts = [
        (screen.text("request for", "yêu cầu cho"), args.identity.subject.to_string()),
        (screen.text("key", "khóa"), format!("{} @ {} ({curve})", args.key.label, address.label)),
    ];
    screen.release(args.out.as_deref(), &[(Label::Request, &der)], document, &facts)
}

pub fn issue(args: &Issue, screen: &Screen) -> Result<()> {
    let request = Request::parse(&pem::decode_one(&pem::read_file(&args.csr)?, Label::Request)?)?;
    let profile = Profile::named(&args.profile)?;
    let permitted = profile.permit(request.subject().clone(), request.alt_names().to_vec())?;
    let order = Order { permitted: &permitted, public_key: request.public_key(), days: args.days };
    let entry = with_authority(&args.dir, &args.pin, screen, |ca| ca.issue(&order, Moment::now()?))?;

    let serial = hex::encode(&entry.serial);
    let names: Vec<String> = permitted.alt_names().iter().map(AltName::to_string).collect();
    let document = json!({
        "serial": serial, "profile": entry.profile, "subject": entry.subject, "names": names,
        "not-before": entry.not_before, "not-after": entry.not_after, "ignored": request.ignored(),
    });
    let facts = [
        (screen.text("serial number", "số hiệu"), serial),
        (screen.text("profile", "mẫu"), entry.profile.clone()),
        (screen.text("subject", "chủ thể"), entry.subject.clone()),
        (screen.text("names", "tên khác"), names.join(", ")),
        (screen.text("valid until", "có hiệu lực đến"), entry.not_after.to_string()),
        (screen.text("asked for and ignored", "yêu cầu nhưng bỏ qua"), request.ignored().join(", ")),
    ];
    let (chain, _) = chain_and_root(&args.dir)?;
    let mut objects = vec![(Label::Certificate, entry.certificate.as_slice())];
    objects.extend(chain.iter().filter(|_| args.with_chain).map(|der| (Label::Certificate, der.as_slice())));
    screen.release(args.out.as_deref(), &objects, document, &facts)
}

pub fn revoke(args: &Revoke, screen: &Screen) -> Result<()> {
    let now = Moment::now()?;
    with_authority(&args.dir, &args.pin, screen, |ca| ca.revoke(&args.serial.0, args.reason, now))?;
    let serial = hex::encode(&args.serial.0);
    let document = json!({ "serial": serial, "revoked": now, "reason": args.reason });
    let facts = [
        (screen.text("revoked", "đã thu hồi"), serial),
        (screen.text("next", "việc tiếp theo"), "coloa-pki crl".into()),
    ];
    screen.facts(document, &facts);
    Ok(())
}

pub fn list(args: &Crl, screen: &Screen) -> Result<()> {
    let now = Moment::now()?;
    let (der, number, revoked) = with_authority(&args.dir, &args.pin, screen, |ca| {
        let der = ca.list(args.days, now)?;
        let inventory = ca.authority().inventory();
        Ok((der, inventory.last_list, inventory.revoked().len()))
    })?;
    let next = now.plus_days(args.days)?;
    let document = json!({ "number": number, "revoked": revoked, "this-update": now, "next-update": next });
    let facts = [
        (screen.text("revocation list", "danh sách chứng thư bị thu hồi"), number.to_string()),
        (screen.text("certificates in it", "số chứng thư"), revoked.to_string()),
        (screen.text("replace before", "thay trước"), next.to_string()),
    ];
    screen.release(args.out.as_deref(), &[(Label::Crl, &der)], document, &facts)
}

/// Opens authority and token, reports a repair, and does the work.
pub fn with_authority<T>(
    directory: &Path,
    source: &PinSource,
    screen: &Screen,
    work: impl FnOnce(&mut Unlocked<'_>) -> Result<T>,
) -> Result<T> {
    let authority = AtWork::open(directory)?;
    let address = authority.address();
    let token = Token::open(&address, pin::read(source, &address.label, screen.language())?)?;
    let (mut unlocked, repaired) = authority.unlock(&token, Moment::now()?)?;
    if let Some(bytes) = repaired {
        let line = screen.text(
            "The journal ended in an unfinished record (a power cut?); it was dropped. Bytes:",
            "Nhật ký kết thúc bằng bản ghi dở dang (mất điện?); đã bỏ. Số byte:",
        );
        screen.note(&format!("{line} {bytes}"));
    }
    work(&mut unlocked)
}
