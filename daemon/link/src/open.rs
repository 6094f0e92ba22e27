//! One inbound SA: window, authentication, trailer. Owned by one data-plane thread.

use crate::aead::{Aead, AeadError, TAG_LEN};
use crate::drops::DropReason;
use crate::esp::{self, NEXT_IPV4, NEXT_IPV6, NEXT_NONE, Prefix, Spi, Trailer};
use crate::handover::{OpenState, Unusable};
use crate::ip;
use crate::keys::{Epoch, SaKeys};
use crate::limits::Limits;
use crate::measure::Measure;
use crate::path::Message;
use crate::replay::Window;
use core::time::Duration;

/// What an authenticated datagram held.
#[derive(Debug, PartialEq, Eq)]
pub enum Inner<'b> {
    /// A red packet.
    Packet(&'b mut [u8]),
    /// A word about the path, from the peer's own link encryptor.
    Message(Message),
    /// A question about the quality of the link, or its answer.
    Measure(Measure),
    /// Nothing: cover traffic.
    Dummy,
}

/// An opened datagram.
#[derive(Debug, PartialEq, Eq)]
pub struct Opened<'b> {
    /// What it held.
    pub inner: Inner<'b>,
    /// It is the newest so far: neither reordered nor held back by anybody. Only such a packet may say where the peer is.
    pub advanced: bool,
}

struct Authentic<'b> {
    next_header: u8,
    payload: &'b mut [u8],
    advanced: bool,
}

/// An inbound SA.
pub struct Open<A> {
    aead: A,
    /// Kept for a successor of this process.
    keys: SaKeys,
    epoch: Epoch,
    window: Window,
    accepted: u64,
    forgeries: u64,
    born: Duration,
    limits: Limits,
}

impl<A: Aead> Open<A> {
    /// Expands the key; `keys` are zeroized with this value.
    pub fn new(now: Duration, epoch: Epoch, keys: SaKeys, limits: Limits) -> Result<Self, AeadError> {
        let aead = A::from_key(&keys.key)?;
        let window = Window::new();
        Ok(Self { aead, keys, epoch, window, accepted: 0, forgeries: 0, born: now, limits })
    }

    /// Ends here, to go on elsewhere.
    pub(crate) fn hand_over(self, drained_at: Option<Duration>) -> OpenState {
        OpenState {
            epoch: self.epoch.0,
            keys: self.keys,
            highest: self.window.highest(),
            window: self.window.octets().into(),
            accepted: self.accepted,
            forgeries: self.forgeries,
            born: self.born.into(),
            drained_at: drained_at.map(Into::into),
        }
    }

    /// Goes on with what a predecessor had: what it accepted is not accepted again (R28).
    pub(crate) fn take_over(state: OpenState, limits: Limits) -> Result<Self, Unusable> {
        let window = Window::from_octets(state.highest, &state.window).ok_or(Unusable)?;
        let open =
            Self::new(state.born.into(), Epoch(state.epoch), state.keys, limits).map_err(|AeadError| Unusable)?;
        Ok(Self { window, accepted: state.accepted, forgeries: state.forgeries, ..open })
    }

    /// The generation of its key.
    pub fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// How many packets the peer has sent by now, as far as its numbers show, and how many of them came.
    pub fn arrived(&self) -> (u64, u64) {
        (self.window.highest(), self.accepted)
    }

    /// The SPI that selects it.
    pub fn spi(&self) -> Spi {
        self.keys.spi
    }

    /// Packets that authenticated, dummies included.
    pub fn accepted(&self) -> u64 {
        self.accepted
    }

    /// Opens a datagram in place and returns the inner IP packet; what is not one counts as a dummy.
    pub fn open<'b>(&mut self, datagram: &'b mut [u8]) -> Result<&'b mut [u8], DropReason> {
        match self.receive(datagram)?.inner {
            Inner::Packet(packet) => Ok(packet),
            Inner::Message(_) | Inner::Measure(_) | Inner::Dummy => Err(DropReason::Dummy),
        }
    }

    /// Opens a datagram in place.
    ///
    /// Order as in RFC 4303 §3.4: replay check, authentication, window, trailer. An inner packet begins at
    /// [`esp::PREFIX_LEN`] of `datagram` and is a well-formed IPv4 or IPv6 packet cut to its own length; whether its
    /// addresses are permitted is for [`crate::Spd::permits_inbound`] to say.
    pub fn receive<'b>(&mut self, datagram: &'b mut [u8]) -> Result<Opened<'b>, DropReason> {
        let Authentic { next_header, payload, advanced } = self.authenticate(datagram)?;
        let version = match next_header {
            NEXT_IPV4 => 4,
            NEXT_IPV6 => 6,
            NEXT_NONE => {
                let measure = || Measure::parse(payload).map(Inner::Measure);
                let inner = Message::parse(payload).map(Inner::Message).or_else(measure).unwrap_or(Inner::Dummy);
                return Ok(Opened { inner, advanced });
            }
            _ => return Err(DropReason::MalformedTrailer),
        };
        let len = ip::packet_len(payload, version).ok_or(DropReason::MalformedIp)?;
        let packet = payload.get_mut(..len).ok_or(DropReason::MalformedIp)?;
        Ok(Opened { inner: Inner::Packet(packet), advanced })
    }

    fn authenticate<'b>(&mut self, datagram: &'b mut [u8]) -> Result<Authentic<'b>, DropReason> {
        let (prefix, sealed) = Prefix::split(datagram)?;
        if prefix.spi != self.keys.spi {
            return Err(DropReason::UnknownSpi);
        }
        let candidate = self.window.examine(prefix.sequence_low)?;
        let aad = esp::associated_data(self.keys.spi, candidate.sequence());
        let nonce = esp::nonce(self.keys.salt, prefix.iv);
        self.aead.open_in_place(&nonce, &aad, sealed).map_err(|AeadError| self.count_forgery())?;
        let advanced = self.window.accept(candidate);
        self.accepted = self.accepted.saturating_add(1);
        let (decrypted, _) = sealed.split_last_chunk_mut::<TAG_LEN>().ok_or(DropReason::MalformedEsp)?;
        let trailer = Trailer::parse(decrypted)?;
        let payload = decrypted.get_mut(..trailer.inner_len).ok_or(DropReason::MalformedTrailer)?;
        Ok(Authentic { next_header: trailer.next_header, payload, advanced })
    }

    fn count_forgery(&mut self) -> DropReason {
        self.forgeries = self.forgeries.saturating_add(1);
        DropReason::AuthenticationFailed
    }

    /// Whether it may open nothing any more: too old, or too many forgeries (RFC 9001 §6.6).
    pub fn is_spent(&self, now: Duration) -> bool {
        self.forgeries >= self.limits.forgeries || now >= self.hard_deadline()
    }

    /// When age alone ends it.
    pub fn hard_deadline(&self) -> Duration {
        self.born.saturating_add(self.limits.hard_age)
    }
}
