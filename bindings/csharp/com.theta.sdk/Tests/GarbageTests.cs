// The frame loop of a host and of a peer, both in C#: after warm-up not one byte of garbage.
//
// Mono counts what a thread has allocated to the byte (GC.GetAllocatedBytesForCurrentThread); GC.GetTotalMemory moves only
// when a nursery chunk is taken, so it is no measure of single objects. A test of its own proves that the counter sees the
// smallest object there is.
using System;
using System.Diagnostics;
using System.Threading;
using NUnit.Framework;

namespace Theta.Tests
{
    [TestFixture]
    [Category("Live")]
    public class GarbageTests
    {
        private const int WarmUpFrames = 300;
        private static readonly int MeasuredFrames = TestLength.Of(6000);

        [Test]
        public void TheFrameLoopMakesNoGarbage()
        {
            using (Loopback link = new Loopback().Live())
            {
                HotLoop loop = new HotLoop(link);
                loop.Run(WarmUpFrames);
                loop.Settle();
                loop.ResetCounts();
                int collections = Collections();
                Stopwatch clock = Stopwatch.StartNew();
                long bytes = GC.GetAllocatedBytesForCurrentThread();
                loop.Run(MeasuredFrames);
                bytes = GC.GetAllocatedBytesForCurrentThread() - bytes;
                loop.Settle();
                Console.WriteLine(MeasuredFrames + " frames in " + clock.ElapsedMilliseconds + " ms: " + loop);
                Assert.AreEqual(0, bytes, "bytes allocated by the frame loop");
                Assert.AreEqual(0, Collections() - collections, "collections");

                // The loop did what it is for: every frame was seen whole by the peer, with all that had changed.
                Assert.AreEqual(MeasuredFrames, loop.FramesRead);
                Assert.AreEqual(MeasuredFrames * (long)HotLoop.Cubes, loop.CellsChanged);
                Assert.AreEqual(MeasuredFrames * HotLoop.EventsPerFrame, loop.PeerEvents);
                Assert.AreEqual(MeasuredFrames * 2, loop.Spawned);
                Assert.AreEqual(MeasuredFrames * 2, loop.Despawned);
                Assert.Greater(loop.InputsReceived, MeasuredFrames / 2);
                Assert.Greater(loop.RowsSampled, MeasuredFrames / 2);
                Assert.Greater(loop.TextsRead, 0);
            }
        }

        /// <summary>The same loop with one object of the smallest size in each frame: what the test above would see.</summary>
        [Test]
        public void OneSmallObjectInAFrameIsSeen()
        {
            const int Frames = 200;
            using (Loopback link = new Loopback().Live())
            {
                HotLoop loop = new HotLoop(link);
                loop.Run(WarmUpFrames);
                loop.Planted = delegate { return new object(); };
                loop.Run(1);
                long bytes = GC.GetAllocatedBytesForCurrentThread();
                loop.Run(Frames);
                bytes = GC.GetAllocatedBytesForCurrentThread() - bytes;
                Assert.AreEqual(Frames * 2 * IntPtr.Size, bytes, "an object is its header: two words");
            }
        }

        private static int Collections()
        {
            return GC.CollectionCount(0) + GC.CollectionCount(1);
        }

        /// <summary>All that a frame does on both sides, in step: the host's tick, then the peer's frame of that tick.</summary>
        private sealed class HotLoop
        {
            internal const int Cubes = 200;
            /// <summary>At the peer: two each of spawned, despawned, owner changed, parent changed.</summary>
            internal const int EventsPerFrame = 8;

            internal int FramesRead;
            internal long CellsChanged;
            internal int PeerEvents;
            internal int Spawned;
            internal int Despawned;
            internal int InputsReceived;
            internal int RowsSampled;
            internal int TextsRead;
            internal Func<object> Planted;
            /// <summary>So that nobody proves the planted object useless and leaves it out.</summary>
            internal object Kept;

            private readonly Loopback _link;
            private readonly EntityId[] _entities = new EntityId[Cubes];
            private readonly DemoCube[] _written = new DemoCube[Cubes];
            private readonly DemoCube[] _read = new DemoCube[Cubes + 8];
            private readonly EntityRow[] _rows = new EntityRow[Cubes + 8];
            private readonly SampleResult[] _results = new SampleResult[Cubes];
            private readonly long[] _lanes;
            private readonly byte[] _text = new byte[256];
            private readonly ThetaSpawn _spawn = new ThetaSpawn();
            private readonly ThetaField<Vec3> _position;
            private readonly Vec3[] _positions = new Vec3[Cubes + 8];
            private readonly PeerInfo[] _peers = new PeerInfo[4];
            private readonly EntityId[] _churned = new EntityId[2];
            private readonly Stopwatch _waiting = new Stopwatch();
            private InputSample _input;
            private readonly uint _peer;
            private int _number;

            internal HotLoop(Loopback link)
            {
                _link = link;
                _position = link.Cube.Field<Vec3>(1);
                _lanes = new long[(Cubes + 8) * link.Cube.Lanes];
                SessionInfo info;
                link.Client.GetInfo(out info);
                _peer = info.LocalPeer;
                for (int i = 0; i < Cubes; i++)
                {
                    _written[i].Rotation = Quat.Identity;
                    Assert.AreEqual(ThetaStatus.Ok, link.Host.Spawn(_spawn.Begin(1).With(link.Cube, _written[i]), out _entities[i]));
                }
                for (int i = 0; i < _churned.Length; i++)
                {
                    Assert.AreEqual(ThetaStatus.Ok, link.Host.Spawn(_spawn.Begin(2).With(link.Cube), out _churned[i]));
                }
                link.TickAndReceive().Dispose();
            }

