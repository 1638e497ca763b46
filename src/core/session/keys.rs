//! Keys and what they sign: the transcript of a handshake, certificates, tickets, refusals.
//!
//! Every signature starts with its own `theta/1 <purpose>\0` prefix and names the document, directly or inside the
//! transcript, so a signature made for one purpose is worth nothing for another. Signing and checking stand here
//! and nowhere else; the machines only say what is to be proved.

use ed25519_dalek::{Signer, SigningKey, VerifyingKey};
use sha2::{Digest, Sha256};

use super::io::Binding;
use crate::wire::message::HostCertificate;

/// An Ed25519 public key, 32 bytes.
pub type PublicKey = [u8; 32];
/// An Ed25519 signature, 64 bytes.
pub type Signature = [u8; 64];
/// The document a session is about: SHA-256 of its genesis.
pub type DocumentId = [u8; 32];

/// What is in front of the host's proof over the transcript.
const SERVER_ACKNOWLEDGE: &[u8] = b"theta/1 server-ack\0";
/// What is in front of the client's proof over the transcript and the host's signature.
const CLIENT_PROOF: &[u8] = b"theta/1 client-proof\0";

/// A private key. Made from a seed that the application keeps; the core has no random source.
#[derive(Clone)]
pub struct Identity {
    key: SigningKey,
}

impl Identity {
    /// The key whose RFC 8032 secret seed is these 32 bytes.
    #[must_use]
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        Self { key: SigningKey::from_bytes(seed) }
    }

    /// The public half.
    #[must_use]
    pub fn public_key(&self) -> PublicKey {
        self.key.verifying_key().to_bytes()
    }

    /// Signs a statement: a purpose prefix and what follows it.
    #[must_use]
    pub fn sign(&self, statement: &[u8]) -> Signature {
        debug_assert!(statement.starts_with(b"theta/1 "), "a statement names its purpose");
        self.key.sign(statement).to_bytes()
    }
}

impl core::fmt::Debug for Identity {
    fn fmt(&self, out: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        // The seed must never reach a log.
        out.debug_struct("Identity").field("public_key", &self.public_key()).finish_non_exhaustive()
    }
}

/// True when `signature` over `statement` is `key`'s.
///
/// Strict (RFC 8032 with canonical encodings, no small-order keys): two implementations must never disagree about
/// who is who.
#[must_use]
pub fn verify(key: &PublicKey, statement: &[u8], signature: &Signature) -> bool {
    let Ok(key) = VerifyingKey::from_bytes(key) else { return false };
    let signature = ed25519_dalek::Signature::from_bytes(signature);
    !key.is_weak() && key.verify_strict(statement, &signature).is_ok()
}

/// The transcript hash T of a handshake, over the bytes as they crossed the wire (never re-encoded) and the channel
/// that carried them. Whoever sees other bytes or another channel computes another T.
#[must_use]
pub fn transcript(hello: &[u8], core: &[u8], binding: &Binding) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(b"theta/1 transcript\0");
    hash.update((hello.len() as u32).to_le_bytes());
    hash.update(hello);
    hash.update((core.len() as u32).to_le_bytes());
    hash.update(core);
    hash.update([binding.kind as u8]);
    hash.update((binding.bytes.len() as u16).to_le_bytes());
    hash.update(binding.bytes);
    hash.finalize().into()
}

/// What the host signs to prove its key on this channel.
#[must_use]
pub fn server_statement(transcript: &[u8; 32]) -> Vec<u8> {
    [SERVER_ACKNOWLEDGE, transcript].concat()
}

/// What the client signs to prove its key on this channel: the transcript together with the host's signature over it.
#[must_use]
pub fn client_statement(transcript: &[u8; 32], server_signature: &Signature) -> Vec<u8> {
    let mut hash = Sha256::new();
    hash.update(transcript);
    hash.update(server_signature);
    [CLIENT_PROOF, &hash.finalize()].concat()
}

/// SHA-256 of anything, as ids are made.
#[must_use]
pub fn sha256(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

/// An authority's statement that `host_key` may host `document` in `term`.
#[must_use]
pub fn certify_host(
    authority: &Identity,
    document: DocumentId,
    host_key: PublicKey,
    term: u32,
) -> HostCertificate {
    let mut certificate = HostCertificate {
        document_id: document,
        host_key,
        authority_key: authority.public_key(),
        term,
        signature: [0; 64],
    };
    certificate.signature = authority.sign(&certificate.signed_bytes());
    certificate
}

/// Draws bytes that nobody else can guess from one secret seed: SHA-256 in counter mode. The seed comes from the
/// driver, so the simulator's runs repeat and a real session's do not.
#[derive(Clone)]
pub struct Entropy {
    seed: [u8; 32],
    counter: u64,
}

impl Entropy {
    /// A source that repeats for the same seed.
    #[must_use]
    pub const fn new(seed: [u8; 32]) -> Self {
        Self { seed, counter: 0 }
    }

    /// The next 32 bytes.
    pub fn draw(&mut self) -> [u8; 32] {
        let mut hash = Sha256::new();
        hash.update(b"theta/1 entropy\0");
        hash.update(self.seed);
        hash.update(self.counter.to_le_bytes());
        self.counter += 1;
        hash.finalize().into()
    }
}

impl core::fmt::Debug for Entropy {
    fn fmt(&self, out: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        out.debug_struct("Entropy").field("drawn", &self.counter).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::message::BindingKind;

    #[test]
    fn a_signature_serves_one_purpose() {
        let identity = Identity::from_seed(&[7; 32]);
        let signature = identity.sign(&server_statement(&[1; 32]));
        assert!(verify(&identity.public_key(), &server_statement(&[1; 32]), &signature));
        assert!(!verify(&identity.public_key(), &server_statement(&[2; 32]), &signature));
        assert!(!verify(&identity.public_key(), &[CLIENT_PROOF, &[1; 32]].concat(), &signature));
    }

    #[test]
    fn a_weak_key_proves_nothing() {
        // The identity point: with it, any message has a trivially valid signature under lax checking.
        let mut weak = [0; 32];
        weak[0] = 1;
        let mut signature = [0; 64];
        signature[0] = 1;
        assert!(!verify(&weak, b"theta/1 x", &signature));
    }

    #[test]
    fn the_transcript_covers_every_part() {
        let binding = Binding { kind: BindingKind::Memory, bytes: [1; 32] };
        let whole = transcript(b"hello", b"core", &binding);
        assert_ne!(whole, transcript(b"hellp", b"core", &binding));
        assert_ne!(whole, transcript(b"hello", b"cor3", &binding));
        assert_ne!(whole, transcript(b"hell", b"ocore", &binding));
        assert_ne!(whole, transcript(b"hello", b"core", &Binding { bytes: [2; 32], ..binding }));
        assert_ne!(
            whole,
            transcript(b"hello", b"core", &Binding { kind: BindingKind::TlsExporter, ..binding })
        );
    }

    #[test]
    fn entropy_repeats_by_seed_and_never_within() {
        let (mut a, mut b) = (Entropy::new([3; 32]), Entropy::new([3; 32]));
        let first = a.draw();
        assert_eq!(first, b.draw());
        assert_ne!(first, a.draw());
        assert_ne!(first, Entropy::new([4; 32]).draw());
    }
}
