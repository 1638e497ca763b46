// Values over the real library: what the host writes is what a client reads, tick by tick.
using System;
using System.Collections.Generic;
using System.Text;
using System.Threading;
using NUnit.Framework;

namespace Theta.Tests
{
    [TestFixture]
    [Category("Live")]
    public class LiveValueTests
    {
        [Test]
        public unsafe void EveryKindArrivesAsItWasWritten()
        {
            using (Loopback link = new Loopback().Live())
            {
                EntityId other;
                EntityId entity;
                ThetaSpawn spawn = new ThetaSpawn();
                Assert.AreEqual(ThetaStatus.Ok, link.Host.Spawn(spawn.Begin(9).With(link.Cube), out other));

                AllKinds first = Sample(other, 1);
                Assert.AreEqual(
                    ThetaStatus.Ok,
                    link.Host.Spawn(
                        spawn.Begin(4).Owner(0).PersistentId(77).HostTag(5).Parent(other)
                            .Payload(Encoding.UTF8.GetBytes("hello")).With(link.Kinds, first),
                        out entity));
                EntityRow[] rows = new EntityRow[8];
                AllKinds[] values = new AllKinds[8];
                int count;
                using (Frame frame = link.TickAndReceive())
                {
                    Assert.AreEqual(ThetaStatus.Ok, frame.Entities(link.Kinds, rows, out count));
                    Assert.AreEqual(1, count);
                    Assert.AreEqual(entity, rows[0].Id);
                    Assert.AreEqual(4u, rows[0].TypeId);
                    Assert.AreEqual(77UL, rows[0].PersistentId);
                    Assert.AreEqual(other, rows[0].Parent);
                    Assert.AreEqual(0UL, rows[0].HostTag, "tags are local");
                    byte[] payload = new byte[16];
                    int length;
                    Assert.AreEqual(ThetaStatus.Ok, frame.Payload(entity, payload, out length));
                    Assert.AreEqual("hello", Encoding.UTF8.GetString(payload, 0, length));
                    Assert.AreEqual(ThetaStatus.Ok, frame.Read(link.Kinds, values, out count));
                    AssertEqual(first, values[0]);
                    Assert.AreEqual(ThetaStatus.Ok, frame.Entities(rows, out count));
                    Assert.AreEqual(2, count);
                }

                // And as a column write, with a local tag on the client's side.
                AllKinds second = Sample(EntityId.None, 2);
                ThetaWrite write;
                WriteReport report;
                Assert.AreEqual(ThetaStatus.Ok, link.Host.BeginWrite(out write));
                Assert.AreEqual(
                    ThetaStatus.Ok, write.Rows(link.Kinds, new[] { entity }, new[] { second }, out report));
                Assert.AreEqual(ThetaStatus.Ok, write.Commit(out report));
                Assert.AreEqual(21u, report.Changed, "every field is another");
                Assert.AreEqual(ThetaStatus.Ok, link.Client.SetHostTag(entity, 4711));
                using (Frame frame = link.TickAndReceive())
                {
                    Assert.AreEqual(ThetaStatus.Ok, frame.Read(link.Kinds, values, out count));
                    AssertEqual(second, values[0]);
                    frame.Entities(link.Kinds, rows, out count);
                    Assert.AreEqual(4711UL, rows[0].HostTag);

                    // One field alone, both ways.
                    Vec3[] points = new Vec3[4];
                    Assert.AreEqual(ThetaStatus.Ok, frame.Read(link.Kinds.Field<Vec3>(13), points, out count));
                    Assert.AreEqual(second.V3.Y, points[0].Y, 0.011f);
                }
                Assert.AreEqual(ThetaStatus.Ok, link.Host.BeginWrite(out write));
                write.Rows(link.Kinds.Field<float>(10), new[] { entity }, new[] { -3.5f }, out report);
                write.Commit();
                using (Frame frame = link.TickAndReceive())
                {
                    frame.Read(link.Kinds, values, out count);
                    Assert.AreEqual(-3.5f, values[0].F32, 0.001f);
                    Assert.AreEqual(second.I32, values[0].I32);
                }
            }
        }

