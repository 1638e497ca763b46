// What for: the plain records a session fills. Their layout is the ABI's (a test compares every offset with the header), so
// the library writes straight into them. Must never: hold references. Called by: everybody.
using System.Runtime.InteropServices;
using Theta.Interop;

// The library writes these fields through a pointer; the compiler does not see it.
#pragma warning disable 0169, 0414, 0649

namespace Theta
{
    /// <summary>What a peer may do.</summary>
    public enum ThetaRole : uint
    {
        /// <summary>Not set: the host's default.</summary>
        Default = 0,
        /// <summary>Sees.</summary>
        Viewer = 1,
        /// <summary>Sees and comments.</summary>
        Commenter = 2,
        /// <summary>Changes.</summary>
        Editor = 3,
        /// <summary>Admits and removes.</summary>
        Admin = 4,
    }

    /// <summary>A version of the protocol, 6 bytes.</summary>
    [StructLayout(LayoutKind.Sequential)]
    public struct ProtocolVersion : System.IEquatable<ProtocolVersion>
    {
        /// <summary>Raised when one version cannot talk to the one before.</summary>
        public ushort Major;
        /// <summary>Raised by additions.</summary>
        public ushort Minor;
        /// <summary>Raised by corrections.</summary>
        public ushort Patch;

        /// <summary>This version.</summary>
        public ProtocolVersion(ushort major, ushort minor, ushort patch)
        {
            Major = major;
            Minor = minor;
            Patch = patch;
        }

        /// <summary>All three numbers are equal.</summary>
        public bool Equals(ProtocolVersion other)
        {
            return Major == other.Major && Minor == other.Minor && Patch == other.Patch;
        }

        /// <summary>"major.minor.patch". Allocates.</summary>
        public override string ToString()
        {
            return Major + "." + Minor + "." + Patch;
        }
    }

    /// <summary>What carries a link.</summary>
    [System.Flags]
    public enum ThetaTransports : uint
    {
        /// <summary>Whatever this build can do.</summary>
        Any = 0,
        /// <summary>Within the process.</summary>
        Memory = 1,
        /// <summary>Native QUIC.</summary>
        Quic = 2,
        /// <summary>WebRTC data channels.</summary>
        WebRtc = 4,
        /// <summary>HTTP/3 WebTransport.</summary>
        WebTransport = 8,
    }

    /// <summary>Who can read what is sent.</summary>
    [System.Flags]
    public enum ThetaSecurityModes : uint
    {
        /// <summary>Whatever this build can do.</summary>
        Any = 0,
        /// <summary>Both ends of the link.</summary>
        Transport = 1,
        /// <summary>Members only. No host of this version offers it.</summary>
        EndToEnd = 2,
    }

    /// <summary>The coordinate convention the application's structs are in; the library converts.</summary>
    public enum ThetaBasis : uint
    {
        /// <summary>Right-handed, Y up, metres.</summary>
        OpenXr = 0,
        /// <summary>Left-handed, Y up, metres.</summary>
        Unity = 1,
        /// <summary>Left-handed, Z up, centimetres.</summary>
        Unreal = 2,
    }

    /// <summary>Where a session is in its life.</summary>
    public enum SessionState : uint
    {
        /// <summary>No answer from the host yet.</summary>
        Connecting = 1,
        /// <summary>Keys and schema are being compared.</summary>
        Handshake = 2,
        /// <summary>Load your level, then call Loaded (with ManualLoaded).</summary>
        Admitted = 3,
        /// <summary>The snapshot is arriving.</summary>
        Joining = 4,
        /// <summary>Ticks flow.</summary>
        Live = 5,
        /// <summary>Ended.</summary>
        Closed = 6,
        /// <summary>Ended by a fault inside the library.</summary>
        Faulted = 7,
        /// <summary>Nobody is there, or the link is lost; the host keeps the place for a while.</summary>
        Away = 8,
        /// <summary>On the way back, in the same place.</summary>
        Resuming = 9,
    }

