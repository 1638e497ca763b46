// The managed side agrees with the header: sizes and offsets as a C compiler sees them, constants, names, and imports that
// need no marshalling. None of these loads the library.
using System;
using System.Collections.Generic;
using System.IO;
using System.Reflection;
using System.Runtime.InteropServices;
using System.Text.RegularExpressions;
using NUnit.Framework;
using Theta.Interop;

namespace Theta.Tests
{
    [TestFixture]
    public class AbiTests
    {
        private static readonly BindingFlags Members = BindingFlags.Instance | BindingFlags.Public | BindingFlags.NonPublic;

        /// <summary>Lines "struct size" and "struct.field offset size", printed by a C program made from the header.</summary>
        private static string[] CLayout()
        {
            string path = Environment.GetEnvironmentVariable("THETA_ABI_LAYOUT");
            if (string.IsNullOrEmpty(path))
            {
                Assert.Ignore("THETA_ABI_LAYOUT is not set: test.sh makes the file with a C compiler.");
            }
            return File.ReadAllLines(path);
        }

        private static Type Native(string name)
        {
            return typeof(NativeMethods).Assembly.GetType("Theta.Interop." + name);
        }

        [Test]
        public void StructsHaveTheSizesAndOffsetsOfTheHeader()
        {
            int structs = 0;
            int fields = 0;
            foreach (string line in CLayout())
            {
                string[] parts = line.Split(' ');
                string[] names = parts[0].Split('.');
                Type type = Native(names[0]);
                Assert.IsNotNull(type, names[0] + " is missing in NativeMethods.g.cs");
                if (names.Length == 1)
                {
                    Assert.AreEqual(int.Parse(parts[1]), Marshal.SizeOf(type), names[0]);
                    structs++;
                }
                else
                {
                    Assert.AreEqual(int.Parse(parts[1]), (int)Marshal.OffsetOf(type, names[1]), parts[0]);
                    fields++;
                }
            }
            Assert.Greater(structs, 20);
            Assert.Greater(fields, 150);
        }

        /// <summary>abi/theta.abi.json, which Rust and C are held against as well: each line has a name and its numbers.</summary>
        [Test]
        public void StructsAndConstantsAreThoseOfTheSnapshot()
        {
            string root = Environment.GetEnvironmentVariable("THETA_REPO");
            if (string.IsNullOrEmpty(root))
            {
                Assert.Ignore("THETA_REPO is not set: the snapshot is not part of the package.");
            }
            Regex line = new Regex("\\{\"name\": \"(\\w+)\", \"(bytes|offset|value)\": (-?\\d+)");
            int structs = 0;
            int fields = 0;
            int constants = 0;
            Type type = null;
            foreach (string text in File.ReadAllLines(Path.Combine(Path.Combine(root, "abi"), "theta.abi.json")))
            {
                Match match = line.Match(text);
                if (!match.Success)
                {
                    continue;
                }
                string name = match.Groups[1].Value;
                long number = long.Parse(match.Groups[3].Value);
                switch (match.Groups[2].Value)
                {
                    case "bytes":
                        type = Native(name);
                        Assert.IsNotNull(type, name + " is missing in NativeMethods.g.cs");
                        Assert.AreEqual(number, Marshal.SizeOf(type), name);
                        structs++;
                        break;
                    case "offset":
                        Assert.AreEqual(number, (long)Marshal.OffsetOf(type, name), type.Name + "." + name);
                        fields++;
                        break;
                    default:
                        FieldInfo constant = typeof(NativeMethods).GetField(name, BindingFlags.Static | BindingFlags.NonPublic | BindingFlags.Public);
                        Assert.IsNotNull(constant, name + " is missing in NativeMethods.g.cs");
                        Assert.AreEqual(number, Convert.ToInt64(constant.GetRawConstantValue()), name);
                        constants++;
                        break;
                }
            }
            Assert.Greater(structs, 20);
            Assert.Greater(fields, 150);
            Assert.Greater(constants, 100);
        }

        [TestCase(typeof(ThetaEvent), typeof(theta_event))]
        [TestCase(typeof(SessionInfo), typeof(theta_session_info))]
        [TestCase(typeof(PeerInfo), typeof(theta_peer_info))]
        [TestCase(typeof(InviteInfo), typeof(theta_invite_info))]
        [TestCase(typeof(ThetaStatistics), typeof(theta_statistics))]
        [TestCase(typeof(WriteReport), typeof(theta_write_report))]
        [TestCase(typeof(FrameInfo), typeof(theta_frame_info))]
        [TestCase(typeof(EntityRow), typeof(theta_entity_row))]
        [TestCase(typeof(InputSample), typeof(theta_input))]
        [TestCase(typeof(Pose), typeof(theta_pose))]
        public void PublicRecordsLieOverTheirNativeStructs(Type record, Type native)
        {
            Assert.AreEqual(Marshal.SizeOf(native), Marshal.SizeOf(record));
            SortedDictionary<int, string> recordOffsets = Offsets(record);
            foreach (FieldInfo field in native.GetFields(Members))
            {
                if (field.Name == "reserved")
                {
                    continue;
                }
                int offset = (int)Marshal.OffsetOf(native, field.Name);
                Assert.IsTrue(recordOffsets.ContainsKey(offset), native.Name + "." + field.Name + " at " + offset);
                string left = recordOffsets[offset].TrimStart('_').ToLowerInvariant();
                string right = field.Name.Replace("_", string.Empty);
                bool same = left == right
                    || (left == "entity" && right == "entity")
                    || (left == "valuesnotanumber" && right == "valuesnan");
                Assert.IsTrue(same, native.Name + "." + field.Name + " lies under " + recordOffsets[offset]);
            }
        }

