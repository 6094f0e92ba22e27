//! The organs whose networks the links join. The signed policy says of which organ a site is, and the site's certificate has
//! to say the same (R31, R37).

use minicbor::{Decode, Encode};

/// One of them; its number is part of the policy's format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
#[cbor(index_only)]
pub enum Organ {
    /// The Party.
    #[n(0)]
    Party,
    /// The National Assembly and the people's councils.
    #[n(1)]
    NationalAssembly,
    /// The Fatherland Front.
    #[n(2)]
    Front,
    /// The people's courts.
    #[n(3)]
    Court,
    /// The people's procuracies.
    #[n(4)]
    Procuracy,
    /// The Government and the people's committees.
    #[n(5)]
    Government,
}

impl Organ {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Party, Self::NationalAssembly, Self::Front, Self::Court, Self::Procuracy, Self::Government];

    /// The word for it in policies.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Party => "party",
            Self::NationalAssembly => "national-assembly",
            Self::Front => "front",
            Self::Court => "court",
            Self::Procuracy => "procuracy",
            Self::Government => "government",
        }
    }

    /// Its name in certificates; which court or committee it is stands in another field.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Party => "Đảng Cộng sản Việt Nam",
            Self::NationalAssembly => "Quốc hội",
            Self::Front => "Mặt trận Tổ quốc Việt Nam",
            Self::Court => "Tòa án nhân dân",
            Self::Procuracy => "Viện kiểm sát nhân dân",
            Self::Government => "Chính phủ",
        }
    }

    /// The organ of exactly this word or name: nothing is guessed.
    pub fn named(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|organ| organ.word() == text || organ.title() == text)
    }
}

impl core::fmt::Display for Organ {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(self.word())
    }
}
