//! Keys on the board in QEMU: made there, used there, still there after any `kill -9`. Signatures are judged by aws-lc-rs.

use std::sync::Mutex;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, ensure};
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};
use coloa_boardkit::{PartitionMode, Provisioned, Qemu, SERVER_NAME, build_image, manufacture};
use coloa_bringup::layout;
use coloa_client::config::{Network, Place, Target};
use coloa_client::{CallError, Client};
use coloa_wire::attribute::Template;
use coloa_wire::command::{
    AttributesRead, KeyPairGenerate, KeyPairReply, Login, Pin, Role, SessionClose, SessionOpen, Sign, TokenInitialize,
    TokenList, UserPinInitialize,
};
use coloa_wire::{AttributeType as A, Command, MechanismType, SessionId};
use sha2::{Digest, Sha256};

/// `secp256r1` as `CKA_EC_PARAMS` names it.
const P256: &[u8] = &[0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];
const SO_PIN: &[u8] = b"12345678";
const USER_PIN: &[u8] = b"123456";
const DOCUMENT: &[u8] = b"quyet dinh so 1";

struct Caller {
    client: Client,
    session: Option<SessionId>,
}

impl Caller {
    fn new(board: &Qemu, files: &Provisioned) -> Result<Self> {
        let network = Network {
            address: format!("127.0.0.1:{}", board.port()),
            server_name: SERVER_NAME.into(),
            ca: files.authority.clone(),
            certificate: files.client_certificate.clone(),
            key: files.client_key.clone(),
            connections: 2,
        };
        let target = Target { place: Place::Network(network), deadline: Duration::from_secs(60) };
        let client = Client::open(&target).map_err(explained)?;
        Ok(Caller { client, session: None })
    }

    fn call<C: Command>(&self, command: &C, bulk: &[u8]) -> Result<(C::Reply, Vec<u8>), CallError> {
        let (reply, bulk) = self.client.call(self.session, None, command, bulk)?;
        Ok((reply, bulk.to_vec()))
    }

    fn ask<C: Command>(&self, command: &C) -> Result<C::Reply> {
        self.call(command, &[]).map(|(reply, _)| reply).map_err(explained)
    }

    fn log_in(&mut self, role: Role, pin: &[u8]) -> Result<()> {
        let token = self.ask(&TokenList {})?.tokens.pop().context("the client sees no token")?;
        self.session = Some(self.ask(&SessionOpen { partition: token.partition })?.session);
        self.ask(&Login { role, pin: Pin(pin.to_vec()) })?;
        Ok(())
    }

    fn initialize(&mut self) -> Result<()> {
        let token = self.ask(&TokenList {})?.tokens.pop().context("the client sees no token")?;
        let (partition, so_pin) = (token.partition, Pin(SO_PIN.to_vec()));
        self.ask(&TokenInitialize { partition, so_pin, label: "bench".into() })?;
        self.log_in(Role::SecurityOfficer, SO_PIN)?;
        self.ask(&UserPinInitialize { pin: Pin(USER_PIN.to_vec()) })?;
        self.ask(&SessionClose {})?;
        self.log_in(Role::User, USER_PIN)
    }

    fn generate(&self) -> Result<KeyPairReply, CallError> {
        let public = Template::default().with(A::TOKEN, true).with(A::EC_PARAMS, P256).with(A::VERIFY, true);
        let private = Template::default().with(A::TOKEN, true).with(A::SIGN, true);
        let mechanism = MechanismType::EC_KEY_PAIR_GEN.into();
        self.call(&KeyPairGenerate { mechanism, public, private }, &[]).map(|(reply, _)| reply)
    }

    fn point(&self, pair: &KeyPairReply) -> Result<Vec<u8>> {
        let reply = self.ask(&AttributesRead { object: pair.public, kinds: vec![A::EC_POINT] })?;
        let value = reply.values.into_iter().next().context("no point")?;
        match &value.value {
            // A DER OCTET STRING of 65 bytes.
            coloa_wire::attribute::Value::Bytes(der) => Ok(der.get(2..).context("short point")?.to_vec()),
            _ => Err(anyhow!("the point is no byte string")),
        }
    }

