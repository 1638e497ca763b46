//! The link conditioner: a bad network on one machine.

use crate::ffi::boundary::boundary;
use crate::ffi::error::Error;
use crate::ffi::handle;
use crate::ffi::runtime::{Runtime, theta_runtime};
use crate::ffi::sized::{self, sized};
use crate::ffi::status::*;
use crate::transport::{LinkConditions, MAX_CONDITION_US};

/// What the network does to each packet, in each direction. Input; begins with its size. All zero = nothing.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct thetax_link_conditions {
    /// `sizeof(thetax_link_conditions)`.
    pub struct_size: u32,
    /// Of a million packets, how many are lost, each by itself; at most 1000000.
    pub loss_ppm: u32,
    /// For how long each packet is held back, in microseconds, at most 10000000. One direction: a round trip takes twice
    /// that.
    pub latency_us: u32,
    /// By how much that varies to either side, in microseconds, at most 10000000, never below zero in all. Packets
    /// overtake each other by it.
    pub jitter_us: u32,
    /// Decides which packets are lost and how long each takes: the same seed decides the same for the same sequence of
    /// packets of a socket.
    pub seed: u64,
}
sized!(thetax_link_conditions: 24);

/// Puts the sockets of all sessions of a runtime on a bad network, those of sessions that run already and of later ones:
/// every UDP packet is lost or held back on its way out and again on its way in, under QUIC, which cannot tell it from a
/// real network. Can be called again at any time; all zero ends it. A link is as bad as both its ends make it together,
/// so condition one end only where a number is to mean what it says.
///
/// `conditions`: input of `conditions->struct_size` bytes.
///
/// Returns THETA_OK, THETA_E_NULL, THETA_E_STRUCT_SIZE, THETA_E_UNSUPPORTED_FIELD, THETA_E_RANGE, the handle errors,
/// THETA_E_SHUT_DOWN. [any]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn thetax_runtime_condition_links(
    runtime: theta_runtime,
    conditions: *const thetax_link_conditions,
) -> theta_status {
    boundary!(thetax_runtime_condition_links, {
        // SAFETY: the caller's promise about `conditions`.
        let conditions = unsafe { sized::input(conditions) }?;
        for (what, value, limit) in [
            ("loss_ppm", conditions.loss_ppm, 1_000_000),
            ("latency_us", conditions.latency_us, MAX_CONDITION_US),
            ("jitter_us", conditions.jitter_us, MAX_CONDITION_US),
        ] {
            if value > limit {
                return Err(Error::Range { what, value: value as u64, limit: limit as u64 });
            }
        }
        let owner = handle::pin::<Runtime>(runtime.bits)?;
        owner.inner.link_conditioner().set(LinkConditions {
            loss_ppm: conditions.loss_ppm,
            latency_us: conditions.latency_us,
            jitter_us: conditions.jitter_us,
            seed: conditions.seed,
            ..LinkConditions::default()
        });
        Ok(THETA_OK)
    })
}
