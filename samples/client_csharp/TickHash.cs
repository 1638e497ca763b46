// The proof that everybody saw the same: a hash over the quantised columns of a frame, and the file it goes to. The bytes that are
// hashed are laid down in samples/README.md, "Tick hash". Nothing here allocates once the buffers have grown.
using System;
using System.IO;
using Theta;

namespace Samples
{
    internal sealed class TickHasher
    {
        private const ulong Prime = 0x100000001b3;

        private readonly ThetaComponent[] _components;
        private EntityRow[] _rows = new EntityRow[512];
        private long[] _lanes = new long[512 * 32];

        internal TickHasher(params ThetaComponent[] components)
        {
            _components = components;
            Array.Sort(_components, delegate(ThetaComponent a, ThetaComponent b) { return a.Id.CompareTo(b.Id); });
        }

        internal ThetaStatus Hash(Frame frame, out ulong hash)
        {
            ulong state = 0xcbf29ce484222325;
            hash = 0;
            foreach (ThetaComponent component in _components)
            {
                int rows;
                int read;
                ThetaStatus status = frame.Entities(component, _rows, out rows);
                while (status == ThetaStatus.Truncated)
                {
                    _rows = new EntityRow[rows * 2];
                    status = frame.Entities(component, _rows, out rows);
                }
                if (status.IsError())
                {
                    return status;
                }
                if (_lanes.Length < rows * component.Lanes)
                {
                    _lanes = new long[rows * component.Lanes * 2];
                }
                status = frame.ReadQuantised(component, _lanes, out read);
                if (status.IsError())
                {
                    return status;
                }
                if (read != rows)
                {
                    return ThetaStatus.Internal;
                }
                int lane = 0;
                for (int row = 0; row < rows; row++)
                {
                    state = Bytes(state, _rows[row].Id.Bits, 8);
                    state = Bytes(state, _rows[row].TypeId, 4);
                    state = Bytes(state, _rows[row].Owner, 4);
                    state = Bytes(state, _rows[row].Parent.Bits, 8);
                    for (int end = lane + component.Lanes; lane < end; lane++)
                    {
                        state = Bytes(state, (ulong)_lanes[lane], 8);
                    }
                }
            }
            hash = state;
            return ThetaStatus.Ok;
        }

        private static ulong Bytes(ulong state, ulong value, int count)
        {
            for (int i = 0; i < count; i++)
            {
                state = unchecked((state ^ (value & 0xFF)) * Prime);
                value >>= 8;
            }
            return state;
        }
    }

    /// <summary>Writes "tick hash" lines; without a path it writes nothing.</summary>
    internal sealed class HashFile : IDisposable
    {
        private readonly FileStream _file;
        private readonly byte[] _line = new byte[32];

        internal HashFile(string path)
        {
            _file = path.Length == 0 ? null : new FileStream(path, FileMode.Create, FileAccess.Write, FileShare.Read, 64 * 1024);
        }

        internal void Line(uint tick, ulong hash)
        {
            if (_file == null)
            {
                return;
            }
            // By hand, from the end to the front: formatting would make a string for every tick.
            int at = _line.Length;
            _line[--at] = (byte)'\n';
            for (int i = 0; i < 16; i++)
            {
                _line[--at] = (byte)"0123456789abcdef"[(int)(hash & 15)];
                hash >>= 4;
            }
            _line[--at] = (byte)' ';
            do
            {
                _line[--at] = (byte)('0' + (tick % 10));
                tick /= 10;
            }
            while (tick != 0);
            _file.Write(_line, at, _line.Length - at);
        }

        /// <summary>Whoever follows the file sees what there is.</summary>
        internal void Flush()
        {
            if (_file != null)
            {
                _file.Flush();
            }
        }

        public void Dispose()
        {
            if (_file != null)
            {
                _file.Dispose();
            }
        }
    }
}