    fn sign(&self, pair: &KeyPairReply) -> Result<Vec<u8>> {
        let sign = Sign { key: pair.private, mechanism: MechanismType::ECDSA_SHA256.into(), ticket: None };
        self.call(&sign, &Sha256::digest(DOCUMENT)).map(|(_, signature)| signature).map_err(explained)
    }
}

fn explained(why: CallError) -> anyhow::Error {
    anyhow!("{why}")
}

fn verifies(point: &[u8], signature: &[u8]) -> bool {
    UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).verify(DOCUMENT, signature).is_ok()
}

#[test]
fn a_key_made_on_the_board_signs_and_signs_again_after_kill_9() -> Result<()> {
    let (dir, image) = (tempfile::tempdir()?, build_image()?);
    let files = manufacture(dir.path(), PartitionMode::Strict, &image)?;
    let board = Qemu::start(&image, &files.flash)?;
    let mut caller = Caller::new(&board, &files)?;
    caller.initialize()?;
    let pair = caller.generate().map_err(explained)?;
    let point = caller.point(&pair)?;
    assert!(verifies(&point, &caller.sign(&pair)?));
    drop((caller, board));
    let board = Qemu::start(&image, &files.flash)?;
    let mut caller = Caller::new(&board, &files)?;
    caller.log_in(Role::User, USER_PIN)?;
    let signature = caller.sign(&pair)?;
    assert!(verifies(&point, &signature));
    let mut wrong = signature;
    wrong[10] ^= 1;
    assert!(!verifies(&point, &wrong), "the judge must be able to say no");
    Ok(())
}

/// The witness outside the board writes down each acknowledged key; the board dies at any moment; every key on the list must
/// be there and sign.
#[test]
fn every_acknowledged_key_survives_kills_at_any_moment() -> Result<()> {
    let (dir, image) = (tempfile::tempdir()?, build_image()?);
    let files = manufacture(dir.path(), PartitionMode::Strict, &image)?;
    let acknowledged = Mutex::new(Vec::<(KeyPairReply, Vec<u8>)>::new());
    for round in 0..4_u64 {
        let board = Qemu::start(&image, &files.flash)?;
        let mut caller = Caller::new(&board, &files)?;
        if round == 0 {
            caller.initialize()?
        } else {
            caller.log_in(Role::User, USER_PIN)?
        }
        for (pair, point) in acknowledged.lock().unwrap().iter() {
            ensure!(verifies(point, &caller.sign(pair)?), "round {round}: an acknowledged key does not sign");
        }
        thread::scope(|scope| {
            scope.spawn(|| {
                while let Ok(pair) = caller.generate() {
                    match caller.point(&pair) {
                        Ok(point) => acknowledged.lock().unwrap().push((pair, point)),
                        Err(_) => return,
                    }
                }
            });
            thread::sleep(Duration::from_millis(300 + 137 * round));
            drop(board);
        });
    }
    let count = acknowledged.lock().unwrap().len();
    ensure!(count >= 4, "only {count} keys were made: the kills came too early to show anything");
    Ok(())
}

/// R36: the whole store put back to an earlier state, where only the counter's sectors stay as they are.
#[test]
fn an_old_image_of_the_store_is_refused_by_the_board_that_counts() -> Result<()> {
    let (dir, image) = (tempfile::tempdir()?, build_image()?);
    let files = manufacture(dir.path(), PartitionMode::Strict, &image)?;
    let board = Qemu::start(&image, &files.flash)?;
    let mut caller = Caller::new(&board, &files)?;
    caller.initialize()?;
    drop((caller, board));
    let old = std::fs::read(&files.flash)?;
    let board = Qemu::start(&image, &files.flash)?;
    let mut caller = Caller::new(&board, &files)?;
    caller.log_in(Role::User, USER_PIN)?;
    caller.generate().map_err(explained)?;
    drop((caller, board));
    let mut now = std::fs::read(&files.flash)?;
    let store = layout::STORE_START as usize..layout::SLOTS[0].start as usize;
    let present = now[store.clone()].to_vec();
    now[store.clone()].copy_from_slice(&old[store.clone()]);
    std::fs::write(&files.flash, &now)?;
    let why = format!("{:#}", Qemu::start(&image, &files.flash).err().context("it must not serve")?);
    ensure!(why.contains("E073"), "{why}");
    now[store].copy_from_slice(&present);
    std::fs::write(&files.flash, &now)?;
    Qemu::start(&image, &files.flash)?;
    Ok(())
}
