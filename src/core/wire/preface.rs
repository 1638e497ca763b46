//! The 16 bytes that open each direction of each stream: which lane it is, and the whole schema hash once.

use super::WireError;
use crate::types::Lane;

/// Bytes of a preface.
pub const PREFACE_BYTES: usize = 16;
/// How a preface begins.
pub const MAGIC: [u8; 4] = *b"THS1";
/// The preface version this code speaks.
pub const PREFACE_VERSION: u8 = 1;

/// What a stream says about itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Preface {
    /// The lane, always a reliable one: datagram lanes have no stream.
    pub lane: Lane,
    /// The link's schema hash; zero on the control lane, which opens before it is known.
    pub schema_hash: u64,
}

impl Preface {
    /// The bytes to send.
    pub fn encode(&self) -> [u8; PREFACE_BYTES] {
        let ordinal = if let Lane::Bulk(ordinal) = self.lane { ordinal } else { 0 };
        let mut bytes = [0; PREFACE_BYTES];
        bytes[..4].copy_from_slice(&MAGIC);
        bytes[4] = self.lane.wire_id();
        bytes[5] = PREFACE_VERSION;
        bytes[6..8].copy_from_slice(&ordinal.to_le_bytes());
        bytes[8..].copy_from_slice(&self.schema_hash.to_le_bytes());
        bytes
    }

    /// Reads the first 16 bytes of a stream.
    ///
    /// # Errors
    /// [`WireError::Truncated`] on fewer, [`WireError::BadPreface`] without the magic, [`WireError::BadVersion`],
    /// [`WireError::UnknownValue`] for no lane, [`WireError::Malformed`] for a datagram lane or an ordinal on a lane
    /// that has none.
    pub fn decode(bytes: &[u8]) -> Result<Self, WireError> {
        let Some(bytes) = bytes.first_chunk::<PREFACE_BYTES>() else { return Err(WireError::Truncated) };
        if bytes[..4] != MAGIC {
            return Err(WireError::BadPreface);
        }
        if bytes[5] != PREFACE_VERSION {
            return Err(WireError::BadVersion(bytes[5]));
        }
        let ordinal = u16::from_le_bytes([bytes[6], bytes[7]]);
        let lane = Lane::from_wire(bytes[4], ordinal)
            .ok_or(WireError::UnknownValue { field: "lane", value: bytes[4] as u64 })?;
        if !lane.is_reliable() {
            return Err(WireError::Malformed("preface for a datagram lane"));
        }
        if ordinal != 0 && !matches!(lane, Lane::Bulk(_)) {
            return Err(WireError::Malformed("ordinal on a lane that has one stream"));
        }
        let mut hash = [0; 8];
        hash.copy_from_slice(&bytes[8..]);
        Ok(Self { lane, schema_hash: u64::from_le_bytes(hash) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn reads_back(lane in prop_oneof![Just(Lane::Control), Just(Lane::Replication), any::<u16>().prop_map(Lane::Bulk)], schema_hash: u64) {
            let preface = Preface { lane, schema_hash };
            prop_assert_eq!(Preface::decode(&preface.encode()), Ok(preface));
        }

        #[test]
        fn any_bytes_are_an_error_or_themselves(bytes: [u8; PREFACE_BYTES], real_begin: bool) {
            let mut bytes = bytes;
            if real_begin {
                bytes[..4].copy_from_slice(&MAGIC);
                bytes[5] = PREFACE_VERSION;
                bytes[4] %= 8;
            }
            if let Ok(preface) = Preface::decode(&bytes) {
                prop_assert_eq!(preface.encode(), bytes);
            }
        }
    }

    #[test]
    fn datagram_lanes_have_no_stream() {
        let mut bytes = Preface { lane: Lane::Control, schema_hash: 0 }.encode();
        bytes[4] = Lane::State.wire_id();
        assert_eq!(Preface::decode(&bytes), Err(WireError::Malformed("preface for a datagram lane")));
    }
}
