// Host and client in one process over loopback QUIC: the real library.
using System;
using System.Collections.Generic;
using System.IO;
using System.Globalization;
using System.Text;
using System.Threading;
using NUnit.Framework;

namespace Theta.Tests
{
    [TestFixture]
    [Category("Live")]
    public class LiveTests
    {
        [Test]
        public void TheLibraryFitsThePackage()
        {
            Assert.IsNull(Theta.Interop.AbiHandshake.Check());
            Assert.IsNotEmpty(ThetaRuntime.BuildInfo);
            Assert.IsNotEmpty(ThetaStatus.Ok.Text());
            Assert.AreNotEqual(ThetaStatus.Ok.Text(), ThetaStatus.HandleStale.Text());
            ulong before = ThetaRuntime.NowNs;
            Thread.Sleep(5);
            ulong passed = ThetaRuntime.NowNs - before;
            Assert.Greater(passed, 4000000UL);
            Assert.Less(passed, 5000000000UL);
        }

        [Test]
        public void AttributesBuilderAndDocumentedTablesGiveOneSchema()
        {
            using (ThetaRuntime runtime = ThetaRuntime.Create())
            {
                ulong byAttributes;
                ulong byBuilder;
                using (ThetaRegistry registry = runtime.CreateRegistry())
                {
                    Assert.AreEqual(ThetaRegistry.ComponentId("demo.cube"), registry.Add<DemoCube>().Id);
                    Assert.AreEqual(22, registry.Add<DemoAvatar>().Lanes);
                    byAttributes = registry.SchemaHash;
                    StringAssert.Contains("demo.avatar", registry.Manifest());
                }
                using (ThetaRegistry registry = runtime.CreateRegistry())
                {
                    // The order of registration does not matter.
                    registry.Add<DemoAvatar>(DemoBuilders.Avatar());
                    registry.Add<DemoCube>(DemoBuilders.Cube());
                    byBuilder = registry.SchemaHash;
                }
                Assert.AreEqual(byAttributes, byBuilder);
                using (ThetaRegistry registry = runtime.CreateRegistry())
                {
                    string root = Environment.GetEnvironmentVariable("THETA_REPO");
                    if (string.IsNullOrEmpty(root))
                    {
                        Assert.Ignore("THETA_REPO is not set: the tables are in samples/README.md of the repository.");
                    }
                    string[] page = File.ReadAllLines(Path.Combine(root, "samples/README.md"));
                    registry.AddUntyped(DocumentedTables.Read(page, "demo.cube"));
                    registry.AddUntyped(DocumentedTables.Read(page, "demo.avatar"));
                    Assert.AreEqual(byAttributes, registry.SchemaHash);
                }
                using (ThetaRegistry registry = runtime.CreateRegistry())
                {
                    ComponentBuilder other = DemoBuilders.Cube();
                    other.Fields[0].Step = 1.0 / 512;
                    registry.Add<DemoAvatar>();
                    registry.Add<DemoCube>(other);
                    Assert.AreNotEqual(byAttributes, registry.SchemaHash);
                }
            }
        }

        [Test]
        public void SetupErrorsAreSentences()
        {
            using (ThetaRuntime runtime = ThetaRuntime.Create())
            using (ThetaRegistry registry = runtime.CreateRegistry())
            {
                ComponentBuilder bad = new ComponentBuilder("test.range").F32(1, "x", 5, 1, 0.1);
                ThetaException invalid = Assert.Throws<ThetaException>(delegate { registry.AddUntyped(bad); });
                Assert.AreEqual(ThetaStatus.ComponentInvalid, invalid.Status);
                Assert.AreEqual("theta_registry_add", invalid.Function);
                Assert.Greater(invalid.Message.Length, 20);

                registry.Add<DemoCube>();
                ThetaException ticket = Assert.Throws<ThetaException>(
                    delegate { runtime.Join(registry, new ThetaJoinOptions { Ticket = "not a ticket" }); });
                Assert.AreEqual(ThetaStatus.Ticket, ticket.Status);
                ThetaException address = Assert.Throws<ThetaException>(
                    delegate { runtime.Host(registry, new ThetaHostOptions { BindAddress = "nowhere", DevMode = true }); });
                Assert.AreEqual(ThetaStatus.Address, address.Status);
                using (runtime.Host(registry, new ThetaHostOptions { DevMode = true }))
                {
                    ThetaException sealedError = Assert.Throws<ThetaException>(delegate { registry.Add<AllKinds>(); });
                    Assert.AreEqual(ThetaStatus.RegistrySealed, sealedError.Status);
                }
            }
        }

