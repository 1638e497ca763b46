// Codecs in C#: a component whose value here is a struct that no field layout describes.
using System;
using System.Collections.Generic;
using System.Runtime.CompilerServices;
using System.Threading;
using NUnit.Framework;

namespace Theta.Tests
{
    /// <summary>The game's own: a bool, a char and a date are nothing that a field can be.</summary>
    public struct Soldier
    {
        public bool Armed;
        public char Rank;
        public DateTime Enlisted;
        public int Health;
    }

    [ThetaComponent("test.soldier")]
    public struct SoldierFields
    {
        [ThetaField(1, Max = 100, DefaultInteger = 100)] public byte Health;
        [ThetaField(2, Kind = ThetaKind.Flags, Bits = 1)] public byte Armed;
        [ThetaField(3)] public ushort Rank;
        [ThetaField(4)] public long EnlistedTicks;
    }

    public sealed class SoldierCodec : ThetaCodec<Soldier, SoldierFields>
    {
        internal const int HealthThatThrows = 13;
        internal const int HealthRefused = 17;

        internal int Encoded;
        internal int Decoded;
        internal int Drops;
        internal int CallsAfterDrop;
        internal byte DefaultHealth;
        internal Action InACall;

        protected override bool Encode(EntityId entity, ref Soldier element, ref SoldierFields value)
        {
            Encoded++;
            CallsAfterDrop += Drops;
            DefaultHealth = value.Health;
            value.Rank = 'z';
            if (InACall != null)
            {
                InACall();
            }
            if (element.Health == HealthThatThrows)
            {
                throw new InvalidOperationException("thirteen");
            }
            if (element.Health == HealthRefused)
            {
                return false;
            }
            value.Health = (byte)element.Health;
            value.Armed = (byte)(element.Armed ? 1 : 0);
            value.Rank = element.Rank;
            value.EnlistedTicks = element.Enlisted.Ticks;
            return true;
        }

        protected override bool Decode(EntityId entity, ref SoldierFields value, ref Soldier element)
        {
            Decoded++;
            CallsAfterDrop += Drops;
            element.Health = value.Health;
            element.Armed = value.Armed != 0;
            element.Rank = (char)value.Rank;
            element.Enlisted = new DateTime(value.EnlistedTicks);
            return true;
        }

        protected override void OnDropped()
        {
            Drops++;
        }
    }

    [TestFixture]
    [Category("Live")]
    public class CodecTests
    {
        private SoldierCodec _codec;
        private ThetaComponent<Soldier> _soldiers;

        private Loopback Meet()
        {
            _codec = new SoldierCodec();
            return new Loopback(delegate(ThetaRegistry registry) { _soldiers = registry.Add(_codec); }).Live();
        }

        private static Soldier Sample(int number)
        {
            return new Soldier
            {
                Armed = number % 2 == 1,
                Rank = (char)('a' + (number % 20)),
                Enlisted = new DateTime(2020, 1, 1).AddDays(number),
                Health = number % 100,
            };
        }

        private static ThetaStatus Write(Loopback link, ThetaComponent<Soldier> soldiers, EntityId[] entities, Soldier[] rows)
        {
            ThetaWrite write;
            WriteReport report;
            Assert.AreEqual(ThetaStatus.Ok, link.Host.BeginWrite(out write));
            Assert.AreEqual(ThetaStatus.Ok, write.Rows(soldiers, entities, rows, out report));
            return write.Commit();
        }

        [Test]
        public void ElementsTravel()
        {
            using (Loopback link = Meet())
            {
                Soldier[] written = { Sample(1), Sample(2) };
                EntityId[] entities = new EntityId[2];
                for (int i = 0; i < 2; i++)
                {
                    link.Host.Spawn(new ThetaSpawn().Begin(1).With(_soldiers, written[i]), out entities[i]);
                }
                Assert.AreEqual(0, _codec.Encoded);
                Soldier[] read = new Soldier[2];
                for (int round = 0; round < 2; round++)
                {
                    using (Frame frame = link.TickAndReceive())
                    {
                        int count;
                        Assert.AreEqual(ThetaStatus.Ok, frame.Read(_soldiers, read, out count));
                        Assert.AreEqual(2, count);
                        CollectionAssert.AreEqual(written, read);
                        byte[] health = new byte[2];
                        Assert.AreEqual(ThetaStatus.Ok, frame.Read(_soldiers.Field<byte>(1), health, out count));
                        Assert.AreEqual(written[0].Health, health[0]);
                    }
                    // The host and the client decode.
                    Assert.AreEqual(2 + round, _codec.Encoded);
                    Assert.AreEqual(2 * _codec.Encoded, _codec.Decoded);
                    written[1] = Sample(30);
                    Assert.AreEqual(
                        ThetaStatus.Ok, Write(link, _soldiers, new[] { entities[1] }, new[] { written[1] }));
                }
                Assert.AreEqual(100, _codec.DefaultHealth);
                Assert.IsNull(_codec.LastException);
                SampleResult[] results = new SampleResult[2];
                Assert.AreEqual(ThetaStatus.NotSampled, link.Client.Sampler.Sample(_soldiers, entities, 1, read, results));
            }
            Assert.AreEqual(1, _codec.Drops);
            Assert.AreEqual(0, _codec.CallsAfterDrop);
        }

