//! What one agency does to another (R22), counted in calls: how much of somebody else's work is done while one call waits.

use crate::rig::{Appliance, call, key_pair, sign, user};
use coloa_client::Client;
use coloa_wire::command::*;
use coloa_wire::mechanism::{Parameter, PssParams};
use coloa_wire::{AttributeType as A, Mechanism, MechanismType, ObjectId, SessionId, Template};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// Channels of the one that floods.
const FLOOD: usize = 16;
/// A flood ends by itself, so that whom it keeps out is served at last, and counts.
const MOST: usize = 40 * FLOOD;

fn rsa(client: &Client, session: SessionId) -> ObjectId {
    let e = &[1u8, 0, 1][..];
    let public = Template::default().with(A::MODULUS_BITS, 4096).with(A::PUBLIC_EXPONENT, e).with(A::VERIFY, true);
    let private = Template::default().with(A::TOKEN, true).with(A::SIGN, true);
    let mechanism = MechanismType::RSA_PKCS_KEY_PAIR_GEN.into();
    call(client, Some(session), &KeyPairGenerate { mechanism, public, private }).unwrap().private
}

fn sign_rsa(client: &Client, session: SessionId, key: ObjectId) {
    let (hash, mgf) = (MechanismType::SHA256, MechanismType::SHA256);
    let mechanism = Mechanism::with(MechanismType::RSA_PKCS_PSS, Parameter::Pss(PssParams { hash, mgf, salt: 32 }));
    let sign = Sign { key, mechanism, ticket: None };
    client.call(Some(session), None, &sign, &[7; 32]).unwrap();
}

/// The values of `work` when each of the calls had been answered, less those when it was made; sorted.
fn others_work_during(calls: usize, work: &AtomicUsize, mut one: impl FnMut()) -> Vec<usize> {
    let mut during: Vec<usize> = (0..calls)
        .map(|_| {
            let before = work.load(Ordering::Relaxed);
            one();
            work.load(Ordering::Relaxed) - before
        })
        .collect();
    during.sort_unstable();
    during
}

/// What the flood asks for, again and again.
#[derive(Clone, Copy)]
enum Work {
    Long,
    Short,
}

impl Work {
    fn prepare(self, client: &Client, session: SessionId) -> ObjectId {
        match self {
            Work::Long => rsa(client, session),
            Work::Short => key_pair(client, session).unwrap(),
        }
    }

    fn ask(self, client: &Client, session: SessionId, key: ObjectId) {
        match self {
            Work::Long => sign_rsa(client, session, key),
            Work::Short => sign(client, session, key).unwrap(),
        }
    }
}

