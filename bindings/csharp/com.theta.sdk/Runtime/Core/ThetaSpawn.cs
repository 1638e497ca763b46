// What for: a reusable description of an entity to spawn. Must never: keep pointers between calls. Called by: the host.
using System;
using System.Runtime.InteropServices;
using Theta.Interop;

namespace Theta
{
    /// <summary>Describes one entity with its first values. Make one and reuse it: after warm-up it does not allocate.</summary>
    public sealed class ThetaSpawn
    {
        /// <summary>Longest payload, bytes.</summary>
        public const int MaxPayload = 256;

        /// <summary>Components of one entity at most.</summary>
        public const int MaxComponents = 64;

        // The ABI reads 64-bit fields in place, so every value starts at a multiple of this.
        private const int ValueAlignment = 16;

        private readonly ulong[] _ids = new ulong[MaxComponents];
        private readonly int[] _starts = new int[MaxComponents];
        private readonly byte[] _payload = new byte[MaxPayload];
        private byte[] _values = new byte[1024];
        private int _count;
        private int _used;
        private int _payloadLength;
        private uint _typeId;
        private uint _owner;
        private EntityId _parent;
        private ulong _hostTag;
        private ulong _persistentId;

        /// <summary>Starts over with a prefab number.</summary>
        public ThetaSpawn Begin(uint typeId)
        {
            _typeId = typeId;
            _count = 0;
            _used = 0;
            _payloadLength = 0;
            _owner = 0;
            _parent = EntityId.None;
            _hostTag = 0;
            _persistentId = 0;
            return this;
        }

        /// <summary>Owner; the host unless set.</summary>
        public ThetaSpawn Owner(uint peer)
        {
            _owner = peer;
            return this;
        }

        /// <summary>Parent.</summary>
        public ThetaSpawn Parent(EntityId parent)
        {
            _parent = parent;
            return this;
        }

        /// <summary>The application's own number for it, local.</summary>
        public ThetaSpawn HostTag(ulong tag)
        {
            _hostTag = tag;
            return this;
        }

        /// <summary>Id of a scene-placed object.</summary>
        public ThetaSpawn PersistentId(ulong id)
        {
            _persistentId = id;
            return this;
        }

        /// <summary>Bytes everybody gets with the spawn, at most <see cref="MaxPayload"/>.</summary>
        public ThetaSpawn Payload(ReadOnlySpan<byte> payload)
        {
            if (payload.Length > MaxPayload)
            {
                throw new ArgumentOutOfRangeException("payload", "A spawn payload has at most 256 bytes.");
            }
            payload.CopyTo(_payload);
            _payloadLength = payload.Length;
            return this;
        }

        /// <summary>Adds a component with its first value.</summary>
        public ThetaSpawn With<T>(ThetaComponent<T> component, T value)
            where T : struct
        {
            int start = (_used + ValueAlignment - 1) / ValueAlignment * ValueAlignment;
            int end = start + component.SizeBytes;
            if (end > _values.Length)
            {
                Array.Resize(ref _values, Math.Max(end, _values.Length * 2));
            }
            MemoryMarshal.Write(new Span<byte>(_values, start, component.SizeBytes), ref value);
            Add(component.Id, start);
            _used = end;
            return this;
        }

        /// <summary>Adds a component with its defaults.</summary>
        public ThetaSpawn With(ThetaComponent component)
        {
            Add(component.Id, -1);
            return this;
        }

        internal unsafe ThetaStatus Commit(theta_session session, out EntityId entity)
        {
            ulong id = 0;
            int status;
            void** values = stackalloc void*[MaxComponents];
            theta_spawn_desc desc = default(theta_spawn_desc);
            desc.struct_size = (uint)sizeof(theta_spawn_desc);
            desc.type_id = _typeId;
            desc.owner = _owner;
            desc.component_count = (uint)_count;
            desc.parent = _parent.Bits;
            desc.host_tag = _hostTag;
            desc.persistent_id = _persistentId;
            desc.payload_length = (uint)_payloadLength;
            fixed (ulong* ids = _ids)
            fixed (byte* payload = _payload)
            fixed (byte* bytes = _values)
            {
                for (int i = 0; i < _count; i++)
                {
                    values[i] = _starts[i] < 0 ? null : bytes + _starts[i];
                }
                desc.component_ids = ids;
                desc.component_values = values;
                desc.payload = payload;
                status = NativeMethods.theta_entity_spawn(session, &desc, &id);
            }
            entity = new EntityId(id);
            return (ThetaStatus)status;
        }

        private void Add(ulong id, int start)
        {
            if (_count == MaxComponents)
            {
                throw new InvalidOperationException("An entity has at most 64 components.");
            }
            _ids[_count] = id;
            _starts[_count] = start;
            _count++;
        }
    }
}
