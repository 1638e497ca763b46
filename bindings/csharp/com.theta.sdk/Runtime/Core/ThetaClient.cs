// What for: the joined side of a session. Must never: write state; it sends input. Called by: the player's application.
using System;
using Theta.Interop;

namespace Theta
{
    /// <summary>A joined session. One turn of its loop: poll events, acquire a frame and read it, late in the frame send the
    /// input and sample what is shown, release the frame.</summary>
    public sealed class ThetaClient : ThetaSession
    {
        private ThetaClient(SessionHandle handle)
            : base(handle)
        {
            Sampler = new ThetaSampler(handle);
        }

        /// <summary>Samples others between ticks. Any thread.</summary>
        public ThetaSampler Sampler { get; private set; }

        internal static unsafe ThetaClient Open(ThetaRuntime runtime, ThetaRegistry registry, ThetaJoinOptions options)
        {
            if (registry == null)
            {
                throw new ArgumentNullException("registry");
            }
            if (options == null || string.IsNullOrEmpty(options.Ticket))
            {
                throw new ArgumentException("Joining needs a ticket; the host's Ticket() makes one.", "options");
            }
            SessionOptions.RequireKey(options.IdentitySeed, "IdentitySeed", true);
            RuntimeHandle owner = runtime.Handle;
            theta_session bits;
            theta_join_config config = default(theta_join_config);
            config.struct_size = (uint)sizeof(theta_join_config);
            config.flags = options.ManualLoaded ? NativeMethods.THETA_JOIN_MANUAL_LOADED : 0;
            config.basis = (uint)options.Basis;
            config.interpolation_delay_ms = (uint)options.InterpolationDelayMs;
            config.handshake_timeout_ms = (uint)options.HandshakeTimeoutMs;
            config.application_length = options.Application == null ? 0u : (uint)options.Application.Length;
            config.least_term = options.LeastTerm;
            config.least_major = options.LeastVersion.Major;
            config.least_minor = options.LeastVersion.Minor;
            config.least_patch = options.LeastVersion.Patch;
            config.transports = (uint)options.Transports;
            config.security_modes = (uint)options.SecurityModes;
            config.bearer_length = options.Bearer == null ? 0u : (uint)options.Bearer.Length;
            byte[] ticket = Utf8.Bytes(options.Ticket, out config.ticket_length);
            byte[] name = Utf8.Bytes(options.Name, out config.name_length);
            fixed (byte* ticketStart = ticket)
            fixed (byte* nameStart = name)
            fixed (byte* application = options.Application)
            fixed (byte* seed = options.IdentitySeed)
            fixed (byte* bearer = options.Bearer)
            {
                config.ticket = ticketStart;
                config.name = nameStart;
                config.application = application;
                config.identity_seed = seed;
                config.bearer = bearer;
                ThetaException.Check(NativeMethods.theta_session_join(
                    new theta_runtime { bits = owner.Bits }, registry.Native, &config, &bits));
            }
            return new ThetaClient(new SessionHandle(bits.bits, owner));
        }

        /// <summary>The level is loaded; the snapshot may come. Needed with ManualLoaded only.</summary>
        public ThetaStatus Loaded()
        {
            return (ThetaStatus)NativeMethods.theta_session_loaded(Native);
        }

        /// <summary>Nobody is there any more: a headset was taken off, the program goes to sleep (OnApplicationPause(true) in
        /// Unity). The host keeps the place for a while and sends nothing meanwhile; others see PeerAway.</summary>
        public ThetaStatus Suspend()
        {
            return (ThetaStatus)NativeMethods.theta_session_suspend(Native);
        }

        /// <summary>Somebody is there again: the session goes on in the same place, on the same link or a new one.</summary>
        public ThetaStatus Resume()
        {
            return (ThetaStatus)NativeMethods.theta_session_resume(Native);
        }

        /// <summary>The system has another network: the session goes on from a new socket at once.</summary>
        public ThetaStatus NetworkChanged()
        {
            return (ThetaStatus)NativeMethods.theta_session_network_changed(Native);
        }

        /// <summary>Sends the newest input. The struct is reused by the caller.</summary>
        public unsafe ThetaStatus SendInput(ref InputSample input)
        {
            theta_session session = Native;
            input.StructSize = (uint)sizeof(InputSample);
            fixed (InputSample* p = &input)
            {
                return (ThetaStatus)NativeMethods.theta_session_send_input(session, (theta_input*)p);
            }
        }

        /// <summary>The fractional tick to show at a time of the clock ThetaRuntime.NowNs. Any thread.</summary>
        public unsafe ThetaStatus RenderTick(ulong displayTimeNs, out double tick)
        {
            double at = 0;
            int status = NativeMethods.theta_session_render_tick(Native, displayTimeNs, &at);
            tick = at;
            return (ThetaStatus)status;
        }
    }
}
