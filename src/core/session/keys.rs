//! Keys and what they sign: the transcript of a handshake, certificates, tickets, refusals.
//!
//! Every signature starts with its own `theta/1 <purpose>\0` prefix and names the document, directly or inside the
//! transcript, so a signature made for one purpose is worth nothing for another. A [`Purpose`] is a type that says which
//! kind of key it belongs to: a host's key cannot even be asked for a ticket. Signing and checking stand here and nowhere
//! else; the machines only say what is to be proved.

use core::marker::PhantomData;

use ed25519_dalek::{Signer, SigningKey, VerifyingKey};
use sha2::{Digest, Sha256};

use super::io::Binding;
use crate::wire::message::{HostCertificate, Refusal};

/// An Ed25519 public key, 32 bytes.
pub type PublicKey = [u8; 32];
/// An Ed25519 signature, 64 bytes.
pub type Signature = [u8; 64];
/// The document a session is about: SHA-256 of its genesis.
pub type DocumentId = [u8; 32];

/// Kinds of keys: what one may sign is in its type.
pub mod kind {
    /// A person or service.
    #[derive(Clone, Copy, Debug)]
    pub enum Person {}
    /// A host, in one term.
    #[derive(Clone, Copy, Debug)]
    pub enum Host {}
    /// Founds documents, certifies hosts, signs tickets.
    #[derive(Clone, Copy, Debug)]
    pub enum Admin {}
}

/// Who one is: the key of a person or service.
pub type Identity = Key<kind::Person>;
/// The key of a host: acknowledgements and refusals.
pub type HostKey = Key<kind::Host>;
/// The key of a document's authority: genesis, host certificates, member tickets.
pub type AdminKey = Key<kind::Admin>;

/// What a signature is for. Implemented by types without values.
pub trait Purpose {
    /// The kind of key that signs it.
    type Signer;
    /// What stands in front of everything signed for it: `theta/1 <purpose>`, and a zero byte.
    const PREFIX: &'static [u8];
}

/// The host's proof over the transcript.
#[derive(Clone, Copy, Debug)]
pub enum ServerAcknowledge {}

impl Purpose for ServerAcknowledge {
    type Signer = kind::Host;
    const PREFIX: &'static [u8] = b"theta/1 server-ack\0";
}

/// The client's proof over the transcript and the host's signature.
#[derive(Clone, Copy, Debug)]
pub enum ClientProof {}

impl Purpose for ClientProof {
    type Signer = kind::Person;
    const PREFIX: &'static [u8] = b"theta/1 client-proof\0";
}

/// A document's genesis.
#[derive(Clone, Copy, Debug)]
pub enum Founding {}

impl Purpose for Founding {
    type Signer = kind::Admin;
    const PREFIX: &'static [u8] = b"theta/1 genesis\0";
}

/// That a key may host a document in a term.
#[derive(Clone, Copy, Debug)]
pub enum HostCertification {}

impl Purpose for HostCertification {
    type Signer = kind::Admin;
    const PREFIX: &'static [u8] = b"theta/1 host-certificate\0";
}

/// That a key may enter a document.
#[derive(Clone, Copy, Debug)]
pub enum Membership {}

impl Purpose for Membership {
    type Signer = kind::Admin;
    const PREFIX: &'static [u8] = b"theta/1 member-ticket\0";
}

/// Why a message was not acted on.
#[derive(Clone, Copy, Debug)]
pub enum Refusing {}

impl Purpose for Refusing {
    type Signer = kind::Host;
    const PREFIX: &'static [u8] = b"theta/1 refusal\0";
}

/// What is signed: a purpose's prefix and what follows it.
#[derive(Clone, PartialEq, Eq)]
pub struct Statement<P: Purpose> {
    bytes: Vec<u8>,
    purpose: PhantomData<fn() -> P>,
}

impl<P: Purpose> Statement<P> {
    /// The prefix, then these parts.
    #[must_use]
    pub fn over(parts: &[&[u8]]) -> Self {
        let mut bytes = P::PREFIX.to_vec();
        for part in parts {
            bytes.extend_from_slice(part);
        }
        Self { bytes, purpose: PhantomData }
    }

    /// As the wire room spells it, with the prefix.
    fn spelled(bytes: Vec<u8>) -> Self {
        debug_assert!(bytes.starts_with(P::PREFIX), "a statement begins with its purpose");
        Self { bytes, purpose: PhantomData }
    }