        [Test]
        public void JoinTellsBothSides()
        {
            List<ThetaEvent> atHost = new List<ThetaEvent>();
            List<ThetaEvent> atClient = new List<ThetaEvent>();
            string joinedName = null;
            using (Loopback link = new Loopback(
                new ThetaHostOptions { DevMode = true }, new ThetaJoinOptions { Name = "Zoë-3" }))
            {
                link.OnHostEvent = delegate(ThetaEvent e)
                {
                    atHost.Add(e);
                    if (e.Kind == ThetaEventKind.PeerJoined)
                    {
                        joinedName = link.Host.Text(e);
                    }
                };
                link.OnClientEvent = atClient.Add;
                link.Live();
                link.Until(delegate { return joinedName != null; }, "the host knows the peer");
                Assert.AreEqual("Zoë-3", joinedName);

                SessionInfo client;
                SessionInfo host;
                Assert.AreEqual(ThetaStatus.Ok, link.Client.GetInfo(out client));
                Assert.AreEqual(ThetaStatus.Ok, link.Host.GetInfo(out host));
                Assert.IsTrue(host.IsHost);
                Assert.IsFalse(client.IsHost);
                Assert.AreEqual(90u, client.TickRateHz);
                Assert.AreEqual(ThetaRole.Editor, client.Role);
                Assert.AreEqual(link.Registry.SchemaHash, client.SchemaHash);
                Assert.AreEqual(host.SessionId(), client.SessionId());
                Assert.AreEqual(host.AuthorityKey(), client.AuthorityKey());
                Assert.Greater(host.Port, 0u);

                PeerInfo[] peers = new PeerInfo[4];
                int count;
                Assert.AreEqual(ThetaStatus.Ok, link.Host.GetPeers(peers, out count));
                Assert.AreEqual(1, count);
                Assert.AreEqual("Zoë-3", peers[0].Name());
                Assert.AreEqual(client.LocalPeer, peers[0].Peer);
                // The state is known a moment before the events of it are polled.
                link.Until(
                    delegate
                    {
                        return atClient.Exists(delegate(ThetaEvent e)
                        {
                            return e.Kind == ThetaEventKind.StateChanged && e.Code == (int)SessionState.Live;
                        });
                    },
                    "the client hears that it is live");
                ThetaEvent admitted = atClient.Find(delegate(ThetaEvent e) { return e.Kind == ThetaEventKind.Admitted; });
                Assert.AreEqual((int)ThetaRole.Editor, admitted.Code);
            }
        }

        [Test]
        public void AClientMayComeBeforeTheFirstTick()
        {
            using (ThetaRuntime runtime = ThetaRuntime.Create())
            using (ThetaRegistry registry = runtime.CreateRegistry())
            {
                registry.Add<DemoCube>();
                using (ThetaHost host = runtime.Host(registry, new ThetaHostOptions { DevMode = true }))
                using (ThetaClient client = runtime.Join(registry, new ThetaJoinOptions { Ticket = host.Ticket() }))
                {
                    string problem = null;
                    ThetaEvent e;
                    for (int i = 0; i < 50; i++)
                    {
                        while (host.TryPoll(out e))
                        {
                        }
                        while (client.TryPoll(out e))
                        {
                            problem = e.Kind == ThetaEventKind.Disconnected ? client.Text(e) : problem;
                        }
                        Thread.Sleep(5);
                    }
                    Assert.IsNull(problem);
                    System.Diagnostics.Stopwatch clock = System.Diagnostics.Stopwatch.StartNew();
                    while (client.State != SessionState.Live && clock.ElapsedMilliseconds < Loopback.TimeoutMs)
                    {
                        uint tick;
                        host.Tick(out tick);
                        while (client.TryPoll(out e))
                        {
                        }
                        Thread.Sleep(5);
                    }
                    Assert.AreEqual(SessionState.Live, client.State);
                }
            }
        }

