// The structs of the tests: every kind once, and the two components of the samples.
using System.Runtime.InteropServices;

namespace Theta.Tests
{
    /// <summary>A list of up to 6 floats.</summary>
    [ThetaInline(ThetaKind.List, 6, Element = ThetaKind.F32)]
    [StructLayout(LayoutKind.Sequential)]
    public unsafe struct Floats6
    {
        public uint Length;
        public fixed float Items[6];
    }

    /// <summary>A list of up to 3 longs: its elements start at 8.</summary>
    [ThetaInline(ThetaKind.List, 3, Element = ThetaKind.I64)]
    [StructLayout(LayoutKind.Sequential)]
    public unsafe struct Longs3
    {
        public uint Length;
        public fixed long Items[3];
    }

    [ThetaComponent("test.all_kinds")]
    [StructLayout(LayoutKind.Sequential)]
    public struct AllKinds
    {
        [ThetaField(1, Min = -100, Max = 100)] public sbyte I8;
        [ThetaField(2, Min = -30000, Max = 30000)] public short I16;
        [ThetaField(3, Min = -1000000, Max = 1000000)] public int I32;
        [ThetaField(4, Min = -1e12, Max = 1e12)] public long I64;
        [ThetaField(5, Max = 200)] public byte U8;
        [ThetaField(6, Max = 60000)] public ushort U16;
        [ThetaField(7, Max = 4000000000)] public uint U32;
        [ThetaField(8, Max = 1e15)] public ulong U64;
        [ThetaField(9, Kind = ThetaKind.Flags, Bits = 12)] public ushort Flags;
        [ThetaField(10, Min = -10, Max = 10, Step = 0.001)] public float F32;
        [ThetaField(11, Min = -1e6, Max = 1e6, Step = 0.0001)] public double F64;
        [ThetaField(12, Min = -8, Max = 8, Step = 0.01)] public Vec2 V2;
        [ThetaField(13, Min = -8, Max = 8, Step = 0.01, Semantic = ThetaSemantic.Point)] public Vec3 V3;
        [ThetaField(14, Min = -8, Max = 8, Step = 0.01)] public Vec4 V4;
        [ThetaField(15, Min = -1e6, Max = 1e6, Step = 0.001)] public DVec3 D3;
        [ThetaField(16, Bits = 14, Semantic = ThetaSemantic.Rotation)] public Quat Q;
        [ThetaField(17)] public EntityId Target;
        [ThetaField(18)] public Text32 Label;
        [ThetaField(19)] public Blob64 Blob;
        [ThetaField(20, Min = -100, Max = 100, Step = 0.5)] public Floats6 Floats;
        [ThetaField(21, Min = -1000, Max = 1000)] public Longs3 Longs;
    }

    [ThetaComponent("demo.cube")]
    [StructLayout(LayoutKind.Sequential)]
    public struct DemoCube
    {
        [ThetaField(1, Min = -32, Max = 31.9990234375, Step = 1.0 / 1024, Semantic = ThetaSemantic.Point)]
        public Vec3 Position;

        [ThetaField(2, Bits = 10, Semantic = ThetaSemantic.Rotation)]
        public Quat Rotation;

        [ThetaField(3, Min = -32, Max = 31.984375, Step = 1.0 / 64, Semantic = ThetaSemantic.Point)]
        public Vec3 LinearVelocity;
    }

    [ThetaComponent("demo.avatar")]
    [StructLayout(LayoutKind.Sequential)]
    public struct DemoAvatar
    {
        private const double Max = 31.999755859375;
        private const double Step = 1.0 / 4096;

        [ThetaField(1, Min = -32, Max = Max, Step = Step, Semantic = ThetaSemantic.Point)] public Vec3 HeadPosition;
        [ThetaField(2, Bits = 12, Semantic = ThetaSemantic.Rotation)] public Quat HeadRotation;
        [ThetaField(3, Min = -32, Max = Max, Step = Step, Semantic = ThetaSemantic.Point)] public Vec3 LeftPosition;
        [ThetaField(4, Bits = 12, Semantic = ThetaSemantic.Rotation)] public Quat LeftRotation;
        [ThetaField(5, Min = -32, Max = Max, Step = Step, Semantic = ThetaSemantic.Point)] public Vec3 RightPosition;
        [ThetaField(6, Bits = 12, Semantic = ThetaSemantic.Rotation)] public Quat RightRotation;
        [ThetaField(7, Max = 68719476735, Step = 1)] public double MotionTimeUs;
    }

    /// <summary>The same two components without reflection.</summary>
    public static class DemoBuilders
    {
        public static ComponentBuilder Cube()
        {
            return new ComponentBuilder("demo.cube")
                .Vec3(1, "position", -32, 31.9990234375, 1.0 / 1024, ThetaSemantic.Point)
                .Quat(2, "rotation", 10)
                .Vec3(3, "linear_velocity", -32, 31.984375, 1.0 / 64, ThetaSemantic.Point);
        }

        public static ComponentBuilder Avatar()
        {
            const double max = 31.999755859375;
            const double step = 1.0 / 4096;
            return new ComponentBuilder("demo.avatar")
                .Vec3(1, "head_position", -32, max, step, ThetaSemantic.Point)
                .Quat(2, "head_rotation", 12)
                .Vec3(3, "left_position", -32, max, step, ThetaSemantic.Point)
                .Quat(4, "left_rotation", 12)
                .Vec3(5, "right_position", -32, max, step, ThetaSemantic.Point)
                .Quat(6, "right_rotation", 12)
                .F64(7, "motion_time_us", 0, 68719476735, 1);
        }
    }
}
