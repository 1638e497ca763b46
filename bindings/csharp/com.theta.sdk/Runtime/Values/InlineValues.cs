// What for: strings, byte blobs and lists lie inside the component struct: a 32-bit length, then room for the longest.
// Must never: allocate when set from bytes. Called by: users' component structs. Other sizes are declared the same way.
using System;
using System.Runtime.InteropServices;
using System.Text;

namespace Theta
{
    /// <summary>Says that a struct is an inline string, blob or list: a uint length, then <see cref="MaxLength"/> elements.
    /// Put it on your own struct when the ready-made ones do not fit.</summary>
    [AttributeUsage(AttributeTargets.Struct)]
    public sealed class ThetaInlineAttribute : Attribute
    {
        /// <summary>A string or bytes of at most <paramref name="maxLength"/> bytes.</summary>
        public ThetaInlineAttribute(ThetaKind kind, int maxLength)
        {
            Kind = kind;
            MaxLength = maxLength;
        }

        /// <summary>String, Bytes or List.</summary>
        public ThetaKind Kind { get; private set; }

        /// <summary>Capacity in elements; bytes for strings.</summary>
        public int MaxLength { get; private set; }

        /// <summary>Element kind of a list: an integer kind or F32.</summary>
        public ThetaKind Element { get; set; }
    }

    /// <summary>Up to 32 bytes of UTF-8 inside a component.</summary>
    [ThetaInline(ThetaKind.String, 32)]
    [StructLayout(LayoutKind.Sequential)]
    public unsafe struct Text32
    {
        /// <summary>Bytes in use.</summary>
        public uint Length;
        private fixed byte _bytes[32];

        /// <summary>From text; longer text is cut at a character boundary.</summary>
        public Text32(string text)
        {
            fixed (byte* p = _bytes)
            {
                Length = InlineText.Write(text, p, 32);
            }
        }

        /// <summary>The text. Allocates.</summary>
        public override string ToString()
        {
            fixed (byte* p = _bytes)
            {
                return Encoding.UTF8.GetString(p, (int)Math.Min(Length, 32u));
            }
        }
    }

    /// <summary>Up to 128 bytes of UTF-8 inside a component.</summary>
    [ThetaInline(ThetaKind.String, 128)]
    [StructLayout(LayoutKind.Sequential)]
    public unsafe struct Text128
    {
        /// <summary>Bytes in use.</summary>
        public uint Length;
        private fixed byte _bytes[128];

        /// <summary>From text; longer text is cut at a character boundary.</summary>
        public Text128(string text)
        {
            fixed (byte* p = _bytes)
            {
                Length = InlineText.Write(text, p, 128);
            }
        }

        /// <summary>The text. Allocates.</summary>
        public override string ToString()
        {
            fixed (byte* p = _bytes)
            {
                return Encoding.UTF8.GetString(p, (int)Math.Min(Length, 128u));
            }
        }
    }

    /// <summary>Up to 64 opaque bytes inside a component.</summary>
    [ThetaInline(ThetaKind.Bytes, 64)]
    [StructLayout(LayoutKind.Sequential)]
    public unsafe struct Blob64
    {
        /// <summary>Bytes in use.</summary>
        public uint Length;
        private fixed byte _bytes[64];

        /// <summary>From bytes; at most 64.</summary>
        public Blob64(ReadOnlySpan<byte> bytes)
        {
            if (bytes.Length > 64)
            {
                throw new ArgumentOutOfRangeException("bytes", "A Blob64 takes at most 64 bytes.");
            }
            Length = (uint)bytes.Length;
            fixed (byte* p = _bytes)
            {
                bytes.CopyTo(new Span<byte>(p, 64));
            }
        }

        /// <summary>Copies the bytes out and returns how many there are. Does not allocate.</summary>
        public int CopyTo(Span<byte> destination)
        {
            int count = Math.Min((int)Math.Min(Length, 64u), destination.Length);
            fixed (byte* p = _bytes)
            {
                new Span<byte>(p, count).CopyTo(destination);
            }
            return count;
        }
    }

    internal static unsafe class InlineText
    {
        /// <summary>Writes as many whole characters as fit and returns the bytes written.</summary>
        internal static uint Write(string text, byte* to, int capacity)
        {
            if (string.IsNullOrEmpty(text))
            {
                return 0;
            }
            // Each takes a byte at least, so a text of any length costs no more than one that fits.
            int characters = Math.Min(text.Length, capacity);
            fixed (char* from = text)
            {
                if (characters < text.Length && char.IsHighSurrogate(from[characters - 1]))
                {
                    characters--;
                }
                while (characters > 0 && Encoding.UTF8.GetByteCount(from, characters) > capacity)
                {
                    characters--;
                    // Never half of a surrogate pair.
                    if (characters > 0 && char.IsHighSurrogate(from[characters - 1]))
                    {
                        characters--;
                    }
                }
                return characters == 0 ? 0u : (uint)Encoding.UTF8.GetBytes(from, characters, to, capacity);
            }
        }
    }
}
