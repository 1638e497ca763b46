// What for: the authoritative side of a session. Must never: admit anybody by itself when ManualAdmission is set.
// Called by: a dedicated server or the player who hosts.
using System;
using System.Runtime.InteropServices;
using System.Text;
using Theta.Interop;

namespace Theta
{
    /// <summary>A hosted session. One turn of its loop: poll events, then for each tick due: read inputs, simulate, write,
    /// <see cref="Tick"/>.</summary>
    public sealed class ThetaHost : ThetaSession
    {
        private ThetaHost(SessionHandle handle)
            : base(handle)
        {
        }

        internal static unsafe ThetaHost Open(ThetaRuntime runtime, ThetaRegistry registry, ThetaHostOptions options)
        {
            if (registry == null)
            {
                throw new ArgumentNullException("registry");
            }
            options = options ?? new ThetaHostOptions();
            SessionOptions.RequireKey(options.AuthoritySeed, "AuthoritySeed", true);
            SessionOptions.RequireKey(options.HostSeed, "HostSeed", true);
            SessionOptions.RequireKey(options.DocumentNonce, "DocumentNonce", true);
            RuntimeHandle owner = runtime.Handle;
            theta_session bits;
            theta_host_config config = default(theta_host_config);
            config.struct_size = (uint)sizeof(theta_host_config);
            config.flags = (options.DevMode ? NativeMethods.THETA_HOST_DEV_MODE : 0)
                | (options.ManualAdmission ? NativeMethods.THETA_HOST_MANUAL_ADMISSION : 0)
                | (options.TakesBearer ? NativeMethods.THETA_HOST_BEARER : 0);
            config.admission_length = options.Admission == null ? 0u : (ulong)options.Admission.Length;
            config.max_peers = (uint)options.MaxPeers;
            config.tick_rate_hz = (uint)options.TickRateHz;
            config.term = options.Term;
            config.least_major = options.LeastVersion.Major;
            config.least_minor = options.LeastVersion.Minor;
            config.least_patch = options.LeastVersion.Patch;
            config.basis = (uint)options.Basis;
            config.default_role = (uint)options.DefaultRole;
            config.resume_grace_ms = options.ResumeGraceMs;
            byte[] address = Utf8.Bytes(options.BindAddress, out config.bind_address_length);
            fixed (byte* addressStart = address)
            fixed (byte* authority = options.AuthoritySeed)
            fixed (byte* host = options.HostSeed)
            fixed (byte* document = options.DocumentNonce)
            fixed (byte* admission = options.Admission)
            {
                config.bind_address = addressStart;
                config.authority_seed = authority;
                config.host_seed = host;
                config.document_nonce = document;
                config.admission = admission;
                ThetaException.Check(NativeMethods.theta_session_host(
                    new theta_runtime { bits = owner.Bits }, registry.Native, &config, &bits));
            }
            return new ThetaHost(new SessionHandle(bits.bits, owner));
        }

        /// <summary>The open ticket: endpoint, document and authority key. In dev mode it is enough to join.</summary>
        public unsafe string Ticket()
        {
            byte[] buffer = new byte[1024];
            ulong length;
            fixed (byte* p = buffer)
            {
                ThetaException.Check(NativeMethods.theta_session_ticket(Native, p, (ulong)buffer.Length, &length));
            }
            return Encoding.UTF8.GetString(buffer, 0, (int)Math.Min(length, (ulong)buffer.Length));
        }

        /// <summary>A signed ticket: who has the key <paramref name="clientKey"/> (see ThetaRuntime.IdentityPublicKey) may
        /// enter with this role until then. <paramref name="expiresUnixSeconds"/> 0 = 24 hours from now;
        /// <paramref name="endpoint"/> "host:port" as others see it, null = this host's address.</summary>
        public unsafe string IssueTicket(
            byte[] clientKey, ThetaRole role, ulong expiresUnixSeconds = 0, string endpoint = null)
        {
            SessionOptions.RequireKey(clientKey, "clientKey", false);
            theta_ticket_desc desc = default(theta_ticket_desc);
            desc.struct_size = (uint)sizeof(theta_ticket_desc);
            desc.role = (uint)role;
            desc.expires_unix_s = expiresUnixSeconds;
            byte[] address = Utf8.Bytes(endpoint, out desc.endpoint_length);
            byte[] buffer = new byte[2048];
            ulong length;
            fixed (byte* key = clientKey)
            fixed (byte* addressStart = address)
            fixed (byte* p = buffer)
            {
                desc.client_key = key;
                desc.endpoint = desc.endpoint_length == 0 ? null : addressStart;
                ThetaException.Check(
                    NativeMethods.theta_session_issue_ticket(Native, &desc, p, (ulong)buffer.Length, &length));
            }
            return Encoding.UTF8.GetString(buffer, 0, (int)Math.Min(length, (ulong)buffer.Length));
        }