        [Test]
        public void ManualAdmissionCarriesBytesBothWays()
        {
            string asked = null;
            string answered = null;
            ThetaJoinOptions joining = new ThetaJoinOptions { Application = Encoding.UTF8.GetBytes("team=red"), ManualLoaded = true };
            using (Loopback link = new Loopback(
                new ThetaHostOptions { DevMode = true, ManualAdmission = true }, joining))
            {
                link.OnHostEvent = delegate(ThetaEvent e)
                {
                    if (e.Kind == ThetaEventKind.JoinRequest)
                    {
                        asked = link.Host.Text(e);
                        Assert.AreEqual(
                            ThetaStatus.Ok, link.Host.Admit(e.Peer, ThetaRole.Viewer, Encoding.UTF8.GetBytes("level=7")));
                    }
                };
                link.OnClientEvent = delegate(ThetaEvent e)
                {
                    if (e.Kind == ThetaEventKind.Admitted)
                    {
                        answered = link.Client.Text(e);
                    }
                };
                link.Until(delegate { return answered != null; }, "the client is admitted");
                Assert.AreEqual("team=red", asked);
                Assert.AreEqual("level=7", answered);
                for (int i = 0; i < 20; i++)
                {
                    link.Turn();
                    Thread.Sleep(2);
                }
                Assert.AreEqual(SessionState.Admitted, link.Client.State);
                Assert.AreEqual(ThetaStatus.Ok, link.Client.Loaded());
                link.Live();
                SessionInfo info;
                link.Client.GetInfo(out info);
                Assert.AreEqual(ThetaRole.Viewer, info.Role);
            }
        }

        [Test]
        public void ADeniedClientLearnsWhy()
        {
            string reason = null;
            using (Loopback link = new Loopback(
                new ThetaHostOptions { DevMode = true, ManualAdmission = true }, new ThetaJoinOptions()))
            {
                link.OnHostEvent = delegate(ThetaEvent e)
                {
                    if (e.Kind == ThetaEventKind.JoinRequest)
                    {
                        link.Host.Deny(e.Peer, "the match is full");
                    }
                };
                link.OnClientEvent = delegate(ThetaEvent e)
                {
                    if (e.Kind == ThetaEventKind.Disconnected)
                    {
                        reason = link.Client.Text(e);
                        Assert.IsNotEmpty(ThetaRuntime.DisconnectText((uint)e.Code));
                    }
                };
                link.Until(delegate { return reason != null; }, "the client is told");
                StringAssert.Contains("the match is full", reason);
            }
        }

