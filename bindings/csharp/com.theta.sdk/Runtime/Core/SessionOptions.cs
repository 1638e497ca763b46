// What for: what a host or a client is opened with. Zero, null and Default mean the library's default. Must never: be read
// after the session is open. Called by: ThetaRuntime.Host and Join.
using System;

namespace Theta
{
    /// <summary>Options of a hosted session.</summary>
    public sealed class ThetaHostOptions
    {
        /// <summary>"ip:port" to listen on; port 0 takes a free one. Null = 127.0.0.1:0 in dev mode, 0.0.0.0:0 otherwise.</summary>
        public string BindAddress;
        /// <summary>Peers at most; 0 = 16.</summary>
        public int MaxPeers;
        /// <summary>Ticks per second; 0 = 90.</summary>
        public int TickRateHz;
        /// <summary>Basis of this application's structs.</summary>
        public ThetaBasis Basis = SessionOptions.DefaultBasis;
        /// <summary>The highest role of whoever joins without a ticket (dev mode, bearer tokens); Default = editor.</summary>
        public ThetaRole DefaultRole = ThetaRole.Default;
        /// <summary>How long the place of a peer is kept that is away, or whose link is lost, in milliseconds; 0 = 30000.</summary>
        public uint ResumeGraceMs;
        /// <summary>No ticket needed; loopback addresses only.</summary>
        public bool DevMode;
        /// <summary>JoinRequest events wait for Admit or Deny.</summary>
        public bool ManualAdmission;
        /// <summary>Clients may come with a bearer token for an outside verifier; each waits for Admit or Deny.</summary>
        public bool TakesBearer;
        /// <summary>Invites and bans to begin with, as ThetaHost.Admission gave them; null = none.</summary>
        public byte[] Admission;
        /// <summary>32 bytes: the key that signs tickets and the host certificate; null = fresh.</summary>
        public byte[] AuthoritySeed;
        /// <summary>32 bytes; null = fresh.</summary>
        public byte[] HostSeed;
        /// <summary>32 bytes that tell apart the documents of one authority; null = zeros.</summary>
        public byte[] DocumentNonce;
        /// <summary>This host's term; 0 = 1.</summary>
        public uint Term;
        /// <summary>Clients of a lower protocol version are refused with VersionFloor (33); zeros = any that can be spoken.</summary>
        public ProtocolVersion LeastVersion;
    }

    /// <summary>Options of a joined session.</summary>
    public sealed class ThetaJoinOptions
    {
        /// <summary>"theta://127.0.0.1:4433/...", from the host.</summary>
        public string Ticket;
        /// <summary>Shown to others.</summary>
        public string Name;
        /// <summary>Bytes for the host's admission.</summary>
        public byte[] Application;
        /// <summary>Basis of this application's structs.</summary>
        public ThetaBasis Basis = SessionOptions.DefaultBasis;
        /// <summary>32-byte Ed25519 seed; null = fresh. Keep it to be the same person next time.</summary>
        public byte[] IdentitySeed;
        /// <summary>How far behind the newest tick others are shown, at most 1000; 0 = 50.</summary>
        public int InterpolationDelayMs;
        /// <summary>How long the handshake may take, at most 60000; 0 = 5000.</summary>
        public int HandshakeTimeoutMs;
        /// <summary>The snapshot waits for <see cref="ThetaClient.Loaded"/>.</summary>
        public bool ManualLoaded;
        /// <summary>A token for the host's outside verifier, at most 8192 bytes, shown instead of what the ticket has; null =
        /// none.</summary>
        public byte[] Bearer;
        /// <summary>The highest SessionInfo.Term seen for the document before: a host of a lower one is refused.</summary>
        public uint LeastTerm;
        /// <summary>The lowest protocol version we settle for; zeros = any that can be spoken.</summary>
        public ProtocolVersion LeastVersion;
        /// <summary>The transports we settle for.</summary>
        public ThetaTransports Transports = ThetaTransports.Any;
        /// <summary>The security modes we settle for.</summary>
        public ThetaSecurityModes SecurityModes = ThetaSecurityModes.Any;
    }

    internal static class SessionOptions
    {
#if UNITY_5_3_OR_NEWER
        internal const ThetaBasis DefaultBasis = ThetaBasis.Unity;
#else
        internal const ThetaBasis DefaultBasis = ThetaBasis.OpenXr;
#endif

        internal static void RequireKey(byte[] key, string name, bool mayBeNull)
        {
            if (key == null && mayBeNull)
            {
                return;
            }
            if (key == null || key.Length != 32)
            {
                throw new ArgumentException("This key or id has exactly 32 bytes.", name);
            }
        }
    }
}
