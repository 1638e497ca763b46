// What for: column writes into the coming tick. Must never: be kept past Commit. Called by: the host's simulation jobs.
using System;
using System.Runtime.InteropServices;
using Theta.Interop;

namespace Theta
{
    /// <summary>A write of one tick. Eight bytes, blittable. Any number of threads may write disjoint rows; then one thread
    /// calls <see cref="Commit"/> (or Dispose).</summary>
    public readonly struct ThetaWrite : IDisposable
    {
        private readonly ulong _bits;

        internal ThetaWrite(ulong bits)
        {
            _bits = bits;
        }

        /// <summary>Writes whole structs: row i goes to entity i. Write everything; only quantised changes are sent. The
        /// report counts clamped and NaN values of this batch; the rest is known at the commit.</summary>
        public ThetaStatus Rows<T>(
            ThetaComponent<T> component, ReadOnlySpan<EntityId> entities, ReadOnlySpan<T> rows, out WriteReport report)
            where T : struct
        {
            return Column(component.Id, 0, component.SizeBytes, entities, rows, out report);
        }

        /// <summary>Writes one field, packed.</summary>
        public ThetaStatus Rows<T>(
            ThetaField<T> field, ReadOnlySpan<EntityId> entities, ReadOnlySpan<T> rows, out WriteReport report)
            where T : struct
        {
            return Column(field.ComponentId, field.FieldId, field.SizeBytes, entities, rows, out report);
        }

        /// <summary>From memory of the caller, for NativeArray and Burst. Field 0 is the whole struct.</summary>
        public unsafe ThetaStatus Rows(
            ulong component, uint field, EntityId* entities, int count, void* rows, long strideBytes, out WriteReport report)
        {
            WriteReport filled = default(WriteReport);
            filled.StructSize = (uint)sizeof(WriteReport);
            int status = NativeMethods.theta_write_rows(
                new theta_write { bits = _bits }, component, field, (ulong*)entities, (uint)count, rows,
                (ulong)strideBytes, (theta_write_report*)&filled);
            report = filled;
            return (ThetaStatus)status;
        }

        /// <summary>Ends the write and tells what all its rows did together: only here it is known how many values changed and
        /// which entities were missing. Concurrent leaves the write open; after any other result a copy that is used gets a
        /// stale handle.</summary>
        public unsafe ThetaStatus Commit(out WriteReport report)
        {
            WriteReport filled = default(WriteReport);
            filled.StructSize = (uint)sizeof(WriteReport);
            int status = NativeMethods.theta_write_commit_report(
                new theta_write { bits = _bits }, (theta_write_report*)&filled);
            report = filled;
            return (ThetaStatus)status;
        }

        /// <summary>Ends the write without a report.</summary>
        public ThetaStatus Commit()
        {
            return (ThetaStatus)NativeMethods.theta_write_commit(new theta_write { bits = _bits });
        }

        /// <summary>Commits, unless that was done already.</summary>
        public void Dispose()
        {
            if (_bits != 0)
            {
                Commit();
            }
        }

        private unsafe ThetaStatus Column<T>(
            ulong component, uint field, int stride, ReadOnlySpan<EntityId> entities, ReadOnlySpan<T> rows, out WriteReport report)
            where T : struct
        {
            if (rows.Length < entities.Length)
            {
                report = default(WriteReport);
                return ThetaStatus.Range;
            }
            fixed (EntityId* ids = &MemoryMarshal.GetReference(entities))
            fixed (byte* data = &MemoryMarshal.GetReference(MemoryMarshal.AsBytes(rows)))
            {
                return Rows(component, field, ids, entities.Length, data, stride, out report);
            }
        }
    }
}
