// What for: one SafeHandle per owned native handle, so that a forgotten Dispose is repaired by the finalizer.
// Must never: block in ReleaseHandle (the finalizer thread runs it). Called by: the Theta assembly.
//
// The native side checks every handle by generation, so a call that races with a release gets a status, not freed memory.
// That is why the frame path passes plain bits and does not count references per call. A child holds a reference on its
// parent: finalizers run in any order, and a runtime must not go before the sessions in it.
using System;
using System.Runtime.InteropServices;

namespace Theta.Interop
{
    /// <summary>A 64-bit native handle. The value lives in its own field, because IntPtr has 32 bits on 32-bit players.</summary>
    internal abstract class NativeHandle : SafeHandle
    {
        private readonly ulong _bits;
        private readonly NativeHandle _parent;
        private volatile bool _disposed;

        protected NativeHandle(ulong bits, NativeHandle parent)
            : base(IntPtr.Zero, true)
        {
            _bits = bits;
            if (parent != null)
            {
                bool held = false;
                parent.DangerousAddRef(ref held);
                _parent = held ? parent : null;
            }
        }

        /// <summary>The handle as the ABI passes it.</summary>
        internal ulong Bits
        {
            get { return _bits; }
        }

        /// <summary>True from the first Dispose on. SafeHandle.IsClosed comes later: not before the last child is gone.</summary>
        internal bool IsDisposed
        {
            get { return _disposed; }
        }

        /// <inheritdoc/>
        public override bool IsInvalid
        {
            get { return _bits == 0; }
        }

        /// <inheritdoc/>
        protected override void Dispose(bool disposing)
        {
            _disposed = true;
            base.Dispose(disposing);
        }

        /// <summary>Gives the native object back. Must not block and must not throw.</summary>
        protected abstract void Destroy();

        /// <inheritdoc/>
        protected override bool ReleaseHandle()
        {
            Destroy();
            if (_parent != null)
            {
                _parent.DangerousRelease();
            }
            return true;
        }
    }

    /// <summary>Owns a runtime. Released without an explicit shutdown it is detached, which never waits.</summary>
    internal sealed class RuntimeHandle : NativeHandle
    {
        private bool _gone;

        internal RuntimeHandle(ulong bits)
            : base(bits, null)
        {
        }

        /// <summary>The runtime was shut down or detached by a call; the release has nothing left to do.</summary>
        internal void DisposeGone()
        {
            _gone = true;
            Dispose();
        }

        protected override void Destroy()
        {
            if (!_gone)
            {
                NativeMethods.theta_runtime_detach(new theta_runtime { bits = Bits });
            }
        }
    }

    /// <summary>Owns a component registry.</summary>
    internal sealed class RegistryHandle : NativeHandle
    {
        internal RegistryHandle(ulong bits, RuntimeHandle runtime)
            : base(bits, runtime)
        {
        }

        protected override void Destroy()
        {
            NativeMethods.theta_registry_destroy(new theta_registry { bits = Bits });
        }
    }

    /// <summary>Owns a session. Destroying it leaves gracefully in the background.</summary>
    internal sealed class SessionHandle : NativeHandle
    {
        internal SessionHandle(ulong bits, RuntimeHandle runtime)
            : base(bits, runtime)
        {
        }

        protected override void Destroy()
        {
            NativeMethods.theta_session_destroy(new theta_session { bits = Bits });
        }
    }
}