        [Test]
        public void AnInviteLetsOneInAndABanKeepsItOut()
        {
            byte[] invite = null;
            byte[] bound = null;
            uint ended = 0;
            byte[] seed = new byte[32];
            seed[0] = 1;
            ThetaHostOptions hosting = new ThetaHostOptions { DevMode = true };
            using (Loopback link = new Loopback(hosting, new ThetaJoinOptions { IdentitySeed = seed }).Live())
            {
                Assert.Throws<ThetaException>(delegate { link.Host.CreateInvite(ThetaRole.Admin, out invite); });
                string ticket = link.Host.CreateInvite(ThetaRole.Viewer, out invite);
                StringAssert.Contains(".invite.", ticket);
                link.OnHostEvent = delegate(ThetaEvent e)
                {
                    if (e.Kind == ThetaEventKind.InviteBound)
                    {
                        bound = new byte[e.TextLength];
                        int length;
                        Assert.AreEqual(ThetaStatus.Ok, link.Host.Text(ref e, bound, out length));
                    }
                };
                link.OnClientEvent = delegate(ThetaEvent e)
                {
                    ended = e.Kind == ThetaEventKind.Disconnected ? (uint)e.Code : ended;
                };
                link.Client.Dispose();
                link.Client = link.Runtime.Join(
                    link.Registry, new ThetaJoinOptions { Ticket = ticket, IdentitySeed = seed });
                link.Live();
                link.Until(delegate { return bound != null; }, "the host hears of the invite's use");
                Assert.AreEqual(48, bound.Length);
                InviteInfo[] invites = new InviteInfo[4];
                Assert.AreEqual(1, link.Host.Invites(invites));
                Assert.AreEqual(1u, invites[0].Used);
                CollectionAssert.AreEqual(invite, invites[0].Id());
                SessionInfo info;
                link.Client.GetInfo(out info);
                Assert.AreEqual(ThetaRole.Viewer, info.Role);

                byte[] key;
                Assert.AreEqual(ThetaStatus.Ok, link.Host.Ban(info.LocalPeer, out key));
                CollectionAssert.AreEqual(ThetaRuntime.IdentityPublicKey(seed), key);
                link.Until(delegate { return ended == 71; }, "the banned client is told");
                Assert.AreEqual(ThetaStatus.Ok, link.Host.Unban(key));
                Assert.AreEqual(ThetaStatus.Ok, link.Host.RevokeInvite(invite));
                Assert.AreEqual(ThetaStatus.Ok, link.Host.Ban(key));

                // What was decided goes to the next host.
                byte[] kept = link.Host.Admission();
                link.Client.Dispose();
                link.Host.Dispose();
                hosting.Admission = kept;
                link.Host = link.Runtime.Host(link.Registry, hosting);
                ended = 0;
                link.Client = link.Runtime.Join(
                    link.Registry, new ThetaJoinOptions { Ticket = link.Host.Ticket(), IdentitySeed = seed });
                link.Until(delegate { return ended == 71; }, "the banned client is told again");
            }
        }

        [Test]
        public void ABearerTokenIsTheHostsToJudge()
        {
            byte[] token = null;
            uint ended = 0;
            ThetaHostOptions hosting = new ThetaHostOptions { DevMode = true, TakesBearer = true };
            ThetaJoinOptions joining = new ThetaJoinOptions { Bearer = Encoding.UTF8.GetBytes("token") };
            using (Loopback link = new Loopback(hosting, joining))
            {
                link.OnHostEvent = delegate(ThetaEvent e)
                {
                    if (e.Kind == ThetaEventKind.JoinRequest)
                    {
                        token = link.Host.Bearer(e);
                        link.Host.Deny(e.Peer, "unknown");
                    }
                };
                link.OnClientEvent = delegate(ThetaEvent e)
                {
                    ended = e.Kind == ThetaEventKind.Disconnected ? (uint)e.Code : ended;
                };
                link.Until(delegate { return ended != 0; }, "the client is told");
                Assert.AreEqual(70u, ended);
                CollectionAssert.AreEqual(joining.Bearer, token);
            }
        }

        [Test]
        public void SpawnsAndDespawnsAreEvents()
        {
            List<ThetaEvent> events = new List<ThetaEvent>();
            using (Loopback link = new Loopback().Live())
            {
                link.OnClientEvent = events.Add;
                EntityId entity;
                link.Host.Spawn(new ThetaSpawn().Begin(12).With(link.Cube), out entity);
                link.Until(
                    delegate
                    {
                        return events.Exists(delegate(ThetaEvent e)
                        {
                            return e.Kind == ThetaEventKind.EntitySpawned && e.Entity == entity && e.Value == 12;
                        });
                    },
                    "the client hears of the spawn");
                SessionInfo info;
                link.Client.GetInfo(out info);
                Assert.AreEqual(ThetaStatus.Ok, link.Host.SetOwner(entity, info.LocalPeer));
                link.Until(
                    delegate
                    {
                        return events.Exists(delegate(ThetaEvent e)
                        {
                            return e.Kind == ThetaEventKind.OwnerChanged && e.Entity == entity && e.Peer == info.LocalPeer;
                        });
                    },
                    "the client hears of its ownership");
                Assert.AreEqual(ThetaStatus.Ok, link.Host.Despawn(entity));
                Assert.AreEqual(ThetaStatus.EntityUnknown, link.Host.Despawn(entity));
                link.Until(
                    delegate
                    {
                        return events.Exists(delegate(ThetaEvent e)
                        {
                            return e.Kind == ThetaEventKind.EntityDespawned && e.Entity == entity;
                        });
                    },
                    "the client hears of the despawn");
            }
        }

