// What for: nothing native outlives the managed objects that own it: before a domain reload, at the start of Play Mode when
// domain reload is off, when the player quits. Must never: wait (a reload that waits is a frozen Editor). Called by: Unity.
//
// Not verified in Unity itself (see docs/guides/unity.md).
#if UNITY_5_3_OR_NEWER
using UnityEngine;

namespace Theta
{
    internal static class ThetaLifetime
    {
        [RuntimeInitializeOnLoadMethod(RuntimeInitializeLoadType.SubsystemRegistration)]
        private static void StartOfPlay()
        {
            LetGo();
            Application.quitting -= LetGo;
            Application.quitting += LetGo;
        }

#if UNITY_EDITOR
        [UnityEditor.InitializeOnLoadMethod]
        private static void EditorLoaded()
        {
            UnityEditor.AssemblyReloadEvents.beforeAssemblyReload += LetGo;
        }
#endif

        private static void LetGo()
        {
            ThetaLoop.Reset();
            ThetaRuntime.DetachAll();
        }
    }
}
#endif
