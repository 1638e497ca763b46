// A component that exists as a struct in C# alone: 20 fields, one of every kind, padding between them. A peer in C++ and
// one in Rust know it from their own tables (bindings/csharp/tests/table_peer.*): same name, same ids, their own order.
using System;
using System.Collections.Generic;
using System.Runtime.InteropServices;
using System.Text;
using NUnit.Framework;

namespace Theta.Tests
{
    [ThetaComponent("test.only_csharp")]
    [StructLayout(LayoutKind.Sequential)]
    public struct OnlyCsharp
    {
        [ThetaField(1, Max = 200)] public byte U8;
        [ThetaField(2, Min = -1e12, Max = 1e12)] public long I64;
        [ThetaField(3, Min = -100, Max = 100)] public sbyte I8;
        [ThetaField(4, Min = -1e6, Max = 1e6, Step = 0.0001)] public double F64;
        [ThetaField(5, Min = -30000, Max = 30000)] public short I16;
        [ThetaField(6, Min = -1000000, Max = 1000000)] public int I32;
        [ThetaField(7, Max = 60000)] public ushort U16;
        [ThetaField(8, Max = 1e15)] public ulong U64;
        [ThetaField(9, Kind = ThetaKind.Flags, Bits = 7)] public byte Flags;
        [ThetaField(10, Max = 4000000000)] public uint U32;
        [ThetaField(11, Min = -10, Max = 10, Step = 0.001)] public float F32;
        [ThetaField(12, Min = -1e6, Max = 1e6, Step = 0.001)] public DVec3 D3;
        [ThetaField(13, Min = -8, Max = 8, Step = 0.01)] public Vec2 V2;
        [ThetaField(14, Min = -8, Max = 8, Step = 0.01, Semantic = ThetaSemantic.Point)] public Vec3 V3;
        [ThetaField(15, Min = -8, Max = 8, Step = 0.01)] public Vec4 V4;
        [ThetaField(16, Bits = 14, Semantic = ThetaSemantic.Rotation)] public Quat Q;

        /// <summary>The game's own: no attribute, so it never travels.</summary>
        public byte Local;

        [ThetaField(17)] public EntityId Target;
        [ThetaField(18)] public Text32 Label;
        [ThetaField(19)] public Blob64 Blob;
        [ThetaField(20, Min = -1000, Max = 1000)] public Longs3 Longs;
    }

    [TestFixture]
    [Category("Live")]
    public class LiveTableTests
    {
        private ThetaComponent<OnlyCsharp> _component;

        [Test]
        public void PeersWithTheirOwnTablesHoldTheSameBits()
        {
            using (Loopback link = new Loopback(Register).Live())
            using (PeerProgram cpp = new PeerProgram(Program("THETA_CPP_PEER"), link.Host.Ticket()))
            using (PeerProgram rust = new PeerProgram(Program("THETA_RUST_PEER"), link.Host.Ticket()))
            {
                EntityId entity;
                Assert.AreEqual(ThetaStatus.Ok, link.Host.Spawn(new ThetaSpawn().Begin(9).With(_component), out entity));
                foreach (OnlyCsharp written in new[] { Middle(entity), Edge(entity, -1), Edge(entity, 1) })
                {
                    ThetaWrite write;
                    WriteReport report;
                    Assert.AreEqual(ThetaStatus.Ok, link.Host.BeginWrite(out write));
                    Assert.AreEqual(ThetaStatus.Ok, write.Rows(_component, new[] { entity }, new[] { written }, out report));
                    Assert.AreEqual(ThetaStatus.Ok, write.Commit());

                    OnlyCsharp[] rows = new OnlyCsharp[1];
                    long[] lanes = new long[_component.Lanes];
                    FrameInfo info;
                    using (Frame frame = link.TickAndReceive())
                    {
                        int count;
                        frame.GetInfo(out info);
                        Assert.AreEqual(ThetaStatus.Ok, frame.Read(_component, rows, out count));
                        Assert.AreEqual(ThetaStatus.Ok, frame.ReadQuantised(_component, lanes, out count));
                        Assert.AreEqual(1, count);
                    }
                    Assert.AreEqual(0, rows[0].Local);
                    AssertNear(written, rows[0]);
                    foreach (PeerProgram program in new[] { cpp, rust })
                    {
                        AssertSame(link, info, rows[0], lanes, program.Ask(link, info.Tick + " " + lanes.Length));
                    }
                }
            }
        }

        /// <summary>A field of the table is of another kind: it is named.</summary>
        [Test]
        public void APeerWithAWrongTableIsToldWhichField([Values("THETA_CPP_PEER", "THETA_RUST_PEER")] string language)
        {
            using (Loopback link = new Loopback(Register).Live())
            using (PeerProgram program = new PeerProgram(Program(language), link.Host.Ticket() + " wrong"))
            {
                StringAssert.Contains("\"test.only_csharp.", program.AskInVain(link, "1 " + _component.Lanes));
            }
        }

        private void Register(ThetaRegistry registry)
        {
            _component = registry.Add<OnlyCsharp>();
            Assert.AreEqual(20, ComponentReflection.Describe(typeof(OnlyCsharp)).Fields.Count);
        }

        private static string Program(string variable)
        {
            string program = Environment.GetEnvironmentVariable(variable);
            if (string.IsNullOrEmpty(program))
            {
                Assert.Ignore(variable + " is not set: test.sh builds the program.");
            }
            return program;
        }

