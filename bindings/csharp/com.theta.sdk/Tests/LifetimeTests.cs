// Disposal, finalizers, start and stop many times, and no garbage in the frame loop.
using System;
using System.Runtime.CompilerServices;
using System.Threading;
using NUnit.Framework;

namespace Theta.Tests
{
    [TestFixture]
    [Category("Live")]
    public class LifetimeTests
    {
        [Test]
        public void DisposedObjectsThrow()
        {
            Loopback link = new Loopback();
            ThetaSampler sampler = link.Client.Sampler;
            ThetaEvent e;
            Frame frame;
            InputSample input = default(InputSample);
            EntityId[] entities = new EntityId[1];
            DemoCube[] cubes = new DemoCube[1];
            link.Client.Dispose();
            link.Client.Dispose();
            Assert.IsTrue(link.Client.IsDisposed);
            Assert.Throws<ObjectDisposedException>(delegate { link.Client.TryPoll(out e); });
            Assert.Throws<ObjectDisposedException>(delegate { link.Client.AcquireNewest(out frame); });
            Assert.Throws<ObjectDisposedException>(delegate { link.Client.SendInput(ref input); });
            Assert.Throws<ObjectDisposedException>(
                delegate { sampler.Sample(link.Cube, entities, 1, cubes, new SampleResult[0]); });
            link.Registry.Dispose();
            Assert.Throws<ObjectDisposedException>(delegate { link.Registry.Add<DemoAvatar>(); });
            link.Host.Dispose();
            Assert.Throws<ObjectDisposedException>(delegate { link.Host.Ticket(); });
            link.Runtime.Dispose();
            link.Runtime.Dispose();
            Assert.Throws<ObjectDisposedException>(delegate { link.Runtime.CreateRegistry(); });
        }

        [Test]
        public void WhatOutlivesItsRuntimeSaysSo()
        {
            Loopback link = new Loopback().Live();
            Frame frame;
            link.Client.AcquireNewest(out frame);
            ShutdownReport report = link.Runtime.Shutdown(10000);
            Assert.AreEqual(0, report.ThreadsLeft, report.Text);
            Assert.AreEqual(2, report.SessionsClosed);
            // The runtime is gone, its children are not disposed: a status, not a crash and not an exception.
            SessionInfo info;
            FrameInfo tick;
            ThetaEvent e;
            Assert.IsTrue(link.Client.GetInfo(out info).IsError());
            Assert.IsFalse(link.Client.TryPoll(out e));
            Assert.IsTrue(link.Client.LastPollStatus.IsError());
            Assert.IsTrue(frame.GetInfo(out tick).IsError());
            Assert.AreEqual(SessionState.Closed, link.Host.State);
            frame.Dispose();
            link.Client.Dispose();
            link.Host.Dispose();
            link.Registry.Dispose();
        }

        [Test]
        public void SessionsGoBeforeOrAfterTheRegistry()
        {
            ThetaRuntime runtime = ThetaRuntime.Create();
            ThetaRegistry registry = runtime.CreateRegistry();
            registry.Add<DemoCube>();
            ThetaHost host = runtime.Host(registry, new ThetaHostOptions { DevMode = true });
            registry.Dispose();
            uint tick;
            Assert.AreEqual(ThetaStatus.Ok, host.Tick(out tick));
            Assert.AreEqual(1u, tick);
            runtime.Dispose();
            host.Dispose();
        }

        [Test]
        public void AForgottenClientLeavesByItsFinalizer()
        {
            using (ThetaRuntime runtime = ThetaRuntime.Create())
            using (ThetaRegistry registry = runtime.CreateRegistry())
            {
                registry.Add<DemoCube>();
                using (ThetaHost host = runtime.Host(registry, new ThetaHostOptions { DevMode = true }))
                {
                    string ticket = host.Ticket();
                    bool joined = false;
                    bool left = false;
                    // Another thread, so that no register or stack slot of this one keeps the client alive.
                    Thread thread = new Thread(delegate() { joined = JoinAndForget(runtime, registry, host, ticket); });
                    thread.Start();
                    thread.Join();
                    Assert.IsTrue(joined);
                    System.Diagnostics.Stopwatch clock = System.Diagnostics.Stopwatch.StartNew();
                    while (!left && clock.ElapsedMilliseconds < Loopback.TimeoutMs)
                    {
                        GC.Collect();
                        GC.WaitForPendingFinalizers();
                        left = Saw(host, ThetaEventKind.PeerLeft);
                        Thread.Sleep(5);
                    }
                    Assert.IsTrue(left);
                }
            }
        }

