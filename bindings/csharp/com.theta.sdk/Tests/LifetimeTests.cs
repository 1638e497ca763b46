// Disposal, finalizers, start and stop many times.
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

        [TestCase(true)]
        [TestCase(false)]
        public void WhoLeavesStillHearsTheEnd(bool hostLeaves)
        {
            using (Loopback link = new Loopback().Live())
            {
                bool goodbye = false;
                link.OnHostEvent = delegate(ThetaEvent e) { goodbye |= !hostLeaves && e.Kind == ThetaEventKind.PeerLeft; };
                link.OnClientEvent = delegate(ThetaEvent e)
                {
                    goodbye |= hostLeaves && e.Kind == ThetaEventKind.Disconnected;
                };
                ThetaSession leaving = hostLeaves ? (ThetaSession)link.Host : link.Client;
                Assert.AreEqual(ThetaStatus.Ok, leaving.Leave());
                Assert.AreEqual(ThetaStatus.Ok, leaving.Leave());
                link.Until(delegate { return goodbye && leaving.State == SessionState.Closed; }, "the goodbye is heard");
            }
        }

        [Test]
        public void ADomainReloadFindsARuntimeThatOnlyItsSessionHolds()
        {
            ThetaRuntime.DetachAll();
            ThetaHost host = null;
            WeakReference forgotten = null;
            Thread thread = new Thread(delegate() { host = HostAndForgetTheRuntime(out forgotten); });
            thread.Start();
            thread.Join();
            System.Diagnostics.Stopwatch clock = System.Diagnostics.Stopwatch.StartNew();
            while (forgotten.IsAlive && clock.ElapsedMilliseconds < Loopback.TimeoutMs)
            {
                GC.Collect();
                GC.WaitForPendingFinalizers();
                Thread.Sleep(5);
            }
            Assert.IsFalse(forgotten.IsAlive);
            uint tick;
            Assert.AreEqual(ThetaStatus.Ok, host.Tick(out tick));
            Assert.AreEqual(1, ThetaRuntime.DetachAll());
            Assert.AreEqual(ThetaStatus.ShutDown, host.Tick(out tick));
            host.Dispose();
        }

        [MethodImpl(MethodImplOptions.NoInlining)]
        private static ThetaHost HostAndForgetTheRuntime(out WeakReference forgotten)
        {
            ThetaRuntime runtime = ThetaRuntime.Create();
            forgotten = new WeakReference(runtime);
            ThetaRegistry registry = runtime.CreateRegistry();
            registry.Add<DemoCube>();
            return runtime.Host(registry, new ThetaHostOptions { DevMode = true });
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
            for (int round = 0; round < TestLength.Of(50); round++)
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
    }
}