/// How much of a flood's work is done while another agency's calls of the same kind wait, call by call; sorted.
fn done_during_a_flood_of(work: Work, enough: usize) -> Vec<usize> {
    let appliance = Appliance::operational();
    let (court, agency) = (appliance.partition("court"), appliance.partition("agency"));
    let address = appliance.address();
    let good = appliance.enrol(court, "court-srv").client(&address);
    let session = user(&good, court);
    let key = work.prepare(&good, session);
    let greedy = appliance.enrol(agency, "agency-srv");
    let first = greedy.client(&address);
    let theirs = work.prepare(&first, user(&first, agency));
    let (stop, done) = (AtomicBool::new(false), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for _ in 0..FLOOD {
            let (client, stop, done) = (greedy.client(&address), &stop, &done);
            scope.spawn(move || {
                let session = user(&client, agency);
                while !stop.load(Ordering::Relaxed) && done.load(Ordering::Relaxed) < 100 * enough {
                    work.ask(&client, session, theirs);
                    done.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        assert!(crate::rig::until(|| done.load(Ordering::Relaxed) > enough), "no flood");
        let during = others_work_during(100, &done, || work.ask(&good, session, key));
        stop.store(true, Ordering::Relaxed);
        during
    })
}

/// R22: with every core busy for an agency that has many channels, another one's call does not wait for them in turn.
#[test]
fn a_flood_of_long_computations_delays_another_agency_by_a_few_of_them() {
    // In turn it would be one for each channel of the flood. Tests beside this one have the cores too, and a thread that waits for
    // a core waits in no turn of ours: of three floods one must be undisturbed.
    let seen: Vec<_> = (0..3)
        .map_while(|_| {
            let during = done_during_a_flood_of(Work::Long, 10 * FLOOD);
            let (median, p95) = (during[during.len() / 2], during[during.len() * 95 / 100]);
            println!("{median} (median) and {p95} (95 %) long computations were done while one call waited");
            (median > FLOOD / 4 || p95 > FLOOD / 2).then_some((median, p95))
        })
        .collect();
    assert!(seen.len() < 3, "{seen:?}");
}

#[test]
fn a_flood_of_short_calls_delays_another_agency_by_a_round_of_them() {
    let during = done_during_a_flood_of(Work::Short, 100 * FLOOD);
    let (median, p95) = (during[during.len() / 2], during[during.len() * 95 / 100]);
    println!("{median} (median) and {p95} (95 %) short calls were done while one call waited");
    assert!(median <= 2 * FLOOD, "{during:?}");
}

/// R22: whoever has spent its certificate's rate waits, and nobody else.
#[test]
fn a_certificates_rate_is_kept_over_all_its_channels_and_touches_no_other() {
    let mut appliance = Appliance::operational();
    let (court, agency) = (appliance.partition("court"), appliance.partition("agency"));
    let [good, greedy] = [(court, "court-srv"), (agency, "agency-srv")].map(|(p, name)| appliance.enrol(p, name));
    appliance.stop();
    appliance.configure_with("127.0.0.1:0", "calls_per_second = 50\nburst = 10\n");
    appliance.start();
    let address = appliance.address();
    let calls = |client: &Client, calls: usize| {
        let began = Instant::now();
        (0..calls).for_each(|_| drop(call(client, None, &TokenList {}).unwrap()));
        began.elapsed()
    };
    // Ten at once, and fifty in each second that follows: 110 calls over two channels take two seconds.
    let channels = [greedy.client(&address), greedy.client(&address)];
    let began = Instant::now();
    std::thread::scope(|scope| channels.iter().for_each(|client| drop(scope.spawn(move || calls(client, 55)))));
    assert!(began.elapsed() > Duration::from_millis(1900), "{:?}", began.elapsed());
    assert!(appliance.metrics().lines().any(|l| l.starts_with("coloa_delayed_calls_total ") && !l.ends_with(" 0")));
    // Nine calls of the other pass at once: its own burst.
    let delayed = |appliance: &Appliance| {
        let text = appliance.metrics();
        text.lines().find(|l| l.starts_with("coloa_delayed_calls_total")).map(str::to_owned)
    };
    let before = delayed(&appliance);
    calls(&good.client(&address), 9);
    assert_eq!(delayed(&appliance), before);
}

/// R22: logins stretch PINs on few threads; those of a flood do not keep another agency's login waiting for all of them.
#[test]
fn a_flood_of_logins_delays_another_login_by_a_few() {
    let appliance = Appliance::operational();
    let (court, agency) = (appliance.partition("court"), appliance.partition("agency"));
    let address = appliance.address();
    let good = appliance.enrol(court, "court-srv").client(&address);
    let greedy = appliance.enrol(agency, "agency-srv");
    let (stop, done) = (AtomicBool::new(false), AtomicUsize::new(0));
    let during = std::thread::scope(|scope| {
        for _ in 0..FLOOD {
            let (client, stop, done) = (greedy.client(&address), &stop, &done);
            scope.spawn(move || {
                while !stop.load(Ordering::Relaxed) && done.load(Ordering::Relaxed) < MOST / 4 {
                    user(&client, agency);
                    done.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        assert!(crate::rig::until(|| done.load(Ordering::Relaxed) > FLOOD), "no flood");
        let during = others_work_during(10, &done, || assert_ne!(user(&good, court).0, [0; 16]));
        stop.store(true, Ordering::Relaxed);
        during
    });
    assert!(during[5] <= FLOOD / 4, "{during:?}");
}