        internal static unsafe AllKinds Sample(EntityId target, int variant)
        {
            AllKinds value = default(AllKinds);
            int sign = variant == 1 ? 1 : -1;
            value.I8 = (sbyte)(-77 * sign);
            value.I16 = (short)(-12345 * sign);
            value.I32 = 987654 * sign;
            value.I64 = -123456789012L * sign;
            value.U8 = (byte)(100 + variant);
            value.U16 = (ushort)(50000 + variant);
            value.U32 = 3000000000u + (uint)variant;
            value.U64 = 900000000000000UL + (ulong)variant;
            value.Flags = (ushort)(0xA53 >> variant);
            value.F32 = 1.25f * sign;
            value.F64 = 123456.7891 * sign;
            value.V2 = new Vec2(1.5f * sign, -2.5f);
            value.V3 = new Vec3(0.25f, -0.5f * sign, 7.75f);
            value.V4 = new Vec4(1, -2, 3 * sign, -4);
            value.D3 = new DVec3(500000.125 * sign, -1.5, 0.001);
            value.Q = new Quat(0.5f, -0.5f, 0.5f * sign, 0.5f);
            value.Target = target;
            value.Label = new Text32("label " + variant + " äöü");
            value.Blob = new Blob64(new byte[] { 0, 255, (byte)variant });
            value.Floats.Length = 2;
            value.Floats.Items[0] = -1.5f * sign;
            value.Floats.Items[1] = 99.5f;
            value.Longs.Length = 3;
            value.Longs.Items[0] = 1000;
            value.Longs.Items[1] = -1000 * sign;
            value.Longs.Items[2] = variant;
            return value;
        }

        private static unsafe void AssertEqual(AllKinds expected, AllKinds actual)
        {
            Assert.AreEqual(expected.I8, actual.I8);
            Assert.AreEqual(expected.I16, actual.I16);
            Assert.AreEqual(expected.I32, actual.I32);
            Assert.AreEqual(expected.I64, actual.I64);
            Assert.AreEqual(expected.U8, actual.U8);
            Assert.AreEqual(expected.U16, actual.U16);
            Assert.AreEqual(expected.U32, actual.U32);
            Assert.AreEqual(expected.U64, actual.U64);
            Assert.AreEqual(expected.Flags, actual.Flags);
            Assert.AreEqual(expected.F32, actual.F32, 0.0006f);
            Assert.AreEqual(expected.F64, actual.F64, 0.00006);
            Assert.AreEqual(expected.V2.X, actual.V2.X, 0.006f);
            Assert.AreEqual(expected.V2.Y, actual.V2.Y, 0.006f);
            Assert.AreEqual(expected.V3.X, actual.V3.X, 0.006f);
            Assert.AreEqual(expected.V3.Y, actual.V3.Y, 0.006f);
            Assert.AreEqual(expected.V3.Z, actual.V3.Z, 0.006f);
            Assert.AreEqual(expected.V4.Z, actual.V4.Z, 0.006f);
            Assert.AreEqual(expected.V4.W, actual.V4.W, 0.006f);
            Assert.AreEqual(expected.D3.X, actual.D3.X, 0.0006);
            Assert.AreEqual(expected.D3.Y, actual.D3.Y, 0.0006);
            // q and -q are the same rotation.
            float dot = (expected.Q.X * actual.Q.X) + (expected.Q.Y * actual.Q.Y) + (expected.Q.Z * actual.Q.Z)
                + (expected.Q.W * actual.Q.W);
            Assert.AreEqual(1f, Math.Abs(dot), 1e-5f);
            Assert.AreEqual(expected.Target, actual.Target);
            Assert.AreEqual(expected.Label.ToString(), actual.Label.ToString());
            byte[] left = new byte[64];
            byte[] right = new byte[64];
            Assert.AreEqual(expected.Blob.CopyTo(left), actual.Blob.CopyTo(right));
            CollectionAssert.AreEqual(left, right);
            Assert.AreEqual(expected.Floats.Length, actual.Floats.Length);
            for (int i = 0; i < expected.Floats.Length; i++)
            {
                Assert.AreEqual(expected.Floats.Items[i], actual.Floats.Items[i], 0.25f);
            }
            Assert.AreEqual(expected.Longs.Length, actual.Longs.Length);
            for (int i = 0; i < expected.Longs.Length; i++)
            {
                Assert.AreEqual(expected.Longs.Items[i], actual.Longs.Items[i]);
            }
        }