        /// <summary>Schema, tick hash, quantised lanes, and each field's bytes by name: layouts differ, values do not.</summary>
        private static void AssertSame(
            Loopback link, FrameInfo info, OnlyCsharp row, long[] lanes, Dictionary<string, string> seen)
        {
            Assert.AreEqual(link.Registry.SchemaHash.ToString("x16"), seen["schema"], "one schema, declared three times");
            Assert.GreaterOrEqual(uint.Parse(seen["tick"]), info.Tick);
            Assert.AreEqual(info.Fold.ToString("x16"), seen["fold"]);
            Assert.AreEqual(PeerProgram.Hex(MemoryMarshal.AsBytes(new ReadOnlySpan<long>(lanes))), seen["lanes"]);
            ReadOnlySpan<byte> bytes = MemoryMarshal.AsBytes(new ReadOnlySpan<OnlyCsharp>(new[] { row }));
            foreach (FieldSpec field in ComponentReflection.Describe(typeof(OnlyCsharp)).Fields)
            {
                ReadOnlySpan<byte> value = bytes.Slice(field.Offset, field.Size);
                if (field.Kind >= ThetaKind.String)
                {
                    // A length, then the elements, as many as it says: what lies behind them is nobody's.
                    int element = field.Kind == ThetaKind.List ? 8 : 1;
                    int length = BitConverter.ToInt32(value.Slice(0, 4).ToArray(), 0);
                    value = value.Slice(field.Kind == ThetaKind.List ? 8 : 4, length * element);
                }
                Assert.AreEqual(PeerProgram.Hex(value), seen[field.Name], field.Name);
            }
        }

        private static void AssertNear(OnlyCsharp written, OnlyCsharp read)
        {
            Assert.AreEqual(written.U8, read.U8);
            Assert.AreEqual(written.I64, read.I64);
            Assert.AreEqual(written.I8, read.I8);
            Assert.AreEqual(written.F64, read.F64, 0.00006);
            Assert.AreEqual(written.I16, read.I16);
            Assert.AreEqual(written.I32, read.I32);
            Assert.AreEqual(written.U16, read.U16);
            Assert.AreEqual(written.U64, read.U64);
            Assert.AreEqual(written.Flags, read.Flags);
            Assert.AreEqual(written.U32, read.U32);
            Assert.AreEqual(written.F32, read.F32, 0.0006);
            Assert.AreEqual(written.D3.Y, read.D3.Y, 0.0006);
            Assert.AreEqual(written.V2.Y, read.V2.Y, 0.006);
            Assert.AreEqual(written.V3.Z, read.V3.Z, 0.006);
            Assert.AreEqual(written.V4.W, read.V4.W, 0.006);
            Assert.AreEqual(Math.Abs(written.Q.W), Math.Abs(read.Q.W), 0.0002);
            Assert.AreEqual(written.Target, read.Target);
            Assert.AreEqual(written.Label.ToString(), read.Label.ToString());
            Assert.AreEqual(written.Longs.Length, read.Longs.Length);
        }

        private static unsafe OnlyCsharp Middle(EntityId target)
        {
            OnlyCsharp value = default(OnlyCsharp);
            value.U8 = 101;
            value.I64 = -123456789012L;
            value.I8 = -77;
            value.F64 = 123456.7891;
            value.I16 = -12345;
            value.I32 = 987654;
            value.U16 = 50001;
            value.U64 = 900000000000001UL;
            value.Flags = 0x55;
            value.U32 = 3000000001u;
            value.F32 = 1.2345f;
            value.D3 = new DVec3(500000.125, -1.5, 0.001);
            value.V2 = new Vec2(1.5f, -2.5f);
            value.V3 = new Vec3(0.25f, -0.5f, 7.75f);
            value.V4 = new Vec4(1, -2, 3, -4);
            value.Q = new Quat(0.5f, -0.5f, 0.5f, 0.5f);
            value.Local = 99;
            value.Target = target;
            value.Label = new Text32("äöü in the middle");
            value.Blob = new Blob64(new byte[] { 0, 255, 7 });
            value.Longs.Length = 2;
            value.Longs.Items[0] = 1000;
            value.Longs.Items[1] = -999;
            return value;
        }

        /// <summary>Every number at its least (-1) or largest (1) value; texts empty or full.</summary>
        private static unsafe OnlyCsharp Edge(EntityId target, int sign)
        {
            bool full = sign > 0;
            OnlyCsharp value = default(OnlyCsharp);
            value.U8 = (byte)(full ? 200 : 0);
            value.I64 = 1000000000000L * sign;
            value.I8 = (sbyte)(100 * sign);
            value.F64 = 1e6 * sign;
            value.I16 = (short)(30000 * sign);
            value.I32 = 1000000 * sign;
            value.U16 = (ushort)(full ? 60000 : 0);
            value.U64 = full ? 1000000000000000UL : 0;
            value.Flags = (byte)(full ? 0x7f : 0);
            value.U32 = full ? 4000000000u : 0;
            value.F32 = 10f * sign;
            value.D3 = new DVec3(1e6 * sign, 1e6 * sign, 1e6 * sign);
            value.V2 = new Vec2(8 * sign, 8 * sign);
            value.V3 = new Vec3(8 * sign, 8 * sign, 8 * sign);
            value.V4 = new Vec4(8 * sign, 8 * sign, 8 * sign, 8 * sign);
            value.Q = full ? Quat.Identity : new Quat(0, 0, -1, 0);
            value.Target = full ? target : EntityId.None;
            value.Label = new Text32(full ? new string('x', 32) : string.Empty);
            byte[] bytes = new byte[full ? 64 : 0];
            for (int i = 0; i < bytes.Length; i++)
            {
                bytes[i] = (byte)(255 - i);
            }
            value.Blob = new Blob64(bytes);
            value.Longs.Length = full ? 3u : 0u;
            for (int i = 0; i < 3; i++)
            {
                value.Longs.Items[i] = full ? 1000 - i : 0;
            }
            return value;
        }
    }
}
