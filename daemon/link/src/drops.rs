//! Every reason for which a packet is dropped, by name, and the counters of them.

macro_rules! reasons {
    ($($(#[doc = $doc:literal])* $variant:ident = $name:literal,)*) => {
        /// Why a packet went no further. The names are stable: metrics and operators know them.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        #[repr(u8)]
        pub enum DropReason { $($(#[doc = $doc])* $variant,)* }

        impl DropReason {
            /// All reasons, in counter order.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The stable name, as metrics show it.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }
        }

        const REASONS: usize = [$(DropReason::$variant,)*].len();
    };
}

reasons! {
    /// No established SA towards that peer (R26).
    NoSa = "no_sa",
    /// The outbound SA has reached a hard limit (R28, R12).
    HardLimit = "hard_limit",
    /// The SPI belongs to no inbound SA.
    UnknownSpi = "unknown_spi",
    /// The datagram is too short, misaligned or has the reserved SPI 0.
    MalformedEsp = "malformed_esp",
    /// Accepted once already (RFC 4303 §3.4.3).
    Replayed = "replayed",
    /// Before the first sequence number. (What is left of a later window fails authentication: only 32 bits travel.)
    TooOld = "too_old",
    /// The ICV does not match.
    AuthenticationFailed = "authentication_failed",
    /// Authentic, but the ESP trailer makes no sense: the peer is broken.
    MalformedTrailer = "malformed_trailer",
    /// A dummy packet for traffic-flow confidentiality (RFC 4303 §2.6): dropped as intended.
    Dummy = "dummy",
    /// The red packet is no IPv4 or IPv6 packet, or its lengths disagree.
    MalformedIp = "malformed_ip",
    /// The super-packet from the TUN device contradicts its own offload header.
    MalformedOffload = "malformed_offload",
    /// The output buffer does not hold the sealed packet.
    BufferTooSmall = "buffer_too_small",
    /// The packet's source is not one of the sender's prefixes (anti-spoofing).
    ForeignSource = "foreign_source",
    /// No site owns the destination, or none that this one may talk to (R26, R37).
    NoPolicy = "no_policy",
    /// The pair of sites may talk, but not with this protocol or port.
    FilteredProtocol = "filtered_protocol",
    /// Larger than the link carries and not to be fragmented; the sender was told by ICMP.
    TooBig = "too_big",
    /// The same, but the sender was not told: too many answers lately, or none may be given.
    TooBigUntold = "too_big_untold",
    /// An IPv6 packet of up to 1280 octets, which every link must carry (RFC 8200 §5), on a path too narrow for it.
    PathBelowIpv6 = "path_below_ipv6",
    /// The black path marked congestion on a packet whose transport knows no such mark (RFC 6040 §4.2).
    CongestionUnmarkable = "congestion_unmarkable",
    /// More was to be sent than the constant rate to that peer takes (R33).
    CoverFull = "cover_full",
    /// The cipher provider failed while sealing.
    CipherFailed = "cipher_failed",
    /// A packet to relay has no hop left (RFC 791, RFC 8200 §3).
    HopsExhausted = "hops_exhausted",
    /// More came in to be relayed than could be sent on.
    RelayFull = "relay_full",
    /// A packet came in clear, and no order in force lets it (R27).
    ClearNotOrdered = "clear_not_ordered",
}

/// One counter for each [`DropReason`]. Owned by one thread; add snapshots to sum over threads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counters([u64; REASONS]);

impl Default for Counters {
    fn default() -> Self {
        Self::new()
    }
}

impl Counters {
    /// All zero.
    pub const fn new() -> Self {
        Self([0; REASONS])
    }

    /// Counts one drop.
    pub fn count(&mut self, reason: DropReason) {
        if let Some(slot) = self.0.get_mut(reason as usize) {
            *slot = slot.saturating_add(1);
        }
    }

    /// How often `reason` was counted.
    pub fn of(&self, reason: DropReason) -> u64 {
        self.0.get(reason as usize).copied().unwrap_or(0)
    }

    /// Name and count of every reason.
    pub fn iter(&self) -> impl Iterator<Item = (DropReason, u64)> + '_ {
        DropReason::ALL.iter().copied().zip(self.0)
    }

    /// Adds another thread's counters.
    pub fn add(&mut self, other: &Self) {
        for (mine, theirs) in self.0.iter_mut().zip(other.0) {
            *mine = mine.saturating_add(theirs);
        }
    }
}