        [Test]
        public void BadValuesAreCountedAndNamed()
        {
            using (Loopback link = new Loopback().Live())
            {
                // Spawned in this order, and so they lie in the frame.
                EntityId[] entities = new EntityId[2];
                DemoCube cube = new DemoCube { Position = new Vec3(1, 2, 3), Rotation = Quat.Identity };
                link.Host.Spawn(new ThetaSpawn().Begin(1).With(link.Cube, cube), out entities[0]);
                link.Host.Spawn(new ThetaSpawn().Begin(1).With(link.Cube, cube), out entities[1]);
                uint tick;
                link.Host.Tick(out tick);
                ThetaWrite write;
                WriteReport report;
                link.Host.BeginWrite(out write);
                // A value with a NaN in it is none: the whole vector stays. One that is out of range is clamped.
                DemoCube[] bad = { cube, cube };
                bad[0].Position = new Vec3(5, float.NaN, 6);
                bad[1].Position = new Vec3(1000, 2, 4);
                Assert.AreEqual(ThetaStatus.SomeClamped, write.Rows(link.Cube, entities, bad, out report));
                Assert.AreEqual(1u, report.Clamped);
                Assert.AreEqual(1u, report.NotANumber);
                Assert.AreEqual(entities[0], report.FirstBadEntity);
                Assert.AreEqual(
                    ThetaStatus.Ok,
                    write.Rows(link.Cube, new[] { new EntityId(1UL << 40) }, new[] { cube }, out report));
                Assert.AreEqual(ThetaStatus.Range, write.Rows(link.Cube, entities, new[] { cube }, out report));
                Assert.AreEqual(ThetaStatus.SomeMissing, write.Commit(out report));
                Assert.AreEqual(1u, report.Missing);
                Assert.AreEqual(1u, report.Changed);
                using (Frame frame = link.TickAndReceive())
                {
                    DemoCube[] cubes = new DemoCube[2];
                    int count;
                    frame.Read(link.Cube, cubes, out count);
                    Assert.AreEqual(2, count);
                    Assert.AreEqual(1f, cubes[0].Position.X, 0.001f);
                    Assert.AreEqual(3f, cubes[0].Position.Z, 0.001f);
                    Assert.AreEqual(31.999f, cubes[1].Position.X, 0.001f);
                    Assert.AreEqual(2f, cubes[1].Position.Y, 0.001f);
                    Assert.AreEqual(4f, cubes[1].Position.Z, 0.001f);
                }
            }
        }

        [Test]
        public void FramesComeInOrderAndHashEqually()
        {
            using (Loopback link = new Loopback().Live())
            {
                EntityId[] entities = new EntityId[100];
                DemoCube[] cubes = new DemoCube[100];
                ThetaSpawn spawn = new ThetaSpawn();
                for (int i = 0; i < 100; i++)
                {
                    cubes[i].Rotation = Quat.Identity;
                    link.Host.Spawn(spawn.Begin(1).With(link.Cube, cubes[i]), out entities[i]);
                }
                Dictionary<uint, ulong> atHost = new Dictionary<uint, ulong>();
                Dictionary<uint, ulong> atClient = new Dictionary<uint, ulong>();
                uint last = 0;
                int sealedTicks = 0;
                link.BeforeTick = delegate
                {
                    sealedTicks++;
                    for (int i = 0; i < 100; i++)
                    {
                        cubes[i].Position = new Vec3((float)Math.Sin(sealedTicks * 0.1 + i) * 10, i * 0.1f, 0);
                    }
                    ThetaWrite write;
                    WriteReport report;
                    link.Host.BeginWrite(out write);
                    write.Rows(link.Cube, entities, cubes, out report);
                    write.Commit();
                };
                link.Until(
                    delegate
                    {
                        Frame frame;
                        FrameInfo info;
                        while (link.Host.AcquireNext(out frame) == ThetaStatus.Ok)
                        {
                            frame.GetInfo(out info);
                            atHost[info.Tick] = info.Fold;
                            frame.Dispose();
                        }
                        while (link.Client.AcquireNext(out frame) == ThetaStatus.Ok)
                        {
                            frame.GetInfo(out info);
                            Assert.Greater(info.Tick, last);
                            last = info.Tick;
                            atClient[info.Tick] = info.Fold;
                            frame.Dispose();
                        }
                        return atClient.Count > 60;
                    },
                    "60 ticks arrived");
                int compared = 0;
                HashSet<ulong> different = new HashSet<ulong>();
                foreach (KeyValuePair<uint, ulong> pair in atClient)
                {
                    ulong expected;
                    if (atHost.TryGetValue(pair.Key, out expected))
                    {
                        Assert.AreEqual(expected, pair.Value, "tick " + pair.Key);
                        different.Add(expected);
                        compared++;
                    }
                }
                Assert.Greater(compared, 30);
                Assert.Greater(different.Count, 25, "the state moves");

                // The quantised lanes are equal bit by bit as well.
                uint tick;
                link.Host.Tick(out tick);
                long[] left = new long[100 * link.Cube.Lanes];
                long[] right = new long[100 * link.Cube.Lanes];
                int count;
                using (Frame frame = link.TickAndReceive())
                {
                    Assert.AreEqual(ThetaStatus.Ok, frame.ReadQuantised(link.Cube, right, out count));
                    Assert.AreEqual(100, count);
                }
                Frame newest;
                Assert.AreEqual(ThetaStatus.Ok, link.Host.AcquireNewest(out newest));
                newest.ReadQuantised(link.Cube, left, out count);
                newest.Dispose();
                CollectionAssert.AreEqual(left, right);
            }
        }

