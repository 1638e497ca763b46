// Stand-ins: only what the package uses, written from Unity's documentation. See README.md.
using System;
using System.Reflection;

namespace UnityEngine
{
    public struct Vector2
    {
        public float x, y;
        public Vector2(float x, float y) { this.x = x; this.y = y; }
    }

    public struct Vector3
    {
        public float x, y, z;
        public Vector3(float x, float y, float z) { this.x = x; this.y = y; this.z = z; }
    }

    public struct Vector4
    {
        public float x, y, z, w;
        public Vector4(float x, float y, float z, float w) { this.x = x; this.y = y; this.z = z; this.w = w; }
    }

    public struct Quaternion
    {
        public float x, y, z, w;
        public Quaternion(float x, float y, float z, float w) { this.x = x; this.y = y; this.z = z; this.w = w; }

        /// <summary>About Y only; enough for the sample.</summary>
        public static Quaternion Euler(float x, float y, float z)
        {
            double half = y * Math.PI / 360;
            return new Quaternion(0, (float)Math.Sin(half), 0, (float)Math.Cos(half));
        }
    }

    public static class Mathf
    {
        public static float Sin(float x) { return (float)Math.Sin(x); }
    }

    public static class Time
    {
        public static float realtimeSinceStartup { get { return Environment.TickCount / 1000f; } }
    }

    public class Object
    {
        public static void Destroy(Object thing) { }
    }

    public class Component : Object
    {
        public GameObject gameObject { get; set; }
    }

    public class Transform : Component
    {
        public Vector3 position;
        public Quaternion rotation;
        public void SetPositionAndRotation(Vector3 p, Quaternion q) { position = p; rotation = q; }
    }

    public class MonoBehaviour : Component
    {
    }

    public enum PrimitiveType
    {
        Cube = 3,
    }

    public class GameObject : Object
    {
        public static GameObject Last;
        public Transform transform = new Transform();
        public static GameObject CreatePrimitive(PrimitiveType type)
        {
            Last = new GameObject();
            Last.transform.gameObject = Last;
            return Last;
        }
    }

    public static class Debug
    {
        public static int Exceptions;
        public static void LogException(Exception e) { Exceptions++; }
        public static void LogWarning(object message) { }
    }

    public delegate void UnityAction();

    public static class Application
    {
        public static event UnityAction onBeforeRender;
        public static event Action quitting;
        public static void StandInBeforeRender() { if (onBeforeRender != null) onBeforeRender(); }
        public static void StandInQuit() { if (quitting != null) quitting(); }
    }

    public enum RuntimeInitializeLoadType
    {
        SubsystemRegistration = 4,
    }

    [AttributeUsage(AttributeTargets.Method)]
    public sealed class RuntimeInitializeOnLoadMethodAttribute : Attribute
    {
        public RuntimeInitializeOnLoadMethodAttribute(RuntimeInitializeLoadType type) { }
    }
}

namespace AOT
{
    /// <summary>Marks a method that native code calls.</summary>
    [AttributeUsage(AttributeTargets.Method)]
    public sealed class MonoPInvokeCallbackAttribute : Attribute
    {
        public MonoPInvokeCallbackAttribute(Type type)
        {
        }
    }
}

namespace UnityEngine.LowLevel
{
    public struct PlayerLoopSystem
    {
        public delegate void UpdateFunction();
        public Type type;
        public PlayerLoopSystem[] subSystemList;
        public UpdateFunction updateDelegate;
    }

    public static class PlayerLoop
    {
        private static PlayerLoopSystem _root = Default();
        public static PlayerLoopSystem GetCurrentPlayerLoop() { return _root; }
        public static void SetPlayerLoop(PlayerLoopSystem root) { _root = root; }

        private static PlayerLoopSystem Default()
        {
            return new PlayerLoopSystem
            {
                subSystemList = new[]
                {
                    new PlayerLoopSystem { type = typeof(UnityEngine.PlayerLoop.EarlyUpdate) },
                    new PlayerLoopSystem { type = typeof(UnityEngine.PlayerLoop.FixedUpdate) },
                    new PlayerLoopSystem { type = typeof(UnityEngine.PlayerLoop.Update) },
                    new PlayerLoopSystem { type = typeof(UnityEngine.PlayerLoop.PostLateUpdate) },
                },
            };
        }
    }
}

namespace UnityEngine.PlayerLoop
{
    public struct EarlyUpdate
    {
    }

    public struct FixedUpdate
    {
    }

    public struct Update
    {
    }

    public struct PostLateUpdate
    {
    }
}

namespace UnityEditor
{
    [AttributeUsage(AttributeTargets.Method)]
    public sealed class InitializeOnLoadMethodAttribute : Attribute
    {
    }

    public static class AssemblyReloadEvents
    {
        public delegate void AssemblyReloadCallback();
        public static event AssemblyReloadCallback beforeAssemblyReload;
        public static void StandInReload() { if (beforeAssemblyReload != null) beforeAssemblyReload(); }
    }
}
