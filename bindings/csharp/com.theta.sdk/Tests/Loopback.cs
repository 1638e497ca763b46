// A host and a client in one process over loopback, driven by hand.
using System;
using System.Diagnostics;
using System.Threading;
using NUnit.Framework;

namespace Theta.Tests
{
    /// <summary>How long the long tests are: as they say, or a tenth where THETA_QUICK is set.</summary>
    internal static class TestLength
    {
        internal static int Of(int whole)
        {
            return string.IsNullOrEmpty(Environment.GetEnvironmentVariable("THETA_QUICK")) ? whole : whole / 10;
        }
    }

    internal sealed class Loopback : IDisposable
    {
        internal const int TimeoutMs = 30000;

        internal readonly ThetaRuntime Runtime;
        internal readonly ThetaRegistry Registry;
        internal readonly ThetaComponent<DemoCube> Cube;
        internal readonly ThetaComponent<AllKinds> Kinds;
        internal ThetaHost Host;
        internal ThetaClient Client;
        internal Action<ThetaEvent> OnHostEvent;
        internal Action<ThetaEvent> OnClientEvent;
        internal Action BeforeTick;

        internal Loopback()
            : this(new ThetaHostOptions { DevMode = true }, new ThetaJoinOptions())
        {
        }

        /// <summary>With other components than the tests' own.</summary>
        internal Loopback(Action<ThetaRegistry> components)
            : this(new ThetaHostOptions { DevMode = true }, new ThetaJoinOptions(), components)
        {
        }

        internal Loopback(ThetaHostOptions hosting, ThetaJoinOptions joining, Action<ThetaRegistry> components = null)
        {
            Runtime = ThetaRuntime.Create();
            try
            {
                Registry = Runtime.CreateRegistry();
                if (components == null)
                {
                    Cube = Registry.Add<DemoCube>();
                    Kinds = Registry.Add<AllKinds>();
                }
                else
                {
                    components(Registry);
                }
                Host = Runtime.Host(Registry, hosting);
                uint tick;
                Host.Tick(out tick);
                joining.Ticket = joining.Ticket ?? Host.Ticket();
                joining.Name = joining.Name ?? "tester-0";
                Client = Runtime.Join(Registry, joining);
            }
            catch
            {
                Runtime.Dispose();
                throw;
            }
        }

        internal Loopback Live()
        {
            Until(delegate { return Client.State == SessionState.Live; }, "the client is live");
            return this;
        }

        /// <summary>One turn of both loops.</summary>
        internal void Turn()
        {
            ThetaEvent e;
            while (!Host.IsDisposed && Host.TryPoll(out e))
            {
                if (OnHostEvent != null)
                {
                    OnHostEvent(e);
                }
            }
            int due = 0;
            if (!Host.IsDisposed)
            {
                Host.TicksDue(ThetaRuntime.NowNs, 8, out due);
            }
            for (int i = 0; i < due; i++)
            {
                if (BeforeTick != null)
                {
                    BeforeTick();
                }
                uint tick;
                Host.Tick(out tick);
            }
            while (!Client.IsDisposed && Client.TryPoll(out e))
            {
                if (OnClientEvent != null)
                {
                    OnClientEvent(e);
                }
            }
        }

        internal void Until(Func<bool> condition, string what)
        {
            Stopwatch clock = Stopwatch.StartNew();
            while (!condition())
            {
                if (clock.ElapsedMilliseconds > TimeoutMs)
                {
                    Assert.Fail("After " + TimeoutMs + " ms still waiting until " + what + "; host "
                        + Host.State + ", client " + Client.State + ".");
                }
                Turn();
                Thread.Sleep(2);
            }
        }

        /// <summary>Seals a tick and returns the client's frame of it or a later one.</summary>
        internal Frame TickAndReceive()
        {
            uint tick;
            Assert.AreEqual(ThetaStatus.Ok, Host.Tick(out tick));
            Frame frame = default(Frame);
            Until(
                delegate
                {
                    Frame candidate;
                    FrameInfo info;
                    if (Client.AcquireNewest(out candidate).IsError())
                    {
                        return false;
                    }
                    if (!candidate.GetInfo(out info).IsError() && info.Tick >= tick)
                    {
                        frame = candidate;
                        return true;
                    }
                    candidate.Dispose();
                    return false;
                },
                "tick " + tick + " is complete at the client");
            return frame;
        }

        public void Dispose()
        {
            if (Client != null)
            {
                Client.Dispose();
            }
            if (Host != null)
            {
                Host.Dispose();
            }
            Registry.Dispose();
            Runtime.Dispose();
        }
    }
}