        /// <summary>Makes an invite: the ticket lets in whoever comes with it first, with this role (never admin), and binds
        /// itself to that key. An unused one admits whoever holds it: hand it over as you would a key.
        /// <paramref name="id"/> names it for RevokeInvite; <paramref name="uses"/> keys in all, at most 256.</summary>
        public unsafe string CreateInvite(
            ThetaRole role, out byte[] id, int uses = 1, ulong expiresUnixSeconds = 0, string endpoint = null)
        {
            theta_invite_desc desc = default(theta_invite_desc);
            desc.struct_size = (uint)sizeof(theta_invite_desc);
            desc.role = (uint)role;
            desc.uses = (uint)uses;
            desc.expires_unix_s = expiresUnixSeconds;
            byte[] address = Utf8.Bytes(endpoint, out desc.endpoint_length);
            byte[] buffer = new byte[1024];
            id = new byte[16];
            ulong length;
            fixed (byte* name = id)
            fixed (byte* addressStart = address)
            fixed (byte* p = buffer)
            {
                desc.endpoint = desc.endpoint_length == 0 ? null : addressStart;
                ThetaException.Check(NativeMethods.theta_session_create_invite(
                    Native, &desc, name, p, (ulong)buffer.Length, &length));
            }
            return Encoding.UTF8.GetString(buffer, 0, (int)length);
        }

        /// <summary>Takes an invite back: it lets nobody in any more. Who came in by it stays.</summary>
        public unsafe ThetaStatus RevokeInvite(byte[] id)
        {
            if (id == null || id.Length != 16)
            {
                throw new ArgumentException("An invite's id has exactly 16 bytes.", "id");
            }
            fixed (byte* p = id)
            {
                return (ThetaStatus)NativeMethods.theta_session_revoke_invite(Native, p);
            }
        }

        /// <summary>Lists the invites that were made into <paramref name="into"/>; returns how many there are, also when they
        /// do not all fit.</summary>
        public unsafe int Invites(Span<InviteInfo> into)
        {
            uint count;
            fixed (InviteInfo* p = &MemoryMarshal.GetReference(into))
            {
                ThetaException.Check(NativeMethods.theta_session_invites(
                    Native, (theta_invite_info*)p, (uint)sizeof(InviteInfo), (uint)into.Length, &count));
            }
            return (int)count;
        }

        /// <summary>Puts out who holds this key, at once, and does not let it in again.</summary>
        public unsafe ThetaStatus Ban(byte[] key)
        {
            SessionOptions.RequireKey(key, "key", false);
            fixed (byte* p = key)
            {
                return (ThetaStatus)NativeMethods.theta_session_ban(Native, p);
            }
        }

        /// <summary>Bans the key of a peer that is here or waits, and gives that key; null when it fails.</summary>
        public unsafe ThetaStatus Ban(uint peer, out byte[] key)
        {
            byte[] banned = new byte[32];
            ThetaStatus status;
            fixed (byte* p = banned)
            {
                status = (ThetaStatus)NativeMethods.theta_session_ban_peer(Native, peer, p);
            }
            key = status.IsError() ? null : banned;
            return status;
        }

        /// <summary>A banned key may come again, by what admits it.</summary>
        public unsafe ThetaStatus Unban(byte[] key)
        {
            SessionOptions.RequireKey(key, "key", false);
            fixed (byte* p = key)
            {
                return (ThetaStatus)NativeMethods.theta_session_unban(Native, p);
            }
        }

        /// <summary>Invites and bans for the document's next host. Secrets are in it: keep it as you keep keys, after each
        /// change and each InviteBound event.</summary>
        public unsafe byte[] Admission()
        {
            byte[] kept = new byte[256];
            for (;;)
            {
                ulong length;
                fixed (byte* p = kept)
                {
                    ThetaException.Check(
                        NativeMethods.theta_session_admission(Native, p, (ulong)kept.Length, &length));
                }
                bool fits = length <= (ulong)kept.Length;
                Array.Resize(ref kept, (int)length);
                if (fits)
                {
                    return kept;
                }
            }
        }

