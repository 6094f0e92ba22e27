//! Commands: one type a request, tied to the type of its reply, with a number that never changes.

mod audit;
mod backup;
mod crypto;
mod device;
mod key;
mod life;
mod object;
mod partition;
mod quorum;
mod token;

pub use audit::*;
pub use backup::*;
pub use crypto::*;
pub use device::*;
pub use key::*;
pub use life::*;
pub use object::*;
pub use partition::*;
pub use quorum::*;
pub use token::*;

use crate::ErrorCode;
use alloc::vec::Vec;
use minicbor::{Decode, Encode};
use zeroize::{Zeroize, ZeroizeOnDrop};

/// A request, with the number and the reply that belong to it.
pub trait Command: Encode<()> + for<'b> Decode<'b, ()> {
    /// Its number in a call frame.
    const CODE: CommandCode;
    /// What the engine answers.
    type Reply: Encode<()> + for<'b> Decode<'b, ()>;
}

/// The reply of commands that only succeed or fail.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Encode, Decode)]
#[cbor(map)]
pub struct Done {}

macro_rules! commands {
    ($($(#[$doc:meta])* $number:literal $name:ident -> $reply:ty, $changes:literal;)*) => {
        /// The number of a command.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        #[repr(u16)]
        pub enum CommandCode {
            $($(#[$doc])* $name = $number,)*
        }

        impl CommandCode {
            /// Every command, in the order of its number.
            pub const ALL: &[CommandCode] = &[$(CommandCode::$name),*];

            /// The command's name, for logs and the audit record.
            pub fn name(self) -> &'static str {
                match self { $(CommandCode::$name => stringify!($name),)* }
            }

            /// Whether it changes durable state, so that a retry id makes repeating it safe.
            pub fn changes_state(self) -> bool {
                match self { $(CommandCode::$name => $changes,)* }
            }
        }

        impl TryFrom<u16> for CommandCode {
            type Error = ErrorCode;
            fn try_from(code: u16) -> Result<Self, ErrorCode> {
                match code { $($number => Ok(CommandCode::$name),)* _ => Err(ErrorCode::CommandUnknown) }
            }
        }

        $(impl Command for $name {
            const CODE: CommandCode = CommandCode::$name;
            type Reply = $reply;
        })*
    };
}

commands! {
    /// What the engine is and how it does.
    0x0101 DeviceInfo -> DeviceInfoReply, false;
    /// Makes a manufactured device operational.
    0x0102 DeviceInitialize -> Done, true;
    /// Makes a partition.
    0x0103 PartitionCreate -> PartitionCreateReply, true;
    /// Destroys a partition with every key in it.
    0x0104 PartitionDestroy -> Done, true;
    /// Lets a client certificate see a partition (R22).
    0x0105 ClientBind -> Done, true;
    /// Takes that right back; live channels lose it too.
    0x0106 ClientUnbind -> Done, true;
    /// Reads the audit log.
    0x0107 AuditRead -> AuditReadReply, false;
    /// Several commands in one frame.
    0x0108 Batch -> BatchReply, false;
    /// The mechanisms the engine has.
    0x0109 MechanismList -> MechanismListReply, false;
    /// Destroys every secret of the device (R14). Nothing is left that could remember an answer for a retry.
    0x010a DeviceZeroize -> DeviceZeroizeReply, false;
    /// Who the custodians are.
    0x0110 CustodiansRead -> CustodiansReadReply, false;
    /// Names them anew.
    0x0111 CustodiansSet -> Done, true;
    /// Proposes an act that needs a quorum (R2).
    0x0112 QuorumPropose -> QuorumProposeReply, true;
    /// The proposals there are.
    0x0113 QuorumList -> QuorumListReply, false;
    /// A custodian's voice.
    0x0114 QuorumVote -> QuorumVoteReply, true;
    /// Executes a proposal that a quorum approves.
    0x0115 QuorumExecute -> QuorumExecuteReply, true;
    /// Takes a proposal back.
    0x0116 QuorumWithdraw -> Done, true;
    /// Marks a wrapping key as trusted, by a quorum.
    0x0117 KeyTrust -> Done, true;

    /// Draws the master backup key.
    0x0120 BackupKeyCreate -> BackupKeyInfoReply, true;
    /// Hands out one share of it, once.
    0x0121 BackupShareTake -> Done, true;
    /// What may be known of it.
    0x0122 BackupKeyInfo -> BackupKeyInfoReply, false;
    /// Begins an archive.
    0x0123 BackupExportBegin -> Done, false;
    /// The catalogue of the archive it builds on.
    0x0124 BackupExportBase -> Done, false;
    /// Its next chunk.
    0x0125 BackupExportPage -> BackupExportPageReply, false;
    /// Begins to restore.
    0x0126 BackupRestoreBegin -> BackupRestoreBeginReply, true;
    /// Gives a share of the key.
    0x0127 BackupShareGive -> BackupShareGiveReply, true;
    /// Gives a chunk of the archive.
    0x0128 BackupRestorePage -> BackupRestorePageReply, true;
    /// Makes what was restored visible.
    0x0129 BackupRestoreFinish -> BackupRestoreFinishReply, true;
    /// Gives it up.
    0x012a BackupRestoreAbort -> Done, true;

    /// The keys of a partition, for the inventory.
    0x0130 KeyList -> KeyListReply, false;
    /// Puts a key into another state (R11).
    0x0131 KeyStateSet -> KeyStateSetReply, true;
    /// Says what a key is for and whose.
    0x0132 KeyDescribe -> Done, true;
    /// Destroys a key, with a record of it.
    0x0133 KeyDestroy -> KeyDestroyReply, true;
    /// Replaces a key by a new one.
    0x0134 KeyRotate -> KeyRotateReply, true;

    /// The certificates of the device's signing keys.
    0x0140 DeviceCertificates -> DeviceCertificatesReply, false;
    /// The present end of the audit log, signed.
    0x0141 AuditCheckpoint -> SignedCheckpoint, false;
    /// What the device knows of a key, signed.
    0x0142 KeyAttest -> KeyAttestReply, false;
    /// Names an auditor (R1).
    0x0143 AuditorAdd -> Done, true;
    /// Takes an auditor's right back.
    0x0144 AuditorRemove -> Done, true;
    /// The auditors there are.
    0x0145 AuditorList -> AuditorListReply, false;

    /// Puts a digest into the audit log, so that signed checkpoints cover what has it.
    0x0150 AuditNote -> Done, true;
    /// Sets what a partition may take and do.
    0x0160 PartitionSet -> Done, true;
    /// Suspends a partition, or lets it go on.
    0x0161 PartitionSuspend -> Done, true;
    /// What partitions have used.
    0x0162 PartitionUsage -> PartitionUsageReply, false;
    /// Lets a device that was tampered with be used again, by a quorum (R15).
    0x0170 TamperReturn -> Done, true;

    /// The tokens this channel may see.
    0x0201 TokenList -> TokenListReply, false;
    /// `C_InitToken`.
    0x0202 TokenInitialize -> Done, true;
    /// `C_InitPIN`.
    0x0203 UserPinInitialize -> Done, true;
    /// `C_SetPIN`.
    0x0204 PinChange -> Done, true;
    /// Opens the session of one `C_Initialize` on one partition.
    0x0205 SessionOpen -> SessionOpenReply, false;
    /// Closes it: logs out and destroys its session objects.
    0x0206 SessionClose -> Done, false;
    /// `C_Login`.
    0x0207 Login -> Done, true;
    /// `C_Logout`.
    0x0208 Logout -> Done, false;
    /// `C_Login` as `CKU_CONTEXT_SPECIFIC`.
    0x0209 ContextLogin -> ContextLoginReply, true;
    /// A ticket for [`TicketLogin`].
    0x020a TicketIssue -> TicketIssueReply, false;
    /// The login of a session that was lost, without the PIN.
    0x020b TicketLogin -> Done, true;

    /// `C_CreateObject`.
    0x0301 ObjectCreate -> ObjectReply, true;
    /// `C_CopyObject`.
    0x0302 ObjectCopy -> ObjectReply, true;
    /// `C_DestroyObject`.
    0x0303 ObjectDestroy -> Done, true;
    /// `C_GetAttributeValue`.
    0x0304 AttributesRead -> AttributesReadReply, false;
    /// `C_SetAttributeValue`.
    0x0305 AttributesWrite -> Done, true;
    /// `C_FindObjects`, a page at a time.
    0x0306 ObjectFind -> ObjectFindReply, false;
    /// `C_GenerateKey`.
    0x0307 KeyGenerate -> ObjectReply, true;
    /// `C_GenerateKeyPair`.
    0x0308 KeyPairGenerate -> KeyPairReply, true;
    /// `C_WrapKey`.
    0x0309 KeyWrap -> KeyWrapReply, false;
    /// `C_UnwrapKey`.
    0x030a KeyUnwrap -> ObjectReply, true;
    /// `C_DeriveKey`.
    0x030b KeyDerive -> ObjectReply, true;
    /// `C_EncapsulateKey`.
    0x030c KeyEncapsulate -> KeyEncapsulateReply, true;
    /// `C_DecapsulateKey`.
    0x030d KeyDecapsulate -> ObjectReply, true;

    /// Signature or MAC over the bulk.
    0x0401 Sign -> Done, false;
    /// Checks a signature or MAC.
    0x0402 Verify -> Done, false;
    /// Encrypts the bulk.
    0x0403 Encrypt -> EncryptReply, false;
    /// Decrypts the bulk.
    0x0404 Decrypt -> Done, false;
    /// Random bytes, as the reply's bulk.
    0x0405 Random -> Done, false;
}

/// Encodes a request's or a reply's head.
pub fn encode_head<T: Encode<()>>(head: &T, out: &mut Vec<u8>) {
    // Writing to a `Vec` cannot fail.
    let _ = minicbor::encode(head, out);
}

/// Decodes a head; nothing may follow it.
///
/// # Errors
/// [`ErrorCode::CommandMalformed`].
pub fn decode_head<T: for<'b> Decode<'b, ()>>(head: &[u8]) -> Result<T, ErrorCode> {
    let mut decoder = minicbor::Decoder::new(head);
    let value = decoder.decode().map_err(|_| ErrorCode::CommandMalformed)?;
    if decoder.position() == head.len() { Ok(value) } else { Err(ErrorCode::CommandMalformed) }
}

/// A PIN: wiped on drop, never printed.
#[derive(Clone, Zeroize, ZeroizeOnDrop, Encode, Decode)]
#[cbor(transparent)]
pub struct Pin(#[cbor(n(0), with = "minicbor::bytes")] pub Vec<u8>);

impl From<&[u8]> for Pin {
    fn from(pin: &[u8]) -> Self {
        Pin(pin.to_vec())
    }
}
