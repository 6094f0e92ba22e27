//! Custodians, and the way of an act through their quorum.

use super::*;
use coloa_crypto_native::Native;
use coloa_engine::{Crypto, Curve, Hash, KeyKind, KeyMaterial, PairKind, Scheme};
use coloa_wire::{Command, RequestId};

const KIND: PairKind = PairKind::Ec(Curve::P384);

/// A custodian with the key that never comes near the engine.
pub struct Holder {
    pub custodian: Custodian,
    key: KeyMaterial,
}

pub fn holder(name: &str) -> Holder {
    let key = Native::new().generate(KIND).unwrap();
    Holder { custodian: Custodian { name: name.into(), key: key.public.clone() }, key }
}

impl Holder {
    fn sign(&self, text: &[u8]) -> Vec<u8> {
        let crypto = Native::new();
        let key = crypto.load(KeyKind::Pair(KIND), &self.key.secret).unwrap();
        crypto.sign(&key, Scheme::Ecdsa, crypto.digest(Hash::Sha384, &[text]).as_ref()).unwrap()
    }

    pub fn vote(&self, text: &QuorumText, voice: Voice) -> QuorumVote {
        let (custodian, signature) = (self.custodian.name.clone(), self.sign(&text.signed(voice)));
        QuorumVote { id: text.id, custodian, voice, signature }
    }
}

pub fn three() -> [Holder; 3] {
    ["An", "Bình", "Chi"].map(holder)
}

pub fn named(holders: &[Holder]) -> CustodiansSet {
    CustodiansSet { threshold: 2, custodians: holders.iter().map(|h| h.custodian.clone()).collect() }
}

/// A device with a partition, and two of three custodians as its quorum.
pub fn governed(store: &RamStore) -> (RamEngine, PartitionId, [Holder; 3]) {
    let engine = start(store).unwrap();
    let partition = token(&engine, PartitionMode::Strict);
    let holders = three();
    Caller::new(&engine, admin()).call(&named(&holders)).unwrap();
    (engine, partition, holders)
}

pub fn propose<C: Command>(engine: &RamEngine, act: &C) -> Result<QuorumText, ErrorCode> {
    let mut head = Vec::new();
    encode_head(act, &mut head);
    let operator = Caller::new(engine, admin());
    let proposal = QuorumPropose { code: C::CODE as u16, head, reason: "the organ is closed".into(), seconds: 3600 };
    operator.call(&proposal).map(|reply| text_of(engine, reply.id))
}

pub fn text_of(engine: &RamEngine, id: RequestId) -> QuorumText {
    let all = Caller::new(engine, admin()).call(&QuorumList {}).unwrap().proposals;
    all.into_iter().find(|p| p.text.id == id).expect("the proposal").text
}

pub fn execute(engine: &RamEngine, id: RequestId) -> Result<QuorumExecuteReply, ErrorCode> {
    Caller::new(engine, admin()).call(&QuorumExecute { id })
}