            internal void ResetCounts()
            {
                FramesRead = PeerEvents = Spawned = Despawned = InputsReceived = RowsSampled = TextsRead = 0;
                CellsChanged = 0;
            }

            internal void Run(int frames)
            {
                for (int i = 0; i < frames; i++)
                {
                    uint tick = HostFrame(_number);
                    PeerFrame(tick);
                    _number++;
                }
            }

            public override string ToString()
            {
                return CellsChanged + " values changed, " + PeerEvents + " events, " + InputsReceived + " inputs, "
                    + Spawned + " spawns, " + RowsSampled + " samplings";
            }

            private uint HostFrame(int number)
            {
                ThetaHost host = _link.Host;
                ThetaEvent e;
                int length;
                int count;
                while (host.TryPoll(out e))
                {
                    host.Text(ref e, _text, out length);
                }
                int due;
                host.TicksDue(ThetaRuntime.NowNs, 4, out due);
                InputSample input;
                if (host.GetInput(_peer, out input) == ThetaStatus.Ok)
                {
                    InputsReceived++;
                }
                for (int i = 0; i < _written.Length; i++)
                {
                    _written[i].Position = new Vec3((number % 100) * 0.1f, i * 0.01f, 0);
                }
                ThetaWrite write;
                WriteReport report;
                if (host.BeginWrite(out write) == ThetaStatus.Ok)
                {
                    write.Rows(_link.Cube, _entities, _written, out report);
                    write.Commit(out report);
                    CellsChanged += report.Changed;
                }
                for (int i = 0; i < _churned.Length; i++)
                {
                    if (host.Despawn(_churned[i]) == ThetaStatus.Ok)
                    {
                        Despawned++;
                    }
                    _spawn.Begin(2).Payload(new ReadOnlySpan<byte>(_text, 0, 16)).With(_link.Cube, _written[i]);
                    if (host.Spawn(_spawn, out _churned[i]) == ThetaStatus.Ok)
                    {
                        Spawned++;
                    }
                    // Every frame another owner, and every frame another parent.
                    host.SetOwner(_entities[i], number % 2 == 0 ? _peer : 0);
                    host.SetParent(_entities[2 + i], number % 2 == 0 ? _entities[10] : EntityId.None);
                }
                if (Planted != null)
                {
                    Kept = Planted();
                }
                uint tick;
                host.Tick(out tick);
                host.GetPeers(_peers, out count);
                ThetaStatistics statistics;
                host.GetStatistics(_peer, out statistics);
                return tick;
            }

            private void PeerFrame(uint tick)
            {
                ThetaClient client = _link.Client;
                int length;
                int count;
                Frame frame = Receive(tick);
                using (frame)
                {
                    FrameInfo info;
                    frame.GetInfo(out info);
                    frame.Entities(_link.Cube, _rows, out count);
                    frame.Read(_link.Cube, _read, out count);
                    frame.Read(_position, _positions, out count);
                    frame.ReadQuantised(_link.Cube, _lanes, out count);
                    if (frame.Payload(_churned[0], _text, out length) == ThetaStatus.Ok && length == 16)
                    {
                        TextsRead++;
                    }
                    client.SetHostTag(_entities[3], tick);
                }
                Poll();
                double render;
                if (client.RenderTick(ThetaRuntime.NowNs, out render) == ThetaStatus.Ok
                    && !client.Sampler.Sample(_link.Cube, _entities, tick, _read, _results).IsError())
                {
                    RowsSampled++;
                }
                _input.InputTick++;
                _input.SetAxis(0, 0.5f);
                client.SendInput(ref _input);
                ThetaStatistics statistics;
                client.GetStatistics(0, out statistics);
                SessionInfo session;
                client.GetInfo(out session);
            }

            /// <summary>Events may come a moment after the frame they belong to.</summary>
            internal void Settle()
            {
                for (int i = 0; i < 50; i++)
                {
                    Poll();
                    Thread.Sleep(2);
                }
            }

            private void Poll()
            {
                ThetaEvent e;
                int length;
                while (_link.Client.TryPoll(out e))
                {
                    _link.Client.Text(ref e, _text, out length);
                    if (e.Kind >= ThetaEventKind.EntitySpawned && e.Kind <= ThetaEventKind.ParentChanged)
                    {
                        PeerEvents++;
                    }
                }
            }

            private Frame Receive(uint tick)
            {
                _waiting.Restart();
                while (true)
                {
                    Frame frame;
                    FrameInfo info;
                    if (_link.Client.AcquireNext(out frame) == ThetaStatus.Ok)
                    {
                        if (frame.GetInfo(out info) == ThetaStatus.Ok && info.Tick == tick)
                        {
                            FramesRead++;
                            return frame;
                        }
                        frame.Dispose();
                    }
                    else
                    {
                        Thread.Sleep(0);
                    }
                    if (_waiting.ElapsedMilliseconds > Loopback.TimeoutMs)
                    {
                        throw new TimeoutException("tick " + tick + " did not come");
                    }
                }
            }
        }
    }
}
