// Options, percentiles, the report's JSON.
using System;
using System.Collections.Generic;
using System.Globalization;
using System.IO;
using System.Text;

namespace Samples
{
    /// <summary>A mistake on the command line; exit code 2.</summary>
    internal sealed class UsageException : Exception
    {
        internal UsageException(string message)
            : base(message)
        {
        }
    }

    internal sealed class Options
    {
        internal string Ticket = string.Empty;
        internal string TicketFile = string.Empty;
        internal string Name;
        internal string Motion = "builtin";
        internal string HashFile = string.Empty;
        internal string Report = string.Empty;
        internal uint Index;
        internal double Seconds;
        internal bool Live;
        // From this tick on one value of a cube is wrong here, for the host to find; 0 = never.
        internal uint DivergenceTick;
        internal Theta.LinkConditions Conditions;

        internal static Options Parse(string[] words)
        {
            Options options = new Options();
            for (int i = 0; i < words.Length; i++)
            {
                if (words[i] == "--live")
                {
                    options.Live = true;
                    continue;
                }
                if (i + 1 >= words.Length)
                {
                    throw new UsageException("unknown option, or one without its value: " + words[i]);
                }
                string value = words[i + 1];
                switch (words[i])
                {
                    case "--ticket":
                        options.Ticket = value;
                        break;
                    case "--ticket-file":
                        options.TicketFile = value;
                        break;
                    case "--name":
                        options.Name = value;
                        break;
                    case "--motion":
                        options.Motion = value;
                        break;
                    case "--index":
                        options.Index = (uint)Number(words[i], value, 9999);
                        break;
                    case "--seconds":
                        options.Seconds = Number(words[i], value, 1e6);
                        break;
                    case "--loss":
                        options.Conditions.LossPercent = Number(words[i], value, 100);
                        break;
                    case "--latency":
                        options.Conditions.LatencyMs = Number(words[i], value, 10000);
                        break;
                    case "--jitter":
                        options.Conditions.JitterMs = Number(words[i], value, 10000);
                        break;
                    case "--plant-divergence":
                        options.DivergenceTick = (uint)Number(words[i], value, uint.MaxValue);
                        break;
                    case "--hash-file":
                        options.HashFile = value;
                        break;
                    case "--report":
                        options.Report = value;
                        break;
                    default:
                        throw new UsageException("unknown option, or one without its value: " + words[i]);
                }
                i++;
            }
            if ((options.Ticket.Length == 0) == (options.TicketFile.Length == 0))
            {
                throw new UsageException("give either --ticket or --ticket-file");
            }
            options.Conditions.Seed = options.Index;
            options.Name = options.Name ?? "csharp-" + options.Index.ToString(CultureInfo.InvariantCulture);
            return options;
        }

        private static double Number(string option, string text, double highest)
        {
            double value;
            if (!double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out value)
                || !(value >= 0 && value <= highest))
            {
                throw new UsageException(option + " takes a number from 0 to "
                    + highest.ToString(CultureInfo.InvariantCulture) + ", not " + text);
            }
            return value;
        }
    }

    /// <summary>Percentiles by nearest rank, of everything and of what came since the last RecentDone. Counts in buckets, so that a
    /// sample costs no memory: 0.001 wide up to 64, then 0.1 wide up to 6400, and one for the rest.</summary>
    internal sealed class Distribution
    {
        private const int Fine = 64000;
        private const int Coarse = 63360;

        private readonly int[] _all = new int[Fine + Coarse + 1];
        private readonly int[] _recent = new int[Fine + Coarse + 1];
        private long _allCount;
        private long _recentCount;

        internal long Count
        {
            get { return _allCount; }
        }

        internal void Add(double value)
        {
            int bucket;
            if (value < 64)
            {
                bucket = Math.Max(0, (int)Math.Round(value * 1000));
                bucket = Math.Min(bucket, Fine - 1);
            }
            else
            {
                bucket = Fine + (int)Math.Min((value - 64) * 10, Coarse);
            }
            _all[bucket]++;
            _recent[bucket]++;
            _allCount++;
            _recentCount++;
        }

        internal double? Percentile(double share)
        {
            return Of(_all, _allCount, share);
        }

        internal double? RecentPercentile(double share)
        {
            return Of(_recent, _recentCount, share);
        }

        internal void RecentDone()
        {
            Array.Clear(_recent, 0, _recent.Length);
            _recentCount = 0;
        }

        private static double? Of(int[] counts, long total, double share)
        {
            if (total == 0)
            {
                return null;
            }
            long rank = Math.Max(1, (long)Math.Ceiling(share * total));
            long seen = 0;
            int bucket = 0;
            while ((seen += counts[bucket]) < rank)
            {
                bucket++;
            }
            return bucket < Fine ? bucket / 1000.0 : 64 + ((bucket - Fine) / 10.0);
        }
    }

    /// <summary>A JSON object, written member by member.</summary>
    internal sealed class JsonObject
    {
        private readonly StringBuilder _body = new StringBuilder();

        internal JsonObject Number(string name, double? value, int decimals = 0)
        {
            return Raw(name, Text.Shown(value, decimals, "null"));
        }

        internal JsonObject String(string name, string value)
        {
            return Raw(name, Quoted(value));
        }

        internal JsonObject Raw(string name, string value)
        {
            _body.Append(_body.Length == 0 ? string.Empty : ", ").Append(Quoted(name)).Append(": ").Append(value);
            return this;
        }

        public override string ToString()
        {
            return "{" + _body + "}";
        }

        private static string Quoted(string text)
        {
            StringBuilder quoted = new StringBuilder("\"");
            foreach (char c in text)
            {
                if (c == '"' || c == '\\')
                {
                    quoted.Append('\\').Append(c);
                }
                else if (c < 0x20)
                {
                    quoted.Append("\\u").Append(((int)c).ToString("x4", CultureInfo.InvariantCulture));
                }
                else
                {
                    quoted.Append(c);
                }
            }
            return quoted.Append('"').ToString();
        }
    }

    internal static class Text
    {
        /// <summary>A number for a report or a status line; <paramref name="none"/> when there is none.</summary>
        internal static string Shown(double? value, int decimals, string none)
        {
            return value == null || double.IsNaN(value.Value) || double.IsInfinity(value.Value)
                ? none
                : value.Value.ToString("F" + decimals, CultureInfo.InvariantCulture);
        }

        /// <summary>Writes under another name and renames, so that a reader never sees half of the file.</summary>
        internal static void WriteWhole(string path, string content)
        {
            string draft = path + ".part";
            File.WriteAllText(draft, content, new UTF8Encoding(false));
            if (File.Exists(path))
            {
                File.Delete(path);
            }
            File.Move(draft, path);
        }

        /// <summary>The number after the last '-' of a name, or -1. At most five digits, as everywhere.</summary>
        internal static int IndexOf(byte[] name, int length)
        {
            int dash = length - 1;
            while (dash >= 0 && name[dash] != (byte)'-')
            {
                dash--;
            }
            if (dash < 0 || dash + 1 == length || length - dash > 6)
            {
                return -1;
            }
            int index = 0;
            for (int i = dash + 1; i < length; i++)
            {
                if (name[i] < (byte)'0' || name[i] > (byte)'9')
                {
                    return -1;
                }
                index = (index * 10) + (name[i] - (byte)'0');
            }
            return index;
        }
    }
}
