//! Many sites at one hub: all of them come up, none is harmed by strangers, and who is revoked is cut off in time (R31, R34).

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use tokio::io::Interest;

use crate::authority::Authority;
use crate::daemon::{Daemon, both, config, hub_config};
use crate::network::{Network, eventually};
use crate::sites::{self, FarEnd, Joined, Site};

/// A revoked peer is cut off within so long (R31).
const CUT_OFF: Duration = Duration::from_secs(5);

/// A hub and the sites that its policy grants, none of them up.
fn hub(authority: &Authority, network: &Network, count: usize, config: &str) -> (Daemon, Vec<Arc<Site>>) {
    let sites = sites::make(authority, count);
    (start_hub(authority, network, config), sites)
}

fn start_hub(authority: &Authority, network: &Network, config: &str) -> Daemon {
    let hub = Daemon::start(authority, "a", config);
    let listens = || network.black[0].good("ss", &["-Hltn", "sport = :4500"]).contains("LISTEN");
    eventually("the hub listens", listens);
    hub
}

/// All of them at once; the links come in their order.
fn all_join(far: &FarEnd<'_>, sites: &[Arc<Site>]) -> Vec<Joined> {
    far.run(async {
        let join = |site: &Arc<Site>| {
            let site = site.clone();
            tokio::spawn(async move { site.join().await.expect("a link") })
        };
        let joins: Vec<_> = sites.iter().map(join).collect();
        let mut up = Vec::new();
        for joined in joins {
            up.push(joined.await.expect("no panic"));
        }
        up
    })
}

#[test]
fn many_sites_come_up_at_once_and_strangers_harm_none() {
    let (authority, network) = (Authority::make(), Network::make());
    let (hub, sites) = hub(&authority, &network, 60, &hub_config(&authority, &network));
    let far = sites::far_end(&network);
    let (early, late) = sites.split_at(50);
    let mut up = all_join(&far, early);
    assert_eq!(hub.words().matches("connected, encrypting").count(), 50, "{}", hub.words());

    let answer = far.run(async {
        // Silent ones: more than there are places, each from an address of its own; and one that will not stop.
        let mut silent = Vec::new();
        for number in 0..5000 {
            silent.push(sites::connect(sites::address(1000 + number)).await.expect("a connection"));
        }
        for _ in 0..200 {
            silent.push(sites::connect(sites::address(900)).await.expect("a connection"));
        }
        for joined in &mut up {
            joined.is_alive().await.expect("links live under the flood");
        }
        for site in late {
            up.push(site.join().await.expect("new links come up under the flood"));
        }
        // Who holds eight places gets no ninth: it is hung up on at once.
        let stranger = sites::connect(sites::address(900)).await.expect("a connection");
        let hung_up = async { stranger.ready(Interest::READABLE).await.is_ok_and(|r| r.is_read_closed()) };
        tokio::time::timeout(Duration::from_secs(5), hung_up).await
    });
    assert!(answer.is_ok_and(|hung_up| hung_up), "one address cannot have all places");
    assert_eq!(hub.words().matches("connected, encrypting").count(), 60, "{}", hub.words());
}

