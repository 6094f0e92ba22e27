//! What overlapping calls gain: one thread that waits for each reply, and the same thread with 32 calls in flight.
//!
//! `COLOA_CONF=client-bench/coloa.toml cargo run --release -p coloa-client --example overlap -- user.pin` takes the first
//! place of the configuration, its first token, and the PIN in the file; it prints one line an operation.

use coloa_client::{Client, Config, Ticket};
use coloa_wire::command::{KeyPairGenerate, Login, Random, Role, SessionOpen, Sign, TokenList};
use coloa_wire::{AttributeType as A, Command, MechanismType, SessionId, Template};
use std::collections::VecDeque;
use std::error::Error;
use std::time::{Duration, Instant};

const IN_FLIGHT: usize = 32;
const RUN: Duration = Duration::from_secs(2);
/// DER of the curve's object identifier.
const P256: [u8; 10] = [0x06, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7];

fn main() -> Result<(), Box<dyn Error>> {
    let file = std::env::args().nth(1).ok_or("usage: overlap PIN-FILE")?;
    let pin = std::fs::read_to_string(file)?;
    let config = Config::load(true).map_err(|e| e.explain(coloa_client::Language::English))?;
    let client = Client::open(config.targets.first().ok_or("the configuration names no place")?)?;
    let tokens = client.call(None, None, &TokenList {}, &[])?.0.tokens;
    let partition = tokens.first().ok_or("no token")?.partition;
    let session = client.call(None, None, &SessionOpen { partition }, &[])?.0.session;
    let login = Login { role: Role::User, pin: pin.trim().as_bytes().into() };
    client.call(Some(session), None, &login, &[])?;
    let pair = KeyPairGenerate {
        mechanism: MechanismType::EC_KEY_PAIR_GEN.into(),
        public: Template::default().with(A::EC_PARAMS, &P256[..]).with(A::TOKEN, false).with(A::VERIFY, true),
        private: Template::default().with(A::TOKEN, false).with(A::SIGN, true),
    };
    let key = client.call(Some(session), None, &pair, &[])?.0.private;
    let sign = Sign { key, mechanism: MechanismType::ECDSA.into(), ticket: None };
    compare(&client, session, "P-256 sign", &sign, &[7; 32])?;
    compare(&client, session, "random, 32 bytes", &Random { length: 32 }, &[])
}

fn compare<C: Command>(
    client: &Client,
    session: SessionId,
    name: &str,
    command: &C,
    bulk: &[u8],
) -> Result<(), Box<dyn Error>> {
    let one = rate(|| client.call(Some(session), None, command, bulk).map(|_| 1))?;
    let mut tickets: VecDeque<Ticket<C>> = VecDeque::new();
    let many = rate(|| {
        while tickets.len() < IN_FLIGHT {
            tickets.push_back(client.begin((Some(session), None), command, bulk)?);
        }
        let Some(oldest) = tickets.pop_front() else { return Ok(0) };
        client.wait(oldest)?;
        let mut done = 1;
        // What came with it is there already.
        while let Some(next) = tickets.front_mut()
            && client.poll(next)?.is_some()
        {
            tickets.pop_front();
            done += 1;
        }
        Ok(done)
    })?;
    println!("{name}: {one:.0}/s one by one, {many:.0}/s with {IN_FLIGHT} in flight, {:.1} times", many / one);
    Ok(())
}

/// Calls a second.
fn rate(mut call: impl FnMut() -> Result<u32, coloa_client::CallError>) -> Result<f64, Box<dyn Error>> {
    let (since, mut done) = (Instant::now(), 0_u32);
    while since.elapsed() < RUN {
        done += call()?;
    }
    Ok(f64::from(done) / since.elapsed().as_secs_f64())
}
