// What for: strings cross the ABI as UTF-8 bytes and a length. Must never: run on the frame path (it allocates).
using System;
using System.Text;

namespace Theta.Interop
{
    /// <summary>UTF-8 in both directions, for setup calls.</summary>
    internal static unsafe class Utf8
    {
        private static readonly UTF8Encoding Strict = new UTF8Encoding(false, true);

        /// <summary>The bytes of <paramref name="text"/>; null counts as empty. Never an empty array, so that a pointer to
        /// the first element exists; the length is returned apart.</summary>
        internal static byte[] Bytes(string text, out uint length)
        {
            if (string.IsNullOrEmpty(text))
            {
                length = 0;
                return new byte[1];
            }
            byte[] bytes = Strict.GetBytes(text);
            length = (uint)bytes.Length;
            return bytes;
        }

        /// <summary>Text of <paramref name="length"/> bytes at <paramref name="start"/>; broken UTF-8 becomes U+FFFD.</summary>
        internal static string Text(byte* start, int length)
        {
            return start == null || length <= 0 ? string.Empty : Encoding.UTF8.GetString(start, length);
        }

        /// <summary>Text of a static, null-terminated native string.</summary>
        internal static string Static(byte* start)
        {
            if (start == null)
            {
                return string.Empty;
            }
            int length = 0;
            while (start[length] != 0)
            {
                length++;
            }
            return Text(start, length);
        }
    }
}
