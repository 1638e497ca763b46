// The experimental part: a bad network, and a divergence that was planted.
using NUnit.Framework;

namespace Theta.Tests
{
    [TestFixture]
    [Category("Live")]
    public class LiveExperimentalTests
    {
        [Test]
        public void ABadNetworkTakesTheTimeItWasToldTo()
        {
            using (Loopback link = new Loopback().Live())
            {
                LinkConditions slow = new LinkConditions { LatencyMs = 15, Seed = 3 };
                Assert.AreEqual(ThetaStatus.Ok, ThetaExperimental.ConditionLinks(link.Runtime, slow));
                ThetaStatistics seen;
                // Both ends are of this runtime: four times the latency in a round trip.
                link.Until(
                    delegate { return !link.Client.GetStatistics(0, out seen).IsError() && seen.RttUs >= 57000; },
                    "a round trip takes four times 15 ms");
                slow.LossPercent = 100.5;
                Assert.AreEqual(ThetaStatus.Range, ThetaExperimental.ConditionLinks(link.Runtime, slow));
                slow.LossPercent = double.NaN;
                Assert.AreEqual(ThetaStatus.Range, ThetaExperimental.ConditionLinks(link.Runtime, slow));
            }
        }

        [Test]
        public void APlantedDivergenceIsNamedAndRepaired()
        {
            using (Loopback link = new Loopback())
            {
                EntityId entity;
                Assert.AreEqual(ThetaStatus.Ok, link.Host.Spawn(new ThetaSpawn().Begin(1).With(link.Cube), out entity));
                ulong component = 0;
                int field = 0;
                string text = string.Empty;
                int repaired = 0;
                link.OnHostEvent = delegate(ThetaEvent e)
                {
                    if (e.Kind == ThetaEventKind.Diverged)
                    {
                        component = e.Value;
                        field = e.Code;
                        text = link.Host.Text(e);
                    }
                };
                link.OnClientEvent = delegate(ThetaEvent e)
                {
                    repaired += e.Kind == ThetaEventKind.Repaired ? 1 : 0;
                };
                link.Live();
                link.TickAndReceive().Dispose();
                Assert.AreEqual(ThetaStatus.Ok, ThetaExperimental.PlantDivergence(link.Client, link.Cube.Id, 1));
                link.Until(delegate { return component != 0 && repaired == 1; }, "the divergence is found and repaired");
                Assert.AreEqual(link.Cube.Id, component);
                Assert.AreEqual(1, field);
                StringAssert.Contains("demo.cube", text);
                StringAssert.Contains("position", text);
                Assert.AreEqual(ThetaStatus.FieldUnknown, ThetaExperimental.PlantDivergence(link.Client, link.Cube.Id, 99));
            }
        }
    }
}