    /// The bytes that are signed.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

impl<P: Purpose> core::fmt::Debug for Statement<P> {
    fn fmt(&self, out: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        out.debug_struct("Statement").field("bytes", &self.bytes.len()).finish_non_exhaustive()
    }
}

/// A private key of a kind. Made from a seed that the application keeps; the core has no random source.
pub struct Key<K> {
    key: SigningKey,
    kind: PhantomData<fn() -> K>,
}

impl<K> Clone for Key<K> {
    fn clone(&self) -> Self {
        Self { key: self.key.clone(), kind: PhantomData }
    }
}

impl<K> Key<K> {
    /// The key whose RFC 8032 secret seed is these 32 bytes.
    #[must_use]
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        Self { key: SigningKey::from_bytes(seed), kind: PhantomData }
    }

    /// The public half.
    #[must_use]
    pub fn public_key(&self) -> PublicKey {
        self.key.verifying_key().to_bytes()
    }

    /// Signs a statement of a purpose that belongs to this kind of key.
    ///
    /// ```compile_fail
    /// use theta_core::session::keys::{Identity, server_statement};
    /// let person = Identity::from_seed(&[1; 32]);
    /// person.sign(&server_statement(&[0; 32])); // a person does not acknowledge
    /// ```
    #[must_use]
    pub fn sign<P: Purpose<Signer = K>>(&self, statement: &Statement<P>) -> Signature {
        self.key.sign(&statement.bytes).to_bytes()
    }
}

impl<K> core::fmt::Debug for Key<K> {
    fn fmt(&self, out: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        // The seed must never reach a log.
        out.debug_struct("Key").field("public_key", &self.public_key()).finish_non_exhaustive()
    }
}

/// True when `signature` over `statement` is `key`'s.
///
/// Strict (RFC 8032 with canonical encodings, no small-order keys): two implementations must never disagree about
/// who is who.
#[must_use]
pub fn verify<P: Purpose>(key: &PublicKey, statement: &Statement<P>, signature: &Signature) -> bool {
    let Ok(key) = VerifyingKey::from_bytes(key) else { return false };
    let signature = ed25519_dalek::Signature::from_bytes(signature);
    !key.is_weak() && key.verify_strict(&statement.bytes, &signature).is_ok()
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
pub fn server_statement(transcript: &[u8; 32]) -> Statement<ServerAcknowledge> {
    Statement::over(&[transcript])
}

/// What the client signs to prove its key on this channel: the transcript together with the host's signature over it.
#[must_use]
pub fn client_statement(transcript: &[u8; 32], server_signature: &Signature) -> Statement<ClientProof> {
    let mut hash = Sha256::new();
    hash.update(transcript);
    hash.update(server_signature);
    Statement::over(&[&hash.finalize()])
}

/// What an authority signs in a host's certificate.
#[must_use]
pub fn certificate_statement(certificate: &HostCertificate) -> Statement<HostCertification> {
    Statement::spelled(certificate.signed_bytes())
}

/// What a host signs in a refusal.
#[must_use]
pub fn refusal_statement(refusal: &Refusal, session_id: &[u8; 16]) -> Statement<Refusing> {
    Statement::spelled(refusal.signed_bytes(session_id))
}

/// SHA-256 of anything, as ids are made.
#[must_use]
pub fn sha256(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

/// An authority's statement that `host_key` may host `document` in `term`.
#[must_use]
pub fn certify_host(
    authority: &AdminKey,
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
    certificate.signature = authority.sign(&certificate_statement(&certificate));
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
        let host = HostKey::from_seed(&[7; 32]);
        let signature = host.sign(&server_statement(&[1; 32]));
        assert!(verify(&host.public_key(), &server_statement(&[1; 32]), &signature));
        assert!(!verify(&host.public_key(), &server_statement(&[2; 32]), &signature));
        assert!(!verify(&host.public_key(), &Statement::<ClientProof>::over(&[&[1; 32]]), &signature));
    }

    #[test]
    fn a_weak_key_proves_nothing() {
        // The identity point: with it, any message has a trivially valid signature under lax checking.
        let mut weak = [0; 32];
        weak[0] = 1;
        let mut signature = [0; 64];
        signature[0] = 1;
        assert!(!verify(&weak, &server_statement(&[0; 32]), &signature));
    }

    #[test]
    fn purposes_have_prefixes_of_their_own() {
        let all = [
            ServerAcknowledge::PREFIX,
            ClientProof::PREFIX,
            Founding::PREFIX,
            HostCertification::PREFIX,
            Membership::PREFIX,
            Refusing::PREFIX,
        ];
        for (at, prefix) in all.iter().enumerate() {
            assert!(prefix.starts_with(b"theta/1 ") && prefix.ends_with(b"\0"));
            // None begins another, so no statement of one can be read as one of the other.
            assert!(all.iter().enumerate().all(|(other, text)| other == at || !text.starts_with(prefix)));
        }
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
