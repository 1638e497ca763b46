// The same component declared in C# and in C (bindings/csharp/tests/peer.c), and a program of each in one session: what
// arrives must be the same bits, padding and all.
using System;
using System.Collections.Generic;
using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;
using NUnit.Framework;

namespace Theta.Tests
{
    [TestFixture]
    [Category("Live")]
    public class LiveCrossTests
    {
        [Test]
        public unsafe void APeerInCHoldsTheSameBits()
        {
            string program = Environment.GetEnvironmentVariable("THETA_C_PEER");
            if (string.IsNullOrEmpty(program))
            {
                Assert.Ignore("THETA_C_PEER is not set: test.sh compiles the program.");
            }
            using (Loopback link = new Loopback().Live())
            using (PeerProgram peer = new PeerProgram(program, link.Host.Ticket()))
            {
                EntityId entity;
                AllKinds written = LiveValueTests.Sample(new EntityId(1UL << 33 | 5), 1);
                Assert.AreEqual(
                    ThetaStatus.Ok, link.Host.Spawn(new ThetaSpawn().Begin(9).With(link.Kinds, written), out entity));
                for (int variant = 1; variant <= 2; variant++)
                {
                    written = LiveValueTests.Sample(entity, variant);
                    ThetaWrite write;
                    WriteReport report;
                    Assert.AreEqual(ThetaStatus.Ok, link.Host.BeginWrite(out write));
                    write.Rows(link.Kinds, new[] { entity }, new[] { written }, out report);
                    Assert.AreEqual(ThetaStatus.Ok, write.Commit());

                    AllKinds[] rows = new AllKinds[1];
                    long[] lanes = new long[link.Kinds.Lanes];
                    FrameInfo info;
                    int count;
                    using (Frame frame = link.TickAndReceive())
                    {
                        frame.GetInfo(out info);
                        Assert.AreEqual(ThetaStatus.Ok, frame.Read(link.Kinds, rows, out count));
                        Assert.AreEqual(ThetaStatus.Ok, frame.ReadQuantised(link.Kinds, lanes, out count));
                    }
                    Dictionary<string, string> seen = peer.Ask(link, info.Tick + " " + link.Kinds.Lanes);

                    // Both programs gave the library zeroed memory, so what it leaves between the fields is zero in both.
                    Assert.AreEqual(
                        PeerProgram.Hex(MemoryMarshal.AsBytes(new ReadOnlySpan<AllKinds>(rows))), seen["bytes"], "the struct as memory");
                    Assert.AreEqual(PeerProgram.Hex(MemoryMarshal.AsBytes(new ReadOnlySpan<long>(lanes))), seen["lanes"]);
                    Assert.AreEqual(
                        link.Registry.SchemaHash.ToString("x16"), seen["schema"], "one schema, declared twice");
                    Assert.AreEqual(info.Fold.ToString("x16"), seen["fold"]);
                    AssertFields(written, seen);
                }
            }
        }

        /// <summary>By name, so that two mistakes of layout cannot cancel out.</summary>
        private static unsafe void AssertFields(AllKinds written, Dictionary<string, string> seen)
        {
            Assert.AreEqual(written.I8.ToString(), seen["i8"]);
            Assert.AreEqual(written.I16.ToString(), seen["i16"]);
            Assert.AreEqual(written.I32.ToString(), seen["i32"]);
            Assert.AreEqual(written.I64.ToString(), seen["i64"]);
            Assert.AreEqual(written.U8.ToString(), seen["u8"]);
            Assert.AreEqual(written.U16.ToString(), seen["u16"]);
            Assert.AreEqual(written.U32.ToString(), seen["u32"]);
            Assert.AreEqual(written.U64.ToString(), seen["u64"]);
            Assert.AreEqual(written.Flags.ToString(), seen["flags"]);
            Assert.AreEqual(written.F32, Number(seen["f32"]), 0.0006);
            Assert.AreEqual(written.F64, Number(seen["f64"]), 0.00006);
            Assert.AreEqual(written.V2.X, Number(seen["v2.x"]), 0.006);
            Assert.AreEqual(written.V3.Z, Number(seen["v3.z"]), 0.006);
            Assert.AreEqual(written.V4.W, Number(seen["v4.w"]), 0.006);
            Assert.AreEqual(written.D3.X, Number(seen["d3.x"]), 0.0006);
            Assert.AreEqual(Math.Abs(written.Q.Y), Math.Abs(Number(seen["q.y"])), 0.0002);
            Assert.AreEqual(written.Target.Bits.ToString(), seen["target"]);
            Assert.AreEqual(PeerProgram.Hex(Encoding.UTF8.GetBytes(written.Label.ToString())), seen["label"]);
            Assert.AreEqual("00ff" + written.Longs.Items[2].ToString("x2"), seen["blob"]);
            Assert.AreEqual(written.Floats.Length.ToString(), seen["floats"]);
            Assert.AreEqual(written.Floats.Items[1], Number(seen["floats.1"]), 0.26);
            Assert.AreEqual(written.Longs.Length.ToString(), seen["longs"]);
            Assert.AreEqual(written.Longs.Items[1].ToString(), seen["longs.1"]);
        }

        private static double Number(string text)
        {
            return double.Parse(text, CultureInfo.InvariantCulture);
        }
    }
}
