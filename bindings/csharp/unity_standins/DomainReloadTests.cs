// What a domain reload of the Editor does, with Mono's own application domains: managed code that used the library is
// unloaded while the library stays in the process, and the next domain starts over. Nothing native may call into what is
// gone, and nothing may be left running.
using System;
using System.Diagnostics;
using System.IO;
using System.Reflection;
using System.Threading;
using NUnit.Framework;

namespace Theta.Unity.Tests
{
    public struct Door
    {
        public bool Open;
    }

    [ThetaComponent("test.reloaded_door")]
    public struct DoorState
    {
        [ThetaField(1, Kind = ThetaKind.Flags, Bits = 2)]
        public byte Flags;
    }

    public sealed class DoorCodec : ThetaCodec<Door, DoorState>
    {
        internal int Drops;

        protected override bool Encode(EntityId entity, ref Door element, ref DoorState value)
        {
            value.Flags = (byte)(element.Open ? 1 : 0);
            return true;
        }

        protected override bool Decode(EntityId entity, ref DoorState value, ref Door element)
        {
            element.Open = value.Flags != 0;
            return true;
        }

        protected override void OnDropped()
        {
            Interlocked.Increment(ref Drops);
        }
    }

    /// <summary>The application of one domain: it plays, and forgets to dispose anything.</summary>
    public sealed class Play : MarshalByRefObject
    {
        private readonly DoorCodec _codec = new DoorCodec();
        private ThetaRuntime _runtime;
        private ThetaHost _host;
        private ThetaClient _client;
        private Frame _held;

        /// <summary>Unity runs the hooks of a domain as it loads.</summary>
        public void Load()
        {
            Type lifetime = typeof(ThetaLoop).Assembly.GetType("Theta.ThetaLifetime");
            lifetime.GetMethod("EditorLoaded", BindingFlags.Static | BindingFlags.NonPublic).Invoke(null, null);
        }

        /// <summary>True once a client has a door that went through both directions of a codec; a frame stays held.</summary>
        public bool Run()
        {
            _runtime = ThetaRuntime.Create();
            ThetaRegistry registry = _runtime.CreateRegistry();
            ThetaComponent<Door> doors = registry.Add(_codec);
            _host = _runtime.Host(registry, new ThetaHostOptions { DevMode = true });
            _client = _runtime.Join(registry, new ThetaJoinOptions { Ticket = _host.Ticket(), Name = "play" });
            EntityId door;
            _host.Spawn(new ThetaSpawn().Begin(1).With(doors, new Door { Open = true }), out door);
            Door[] rows = new Door[1];
            Stopwatch clock = Stopwatch.StartNew();
            while (clock.ElapsedMilliseconds < 30000)
            {
                ThetaEvent e;
                uint tick;
                int count;
                while (_host.TryPoll(out e))
                {
                }
                _host.Tick(out tick);
                while (_client.TryPoll(out e))
                {
                }
                if (_client.AcquireNewest(out _held) == ThetaStatus.Ok)
                {
                    if (_held.Read(doors, new Span<Door>(rows), out count) == ThetaStatus.Ok && count == 1)
                    {
                        return rows[0].Open;
                    }
                    _held.Dispose();
                }
                Thread.Sleep(5);
            }
            return false;
        }

        /// <summary>Unity's event before it unloads a domain. How often the codec was dropped by then.</summary>
        public int Unloading()
        {
            UnityEditor.AssemblyReloadEvents.StandInReload();
            return _codec.Drops;
        }
    }

    [TestFixture]
    [Category("Live")]
    public class DomainReloadTests
    {
        [TestCase(true)]
        [TestCase(false)]
        public void ADomainGoesWithAllThatItForgot(bool hooked)
        {
            for (int round = 0; round < 5; round++)
            {
                AppDomainSetup setup = new AppDomainSetup
                {
                    ApplicationBase = Path.GetDirectoryName(typeof(Play).Assembly.Location),
                };
                AppDomain domain = AppDomain.CreateDomain("play " + round, null, setup);
                Play play = (Play)domain.CreateInstanceAndUnwrap(typeof(Play).Assembly.FullName, typeof(Play).FullName);
                play.Load();
                Assert.IsTrue(play.Run(), "round " + round);
                if (hooked)
                {
                    // While managed code is still there to be called.
                    Assert.AreEqual(1, play.Unloading());
                }
                // Without the hook the finalizers of the domain do the same.
                AppDomain.Unload(domain);
                Stopwatch clock = Stopwatch.StartNew();
                while (NativeThreads() > 0 && clock.ElapsedMilliseconds < 10000)
                {
                    Thread.Sleep(5);
                }
                Assert.AreEqual(0, NativeThreads(), "threads of the library outlive their domain");
            }
        }

        private static int NativeThreads()
        {
            int found = 0;
            foreach (string task in Directory.GetDirectories("/proc/self/task"))
            {
                try
                {
                    found += File.ReadAllText(Path.Combine(task, "comm")).StartsWith("theta") ? 1 : 0;
                }
                catch (IOException)
                {
                    // It ended meanwhile.
                }
            }
            return found;
        }
    }
}
