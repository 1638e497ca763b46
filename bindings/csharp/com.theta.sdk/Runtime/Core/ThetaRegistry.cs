// What for: tells the library which components exist and how their structs are laid out. Must never: let a struct in whose
// layout differs from the description. Called by: the application before it hosts or joins.
using System;
using System.Collections.Generic;
using System.Runtime.InteropServices;
using System.Text;
using Theta.Interop;

namespace Theta
{
    /// <summary>A registered component, known by its id. Made by <see cref="ThetaRegistry"/>.</summary>
    public class ThetaComponent
    {
        private readonly FieldSpec[] _fields;

        internal ThetaComponent(ulong id, string name, int sizeBytes, FieldSpec[] fields)
        {
            Id = id;
            Name = name;
            SizeBytes = sizeBytes;
            _fields = fields;
            int lanes = 0;
            foreach (FieldSpec field in fields)
            {
                lanes += FieldLayout.LanesOf(field.Kind);
            }
            Lanes = lanes;
        }

        /// <summary>Hash of the name.</summary>
        public ulong Id { get; private set; }

        /// <summary>The wire name.</summary>
        public string Name { get; private set; }

        /// <summary>Size of the engine struct.</summary>
        public int SizeBytes { get; private set; }

        /// <summary>Quantised 64-bit lanes of the fixed-size fields.</summary>
        public int Lanes { get; private set; }

        /// <summary>A column of one field, for reads and writes of that field alone.</summary>
        public ThetaField<TField> Field<TField>(ushort id)
            where TField : struct
        {
            foreach (FieldSpec field in _fields)
            {
                if (field.Id == id)
                {
                    int size = ThetaRegistry.ManagedSize<TField>();
                    if (size != field.Size)
                    {
                        throw new ArgumentException("The field " + Name + "." + field.Name + " has " + field.Size + " bytes, "
                            + typeof(TField).Name + " has " + size + ".");
                    }
                    return new ThetaField<TField>(Id, id, size);
                }
            }
            throw new ArgumentException("The component " + Name + " has no field " + id + ".", "id");
        }
    }

    /// <summary>A registered component whose rows are structs of type <typeparamref name="T"/>.</summary>
    public sealed class ThetaComponent<T> : ThetaComponent
        where T : struct
    {
        internal ThetaComponent(ulong id, string name, int sizeBytes, FieldSpec[] fields)
            : base(id, name, sizeBytes, fields)
        {
        }
    }

    /// <summary>One field of a registered component as a column of <typeparamref name="T"/>.</summary>
    public struct ThetaField<T>
        where T : struct
    {
        internal readonly ulong ComponentId;
        internal readonly uint FieldId;
        internal readonly int SizeBytes;

        internal ThetaField(ulong componentId, uint fieldId, int sizeBytes)
        {
            ComponentId = componentId;
            FieldId = fieldId;
            SizeBytes = sizeBytes;
        }
    }

    /// <summary>The components of a session. Fill it, then host or join with it; that seals it.</summary>
    public sealed class ThetaRegistry : IDisposable
    {
        private readonly RegistryHandle _handle;

        internal unsafe ThetaRegistry(ThetaRuntime runtime)
        {
            theta_registry bits;
            RuntimeHandle owner = runtime.Handle;
            ThetaException.Check(NativeMethods.theta_registry_create(new theta_runtime { bits = owner.Bits }, &bits));
            _handle = new RegistryHandle(bits.bits, owner);
        }

        internal theta_registry Native
        {
            get
            {
                if (_handle.IsDisposed)
                {
                    throw new ObjectDisposedException("ThetaRegistry");
                }
                return new theta_registry { bits = _handle.Bits };
            }
        }

        /// <summary>The id of a component name: its SipHash-2-4. Needs no registry.</summary>
        public static unsafe ulong ComponentId(string name)
        {
            ThetaRuntime.RequireLibrary();
            uint length;
            byte[] bytes = Utf8.Bytes(name, out length);
            ulong id;
            fixed (byte* p = bytes)
            {
                ThetaException.Check(NativeMethods.theta_component_id(p, length, &id));
            }
            return id;
        }

        /// <summary>Registers a struct by its [ThetaComponent] and [ThetaField] attributes. Uses reflection, once.</summary>
        public ThetaComponent<T> Add<T>()
            where T : struct
        {
            return Add<T>(ComponentReflection.Describe(typeof(T)));
        }

        /// <summary>Registers a struct by an explicit description, without reflection.</summary>
        public ThetaComponent<T> Add<T>(ComponentBuilder description)
            where T : struct
        {
            int size = Described<T>(description);
            ulong id = Register(description, size, null, 0);
            return new ThetaComponent<T>(id, description.Name, size, description.Fields.ToArray());
        }

        /// <summary>Registers a component whose rows here are <typeparamref name="TElement"/>s: <paramref name="codec"/> makes
        /// the attributed struct <typeparamref name="TValue"/> of them and back, and only that travels. A codec serves one
        /// component.</summary>
        public ThetaComponent<TElement> Add<TElement, TValue>(ThetaCodec<TElement, TValue> codec)
            where TElement : struct
            where TValue : struct
        {
            return Add(ComponentReflection.Describe(typeof(TValue)), codec);
        }

        /// <summary>The same with an explicit description of <typeparamref name="TValue"/>, without reflection.</summary>
        public ThetaComponent<TElement> Add<TElement, TValue>(
            ComponentBuilder description, ThetaCodec<TElement, TValue> codec)
            where TElement : struct
            where TValue : struct
        {
            if (codec == null)
            {
                throw new ArgumentNullException("codec");
            }
            int size = Described<TValue>(description);
            int elementSize = ManagedSize<TElement>();
            ulong id = Register(description, size, codec, elementSize);
            return new ThetaComponent<TElement>(id, description.Name, elementSize, description.Fields.ToArray());
        }

