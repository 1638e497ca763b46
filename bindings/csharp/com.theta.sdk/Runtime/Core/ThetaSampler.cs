// What for: values of others between two ticks, at the time a display frame will be seen. Must never: touch the session's
// serial state; it may run on a render thread. Called by: before-render code.
using System;
using System.Runtime.InteropServices;
using Theta.Interop;

namespace Theta
{
    /// <summary>How a sampled value came about.</summary>
    public enum SampleResult : byte
    {
        /// <summary>Between two known ticks.</summary>
        Interpolated = 0,
        /// <summary>Past the newest tick, within bounds.</summary>
        Extrapolated = 1,
        /// <summary>The last known value.</summary>
        Held = 2,
        /// <summary>The entity or component is not here; the row is untouched.</summary>
        Missing = 3,
    }

    /// <summary>Samples components of a joined session. All members: any thread, several at once.</summary>
    public sealed class ThetaSampler
    {
        private readonly SessionHandle _handle;

        internal ThetaSampler(SessionHandle handle)
        {
            _handle = handle;
        }

        /// <summary>Whole structs of the given entities at a fractional tick (see ThetaClient.RenderTick).
        /// <paramref name="results"/> may be empty.</summary>
        public ThetaStatus Sample<T>(
            ThetaComponent<T> component, ReadOnlySpan<EntityId> entities, double renderTick, Span<T> destination,
            Span<SampleResult> results)
            where T : struct
        {
            return Column(component.Id, 0, component.SizeBytes, entities, renderTick, destination, results);
        }

        /// <summary>One field of the given entities.</summary>
        public ThetaStatus Sample<T>(
            ThetaField<T> field, ReadOnlySpan<EntityId> entities, double renderTick, Span<T> destination,
            Span<SampleResult> results)
            where T : struct
        {
            return Column(field.ComponentId, field.FieldId, field.SizeBytes, entities, renderTick, destination, results);
        }

        /// <summary>Into memory of the caller, for NativeArray and Burst. Results may be null.</summary>
        public unsafe ThetaStatus Sample(
            ulong component, uint field, EntityId* entities, int count, double renderTick, void* destination,
            long strideBytes, SampleResult* results)
        {
            if (_handle.IsDisposed)
            {
                throw new ObjectDisposedException("ThetaSampler");
            }
            return (ThetaStatus)NativeMethods.theta_session_sample(
                new theta_session { bits = _handle.Bits }, component, field, (ulong*)entities, (uint)count, renderTick,
                destination, (ulong)strideBytes, (byte*)results);
        }

        private unsafe ThetaStatus Column<T>(
            ulong component, uint field, int stride, ReadOnlySpan<EntityId> entities, double renderTick, Span<T> destination,
            Span<SampleResult> results)
            where T : struct
        {
            if (destination.Length < entities.Length || (results.Length != 0 && results.Length < entities.Length))
            {
                return ThetaStatus.Range;
            }
            fixed (EntityId* ids = &MemoryMarshal.GetReference(entities))
            fixed (byte* data = &MemoryMarshal.GetReference(MemoryMarshal.AsBytes(destination)))
            fixed (SampleResult* how = &MemoryMarshal.GetReference(results))
            {
                return Sample(
                    component, field, ids, entities.Length, renderTick, data, stride, results.Length == 0 ? null : how);
            }
        }
    }
}
