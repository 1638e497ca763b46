// Runs the package's Unity-only code on the stand-ins: order of the stages, reset, reload, and the sample.
using System;
using System.Collections.Generic;
using System.Reflection;
using System.Threading;
using NUnit.Framework;
using UnityEngine;
using UnityEngine.LowLevel;

namespace Theta.Unity.Tests
{
    [TestFixture]
    public class ThetaLoopTests
    {
        private sealed class Recorder : IThetaStages
        {
            internal readonly List<string> Calls = new List<string>();
            internal bool Throws;
            internal Action Early;

            public void EarlyUpdate()
            {
                Calls.Add("early");
                if (Early != null)
                {
                    Early();
                }
                if (Throws)
                {
                    throw new InvalidOperationException("on purpose");
                }
            }

            public void BeforeRender()
            {
                Calls.Add("render");
            }

            public void PostLateUpdate()
            {
                Calls.Add("late");
            }
        }

        /// <summary>One engine frame: the phases of the loop in order, before-render ahead of the last.</summary>
        private static void Frame(List<string> calls)
        {
            foreach (PlayerLoopSystem phase in PlayerLoop.GetCurrentPlayerLoop().subSystemList)
            {
                if (phase.type == typeof(UnityEngine.PlayerLoop.PostLateUpdate))
                {
                    Application.StandInBeforeRender();
                }
                if (calls != null && phase.type == typeof(UnityEngine.PlayerLoop.Update))
                {
                    calls.Add("update");
                }
                foreach (PlayerLoopSystem system in phase.subSystemList ?? new PlayerLoopSystem[0])
                {
                    system.updateDelegate();
                }
            }
        }

        [SetUp]
        public void Clean()
        {
            ThetaLoop.Reset();
            Debug.Exceptions = 0;
        }

        [Test]
        public void StagesRunInTheOrderOfTheFrame()
        {
            Recorder recorder = new Recorder();
            ThetaLoop.Add(recorder);
            Frame(recorder.Calls);
            Frame(recorder.Calls);
            Assert.AreEqual("early update render late early update render late", string.Join(" ", recorder.Calls.ToArray()));
            ThetaLoop.Remove(recorder);
            recorder.Calls.Clear();
            Frame(null);
            Assert.AreEqual(0, recorder.Calls.Count);
        }

        [Test]
        public void AnExceptionStopsNobodyElse()
        {
            Recorder bad = new Recorder { Throws = true };
            Recorder good = new Recorder();
            ThetaLoop.Add(bad);
            ThetaLoop.Add(good);
            Frame(null);
            Assert.AreEqual(1, Debug.Exceptions);
            Assert.AreEqual(3, good.Calls.Count);
        }

        [Test]
        public void StagesComeAndGoWhileTheyRun()
        {
            Recorder first = new Recorder();
            Recorder second = new Recorder();
            Recorder third = new Recorder();
            Recorder late = new Recorder();
            first.Early = delegate
            {
                ThetaLoop.Remove(first);
                ThetaLoop.Remove(third);
                ThetaLoop.Add(late);
            };
            // Leaves and comes back each time: once a moment, not for ever.
            second.Early = delegate
            {
                ThetaLoop.Remove(second);
                ThetaLoop.Add(second);
            };
            ThetaLoop.Add(first);
            ThetaLoop.Add(second);
            ThetaLoop.Add(third);
            Frame(null);
            Assert.AreEqual("early", string.Join(" ", first.Calls.ToArray()));
            Assert.AreEqual("early render late", string.Join(" ", second.Calls.ToArray()));
            Assert.AreEqual(0, third.Calls.Count);
            Assert.AreEqual("render late", string.Join(" ", late.Calls.ToArray()));
        }

        [Test]
        public void TheSampleEndsAlsoWhenItCouldNotBegin()
        {
            Call(new Theta.Samples.HelloSession(), "OnDisable");
        }

        [Test]
        public void ResetLeavesTheLoopAsItWas()
        {
            int systems = Count();
            for (int round = 0; round < 5; round++)
            {
                ThetaLoop.Add(new Recorder());
                Assert.AreEqual(systems + 2, Count(), "installed once");
                ThetaLoop.Add(new Recorder());
                Assert.AreEqual(systems + 2, Count(), "installed once");
                ThetaLoop.Reset();
                Assert.AreEqual(systems, Count());
            }
        }

        private static int Count()
        {
            int count = 0;
            foreach (PlayerLoopSystem phase in PlayerLoop.GetCurrentPlayerLoop().subSystemList)
            {
                count += phase.subSystemList == null ? 0 : phase.subSystemList.Length;
            }
            return count;
        }

        [Test]
        public void ManyStagesKeepTheirOrder()
        {
            List<Recorder> recorders = new List<Recorder>();
            for (int i = 0; i < 9; i++)
            {
                recorders.Add(new Recorder());
                ThetaLoop.Add(recorders[i]);
            }
            ThetaLoop.Remove(recorders[4]);
            ThetaLoop.Remove(new Recorder());
            Frame(null);
            for (int i = 0; i < 9; i++)
            {
                Assert.AreEqual(i == 4 ? 0 : 3, recorders[i].Calls.Count);
            }
        }

        [Test]
        public void VectorsConvertBothWays()
        {
            Vec3 v = new Vector3(1, 2, 3);
            Vector3 back = v;
            Assert.AreEqual(3f, back.z);
            Quat q = new Quaternion(0.1f, 0.2f, 0.3f, 0.4f);
            Quaternion turned = q;
            Assert.AreEqual(0.4f, turned.w);
        }

