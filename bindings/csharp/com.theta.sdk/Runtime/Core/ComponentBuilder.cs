// What for: a component description without reflection, for IL2CPP with full stripping and for tools. Must never: guess a
// size; the registry compares the result with the struct. Called by: ThetaRegistry, ComponentReflection, applications.
using System;
using System.Collections.Generic;

namespace Theta
{
    /// <summary>One replicated field.</summary>
    internal sealed class FieldSpec
    {
        internal ushort Id;
        internal string Name;
        internal ThetaKind Kind;
        internal ThetaKind Element;
        internal int Offset;
        internal int Size;
        internal double Min;
        internal double Max;
        internal double Step;
        internal int Bits;
        internal int MaxLength;
        internal ThetaSemantic Semantic;
        internal ThetaPredictor Predictor;
        internal ThetaDiff Diff;
        internal bool Document;
        internal double[] Default;
        internal long DefaultInteger;
    }

    /// <summary>Describes a component field by field. Offsets follow C layout rules (each field at its natural alignment, in
    /// the order of the calls); <see cref="At"/> places the last field elsewhere, <see cref="Skip"/> leaves room for a field
    /// that is not replicated.</summary>
    public sealed class ComponentBuilder
    {
        private readonly List<FieldSpec> _fields = new List<FieldSpec>();
        private int _end;
        private int _alignment = 1;

        /// <summary>A description of <paramref name="name"/>, such as "demo.cube".</summary>
        public ComponentBuilder(string name)
        {
            if (string.IsNullOrEmpty(name))
            {
                throw new ArgumentException("A component needs a name.", "name");
            }
            Name = name;
        }

        /// <summary>The wire name.</summary>
        public string Name { get; private set; }

        internal ThetaAuthority AuthorityValue { get; private set; }

        internal string SinceVersionValue { get; private set; }

        internal List<FieldSpec> Fields
        {
            get { return _fields; }
        }

        /// <summary>Size of the struct described so far, with C's tail padding.</summary>
        public int SizeBytes
        {
            get { return Align(_end, _alignment); }
        }

        /// <summary>Who may write it; the host unless set.</summary>
        public ComponentBuilder Authority(ThetaAuthority authority)
        {
            AuthorityValue = authority;
            return this;
        }

        /// <summary>Application version that introduced it.</summary>
        public ComponentBuilder SinceVersion(string version)
        {
            SinceVersionValue = version;
            return this;
        }

        /// <summary>An integer of kind I8 to U64 with its range. Wider ranges than 2^53 lose precision in the ABI's double:
        /// leave both limits 0 for the kind's full range.</summary>
        public ComponentBuilder Integer(ushort id, string name, ThetaKind kind, double min = 0, double max = 0, long byDefault = 0)
        {
            if (kind < ThetaKind.I8 || kind > ThetaKind.U64)
            {
                throw new ArgumentException("Integer takes the kinds I8 to U64.", "kind");
            }
            FieldSpec field = Add(id, name, kind, ThetaKind.Inferred, 0, 0);
            field.Min = min;
            field.Max = max;
            field.DefaultInteger = byDefault;
            return this;
        }

        /// <summary>A bit set of 1 to 64 bits, stored in the smallest unsigned integer that holds it.</summary>
        public ComponentBuilder Flags(ushort id, string name, int bits, long byDefault = 0)
        {
            FieldSpec field = Add(id, name, ThetaKind.Flags, ThetaKind.Inferred, bits, 0);
            field.DefaultInteger = byDefault;
            return this;
        }

        /// <summary>A float in min..max with the given step.</summary>
        public ComponentBuilder F32(ushort id, string name, double min, double max, double step, double byDefault = 0)
        {
            return Number(id, name, ThetaKind.F32, min, max, step, ThetaSemantic.None, new[] { byDefault });
        }

        /// <summary>A double in min..max with the given step.</summary>
        public ComponentBuilder F64(ushort id, string name, double min, double max, double step, double byDefault = 0)
        {
            return Number(id, name, ThetaKind.F64, min, max, step, ThetaSemantic.None, new[] { byDefault });
        }

        /// <summary>Two floats, each in min..max.</summary>
        public ComponentBuilder Vec2(ushort id, string name, double min, double max, double step)
        {
            return Number(id, name, ThetaKind.Vec2, min, max, step, ThetaSemantic.None, null);
        }

        /// <summary>Three floats, each in min..max.</summary>
        public ComponentBuilder Vec3(
            ushort id, string name, double min, double max, double step, ThetaSemantic semantic = ThetaSemantic.None)
        {
            return Number(id, name, ThetaKind.Vec3, min, max, step, semantic, null);
        }