        [MethodImpl(MethodImplOptions.NoInlining)]
        private static bool JoinAndForget(ThetaRuntime runtime, ThetaRegistry registry, ThetaHost host, string ticket)
        {
            ThetaClient client = runtime.Join(registry, new ThetaJoinOptions { Ticket = ticket });
            bool joined = false;
            System.Diagnostics.Stopwatch clock = System.Diagnostics.Stopwatch.StartNew();
            while (!joined && clock.ElapsedMilliseconds < Loopback.TimeoutMs)
            {
                ThetaEvent e;
                while (client.TryPoll(out e))
                {
                }
                uint tick;
                host.Tick(out tick);
                joined = Saw(host, ThetaEventKind.PeerJoined);
                Thread.Sleep(2);
            }
            return joined;
        }

        private static bool Saw(ThetaHost host, ThetaEventKind kind)
        {
            bool saw = false;
            ThetaEvent e;
            while (host.TryPoll(out e))
            {
                saw |= e.Kind == kind;
            }
            return saw;
        }

        [Test]
        public void FiftyRoundsOfStartAndStop()
        {
            for (int round = 0; round < 50; round++)
            {
                ThetaRuntime runtime = ThetaRuntime.Create();
                ThetaRegistry registry = runtime.CreateRegistry();
                registry.Add<DemoCube>();
                ThetaHost host = runtime.Host(registry, new ThetaHostOptions { DevMode = true });
                ThetaClient client = runtime.Join(registry, new ThetaJoinOptions { Ticket = host.Ticket() });
                uint tick;
                host.Tick(out tick);
                ThetaEvent e;
                client.TryPoll(out e);
                switch (round % 3)
                {
                    case 0:
                        // In order.
                        client.Dispose();
                        host.Dispose();
                        registry.Dispose();
                        runtime.Dispose();
                        break;
                    case 1:
                        // Backwards.
                        ShutdownReport report = runtime.Shutdown(10000);
                        Assert.AreEqual(0, report.ThreadsLeft, "round " + round + ": " + report.Text);
                        registry.Dispose();
                        host.Dispose();
                        client.Dispose();
                        break;
                    default:
                        // As a domain reload does it: nothing is disposed.
                        Assert.GreaterOrEqual(ThetaRuntime.DetachAll(), 1);
                        Assert.IsTrue(runtime.IsDisposed);
                        break;
                }
            }
            GC.Collect();
            GC.WaitForPendingFinalizers();
            Assert.AreEqual(0, ThetaRuntime.DetachAll());
        }

        /// <summary>Everything a frame does, 3000 times after warm-up: no collection, not one byte.</summary>
        [Test]
        public void TheFrameLoopMakesNoGarbage()
        {
            using (Loopback link = new Loopback().Live())
            {
                const int Cubes = 200;
                EntityId[] entities = new EntityId[Cubes];
                DemoCube[] written = new DemoCube[Cubes];
                ThetaSpawn spawn = new ThetaSpawn();
                for (int i = 0; i < Cubes; i++)
                {
                    written[i].Rotation = Quat.Identity;
                    link.Host.Spawn(spawn.Begin(1).With(link.Cube, written[i]), out entities[i]);
                }
                link.TickAndReceive().Dispose();
                HotLoop loop = new HotLoop(link, entities, written);
                loop.Run(300);
                GC.Collect();
                GC.WaitForPendingFinalizers();
                int collections = GC.CollectionCount(0);
                long bytes = GC.GetAllocatedBytesForCurrentThread();
                loop.Run(3000);
                Assert.AreEqual(0, GC.GetAllocatedBytesForCurrentThread() - bytes);
                Assert.AreEqual(0, GC.CollectionCount(0) - collections);
                Assert.Greater(loop.FramesRead, 100);
                Assert.Greater(loop.RowsSampled, 100);
                Assert.Greater(loop.Spawned, 100);
            }
        }

