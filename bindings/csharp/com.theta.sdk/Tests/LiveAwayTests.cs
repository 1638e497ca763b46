// Going away and coming back, floors, and input that comes from the future.
using System;
using System.Diagnostics;
using NUnit.Framework;

namespace Theta.Tests
{
    [TestFixture]
    [Category("Live")]
    public class LiveAwayTests
    {
        private const int AwayTimeout = 6;
        private const uint VersionFloor = 33;
        private const uint TransportFloor = 35;
        private const uint SecurityFloor = 36;
        private const int ResumeRefused = 74;

        /// <summary>What both sides were told.</summary>
        private sealed class Watch
        {
            internal int Away, Back, Left, LeftCode, Joined, Admitted, Progress, Disconnected, Code;
            internal ulong AwayMs, AdmittedMs;
            internal uint AwayPeer;

            internal Watch(Loopback link)
            {
                link.OnHostEvent = Host;
                link.OnClientEvent = Client;
            }

            private void Host(ThetaEvent e)
            {
                Away += e.Kind == ThetaEventKind.PeerAway ? 1 : 0;
                Back += e.Kind == ThetaEventKind.PeerBack ? 1 : 0;
                Left += e.Kind == ThetaEventKind.PeerLeft ? 1 : 0;
                Joined += e.Kind == ThetaEventKind.PeerJoined ? 1 : 0;
                if (e.Kind == ThetaEventKind.PeerAway)
                {
                    AwayMs = e.Value;
                    AwayPeer = e.Peer;
                }
                if (e.Kind == ThetaEventKind.PeerLeft)
                {
                    LeftCode = e.Code;
                }
            }

            private void Client(ThetaEvent e)
            {
                Admitted += e.Kind == ThetaEventKind.Admitted ? 1 : 0;
                Progress += e.Kind == ThetaEventKind.JoinProgress ? 1 : 0;
                Disconnected += e.Kind == ThetaEventKind.Disconnected ? 1 : 0;
                if (e.Kind == ThetaEventKind.Admitted)
                {
                    AdmittedMs = e.Value;
                }
                if (e.Kind == ThetaEventKind.Disconnected)
                {
                    Code = e.Code;
                }
            }
        }

        private static Loopback Meet(uint graceMs)
        {
            ThetaHostOptions hosting = new ThetaHostOptions { DevMode = true, ResumeGraceMs = graceMs };
            return new Loopback(hosting, new ThetaJoinOptions());
        }

        private static SessionInfo Info(ThetaSession session)
        {
            SessionInfo info;
            Assert.AreEqual(ThetaStatus.Ok, session.GetInfo(out info));
            return info;
        }

        private static SessionState AtHost(Loopback link)
        {
            PeerInfo[] peers = new PeerInfo[4];
            int count;
            link.Host.GetPeers(peers, out count);
            return count == 1 ? peers[0].State : SessionState.Closed;
        }

        private static void TurnFor(Loopback link, int ms)
        {
            Stopwatch clock = Stopwatch.StartNew();
            link.Until(delegate { return clock.ElapsedMilliseconds >= ms; }, "time has passed");
        }

