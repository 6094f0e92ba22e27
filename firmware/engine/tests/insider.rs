//! One insider alone (boundary B6; R1, R2, R9, R21): a custodian, a security officer, an administrator and root on the network each
//! try what they must not be able to do. Nothing comes of it, the device serves on, and the log has what was refused.

mod rig;

use coloa_engine::Peer;
use coloa_store_testkit::RamStore;
use coloa_wire::command::*;
use coloa_wire::{AttributeType as A, ErrorCode, MechanismType as M, ObjectId, PartitionId, SessionId, Template};
use rig::custody::*;
use rig::*;

/// A device in service: custodians, two organs, a key that must not be touched.
struct House {
    engine: RamEngine,
    court: PartitionId,
    agency: PartitionId,
    key: ObjectId,
    hidden: ObjectId,
    session: Option<SessionId>,
    holders: [Holder; 3],
    serial: String,
}

impl House {
    fn new() -> Self {
        let (engine, court, holders) = governed(&RamStore::new());
        let agency = Caller::new(&engine, admin()).call(&PartitionCreate {
            label: "agency".into(),
            mode: PartitionMode::Strict,
            approved_only: None,
        });
        let agency = agency.unwrap().partition;
        let (session, key, hidden) = {
            let user = user(&engine, court);
            let key = user.generate_ec(P256, "seal", true).unwrap().private;
            (user.session, key, treasure(&user))
        };
        let serial = Caller::new(&engine, admin()).call(&DeviceInfo {}).unwrap().serial;
        House { engine, court, agency, key, hidden, session, holders, serial }
    }

    fn as_peer(&self, peer: Peer) -> Caller<'_> {
        Caller::new(&self.engine, peer)
    }

    /// The court's user signs as before, and nothing is gone.
    fn is_unharmed(&self) {
        let court = Caller { session: self.session, ..Caller::new(&self.engine, client(1)) };
        court.sign(self.key, M::ECDSA, &[1; 32]).unwrap();
        let operator = Caller::new(&self.engine, admin());
        assert_eq!(operator.call(&TokenList {}).unwrap().tokens.len(), 2);
        assert_eq!(operator.call(&CustodiansRead {}).unwrap().custodians.len(), 3);
    }
}

/// Every attempt fails, with one of these.
fn fails<T>(outcome: Result<T, ErrorCode>, with: &[ErrorCode]) {
    match outcome {
        Ok(_) => panic!("an insider alone got it done"),
        Err(error) => assert!(with.contains(&error), "{error:?}"),
    }
}

use ErrorCode::*;

#[test]
fn a_custodian_alone() {
    let house = House::new();
    let [an, ..] = &house.holders;
    // On the network, with a certificate that is bound to nothing, and with all that a custodian has: one key.
    let away = house.as_peer(client(9));
    let text = propose(&house.engine, &PartitionDestroy { partition: house.court }).unwrap();
    fails(away.call(&an.vote(&text, Voice::Approve)), &[ChannelForbidden]);
    fails(away.call(&QuorumExecute { id: text.id }), &[ChannelForbidden]);
    fails(away.call(&named(&house.holders)), &[QuorumNeeded, ChannelForbidden]);
    fails(away.call(&SessionOpen { partition: house.court }), &[PartitionUnknown]);
    // Even at the local socket, with an administrator who looks away.
    let local = house.as_peer(admin());
    local.call(&an.vote(&text, Voice::Approve)).unwrap();
    fails(local.call(&an.vote(&text, Voice::Approve)), &[CustodianVoted]);
    for other in ["Bình", "Chi"] {
        fails(
            local.call(&QuorumVote { custodian: other.into(), ..an.vote(&text, Voice::Approve) }),
            &[CustodianSignature],
        );
    }
    fails(local.call(&QuorumExecute { id: text.id }), &[QuorumNotReached]);
    fails(local.call(&DeviceZeroize { serial: house.serial.clone() }), &[QuorumNeeded]);
    fails(local.call(&BackupKeyCreate { threshold: 2, holders: vec!["An".into(), "An2".into()] }), &[QuorumNeeded]);
    house.is_unharmed();
}

