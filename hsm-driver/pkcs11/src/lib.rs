//! libcoloa_pkcs11.so: PKCS#11 2.40, 3.0 and 3.2 for Cổ Loa's tokens.
//!
//! [`abi`] is boundary B2: it takes pointers from a C program that may be wrong about everything, copies in, and copies out.
//! Behind it there is only safe code: [`module`] is what one `C_Initialize` made, [`slot`] one token of it, [`session`] and
//! [`operation`] PKCS#11's state; every use of a key is a command to an engine through `coloa-client`. Hashing happens
//! here, because what is public is computed at the caller; a key never is here.
//!
//! What an application may rely on:
//! - **Mechanisms:** what a slot lists it does, and nothing else; a strict partition lists less. Hashes (SHA-2, SHA-3) are
//!   computed here, signatures, MACs, ciphers, key generation, wrapping, derivation and encapsulation in the engine.
//!   `C_SignRecover*`, `C_VerifyRecover*`, and operation states answer `CKR_FUNCTION_NOT_SUPPORTED`.
//! - **AES-GCM and AES-CCM in a strict partition:** the engine makes the IV. Give 12 zero bytes, or in a message
//!   `CKG_GENERATE` or `CKG_GENERATE_RANDOM`; they hold the IV when the ciphertext is delivered, so the buffer must live until
//!   then. A compatible partition uses the IV as given. `CKG_GENERATE_COUNTER*` and fixed bits are refused: the engine makes
//!   whole random IVs.
//! - **Parts** of any size. ECB, CBC and CTR go to the engine in whole blocks as they come, without a limit. What must be
//!   whole (GCM, CCM, XTS, EdDSA, ML-DSA, MACs) is gathered here, up to what one frame of the engine takes (1 MiB; 8 KiB on a
//!   board); beyond it the answer is `CKR_DATA_LEN_RANGE`. What is hashed here has no limit. A key whose
//!   `CKA_ALLOWED_MECHANISMS` has CBC-PAD without CBC gathers too.
//! - **Lengths** are exact, but for plaintexts whose padding only the engine sees (CBC-PAD, RSA): there a question is answered
//!   with the most it can be, and a buffer that fits is filled. A question for the length of a wrapped key wraps it.
//! - **Messages** of GCM and CCM give what comes of them with their last part.
//! - **Keys with `CKA_ALWAYS_AUTHENTICATE`:** after the init of each signature or decryption, `C_Login` with
//!   `CKU_CONTEXT_SPECIFIC`; in messages before the end of each. Functions without an init (unwrap, derive, decapsulate)
//!   answer `CKR_USER_NOT_LOGGED_IN` for such a key.
//! - **Asynchronous sessions** (`CKF_ASYNC_SESSION`), on an appliance: what ends a signature, a verification, an encryption
//!   or a decryption, and what makes objects, answers `CKR_PENDING` and `C_AsyncComplete` delivers; `C_WrapKey`, messages,
//!   parts before the last and all else are done at once. One call a session is under way, so one thread overlaps as many
//!   as it has sessions. A decryption needs as much room as the question for its length says. An engine without a wire to overlap on refuses the flag (`CKR_SESSION_ASYNC_NOT_SUPPORTED`).
//!   A call does not outlive its session: `C_AsyncGetID` answers `CKR_STATE_UNSAVEABLE`, `C_AsyncJoin`
//!   `CKR_SAVED_STATE_INVALID`.
//! - **Of two threads** that begin the same operation in one session, one gets `CKR_OPERATION_ACTIVE`.
//! - **A restarted appliance** is reconnected to. Sessions and handles of token objects stay good, and the login is restored by
//!   a ticket that the appliance gave for it: good for a day and renewed in use, for this client certificate only, until the
//!   PIN is changed or locked. Without one calls answer `CKR_USER_NOT_LOGGED_IN` until `C_Login`. Session objects are gone
//!   (`CKR_OBJECT_HANDLE_INVALID`, `CKR_KEY_HANDLE_INVALID`), and what was under way in an asynchronous session is
//!   `CKR_DEVICE_ERROR`. Without a connection calls answer `CKR_DEVICE_ERROR`.
//! - **`C_WaitForSlotEvent`** asks all places each second with its caller's thread; with `CKF_DONT_BLOCK` it tells what somebody
//!   has seen, for instance `C_GetSlotList`.
//! - **A forked child** begins with `C_Initialize`; until then it gets `CKR_CRYPTOKI_NOT_INITIALIZED`.
//! - **The library stays mapped** after dlclose, because of its thread-exit destructors.
//!
//! Invariants: no panic crosses the ABI; no thread is started; the child of a fork touches nothing of its parent's; only the
//! `C_*` symbols are exported.
#![deny(unsafe_code)]

#[allow(unsafe_code, reason = "the C ABI; each block says what discharges it")]
pub mod abi;

mod attribute;
mod handle;
mod hash;
mod identity;
mod key;
mod log;
mod login;
mod mechanism;
mod module;
mod object;
mod operation;
mod rv;
mod session;
mod slot;
mod target;
mod ticket;