        [Test]
        public void ExceptionsAndRefusalsKeepTheOldValue()
        {
            using (Loopback link = Meet())
            {
                List<ThetaEvent> refused = new List<ThetaEvent>();
                string text = null;
                link.OnHostEvent = delegate(ThetaEvent e)
                {
                    if (e.Kind == ThetaEventKind.CodecFailed)
                    {
                        refused.Add(e);
                        text = link.Host.Text(e);
                    }
                };
                Soldier[] good = { Sample(1), Sample(2) };
                EntityId[] entities = new EntityId[2];
                for (int i = 0; i < 2; i++)
                {
                    link.Host.Spawn(new ThetaSpawn().Begin(1).With(_soldiers, good[i]), out entities[i]);
                }
                link.TickAndReceive().Dispose();
                foreach (int health in new[] { SoldierCodec.HealthThatThrows, SoldierCodec.HealthRefused })
                {
                    refused.Clear();
                    Soldier[] bad = { Sample(5), Sample(6) };
                    bad[1].Health = health;
                    good[0] = bad[0];
                    Assert.AreEqual(ThetaStatus.Ok, Write(link, _soldiers, entities, bad));
                    using (Frame frame = link.TickAndReceive())
                    {
                        Soldier[] read = new Soldier[2];
                        int count;
                        frame.Read(_soldiers, read, out count);
                        CollectionAssert.AreEqual(good, read);
                    }
                    link.Until(delegate { return refused.Count > 0; }, "the host hears of it");
                    Assert.AreEqual(1, refused.Count);
                    Assert.AreEqual(entities[1], refused[0].Entity);
                    Assert.AreEqual(_soldiers.Id, refused[0].Value);
                    bool threw = health == SoldierCodec.HealthThatThrows;
                    Assert.AreEqual(threw ? ThetaCodec.ThrewStatus : ThetaCodec.RefusedStatus, refused[0].Code);
                    StringAssert.Contains("\"test.soldier\"", text);
                }
                Assert.AreEqual("thirteen", _codec.LastException.Message);
            }
        }

        [Test]
        public void ACodecMayNotCallTheLibrary()
        {
            using (Loopback link = Meet())
            {
                EntityId entity;
                uint tick;
                ThetaStatus ticked = ThetaStatus.Ok;
                ThetaStatus written = ThetaStatus.Ok;
                ThetaStatus spawned = ThetaStatus.Ok;
                _codec.InACall = delegate
                {
                    uint inner;
                    ThetaWrite write;
                    EntityId another;
                    ticked = link.Host.Tick(out inner);
                    written = link.Host.BeginWrite(out write);
                    spawned = link.Host.Spawn(new ThetaSpawn().Begin(1), out another);
                    Assert.IsFalse(link.Host.TryPoll(out _));
                };
                link.Host.Spawn(new ThetaSpawn().Begin(1).With(_soldiers, Sample(1)), out entity);
                Assert.AreEqual(ThetaStatus.Ok, link.Host.Tick(out tick));
                Assert.AreEqual(ThetaStatus.Reentrant, ticked);
                Assert.AreEqual(ThetaStatus.Reentrant, written);
                Assert.AreEqual(ThetaStatus.Reentrant, spawned);
                Assert.AreEqual(ThetaStatus.Reentrant, link.Host.LastPollStatus);
                Assert.IsNull(_codec.LastException);
                _codec.InACall = null;
                link.TickAndReceive().Dispose();
            }
        }

