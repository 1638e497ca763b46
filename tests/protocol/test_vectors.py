"""The second decoder agrees with every vector. Run: python3 tests/protocol/test_vectors.py"""

import hashlib
import json
import pathlib
import random
import sys
import unittest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
import ed25519  # noqa: E402
import manifest  # noqa: E402
import packed_input  # noqa: E402
import theta_decode as theta  # noqa: E402
import zstandard_frame  # noqa: E402

VECTORS = HERE.parent / "vectors" / "wire"


def vectors(name):
    return json.loads((VECTORS / f"{name}.json").read_text(encoding="utf-8"))


class Agreement(unittest.TestCase):
    """What the vectors say is what is read."""

    def agree(self, name, decode):
        listed = vectors(name)
        self.assertTrue(listed)
        for vector in listed:
            with self.subTest(vector["name"]):
                self.assertEqual(decode(vector, bytes.fromhex(vector["hex"])), vector["value"])

    def test_messages(self):
        def decode(vector, body):
            number = vector["value"]["type"]
            return {"type": number, "message": theta.decode_message(number, body)}

        self.agree("messages", decode)

    def test_cores(self):
        self.agree("cores", lambda _, core: theta.decode_core(core))

    def test_manifests(self):
        self.agree("manifests", lambda _, data: manifest.decode_manifest(data))

    def test_packets(self):
        self.agree("packets", lambda _, packet: theta.decode_packet(packet))

    def test_prefaces(self):
        self.agree("prefaces", lambda _, preface: theta.decode_preface(preface))

    def test_bits(self):
        def decode(vector, data):
            reader, steps = theta.BitReader(data), []
            for kind, _, bits in vector["value"]:
                if kind == "put":
                    value = reader.get(bits)
                elif kind == "varint":
                    value = reader.varint()
                elif kind == "zigzag":
                    value = reader.zigzag(bits)
                else:
                    reader.align()
                    value = 0
                steps.append([kind, value, bits])
            reader.finish()
            return steps

        self.agree("bits", decode)


class Input(unittest.TestCase):
    """Packed input, number by number; rotations to the last bit but one, as square roots are."""

    HEAD = ("input_tick", "sampled_at_us", "display_after_us")

    def test_inputs(self):
        for vector in vectors("input"):
            with self.subTest(vector["name"]):
                value = vector["value"]
                head = [value[name] for name in self.HEAD]
                read = packed_input.decode_input(bytes.fromhex(vector["hex"]), *head)
                self.assertEqual(len(read), len(value["samples"]))
                for sample, expected in zip(read, value["samples"]):
                    for pose, golden in zip(sample["poses"], expected["poses"]):
                        for part, number in zip(pose["rotation"], golden["rotation"]):
                            self.assertAlmostEqual(part, number, delta=1e-7)
                        self.assertEqual({**pose, "rotation": 0}, {**golden, "rotation": 0})
                    self.assertEqual({**sample, "poses": 0}, {**expected, "poses": 0})


def compressed_vector():
    lines = (VECTORS.parent / "compressed_envelope.hex").read_text(encoding="utf-8").splitlines()
    packet, body = (bytes.fromhex(line) for line in lines if line and not line.startswith("#"))
    return packet, body


DICTIONARY = HERE.parent.parent / "src" / "compression" / "dictionary.bin"


@unittest.skipIf(zstandard_frame.decompress is None, "this Python has no zstd, and the system no libzstd")
class Compressed(unittest.TestCase):
    """The compressed packet opens to the body beside it, and nothing that is not it does."""

    @staticmethod
    def unpack(frame, size):
        return zstandard_frame.decompress(frame, DICTIONARY.read_bytes(), size)

    def test_opens(self):
        packet, body = compressed_vector()
        header, opened = theta.open_packet(packet, self.unpack)
        self.assertEqual(opened, body)
        self.assertEqual((header["sequence"], header["epoch"], header["schema"]), (7, 2, 0xBEEF))
        self.assertTrue(theta.decode_packet(packet, self.unpack)["messages"])
        with self.assertRaises(theta.ProtocolError):
            theta.open_packet(packet)

    def test_hostile(self):
        packet, body = compressed_vector()
        for at in range(16, len(packet)):
            changed = bytearray(packet)
            changed[at] ^= 1 << at % 8
            changed[4:8] = bytes(4)
            changed[4:8] = theta.zlib.crc32(bytes(changed)).to_bytes(4, "little")
            try:
                _, opened = theta.open_packet(bytes(changed), self.unpack)
            except theta.ProtocolError:
                continue
            self.assertEqual(len(opened), int.from_bytes(changed[16:18], "little"))
            self.assertNotEqual(opened, body)