        private struct Placed
        {
            public double Before;
            public DemoCube Cube;
            public double After;
        }

        [Test]
        public unsafe void ColumnsLieInsideLargerStructs()
        {
            using (Loopback link = new Loopback())
            {
                DemoCube cube = new DemoCube { Rotation = Quat.Identity };
                EntityId[] entities = new EntityId[3];
                for (int i = 0; i < 3; i++)
                {
                    link.Host.Spawn(new ThetaSpawn().Begin(1).With(link.Cube, cube), out entities[i]);
                }
                Placed[] placed = new Placed[3];
                WriteReport report;
                ThetaWrite write;
                uint tick;
                Frame frame;
                int count;
                fixed (EntityId* ids = entities)
                fixed (Placed* first = placed)
                {
                    for (int i = 0; i < 3; i++)
                    {
                        first[i] = new Placed { Before = 7, Cube = cube, After = 9 };
                        first[i].Cube.Position.X = i + 1;
                    }
                    Assert.AreEqual(ThetaStatus.Ok, link.Host.BeginWrite(out write));
                    Assert.AreEqual(
                        ThetaStatus.Ok, write.Rows(link.Cube.Id, 0, ids, 3, &first->Cube, sizeof(Placed), out report));
                    Assert.AreEqual(ThetaStatus.Ok, write.Commit(out report));
                    Assert.AreEqual(3u, report.Changed);
                    link.Host.Tick(out tick);
                    Assert.AreEqual(ThetaStatus.Ok, link.Host.AcquireNewest(out frame));
                    Placed* back = stackalloc Placed[3];
                    Assert.AreEqual(
                        ThetaStatus.Truncated, frame.Read(link.Cube.Id, 0, &back->Cube, sizeof(Placed), 2, out count));
                    Assert.AreEqual(3, count);
                    Assert.AreEqual(0f, back[2].Cube.Position.X);
                    Assert.AreEqual(ThetaStatus.Ok, frame.Read(link.Cube.Id, 0, &back->Cube, sizeof(Placed), 3, out count));
                    for (int i = 0; i < 3; i++)
                    {
                        Assert.AreEqual(i + 1f, back[i].Cube.Position.X);
                        Assert.AreEqual(0.0, back[i].Before + back[i].After);
                    }
                    frame.Dispose();
                }
            }
        }

        [Test]
        public void ThreeFramesAtOnceAndStaleOnesSaySo()
        {
            using (Loopback link = new Loopback().Live())
            {
                Frame a = link.TickAndReceive();
                Frame b = link.TickAndReceive();
                Frame c;
                Frame d;
                Assert.AreEqual(ThetaStatus.Ok, link.Client.AcquireNewest(out c));
                Assert.AreEqual(ThetaStatus.Limit, link.Client.AcquireNewest(out d));
                Assert.IsFalse(d.IsValid);
                FrameInfo info;
                FrameInfo later;
                Assert.AreEqual(ThetaStatus.Ok, a.GetInfo(out info));
                Assert.AreEqual(ThetaStatus.Ok, b.GetInfo(out later));
                Assert.Less(info.Tick, later.Tick);
                Frame copy = a;
                a.Dispose();
                a.Dispose();
                Assert.AreEqual(ThetaStatus.HandleStale, copy.GetInfo(out info));
                Assert.AreEqual(ThetaStatus.HandleZero, default(Frame).GetInfo(out info));
                Assert.AreEqual(ThetaStatus.Ok, link.Client.AcquireNewest(out d));
                b.Dispose();
                c.Dispose();
                d.Dispose();

                ThetaWrite write;
                Assert.AreEqual(ThetaStatus.Ok, link.Host.BeginWrite(out write));
                Assert.AreEqual(ThetaStatus.Ok, write.Commit());
                Assert.IsTrue(write.Commit().IsError());

                // Buffers that are too small say how much there is.
                EntityId entity;
                ThetaSpawn spawn = new ThetaSpawn();
                for (int i = 0; i < 5; i++)
                {
                    link.Host.Spawn(spawn.Begin(1).With(link.Cube), out entity);
                }
                using (Frame frame = link.TickAndReceive())
                {
                    int count;
                    Assert.AreEqual(ThetaStatus.Truncated, frame.Entities(link.Cube, new EntityRow[2], out count));
                    Assert.AreEqual(5, count);
                    Assert.AreEqual(ThetaStatus.Truncated, frame.Read(link.Cube, new DemoCube[2], out count));
                    Assert.AreEqual(5, count);
                }
            }
        }

