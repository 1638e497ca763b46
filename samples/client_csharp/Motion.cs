// A recording of head and hands as a function of (index, motion time), the same in every language: samples/README.md, "Motion".
using System;
using System.Collections.Generic;
using System.Globalization;
using System.IO;

namespace Samples
{
    /// <summary>A position and a rotation in doubles.</summary>
    internal struct Limb
    {
        public double X, Y, Z;
        public double QX, QY, QZ, QW;
    }

    /// <summary>Head and hands.</summary>
    internal struct BodyPose
    {
        public Limb Head, Left, Right;
    }

    /// <summary>The recordings of a session; each index plays one of them.</summary>
    internal sealed class Motion
    {
        private readonly Recording[] _recordings;

        private Motion(Recording[] recordings)
        {
            _recordings = recordings;
        }

        /// <summary>Reads the files of a list with commas between them; "builtin" is the file beside the program.</summary>
        internal static Motion Load(string list)
        {
            string[] names = list.Split(',');
            Recording[] recordings = new Recording[names.Length];
            for (int i = 0; i < names.Length; i++)
            {
                recordings[i] = Recording.Load(
                    names[i] == "builtin" ? Path.Combine(AppDomain.CurrentDomain.BaseDirectory, "builtin.motion") : names[i]);
            }
            return new Motion(recordings);
        }

        /// <summary>The pose that peer <paramref name="index"/> has at its motion time. Does not allocate.</summary>
        internal BodyPose At(uint index, double motionTimeUs)
        {
            BodyPose pose = _recordings[index % _recordings.Length].At(motionTimeUs + (index * 1700000.0));
            double dx = ((index % 4) - 1.5) * 2.0;
            double dz = ((index / 4 % 4) - 1.5) * 2.0;
            Move(ref pose.Head, dx, dz);
            Move(ref pose.Left, dx, dz);
            Move(ref pose.Right, dx, dz);
            return pose;
        }

        private static void Move(ref Limb limb, double dx, double dz)
        {
            limb.X += dx;
            limb.Z += dz;
        }
    }

    /// <summary>One recording.</summary>
    internal sealed class Recording
    {
        private readonly double[] _times;
        private readonly BodyPose[] _poses;

        private Recording(double[] times, BodyPose[] poses)
        {
            _times = times;
            _poses = poses;
        }

        /// <summary>Reads a .motion file. Throws InvalidDataException with the line when it is not one.</summary>
        internal static Recording Load(string path)
        {
            List<double> times = new List<double>();
            List<BodyPose> poses = new List<BodyPose>();
            int number = 0;
            foreach (string line in File.ReadLines(path))
            {
                number++;
                if (line.Length == 0 || line[0] == '#')
                {
                    continue;
                }
                double[] values = Parse(line);
                if (values == null || (times.Count > 0 && values[0] <= times[times.Count - 1]))
                {
                    throw new InvalidDataException(
                        path + ":" + number + ": expected an ascending time and 21 finite numbers");
                }
                times.Add(values[0]);
                poses.Add(new BodyPose { Head = LimbAt(values, 1), Left = LimbAt(values, 8), Right = LimbAt(values, 15) });
            }
            if (times.Count < 2)
            {
                throw new InvalidDataException(path + ": a motion needs at least two frames");
            }
            return new Recording(times.ToArray(), poses.ToArray());
        }

        /// <summary>The pose at a time since the start. Does not allocate.</summary>
        internal BodyPose At(double timeUs)
        {
            // Forth and back: a recording seldom ends where it began, and a jump would be scored as an error of the network.
            double length = _times[_times.Length - 1] - _times[0];
            double u = timeUs % (2 * length);
            if (u > length)
            {
                u = (2 * length) - u;
            }
            double t = _times[0] + u;
            int low = 0;
            int high = _times.Length - 1;
            while (high - low > 1)
            {
                int middle = (low + high) / 2;
                if (_times[middle] <= t)
                {
                    low = middle;
                }
                else
                {
                    high = middle;
                }
            }
            double share = (t - _times[low]) / (_times[high] - _times[low]);
            BodyPose pose;
            pose.Head = Between(ref _poses[low].Head, ref _poses[high].Head, share);
            pose.Left = Between(ref _poses[low].Left, ref _poses[high].Left, share);
            pose.Right = Between(ref _poses[low].Right, ref _poses[high].Right, share);
            return pose;
        }

        private static Limb Between(ref Limb a, ref Limb b, double share)
        {
            Limb limb;
            limb.X = a.X + ((b.X - a.X) * share);
            limb.Y = a.Y + ((b.Y - a.Y) * share);
            limb.Z = a.Z + ((b.Z - a.Z) * share);
            double dot = (a.QX * b.QX) + (a.QY * b.QY) + (a.QZ * b.QZ) + (a.QW * b.QW);
            double sign = dot < 0 ? -1 : 1;
            limb.QX = a.QX + (((sign * b.QX) - a.QX) * share);
            limb.QY = a.QY + (((sign * b.QY) - a.QY) * share);
            limb.QZ = a.QZ + (((sign * b.QZ) - a.QZ) * share);
            limb.QW = a.QW + (((sign * b.QW) - a.QW) * share);
            double length = Math.Sqrt((limb.QX * limb.QX) + (limb.QY * limb.QY) + (limb.QZ * limb.QZ) + (limb.QW * limb.QW));
            if (length < 1e-9)
            {
                limb.QX = limb.QY = limb.QZ = 0;
                limb.QW = 1;
                return limb;
            }
            limb.QX /= length;
            limb.QY /= length;
            limb.QZ /= length;
            limb.QW /= length;
            return limb;
        }

        private static Limb LimbAt(double[] values, int start)
        {
            return new Limb
            {
                X = values[start],
                Y = values[start + 1],
                Z = values[start + 2],
                QX = values[start + 3],
                QY = values[start + 4],
                QZ = values[start + 5],
                QW = values[start + 6],
            };
        }

        private static double[] Parse(string line)
        {
            string[] words = line.Split(new[] { ' ' }, StringSplitOptions.RemoveEmptyEntries);
            if (words.Length < 22)
            {
                return null;
            }
            double[] values = new double[22];
            for (int i = 0; i < values.Length; i++)
            {
                if (!double.TryParse(words[i], NumberStyles.Float, CultureInfo.InvariantCulture, out values[i])
                    || double.IsNaN(values[i]) || double.IsInfinity(values[i]))
                {
                    return null;
                }
            }
            return values;
        }
    }
}
