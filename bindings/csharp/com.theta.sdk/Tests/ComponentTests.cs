// Descriptions: layout rules, attributes against builder, what is refused. None of these loads the library.
using System;
using System.Runtime.InteropServices;
using System.Text;
using NUnit.Framework;

namespace Theta.Tests
{
    [TestFixture]
    public class ComponentTests
    {
        [TestCase("Position", "position")]
        [TestCase("LinearVelocity", "linear_velocity")]
        [TestCase("linear_velocity", "linear_velocity")]
        [TestCase("motionTimeUs", "motion_time_us")]
        [TestCase("RTTValue", "rtt_value")]
        [TestCase("_hidden", "hidden")]
        [TestCase("I8", "i8")]
        public void FieldNamesBecomeSnakeCase(string field, string wire)
        {
            Assert.AreEqual(wire, ComponentReflection.SnakeCase(field));
        }

        [Test]
        public void TheBuilderLaysOutLikeTheCompiler()
        {
            ComponentBuilder reflected = ComponentReflection.Describe(typeof(AllKinds));
            ComponentBuilder built = new ComponentBuilder("test.all_kinds")
                .Integer(1, "i8", ThetaKind.I8, -100, 100)
                .Integer(2, "i16", ThetaKind.I16, -30000, 30000)
                .Integer(3, "i32", ThetaKind.I32, -1000000, 1000000)
                .Integer(4, "i64", ThetaKind.I64, -1e12, 1e12)
                .Integer(5, "u8", ThetaKind.U8, 0, 200)
                .Integer(6, "u16", ThetaKind.U16, 0, 60000)
                .Integer(7, "u32", ThetaKind.U32, 0, 4000000000)
                .Integer(8, "u64", ThetaKind.U64, 0, 1e15)
                .Flags(9, "flags", 12)
                .F32(10, "f32", -10, 10, 0.001)
                .F64(11, "f64", -1e6, 1e6, 0.0001)
                .Vec2(12, "v2", -8, 8, 0.01)
                .Vec3(13, "v3", -8, 8, 0.01, ThetaSemantic.Point)
                .Vec4(14, "v4", -8, 8, 0.01)
                .DVec3(15, "d3", -1e6, 1e6, 0.001)
                .Quat(16, "q", 14)
                .Entity(17, "target")
                .String(18, "label", 32)
                .Bytes(19, "blob", 64)
                .List(20, "floats", ThetaKind.F32, 6, -100, 100, 0.5)
                .List(21, "longs", ThetaKind.I64, 3, -1000, 1000);
            Assert.AreEqual(Marshal.SizeOf(typeof(AllKinds)), built.SizeBytes);
            Assert.AreEqual(built.Fields.Count, reflected.Fields.Count);
            for (int i = 0; i < built.Fields.Count; i++)
            {
                Assert.AreEqual(built.Fields[i].Id, reflected.Fields[i].Id);
                Assert.AreEqual(built.Fields[i].Name, reflected.Fields[i].Name);
                Assert.AreEqual(built.Fields[i].Kind, reflected.Fields[i].Kind);
                Assert.AreEqual(built.Fields[i].Element, reflected.Fields[i].Element);
                Assert.AreEqual(built.Fields[i].Offset, reflected.Fields[i].Offset, built.Fields[i].Name);
                Assert.AreEqual(built.Fields[i].Size, reflected.Fields[i].Size);
                Assert.AreEqual(built.Fields[i].Bits, reflected.Fields[i].Bits);
                Assert.AreEqual(built.Fields[i].MaxLength, reflected.Fields[i].MaxLength);
                Assert.AreEqual(built.Fields[i].Min, reflected.Fields[i].Min);
                Assert.AreEqual(built.Fields[i].Max, reflected.Fields[i].Max);
                Assert.AreEqual(built.Fields[i].Step, reflected.Fields[i].Step);
                Assert.AreEqual(built.Fields[i].Semantic, reflected.Fields[i].Semantic);
            }
        }

        [Test]
        public void DemoStructsHaveTheDocumentedOffsets()
        {
            Assert.AreEqual(40, Marshal.SizeOf(typeof(DemoCube)));
            Assert.AreEqual(96, Marshal.SizeOf(typeof(DemoAvatar)));
            ComponentBuilder avatar = DemoBuilders.Avatar();
            Assert.AreEqual(96, avatar.SizeBytes);
            Assert.AreEqual(88, avatar.Fields[6].Offset);
            Assert.AreEqual(28, DemoBuilders.Cube().Fields[2].Offset);
        }

        [Test]
        public void SkipAndAtMoveFields()
        {
            ComponentBuilder builder = new ComponentBuilder("test.skip")
                .Integer(1, "a", ThetaKind.U8)
                .Skip(8, 8)
                .Integer(2, "b", ThetaKind.U16)
                .F32(3, "c", 0, 1, 0.1).At(40);
            Assert.AreEqual(16, builder.Fields[1].Offset);
            Assert.AreEqual(40, builder.Fields[2].Offset);
            Assert.AreEqual(48, builder.SizeBytes);
        }

        private struct NoAttribute
        {
            public int A;
        }

        [ThetaComponent("test.bad")]
        private struct BadField
        {
            [ThetaField(1)] public decimal A;
        }

        [ThetaComponent("test.wide")]
        private struct WideFlags
        {
            [ThetaField(1, Kind = ThetaKind.Flags, Bits = 40)] public uint A;
        }

