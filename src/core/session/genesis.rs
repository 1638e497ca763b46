//! The genesis record: what a document is, signed by its founder. The document's id is the record's hash, so whoever
//! knows the id can check who founded it, who may host it and whether its payloads are for members only, from whatever
//! host it meets. Nothing here keeps state; called by the handshake and by who founds a document.

use std::collections::BTreeSet;

use super::keys::{AdminKey, DocumentId, Founding, PublicKey, Signature, Statement, sha256, verify};
use crate::wire::limits::{MAX_GENESIS_BYTES, MAX_GENESIS_KEYS, MAX_GENESIS_POLICY_BYTES};

/// The set of limits (docs/protocol.md, "Limits") that this build keeps.
pub const LIMITS_VERSION: u16 = 1;

const GENESIS_VERSION: u8 = 1;
const END_TO_END: u8 = 1;
/// Version, founder, nonce, flags, version of the limits, bytes of policy.
const HEAD_BYTES: usize = 1 + 32 + 32 + 1 + 2 + 2;

const _: () = assert!(
    MAX_GENESIS_BYTES == HEAD_BYTES + MAX_GENESIS_POLICY_BYTES + 2 * (1 + 32 * MAX_GENESIS_KEYS) + 64
);

/// Why bytes are no genesis record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GenesisError {
    /// Not what [`Genesis::encode`] makes.
    #[error("these bytes are no genesis record: {0}")]
    Damaged(&'static str),
    /// More than a record may have.
    #[error(
        "a genesis has at most {MAX_GENESIS_POLICY_BYTES} bytes of policy and {MAX_GENESIS_KEYS} keys in a list"
    )]
    TooLarge,
}

/// What a founder lays down.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Charter {
    /// Tells apart the documents of one founder.
    pub nonce: [u8; 32],
    /// Payloads are encrypted for members only.
    pub is_end_to_end: bool,
    /// The application's rules, at most [`MAX_GENESIS_POLICY_BYTES`].
    pub policy: Vec<u8>,
    /// The keys that may host, at most [`MAX_GENESIS_KEYS`]; empty: every key that the founder certifies.
    pub hosts: BTreeSet<PublicKey>,
    /// Who is admin when no living one is left, in this order; at most [`MAX_GENESIS_KEYS`], none twice.
    pub succession: Vec<PublicKey>,
}

/// See the module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Genesis {
    /// The founder, who is the first admin.
    pub founder: PublicKey,
    /// What it laid down.
    pub charter: Charter,
    /// The set of limits that the document was founded under.
    pub limits_version: u16,
    signature: Signature,
}

impl Genesis {
    /// Founds a document.
    ///
    /// # Errors
    /// [`GenesisError::TooLarge`] for a charter over its limits, [`GenesisError::Damaged`] for a successor named twice.
    pub fn found(founder: &AdminKey, charter: Charter) -> Result<Self, GenesisError> {
        let lists = [charter.hosts.len(), charter.succession.len()];
        if charter.policy.len() > MAX_GENESIS_POLICY_BYTES || lists.iter().any(|len| *len > MAX_GENESIS_KEYS)
        {
            return Err(GenesisError::TooLarge);
        }
        check_succession(&charter.succession)?;
        let mut genesis = Self {
            founder: founder.public_key(),
            charter,
            limits_version: LIMITS_VERSION,
            signature: [0; 64],
        };
        genesis.signature = founder.sign(&genesis.statement());
        Ok(genesis)
    }

    /// The document that a founder has without laying anything down; the same for the same key and nonce.
    #[must_use]
    pub fn plain(founder: &AdminKey, nonce: [u8; 32]) -> Self {
        let charter = Charter { nonce, ..Charter::default() };
        // An empty charter is within every limit.
        Self::found(founder, charter).unwrap_or_else(|_| unreachable!())
    }

    /// The document's id: SHA-256 of the record.
    #[must_use]
    pub fn document(&self) -> DocumentId {
        sha256(&self.encode())
    }

    /// True when the founder signed it.
    #[must_use]
    pub fn is_signed(&self) -> bool {
        verify(&self.founder, &self.statement(), &self.signature)
    }

    /// True when this key may host, once an admin has certified it.
    #[must_use]
    pub fn may_host(&self, key: &PublicKey) -> bool {
        self.charter.hosts.is_empty() || self.charter.hosts.contains(key)
    }

    fn statement(&self) -> Statement<Founding> {
        Statement::over(&[&self.signed_bytes()])
    }

    fn signed_bytes(&self) -> Vec<u8> {
        let mut out = vec![GENESIS_VERSION];
        out.extend_from_slice(&self.founder);
        out.extend_from_slice(&self.charter.nonce);
        out.push(if self.charter.is_end_to_end { END_TO_END } else { 0 });
        out.extend_from_slice(&self.limits_version.to_le_bytes());
        out.extend_from_slice(&(self.charter.policy.len() as u16).to_le_bytes());
        out.extend_from_slice(&self.charter.policy);
        out.push(self.charter.hosts.len() as u8);
        for key in &self.charter.hosts {
            out.extend_from_slice(key);
        }
        out.push(self.charter.succession.len() as u8);
        for key in &self.charter.succession {
            out.extend_from_slice(key);
        }
        out
    }