    /// <summary>What happened. A newer library may send kinds that are not listed; skip them.</summary>
    public enum ThetaEventKind : uint
    {
        /// <summary>Code is the new <see cref="SessionState"/>.</summary>
        StateChanged = 1,
        /// <summary>Host: a peer asks to join; text is its application bytes; ThetaHost.Bearer gives the token it came with.
        /// Answer with Admit or Deny.</summary>
        JoinRequest = 2,
        /// <summary>Peer, code = role, text = name.</summary>
        PeerJoined = 3,
        /// <summary>Peer, code = disconnect code, text = reason.</summary>
        PeerLeft = 4,
        /// <summary>Client: code = role, value = milliseconds for which the host keeps the place while we are away, text =
        /// application bytes of the host.</summary>
        Admitted = 5,
        /// <summary>Value = pieces received, code = pieces in all.</summary>
        JoinProgress = 6,
        /// <summary>Entity, tick, value = type id, peer = owner.</summary>
        EntitySpawned = 7,
        /// <summary>Entity.</summary>
        EntityDespawned = 8,
        /// <summary>Entity, peer = new owner.</summary>
        OwnerChanged = 9,
        /// <summary>Entity, value = new parent.</summary>
        ParentChanged = 10,
        /// <summary>Peer, tick, value = component id, code = field id, text names both.</summary>
        Diverged = 11,
        /// <summary>Peer, tick.</summary>
        Repaired = 12,
        /// <summary>Code = disconnect code, text = a sentence and a hint.</summary>
        Disconnected = 13,
        /// <summary>A message of ours was refused; code = reason, text.</summary>
        Refused = 14,
        /// <summary>Events were coalesced: list entities and peers again.</summary>
        Resync = 15,
        /// <summary>Code = status, text.</summary>
        Faulted = 16,
        /// <summary>Code = level, 1 error to 5 trace; text. Failed attempts to join arrive as warnings (2).</summary>
        Log = 17,
        /// <summary>Host: a peer has the world and sees ticks.</summary>
        PeerLive = 18,
        /// <summary>Peer is away, or its link is lost; value = milliseconds for which it keeps its place.</summary>
        PeerAway = 19,
        /// <summary>Peer is back, in its place.</summary>
        PeerBack = 20,
        /// <summary>Host: an invite was used by a new key; text = its id (16 bytes), then the key (32). Keep Admission() now.</summary>
        InviteBound = 21,
        /// <summary>The host has other components than ours, and its world is shown in ours; value = things that differ, code = of
        /// them fields that are converted or defaulted, text = a line each.</summary>
        SchemaMapped = 22,
        /// <summary>A codec refused values, which keep their old ones: entity = the first, value = component id, code = its
        /// status, text = how many.</summary>
        CodecFailed = 24,
    }

    /// <summary>One event, 64 bytes. Text belongs to the poll it came from; see ThetaSession.Text.</summary>
    [StructLayout(LayoutKind.Sequential)]
    public struct ThetaEvent
    {
        /// <summary>Kind; decides what the other fields mean.</summary>
        public ThetaEventKind Kind;
        /// <summary>Peer, 0 for the host.</summary>
        public uint Peer;
        /// <summary>Tick.</summary>
        public uint Tick;
        /// <summary>Code.</summary>
        public int Code;
        /// <summary>Entity.</summary>
        public EntityId Entity;
        /// <summary>Value.</summary>
        public ulong Value;
        /// <summary>When it happened, on the clock of ThetaRuntime.NowNs.</summary>
        public ulong TimeNs;
        /// <summary>Names the text; 0 for none.</summary>
        public uint TextId;
        /// <summary>Bytes of the text.</summary>
        public uint TextLength;
        private readonly ulong _reserved0;
        private readonly ulong _reserved1;
    }

    /// <summary>An invite that was made, 56 bytes.</summary>
    [StructLayout(LayoutKind.Sequential)]
    public unsafe struct InviteInfo
    {
        private fixed byte _id[16];
        /// <summary>The highest role it grants.</summary>
        public ThetaRole Role;
        /// <summary>How many keys it admits.</summary>
        public uint Uses;
        /// <summary>How many keys it is bound to already.</summary>
        public uint Used;
        private readonly uint _isRevoked;
        /// <summary>From when on it lets nobody in, in seconds of Unix time.</summary>
        public ulong ExpiresUnixS;
        private readonly ulong _reserved0;
        private readonly ulong _reserved1;

        /// <summary>It lets nobody in any more.</summary>
        public bool IsRevoked
        {
            get { return _isRevoked != 0; }
        }

        /// <summary>A copy of its 16-byte id.</summary>
        public byte[] Id()
        {
            byte[] id = new byte[16];
            fixed (byte* p = _id)
            {
                Marshal.Copy((System.IntPtr)p, id, 0, id.Length);
            }
            return id;
        }
    }

