// What a panic of the library costs a C# program: a status, and the session or the runtime that it happened in. Needs a
// library that was built with the feature test-panics, which no release has.
using System;
using System.Runtime.InteropServices;
using NUnit.Framework;
using Theta.Interop;

namespace Theta.Tests
{
    [TestFixture]
    [Category("Panics")]
    public class LivePanicTests
    {
        [DllImport("theta_sdk", CallingConvention = CallingConvention.Cdecl)]
        private static extern int theta_test_panic_session(theta_session session);

        [DllImport("theta_sdk", CallingConvention = CallingConvention.Cdecl)]
        private static extern int theta_test_panic_runtime(theta_runtime runtime);

        [SetUp]
        public void OnlyWithThatLibrary()
        {
            if (string.IsNullOrEmpty(Environment.GetEnvironmentVariable("THETA_PANICS_DIR")))
            {
                Assert.Ignore("THETA_PANICS_DIR is not set: the library does not panic on demand.");
            }
        }

        /// <summary>The text of the session's fault, or null while it has told none.</summary>
        private static string FaultOf(ThetaSession session)
        {
            ThetaEvent e;
            string text = null;
            while (session.TryPoll(out e))
            {
                if (e.Kind == ThetaEventKind.Faulted)
                {
                    Assert.AreEqual((int)ThetaStatus.Panic, e.Code);
                    text = session.Text(e);
                }
            }
            return text;
        }

        private static void GoesOn(Loopback link)
        {
            uint tick;
            Assert.AreEqual(ThetaStatus.Ok, link.Host.Tick(out tick));
            Assert.AreEqual(SessionState.Live, link.Client.State);
            Assert.AreEqual(SessionState.Live, link.Host.State);
        }

        [Test]
        public void APanicInACallFaultsItsSessionAlone()
        {
            using (Loopback one = new Loopback().Live())
            using (Loopback other = new Loopback().Live())
            {
                Assert.AreEqual((int)ThetaStatus.Panic, theta_test_panic_session(one.Client.Native));
                Assert.AreEqual(SessionState.Faulted, one.Client.State);
                Assert.AreEqual((int)ThetaStatus.Panic, theta_test_panic_session(one.Client.Native));
                StringAssert.Contains("on purpose", FaultOf(one.Client));
                Assert.IsNull(FaultOf(one.Client));
                uint tick;
                Assert.AreEqual(ThetaStatus.Ok, one.Host.Tick(out tick));
                GoesOn(other);
            }
        }

        [Test]
        public void APanicOfTheThreadIsToldByEverySessionAndOtherRuntimesGoOn()
        {
            using (Loopback one = new Loopback().Live())
            using (Loopback other = new Loopback().Live())
            {
                theta_runtime runtime = new theta_runtime { bits = one.Runtime.Handle.Bits };
                Assert.AreEqual((int)ThetaStatus.Ok, theta_test_panic_runtime(runtime));
                string host = null;
                string client = null;
                DateTime end = DateTime.UtcNow.AddMilliseconds(Loopback.TimeoutMs);
                while ((host == null || client == null) && DateTime.UtcNow < end)
                {
                    host = FaultOf(one.Host) ?? host;
                    client = FaultOf(one.Client) ?? client;
                    System.Threading.Thread.Sleep(2);
                }
                StringAssert.Contains("on purpose", host);
                StringAssert.Contains("on purpose", client);
                uint tick;
                Assert.AreEqual(ThetaStatus.Panic, one.Host.Tick(out tick));
                GoesOn(other);
            }
        }
    }
}
