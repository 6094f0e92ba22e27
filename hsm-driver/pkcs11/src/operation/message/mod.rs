//! Message-based operations (§5.9.5 to §5.16): one init, then any number of messages, each at once or in parts.
//!
//! A message that fails ends; the operation goes on until its final call.

mod cipher;
mod sign;

pub(crate) use cipher::MessageCipher;
pub(crate) use sign::MessageSigning;

use crate::mechanism::Message;
use crate::rv::{Outcome, Rv};
use cryptoki_sys::*;

/// Signatures and MACs take their parameters with the mechanism.
fn without_parameters(given: &Option<Message>) -> Outcome {
    if given.is_none() { Ok(()) } else { Err(Rv(CKR_MECHANISM_PARAM_INVALID)) }
}