    /// <summary>A session at a glance.</summary>
    [StructLayout(LayoutKind.Sequential)]
    public unsafe struct SessionInfo
    {
        internal uint StructSize;
        /// <summary>Where it is in its life.</summary>
        public SessionState State;
        private readonly uint _isHost;
        /// <summary>This side's peer number; 0 on the host.</summary>
        public uint LocalPeer;
        /// <summary>This side's role.</summary>
        public ThetaRole Role;
        /// <summary>Ticks per second.</summary>
        public uint TickRateHz;
        /// <summary>Peers in the session without the host.</summary>
        public uint PeerCount;
        /// <summary>The host's UDP port.</summary>
        public uint Port;
        /// <summary>Host: last sealed tick. Client: newest complete tick.</summary>
        public uint Tick;
        /// <summary>Every tick up to here was compared and equal.</summary>
        public uint ConfirmedTick;
        /// <summary>Entities alive.</summary>
        public uint EntityCount;
        /// <summary>Why it ended; 0 while it lives.</summary>
        public uint DisconnectCode;
        /// <summary>The schema both sides agreed on.</summary>
        public ulong SchemaHash;
        private fixed byte _sessionId[16];
        private fixed byte _documentId[32];
        private fixed byte _authorityKey[32];
        /// <summary>The host's term: keep the highest for the document. 0 before Admitted.</summary>
        public uint Term;
        /// <summary>For how many milliseconds the host keeps the place of a peer that is away, or whose link is lost; 0 before
        /// Admitted, and where it keeps none.</summary>
        public uint ResumeGraceMs;
        private readonly ushort _versionMajor;
        private readonly ushort _versionMinor;
        private readonly ushort _versionPatch;
        private readonly ushort _leastMajor;
        private readonly ushort _leastMinor;
        private readonly ushort _leastPatch;
        private readonly uint _reserved;

        /// <summary>The protocol version that is spoken (a host's own); zeros before Admitted.</summary>
        public ProtocolVersion Version
        {
            get { return new ProtocolVersion(_versionMajor, _versionMinor, _versionPatch); }
        }

        /// <summary>The lowest version that this side settles for, as its options said.</summary>
        public ProtocolVersion LeastVersion
        {
            get { return new ProtocolVersion(_leastMajor, _leastMinor, _leastPatch); }
        }

        /// <summary>True on the host's side.</summary>
        public bool IsHost
        {
            get { return _isHost != 0; }
        }

        /// <summary>The key tickets are signed with, 32 bytes. Allocates.</summary>
        public byte[] AuthorityKey()
        {
            fixed (byte* p = _authorityKey)
            {
                return Copy(p, 32);
            }
        }

        /// <summary>The document's id, 32 bytes. Allocates.</summary>
        public byte[] DocumentId()
        {
            fixed (byte* p = _documentId)
            {
                return Copy(p, 32);
            }
        }

        /// <summary>The session's id, 16 bytes. Allocates.</summary>
        public byte[] SessionId()
        {
            fixed (byte* p = _sessionId)
            {
                return Copy(p, 16);
            }
        }

        private static byte[] Copy(byte* from, int count)
        {
            byte[] bytes = new byte[count];
            Marshal.Copy((System.IntPtr)from, bytes, 0, count);
            return bytes;
        }
    }

    /// <summary>One participant.</summary>
    [StructLayout(LayoutKind.Sequential)]
    public unsafe struct PeerInfo
    {
        /// <summary>Number in this session.</summary>
        public uint Peer;
        /// <summary>Role.</summary>
        public ThetaRole Role;
        /// <summary>Where it is.</summary>
        public SessionState State;
        private readonly uint _nameLength;
        private fixed byte _name[64];
        private fixed byte _identityKey[32];
        private readonly ulong _reserved0;
        private readonly ulong _reserved1;

        /// <summary>The name it gave itself. Allocates.</summary>
        public string Name()
        {
            fixed (byte* p = _name)
            {
                return Utf8.Text(p, (int)System.Math.Min(_nameLength, 64u));
            }
        }

        /// <summary>Its public key, 32 bytes. Allocates.</summary>
        public byte[] IdentityKey()
        {
            byte[] key = new byte[32];
            fixed (byte* p = _identityKey)
            {
                Marshal.Copy((System.IntPtr)p, key, 0, 32);
            }
            return key;
        }
    }

