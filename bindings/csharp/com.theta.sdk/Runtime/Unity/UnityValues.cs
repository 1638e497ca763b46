// What for: Theta's vectors convert to Unity's and back without a cast. Must never: convert between bases; the library does
// that, by the session's basis and the field's semantic. Called by: applications in Unity.
#if UNITY_5_3_OR_NEWER
namespace Theta
{
    public partial struct Vec2
    {
        /// <summary>To Unity.</summary>
        public static implicit operator UnityEngine.Vector2(Vec2 v)
        {
            return new UnityEngine.Vector2(v.X, v.Y);
        }

        /// <summary>From Unity.</summary>
        public static implicit operator Vec2(UnityEngine.Vector2 v)
        {
            return new Vec2(v.x, v.y);
        }
    }

    public partial struct Vec3
    {
        /// <summary>To Unity.</summary>
        public static implicit operator UnityEngine.Vector3(Vec3 v)
        {
            return new UnityEngine.Vector3(v.X, v.Y, v.Z);
        }

        /// <summary>From Unity.</summary>
        public static implicit operator Vec3(UnityEngine.Vector3 v)
        {
            return new Vec3(v.x, v.y, v.z);
        }
    }

    public partial struct Vec4
    {
        /// <summary>To Unity.</summary>
        public static implicit operator UnityEngine.Vector4(Vec4 v)
        {
            return new UnityEngine.Vector4(v.X, v.Y, v.Z, v.W);
        }

        /// <summary>From Unity.</summary>
        public static implicit operator Vec4(UnityEngine.Vector4 v)
        {
            return new Vec4(v.x, v.y, v.z, v.w);
        }
    }

    public partial struct Quat
    {
        /// <summary>To Unity.</summary>
        public static implicit operator UnityEngine.Quaternion(Quat q)
        {
            return new UnityEngine.Quaternion(q.X, q.Y, q.Z, q.W);
        }

        /// <summary>From Unity.</summary>
        public static implicit operator Quat(UnityEngine.Quaternion q)
        {
            return new Quat(q.x, q.y, q.z, q.w);
        }
    }
}
#endif
