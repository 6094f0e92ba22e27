//! A token of very many keys: what opening it, finding in it and adding to it cost, through the embedded body's one entry.
//!
//! `cargo run --release -p coloa-host --example many -- fill DIR 100000` makes EC key pairs until there are so many objects;
//! `… -- measure DIR` opens the token in this process and measures; `… -- open DIR` only opens it.
//! DIR may also be the directory of an appliance that does not run: its first partition with the PIN 123456 is used.

use coloa_host::Embedded;
use coloa_wire::attribute::{class, key_type};
use coloa_wire::command::*;
use coloa_wire::frame::FrameKind;
use coloa_wire::{AttributeType as A, Command, ErrorCode, Frame, MechanismType, ObjectId, SessionId, Template, Value};
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

const SO_PIN: &[u8] = b"12345678";
const PIN: &[u8] = b"123456";
const P256: &[u8] = &[6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7];
/// They share flushes.
const FILLERS: usize = 64;
const RUN: Duration = Duration::from_secs(2);

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["fill", directory, count] => fill(Path::new(directory), count.parse().expect("a number of objects")),
        ["measure", directory] => measure(Path::new(directory)),
        ["open", directory] => drop(open(Path::new(directory))),
        _ => panic!("many fill DIR OBJECTS | many measure DIR | many open DIR"),
    }
}

/// The body with a session, logged in.
struct Token {
    body: Embedded,
    session: Option<SessionId>,
}

impl Token {
    fn call<C: Command>(&self, request: &C) -> C::Reply {
        self.try_call(request).unwrap_or_else(|code| panic!("{}: {code}", C::CODE.name()))
    }

    fn try_call<C: Command>(&self, request: &C) -> Result<C::Reply, ErrorCode> {
        let (mut head, mut bytes, mut reply) = (Vec::new(), Vec::new(), Vec::new());
        coloa_wire::command::encode_head(request, &mut head);
        let frame = Frame::status(FrameKind::Call, C::CODE as u16, 1);
        Frame { head: &head, session: self.session, ..frame }.encode(&mut bytes);
        self.body.exchange(&bytes, &mut reply);
        let answer = Frame::parse(&reply)?;
        match ErrorCode::from_number(answer.code) {
            Some(error) => Err(error),
            None => coloa_wire::command::decode_head(answer.head),
        }
    }

    fn find(&self, template: &Template, after: Option<ObjectId>, max: u32) -> Vec<ObjectId> {
        self.call(&ObjectFind { template: template.clone(), after, max }).objects
    }
}

fn resident() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let field = |name: &str| status.lines().find_map(|l| l.strip_prefix(name)).unwrap_or("?").trim().to_owned();
    format!("resident {}, at most {}", field("VmRSS:"), field("VmHWM:"))
}

fn ms(since: Instant) -> f64 {
    since.elapsed().as_secs_f64() * 1e3
}

fn open(directory: &Path) -> Token {
    let began = Instant::now();
    let body = Embedded::open(directory, PartitionMode::Compatible).expect("an engine");
    let started = ms(began);
    let mut token = Token { body, session: None };
    let listed = token.call(&TokenList {}).tokens;
    let partition = listed.first().expect("a partition").partition;
    let opening = token.try_call(&SessionOpen { partition });
    let opened = ms(began);
    token.session = opening.ok().map(|reply| reply.session);
    if token.session.is_none() {
        token.call(&TokenInitialize { partition, so_pin: SO_PIN.into(), label: "many".into() });
        token.session = Some(token.call(&SessionOpen { partition }).session);
        token.call(&Login { role: Role::SecurityOfficer, pin: SO_PIN.into() });
        token.call(&UserPinInitialize { pin: PIN.into() });
        token.call(&Logout {});
    }
    token.call(&Login { role: Role::User, pin: PIN.into() });
    let logged_in = ms(began);
    println!(
        "engine started {started:.1} ms, first session {opened:.1} ms, logged in {logged_in:.1} ms; {}",
        resident()
    );
    token
}

fn label(n: usize) -> Vec<u8> {
    format!("key-{n:07}").into_bytes()
}

fn subject(n: usize) -> Vec<u8> {
    [&[0x30, 20, 0x31, 18, 0x30, 16, 6, 3, 0x55, 4, 3, 0x0c, 9][..], format!("{n:09}").as_bytes()].concat()
}

fn make_pair(token: &Token, n: usize) -> KeyPairReply {
    let common = || {
        let named = Template::default().with(A::TOKEN, true).with(A::LABEL, label(n));
        named.with(A::ID, (n as u64).to_be_bytes().to_vec()).with(A::SUBJECT, subject(n))
    };
    let public = common().with(A::EC_PARAMS, P256);
    token.call(&KeyPairGenerate { mechanism: MechanismType::EC_KEY_PAIR_GEN.into(), public, private: common() })
}

fn count(token: &Token) -> usize {
    let (mut after, mut found) = (None, 0);
    loop {
        let page = token.find(&Template::default(), after, MAX_FIND);
        let Some(last) = page.last() else { return found };
        (after, found) = (Some(*last), found + page.len());
    }
}