        [Test]
        public void SamplingLiesBetweenTicksOnAnyThread()
        {
            using (Loopback link = new Loopback().Live())
            {
                EntityId[] entities = new EntityId[1];
                DemoCube[] written = new DemoCube[1];
                written[0].Rotation = Quat.Identity;
                link.Host.Spawn(new ThetaSpawn().Begin(1).With(link.Cube, written[0]), out entities[0]);
                int ticks = 0;
                link.BeforeTick = delegate
                {
                    ticks++;
                    written[0].Position = new Vec3(ticks * 0.01f, 0, 0);
                    ThetaWrite write;
                    WriteReport report;
                    link.Host.BeginWrite(out write);
                    write.Rows(link.Cube, entities, written, out report);
                    write.Commit();
                };
                SessionInfo session;
                link.Client.GetInfo(out session);
                uint first = session.Tick;
                link.Until(
                    delegate
                    {
                        link.Client.GetInfo(out session);
                        return ticks > 60 && session.Tick > first + 40;
                    },
                    "the cube moves");
                uint newest = 0;
                FrameInfo info;
                Frame frame;
                Assert.AreEqual(ThetaStatus.Ok, link.Client.AcquireNewest(out frame));
                frame.GetInfo(out info);
                newest = info.Tick;
                DemoCube[] at = new DemoCube[1];
                int count;
                frame.Read(link.Cube, at, out count);
                frame.Dispose();

                DemoCube[] low = new DemoCube[1];
                DemoCube[] middle = new DemoCube[1];
                DemoCube[] high = new DemoCube[1];
                SampleResult[] results = new SampleResult[1];
                Exception failure = null;
                Thread thread = new Thread(delegate()
                {
                    try
                    {
                        ThetaSampler sampler = link.Client.Sampler;
                        Assert.AreEqual(ThetaStatus.Ok, sampler.Sample(link.Cube, entities, newest - 3, low, results));
                        Assert.AreEqual(SampleResult.Interpolated, results[0]);
                        sampler.Sample(link.Cube, entities, newest - 2.5, middle, results);
                        Assert.AreEqual(SampleResult.Interpolated, results[0]);
                        sampler.Sample(link.Cube, entities, newest - 2, high, results);
                        ThetaStatus missing = sampler.Sample(
                            link.Cube, new[] { new EntityId(1UL << 40) }, newest, high.AsSpan().Slice(0, 1).ToArray(), results);
                        Assert.AreEqual(ThetaStatus.SomeMissing, missing);
                        Assert.AreEqual(SampleResult.Missing, results[0]);
                    }
                    catch (Exception e)
                    {
                        failure = e;
                    }
                });
                thread.Start();
                thread.Join();
                if (failure != null)
                {
                    throw failure;
                }
                Assert.AreEqual(0.01f, high[0].Position.X - low[0].Position.X, 0.0025f);
                Assert.AreEqual((low[0].Position.X + high[0].Position.X) / 2, middle[0].Position.X, 0.0015f);
                Assert.AreEqual(at[0].Position.X - 0.02f, high[0].Position.X, 0.0025f);

                double render = 0;
                link.Until(
                    delegate
                    {
                        Assert.AreEqual(ThetaStatus.Ok, link.Client.RenderTick(ThetaRuntime.NowNs, out render));
                        return render > 0;
                    },
                    "the clocks know each other");
                // In ticks, and near; how near is up to how busy this machine is.
                Assert.AreEqual(newest, render, 900.0);
            }
        }
    }
}
