// What for: what an application's own tests need of Theta, and what is not settled yet: any of it may change or go in the
// next version. Must never: be what a released game depends on. Called by: tests and tools.
using System;
using Theta.Interop;

namespace Theta
{
    /// <summary>What a network does to each packet, in each direction. Zeros = nothing.</summary>
    public struct LinkConditions
    {
        /// <summary>Percent of packets that are lost, each by itself; 0 to 100.</summary>
        public double LossPercent;
        /// <summary>For how long each packet is held back, at most 10000; a round trip takes twice that.</summary>
        public double LatencyMs;
        /// <summary>By how much that varies to either side, at most 10000. Packets overtake each other by it.</summary>
        public double JitterMs;
        /// <summary>The same seed decides the same for the same sequence of packets.</summary>
        public ulong Seed;
    }

    /// <summary>The experimental part of Theta.</summary>
    public static class ThetaExperimental
    {
        /// <summary>Puts the sockets of all sessions of a runtime, running and later ones, on a bad network. Can be called
        /// again; zeros end it. A link is as bad as both its ends make it together. Any thread.</summary>
        public static unsafe ThetaStatus ConditionLinks(ThetaRuntime runtime, LinkConditions conditions)
        {
            thetax_link_conditions native = default(thetax_link_conditions);
            native.struct_size = (uint)sizeof(thetax_link_conditions);
            native.loss_ppm = Whole(conditions.LossPercent * 10000);
            native.latency_us = Whole(conditions.LatencyMs * 1000);
            native.jitter_us = Whole(conditions.JitterMs * 1000);
            native.seed = conditions.Seed;
            theta_runtime handle = new theta_runtime { bits = runtime.Handle.Bits };
            return (ThetaStatus)NativeMethods.thetax_runtime_condition_links(handle, &native);
        }

        /// <summary>Makes a live client hold something else than its host in one field of fixed size, in the entity whose
        /// values have rested for longest: a Diverged event at the host names component and field, a Repaired event
        /// follows at both.</summary>
        public static ThetaStatus PlantDivergence(ThetaClient client, ulong componentId, uint fieldId)
        {
            return (ThetaStatus)NativeMethods.thetax_session_plant_divergence(client.Native, componentId, fieldId);
        }

        // What is out of range must stay so for the library to refuse it.
        private static uint Whole(double value)
        {
            return value >= 0 && value < uint.MaxValue ? (uint)(value + 0.5) : uint.MaxValue;
        }
    }
}