        private sealed class HotLoop
        {
            internal int FramesRead;
            internal int RowsSampled;
            internal int Spawned;

            private readonly Loopback _link;
            private readonly EntityId[] _entities;
            private readonly DemoCube[] _written;
            private readonly DemoCube[] _read;
            private readonly EntityRow[] _rows;
            private readonly SampleResult[] _results;
            private readonly byte[] _text = new byte[256];
            private readonly ThetaSpawn _spawn = new ThetaSpawn();
            private readonly ThetaField<Vec3> _position;
            private readonly Vec3[] _positions;
            private readonly PeerInfo[] _peers = new PeerInfo[4];
            private InputSample _input;
            private uint _peer;

            internal HotLoop(Loopback link, EntityId[] entities, DemoCube[] written)
            {
                _link = link;
                _entities = entities;
                _written = written;
                _read = new DemoCube[entities.Length + 8];
                _rows = new EntityRow[entities.Length + 8];
                _results = new SampleResult[entities.Length];
                _position = link.Cube.Field<Vec3>(1);
                _positions = new Vec3[entities.Length];
                SessionInfo info;
                link.Client.GetInfo(out info);
                _peer = info.LocalPeer;
            }

            internal void Run(int frames)
            {
                for (int i = 0; i < frames; i++)
                {
                    One(i);
                }
            }

            private void One(int number)
            {
                ThetaEvent e;
                int length;
                int count;
                while (_link.Host.TryPoll(out e))
                {
                    _link.Host.Text(ref e, _text, out length);
                }
                int due;
                _link.Host.TicksDue(ThetaRuntime.NowNs, 4, out due);
                for (int i = 0; i < _written.Length; i++)
                {
                    _written[i].Position = new Vec3((number % 100) * 0.1f, i * 0.01f, 0);
                }
                ThetaWrite write;
                WriteReport report;
                if (_link.Host.BeginWrite(out write) == ThetaStatus.Ok)
                {
                    using (write)
                    {
                        write.Rows(_link.Cube, _entities, _written, out report);
                    }
                }
                EntityId extra;
                if (_link.Host.Spawn(_spawn.Begin(2).With(_link.Cube, _written[0]), out extra) == ThetaStatus.Ok)
                {
                    Spawned++;
                }
                uint tick;
                InputSample input;
                _link.Host.GetInput(_peer, out input);
                _link.Host.Tick(out tick);
                _link.Host.Despawn(extra);
                _link.Host.GetPeers(_peers, out count);

                while (_link.Client.TryPoll(out e))
                {
                    _link.Client.Text(ref e, _text, out length);
                }
                Frame frame;
                if (_link.Client.AcquireNewest(out frame) == ThetaStatus.Ok)
                {
                    using (frame)
                    {
                        FrameInfo info;
                        frame.GetInfo(out info);
                        frame.Entities(_link.Cube, _rows, out count);
                        frame.Read(_link.Cube, _read, out count);
                        frame.Read(_position, _positions, out count);
                    }
                    FramesRead++;
                }
                double render;
                if (_link.Client.RenderTick(ThetaRuntime.NowNs, out render) == ThetaStatus.Ok
                    && !_link.Client.Sampler.Sample(_link.Cube, _entities, render, _read, _results).IsError())
                {
                    RowsSampled++;
                }
                _input.InputTick++;
                _input.SetAxis(0, 0.5f);
                _link.Client.SendInput(ref _input);
                ThetaStatistics statistics;
                _link.Client.GetStatistics(0, out statistics);
                SessionInfo session;
                _link.Client.GetInfo(out session);
            }
        }
    }
}
