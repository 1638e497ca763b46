// The two components of the samples, as samples/README.md has them.
using System.Runtime.InteropServices;
using Theta;

namespace Samples
{
    [ThetaComponent("demo.cube")]
    [StructLayout(LayoutKind.Sequential)]
    internal struct DemoCube
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
    internal struct DemoAvatar
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
}