        [Test]
        public void AClientThatIsAwayKeepsItsPlace()
        {
            using (Loopback link = Meet(20000))
            {
                Watch watch = new Watch(link);
                link.Live();
                uint place = Info(link.Client).LocalPeer;
                link.Until(delegate { return watch.Admitted == 1; }, "it is admitted");
                Assert.AreEqual(20000, watch.AdmittedMs);
                Assert.AreEqual(20000, Info(link.Client).ResumeGraceMs);
                Assert.AreEqual(20000, Info(link.Host).ResumeGraceMs);
                EntityId owned;
                Assert.AreEqual(
                    ThetaStatus.Ok, link.Host.Spawn(new ThetaSpawn().Begin(1).With(link.Cube).Owner(place), out owned));
                link.TickAndReceive().Dispose();
                TurnFor(link, 100);

                Assert.AreEqual(ThetaStatus.Ok, link.Client.Resume(), "nobody was away: nothing happens");
                int progress = watch.Progress;
                Assert.AreEqual(ThetaStatus.Ok, link.Client.Suspend());
                Assert.AreEqual(ThetaStatus.Ok, link.Client.Suspend());
                link.Until(
                    delegate { return link.Client.State == SessionState.Away && AtHost(link) == SessionState.Away; },
                    "both see it away");
                link.Until(delegate { return watch.Away == 1; }, "the host is told");
                Assert.AreEqual(place, watch.AwayPeer);
                Assert.AreEqual(20000, watch.AwayMs);
                TurnFor(link, 300);

                Assert.AreEqual(ThetaStatus.Ok, link.Client.Resume());
                Assert.AreEqual(ThetaStatus.Ok, link.Client.Resume());
                link.Until(
                    delegate { return link.Client.State == SessionState.Live && AtHost(link) == SessionState.Live; },
                    "both see it back");
                link.Until(delegate { return watch.Back == 1; }, "the host is told");
                EntityRow[] rows = new EntityRow[4];
                int count;
                using (Frame frame = link.TickAndReceive())
                {
                    Assert.AreEqual(ThetaStatus.Ok, frame.Entities(link.Cube, rows, out count));
                }
                Assert.AreEqual(1, count);
                Assert.AreEqual(place, rows[0].Owner);
                Assert.AreEqual(place, Info(link.Client).LocalPeer);
                Assert.AreEqual(1, watch.Away);
                Assert.AreEqual(0, watch.Left);
                Assert.AreEqual(1, watch.Joined);
                Assert.AreEqual(1, watch.Admitted);
                Assert.AreEqual(progress, watch.Progress, "no world was sent again");
            }
        }

        [Test]
        public void TheNetworkGoesWhileItIsAway()
        {
            using (Loopback link = Meet(20000))
            using (ThetaRuntime abroad = ThetaRuntime.Create())
            using (ThetaRegistry registry = abroad.CreateRegistry())
            {
                registry.Add<DemoCube>();
                registry.Add<AllKinds>();
                Watch watch = new Watch(link);
                link.Live();
                // In a runtime of its own, whose network can be cut alone.
                link.Client.Dispose();
                link.Until(delegate { return watch.Left == 1; }, "the first one is gone");
                link.Client = abroad.Join(registry, new ThetaJoinOptions { Ticket = link.Host.Ticket() });
                link.Live();
                TurnFor(link, 300);
                uint place = Info(link.Client).LocalPeer;
                int progress = watch.Progress;
                link.Client.Suspend();
                link.Until(delegate { return AtHost(link) == SessionState.Away; }, "it is away");
                Assert.AreEqual(
                    ThetaStatus.Ok, ThetaExperimental.ConditionLinks(abroad, new LinkConditions { LossPercent = 100 }));
                TurnFor(link, 7000);
                Assert.AreEqual(SessionState.Away, link.Client.State);
                ThetaExperimental.ConditionLinks(abroad, new LinkConditions());
                link.Client.Resume();
                link.Until(
                    delegate { return link.Client.State == SessionState.Live && AtHost(link) == SessionState.Live; },
                    "both see it back, on another link");
                link.TickAndReceive().Dispose();
                Assert.AreEqual(place, Info(link.Client).LocalPeer);
                Assert.AreEqual(1, watch.Left);
                Assert.AreEqual(0, watch.Disconnected);
                Assert.AreEqual(progress, watch.Progress, "no world was sent again");
            }
        }