    /// The record: version (u8, 1), founder (32), nonce (32), flags (u8: 1 end to end), version of the limits (u16), bytes
    /// of policy (u16) and these, hosts (u8, then 32 each, ascending), succession (u8, then 32 each), signature (64).
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = self.signed_bytes();
        out.extend_from_slice(&self.signature);
        out
    }

    /// Reads a record; says nothing yet about who signed it. Each record has one spelling.
    ///
    /// # Errors
    /// For anything that [`Genesis::encode`] does not make.
    pub fn decode(bytes: &[u8]) -> Result<Self, GenesisError> {
        if bytes.len() > MAX_GENESIS_BYTES {
            return Err(GenesisError::TooLarge);
        }
        let mut input = Input(bytes);
        if input.take::<1>()? != [GENESIS_VERSION] {
            return Err(GenesisError::Damaged("another version"));
        }
        let (founder, nonce) = (input.take()?, input.take()?);
        let [flags] = input.take()?;
        if flags & !END_TO_END != 0 {
            return Err(GenesisError::Damaged("unknown flags"));
        }
        let limits_version = u16::from_le_bytes(input.take()?);
        let policy_bytes = usize::from(u16::from_le_bytes(input.take()?));
        if policy_bytes > MAX_GENESIS_POLICY_BYTES {
            return Err(GenesisError::TooLarge);
        }
        let policy = input.bytes(policy_bytes)?.to_vec();
        let hosts = input.keys()?;
        if hosts.windows(2).any(|pair| pair[0] >= pair[1]) {
            return Err(GenesisError::Damaged("hosts out of order"));
        }
        let succession = input.keys()?;
        check_succession(&succession)?;
        let signature = input.take()?;
        if !input.0.is_empty() {
            return Err(GenesisError::Damaged("bytes after its end"));
        }
        let charter = Charter {
            nonce,
            is_end_to_end: flags & END_TO_END != 0,
            policy,
            hosts: hosts.into_iter().collect(),
            succession,
        };
        Ok(Self { founder, charter, limits_version, signature })
    }
}

fn check_succession(keys: &[PublicKey]) -> Result<(), GenesisError> {
    let unique: BTreeSet<_> = keys.iter().collect();
    if unique.len() == keys.len() { Ok(()) } else { Err(GenesisError::Damaged("a successor twice")) }
}

/// What is left to read.
struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    fn take<const N: usize>(&mut self) -> Result<[u8; N], GenesisError> {
        let (taken, rest) = self.0.split_first_chunk().ok_or(GenesisError::Damaged("cut off"))?;
        self.0 = rest;
        Ok(*taken)
    }

    fn bytes(&mut self, count: usize) -> Result<&'a [u8], GenesisError> {
        let (taken, rest) = self.0.split_at_checked(count).ok_or(GenesisError::Damaged("cut off"))?;
        self.0 = rest;
        Ok(taken)
    }

    fn keys(&mut self) -> Result<Vec<PublicKey>, GenesisError> {
        let [count] = self.take()?;
        if usize::from(count) > MAX_GENESIS_KEYS {
            return Err(GenesisError::TooLarge);
        }
        (0..count).map(|_| self.take()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn founder() -> AdminKey {
        AdminKey::from_seed(&[1; 32])
    }

    fn full() -> Genesis {
        let charter = Charter {
            nonce: [2; 32],
            is_end_to_end: true,
            policy: b"be kind".to_vec(),
            hosts: [[9; 32], [8; 32]].into(),
            succession: vec![[9; 32], [7; 32]],
        };
        Genesis::found(&founder(), charter).expect("within limits")
    }

    #[test]
    fn a_record_survives_its_bytes_and_names_its_document() {
        for genesis in [full(), Genesis::plain(&founder(), [0; 32])] {
            assert!(genesis.is_signed());
            assert_eq!(Genesis::decode(&genesis.encode()).as_ref(), Ok(&genesis));
            assert_eq!(genesis.document(), sha256(&genesis.encode()));
        }
        assert_eq!(Genesis::plain(&founder(), [3; 32]), Genesis::plain(&founder(), [3; 32]));
        assert_ne!(
            Genesis::plain(&founder(), [3; 32]).document(),
            Genesis::plain(&founder(), [4; 32]).document()
        );
        assert!(full().may_host(&[9; 32]) && !full().may_host(&[6; 32]));
        assert!(Genesis::plain(&founder(), [0; 32]).may_host(&[6; 32]));
    }

    #[test]
    fn no_bit_of_a_record_can_be_changed() {
        let bytes = full().encode();
        for bit in 0..bytes.len() * 8 {
            let mut forged = bytes.clone();
            forged[bit / 8] ^= 1 << (bit % 8);
            if let Ok(genesis) = Genesis::decode(&forged) {
                assert_eq!(genesis.encode(), forged, "one spelling");
                assert!(!genesis.is_signed(), "bit {bit}");
            }
        }
        for length in 0..bytes.len() {
            assert!(Genesis::decode(&bytes[..length]).is_err());
        }
    }

    #[test]
    fn a_charter_has_limits() {
        let with = |change: fn(&mut Charter)| {
            let mut charter = Charter::default();
            change(&mut charter);
            Genesis::found(&founder(), charter).map(|genesis| genesis.encode().len())
        };
        assert_eq!(with(|charter| charter.policy = vec![0; 1025]), Err(GenesisError::TooLarge));
        assert_eq!(
            with(|charter| charter.hosts = (0..17u8).map(|n| [n; 32]).collect()),
            Err(GenesisError::TooLarge)
        );
        assert_eq!(
            with(|charter| charter.succession = vec![[1; 32]; 2]),
            Err(GenesisError::Damaged("a successor twice"))
        );
        let largest = with(|charter| {
            charter.policy = vec![0; 1024];
            charter.hosts = (0..16u8).map(|n| [n; 32]).collect();
            charter.succession = (0..16u8).map(|n| [n; 32]).collect();
        });
        assert_eq!(largest, Ok(MAX_GENESIS_BYTES));
    }
}