        [Test]
        public void HooksCarryTheAttributesUnityLooksFor()
        {
            Type lifetime = typeof(ThetaLoop).Assembly.GetType("Theta.ThetaLifetime");
            MethodInfo start = lifetime.GetMethod("StartOfPlay", BindingFlags.Static | BindingFlags.NonPublic);
            MethodInfo loaded = lifetime.GetMethod("EditorLoaded", BindingFlags.Static | BindingFlags.NonPublic);
            Assert.IsNotNull(Attribute.GetCustomAttribute(start, typeof(RuntimeInitializeOnLoadMethodAttribute)));
            Assert.IsNotNull(Attribute.GetCustomAttribute(loaded, typeof(UnityEditor.InitializeOnLoadMethodAttribute)));
        }

        [Test]
        [Category("Live")]
        public void AReloadLetsEveryRuntimeGoAtOnce()
        {
            Type lifetime = typeof(ThetaLoop).Assembly.GetType("Theta.ThetaLifetime");
            lifetime.GetMethod("EditorLoaded", BindingFlags.Static | BindingFlags.NonPublic).Invoke(null, null);
            ThetaRuntime runtime = ThetaRuntime.Create();
            ThetaRegistry registry = runtime.CreateRegistry();
            registry.Add<Theta.Samples.HelloCube>();
            ThetaHost host = runtime.Host(registry, new ThetaHostOptions { DevMode = true });
            Recorder recorder = new Recorder();
            ThetaLoop.Add(recorder);
            System.Diagnostics.Stopwatch clock = System.Diagnostics.Stopwatch.StartNew();
            UnityEditor.AssemblyReloadEvents.StandInReload();
            Assert.Less(clock.ElapsedMilliseconds, 500);
            Assert.IsTrue(runtime.IsDisposed);
            Assert.AreEqual(SessionState.Closed, host.State);
            Frame(null);
            Assert.AreEqual(0, recorder.Calls.Count);
        }

        [Test]
        [Category("Live")]
        public void APausedApplicationIsAwayAndComesBack()
        {
            using (ThetaRuntime runtime = ThetaRuntime.Create())
            using (ThetaRegistry registry = runtime.CreateRegistry())
            {
                registry.Add<Theta.Samples.HelloCube>();
                using (ThetaHost host = runtime.Host(registry, new ThetaHostOptions { DevMode = true }))
                using (ThetaClient client = runtime.Join(registry, new ThetaJoinOptions { Ticket = host.Ticket() }))
                {
                    Theta.Samples.ThetaPresence presence = new Theta.Samples.ThetaPresence();
                    CallWith(presence, "OnApplicationPause", true);
                    presence.Client = client;
                    int away = 0, back = 0;
                    Action<Func<bool>> until = delegate(Func<bool> condition)
                    {
                        System.Diagnostics.Stopwatch clock = System.Diagnostics.Stopwatch.StartNew();
                        while (!condition() && clock.ElapsedMilliseconds < 30000)
                        {
                            uint tick;
                            ThetaEvent e;
                            host.Tick(out tick);
                            while (host.TryPoll(out e))
                            {
                                away += e.Kind == ThetaEventKind.PeerAway ? 1 : 0;
                                back += e.Kind == ThetaEventKind.PeerBack ? 1 : 0;
                            }
                            while (client.TryPoll(out e))
                            {
                            }
                            Thread.Sleep(2);
                        }
                        Assert.IsTrue(condition(), "away " + away + ", back " + back + ", client " + client.State);
                    };
                    CallWith(presence, "OnApplicationPause", false); // as at the start
                    until(delegate { return client.State == SessionState.Live; });
                    CallWith(presence, "OnApplicationFocus", false);
                    Assert.IsFalse(presence.HasFocus);
                    CallWith(presence, "OnApplicationPause", true);
                    CallWith(presence, "OnApplicationPause", true);
                    until(delegate { return away == 1 && client.State == SessionState.Away; });
                    CallWith(presence, "OnApplicationPause", false);
                    CallWith(presence, "OnApplicationFocus", true);
                    until(delegate { return back == 1 && client.State == SessionState.Live; });
                    Assert.IsTrue(presence.HasFocus);
                    Assert.AreEqual(1, away);
                    client.Dispose();
                    CallWith(presence, "OnApplicationPause", true);
                }
            }
        }

        private static void CallWith(object target, string name, bool argument)
        {
            MethodInfo method = target.GetType().GetMethod(name, BindingFlags.Instance | BindingFlags.NonPublic);
            method.Invoke(target, new object[] { argument });
        }

        [Test]
        [Category("Live")]
        public void TheSampleShowsTheCubeMove()
        {
            // Unity calls OnEnable and OnDisable itself; here reflection does.
            Theta.Samples.HelloSession sample = new Theta.Samples.HelloSession();
            Call(sample, "OnEnable");
            Transform visible = GameObject.Last.transform;
            HashSet<float> seen = new HashSet<float>();
            System.Diagnostics.Stopwatch clock = System.Diagnostics.Stopwatch.StartNew();
            while (seen.Count < 10 && clock.ElapsedMilliseconds < 30000)
            {
                Frame(null);
                Thread.Sleep(5);
                if (visible.position.z == 3f)
                {
                    seen.Add(visible.position.x);
                }
            }
            Call(sample, "OnDisable");
            Assert.AreEqual(0, Debug.Exceptions);
            Assert.GreaterOrEqual(seen.Count, 10);
        }

        private static void Call(object target, string method)
        {
            target.GetType().GetMethod(method, BindingFlags.Instance | BindingFlags.NonPublic).Invoke(target, null);
        }
    }
}