        [Test]
        public void AClientThatIsAwayForTooLongIsToldSoAndJoinsAnew()
        {
            using (Loopback link = Meet(1500))
            {
                Watch watch = new Watch(link);
                link.Live();
                link.Client.Suspend();
                link.Until(delegate { return watch.Disconnected == 1 && watch.Left == 1; }, "the window is over");
                Assert.AreEqual(AwayTimeout, watch.Code);
                Assert.AreEqual(AwayTimeout, watch.LeftCode);
                Assert.AreEqual(AwayTimeout, Info(link.Client).DisconnectCode);
                Assert.AreEqual(ThetaStatus.Ok, link.Client.Resume(), "too late: nothing happens");
                link.Client.Dispose();
                link.Client = link.Runtime.Join(link.Registry, new ThetaJoinOptions { Ticket = link.Host.Ticket() });
                link.Live();
                link.Until(delegate { return watch.Joined == 2; }, "it has a place again");

                // Its network is gone as well, so that it learns of it when it comes back. Both ends are of this runtime.
                link.Client.Suspend();
                link.Until(delegate { return AtHost(link) == SessionState.Away; }, "it is away");
                ThetaExperimental.ConditionLinks(link.Runtime, new LinkConditions { LossPercent = 100 });
                TurnFor(link, 7000);
                Assert.AreEqual(2, watch.Left);
                Assert.AreEqual(SessionState.Away, link.Client.State);
                ThetaExperimental.ConditionLinks(link.Runtime, new LinkConditions());
                link.Client.Resume();
                link.Until(delegate { return watch.Disconnected == 2; }, "it is told");
                Assert.AreEqual(ResumeRefused, watch.Code);
            }
        }

        private static uint Outcome(Loopback link, ThetaJoinOptions joining)
        {
            joining.Ticket = link.Host.Ticket();
            link.Client.Dispose();
            link.Client = link.Runtime.Join(link.Registry, joining);
            link.Until(
                delegate { return link.Client.State == SessionState.Live || link.Client.State == SessionState.Closed; },
                "it is in or out");
            return Info(link.Client).DisconnectCode;
        }

        [Test]
        public void FloorsAreHeldAndCanBeRead()
        {
            using (Loopback link = new Loopback().Live())
            {
                ProtocolVersion ours = Info(link.Host).Version;
                Assert.AreEqual(ours, Info(link.Client).Version);
                Assert.AreEqual(new ProtocolVersion(), Info(link.Host).LeastVersion);
                ProtocolVersion next = new ProtocolVersion(ours.Major, (ushort)(ours.Minor + 1), ours.Patch);
                Assert.AreEqual(0, Outcome(link, new ThetaJoinOptions { LeastVersion = ours }));
                Assert.AreEqual(ours, Info(link.Client).LeastVersion);
                Assert.AreEqual(VersionFloor, Outcome(link, new ThetaJoinOptions { LeastVersion = next }));
                Assert.AreEqual(
                    TransportFloor, Outcome(link, new ThetaJoinOptions { Transports = ThetaTransports.Memory }));
                Assert.AreEqual(
                    0, Outcome(link, new ThetaJoinOptions { Transports = ThetaTransports.Memory | ThetaTransports.Quic }));
                Assert.AreEqual(
                    SecurityFloor, Outcome(link, new ThetaJoinOptions { SecurityModes = ThetaSecurityModes.EndToEnd }));

                // A host for which this build is too old.
                link.Host.Dispose();
                link.Host = link.Runtime.Host(
                    link.Registry, new ThetaHostOptions { DevMode = true, LeastVersion = next });
                Assert.AreEqual(next, Info(link.Host).LeastVersion);
                Assert.AreEqual(VersionFloor, Outcome(link, new ThetaJoinOptions()));
                string reason = null;
                link.Client.Dispose();
                link.Client = link.Runtime.Join(link.Registry, new ThetaJoinOptions { Ticket = link.Host.Ticket() });
                link.OnClientEvent = delegate(ThetaEvent e)
                {
                    reason = e.Kind == ThetaEventKind.Disconnected ? link.Client.Text(e) : reason;
                };
                link.Until(delegate { return reason != null; }, "it is told");
                StringAssert.Contains(ours.ToString(), reason);
                StringAssert.Contains(next.ToString(), reason);
            }
        }

        [Test]
        public void InputForATickFarAheadIsLeftOutAndCounted()
        {
            using (Loopback link = new Loopback().Live())
            {
                uint place = Info(link.Client).LocalPeer;
                InputSample input = new InputSample();
                input.InputTick = Info(link.Host).Tick + 100000;
                ThetaStatistics counted = new ThetaStatistics();
                link.Until(
                    delegate
                    {
                        input.InputTick++;
                        link.Client.SendInput(ref input);
                        return !link.Host.GetStatistics(place, out counted).IsError() && counted.InputsRefused > 0;
                    },
                    "the host has counted them");
                Assert.AreEqual(0, counted.InputsReceived);
            }
        }
    }
}
