// What for: reads the attributes of a component struct into a ComponentBuilder, once, at registration. Must never: run on
// the frame path. Called by: ThetaRegistry.Add<T>().
//
// IL2CPP keeps attributes and field metadata of structs that are used; with aggressive stripping add the struct to link.xml
// or use ComponentBuilder, which needs none of this.
using System;
using System.Collections.Generic;
using System.Reflection;
using System.Runtime.InteropServices;
using System.Text;

namespace Theta
{
    internal static class ComponentReflection
    {
        internal static ComponentBuilder Describe(Type type)
        {
            ThetaComponentAttribute component =
                (ThetaComponentAttribute)Attribute.GetCustomAttribute(type, typeof(ThetaComponentAttribute), false);
            if (component == null)
            {
                throw new ArgumentException("The struct " + type.Name + " has no [ThetaComponent(\"name\")] attribute.");
            }
            RequireBlittable(type, type.Name);
            ComponentBuilder builder = new ComponentBuilder(component.Name)
                .Authority(component.Authority)
                .SinceVersion(component.SinceVersion);

            FieldInfo[] all = type.GetFields(BindingFlags.Instance | BindingFlags.Public | BindingFlags.NonPublic);
            List<KeyValuePair<ThetaFieldAttribute, FieldInfo>> marked = new List<KeyValuePair<ThetaFieldAttribute, FieldInfo>>();
            foreach (FieldInfo field in all)
            {
                ThetaFieldAttribute attribute =
                    (ThetaFieldAttribute)Attribute.GetCustomAttribute(field, typeof(ThetaFieldAttribute), false);
                if (attribute != null)
                {
                    marked.Add(new KeyValuePair<ThetaFieldAttribute, FieldInfo>(attribute, field));
                }
            }
            if (marked.Count == 0)
            {
                throw new ArgumentException("The struct " + type.Name + " has no field with [ThetaField(id)].");
            }
            // Order in the file must not matter for the schema.
            marked.Sort((left, right) => left.Key.Id.CompareTo(right.Key.Id));
            foreach (KeyValuePair<ThetaFieldAttribute, FieldInfo> pair in marked)
            {
                AddField(builder, type, pair.Key, pair.Value);
            }
            return builder;
        }

        /// <summary>Refuses what has another size for the marshaller than in memory (bool, char): from there on the offsets
        /// below would be those of a struct that nobody reads or writes. And what is no plain memory at all.</summary>
        private static void RequireBlittable(Type type, string path)
        {
            foreach (FieldInfo field in type.GetFields(BindingFlags.Instance | BindingFlags.Public | BindingFlags.NonPublic))
            {
                Type inner = field.FieldType;
                string place = path + "." + field.Name;
                if (inner == typeof(bool) || inner == typeof(char) || !(inner.IsValueType || inner.IsPointer))
                {
                    throw new ArgumentException("The field " + place + " is a " + inner.Name
                        + ", so the struct is not blittable. Use byte, ushort, Text32 or a [ThetaInline] struct, or a codec.");
                }
                if (!inner.IsPrimitive && !inner.IsEnum && !inner.IsPointer)
                {
                    RequireBlittable(inner, place);
                }
            }
        }

