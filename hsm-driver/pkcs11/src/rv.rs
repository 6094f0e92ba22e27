//! Results: the one table from the engine's error numbers to `CKR_*`.

use coloa_client::CallError;
use coloa_wire::ErrorCode;
use cryptoki_sys::*;

/// A `CK_RV` that is not `CKR_OK`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Rv(pub(crate) CK_RV);

/// What an entry point comes to.
pub(crate) type Outcome<T = ()> = Result<T, Rv>;

impl Rv {
    /// The same error where the object was given as a key (`C_SignInit` and its like).
    pub(crate) fn of_key(self) -> Self {
        if self.0 == CKR_OBJECT_HANDLE_INVALID { Rv(CKR_KEY_HANDLE_INVALID) } else { self }
    }

    /// The same error where the object was given as a key that wraps.
    pub(crate) fn of_wrapping(self) -> Self {
        if self.of_key().0 == CKR_KEY_HANDLE_INVALID { Rv(CKR_WRAPPING_KEY_HANDLE_INVALID) } else { self }
    }

    /// The same error where a key unwraps others.
    pub(crate) fn of_unwrapping(self) -> Self {
        Rv(match self.0 {
            CKR_OBJECT_HANDLE_INVALID | CKR_KEY_HANDLE_INVALID => CKR_UNWRAPPING_KEY_HANDLE_INVALID,
            CKR_DATA_LEN_RANGE => CKR_WRAPPED_KEY_LEN_RANGE,
            CKR_ENCRYPTED_DATA_INVALID => CKR_WRAPPED_KEY_INVALID,
            other => other,
        })
    }

    /// The same error where the data was ciphertext.
    pub(crate) fn of_ciphertext(self) -> Self {
        if self.0 == CKR_DATA_LEN_RANGE { Rv(CKR_ENCRYPTED_DATA_LEN_RANGE) } else { self }
    }

    /// The same error where a key was to open ciphertext.
    pub(crate) fn of_decrypting(self) -> Self {
        self.of_key().of_ciphertext()
    }
}

