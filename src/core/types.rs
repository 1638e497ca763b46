//! The vocabulary every room shares: small newtypes that make a wrong argument a compile error.
//!
//! Nothing here has behaviour beyond arithmetic and packing. Everybody imports it; it imports nobody.

use core::fmt;

/// A simulation step of the session, counted by the host from 1. Zero means "before the first tick".
///
/// 32 bits last 1.5 years at 90 Hz, longer than a session lives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tick(pub u32);

impl Tick {
    /// Before the first tick: "no baseline", "nothing confirmed".
    pub const ZERO: Self = Self(0);

    /// The tick that follows; the last one has none and stays, also where a lying host names it.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }

    /// How many ticks `earlier` lies before `self`; zero when it does not.
    #[must_use]
    pub const fn since(self, earlier: Self) -> u32 {
        self.0.saturating_sub(earlier.0)
    }
}

impl fmt::Display for Tick {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "tick {}", self.0)
    }
}

/// Monotonic time in microseconds since an epoch that only its owner knows. The core never reads a clock:
/// every entry point is told what time it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time(pub u64);

impl Time {
    /// This time plus `us` microseconds, saturating.
    #[must_use]
    pub const fn plus_us(self, us: u64) -> Self {
        Self(self.0.saturating_add(us))
    }

    /// This time plus `ms` milliseconds, saturating.
    #[must_use]
    pub const fn plus_ms(self, ms: u64) -> Self {
        self.plus_us(ms.saturating_mul(1000))
    }

    /// Microseconds from `earlier` to `self`; zero when `earlier` is later.
    #[must_use]
    pub const fn since_us(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

/// A replicated entity: index in bits 0..32, generation in bits 32..62, tag bit 63 for ids that derive
/// from a log entry. Zero is no entity; generations start at 1, so a live id is never zero.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EntityId(pub u64);

impl EntityId {
    /// No entity.
    pub const NONE: Self = Self(0);
    /// Largest generation; an index that reaches it is retired.
    pub const MAX_GENERATION: u32 = (1 << 30) - 1;

    /// Packs an index and a generation (truncated to 30 bits).
    #[must_use]
    pub const fn new(index: u32, generation: u32) -> Self {
        Self(((generation & Self::MAX_GENERATION) as u64) << 32 | index as u64)
    }

    /// The table index.
    #[must_use]
    pub const fn index(self) -> u32 {
        (self.0 & 0xffff_ffff) as u32
    }

    /// How often the index had been used when this id was made, from 1.
    #[must_use]
    pub const fn generation(self) -> u32 {
        (self.0 >> 32) as u32 & Self::MAX_GENERATION
    }

    /// True for [`EntityId::NONE`].
    #[must_use]
    pub const fn is_none(self) -> bool {
        self.0 == 0
    }
}

impl fmt::Debug for EntityId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "entity {}v{}", self.index(), self.generation())
    }
}

/// A member of the session: its slot. Zero is the host.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PeerId(pub u16);

impl PeerId {
    /// The host itself.
    pub const HOST: Self = Self(0);
}

/// A block of up to 64 entities of one archetype: the unit of encoding, acknowledgement and hashing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChunkId(pub u32);

/// SipHash-2-4 of a component's stable name.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ComponentId(pub u64);

impl fmt::Debug for ComponentId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "component 0x{:016x}", self.0)
    }
}

/// What gameplay names and a transport maps: an ordering and reliability promise.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Lane {
    /// Handshake, heartbeat, roles, control. Reliable, ordered.
    Control,
    /// Reliable deltas, committed commands, reliable application messages. Reliable, ordered.
    Replication,
    /// Per-tick deltas and their acknowledgements. Datagrams; a packet of an older tick is purged.
    State,
    /// VR poses and predicted input. Datagrams.
    Input,
    /// Cursors, drags, voice. Datagrams, lowest priority.
    Presence,
    /// Join snapshots and assets: one reliable stream each, named by its ordinal.
    Bulk(u16),
}

impl Lane {
    /// The lane's number on the wire (the ordinal of a bulk lane travels beside it).
    #[must_use]
    pub const fn wire_id(self) -> u8 {
        match self {
            Self::Control => 0,
            Self::Replication => 1,
            Self::State => 2,
            Self::Input => 3,
            Self::Presence => 4,
            Self::Bulk(_) => 5,
        }
    }

    /// The lane a wire number names, or `None` where there is none.
    #[must_use]
    pub const fn from_wire(id: u8, ordinal: u16) -> Option<Self> {
        Some(match id {
            0 => Self::Control,
            1 => Self::Replication,
            2 => Self::State,
            3 => Self::Input,
            4 => Self::Presence,
            5 => Self::Bulk(ordinal),
            _ => return None,
        })
    }

    /// True where the lane promises delivery and order, so that a bad packet on it ends the session.
    #[must_use]
    pub const fn is_reliable(self) -> bool {
        matches!(self, Self::Control | Self::Replication | Self::Bulk(_))
    }
}
