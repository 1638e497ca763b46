// What for: one tick, held still while it is read. Must never: move or change while held. Called by: the frame loop and its
// jobs.
using System;
using System.Runtime.InteropServices;
using Theta.Interop;

namespace Theta
{
    /// <summary>One complete tick. Eight bytes, blittable: pass it to jobs. Reads may come from any thread. Release it with
    /// <see cref="Dispose"/>, once; a copy that is used afterwards gets <see cref="ThetaStatus.HandleStale"/>. Rows and
    /// columns of one component come in the same order.</summary>
    public readonly struct Frame : IDisposable
    {
        private readonly ulong _bits;

        internal Frame(ulong bits)
        {
            _bits = bits;
        }

        /// <summary>False for the default value and when acquiring failed.</summary>
        public bool IsValid
        {
            get { return _bits != 0; }
        }

        private theta_frame Native
        {
            get { return new theta_frame { bits = _bits }; }
        }

        /// <summary>Tick, hash and counts.</summary>
        public unsafe ThetaStatus GetInfo(out FrameInfo info)
        {
            FrameInfo filled = default(FrameInfo);
            filled.StructSize = (uint)sizeof(FrameInfo);
            int status = NativeMethods.theta_frame_info_get(Native, (theta_frame_info*)&filled);
            info = filled;
            return (ThetaStatus)status;
        }

        /// <summary>All entities. Truncated when the buffer is short; <paramref name="count"/> is then how many there are.</summary>
        public ThetaStatus Entities(Span<EntityRow> destination, out int count)
        {
            return Rows(0, destination, out count);
        }

        /// <summary>The entities that have a component.</summary>
        public ThetaStatus Entities(ThetaComponent component, Span<EntityRow> destination, out int count)
        {
            return Rows(component.Id, destination, out count);
        }

        /// <summary>Whole structs, one per entity that has the component.</summary>
        public ThetaStatus Read<T>(ThetaComponent<T> component, Span<T> destination, out int count)
            where T : struct
        {
            return Column(component.Id, 0, component.SizeBytes, destination, out count);
        }

        /// <summary>One field, packed.</summary>
        public ThetaStatus Read<T>(ThetaField<T> field, Span<T> destination, out int count)
            where T : struct
        {
            return Column(field.ComponentId, field.FieldId, field.SizeBytes, destination, out count);
        }

        /// <summary>The quantised lanes of each row, <see cref="ThetaComponent.Lanes"/> values a row: what the hash covers.</summary>
        public unsafe ThetaStatus ReadQuantised(ThetaComponent component, Span<long> destination, out int count)
        {
            uint written = 0;
            int lanes = Math.Max(component.Lanes, 1);
            int status;
            fixed (long* p = &MemoryMarshal.GetReference(destination))
            {
                status = NativeMethods.theta_frame_read(
                    Native, component.Id, 0, NativeMethods.THETA_READ_QUANTISED, p, (ulong)(lanes * 8),
                    (uint)(destination.Length / lanes), &written);
            }
            count = (int)written;
            return (ThetaStatus)status;
        }

        /// <summary>Into memory of the caller, for NativeArray and Burst: <paramref name="capacity"/> rows,
        /// <paramref name="strideBytes"/> apart; field 0 is the whole struct.</summary>
        public unsafe ThetaStatus Read(
            ulong component, uint field, void* destination, long strideBytes, int capacity, out int count)
        {
            uint written = 0;
            int status = NativeMethods.theta_frame_read(
                Native, component, field, 0, destination, (ulong)strideBytes, (uint)Math.Max(capacity, 0), &written);
            count = (int)written;
            return (ThetaStatus)status;
        }

        /// <summary>The spawn payload of an entity.</summary>
        public unsafe ThetaStatus Payload(EntityId entity, Span<byte> destination, out int length)
        {
            ulong needed = 0;
            int status;
            fixed (byte* p = &MemoryMarshal.GetReference(destination))
            {
                status = NativeMethods.theta_frame_payload(
                    Native, entity.Bits, p, (ulong)destination.Length, &needed);
            }
            length = (int)needed;
            return (ThetaStatus)status;
        }

        /// <summary>Releases the frame. Releasing a copy again does nothing.</summary>
        public void Dispose()
        {
            if (_bits != 0)
            {
                NativeMethods.theta_frame_release(Native);
            }
        }

        private unsafe ThetaStatus Rows(ulong component, Span<EntityRow> destination, out int count)
        {
            uint written = 0;
            int status;
            fixed (EntityRow* p = &MemoryMarshal.GetReference(destination))
            {
                status = NativeMethods.theta_frame_entities(
                    Native, component, (theta_entity_row*)p, (uint)sizeof(EntityRow), (uint)destination.Length, &written);
            }
            count = (int)written;
            return (ThetaStatus)status;
        }

        private unsafe ThetaStatus Column<T>(ulong component, uint field, int stride, Span<T> destination, out int count)
            where T : struct
        {
            uint written = 0;
            int status;
            fixed (byte* p = &MemoryMarshal.GetReference(MemoryMarshal.AsBytes(destination)))
            {
                status = NativeMethods.theta_frame_read(
                    Native, component, field, 0, p, (ulong)stride, (uint)destination.Length, &written);
            }
            count = (int)written;
            return (ThetaStatus)status;
        }
    }
}
