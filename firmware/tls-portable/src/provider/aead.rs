//! The two cipher suites: records sealed with AES-GCM (RFC 8446 §5.2).

use alloc::boxed::Box;
use core::marker::PhantomData;

use aes_gcm::aead::{AeadCore, AeadInOut, KeyInit, KeySizeUser, array::typenum::Unsigned, consts::U12, consts::U16};
use aes_gcm::{Aes128Gcm, Aes256Gcm, Nonce as GcmNonce, Tag};
use rustls::crypto::CipherSuiteCommon;
use rustls::crypto::cipher::{
    AeadKey, InboundOpaqueMessage, InboundPlainMessage, Iv, MessageDecrypter, MessageEncrypter, Nonce,
    OutboundOpaqueMessage, OutboundPlainMessage, PrefixedPayload, Tls13AeadAlgorithm, UnsupportedOperationError,
    make_tls13_aad,
};
use rustls::crypto::tls13::HkdfUsingHmac;
use rustls::{
    CipherSuite, ConnectionTrafficSecrets, ContentType, Error, ProtocolVersion, SupportedCipherSuite, Tls13CipherSuite,
};

use super::hash::{HMAC_SHA256, HMAC_SHA384, SHA256, SHA384};

const TAG: usize = 16;

/// Records under one key before it must change: 2^24.5, rounded down (RFC 8446 §5.5).
const CONFIDENTIALITY_LIMIT: u64 = 1 << 24;

/// TLS_AES_256_GCM_SHA384.
pub const AES_256_GCM_SHA384: SupportedCipherSuite = SupportedCipherSuite::Tls13(&Tls13CipherSuite {
    common: CipherSuiteCommon {
        suite: CipherSuite::TLS13_AES_256_GCM_SHA384,
        hash_provider: &SHA384,
        confidentiality_limit: CONFIDENTIALITY_LIMIT,
    },
    hkdf_provider: &HkdfUsingHmac(&HMAC_SHA384),
    aead_alg: &Gcm::<Aes256Gcm>(PhantomData),
    quic: None,
});

/// TLS_AES_128_GCM_SHA256.
pub const AES_128_GCM_SHA256: SupportedCipherSuite = SupportedCipherSuite::Tls13(&Tls13CipherSuite {
    common: CipherSuiteCommon {
        suite: CipherSuite::TLS13_AES_128_GCM_SHA256,
        hash_provider: &SHA256,
        confidentiality_limit: CONFIDENTIALITY_LIMIT,
    },
    hkdf_provider: &HkdfUsingHmac(&HMAC_SHA256),
    aead_alg: &Gcm::<Aes128Gcm>(PhantomData),
    quic: None,
});

struct Gcm<C>(PhantomData<fn() -> C>);

trait Cipher: AeadInOut + AeadCore<NonceSize = U12, TagSize = U16> + KeyInit + Send + Sync + 'static {}
impl<C: AeadInOut + AeadCore<NonceSize = U12, TagSize = U16> + KeyInit + Send + Sync + 'static> Cipher for C {}

impl<C: Cipher> Tls13AeadAlgorithm for Gcm<C> {
    fn encrypter(&self, key: AeadKey, iv: Iv) -> Box<dyn MessageEncrypter> {
        Box::new(Record { cipher: keyed::<C>(&key), iv })
    }

    fn decrypter(&self, key: AeadKey, iv: Iv) -> Box<dyn MessageDecrypter> {
        Box::new(Record { cipher: keyed::<C>(&key), iv })
    }

    fn key_len(&self) -> usize {
        <C as KeySizeUser>::KeySize::USIZE
    }

    // Traffic secrets are for a kernel that takes the records over; a board has none, so they stay inside.
    fn extract_keys(&self, _: AeadKey, _: Iv) -> Result<ConnectionTrafficSecrets, UnsupportedOperationError> {
        Err(UnsupportedOperationError)
    }
}

fn keyed<C: Cipher>(key: &AeadKey) -> C {
    C::new_from_slice(key.as_ref()).expect("rustls asks for a key of `key_len` bytes")
}

struct Record<C> {
    cipher: C,
    iv: Iv,
}

impl<C: Cipher> MessageEncrypter for Record<C> {
    fn encrypt(&mut self, msg: OutboundPlainMessage<'_>, seq: u64) -> Result<OutboundOpaqueMessage, Error> {
        let sealed_len = self.encrypted_payload_len(msg.payload.len());
        let mut payload = PrefixedPayload::with_capacity(sealed_len);
        payload.extend_from_chunks(&msg.payload);
        payload.extend_from_slice(&msg.typ.to_array());
        let nonce = GcmNonce::from(Nonce::new(&self.iv, seq).0);
        let tag = self
            .cipher
            .encrypt_inout_detached(&nonce, &make_tls13_aad(sealed_len), payload.as_mut().into())
            .map_err(|_| Error::EncryptError)?;
        payload.extend_from_slice(&tag);
        Ok(OutboundOpaqueMessage::new(ContentType::ApplicationData, ProtocolVersion::TLSv1_2, payload))
    }

    fn encrypted_payload_len(&self, payload_len: usize) -> usize {
        payload_len.saturating_add(1 + TAG)
    }
}

impl<C: Cipher> MessageDecrypter for Record<C> {
    fn decrypt<'a>(&mut self, mut msg: InboundOpaqueMessage<'a>, seq: u64) -> Result<InboundPlainMessage<'a>, Error> {
        let sealed_len = msg.payload.len();
        let plain_len = sealed_len.checked_sub(TAG).ok_or(Error::DecryptError)?;
        let nonce = GcmNonce::from(Nonce::new(&self.iv, seq).0);
        let (text, tag) = msg.payload.split_at_mut(plain_len);
        let tag = Tag::try_from(&*tag).map_err(|_| Error::DecryptError)?;
        self.cipher
            .decrypt_inout_detached(&nonce, &make_tls13_aad(sealed_len), text.into(), &tag)
            .map_err(|_| Error::DecryptError)?;
        msg.payload.truncate(plain_len);
        msg.into_tls13_unpadded_message()
    }
}