class Handshake(unittest.TestCase):
    """The transcript and every signature over it, from the page's words."""

    def test_handshakes(self):
        for vector in vectors("handshake"):
            with self.subTest(vector["name"]):
                part = {key: bytes.fromhex(value) for key, value in vector["value"].items() if isinstance(value, str)}
                t = theta.transcript(part["hello"], part["core"], vector["value"]["binding_kind"], part["binding"])
                self.assertEqual(t, part["transcript"])
                core = theta.decode_core(part["core"])
                hello = theta.decode_message(1, part["hello"])["SessionHello"]
                certificate = core["certificate"]
                host_key, client_key = bytes.fromhex(core["host_key"]), bytes.fromhex(hello["client_key"])
                client_statement = theta.client_statement(t, part["server_signature"])
                signed = [
                    (host_key, theta.server_statement(t), part["server_signature"]),
                    (client_key, client_statement, part["client_signature"]),
                    (
                        bytes.fromhex(certificate["authority_key"]),
                        theta.certificate_statement(certificate),
                        bytes.fromhex(certificate["signature"]),
                    ),
                ]
                record, statement = theta.genesis(bytes.fromhex(core["genesis"]))
                self.assertEqual(hashlib.sha256(bytes.fromhex(core["genesis"])).hexdigest(), core["document_id"])
                self.assertEqual(record["founder"], certificate["authority_key"])
                self.assertIn(core["host_key"], record["hosts"])
                signed.append((bytes.fromhex(record["founder"]), statement, bytes.fromhex(record["signature"])))
                ticket, statement = theta.member_ticket(part["member_ticket"])
                self.assertEqual(ticket["client_key"], hello["client_key"])
                self.assertEqual(ticket["document_id"], core["document_id"])
                authority = bytes.fromhex(ticket["authority_key"])
                signed.append((authority, statement, bytes.fromhex(ticket["signature"])))
                proof = theta.invite_proof(part["invite"][16:], t)
                self.assertEqual(part["invite"][:16] + proof, part["invite_proof"])
                refusal = theta.decode_message(16, part["refusal"])["SessionControl"]["Refusal"]
                statement = theta.refusal_statement(bytes.fromhex(core["session_id"]), refusal)
                signed.append((host_key, statement, bytes.fromhex(refusal["signature"])))
                for key, statement, signature in signed:
                    self.assertTrue(ed25519.verify(key, statement, signature))
                    self.assertFalse(ed25519.verify(key, statement + b"\0", signature))
                    self.assertFalse(ed25519.verify(key, statement, signature[:63] + b"\xff"))


class Admission(unittest.TestCase):
    """What a host's application keeps of who may come in."""

    def test_states(self):
        for vector in vectors("admission"):
            with self.subTest(vector["name"]):
                data = bytes.fromhex(vector["hex"])
                self.assertEqual(theta.admission_state(data), vector["value"])
                for length in range(len(data)):
                    with self.assertRaises(theta.ProtocolError):
                        theta.admission_state(data[:length])


class Hostile(unittest.TestCase):
    """Changed bytes are a ProtocolError or a value, never another exception."""

    def torment(self, decode, data, seed):
        for length in range(len(data)):
            self.attempt(decode, data[:length])
        rng = random.Random(seed)
        for _ in range(200):
            changed = bytearray(data)
            changed[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
            self.attempt(decode, bytes(changed))

    def attempt(self, decode, data):
        try:
            decode(data)
        except theta.ProtocolError:
            return False
        return True

    def test_messages(self):
        for seed, vector in enumerate(vectors("messages")):
            number = vector["value"]["type"]
            with self.subTest(vector["name"]):
                self.torment(lambda body: theta.decode_message(number, body), bytes.fromhex(vector["hex"]), seed)

    def test_cores(self):
        for seed, vector in enumerate(vectors("cores")):
            with self.subTest(vector["name"]):
                self.torment(theta.decode_core, bytes.fromhex(vector["hex"]), seed)

    def test_inputs(self):
        for seed, vector in enumerate(vectors("input")):
            head = [vector["value"][name] for name in Input.HEAD]
            with self.subTest(vector["name"]):
                data = bytes.fromhex(vector["hex"])
                self.torment(lambda payload: packed_input.decode_input(payload, *head), data, seed)

    def test_manifests(self):
        for seed, vector in enumerate(vectors("manifests")):
            with self.subTest(vector["name"]):
                self.torment(manifest.decode_manifest, bytes.fromhex(vector["hex"]), seed)

    def test_packets(self):
        for vector in vectors("packets"):
            packet = bytes.fromhex(vector["hex"])
            with self.subTest(vector["name"]):
                for bit in range(len(packet) * 8):
                    changed = bytearray(packet)
                    changed[bit // 8] ^= 1 << bit % 8
                    self.assertFalse(self.attempt(theta.decode_packet, bytes(changed)), f"bit {bit}")


class Completeness(unittest.TestCase):
    """The vectors show every message type, and the decoder knows no enum value that they never show."""

    def test_every_type(self):
        seen = {vector["value"]["type"] for vector in vectors("messages")}
        self.assertEqual(seen, set(theta.ENUMS["MessageType"]))

    def test_every_name(self):
        text = "".join((VECTORS / f"{name}.json").read_text(encoding="utf-8") for name in ("messages", "cores"))
        missing = [
            f"{enum}.{name}"
            for enum, values in theta.ENUMS.items()
            for name in values.values()
            if f'"{name}"' not in text
        ]
        self.assertEqual(missing, [])


if __name__ == "__main__":
    suite = unittest.defaultTestLoader.loadTestsFromModule(sys.modules["__main__"])
    result = unittest.TextTestRunner(verbosity=1).run(suite)
    # A test with several failing vectors is one failed test.
    failed = len({getattr(test, "test_case", test).id() for test, _ in result.failures + result.errors})
    for test, reason in result.skipped:
        print(f"not run: {test}: {reason}")
    print(f"{result.testsRun - failed - len(result.skipped)} passed, {failed} failed")
    sys.exit(0 if result.wasSuccessful() else 1)
