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