        private static void AddField(ComponentBuilder builder, Type owner, ThetaFieldAttribute attribute, FieldInfo info)
        {
            Type type = info.FieldType.IsEnum ? Enum.GetUnderlyingType(info.FieldType) : info.FieldType;
            ThetaInlineAttribute inline =
                (ThetaInlineAttribute)Attribute.GetCustomAttribute(type, typeof(ThetaInlineAttribute), false);
            ThetaKind inferred = inline != null ? inline.Kind : KindOf(type);
            ThetaKind kind = attribute.Kind != ThetaKind.Inferred ? attribute.Kind : inferred;
            if (kind == ThetaKind.Inferred)
            {
                throw new ArgumentException("The field " + owner.Name + "." + info.Name + " has type " + type.Name
                    + ", which no kind belongs to. Use a number, Vec2 to Vec4, DVec3, Quat, EntityId or a [ThetaInline] struct.");
            }
            int bits = attribute.Bits;
            if (kind == ThetaKind.Flags && bits == 0)
            {
                bits = Marshal.SizeOf(type) * 8;
            }
            FieldSpec field = builder.Add(
                attribute.Id,
                attribute.Name ?? SnakeCase(info.Name),
                kind,
                inline != null ? inline.Element : ThetaKind.Inferred,
                bits,
                inline != null ? inline.MaxLength : 0);
            int size = Marshal.SizeOf(type);
            if (size != field.Size)
            {
                throw new ArgumentException("The field " + owner.Name + "." + info.Name + " has " + size
                    + " bytes, but its kind " + kind + " takes " + field.Size + ".");
            }
            builder.At((int)Marshal.OffsetOf(owner, info.Name));
            field.Min = attribute.Min;
            field.Max = attribute.Max;
            field.Step = attribute.Step;
            field.Semantic = attribute.Semantic;
            field.Predictor = attribute.Predictor;
            field.Diff = attribute.Diff;
            field.Document = attribute.Document;
            field.Default = attribute.Default ?? (kind == ThetaKind.Quat ? new double[] { 0, 0, 0, 1 } : null);
            field.DefaultInteger = attribute.DefaultInteger;
        }

        private static ThetaKind KindOf(Type type)
        {
            if (type == typeof(sbyte)) return ThetaKind.I8;
            if (type == typeof(short)) return ThetaKind.I16;
            if (type == typeof(int)) return ThetaKind.I32;
            if (type == typeof(long)) return ThetaKind.I64;
            if (type == typeof(byte)) return ThetaKind.U8;
            if (type == typeof(ushort)) return ThetaKind.U16;
            if (type == typeof(uint)) return ThetaKind.U32;
            if (type == typeof(ulong)) return ThetaKind.U64;
            if (type == typeof(float)) return ThetaKind.F32;
            if (type == typeof(double)) return ThetaKind.F64;
            if (type == typeof(Vec2)) return ThetaKind.Vec2;
            if (type == typeof(Vec3)) return ThetaKind.Vec3;
            if (type == typeof(Vec4)) return ThetaKind.Vec4;
            if (type == typeof(DVec3)) return ThetaKind.DVec3;
            if (type == typeof(Quat)) return ThetaKind.Quat;
            if (type == typeof(EntityId)) return ThetaKind.Entity;
#if UNITY_5_3_OR_NEWER
            if (type == typeof(UnityEngine.Vector2)) return ThetaKind.Vec2;
            if (type == typeof(UnityEngine.Vector3)) return ThetaKind.Vec3;
            if (type == typeof(UnityEngine.Vector4)) return ThetaKind.Vec4;
            if (type == typeof(UnityEngine.Quaternion)) return ThetaKind.Quat;
#endif
            return ThetaKind.Inferred;
        }

        /// <summary>LinearVelocity, linearVelocity and linear_velocity all become linear_velocity.</summary>
        internal static string SnakeCase(string name)
        {
            StringBuilder text = new StringBuilder(name.Length + 8);
            for (int i = 0; i < name.Length; i++)
            {
                char c = name[i];
                if (char.IsUpper(c))
                {
                    bool afterLower = i > 0 && (char.IsLower(name[i - 1]) || char.IsDigit(name[i - 1]));
                    bool startsWord = i > 0 && i + 1 < name.Length && char.IsUpper(name[i - 1]) && char.IsLower(name[i + 1]);
                    if (afterLower || startsWord)
                    {
                        text.Append('_');
                    }
                    c = char.ToLowerInvariant(c);
                }
                text.Append(c);
            }
            return text.ToString().Trim('_');
        }
    }
}