impl From<ErrorCode> for Rv {
    fn from(code: ErrorCode) -> Self {
        use ErrorCode as E;
        Rv(match code {
            E::FrameTooLong | E::FrameTruncated | E::FrameMalformed | E::RequestRepeated | E::HelloExpected => {
                CKR_DEVICE_ERROR
            }
            E::VersionUnsupported => CKR_DEVICE_ERROR,
            E::CommandUnknown => CKR_FUNCTION_NOT_SUPPORTED,
            E::CommandMalformed | E::BatchNested | E::RetryIdReused => CKR_FUNCTION_FAILED,
            E::DataTooLong | E::DataLength => CKR_DATA_LEN_RANGE,
            E::ChannelForbidden | E::PartitionSuspended | E::SettingsInvalid => CKR_FUNCTION_REJECTED,
            E::PartitionUnknown => CKR_TOKEN_NOT_PRESENT,
            E::SessionUnknown => CKR_SESSION_HANDLE_INVALID,
            E::SessionLimit | E::SessionQuotaReached => CKR_SESSION_COUNT,
            E::SessionsOpen => CKR_SESSION_EXISTS,
            E::PinIncorrect => CKR_PIN_INCORRECT,
            E::PinLocked => CKR_PIN_LOCKED,
            // “The PIN may or may not remain locked indefinitely” (PKCS#11 §5.1.6).
            E::PinDelayed => CKR_PIN_LOCKED,
            E::PinLength => CKR_PIN_LEN_RANGE,
            E::PinTooSimple => CKR_PIN_INVALID,
            E::NotLoggedIn => CKR_USER_NOT_LOGGED_IN,
            E::AlreadyLoggedIn => CKR_USER_ALREADY_LOGGED_IN,
            E::OtherRoleLoggedIn => CKR_USER_ANOTHER_ALREADY_LOGGED_IN,
            E::UserPinNotSet => CKR_USER_PIN_NOT_INITIALIZED,
            E::TokenNotInitialized => CKR_TOKEN_NOT_RECOGNIZED,
            E::ObjectUnknown => CKR_OBJECT_HANDLE_INVALID,
            E::AttributeReadOnly => CKR_ATTRIBUTE_READ_ONLY,
            E::AttributeSensitive => CKR_ATTRIBUTE_SENSITIVE,
            E::AttributeTypeInvalid => CKR_ATTRIBUTE_TYPE_INVALID,
            E::AttributeValueInvalid => CKR_ATTRIBUTE_VALUE_INVALID,
            E::TemplateIncomplete => CKR_TEMPLATE_INCOMPLETE,
            E::TemplateInconsistent => CKR_TEMPLATE_INCONSISTENT,
            E::ObjectLimit | E::QuotaReached | E::StoreFull | E::LimitReached => CKR_DEVICE_MEMORY,
            E::ActionProhibited => CKR_ACTION_PROHIBITED,
            E::MechanismUnsupported => CKR_MECHANISM_INVALID,
            E::MechanismParameter => CKR_MECHANISM_PARAM_INVALID,
            E::KeyTypeInconsistent => CKR_KEY_TYPE_INCONSISTENT,
            E::KeyUseForbidden => CKR_KEY_FUNCTION_NOT_PERMITTED,
            E::SignatureInvalid => CKR_SIGNATURE_INVALID,
            E::SignatureLength => CKR_SIGNATURE_LEN_RANGE,
            E::DecryptionFailed => CKR_ENCRYPTED_DATA_INVALID,
            E::CurveUnsupported => CKR_CURVE_NOT_SUPPORTED,
            E::KeySize => CKR_KEY_SIZE_RANGE,
            E::KeyLimitReached => CKR_KEY_EXHAUSTED,
            E::KeyUnextractable => CKR_KEY_UNEXTRACTABLE,
            E::WrappedKeyInvalid => CKR_WRAPPED_KEY_INVALID,
            E::WrappedKeyLength => CKR_WRAPPED_KEY_LEN_RANGE,
            E::PublicKeyInvalid => CKR_PUBLIC_KEY_INVALID,
            E::MechanismForbidden | E::ServiceNotApproved => CKR_MECHANISM_INVALID,
            E::KeyNotWrappable => CKR_KEY_NOT_WRAPPABLE,
            // C_WrapKey says so (PKCS#11 §5.18.3).
            E::KeyOutsideTemplate => CKR_KEY_HANDLE_INVALID,
            E::WrappingKeyType => CKR_WRAPPING_KEY_TYPE_INCONSISTENT,
            E::UnwrappingKeyType => CKR_UNWRAPPING_KEY_TYPE_INCONSISTENT,
            E::StoreFailed | E::StoreCorrupt | E::StoreRolledBack => CKR_DEVICE_ERROR,
            E::OutcomeUnknown | E::Conflict => CKR_FUNCTION_FAILED,
            E::ErrorState | E::EntropyFailed | E::Stopping | E::Internal => CKR_DEVICE_ERROR,
            E::DeviceNotInitialized => CKR_TOKEN_NOT_RECOGNIZED,
            E::DeviceTampered => CKR_DEVICE_ERROR,
            E::DeviceNotTampered => CKR_FUNCTION_REJECTED,
            E::DeviceInitialized | E::BodyUnsupported | E::SerialMismatch => CKR_FUNCTION_REJECTED,
            E::QuorumNeeded | E::QuorumNotReached | E::NoQuorumAct | E::CustodiansInvalid => CKR_FUNCTION_REJECTED,
            E::ProposalUnknown | E::ProposalExpired | E::CustodianUnknown => CKR_FUNCTION_REJECTED,
            E::CustodianSignature | E::CustodianVoted => CKR_FUNCTION_REJECTED,
            // No function of PKCS#11 asks for what these answer.
            E::BackupKeyMissing | E::BackupKeyPresent | E::BackupShareTaken | E::BackupParameter => CKR_FUNCTION_FAILED,
            E::DeviceNotEmpty | E::RestoreNeedsQuorum | E::ArchiveInvalid | E::ArchiveForeign => CKR_FUNCTION_FAILED,
            E::RestoreNotBegun | E::ExportNotBegun => CKR_FUNCTION_FAILED,
            E::KeySuspended | E::KeyPreActive | E::KeyDeactivated | E::KeyCompromised => CKR_KEY_FUNCTION_NOT_PERMITTED,
            E::KeyTransitionIllegal | E::KeyNotRotatable | E::MetadataLoosened => CKR_ACTION_PROHIBITED,
            // Only the log says so.
            E::KeyCompromisedUsed => CKR_FUNCTION_FAILED,
        })
    }
}

impl From<CallError> for Rv {
    fn from(error: CallError) -> Self {
        tracing::warn!(reason = %error, "call failed");
        match error {
            CallError::Engine(code) => code.into(),
            CallError::EngineNewer(_) => Rv(CKR_FUNCTION_FAILED),
            CallError::Unreachable(..) | CallError::Untrusted(..) | CallError::Refused(..) => Rv(CKR_DEVICE_ERROR),
            CallError::Lost(..) | CallError::Deadline(_) | CallError::Protocol(..) => Rv(CKR_DEVICE_ERROR),
            CallError::Embedded(..) | CallError::File(..) => Rv(CKR_DEVICE_ERROR),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_error_of_the_engine_is_success() {
        for code in ErrorCode::ALL {
            assert_ne!(Rv::from(*code).0, CKR_OK, "{}", code.name());
        }
    }

    #[test]
    fn context_changes_the_handle_error_only() {
        assert_eq!(Rv::from(ErrorCode::ObjectUnknown).of_key(), Rv(CKR_KEY_HANDLE_INVALID));
        assert_eq!(Rv(CKR_PIN_INCORRECT).of_key(), Rv(CKR_PIN_INCORRECT));
        assert_eq!(Rv::from(ErrorCode::DataLength).of_ciphertext(), Rv(CKR_ENCRYPTED_DATA_LEN_RANGE));
    }
}
