/* The experimental part of the Theta C ABI. Generated from src/ffi_experimental by `./x gen`: do not edit.
 *
 * C99 and C++11. For a game's own tests, and for what is not settled yet: any of this may change or go in the next
 * version. Names begin with thetax_ and THETAX_; the rules are those of theta/theta.h.
 *
 * SPDX-License-Identifier: MIT OR Apache-2.0
 */

#ifndef THETA_EXPERIMENTAL_H
#define THETA_EXPERIMENTAL_H

#include <theta/theta.h>

/**
 * What the network does to each packet, in each direction. Input; begins with its size. All zero = nothing.
 */
typedef struct thetax_link_conditions {
    /**
     * `sizeof(thetax_link_conditions)`.
     */
    uint32_t struct_size;
    /**
     * Of a million packets, how many are lost, each by itself; at most 1000000.
     */
    uint32_t loss_ppm;
    /**
     * For how long each packet is held back, in microseconds, at most 10000000. One direction: a round trip takes twice
     * that.
     */
    uint32_t latency_us;
    /**
     * By how much that varies to either side, in microseconds, at most 10000000, never below zero in all. Packets
     * overtake each other by it.
     */
    uint32_t jitter_us;
    /**
     * Decides which packets are lost and how long each takes: the same seed decides the same for the same sequence of
     * packets of a socket.
     */
    uint64_t seed;
} thetax_link_conditions;

/**
 * A `thetax_link_conditions` with its size set and every other field zero, which means its default.
 */
#define THETAX_LINK_CONDITIONS_INIT \
    { (uint32_t)sizeof(thetax_link_conditions), 0, 0, 0, 0 }

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

/**
 * Makes a joined session hold something else than its host: one bit of one field is flipped in the entity whose values
 * have rested for longest, where only the comparison of hashes can find it. Within a few round trips the host reports
 * THETA_EVENT_DIVERGED with the component and the field, and repairs the session, which reports THETA_EVENT_REPAIRED;
 * until then its frames are wrong in that one value. For tests of what a game does then.
 *
 * `session`: a joined one that is live. `component`, `field`: what to spoil; a field of fixed size (no list, text or
 * bytes). It happens soon after the call, and only if an entity has the component.
 *
 * Returns THETA_OK, the handle errors, THETA_E_CONCURRENT, THETA_E_WRONG_ROLE, THETA_E_COMPONENT_UNKNOWN,
 * THETA_E_FIELD_UNKNOWN, THETA_E_RANGE (the field's size varies), THETA_E_STATE (not live), THETA_E_DISCONNECTED,
 * THETA_E_LIMIT (too many requests wait), THETA_E_PANIC. [serial]
 */
THETA_API
theta_status thetax_session_plant_divergence(theta_session session,
                                             uint64_t component,
                                             uint32_t field);

/**
 * Puts the sockets of all sessions of a runtime on a bad network, those of sessions that run already and of later ones:
 * every UDP packet is lost or held back on its way out and again on its way in, under QUIC, which cannot tell it from a
 * real network. Can be called again at any time; all zero ends it. A link is as bad as both its ends make it together,
 * so condition one end only where a number is to mean what it says.
 *
 * `conditions`: input of `conditions->struct_size` bytes.
 *
 * Returns THETA_OK, THETA_E_NULL, THETA_E_STRUCT_SIZE, THETA_E_UNSUPPORTED_FIELD, THETA_E_RANGE, the handle errors,
 * THETA_E_SHUT_DOWN. [any]
 */
THETA_API
theta_status thetax_runtime_condition_links(theta_runtime runtime,
                                            const struct thetax_link_conditions *conditions);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* THETA_EXPERIMENTAL_H */
