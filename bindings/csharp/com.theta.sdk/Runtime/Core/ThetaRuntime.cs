// What for: the owner of Theta's threads in this process; everything else is made from it. Must never: block a finalizer,
// keep a session alive through a domain reload. Called by: the application, once, and the Unity hooks.
using System;
using System.Collections.Generic;
using Theta.Interop;

namespace Theta
{
    /// <summary>What a shutdown did.</summary>
    public struct ShutdownReport
    {
        /// <summary>Threads that ended within the deadline.</summary>
        public int ThreadsJoined;
        /// <summary>Threads that did not; <see cref="Text"/> names them.</summary>
        public int ThreadsLeft;
        /// <summary>Sessions that were open.</summary>
        public int SessionsClosed;
        /// <summary>Handles that are stale from now on.</summary>
        public int HandlesInvalidated;
        /// <summary>One sentence.</summary>
        public string Text;
    }

    /// <summary>Owns the native threads. Make one per process (or per test) and dispose it last. All methods may be called
    /// from any thread.</summary>
    public sealed class ThetaRuntime : IDisposable
    {
        /// <summary>How long <see cref="Dispose"/> waits for the native threads, in milliseconds.</summary>
        public const int DefaultShutdownDeadlineMs = 2000;

        // Weak, so that the list never keeps a forgotten runtime alive. The handles, not the objects of this class: a
        // session keeps its runtime's handle alive, also when the application has dropped the runtime itself. Editor hooks
        // walk the list before the domain goes.
        private static readonly List<WeakReference> Live = new List<WeakReference>();

        private readonly RuntimeHandle _handle;

        private ThetaRuntime(RuntimeHandle handle)
        {
            _handle = handle;
            lock (Live)
            {
                Live.RemoveAll(IsDead);
                Live.Add(new WeakReference(handle));
            }
        }

        /// <summary>Starts a runtime. Throws <see cref="ThetaException"/> when the native library is missing or of another
        /// ABI version; the message says what to do.</summary>
        public static unsafe ThetaRuntime Create()
        {
            RequireLibrary();
            theta_runtime_config config = default(theta_runtime_config);
            config.struct_size = (uint)sizeof(theta_runtime_config);
            config.abi_version = NativeMethods.THETA_ABI_VERSION;
            theta_runtime bits;
            ThetaException.Check(NativeMethods.theta_runtime_create(&config, &bits));
            return new ThetaRuntime(new RuntimeHandle(bits.bits));
        }

        /// <summary>Version, target and features of the native library.</summary>
        public static unsafe string BuildInfo
        {
            get
            {
                RequireLibrary();
                return Utf8.Static(NativeMethods.theta_build_info());
            }
        }

        /// <summary>Nanoseconds of the process-wide monotonic clock every time argument refers to. Any thread.</summary>
        public static ulong NowNs
        {
            get { return NativeMethods.theta_now_ns(); }
        }

        /// <summary>The sentence for a disconnect code. Allocates.</summary>
        public static unsafe string DisconnectText(uint code)
        {
            return Utf8.Static(NativeMethods.theta_disconnect_text(code));
        }

        /// <summary>The public key (32 bytes) that belongs to a 32-byte identity seed; a host needs it to issue a ticket.</summary>
        public static unsafe byte[] IdentityPublicKey(byte[] seed)
        {
            SessionOptions.RequireKey(seed, "seed", false);
            RequireLibrary();
            byte[] key = new byte[32];
            fixed (byte* from = seed)
            fixed (byte* to = key)
            {
                ThetaException.Check(NativeMethods.theta_identity_public_key(from, to));
            }
            return key;
        }

        /// <summary>True after <see cref="Shutdown"/>, <see cref="Detach"/> or <see cref="Dispose"/>.</summary>
        public bool IsDisposed
        {
            get { return _handle.IsDisposed; }
        }

        internal RuntimeHandle Handle
        {
            get
            {
                if (_handle.IsDisposed)
                {
                    throw new ObjectDisposedException("ThetaRuntime");
                }
                return _handle;
            }
        }

        /// <summary>A new, empty component registry.</summary>
        public ThetaRegistry CreateRegistry()
        {
            return new ThetaRegistry(this);
        }

        /// <summary>Opens a session that others join. The registry is sealed by it.</summary>
        public ThetaHost Host(ThetaRegistry registry, ThetaHostOptions options)
        {
            return ThetaHost.Open(this, registry, options);
        }

        /// <summary>Joins a session. Returns at once; progress arrives as events.</summary>
        public ThetaClient Join(ThetaRegistry registry, ThetaJoinOptions options)
        {
            return ThetaClient.Open(this, registry, options);
        }

        /// <summary>Closes every session and waits up to <paramref name="deadlineMs"/>, at most 60000, for the native threads.
        /// Objects made from this runtime stay safe to call: they answer <see cref="ThetaStatus.ShutDown"/> or a stale handle.</summary>
        public unsafe ShutdownReport Shutdown(int deadlineMs)
        {
            theta_shutdown_report native = default(theta_shutdown_report);
            native.struct_size = (uint)sizeof(theta_shutdown_report);
            ThetaException.Check(NativeMethods.theta_runtime_shutdown(
                new theta_runtime { bits = Handle.Bits }, (uint)Math.Max(deadlineMs, 0), &native));
            _handle.DisposeGone();
            return new ShutdownReport
            {
                ThreadsJoined = (int)native.threads_joined,
                ThreadsLeft = (int)native.threads_left,
                SessionsClosed = (int)native.sessions_closed,
                HandlesInvalidated = (int)native.handles_invalidated,
                Text = Utf8.Text(native.text, (int)Math.Min(native.text_length, 128u)),
            };
        }

        /// <summary>Lets go at once, without waiting; the native threads end by themselves. For a domain reload.</summary>
        public void Detach()
        {
            Detach(_handle);
        }

        /// <summary>Shuts down with <see cref="DefaultShutdownDeadlineMs"/>. Does not throw.</summary>
        public unsafe void Dispose()
        {
            if (!_handle.IsDisposed)
            {
                NativeMethods.theta_runtime_shutdown(
                    new theta_runtime { bits = _handle.Bits }, DefaultShutdownDeadlineMs, null);
                _handle.DisposeGone();
            }
        }

        /// <summary>Detaches every runtime of this domain and returns how many there were. The Editor hooks call it before a
        /// domain reload and at the start of Play Mode when domain reload is off.</summary>
        public static int DetachAll()
        {
            WeakReference[] runtimes;
            lock (Live)
            {
                runtimes = Live.ToArray();
                Live.Clear();
            }
            int detached = 0;
            foreach (WeakReference reference in runtimes)
            {
                RuntimeHandle handle = reference.Target as RuntimeHandle;
                if (handle != null && Detach(handle))
                {
                    detached++;
                }
            }
            return detached;
        }

        internal static void RequireLibrary()
        {
            string problem = AbiHandshake.Check();
            if (problem != null)
            {
                throw new ThetaException(ThetaStatus.AbiMismatch, "theta_abi_version", problem);
            }
        }

        private static bool Detach(RuntimeHandle handle)
        {
            if (handle.IsDisposed)
            {
                return false;
            }
            NativeMethods.theta_runtime_detach(new theta_runtime { bits = handle.Bits });
            handle.DisposeGone();
            return true;
        }

        private static bool IsDead(WeakReference reference)
        {
            RuntimeHandle handle = reference.Target as RuntimeHandle;
            return handle == null || handle.IsDisposed;
        }
    }
}
