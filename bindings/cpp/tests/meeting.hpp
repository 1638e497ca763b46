// A host and a guest in one process, over real sockets on loopback, driven from the test's thread.
#ifndef THETA_TESTS_MEETING_HPP
#define THETA_TESTS_MEETING_HPP

#include <theta/theta.hpp>

#include <doctest/doctest.h>

#include <chrono>
#include <functional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace meeting {

/// The value, or a failed test that says why there is none.
template <class T> T must(theta::result<T> result) {
    if (!result) {
        FAIL(result.error().function() << ": " << result.error().message());
    }
    return std::move(result).value();
}
inline void must(const theta::result<void>& result) {
    if (!result) {
        FAIL(result.error().function() << ": " << result.error().message());
    }
}

/// An event that may be kept.
struct kept_event {
    theta::event_kind kind;
    theta::peer_id peer;
    std::int32_t code;
    theta::entity_id entity;
    std::uint64_t value;
    std::string text;
};

inline void keep(std::vector<kept_event>& into, const theta::event& event) {
    into.push_back({event.kind, event.peer, event.code, event.entity, event.value, std::string(event.text)});
}

inline const kept_event* find(const std::vector<kept_event>& events, theta::event_kind kind) {
    for (const auto& event : events) {
        if (event.kind == kind) {
            return &event;
        }
    }
    return nullptr;
}

struct pulse {
    theta::vec3 position;
    std::uint32_t beats = 0;
};

/// Registers `pulse`, the component that most tests can do with.
inline theta::component_ref<pulse> add_pulse(theta::registry& registry) {
    return must(registry.add(theta::component<pulse>("test.pulse")
                                 .field(1, "position", &pulse::position, theta::metres(-64, 64, 1 / 1024.))
                                 .field(2, "beats", &pulse::beats)));
}

/// The two sides. Filled by the test's own registration, then `open` and `join`.
struct pair {
    theta::runtime runtime = must(theta::runtime::create());
    theta::registry registry = must(theta::registry::create(runtime));
    theta::host_session host;
    theta::joined_session guest;
    std::vector<kept_event> host_events;
    std::vector<kept_event> guest_events;

    void open(bool manual_admission = false) {
        theta::host_options options;
        options.dev_mode = true;
        options.manual_admission = manual_admission;
        host = must(theta::host_session::open(runtime, registry, options));
    }

    void join(bool manual_loaded = false, theta::span<const std::uint8_t> application = {}) {
        const std::string ticket = must(host.ticket());
        theta::join_options options;
        options.ticket = ticket;
        options.name = "Grace";
        options.manual_loaded = manual_loaded;
        options.application = application;
        options.handshake_timeout_ms = 30'000;  // a busy machine, or valgrind
        guest = must(theta::joined_session::open(runtime, registry, options));
    }

    /// One tick of both sides.
    void step() {
        must(host.poll([&](const theta::event& event) { keep(host_events, event); }));
        must(host.tick());
        if (guest) {
            must(guest.poll([&](const theta::event& event) { keep(guest_events, event); }));
        }
        std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }

    /// Steps until something holds; false after half a minute, which no machine is too busy for.
    bool until(const std::function<bool()>& holds) {
        const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(30);
        while (!holds()) {
            if (std::chrono::steady_clock::now() > end) {
                return false;
            }
            step();
        }
        return true;
    }

    bool guest_is(theta::session_state state) { return must(guest.info()).state == static_cast<std::uint32_t>(state); }

    void open_and_join() {
        open();
        must(host.tick());
        join();
        REQUIRE_MESSAGE(until([this] { return guest_is(theta::session_state::live); }),
                        "the guest did not become live");
    }

    /// The guest's newest frame once its tick is at least `tick`.
    theta::frame frame_at(std::uint32_t tick) {
        theta::frame found;
        REQUIRE_MESSAGE(until([&] {
                            found = must(guest.newest_frame());
                            return found && must(found.info()).tick >= tick;
                        }),
                        "tick " << tick << " did not arrive");
        return found;
    }

    theta::peer_id guest_peer() { return must(guest.info()).local_peer; }
};

}  // namespace meeting

#endif