        [Test]
        public void InputReachesTheHost()
        {
            using (Loopback link = new Loopback().Live())
            {
                SessionInfo info;
                link.Client.GetInfo(out info);
                InputSample sent = default(InputSample);
                sent.Head.Position = new Vec3(0.5f, 1.75f, -0.25f);
                sent.Head.Rotation = Quat.Identity;
                sent.Head.Flags = PoseFlags.Valid | PoseFlags.Tracked;
                sent.Right = sent.Head;
                sent.Right.LinearVelocity = new Vec3(1, 0, 0);
                sent.Buttons = 0x81;
                sent.SetAxis(2, 0.5f);
                sent.SetTail(new byte[] { 9, 8, 7 });
                InputSample got = default(InputSample);
                link.Until(
                    delegate
                    {
                        sent.InputTick++;
                        sent.SampledAtUs += 11111;
                        ThetaStatus status = link.Client.SendInput(ref sent);
                        Assert.IsFalse(status.IsError(), status.ToString());
                        return link.Host.GetInput(info.LocalPeer, out got) == ThetaStatus.Ok && got.InputTick > 3;
                    },
                    "the host has the input");
                Assert.AreEqual(sent.Head.Position.Y, got.Head.Position.Y, 0.001f);
                Assert.AreEqual(PoseFlags.Valid | PoseFlags.Tracked, got.Head.Flags);
                Assert.AreEqual(1f, got.Right.LinearVelocity.X, 0.01f);
                Assert.AreEqual(0x81u, got.Buttons);
                Assert.AreEqual(0.5f, got.GetAxis(2), 0.002f);
                byte[] tail = new byte[64];
                Assert.AreEqual(3, got.GetTail(tail));
                Assert.AreEqual(7, tail[2]);
                Assert.AreEqual(got.InputTick * 11111UL, got.SampledAtUs);
                Assert.AreEqual(ThetaStatus.PeerUnknown, link.Host.GetInput(999, out got));

                // Counters are there from the first moment, and up to a tenth of a second old.
                ThetaStatistics statistics = default(ThetaStatistics);
                link.Until(
                    delegate
                    {
                        Assert.AreEqual(ThetaStatus.Ok, link.Host.GetStatistics(info.LocalPeer, out statistics));
                        return statistics.InputsReceived > 3;
                    },
                    "the inputs are counted");
                link.Until(
                    delegate
                    {
                        Assert.AreEqual(ThetaStatus.Ok, link.Client.GetStatistics(0, out statistics));
                        return statistics.BytesReceived > 0 && statistics.TicksComplete > 0;
                    },
                    "the client's traffic is counted");
            }
        }

        [Test]
        public void WrongRoleAndUnknownPeerAreStatuses()
        {
            using (Loopback link = new Loopback().Live())
            {
                double tick;
                Assert.AreEqual(ThetaStatus.WrongRole, RenderTickOfHost(link.Host, out tick));
                Assert.AreEqual(ThetaStatus.PeerUnknown, link.Host.Kick(999, "nobody"));
                ThetaStatistics statistics;
                Assert.AreEqual(ThetaStatus.PeerUnknown, link.Host.GetStatistics(999, out statistics));
            }
        }

        private static unsafe ThetaStatus RenderTickOfHost(ThetaHost host, out double tick)
        {
            double at = 0;
            int status = Theta.Interop.NativeMethods.theta_session_render_tick(host.Native, ThetaRuntime.NowNs, &at);
            tick = at;
            return (ThetaStatus)status;
        }