        /// <summary>Four floats, each in min..max.</summary>
        public ComponentBuilder Vec4(ushort id, string name, double min, double max, double step)
        {
            return Number(id, name, ThetaKind.Vec4, min, max, step, ThetaSemantic.None, null);
        }

        /// <summary>Three doubles, each in min..max.</summary>
        public ComponentBuilder DVec3(
            ushort id, string name, double min, double max, double step, ThetaSemantic semantic = ThetaSemantic.None)
        {
            return Number(id, name, ThetaKind.DVec3, min, max, step, semantic, null);
        }

        /// <summary>A rotation with so many bits for each of its three smallest components. Default: identity.</summary>
        public ComponentBuilder Quat(ushort id, string name, int bits, ThetaSemantic semantic = ThetaSemantic.Rotation)
        {
            FieldSpec field = Add(id, name, ThetaKind.Quat, ThetaKind.Inferred, bits, 0);
            field.Semantic = semantic;
            field.Default = new double[] { 0, 0, 0, 1 };
            return this;
        }

        /// <summary>A reference to an entity.</summary>
        public ComponentBuilder Entity(ushort id, string name)
        {
            Add(id, name, ThetaKind.Entity, ThetaKind.Inferred, 0, 0);
            return this;
        }

        /// <summary>Inline UTF-8 of at most <paramref name="maxLength"/> bytes.</summary>
        public ComponentBuilder String(ushort id, string name, int maxLength)
        {
            Add(id, name, ThetaKind.String, ThetaKind.Inferred, 0, maxLength);
            return this;
        }

        /// <summary>Inline bytes, at most <paramref name="maxLength"/>.</summary>
        public ComponentBuilder Bytes(ushort id, string name, int maxLength)
        {
            Add(id, name, ThetaKind.Bytes, ThetaKind.Inferred, 0, maxLength);
            return this;
        }

        /// <summary>Inline list of integers (I8 to U64) or F32, at most <paramref name="maxLength"/> elements. The range and
        /// step are those of one element.</summary>
        public ComponentBuilder List(
            ushort id, string name, ThetaKind element, int maxLength, double min = 0, double max = 0, double step = 0)
        {
            FieldSpec field = Add(id, name, ThetaKind.List, element, 0, maxLength);
            field.Min = min;
            field.Max = max;
            field.Step = step;
            return this;
        }

        /// <summary>Places the last field at a byte offset.</summary>
        public ComponentBuilder At(int offsetBytes)
        {
            FieldSpec last = Last();
            if (offsetBytes < 0)
            {
                throw new ArgumentOutOfRangeException("offsetBytes");
            }
            last.Offset = offsetBytes;
            _end = Math.Max(EndOfOthers(last), offsetBytes + last.Size);
            return this;
        }

        /// <summary>Leaves room for a field of the struct that is not replicated.</summary>
        public ComponentBuilder Skip(int sizeBytes, int alignment)
        {
            if (sizeBytes < 0 || alignment < 1)
            {
                throw new ArgumentOutOfRangeException("sizeBytes");
            }
            _end = Align(_end, alignment) + sizeBytes;
            _alignment = Math.Max(_alignment, alignment);
            return this;
        }

        /// <summary>Default of the last field, up to four numbers.</summary>
        public ComponentBuilder Default(params double[] numbers)
        {
            if (numbers == null || numbers.Length > 4)
            {
                throw new ArgumentException("A default has at most four numbers.", "numbers");
            }
            Last().Default = numbers;
            return this;
        }

        /// <summary>Meaning of the last field.</summary>
        public ComponentBuilder Semantic(ThetaSemantic semantic)
        {
            Last().Semantic = semantic;
            return this;
        }

        /// <summary>How changes of the last field are coded.</summary>
        public ComponentBuilder Coding(ThetaPredictor predictor, ThetaDiff diff)
        {
            Last().Predictor = predictor;
            Last().Diff = diff;
            return this;
        }

        /// <summary>Only the command log writes the last field.</summary>
        public ComponentBuilder Document()
        {
            Last().Document = true;
            return this;
        }

        internal FieldSpec Add(ushort id, string name, ThetaKind kind, ThetaKind element, int bits, int maxLength)
        {
            if (id == 0)
            {
                throw new ArgumentException("Field ids start at 1; 0 stands for the whole struct.", "id");
            }
            if (string.IsNullOrEmpty(name))
            {
                throw new ArgumentException("A field needs a name.", "name");
            }
            int alignment;
            FieldSpec field = new FieldSpec
            {
                Id = id,
                Name = name,
                Kind = kind,
                Element = element,
                Bits = bits,
                MaxLength = maxLength,
                Size = FieldLayout.SizeOf(kind, element, bits, maxLength, out alignment),
            };
            field.Offset = Align(_end, alignment);
            _end = field.Offset + field.Size;
            _alignment = Math.Max(_alignment, alignment);
            _fields.Add(field);
            return field;
        }