#[test]
fn who_sends_an_octet_a_second_has_ten_seconds_in_all() {
    let (authority, network) = (Authority::make(), Network::make());
    let (_hub, _) = hub(&authority, &network, 1, &hub_config(&authority, &network));
    let lived = sites::far_end(&network).run(async {
        let tcp = sites::connect(sites::address(7)).await.expect("a connection");
        let start = Instant::now();
        // The head of a handshake record that never comes to its end.
        for octet in [22, 3, 1, 2, 0, 1, 0, 1, 252, 3, 3].into_iter().cycle() {
            let closed = tcp.ready(Interest::WRITABLE | Interest::READABLE).await.expect("ready").is_read_closed();
            if closed || tcp.try_write(&[octet]).is_err() || start.elapsed() > Duration::from_secs(40) {
                break;
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        start.elapsed()
    });
    assert!((Duration::from_secs(9)..Duration::from_secs(15)).contains(&lived), "it was kept for {lived:?}");
}

#[test]
fn a_revoked_site_among_hundreds_is_cut_off_within_five_seconds() {
    let (authority, network) = (Authority::make(), Network::make());
    authority.revoke(&[]);
    let config = hub_config(&authority, &network).replace("\"root.pem\"\n", "\"root.pem\"\ncrl = \"crl.pem\"\n");
    let (hub, sites) = hub(&authority, &network, 300, &config);
    let far = sites::far_end(&network);
    let mut up = all_join(&far, &sites);
    let (before, revoked) = (Instant::now(), up.len() - 1);
    authority.revoke_serial(&sites::serial(revoked));
    far.run(async {
        up[revoked].ended().await;
        assert!(before.elapsed() < CUT_OFF, "it took {:?}", before.elapsed());
        for joined in up.iter_mut().take(revoked) {
            joined.is_alive().await.expect("the others live");
        }
        assert!(sites[revoked].join().await.is_err(), "nor does it come back");
    });
    assert_eq!(hub.words().matches("connected, encrypting").count(), revoked, "{}", hub.words());
}

#[test]
fn a_site_whose_certificate_expires_is_cut_off() {
    let (authority, network) = (Authority::make(), Network::make());
    let (life, start) = (Duration::from_secs(8), SystemTime::now());
    let sites = sites::make_with(&authority, 2, |number, params| {
        if number == 1 {
            params.not_after = (start + life).into();
        }
    });
    let hub = start_hub(&authority, &network, &hub_config(&authority, &network));
    let far = sites::far_end(&network);
    let mut up = all_join(&far, &sites);
    far.run(async {
        up[1].ended().await;
        let lived = start.elapsed().expect("time");
        // A certificate counts whole seconds, and is good in its last one.
        assert!(lived + Duration::from_secs(1) >= life, "cut off after {lived:?}, before it expired");
        assert!(lived < life + CUT_OFF, "cut off after {lived:?}");
        up[0].is_alive().await.expect("the other lives");
    });
    hub.says("the link is cut");
}

#[test]
fn a_site_that_breaks_off_before_it_is_ready_is_judged_like_any_other() {
    let (authority, network) = (Authority::make(), Network::make());
    authority.revoke(&[]);
    let config = hub_config(&authority, &network).replace("\"root.pem\"\n", "\"root.pem\"\ncrl = \"crl.pem\"\n");
    let (hub, sites) = hub(&authority, &network, 1, &config);
    let far = sites::far_end(&network);
    far.run(async {
        // The hub installs its keys and waits for a word that never comes.
        let mut rogue = sites[0].shake().await.expect("a handshake");
        rogue.hello().await.expect("a hello");
        let _ready: [u8; 9] = rogue.hear().await.expect("the hub is ready");
    });
    authority.revoke_serial(&sites::serial(0));
    hub.says("the link is cut");
}

#[test]
fn a_site_that_says_what_it_must_not_is_hung_up_on() {
    let (authority, network) = (Authority::make(), Network::make());
    let (_hub, sites) = hub(&authority, &network, 2, &hub_config(&authority, &network));
    let far = sites::far_end(&network);
    let mut up = all_join(&far, &sites);
    far.run(async {
        up[0].say(&[9]).await.expect("sent");
        up[0].ended().await;
        // Alive, far too often.
        up[1].say(&[4; 64]).await.expect("sent");
        up[1].ended().await;
        sites[0].join().await.expect("and may come back");
    });
}

#[test]
fn a_hub_that_only_accepts_has_its_keys_renewed() {
    let (authority, network) = (Authority::make(), Network::make());
    let brief = hub_config(&authority, &network) + "[rekey]\nafter_seconds = 5\ndrain_seconds = 1\n";
    let a = Daemon::start(&authority, "a", &brief);
    // Left to itself, site b would keep its keys for an hour.
    let b = Daemon::start(&authority, "b", &config(&authority, &network, "b"));
    [&a, &b].into_iter().for_each(Daemon::encrypts);
    eventually("the third epoch", || a.words().contains("epoch 3 "));
    assert!(!a.log().contains("without a successor"), "{}", a.log());
}

#[test]
fn links_live_on_while_the_token_is_away_and_it_is_found_again() {
    let (authority, network) = (Authority::make(), Network::make());
    let [a, _b] = both(&authority, &network);
    let (tokens, elsewhere) = (authority.path("tokens-a"), authority.path("elsewhere"));
    std::fs::rename(&tokens, &elsewhere).expect("the token goes");
    a.kill_keyholder();
    eventually("status says so", || a.words().contains("our own token does not sign"));
    assert!(network.pings(), "the link lives on");
    std::fs::rename(&elsewhere, &tokens).expect("the token comes back");
    eventually("status says that it is back", || !a.words().contains("our own token does not sign"));
    a.says("the token is open again");
}