        /// <summary>Registers a component that is read and written by pointers only.</summary>
        public ThetaComponent AddUntyped(ComponentBuilder description)
        {
            if (description == null)
            {
                throw new ArgumentNullException("description");
            }
            ulong id = Register(description, description.SizeBytes, null, 0);
            return new ThetaComponent(id, description.Name, description.SizeBytes, description.Fields.ToArray());
        }

        /// <summary>Hash of everything both sides must agree on.</summary>
        public unsafe ulong SchemaHash
        {
            get
            {
                ulong hash;
                ThetaException.Check(NativeMethods.theta_registry_schema_hash(Native, &hash));
                return hash;
            }
        }

        /// <summary>The schema as text, for comparison when two sides disagree.</summary>
        public unsafe string Manifest()
        {
            byte[] buffer = new byte[4096];
            while (true)
            {
                ulong length = 0;
                ThetaStatus status;
                fixed (byte* p = buffer)
                {
                    status = ThetaException.Check(
                        NativeMethods.theta_registry_manifest(Native, p, (ulong)buffer.Length, &length));
                }
                if (status != ThetaStatus.Truncated)
                {
                    return Encoding.UTF8.GetString(buffer, 0, (int)length);
                }
                buffer = new byte[checked((int)length)];
            }
        }

        /// <summary>Gives the registry back; sessions made from it go on.</summary>
        public void Dispose()
        {
            _handle.Dispose();
        }

        /// <summary>Bytes of a struct as it lies in an array. Throws for structs that hold references.</summary>
        internal static int ManagedSize<T>()
            where T : struct
        {
            return MemoryMarshal.AsBytes(new Span<T>(new T[1])).Length;
        }

        /// <summary>The size of a struct that its description fits into.</summary>
        private static int Described<T>(ComponentBuilder description)
            where T : struct
        {
            if (description == null)
            {
                throw new ArgumentNullException("description");
            }
            int size = ManagedSize<T>();
            int end = 0;
            foreach (FieldSpec field in description.Fields)
            {
                end = Math.Max(end, field.Offset + field.Size);
            }
            if (end > size)
            {
                throw new ArgumentException("The description of " + description.Name + " takes " + end + " bytes, the struct "
                    + typeof(T).Name + " has " + size + ". Check the order, At and Skip.");
            }
            return size;
        }

        private unsafe ulong Register(ComponentBuilder description, int size, ThetaCodec codec, int elementSize)
        {
            // One buffer for all names, pinned for the call; offsets of the names within it.
            List<byte> text = new List<byte>();
            int count = description.Fields.Count;
            int[] starts = new int[count];
            uint nameLength;
            uint sinceLength;
            byte[] name = Utf8.Bytes(description.Name, out nameLength);
            byte[] since = Utf8.Bytes(description.SinceVersionValue, out sinceLength);
            theta_field_desc[] fields = new theta_field_desc[Math.Max(count, 1)];
            for (int i = 0; i < count; i++)
            {
                FieldSpec spec = description.Fields[i];
                uint length;
                byte[] fieldName = Utf8.Bytes(spec.Name, out length);
                starts[i] = text.Count;
                text.AddRange(fieldName);
                fields[i].id = spec.Id;
                fields[i].kind = (byte)spec.Kind;
                fields[i].element_kind = (byte)spec.Element;
                fields[i].offset_bytes = (uint)spec.Offset;
                fields[i].name_length = length;
                fields[i].minimum = spec.Min;
                fields[i].maximum = spec.Max;
                fields[i].step = spec.Step;
                fields[i].bits = (uint)spec.Bits;
                fields[i].max_length = (uint)spec.MaxLength;
                fields[i].semantic = (byte)spec.Semantic;
                fields[i].predictor = (byte)spec.Predictor;
                fields[i].diff = (byte)spec.Diff;
                fields[i].flags = spec.Document ? NativeMethods.THETA_FIELD_DOCUMENT : 0;
                fields[i].default_integer = spec.DefaultInteger;
            }
            text.Add(0);
            byte[] names = text.ToArray();
            ulong id;
            fixed (byte* namesStart = names)
            fixed (byte* nameStart = name)
            fixed (byte* sinceStart = since)
            fixed (theta_field_desc* fieldsStart = fields)
            {
                for (int i = 0; i < count; i++)
                {
                    fieldsStart[i].name = namesStart + starts[i];
                    double[] numbers = description.Fields[i].Default;
                    for (int k = 0; numbers != null && k < numbers.Length && k < 4; k++)
                    {
                        fieldsStart[i].default_number[k] = numbers[k];
                    }
                }
                theta_component_desc desc = default(theta_component_desc);
                desc.struct_size = (uint)sizeof(theta_component_desc);
                desc.name = nameStart;
                desc.name_length = nameLength;
                desc.fields = fieldsStart;
                desc.field_count = (uint)count;
                desc.field_size = (uint)sizeof(theta_field_desc);
                desc.size_bytes = (uint)size;
                desc.authority = (uint)description.AuthorityValue;
                desc.since_version = sinceStart;
                desc.since_version_length = sinceLength;
                theta_registry registry = Native;
                if (codec == null)
                {
                    ThetaException.Check(NativeMethods.theta_registry_add(registry, &desc, &id));
                }
                else
                {
                    theta_codec native = CodecBridge.Describe(codec, elementSize);
                    ThetaException.Check(NativeMethods.theta_registry_add_codec(registry, &desc, &native, &id));
                }
            }
            return id;
        }
    }
}
