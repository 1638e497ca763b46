// The same component declared in C# and in C (bindings/csharp/tests/peer.c), and a program of each in one session: what
// arrives must be the same bits, padding and all.
using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;
using System.Threading;
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
            using (CPeer peer = new CPeer(program, link.Host.Ticket()))
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
                    Dictionary<string, string> seen = peer.Ask(link, info.Tick);

                    // Both programs gave the library zeroed memory, so what it leaves between the fields is zero in both.
                    Assert.AreEqual(
                        Hex(MemoryMarshal.AsBytes(new ReadOnlySpan<AllKinds>(rows))), seen["bytes"], "the struct as memory");
                    Assert.AreEqual(Hex(MemoryMarshal.AsBytes(new ReadOnlySpan<long>(lanes))), seen["lanes"]);
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
            Assert.AreEqual(Hex(Encoding.UTF8.GetBytes(written.Label.ToString())), seen["label"]);
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

        private static string Hex(ReadOnlySpan<byte> bytes)
        {
            StringBuilder text = new StringBuilder(bytes.Length * 2);
            foreach (byte b in bytes)
            {
                text.Append(b.ToString("x2"));
            }
            return text.ToString();
        }

        /// <summary>The program in C: it is told a tick and a number of lanes, and answers with lines "name value", then "end".</summary>
        private sealed class CPeer : IDisposable
        {
            private readonly Process _process;

            internal CPeer(string program, string ticket)
            {
                _process = Process.Start(new ProcessStartInfo(program, ticket)
                {
                    UseShellExecute = false,
                    RedirectStandardInput = true,
                    RedirectStandardOutput = true,
                });
            }

            internal Dictionary<string, string> Ask(Loopback link, uint tick)
            {
                Dictionary<string, string> answer = new Dictionary<string, string>();
                bool isWhole = false;
                // The program waits for the host, which this thread drives; so another one waits for the program.
                Thread reader = new Thread(delegate()
                {
                    _process.StandardInput.WriteLine(tick + " " + link.Kinds.Lanes);
                    _process.StandardInput.Flush();
                    for (string line = _process.StandardOutput.ReadLine(); line != null; line = _process.StandardOutput.ReadLine())
                    {
                        int space = line.IndexOf(' ');
                        if (space < 0)
                        {
                            isWhole = line == "end";
                            return;
                        }
                        answer[line.Substring(0, space)] = line.Substring(space + 1);
                    }
                });
                reader.IsBackground = true;
                reader.Start();
                link.Until(delegate { return !reader.IsAlive; }, "the program in C has answered");
                reader.Join();
                Assert.IsTrue(isWhole, "the program in C gave up: " + (answer.ContainsKey("error") ? answer["error"] : "?"));
                return answer;
            }

            public void Dispose()
            {
                _process.StandardInput.Close();
                if (!_process.WaitForExit(Loopback.TimeoutMs))
                {
                    _process.Kill();
                }
                _process.Dispose();
            }
        }
    }
}
