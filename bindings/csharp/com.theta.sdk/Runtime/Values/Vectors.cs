// What for: the value types a component struct is made of, laid out as the ABI reads them. Must never: hold references or
// change size. Called by: users' component structs. In Unity they convert implicitly (see Unity/UnityValues.cs).
using System;
using System.Runtime.InteropServices;

namespace Theta
{
    /// <summary>Two floats: kind vec2.</summary>
    [StructLayout(LayoutKind.Sequential)]
    public partial struct Vec2
    {
        /// <summary>Components.</summary>
        public float X, Y;

        /// <summary>From components.</summary>
        public Vec2(float x, float y)
        {
            X = x;
            Y = y;
        }
    }

    /// <summary>Three floats: kind vec3.</summary>
    [StructLayout(LayoutKind.Sequential)]
    public partial struct Vec3
    {
        /// <summary>Components, metres in the session's basis when the field is a point.</summary>
        public float X, Y, Z;

        /// <summary>From components.</summary>
        public Vec3(float x, float y, float z)
        {
            X = x;
            Y = y;
            Z = z;
        }
    }

    /// <summary>Four floats: kind vec4.</summary>
    [StructLayout(LayoutKind.Sequential)]
    public partial struct Vec4
    {
        /// <summary>Components.</summary>
        public float X, Y, Z, W;

        /// <summary>From components.</summary>
        public Vec4(float x, float y, float z, float w)
        {
            X = x;
            Y = y;
            Z = z;
            W = w;
        }
    }

    /// <summary>Three doubles: kind dvec3, for worlds where a float's millimetre is too coarse.</summary>
    [StructLayout(LayoutKind.Sequential)]
    public struct DVec3
    {
        /// <summary>Components.</summary>
        public double X, Y, Z;

        /// <summary>From components.</summary>
        public DVec3(double x, double y, double z)
        {
            X = x;
            Y = y;
            Z = z;
        }
    }

    /// <summary>A unit quaternion, x y z w: kind quat. The default of the struct is not a rotation; use
    /// <see cref="Identity"/>.</summary>
    [StructLayout(LayoutKind.Sequential)]
    public partial struct Quat
    {
        /// <summary>Components.</summary>
        public float X, Y, Z, W;

        /// <summary>From components.</summary>
        public Quat(float x, float y, float z, float w)
        {
            X = x;
            Y = y;
            Z = z;
            W = w;
        }

        /// <summary>No rotation.</summary>
        public static Quat Identity
        {
            get { return new Quat(0, 0, 0, 1); }
        }
    }

    /// <summary>A replicated entity: index in bits 0..32, generation in 32..62, bit 63 set for ids that derive from a log
    /// entry. Zero is no entity. Kind entity when it is a field.</summary>
    [StructLayout(LayoutKind.Sequential)]
    public struct EntityId : IEquatable<EntityId>
    {
        /// <summary>The id as it crosses the ABI.</summary>
        public ulong Bits;

        /// <summary>From bits.</summary>
        public EntityId(ulong bits)
        {
            Bits = bits;
        }

        /// <summary>No entity.</summary>
        public static EntityId None
        {
            get { return default(EntityId); }
        }

        /// <summary>True when this is no entity.</summary>
        public bool IsNone
        {
            get { return Bits == 0; }
        }

        /// <inheritdoc/>
        public bool Equals(EntityId other)
        {
            return Bits == other.Bits;
        }

        /// <inheritdoc/>
        public override bool Equals(object other)
        {
            return other is EntityId && ((EntityId)other).Bits == Bits;
        }

        /// <inheritdoc/>
        public override int GetHashCode()
        {
            return Bits.GetHashCode();
        }

        /// <inheritdoc/>
        public override string ToString()
        {
            return Bits == 0 ? "none" : (Bits & 0xffffffffUL) + "v" + ((Bits >> 32) & 0x3fffffffUL);
        }

        /// <summary>Same id.</summary>
        public static bool operator ==(EntityId left, EntityId right)
        {
            return left.Bits == right.Bits;
        }

        /// <summary>Another id.</summary>
        public static bool operator !=(EntityId left, EntityId right)
        {
            return left.Bits != right.Bits;
        }
    }
}
