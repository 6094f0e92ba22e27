//! Which commands keep others waiting.

use coloa_wire::CommandCode;
use coloa_wire::frame::FrameKind;

/// How long a frame's answer takes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Pace {
    /// Microseconds: answered where it was read.
    Quick,
    /// Waits for the disk: worth a worker when others wait behind it.
    Commits,
    /// Tens of milliseconds: always a worker's.
    Slow,
}

impl Pace {
    /// Of a whole frame; what cannot be parsed is refused quickly.
    pub(crate) fn of(frame: &[u8]) -> Pace {
        use CommandCode as C;
        let code = frame.get(6..8).and_then(|c| c.try_into().ok()).map(u16::from_be_bytes);
        let is_call = frame.get(4) == Some(&(FrameKind::Call as u8));
        let Some(code) = code.filter(|_| is_call).and_then(|c| C::try_from(c).ok()) else { return Pace::Quick };
        match code {
            C::Login | C::ContextLogin | C::PinChange | C::UserPinInitialize | C::TokenInitialize | C::AuditRead => {
                Pace::Slow
            }
            C::Batch => Pace::Commits,
            other if other.changes_state() => Pace::Commits,
            _ => Pace::Quick,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use coloa_wire::Frame;

    #[test]
    fn pins_are_slow_keys_wait_for_the_disk_signatures_are_quick() {
        let pace = |kind, code: CommandCode| {
            let mut frame = Vec::new();
            Frame::status(kind, code as u16, 1).encode(&mut frame);
            Pace::of(&frame)
        };
        assert_eq!(pace(FrameKind::Call, CommandCode::Login), Pace::Slow);
        assert_eq!(pace(FrameKind::Call, CommandCode::KeyPairGenerate), Pace::Commits);
        assert_eq!(pace(FrameKind::Call, CommandCode::Sign), Pace::Quick);
        assert_eq!(pace(FrameKind::Hello, CommandCode::Login), Pace::Quick);
        assert_eq!(Pace::of(&[0; 3]), Pace::Quick);
    }
}