        private ComponentBuilder Number(
            ushort id, string name, ThetaKind kind, double min, double max, double step, ThetaSemantic semantic, double[] byDefault)
        {
            FieldSpec field = Add(id, name, kind, ThetaKind.Inferred, 0, 0);
            field.Min = min;
            field.Max = max;
            field.Step = step;
            field.Semantic = semantic;
            field.Default = byDefault;
            return this;
        }

        private FieldSpec Last()
        {
            if (_fields.Count == 0)
            {
                throw new InvalidOperationException("Describe a field first.");
            }
            return _fields[_fields.Count - 1];
        }

        private int EndOfOthers(FieldSpec excluded)
        {
            int end = 0;
            foreach (FieldSpec field in _fields)
            {
                if (field != excluded)
                {
                    end = Math.Max(end, field.Offset + field.Size);
                }
            }
            return end;
        }

        private static int Align(int offset, int alignment)
        {
            return (offset + alignment - 1) / alignment * alignment;
        }
    }

    /// <summary>Size, alignment and lanes of each kind in the engine layout.</summary>
    internal static class FieldLayout
    {
        internal static int SizeOf(ThetaKind kind, ThetaKind element, int bits, int maxLength, out int alignment)
        {
            switch (kind)
            {
                case ThetaKind.I8:
                case ThetaKind.U8:
                    return alignment = 1;
                case ThetaKind.I16:
                case ThetaKind.U16:
                    return alignment = 2;
                case ThetaKind.I32:
                case ThetaKind.U32:
                case ThetaKind.F32:
                    return alignment = 4;
                case ThetaKind.I64:
                case ThetaKind.U64:
                case ThetaKind.F64:
                case ThetaKind.Entity:
                    return alignment = 8;
                case ThetaKind.Flags:
                    if (bits < 1 || bits > 64)
                    {
                        throw new ArgumentException("A flags field has 1 to 64 bits.", "bits");
                    }
                    return alignment = bits <= 8 ? 1 : bits <= 16 ? 2 : bits <= 32 ? 4 : 8;
                case ThetaKind.Vec2:
                    alignment = 4;
                    return 8;
                case ThetaKind.Vec3:
                    alignment = 4;
                    return 12;
                case ThetaKind.Vec4:
                case ThetaKind.Quat:
                    alignment = 4;
                    return 16;
                case ThetaKind.DVec3:
                    alignment = 8;
                    return 24;
                case ThetaKind.String:
                case ThetaKind.Bytes:
                    RequireCapacity(maxLength);
                    alignment = 4;
                    return Round(4 + maxLength, 4);
                case ThetaKind.List:
                    RequireCapacity(maxLength);
                    if (element < ThetaKind.I8 || element > ThetaKind.F32 || element == ThetaKind.Flags)
                    {
                        throw new ArgumentException("A list holds integers (I8 to U64) or F32.", "element");
                    }
                    int elementAlignment;
                    int elementSize = SizeOf(element, ThetaKind.Inferred, 0, 0, out elementAlignment);
                    alignment = Math.Max(4, elementAlignment);
                    return Round(Round(4, elementAlignment) + (elementSize * maxLength), alignment);
                default:
                    throw new ArgumentException("Unknown field kind " + (int)kind + ".", "kind");
            }
        }

        /// <summary>Quantised 64-bit lanes; 0 for variable kinds, which have none.</summary>
        internal static int LanesOf(ThetaKind kind)
        {
            switch (kind)
            {
                case ThetaKind.Vec2:
                    return 2;
                case ThetaKind.Vec3:
                case ThetaKind.DVec3:
                    return 3;
                case ThetaKind.Vec4:
                case ThetaKind.Quat:
                    return 4;
                case ThetaKind.String:
                case ThetaKind.Bytes:
                case ThetaKind.List:
                    return 0;
                default:
                    return 1;
            }
        }

        private static int Round(int value, int alignment)
        {
            return (value + alignment - 1) / alignment * alignment;
        }

        private static void RequireCapacity(int maxLength)
        {
            if (maxLength < 1)
            {
                throw new ArgumentException("A string, bytes or list field needs a capacity of at least 1.", "maxLength");
            }
        }
    }
}