        /// <summary>The bearer token of a JoinRequest event of the last poll; null when the peer came without one.</summary>
        public unsafe byte[] Bearer(ThetaEvent joinRequest)
        {
            if (joinRequest.Kind != ThetaEventKind.JoinRequest || joinRequest.Value == 0)
            {
                return null;
            }
            byte[] token = new byte[NativeMethods.THETA_MAX_BEARER_BYTES];
            ulong length;
            fixed (byte* p = token)
            {
                ThetaException.Check(NativeMethods.theta_session_text(
                    Native, (uint)joinRequest.Value, p, (ulong)token.Length, &length));
            }
            Array.Resize(ref token, (int)length);
            return token;
        }

        /// <summary>Lets a peer in that asked; the bytes reach it with its Admitted event.</summary>
        public unsafe ThetaStatus Admit(uint peer, ThetaRole role, ReadOnlySpan<byte> application)
        {
            theta_session session = Native;
            fixed (byte* p = &MemoryMarshal.GetReference(application))
            {
                return (ThetaStatus)NativeMethods.theta_session_admit(
                    session, peer, (uint)role, p, (uint)application.Length);
            }
        }

        /// <summary>Refuses a peer that asked. Allocates for the reason.</summary>
        public unsafe ThetaStatus Deny(uint peer, string reason)
        {
            uint length;
            byte[] text = Utf8.Bytes(reason, out length);
            fixed (byte* p = text)
            {
                return (ThetaStatus)NativeMethods.theta_session_deny(Native, peer, p, length);
            }
        }

        /// <summary>Removes a peer. Allocates for the reason.</summary>
        public unsafe ThetaStatus Kick(uint peer, string reason)
        {
            uint length;
            byte[] text = Utf8.Bytes(reason, out length);
            fixed (byte* p = text)
            {
                return (ThetaStatus)NativeMethods.theta_session_kick(Native, peer, p, length);
            }
        }

        /// <summary>Spawns what <paramref name="spawn"/> describes, atomically with its first values.</summary>
        public ThetaStatus Spawn(ThetaSpawn spawn, out EntityId entity)
        {
            return spawn.Commit(Native, out entity);
        }

        /// <summary>Removes an entity.</summary>
        public ThetaStatus Despawn(EntityId entity)
        {
            return (ThetaStatus)NativeMethods.theta_entity_despawn(Native, entity.Bits);
        }

        /// <summary>Gives an entity to a peer; 0 takes it back.</summary>
        public ThetaStatus SetOwner(EntityId entity, uint peer)
        {
            return (ThetaStatus)NativeMethods.theta_entity_set_owner(Native, entity.Bits, peer);
        }

        /// <summary>Attaches an entity to another; none detaches.</summary>
        public ThetaStatus SetParent(EntityId entity, EntityId parent)
        {
            return (ThetaStatus)NativeMethods.theta_entity_set_parent(Native, entity.Bits, parent.Bits);
        }

        /// <summary>Starts writing columns for the coming tick. Rows may then be written from any thread.</summary>
        public unsafe ThetaStatus BeginWrite(out ThetaWrite write)
        {
            theta_write bits = default(theta_write);
            int status = NativeMethods.theta_write_begin(Native, &bits);
            write = new ThetaWrite(bits.bits);
            return (ThetaStatus)status;
        }

        /// <summary>Seals what was written and sends it.</summary>
        public unsafe ThetaStatus Tick(out uint tick)
        {
            uint sealedTick = 0;
            int status = NativeMethods.theta_session_tick(Native, &sealedTick);
            tick = sealedTick;
            return (ThetaStatus)status;
        }

        /// <summary>The newest input of a peer. NothingNew when it is the one of the last call, which is given again, or when
        /// there was none yet (InputTick is 0).</summary>
        public unsafe ThetaStatus GetInput(uint peer, out InputSample input)
        {
            InputSample filled = default(InputSample);
            filled.StructSize = (uint)sizeof(InputSample);
            int status = NativeMethods.theta_session_input(Native, peer, (theta_input*)&filled);
            input = filled;
            return (ThetaStatus)status;
        }
    }
}
