//! The macros that declare exported functions.

/// Declares an exported function whose body runs under the guard.
macro_rules! entry {
    ($($name:ident($($arg:ident: $kind:ty),* $(,)?) $body:block)*) => {$(
        #[doc = concat!("`", stringify!($name), "`.")]
        ///
        /// # Safety
        /// Pointers are NULL or as PKCS#11 wants them.
        #[unsafe(no_mangle)]
        #[allow(non_snake_case, reason = "PKCS#11 names")]
        pub unsafe extern "C" fn $name($($arg: $kind),*) -> cryptoki_sys::CK_RV {
            $(
                // SAFETY: an argument of an entry point; its caller vouches for it.
                let $arg = unsafe { $crate::abi::Vouch::vouch($arg) };
            )*
            $crate::abi::guard(stringify!($name), || $body)
        }
    )*};
}

/// Declares exported functions that this module does not have.
macro_rules! unsupported {
    ($answer:ident: $($name:ident($($kind:ty),* $(,)?);)*) => {$(
        #[doc = concat!("`", stringify!($name), "`: answers `", stringify!($answer), "`.")]
        ///
        /// # Safety
        /// No argument is looked at.
        #[unsafe(no_mangle)]
        #[allow(non_snake_case, reason = "PKCS#11 names")]
        pub unsafe extern "C" fn $name($(_: $kind),*) -> cryptoki_sys::CK_RV {
            cryptoki_sys::$answer
        }
    )*};
}