    /// <summary>Counters of one link since it opened.</summary>
    [StructLayout(LayoutKind.Sequential)]
    public struct ThetaStatistics
    {
        internal uint StructSize;
        /// <summary>The peer they belong to.</summary>
        public uint Peer;
        /// <summary>Round trip, smoothed, microseconds.</summary>
        public uint RttUs;
        /// <summary>Its mean deviation, microseconds.</summary>
        public uint JitterUs;
        /// <summary>Host clock minus this clock, microseconds.</summary>
        public long ClockOffsetUs;
        /// <summary>Packets (envelopes) out.</summary>
        public ulong PacketsSent;
        /// <summary>Packets (envelopes) in.</summary>
        public ulong PacketsReceived;
        /// <summary>UDP payload bytes out.</summary>
        public ulong BytesSent;
        /// <summary>UDP payload bytes in.</summary>
        public ulong BytesReceived;
        /// <summary>Packets that failed their checks.</summary>
        public ulong PacketsDroppedBad;
        /// <summary>Packets seen before.</summary>
        public ulong PacketsDroppedReplay;
        /// <summary>Datagrams replaced by newer ones before they left.</summary>
        public ulong DatagramsPurged;
        /// <summary>Packets the transport declared lost.</summary>
        public ulong PacketsLost;
        /// <summary>Ticks received in full.</summary>
        public ulong TicksComplete;
        /// <summary>Ticks of which something was received.</summary>
        public ulong TicksStarted;
        /// <summary>Targeted repairs.</summary>
        public ulong Repairs;
        /// <summary>State hashes that differed.</summary>
        public ulong Divergences;
        /// <summary>Values written outside their range.</summary>
        public ulong ValuesClamped;
        /// <summary>Values written as NaN, or refused by a codec.</summary>
        public ulong ValuesNotANumber;
        /// <summary>Events lost to a full ring (a Resync followed).</summary>
        public ulong EventsDropped;
        /// <summary>Inputs that arrived.</summary>
        public ulong InputsReceived;
        /// <summary>Every tick up to here was compared and equal.</summary>
        public uint ConfirmedTick;
        /// <summary>99th percentile round trip, microseconds.</summary>
        public uint RttP99Us;
        /// <summary>Median round trip, microseconds.</summary>
        public uint RttP50Us;
        private readonly uint _reserved;
        /// <summary>Host: inputs that were left out because they were for a tick more than two seconds ahead.</summary>
        public ulong InputsRefused;
    }

    /// <summary>What a column write did.</summary>
    [StructLayout(LayoutKind.Sequential)]
    public struct WriteReport
    {
        internal uint StructSize;
        /// <summary>Values (row and field) whose quantised state changed; known at the commit, 0 before.</summary>
        public uint Changed;
        /// <summary>Values outside their range.</summary>
        public uint Clamped;
        /// <summary>NaN values, which kept the old value.</summary>
        public uint NotANumber;
        /// <summary>Entities that are not here or do not carry the component; known at the commit, 0 before.</summary>
        public uint Missing;
        private readonly uint _reserved;
        /// <summary>The first entity with any of these.</summary>
        public EntityId FirstBadEntity;
    }

    /// <summary>One tick at a glance.</summary>
    [StructLayout(LayoutKind.Sequential)]
    public struct FrameInfo
    {
        internal uint StructSize;
        /// <summary>The tick.</summary>
        public uint Tick;
        /// <summary>Every tick up to here was compared and equal.</summary>
        public uint ConfirmedTick;
        /// <summary>Entities alive.</summary>
        public uint EntityCount;
        /// <summary>When it was sealed or completed here, on the clock of ThetaRuntime.NowNs.</summary>
        public ulong TimeNs;
        /// <summary>Hash of the whole state.</summary>
        public ulong Fold;
        /// <summary>Term of the command log.</summary>
        public uint LogTerm;
        private readonly uint _reserved;
        /// <summary>Index of the command log.</summary>
        public ulong LogIndex;
    }

    /// <summary>One entity of a frame, 56 bytes.</summary>
    [StructLayout(LayoutKind.Sequential)]
    public struct EntityRow
    {
        /// <summary>The entity.</summary>
        public EntityId Id;
        /// <summary>Its parent, or none.</summary>
        public EntityId Parent;
        /// <summary>Id of a scene-placed object, or 0.</summary>
        public ulong PersistentId;
        /// <summary>The application's own number for it; local, never sent.</summary>
        public ulong HostTag;
        /// <summary>Prefab.</summary>
        public uint TypeId;
        /// <summary>Owning peer, 0 for the host.</summary>
        public uint Owner;
        /// <summary>Dense index on this side, for arrays beside the entities.</summary>
        public uint LocalIndex;
        /// <summary>Bytes of the spawn payload.</summary>
        public uint PayloadLength;
        private readonly ulong _reserved;
    }
}
