//! The C ABI: every exported function, each behind one guard.
//!
//! `entry!` declares an exported function with PKCS#11's types, turns each pointer into a [`memory::Ptr`], and runs its
//! body under [`guard`], so that a panic becomes `CKR_GENERAL_ERROR` and never reaches the application.

#[macro_use]
mod entry;
mod asynchronous;
mod crypto;
mod general;
mod given;
mod key;
mod list;
pub(crate) mod memory;
mod message;
mod object;
mod process;
mod session;
mod slot;
mod unsupported;

use crate::rv::Outcome;
use cryptoki_sys::*;
use memory::Ptr;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Runs an entry point's body.
fn guard(name: &str, body: impl FnOnce() -> Outcome) -> CK_RV {
    match catch_unwind(AssertUnwindSafe(body)) {
        Ok(Ok(())) => CKR_OK,
        Ok(Err(rv)) => {
            tracing::debug!(function = name, rv = format_args!("{:#x}", rv.0), "refused");
            rv.0
        }
        Err(panic) => {
            // Dropping what was thrown could throw again.
            std::mem::forget(panic);
            CKR_GENERAL_ERROR
        }
    }
}

/// How an argument of an entry point is taken in.
trait Vouch {
    type Vouched;
    /// # Safety
    /// The argument comes from the caller of an entry point, who vouches for it.
    unsafe fn vouch(self) -> Self::Vouched;
}

impl<T> Vouch for *mut T {
    type Vouched = Ptr<T>;
    // SAFETY: as the trait says; the pointer is not looked at here.
    unsafe fn vouch(self) -> Ptr<T> {
        // SAFETY: handed on.
        unsafe { Ptr::vouched(self) }
    }
}

macro_rules! by_value {
    ($($kind:ty),*) => {$(
        impl Vouch for $kind {
            type Vouched = $kind;
            // SAFETY: a value needs nobody to vouch for it.
            unsafe fn vouch(self) -> $kind {
                self
            }
        }
    )*};
}
by_value!(CK_ULONG, CK_BBOOL, CK_NOTIFY);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rv::Rv;

    #[test]
    #[cfg_attr(miri, ignore = "what was thrown is left where it is")]
    fn a_panic_becomes_a_general_error() {
        std::panic::set_hook(Box::new(|_| {}));
        assert_eq!(guard("C_Test", || panic!("on purpose")), CKR_GENERAL_ERROR);
        assert_eq!(guard("C_Test", || Err(Rv(CKR_PIN_LOCKED))), CKR_PIN_LOCKED);
        assert_eq!(guard("C_Test", || Ok(())), CKR_OK);
    }
}