        // For the marshaller as large as in memory, but with B elsewhere: a bool has four bytes for it, in memory one.
        [ThetaComponent("test.local_bool")]
        private struct LocalBool
        {
            public bool A;
            [ThetaField(1)] public byte B;
            public short C;
            public double D;
        }

        private struct Inner
        {
            public char Letter;
        }

        [ThetaComponent("test.nested_char")]
        private struct NestedChar
        {
            public Inner Local;
            [ThetaField(1)] public int B;
        }

        [ThetaComponent("test.text")]
        private struct ManagedText
        {
            public string Local;
            [ThetaField(1)] public int B;
        }

        [Test]
        public void StructsThatTheMarshallerSeesOtherwiseAreRefusedWithTheField()
        {
            Assert.AreEqual(16, Marshal.SizeOf(typeof(LocalBool)));
            Assert.AreEqual(16, ThetaRegistry.ManagedSize<LocalBool>());
            StringAssert.Contains("LocalBool.A", Refusal(typeof(LocalBool)));
            StringAssert.Contains("NestedChar.Local.Letter", Refusal(typeof(NestedChar)));
            StringAssert.Contains("ManagedText.Local", Refusal(typeof(ManagedText)));
        }

        [Test]
        public void WrongStructsAreRefusedWithTheirName()
        {
            StringAssert.Contains("NoAttribute", Refusal(typeof(NoAttribute)));
            StringAssert.Contains("BadField.A", Refusal(typeof(BadField)));
            StringAssert.Contains("WideFlags.A", Refusal(typeof(WideFlags)));
        }

        private static string Refusal(Type type)
        {
            return Assert.Throws<ArgumentException>(delegate { ComponentReflection.Describe(type); }).Message;
        }

        [Test]
        public void WrongDescriptionsAreRefused()
        {
            Assert.Throws<ArgumentException>(delegate { new ComponentBuilder(""); });
            Assert.Throws<ArgumentException>(delegate { new ComponentBuilder("a").Integer(0, "x", ThetaKind.I8); });
            Assert.Throws<ArgumentException>(delegate { new ComponentBuilder("a").Integer(1, "x", ThetaKind.F32); });
            Assert.Throws<ArgumentException>(delegate { new ComponentBuilder("a").Flags(1, "x", 65); });
            Assert.Throws<ArgumentException>(delegate { new ComponentBuilder("a").String(1, "x", 0); });
            Assert.Throws<ArgumentException>(delegate { new ComponentBuilder("a").List(1, "x", ThetaKind.Vec3, 4); });
            Assert.Throws<InvalidOperationException>(delegate { new ComponentBuilder("a").At(4); });
        }

        [Test]
        public void InlineTextIsCutAtACharacter()
        {
            Assert.AreEqual("", new Text32(null).ToString());
            Assert.AreEqual("Grüße", new Text32("Grüße").ToString());
            // 31 bytes and a character of two: it does not fit any more.
            string text = new string('a', 31) + "ü";
            Text32 cut = new Text32(text);
            Assert.AreEqual(new string('a', 31), cut.ToString());
            Assert.AreEqual(31u, cut.Length);
            // A surrogate pair of four bytes is taken whole or not at all.
            Assert.AreEqual(new string('a', 30), new Text32(new string('a', 30) + "\U0001F600").ToString());
            Assert.AreEqual(new string('a', 28) + "\U0001F600", new Text32(new string('a', 28) + "\U0001F600").ToString());
        }

        [Test]
        public void TextOfAnyLengthIsCutAtOnce()
        {
            // Byte by byte from its end this would take hours.
            string text = new string('a', 4000000);
            System.Diagnostics.Stopwatch clock = System.Diagnostics.Stopwatch.StartNew();
            Assert.AreEqual(new string('a', 128), new Text128(text).ToString());
            Assert.AreEqual(new string('a', 31), new Text32(new string('a', 31) + "\U0001F600" + text).ToString());
            Assert.Less(clock.ElapsedMilliseconds, 5000);
        }

        [Test]
        public void BlobsGiveBackWhatTheyGot()
        {
            byte[] bytes = Encoding.ASCII.GetBytes("0123456789");
            Blob64 blob = new Blob64(bytes);
            byte[] back = new byte[64];
            Assert.AreEqual(10, blob.CopyTo(back));
            Assert.AreEqual((byte)'9', back[9]);
            Assert.AreEqual(4, blob.CopyTo(new byte[4]));
            Assert.Throws<ArgumentOutOfRangeException>(delegate { new Blob64(new byte[65]); });
        }

        [Test]
        public void InputAxesAndTail()
        {
            InputSample input = default(InputSample);
            input.SetAxis(7, 0.5f);
            Assert.AreEqual(0.5f, input.GetAxis(7));
            Assert.AreEqual(0f, input.GetAxis(0));
            input.SetTail(new byte[] { 1, 2, 3 });
            byte[] tail = new byte[64];
            Assert.AreEqual(3, input.GetTail(tail));
            Assert.AreEqual(3, tail[2]);
            InputSample copy = input;
            Assert.Throws<ArgumentOutOfRangeException>(delegate { copy.SetAxis(8, 0); });
            Assert.Throws<ArgumentOutOfRangeException>(delegate { copy.SetTail(new byte[65]); });
        }

        [Test]
        public void EntityIdsShowIndexAndGeneration()
        {
            Assert.AreEqual("none", EntityId.None.ToString());
            Assert.AreEqual("7v3", new EntityId((3UL << 32) | 7).ToString());
            Assert.IsTrue(new EntityId(5) == new EntityId(5));
            Assert.IsTrue(new EntityId(5) != new EntityId(6));
        }
    }
}