        private static SortedDictionary<int, string> Offsets(Type type)
        {
            SortedDictionary<int, string> offsets = new SortedDictionary<int, string>();
            foreach (FieldInfo field in type.GetFields(Members))
            {
                offsets[(int)Marshal.OffsetOf(type, field.Name)] = field.Name;
            }
            return offsets;
        }

        [TestCase(typeof(ThetaEventKind), "THETA_EVENT_", 18)]
        [TestCase(typeof(SessionState), "THETA_STATE_", 7)]
        [TestCase(typeof(ThetaRole), "THETA_ROLE_", 4)]
        [TestCase(typeof(ThetaBasis), "THETA_BASIS_", 3)]
        [TestCase(typeof(ThetaKind), "THETA_KIND_", 20)]
        [TestCase(typeof(ThetaAuthority), "THETA_AUTHORITY_", 3)]
        [TestCase(typeof(ThetaSemantic), "THETA_SEMANTIC_", 6)]
        [TestCase(typeof(SampleResult), "THETA_SAMPLE_", 4)]
        [TestCase(typeof(ThetaPredictor), "THETA_PREDICTOR_", 5)]
        [TestCase(typeof(ThetaDiff), "THETA_DIFF_", 2)]
        [TestCase(typeof(PoseFlags), "THETA_POSE_", 2)]
        [TestCase(typeof(ThetaStatus), "THETA_E_", 20)]
        public void EnumsHaveTheNumbersOfTheHeader(Type type, string prefix, int atLeast)
        {
            int found = 0;
            foreach (FieldInfo constant in typeof(NativeMethods).GetFields(BindingFlags.Static | BindingFlags.Public | BindingFlags.NonPublic))
            {
                if (!constant.IsLiteral || !constant.Name.StartsWith(prefix))
                {
                    continue;
                }
                found++;
                long value = Convert.ToInt64(constant.GetRawConstantValue());
                string name = constant.Name.Substring(prefix.Length).Replace("_", string.Empty);
                if (name == "NAN")
                {
                    name = "NOTANUMBER";
                }
                object member = Enum.Parse(type, name, true);
                Assert.AreEqual(value, Convert.ToInt64(member), constant.Name);
            }
            Assert.GreaterOrEqual(found, atLeast, prefix);
        }

        [Test]
        public void SuccessesAndFlagsHaveTheNumbersOfTheHeader()
        {
            Assert.AreEqual(NativeMethods.THETA_OK, (int)ThetaStatus.Ok);
            Assert.AreEqual(NativeMethods.THETA_NOTHING_NEW, (int)ThetaStatus.NothingNew);
            Assert.AreEqual(NativeMethods.THETA_TRUNCATED, (int)ThetaStatus.Truncated);
            Assert.AreEqual(NativeMethods.THETA_SOME_CLAMPED, (int)ThetaStatus.SomeClamped);
            Assert.AreEqual(NativeMethods.THETA_SOME_MISSING, (int)ThetaStatus.SomeMissing);
        }

        [Test]
        public void ImportsNeedNoMarshalling()
        {
            int imports = 0;
            foreach (MethodInfo method in typeof(NativeMethods).GetMethods(BindingFlags.Static | BindingFlags.Public | BindingFlags.NonPublic))
            {
                if ((method.Attributes & MethodAttributes.PinvokeImpl) == 0)
                {
                    continue;
                }
                imports++;
                RequireBlittable(method.Name, method.ReturnType);
                foreach (ParameterInfo parameter in method.GetParameters())
                {
                    RequireBlittable(method.Name + "." + parameter.Name, parameter.ParameterType);
                }
            }
            Assert.Greater(imports, 45);
        }

        private static void RequireBlittable(string where, Type type)
        {
            bool handle = type.IsValueType && type.Name.StartsWith("theta_") && Marshal.SizeOf(type) == 8;
            bool number = type.IsPrimitive && type != typeof(bool) && type != typeof(char);
            Assert.IsTrue(type.IsPointer || handle || number || type == typeof(void), where + " is " + type);
        }

        [Test]
        public void AMismatchTellsToRestart()
        {
            Assert.IsNull(AbiHandshake.Describe(1, 1));
            string sentence = AbiHandshake.Describe(2, 1);
            StringAssert.Contains("ABI 2", sentence);
            StringAssert.Contains("ABI 1", sentence);
            StringAssert.Contains("restart the Editor", sentence);
        }

        [Test]
        public void NothingOfInteropIsPublic()
        {
            foreach (Type type in typeof(NativeMethods).Assembly.GetTypes())
            {
                Assert.IsFalse(type.IsPublic, type.FullName);
            }
        }
    }
}
