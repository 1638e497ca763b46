// The experimental part of Theta for C++, over theta/theta_experimental.h: for a game's own tests, and for what is not
// settled yet. Any of it may change or go in the next version, so theta/theta.hpp does not include it.
#ifndef THETA_EXPERIMENTAL_HPP
#define THETA_EXPERIMENTAL_HPP

#include <theta/theta_experimental.h>
#include <theta/theta.hpp>

#include <chrono>
#include <cstdint>

namespace theta {
namespace experimental {

/// What the network does to each packet, in each direction. Zeros = nothing.
struct link_conditions {
    double loss_percent = 0;  ///< packets lost, each by itself; 0 to 100
    std::chrono::microseconds latency =
        {};                                 ///< how long each is held back, at most 10 s; a round trip takes twice that
    std::chrono::microseconds jitter = {};  ///< by how much that varies to either side, at most 10 s; reorders packets
    std::uint64_t seed = 0;                 ///< the same seed decides the same for the same sequence of packets
};

/// Puts the sockets of all sessions of a runtime, running and later ones, on a bad network. Can be called again; zeros
/// end it. A link is as bad as both its ends make it together. Any thread.
inline result<void> condition_links(const runtime& owner, const link_conditions& conditions) noexcept {
    // What is out of range must stay so for the library to refuse it.
    const auto clamped = [](double value) {
        return value >= 0 && value < 4294967295.0 ? static_cast<std::uint32_t>(value) : 4294967295U;
    };
    auto raw = detail::sized<thetax_link_conditions>();
    raw.loss_ppm = clamped(conditions.loss_percent * 10'000 + 0.5);
    raw.latency_us = clamped(static_cast<double>(conditions.latency.count()));
    raw.jitter_us = clamped(static_cast<double>(conditions.jitter.count()));
    raw.seed = conditions.seed;
    return detail::done(thetax_runtime_condition_links(owner.raw(), &raw));
}

/// Makes a live guest hold something else than its host in one field of fixed size, in the entity whose values have
/// rested for longest: a diverged event at the host names component and field, a repaired event follows at both.
inline result<void> plant_divergence(joined_session& guest, component_id component, std::uint32_t field) noexcept {
    return detail::done(thetax_session_plant_divergence(guest.raw(), component.bits, field));
}

}  // namespace experimental
}  // namespace theta

#endif
