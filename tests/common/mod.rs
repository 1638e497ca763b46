//! What several test files share.
#![allow(dead_code, unreachable_pub)] // each test file uses its own part

pub mod messages;
pub mod middle;
pub mod sessions;

use std::time::Duration;

/// Long enough for a busy machine, short enough to notice a hang.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// A packet as the transport sees one: its length, then bytes up to `bytes`, all of them `fill`.
pub fn packet(bytes: usize, fill: u8) -> Vec<u8> {
    let mut packet = vec![fill; bytes];
    packet[..2].copy_from_slice(&u16::try_from(bytes).expect("fits a packet").to_le_bytes());
    packet
}

/// A packet of at least 16 bytes that carries a number after its length.
pub fn numbered(bytes: usize, number: u32) -> Vec<u8> {
    let mut packet = packet(bytes.max(16), 0);
    packet[4..8].copy_from_slice(&number.to_le_bytes());
    packet
}

/// The number in a [`numbered`] packet.
pub fn number(packet: &[u8]) -> u32 {
    u32::from_le_bytes(packet[4..8].try_into().expect("four bytes"))
}
