//! Named, deliberate bugs that the simulator or the handshake's tests must catch: the test of the test.
//!
//! There is no global switch. Whoever has a planted bug holds a [`Mutants`] that its configuration gave it; without
//! the feature `mutants` that type is empty, [`Mutants::active`] is the constant `false`, and the bugs are not in the
//! program.

/// A planted bug. Simulated seeds must catch it (`tests/simulation/planted.rs`), unless it is one of
/// [`Mutant::OF_HANDSHAKES`]: then a handshake test does, by name (`tests/handshake/planted.rs`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Mutant {
    /// The host takes what it has sent for acknowledged.
    SkipAckCheck,
    /// The host codes rows against the baseline before the one it names.
    ReuseStaleBaseline,
    /// The host forgets to say that a row is gone.
    DropDespawn,
    /// The host leaves out the last changed row of a chunk.
    TruncateChunk,
    /// The host leaves out the last changed field of a row.
    ForgetFieldMaskBit,
    /// The peer applies a delta to the state it has, whatever the delta's baseline.
    AcceptStaleDelta,
    /// A datagram that comes twice is acted on twice.
    SkipReplayWindow,
    /// A packet whose CRC is wrong is acted on.
    SkipCrc,
    /// A reliable lane goes on behind a hole.
    AcceptLaneHole,
    /// Datagrams go out that are larger than the path takes.
    IgnoreDatagramLimit,
    /// The host acts on messages that the sender's role forbids.
    SkipRoleCheck,
    /// The host never parts with who goes on saying what its role forbids.
    TolerateForbidden,
    /// The host believes an acknowledgement of what it never sent.
    AcceptAckOfNeverSent,
    /// The host confirms an older tick after a newer one.
    ConfirmBackwards,
    /// The host takes every reported hash for its own.
    SkipHashComparison,
    /// The host hands input to the application that it has handed over before.
    RepeatInput,
    /// The host tells nobody who joined.
    LoseRosterNews,
    /// The host says that it throws somebody out, and does not.
    KickWithoutClose,
    /// A silent link is never given up.
    NeverIdle,
    /// The host lets any number of links wait in their handshake.
    HalfOpenWithoutLimit,
    /// The host lets one source take every place at its door.
    IgnoreSources,
    /// The host goes on from its newest versions where it has purged those that a peer came back with.
    ThawStale,
    /// The peer acknowledges a repair and does not apply it.
    SkipRepair,
    /// The peer shows a snapshot of which it applied the first half.
    ApplyHalfSnapshot,
    /// The peer tells of each spawn twice.
    SpawnTwice,
    /// The peer does not tell that an entity has another owner.
    DropOwnerChange,
    /// The peer leaves the newest chunk out of the hash it reports.
    FoldLeavesOutChunk,
    /// The peer takes no notice of when the host sealed which tick.
    IgnoreClockAnchor,
    /// The peer believes any host signature.
    SkipHostSignature,
    /// The peer believes any host certificate.
    SkipHostCertificate,
    /// The host believes any client signature.
    SkipClientSignature,
    /// Both sides leave the channel out of the transcript.
    LeaveOutBinding,
    /// Both ends take datagrams of any epoch that has passed.
    AcceptOldEpoch,
    /// The host lets whoever knows a token resume, whatever key it proves.
    ResumeWithoutProof,
    /// The host goes on taking the token before the newest one.
    KeepOldToken,
    /// The host lets in whoever names an invite, without a proof of its secret.
    SkipInviteProof,
    /// The host forgets who used an invite.
    LeaveInviteUnbound,
    /// The host lets in whom the application banned.
    IgnoreBan,
    /// The client believes a host whose term has ended.
    AcceptOldTerm,
    /// A peer with other components leaves a field that the host has not without its default.
    LeaveOutDefaults,
    /// A peer with other components counts the host's fields as if it knew them all.
    KeepUnknownField,
    /// A peer with other components takes values of another quantisation as they are.
    LeaveUnconverted,
    /// The host lets a link send as much as it likes.
    CountNoMessages,
}

impl Mutant {
    /// What the simulator must catch.
    pub const ALL: &'static [Self] = &[
        Self::SkipAckCheck,
        Self::ReuseStaleBaseline,
        Self::DropDespawn,
        Self::TruncateChunk,
        Self::ForgetFieldMaskBit,
        Self::AcceptStaleDelta,
        Self::SkipReplayWindow,
        Self::SkipCrc,
        Self::AcceptLaneHole,
        Self::IgnoreDatagramLimit,
        Self::SkipRoleCheck,
        Self::TolerateForbidden,
        Self::AcceptAckOfNeverSent,
        Self::ConfirmBackwards,
        Self::SkipHashComparison,
        Self::RepeatInput,
        Self::LoseRosterNews,
        Self::KickWithoutClose,
        Self::NeverIdle,
        Self::HalfOpenWithoutLimit,
        Self::IgnoreSources,
        Self::ThawStale,
        Self::SkipRepair,
        Self::ApplyHalfSnapshot,
        Self::SpawnTwice,
        Self::DropOwnerChange,
        Self::FoldLeavesOutChunk,
        Self::IgnoreClockAnchor,
        Self::SkipHostSignature,
        Self::SkipHostCertificate,
        Self::SkipClientSignature,
        Self::LeaveOutBinding,
        Self::SkipInviteProof,
        Self::LeaveInviteUnbound,
        Self::IgnoreBan,
        Self::AcceptOldTerm,
        Self::LeaveOutDefaults,
        Self::KeepUnknownField,
        Self::LeaveUnconverted,
        Self::AcceptOldEpoch,
        Self::ResumeWithoutProof,
        Self::KeepOldToken,
        Self::CountNoMessages,
    ];

    /// Those that a handshake test catches.
    pub const OF_HANDSHAKES: &'static [Self] = &[
        Self::SkipHostSignature,
        Self::SkipHostCertificate,
        Self::SkipClientSignature,
        Self::LeaveOutBinding,
        Self::SkipInviteProof,
        Self::LeaveInviteUnbound,
        Self::IgnoreBan,
        Self::AcceptOldTerm,
        Self::AcceptOldEpoch,
        Self::ResumeWithoutProof,
        Self::KeepOldToken,
        Self::CountNoMessages,
    ];
}

/// Which planted bug is active in one machine.
#[derive(Clone, Copy, Debug, Default)]
pub struct Mutants {
    #[cfg(feature = "mutants")]
    active: Option<Mutant>,
}

impl Mutants {
    /// No bug.
    pub const NONE: Self = Self {
        #[cfg(feature = "mutants")]
        active: None,
    };

    /// This bug.
    #[cfg(feature = "mutants")]
    pub const fn only(mutant: Mutant) -> Self {
        Self { active: Some(mutant) }
    }

    /// True when this bug is active.
    #[inline]
    pub fn active(self, mutant: Mutant) -> bool {
        #[cfg(feature = "mutants")]
        return self.active == Some(mutant);
        #[cfg(not(feature = "mutants"))]
        {
            let _ = mutant;
            false
        }
    }
}

#[cfg(feature = "mutants")]
impl From<Option<Mutant>> for Mutants {
    fn from(active: Option<Mutant>) -> Self {
        Self { active }
    }
}