#[test]
fn a_security_officer_alone() {
    let house = House::new();
    let officer = officer(&house.engine, house.court);
    fails(officer.sign(house.key, M::ECDSA, &[1; 32]), &[NotLoggedIn, ObjectUnknown]);
    fails(officer.call(&AttributesRead { object: house.hidden, kinds: vec![A::VALUE] }), &[ObjectUnknown]);
    fails(officer.wrap(house.hidden, &kwp(), house.hidden), &[NotLoggedIn, ObjectUnknown]);
    fails(
        officer.call(&ObjectCopy { object: house.hidden, template: Template::default() }),
        &[ObjectUnknown, NotLoggedIn],
    );
    fails(officer.create(hmac_template(&[1; 32]).with(A::TOKEN, true)), &[NotLoggedIn]);
    fails(officer.generate_aes(yes(&[A::ENCRYPT])), &[NotLoggedIn]);
    fails(officer.call(&PartitionDestroy { partition: house.court }), &[QuorumNeeded, ChannelForbidden]);
    fails(
        officer.call(&ClientBind { partition: house.court, identity: coloa_wire::Identity([8; 32]), name: "x".into() }),
        &[ChannelForbidden],
    );
    fails(officer.call(&AuditRead { from: 1, max: 1 }), &[ChannelForbidden]);
    fails(officer.call(&SessionOpen { partition: house.agency }), &[PartitionUnknown]);
    fails(officer.call(&DeviceZeroize { serial: house.serial.clone() }), &[QuorumNeeded, ChannelForbidden]);
    house.is_unharmed();
}

#[test]
fn an_administrator_alone() {
    let house = House::new();
    let mut operator = house.as_peer(admin());
    fails(operator.call(&PartitionDestroy { partition: house.court }), &[QuorumNeeded]);
    fails(operator.call(&DeviceZeroize { serial: house.serial.clone() }), &[QuorumNeeded]);
    fails(operator.call(&named(&house.holders)), &[QuorumNeeded]);
    fails(operator.call(&BackupKeyCreate { threshold: 2, holders: vec!["a".into(), "b".into()] }), &[QuorumNeeded]);
    fails(operator.call(&BackupExportBegin { base: None }), &[BackupKeyMissing]);
    fails(
        operator.call(&TokenInitialize {
            partition: house.court,
            so_pin: b"guess1".as_slice().into(),
            label: "x".into(),
        }),
        &[PinIncorrect, SessionsOpen],
    );
    let destroyed = KeyDestroy { partition: house.court, object: house.key, reason: "mine".into() };
    fails(operator.call(&destroyed), &[NotLoggedIn, ChannelForbidden]);
    operator.open(house.court).unwrap();
    fails(operator.log_in(Role::User, USER_PIN), &[ChannelForbidden]);
    fails(operator.sign(house.key, M::ECDSA, &[1; 32]), &[ChannelForbidden, ObjectUnknown, NotLoggedIn]);
    fails(operator.generate_aes(yes(&[A::ENCRYPT])), &[ChannelForbidden]);
    // Not even in the name of the user's session.
    operator.session = house.session;
    fails(operator.sign(house.key, M::ECDSA, &[1; 32]), &[SessionUnknown]);
    house.is_unharmed();
}

/// Whoever owns the network: any certificate that the CA once gave, any octets, somebody else's session number.
#[test]
fn root_on_the_network_alone() {
    let house = House::new();
    let mut root = house.as_peer(client(66));
    assert!(root.call(&TokenList {}).unwrap().tokens.is_empty());
    fails(root.call(&SessionOpen { partition: house.court }), &[PartitionUnknown]);
    root.session = house.session;
    fails(root.sign(house.key, M::ECDSA, &[1; 32]), &[SessionUnknown]);
    fails(root.log_in(Role::User, USER_PIN), &[SessionUnknown]);
    fails(root.call(&Logout {}), &[SessionUnknown]);
    root.session = None;
    fails(root.call(&AuditRead { from: 1, max: 1 }), &[ChannelForbidden]);
    fails(
        root.call(&PartitionCreate { label: "x".into(), mode: PartitionMode::Strict, approved_only: None }),
        &[ChannelForbidden],
    );
    fails(root.call(&KeyList { partition: house.court, after: None, max: 9 }), &[PartitionUnknown]);
    let state =
        KeyStateSet { partition: house.court, object: house.key, state: KeyState::Suspended, reason: "x".into() };
    fails(root.call(&state), &[PartitionUnknown]);
    fails(root.call(&AuditorAdd { identity: coloa_wire::Identity([66; 32]), name: "me".into() }), &[ChannelForbidden]);
    fails(root.call(&AuditCheckpoint {}), &[ChannelForbidden]);
    fails(root.call(&DeviceInitialize { label: "mine".into() }), &[ChannelForbidden]);
    house.is_unharmed();
    let refused = audit_log(&house.engine).iter().filter(|r| r.event.who == "client 66" && r.event.result != 0).count();
    assert!(refused >= 8, "the log has what root tried: {refused}");
}
