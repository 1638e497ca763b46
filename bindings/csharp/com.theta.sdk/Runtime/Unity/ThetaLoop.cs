// What for: calls IThetaStages at the right places of Unity's frame. Must never: hold on to stages over a domain reload or a
// new Play Mode; allocate per frame. Called by: applications in Unity, once, with ThetaLoop.Add.
//
// Not verified in Unity itself: compiled and run against stand-ins of the engine's API only (see docs/guides/unity.md).
#if UNITY_5_3_OR_NEWER
using System;
using UnityEngine;
using UnityEngine.LowLevel;

namespace Theta
{
    /// <summary>Runs stages in Unity's frame: EarlyUpdate first in the frame, BeforeRender from Application.onBeforeRender
    /// (after tracked poses were updated), PostLateUpdate last. Main thread only.</summary>
    public static class ThetaLoop
    {
        private struct ThetaEarlyUpdate
        {
        }

        private struct ThetaPostLateUpdate
        {
        }

        private static IThetaStages[] _stages = new IThetaStages[4];
        private static IThetaStages[] _running = new IThetaStages[4];
        private static int _count;
        private static bool _installed;

        /// <summary>Adds stages; the first call installs the hooks.</summary>
        public static void Add(IThetaStages stages)
        {
            if (stages == null)
            {
                throw new ArgumentNullException("stages");
            }
            Install();
            if (_count == _stages.Length)
            {
                Array.Resize(ref _stages, _count * 2);
            }
            _stages[_count++] = stages;
        }

        /// <summary>Removes stages; unknown ones are ignored.</summary>
        public static void Remove(IThetaStages stages)
        {
            int index = Array.IndexOf(_stages, stages, 0, _count);
            if (index >= 0)
            {
                _count--;
                Array.Copy(_stages, index + 1, _stages, index, _count - index);
                _stages[_count] = null;
            }
        }

        /// <summary>Removes everything and takes the hooks out.</summary>
        public static void Reset()
        {
            Array.Clear(_stages, 0, _stages.Length);
            _count = 0;
            if (_installed)
            {
                _installed = false;
                Application.onBeforeRender -= RunBeforeRender;
                PlayerLoopSystem root = PlayerLoop.GetCurrentPlayerLoop();
                Change(ref root, typeof(UnityEngine.PlayerLoop.EarlyUpdate), typeof(ThetaEarlyUpdate), null, true);
                Change(ref root, typeof(UnityEngine.PlayerLoop.PostLateUpdate), typeof(ThetaPostLateUpdate), null, false);
                PlayerLoop.SetPlayerLoop(root);
            }
        }

        private static void Install()
        {
            if (_installed)
            {
                return;
            }
            PlayerLoopSystem root = PlayerLoop.GetCurrentPlayerLoop();
            bool early = Change(
                ref root, typeof(UnityEngine.PlayerLoop.EarlyUpdate), typeof(ThetaEarlyUpdate), RunEarlyUpdate, true);
            bool late = Change(
                ref root, typeof(UnityEngine.PlayerLoop.PostLateUpdate), typeof(ThetaPostLateUpdate), RunPostLateUpdate, false);
            if (!early || !late)
            {
                throw new InvalidOperationException("The PlayerLoop has no EarlyUpdate or PostLateUpdate; another package "
                    + "replaced it. Call the stages yourself.");
            }
            PlayerLoop.SetPlayerLoop(root);
            Application.onBeforeRender += RunBeforeRender;
            _installed = true;
        }

        /// <summary>Takes the marked system out of a phase and, with an update, puts it back first or last.</summary>
        private static bool Change(
            ref PlayerLoopSystem root, Type phase, Type marker, PlayerLoopSystem.UpdateFunction update, bool first)
        {
            PlayerLoopSystem[] phases = root.subSystemList;
            for (int i = 0; phases != null && i < phases.Length; i++)
            {
                if (phases[i].type != phase)
                {
                    continue;
                }
                PlayerLoopSystem[] old = phases[i].subSystemList ?? new PlayerLoopSystem[0];
                old = Array.FindAll(old, system => system.type != marker);
                if (update != null)
                {
                    PlayerLoopSystem[] changed = new PlayerLoopSystem[old.Length + 1];
                    Array.Copy(old, 0, changed, first ? 1 : 0, old.Length);
                    changed[first ? 0 : old.Length] = new PlayerLoopSystem { type = marker, updateDelegate = update };
                    old = changed;
                }
                phases[i].subSystemList = old;
                return true;
            }
            return false;
        }

        private static void RunEarlyUpdate()
        {
            Run(0);
        }

        private static void RunBeforeRender()
        {
            Run(1);
        }

        private static void RunPostLateUpdate()
        {
            Run(2);
        }

        // An exception in one application's stage must not stop the others, nor the frame. Stages may remove and add some
        // meanwhile: who is removed is not called any more, who is added is called from the next moment on.
        private static void Run(int moment)
        {
            if (_running.Length < _stages.Length)
            {
                _running = new IThetaStages[_stages.Length];
            }
            int count = _count;
            Array.Copy(_stages, _running, count);
            for (int i = 0; i < count; i++)
            {
                IThetaStages stages = _running[i];
                _running[i] = null;
                if (Array.IndexOf(_stages, stages, 0, _count) < 0)
                {
                    continue;
                }
                try
                {
                    switch (moment)
                    {
                        case 0:
                            stages.EarlyUpdate();
                            break;
                        case 1:
                            stages.BeforeRender();
                            break;
                        default:
                            stages.PostLateUpdate();
                            break;
                    }
                }
                catch (Exception e)
                {
                    Debug.LogException(e);
                }
            }
        }
    }
}
#endif