fn fill(directory: &Path, objects: usize) {
    let token = open(directory);
    let present = count(&token) / 2;
    let (next, wanted, began) = (AtomicUsize::new(present), objects / 2, Instant::now());
    let work = || {
        loop {
            let n = next.fetch_add(1, Ordering::Relaxed);
            if n >= wanted {
                return;
            }
            make_pair(&token, n);
            if n.is_multiple_of(5000) && n > present {
                let rate = (n - present) as f64 / began.elapsed().as_secs_f64();
                eprintln!("{n} of {wanted} pairs, {rate:.0}/s, {:.0} s to go", (wanted - n) as f64 / rate);
            }
        }
    };
    std::thread::scope(|scope| (0..FILLERS).for_each(|_| drop(scope.spawn(work))));
    println!("{} objects; {}", count(&token), resident());
}

fn measure(directory: &Path) {
    let token = open(directory);
    let began = Instant::now();
    let objects = count(&token);
    println!("{objects} objects, all paged in {:.1} ms; {}", ms(began), resident());
    let pairs = objects / 2;
    for (name, template) in searches(&token, pairs) {
        let first = Instant::now();
        let found = token.find(&template(pairs / 2), None, 16).len();
        let first = ms(first);
        let rates = [1, 8].map(|threads| {
            rate(threads, |turn| {
                let n = turn.wrapping_mul(2_654_435_761) % pairs.max(1);
                std::hint::black_box(token.find(&template(n), None, 16));
            })
        });
        println!(
            "find {name:<28} {found:>3} found, first {first:>8.3} ms, {:>8.0}/s, 8 threads {:>8.0}/s",
            rates[0], rates[1]
        );
    }
    println!("after finding: {}", resident());
    let next = AtomicUsize::new(pairs);
    let made = Mutex::new(Vec::new());
    let create = |threads| {
        let processor = processor_time();
        let rate = rate(threads, |_| {
            let pair = make_pair(&token, next.fetch_add(1, Ordering::Relaxed));
            made.lock().expect("the list").extend([pair.public, pair.private]);
        });
        (rate, processor_time() - processor)
    };
    let ((one, one_busy), (eight, eight_busy)) = (create(1), create(8));
    let per_pair = |busy: f64, rate: f64| busy * 1e6 / rate / RUN.as_secs_f64();
    println!(
        "durable pairs made: {one:.0}/s ({:.0} us of processor each), 8 threads {eight:.0}/s ({:.0} us): {:.1} times",
        per_pair(one_busy, one),
        per_pair(eight_busy, eight),
        eight / one
    );
    for object in made.into_inner().expect("the list") {
        token.call(&ObjectDestroy { object });
    }
}

/// Seconds this process has used so far, from /proc/self/stat in ticks of 10 ms.
fn processor_time() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields: Vec<f64> = stat.split(' ').skip(13).take(2).filter_map(|field| field.parse().ok()).collect();
    fields.iter().sum::<f64>() / 100.0
}

type Search<'a> = (&'a str, Box<dyn Fn(usize) -> Template + Sync + 'a>);

/// What applications ask for.
fn searches(token: &Token, pairs: usize) -> Vec<Search<'_>> {
    let private = || Template::default().with(A::CLASS, class::PRIVATE_KEY);
    let id = |n: usize| (n as u64).to_be_bytes().to_vec();
    let known = token.find(&private().with(A::LABEL, label(pairs / 3)), None, 1);
    let read = |kind| match known.first() {
        Some(object) => token.call(&AttributesRead { object: *object, kinds: vec![kind] }).values.into_iter().next(),
        None => None,
    };
    let value = move |kind| read(kind).map_or(Value::Bytes(vec![]), |a| a.value.clone());
    let (unique, info) = (value(A::UNIQUE_ID), value(A::PUBLIC_KEY_INFO));
    vec![
        ("label", Box::new(|n| Template::default().with(A::LABEL, label(n)))),
        ("class, label", Box::new(move |n| private().with(A::LABEL, label(n)))),
        ("class, id", Box::new(move |n| private().with(A::ID, id(n)))),
        ("class, id, token", Box::new(move |n| private().with(A::ID, id(n)).with(A::TOKEN, true))),
        ("class, key type, label", {
            Box::new(move |n| private().with(A::KEY_TYPE, key_type::EC).with(A::LABEL, label(n)))
        }),
        ("subject", Box::new(|n| Template::default().with(A::SUBJECT, subject(n)))),
        ("unique id", Box::new(move |_| Template::default().with(A::UNIQUE_ID, unique.clone()))),
        ("public key info", Box::new(move |_| Template::default().with(A::PUBLIC_KEY_INFO, info.clone()))),
        ("no such label", Box::new(|_| Template::default().with(A::LABEL, &b"nobody"[..]))),
        ("no such class", Box::new(|_| Template::default().with(A::CLASS, class::CERTIFICATE))),
        ("all private keys, 16 of them", Box::new(move |_| private())),
        ("all of one curve, 16 of them", Box::new(|_| Template::default().with(A::EC_PARAMS, P256))),
        ("curve and id", Box::new(move |n| Template::default().with(A::EC_PARAMS, P256).with(A::ID, id(n)))),
    ]
}

/// How often a second.
fn rate(threads: usize, step: impl Fn(usize) + Sync) -> f64 {
    let began = Instant::now();
    let work = |thread: usize| {
        let mut turn = 0usize;
        while began.elapsed() < RUN {
            step(turn.wrapping_mul(threads).wrapping_add(thread));
            turn += 1;
        }
        turn
    };
    let total: usize = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|thread| scope.spawn(move || work(thread))).collect();
        workers.into_iter().map(|w| w.join().expect("a worker")).sum()
    });
    total as f64 / began.elapsed().as_secs_f64()
}
