// What for: components whose value in the game is not the struct that travels. Must never: let an exception into the
// library, or allocate in a call. Called by: the library, inside TryPoll and Tick, on the thread that called those.
//
// IL2CPP turns only static, non-generic methods with MonoPInvokeCallback into function pointers, so three such methods
// serve every codec: what they are given first is a GCHandle of the codec itself.
using System;
using System.Runtime.InteropServices;
using Theta.Interop;
#if UNITY_5_3_OR_NEWER
using AOT;
#endif

namespace Theta
{
    /// <summary>Converts between a value of the game and the struct that travels. Derive from
    /// <see cref="ThetaCodec{TElement, TValue}"/>.</summary>
    public abstract class ThetaCodec
    {
        /// <summary>Status of a value that Encode or Decode refused by returning false.</summary>
        public const int RefusedStatus = 1;

        /// <summary>Status of a value at which Encode or Decode threw.</summary>
        public const int ThrewStatus = 2;

        internal ThetaCodec()
        {
        }

        /// <summary>The last exception that Encode or Decode threw, or null. The value at which it was thrown kept its old
        /// one.</summary>
        public Exception LastException { get; internal set; }

        internal abstract bool EncodeRaw(ulong entity, IntPtr element, IntPtr value);

        internal abstract bool DecodeRaw(ulong entity, IntPtr value, IntPtr element);

        /// <summary>The last call, when nothing needs the codec any more; may come on any thread, a finalizer's too.</summary>
        internal abstract void Dropped();
    }

    /// <summary>Converts between <typeparamref name="TElement"/>, of which rows consist here, and
    /// <typeparamref name="TValue"/>, the struct whose fields travel. Both are structs without references; where the game's
    /// value is an object, let the element be its number. The library holds on to the codec until the last session, frame
    /// and registry that could need it are gone. Neither method may call a session, a registry or a frame
    /// (<see cref="ThetaStatus.Reentrant"/>); both are called once per value that changed, so they should not
    /// allocate.</summary>
    public abstract class ThetaCodec<TElement, TValue> : ThetaCodec
        where TElement : struct
        where TValue : struct
    {
        /// <summary>Makes the struct that travels; it comes with the component's defaults. Inside ThetaHost.Tick. False, or an
        /// exception, refuses: the entity keeps its old value, and a CodecFailed event says so.</summary>
        protected abstract bool Encode(EntityId entity, ref TElement element, ref TValue value);

        /// <summary>Makes the game's element; it comes as the entity's old one, zero before the first. Inside
        /// ThetaClient.TryPoll and ThetaHost.Tick. False, or an exception, refuses: the old element stays, and a CodecFailed
        /// event says so.</summary>
        protected abstract bool Decode(EntityId entity, ref TValue value, ref TElement element);

        /// <summary>Called once and last, when nothing needs the codec any more; may come on any thread, a finalizer's
        /// too. Like the other two it may not call the library, nor dispose what belongs to it.</summary>
        protected virtual void OnDropped()
        {
        }

        internal sealed override unsafe bool EncodeRaw(ulong entity, IntPtr element, IntPtr value)
        {
            return Encode(
                new EntityId(entity),
                ref MemoryMarshal.GetReference(new Span<TElement>((void*)element, 1)),
                ref MemoryMarshal.GetReference(new Span<TValue>((void*)value, 1)));
        }

        internal sealed override unsafe bool DecodeRaw(ulong entity, IntPtr value, IntPtr element)
        {
            return Decode(
                new EntityId(entity),
                ref MemoryMarshal.GetReference(new Span<TValue>((void*)value, 1)),
                ref MemoryMarshal.GetReference(new Span<TElement>((void*)element, 1)));
        }

        internal sealed override void Dropped()
        {
            OnDropped();
        }
    }

#if !UNITY_5_3_OR_NEWER
    /// <summary>Unity has its own, which IL2CPP looks for.</summary>
    [AttributeUsage(AttributeTargets.Method)]
    internal sealed class MonoPInvokeCallbackAttribute : Attribute
    {
        internal MonoPInvokeCallbackAttribute(Type type)
        {
            Type = type;
        }

        internal Type Type { get; private set; }
    }
#endif

    /// <summary>The functions that the library is given.</summary>
    internal static class CodecBridge
    {
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        private delegate int ConvertFunction(IntPtr codec, ulong entity, IntPtr from, IntPtr to);

        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        private delegate void DropFunction(IntPtr codec);

        // Kept here for good: a delegate that is collected takes its function pointer with it.
        private static readonly ConvertFunction EncodeDelegate = Encode;
        private static readonly ConvertFunction DecodeDelegate = Decode;
        private static readonly DropFunction DropDelegate = Drop;

        /// <summary>The native description; from here on the library owns the handle, and gives it back through Drop.</summary>
        internal static unsafe theta_codec Describe(ThetaCodec codec, int elementBytes)
        {
            theta_codec native = default(theta_codec);
            native.struct_size = (uint)sizeof(theta_codec);
            native.element_bytes = (uint)elementBytes;
            native.encode = (void*)Marshal.GetFunctionPointerForDelegate(EncodeDelegate);
            native.decode = (void*)Marshal.GetFunctionPointerForDelegate(DecodeDelegate);
            native.drop = (void*)Marshal.GetFunctionPointerForDelegate(DropDelegate);
            native.user_data = (void*)GCHandle.ToIntPtr(GCHandle.Alloc(codec));
            return native;
        }

        [MonoPInvokeCallback(typeof(ConvertFunction))]
        private static int Encode(IntPtr handle, ulong entity, IntPtr element, IntPtr value)
        {
            ThetaCodec codec = null;
            try
            {
                codec = (ThetaCodec)GCHandle.FromIntPtr(handle).Target;
                return codec.EncodeRaw(entity, element, value) ? 0 : ThetaCodec.RefusedStatus;
            }
            catch (Exception e)
            {
                return Threw(codec, e);
            }
        }

        [MonoPInvokeCallback(typeof(ConvertFunction))]
        private static int Decode(IntPtr handle, ulong entity, IntPtr value, IntPtr element)
        {
            ThetaCodec codec = null;
            try
            {
                codec = (ThetaCodec)GCHandle.FromIntPtr(handle).Target;
                return codec.DecodeRaw(entity, value, element) ? 0 : ThetaCodec.RefusedStatus;
            }
            catch (Exception e)
            {
                return Threw(codec, e);
            }
        }

        [MonoPInvokeCallback(typeof(DropFunction))]
        private static void Drop(IntPtr handle)
        {
            ThetaCodec codec = null;
            try
            {
                GCHandle owned = GCHandle.FromIntPtr(handle);
                codec = (ThetaCodec)owned.Target;
                owned.Free();
                codec.Dropped();
            }
            catch (Exception e)
            {
                Threw(codec, e);
            }
        }

        private static int Threw(ThetaCodec codec, Exception e)
        {
            if (codec != null)
            {
                codec.LastException = e;
            }
            return ThetaCodec.ThrewStatus;
        }
    }
}
