// What for: the words a component is described with. Must never: differ from the header's constants (a test compares them).
// Called by: attributes and the builder.
using System;

namespace Theta
{
    /// <summary>How a field is stored and quantised.</summary>
    public enum ThetaKind : byte
    {
        /// <summary>Take the kind from the C# type (attributes only).</summary>
        Inferred = 0,
        /// <summary>sbyte.</summary>
        I8 = 1,
        /// <summary>short.</summary>
        I16 = 2,
        /// <summary>int.</summary>
        I32 = 3,
        /// <summary>long.</summary>
        I64 = 4,
        /// <summary>byte.</summary>
        U8 = 5,
        /// <summary>ushort.</summary>
        U16 = 6,
        /// <summary>uint.</summary>
        U32 = 7,
        /// <summary>ulong.</summary>
        U64 = 8,
        /// <summary>Bit set in a byte, ushort, uint or ulong, by the number of bits.</summary>
        Flags = 9,
        /// <summary>float with range and step.</summary>
        F32 = 10,
        /// <summary>double with range and step.</summary>
        F64 = 11,
        /// <summary>Vec2.</summary>
        Vec2 = 12,
        /// <summary>Vec3.</summary>
        Vec3 = 13,
        /// <summary>Vec4.</summary>
        Vec4 = 14,
        /// <summary>DVec3.</summary>
        DVec3 = 15,
        /// <summary>Quat, x y z w.</summary>
        Quat = 16,
        /// <summary>EntityId.</summary>
        Entity = 17,
        /// <summary>Inline UTF-8, see ThetaInlineAttribute.</summary>
        String = 18,
        /// <summary>Inline bytes.</summary>
        Bytes = 19,
        /// <summary>Inline list of integers or floats.</summary>
        List = 20,
    }

    /// <summary>Who may write a component.</summary>
    public enum ThetaAuthority
    {
        /// <summary>The host.</summary>
        Host = 0,
        /// <summary>The owner of the entity.</summary>
        Owner = 1,
        /// <summary>It travels with input only.</summary>
        Input = 2,
    }

    /// <summary>What a field means, for the conversion between engine bases.</summary>
    public enum ThetaSemantic : byte
    {
        /// <summary>Plain numbers.</summary>
        None = 0,
        /// <summary>A place or anything with a length: offsets, linear velocities, extents. Axes and units are
        /// converted.</summary>
        Point = 1,
        /// <summary>A unit vector: axes are converted, units are not.</summary>
        Direction = 2,
        /// <summary>A rotation.</summary>
        Rotation = 3,
        /// <summary>Radians per second about an axis.</summary>
        AngularVelocity = 4,
        /// <summary>A scale.</summary>
        Scale = 5,
    }

    /// <summary>What a change is coded against.</summary>
    public enum ThetaPredictor : byte
    {
        /// <summary>The value at the baseline.</summary>
        Hold = 0,
        /// <summary>Nothing; changes are coded whole.</summary>
        None = 1,
        /// <summary>The baseline carried on along its last change.</summary>
        Linear = 2,
        /// <summary>Like linear, falling.</summary>
        Ballistic = 3,
        /// <summary>Turned on about its axis.</summary>
        AngularVelocity = 4,
    }

    /// <summary>How a change is written.</summary>
    public enum ThetaDiff : byte
    {
        /// <summary>As its distance from the prediction.</summary>
        Residual = 0,
        /// <summary>As the new value.</summary>
        Replace = 1,
    }

    /// <summary>Marks a blittable struct as a component.</summary>
    [AttributeUsage(AttributeTargets.Struct)]
    public sealed class ThetaComponentAttribute : Attribute
    {
        /// <summary>The wire name, lower case with dots, such as "demo.cube". The component id is its hash.</summary>
        public ThetaComponentAttribute(string name)
        {
            Name = name;
        }

        /// <summary>The wire name.</summary>
        public string Name { get; private set; }

        /// <summary>Who may write it.</summary>
        public ThetaAuthority Authority { get; set; }

        /// <summary>Application version that introduced it; informative.</summary>
        public string SinceVersion { get; set; }
    }

    /// <summary>Marks a field of a component struct as replicated. Fields without it stay local.</summary>
    [AttributeUsage(AttributeTargets.Field)]
    public sealed class ThetaFieldAttribute : Attribute
    {
        /// <summary>Ids start at 1 and are never reused.</summary>
        public ThetaFieldAttribute(ushort id)
        {
            Id = id;
        }

        /// <summary>Stable id within the component.</summary>
        public ushort Id { get; private set; }

        /// <summary>Wire name; otherwise the field's name in snake_case.</summary>
        public string Name { get; set; }

        /// <summary>Needed for flags; otherwise inferred from the C# type.</summary>
        public ThetaKind Kind { get; set; }

        /// <summary>Smallest value (numbers and each vector component).</summary>
        public double Min { get; set; }

        /// <summary>Largest value.</summary>
        public double Max { get; set; }

        /// <summary>Quantisation step; 0 means 1 for integers.</summary>
        public double Step { get; set; }

        /// <summary>Bits per component of a quaternion, or the number of flag bits.</summary>
        public int Bits { get; set; }

        /// <summary>Meaning, for basis conversion.</summary>
        public ThetaSemantic Semantic { get; set; }

        /// <summary>What a change is coded against.</summary>
        public ThetaPredictor Predictor { get; set; }

        /// <summary>How a change is written.</summary>
        public ThetaDiff Diff { get; set; }

        /// <summary>True when only the command log writes the field.</summary>
        public bool Document { get; set; }

        /// <summary>Up to four numbers; a quaternion's default is the identity.</summary>
        public double[] Default { get; set; }

        /// <summary>Default of an integer or flags field.</summary>
        public long DefaultInteger { get; set; }
    }
}
