// What for: what a player's device says, once per display frame. Must never: hold references; its layout is the ABI's.
// Called by: the client's late update, the host's tick.
using System;
using System.Runtime.InteropServices;

// The library reads and writes these fields through a pointer; the compiler does not see it.
#pragma warning disable 0169, 0414, 0649

namespace Theta
{
    /// <summary>Validity of a pose.</summary>
    [Flags]
    public enum PoseFlags : uint
    {
        /// <summary>Nothing known.</summary>
        None = 0,
        /// <summary>Position and rotation mean something.</summary>
        Valid = 1,
        /// <summary>They come from tracking, not from inference.</summary>
        Tracked = 2,
    }

    /// <summary>Pose and motion of a head or hand, 56 bytes.</summary>
    [StructLayout(LayoutKind.Sequential)]
    public struct Pose
    {
        /// <summary>Metres.</summary>
        public Vec3 Position;
        /// <summary>Unit quaternion.</summary>
        public Quat Rotation;
        /// <summary>Metres per second.</summary>
        public Vec3 LinearVelocity;
        /// <summary>Radians per second.</summary>
        public Vec3 AngularVelocity;
        /// <summary>Validity.</summary>
        public PoseFlags Flags;
    }

    /// <summary>Input of one moment. Reuse one variable: sending does not allocate.</summary>
    [StructLayout(LayoutKind.Sequential)]
    public unsafe struct InputSample
    {
        /// <summary>Longest <see cref="Tail"/>, bytes.</summary>
        public const int TailCapacity = 64;

        /// <summary>Number of axes.</summary>
        public const int AxisCount = 8;

        internal uint StructSize;
        /// <summary>The tick it is for; 0 lets the session number it.</summary>
        public uint InputTick;
        /// <summary>Application-defined motion clock, microseconds.</summary>
        public ulong SampledAtUs;
        /// <summary>When the frame it was sampled for will be shown, microseconds.</summary>
        public ulong TargetDisplayUs;
        /// <summary>Head.</summary>
        public Pose Head;
        /// <summary>Left hand.</summary>
        public Pose Left;
        /// <summary>Right hand.</summary>
        public Pose Right;
        /// <summary>Button bits.</summary>
        public uint Buttons;
        /// <summary>Application flags.</summary>
        public uint Flags;
        private fixed float _axes[8];
        private uint _tailLength;
        private readonly uint _reserved;
        private fixed byte _tail[64];

        /// <summary>Reads axis 0 to 7.</summary>
        public float GetAxis(int index)
        {
            if ((uint)index >= AxisCount)
            {
                throw new ArgumentOutOfRangeException("index");
            }
            fixed (float* p = _axes)
            {
                return p[index];
            }
        }

        /// <summary>Sets axis 0 to 7.</summary>
        public void SetAxis(int index, float value)
        {
            if ((uint)index >= AxisCount)
            {
                throw new ArgumentOutOfRangeException("index");
            }
            fixed (float* p = _axes)
            {
                p[index] = value;
            }
        }

        /// <summary>Sets the opaque tail, at most <see cref="TailCapacity"/> bytes.</summary>
        public void SetTail(ReadOnlySpan<byte> bytes)
        {
            if (bytes.Length > TailCapacity)
            {
                throw new ArgumentOutOfRangeException("bytes");
            }
            fixed (byte* p = _tail)
            {
                new Span<byte>(p, TailCapacity).Clear();
                bytes.CopyTo(new Span<byte>(p, TailCapacity));
            }
            _tailLength = (uint)bytes.Length;
        }

        /// <summary>Copies the tail out and returns its length.</summary>
        public int GetTail(Span<byte> destination)
        {
            int count = Math.Min((int)Math.Min(_tailLength, (uint)TailCapacity), destination.Length);
            fixed (byte* p = _tail)
            {
                new Span<byte>(p, count).CopyTo(destination);
            }
            return count;
        }
    }
}