        [Test]
        public void KickEndsWithTheReason()
        {
            using (Loopback link = new Loopback().Live())
            {
                string reason = null;
                link.OnClientEvent = delegate(ThetaEvent e)
                {
                    if (e.Kind == ThetaEventKind.Disconnected)
                    {
                        reason = link.Client.Text(e);
                    }
                };
                SessionInfo info;
                link.Client.GetInfo(out info);
                Assert.AreEqual(ThetaStatus.Ok, link.Host.Kick(info.LocalPeer, "bye now"));
                link.Until(delegate { return reason != null; }, "the client is told");
                StringAssert.Contains("bye now", reason);
                link.Until(delegate { return link.Client.State == SessionState.Closed; }, "the client is closed");
            }
        }

        [Test]
        public void TicketsAdmitTheirOwnerOnly()
        {
            byte[] seed = new byte[32];
            seed[5] = 42;
            ThetaRuntime runtime = ThetaRuntime.Create();
            ThetaRegistry registry = runtime.CreateRegistry();
            registry.Add<DemoCube>();
            try
            {
                ThetaHost host = runtime.Host(registry, new ThetaHostOptions());
                uint first;
                host.Tick(out first);
                string ticket = host.IssueTicket(ThetaRuntime.IdentityPublicKey(seed), ThetaRole.Admin);
                ThetaClient owner = runtime.Join(registry, new ThetaJoinOptions { Ticket = ticket, IdentitySeed = seed });
                ThetaClient thief = runtime.Join(registry, new ThetaJoinOptions { Ticket = ticket });
                System.Diagnostics.Stopwatch clock = System.Diagnostics.Stopwatch.StartNew();
                while ((owner.State != SessionState.Live || thief.State != SessionState.Closed)
                    && clock.ElapsedMilliseconds < Loopback.TimeoutMs)
                {
                    ThetaEvent e;
                    while (host.TryPoll(out e))
                    {
                    }
                    while (owner.TryPoll(out e))
                    {
                    }
                    while (thief.TryPoll(out e))
                    {
                    }
                    uint tick;
                    host.Tick(out tick);
                    Thread.Sleep(5);
                }
                Assert.AreEqual(SessionState.Live, owner.State);
                Assert.AreEqual(SessionState.Closed, thief.State);
                SessionInfo info;
                owner.GetInfo(out info);
                Assert.AreEqual(ThetaRole.Admin, info.Role);
            }
            finally
            {
                runtime.Dispose();
            }
        }
    }

    /// <summary>Reads the field tables of samples/README.md, so that the documentation itself is what is compared.</summary>
    internal static class DocumentedTables
    {
        internal static ComponentBuilder Read(string[] page, string component)
        {
            int line = Array.FindIndex(page, delegate(string text) { return text.StartsWith("### `" + component + "`"); });
            Assert.GreaterOrEqual(line, 0, component);
            ComponentBuilder builder = new ComponentBuilder(component);
            for (line++; line < page.Length && !page[line].StartsWith("###"); line++)
            {
                string[] cells = page[line].Split('|');
                ushort id;
                if (cells.Length < 12 || !ushort.TryParse(cells[1].Trim(), out id))
                {
                    continue;
                }
                string kind = cells[3].Trim();
                ThetaKind number = (ThetaKind)byte.Parse(kind.Substring(kind.IndexOf('(') + 1).TrimEnd(')'));
                FieldSpec field = builder.Add(
                    id, cells[2].Trim().Trim('`'), number, ThetaKind.Inferred, int.Parse(cells[8].Trim()), 0);
                builder.At(int.Parse(cells[4].Trim()));
                field.Min = Number(cells[5]);
                field.Max = Number(cells[6]);
                field.Step = Number(cells[7]);
                string semantic = cells[9].Trim();
                field.Semantic = (ThetaSemantic)byte.Parse(semantic.Substring(semantic.IndexOf('(') + 1).TrimEnd(')'));
                field.Default = Array.ConvertAll(cells[10].Trim().Split(' '), Number);
            }
            Assert.Greater(builder.Fields.Count, 2);
            return builder;
        }

        /// <summary>The number a cell begins with; what follows explains it.</summary>
        private static double Number(string cell)
        {
            return double.Parse(cell.Trim().Split(' ')[0], CultureInfo.InvariantCulture);
        }
    }
}