        [Test]
        public void DropComesOnceAndLast()
        {
            SoldierCodec second = new SoldierCodec();
            SoldierCodec unused = new SoldierCodec();
            SoldierCodec detached = new SoldierCodec();
            using (Loopback link = Meet())
            {
                ThetaException sealedError = Assert.Throws<ThetaException>(delegate { link.Registry.Add(second); });
                Assert.AreEqual(ThetaStatus.RegistrySealed, sealedError.Status);
                Assert.AreEqual(1, second.Drops);
                using (ThetaRegistry other = link.Runtime.CreateRegistry())
                {
                    other.Add(unused);
                    ThetaException twice = Assert.Throws<ThetaException>(delegate { other.Add(second); });
                    Assert.AreEqual(ThetaStatus.ComponentCollision, twice.Status);
                    Assert.AreEqual(2, second.Drops);
                    Assert.AreEqual(0, unused.Drops);
                }
                Assert.AreEqual(1, unused.Drops);

                // A held frame outlives its session, and the codec with it.
                EntityId entity;
                link.Host.Spawn(new ThetaSpawn().Begin(1).With(_soldiers, Sample(3)), out entity);
                Frame frame = link.TickAndReceive();
                link.Client.Dispose();
                link.Host.Dispose();
                link.Registry.Dispose();
                Assert.AreEqual(0, _codec.Drops);
                Soldier[] read = new Soldier[1];
                int count;
                Assert.AreEqual(ThetaStatus.Ok, frame.Read(_soldiers, read, out count));
                Assert.AreEqual(Sample(3), read[0]);
                frame.Dispose();
                Assert.AreEqual(1, _codec.Drops);
            }
            Assert.AreEqual(1, _codec.Drops);

            // As a domain reload does it: nothing is disposed.
            ThetaRuntime runtime = ThetaRuntime.Create();
            ThetaRegistry registry = runtime.CreateRegistry();
            registry.Add(detached);
            ThetaHost host = runtime.Host(registry, new ThetaHostOptions { DevMode = true });
            runtime.Detach();
            Assert.AreEqual(1, detached.Drops);
            GC.KeepAlive(host);
        }

        /// <summary>The library alone holds on to the codec, and lets go of it.</summary>
        [Test]
        public void ACodecLivesAsLongAsItsRegistry()
        {
            using (ThetaRuntime runtime = ThetaRuntime.Create())
            {
                ThetaRegistry registry = runtime.CreateRegistry();
                WeakReference codec = AddAndForget(registry);
                GC.Collect();
                GC.WaitForPendingFinalizers();
                Assert.IsTrue(codec.IsAlive);
                registry.Dispose();
                for (int i = 0; i < 50 && codec.IsAlive; i++)
                {
                    // Mono scans stacks conservatively: an old copy on this one keeps it alive for a while.
                    Thread thread = new Thread(GC.Collect);
                    thread.Start();
                    thread.Join();
                }
                Assert.IsFalse(codec.IsAlive);
            }
        }

        [MethodImpl(MethodImplOptions.NoInlining)]
        private static WeakReference AddAndForget(ThetaRegistry registry)
        {
            WeakReference codec = null;
            Thread thread = new Thread(delegate()
            {
                SoldierCodec made = new SoldierCodec();
                registry.Add(made);
                codec = new WeakReference(made);
            });
            thread.Start();
            thread.Join();
            return codec;
        }

        [Test]
        public void ConvertingMakesNoGarbage()
        {
            const int Soldiers = 100;
            using (Loopback link = Meet())
            {
                EntityId[] entities = new EntityId[Soldiers];
                Soldier[] rows = new Soldier[Soldiers];
                Soldier[] read = new Soldier[Soldiers];
                for (int i = 0; i < Soldiers; i++)
                {
                    link.Host.Spawn(new ThetaSpawn().Begin(1).With(_soldiers, rows[i]), out entities[i]);
                }
                link.TickAndReceive().Dispose();
                Frames(link, entities, rows, read, 20);
                int calls = _codec.Encoded + _codec.Decoded;
                long bytes = GC.GetAllocatedBytesForCurrentThread();
                Frames(link, entities, rows, read, 300);
                bytes = GC.GetAllocatedBytesForCurrentThread() - bytes;
                Assert.AreEqual(0, bytes);
                Assert.AreEqual(300 * Soldiers * 3, _codec.Encoded + _codec.Decoded - calls);
            }
        }

        private void Frames(Loopback link, EntityId[] entities, Soldier[] rows, Soldier[] read, int frames)
        {
            ThetaEvent e;
            for (int number = 0; number < frames; number++)
            {
                for (int i = 0; i < rows.Length; i++)
                {
                    rows[i].Health = number % 2 == 0 ? 1 : 2;
                    rows[i].Rank++;
                }
                ThetaWrite write;
                WriteReport report;
                link.Host.BeginWrite(out write);
                write.Rows(_soldiers, entities, rows, out report);
                write.Commit();
                uint tick;
                link.Host.Tick(out tick);
                FrameInfo info = default(FrameInfo);
                for (int wait = 0; wait < 20000 && info.Tick != tick; wait++)
                {
                    while (link.Client.TryPoll(out e))
                    {
                    }
                    Frame frame;
                    int count;
                    if (link.Client.AcquireNext(out frame) == ThetaStatus.Ok)
                    {
                        frame.GetInfo(out info);
                        frame.Read(_soldiers, read, out count);
                        frame.Dispose();
                    }
                    else
                    {
                        Thread.Sleep(0);
                    }
                }
            }
        }
    }
}
