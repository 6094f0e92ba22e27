//! SHA-2 and HMAC behind rustls' traits.

use alloc::boxed::Box;
use core::marker::PhantomData;

use hmac::{Hmac, KeyInit, Mac};
use rustls::crypto::hash::{Context, Hash, HashAlgorithm, Output};
use rustls::crypto::hmac as tls;
use sha2::{Digest, Sha256, Sha384};

pub(super) struct Sha<D>(HashAlgorithm, PhantomData<fn() -> D>);

pub(super) static SHA256: Sha<Sha256> = Sha(HashAlgorithm::SHA256, PhantomData);
pub(super) static SHA384: Sha<Sha384> = Sha(HashAlgorithm::SHA384, PhantomData);

impl<D: Digest + Clone + Send + Sync + 'static> Hash for Sha<D> {
    fn start(&self) -> Box<dyn Context> {
        Box::new(Running(D::new()))
    }

    fn hash(&self, data: &[u8]) -> Output {
        Output::new(&D::digest(data))
    }

    fn output_len(&self) -> usize {
        <D as Digest>::output_size()
    }

    fn algorithm(&self) -> HashAlgorithm {
        self.0
    }
}

struct Running<D>(D);

impl<D: Digest + Clone + Send + Sync + 'static> Context for Running<D> {
    fn fork_finish(&self) -> Output {
        Output::new(&self.0.clone().finalize())
    }

    fn fork(&self) -> Box<dyn Context> {
        Box::new(Running(self.0.clone()))
    }

    fn finish(self: Box<Self>) -> Output {
        Output::new(&self.0.finalize())
    }

    fn update(&mut self, data: &[u8]) {
        self.0.update(data);
    }
}

pub(super) struct HmacOf<M>(usize, PhantomData<fn() -> M>);

pub(super) static HMAC_SHA256: HmacOf<Hmac<Sha256>> = HmacOf(32, PhantomData);
pub(super) static HMAC_SHA384: HmacOf<Hmac<Sha384>> = HmacOf(48, PhantomData);

impl<M: Mac + KeyInit + Clone + Send + Sync + 'static> tls::Hmac for HmacOf<M> {
    fn with_key(&self, key: &[u8]) -> Box<dyn tls::Key> {
        // RFC 2104 takes a key of any length, so there is no error to report.
        let mac = <M as KeyInit>::new_from_slice(key).expect("HMAC takes a key of any length");
        Box::new(Keyed(mac, self.0))
    }

    fn hash_output_len(&self) -> usize {
        self.0
    }
}

struct Keyed<M>(M, usize);

impl<M: Mac + Clone + Send + Sync> tls::Key for Keyed<M> {
    fn sign_concat(&self, first: &[u8], middle: &[&[u8]], last: &[u8]) -> tls::Tag {
        let mut mac = self.0.clone();
        mac.update(first);
        middle.iter().for_each(|part| mac.update(part));
        mac.update(last);
        tls::Tag::new(&mac.finalize().into_bytes())
    }

    fn tag_len(&self) -> usize {
        self.1
    }
}
