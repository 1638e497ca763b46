// What a panic of the library costs a C++ program: an error with a sentence, and the session or the runtime it happened
// in. Runs with a library that was built with the feature test-panics, which is loaded in the other one's place.
#include "meeting.hpp"

#include <dlfcn.h>

using meeting::find;
using meeting::must;
using theta::event_kind;

namespace {

template <class Handle> theta_status panic_in(const char* name, Handle handle) {
    using function = theta_status (*)(Handle);
    void* const found = dlsym(RTLD_DEFAULT, name);
    REQUIRE_MESSAGE(found != nullptr, "this library has no " << name);
    return reinterpret_cast<function>(found)(handle);
}

struct live_pair : meeting::pair {
    live_pair() {
        meeting::add_pulse(registry);
        open_and_join();
        REQUIRE(until([&] { return guest_is(theta::session_state::live); }));
    }
    [[nodiscard]] bool goes_on() {
        return host.tick().has_value() && host.info().has_value() && guest_is(theta::session_state::live);
    }
};

}  // namespace

TEST_CASE("a panic in a call faults its session alone") {
    live_pair one;
    live_pair other;
    CHECK(panic_in("theta_test_panic_session", one.guest.raw()) == THETA_E_PANIC);
    CHECK(one.guest_is(theta::session_state::faulted));
    const auto refused = one.guest.leave();
    REQUIRE_FALSE(refused);
    CHECK(refused.code() == theta::code::panic);
    must(one.guest.poll([&](const theta::event& event) { meeting::keep(one.guest_events, event); }));
    const auto* fault = find(one.guest_events, event_kind::faulted);
    REQUIRE(fault != nullptr);
    CHECK(fault->text.find("on purpose") != std::string::npos);
    CHECK(one.host.tick().has_value());
    CHECK(other.goes_on());
}

TEST_CASE("a panic of the runtime's thread is told by every session, and other runtimes go on") {
    live_pair one;
    live_pair other;
    CHECK(panic_in("theta_test_panic_runtime", one.runtime.raw()) == THETA_OK);
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(30);
    while ((find(one.guest_events, event_kind::faulted) == nullptr
            || find(one.host_events, event_kind::faulted) == nullptr)
           && std::chrono::steady_clock::now() < end) {
        must(one.guest.poll([&](const theta::event& event) { meeting::keep(one.guest_events, event); }));
        must(one.host.poll([&](const theta::event& event) { meeting::keep(one.host_events, event); }));
        std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
    REQUIRE(find(one.guest_events, event_kind::faulted) != nullptr);
    REQUIRE(find(one.host_events, event_kind::faulted) != nullptr);
    const auto refused = one.host.tick();
    REQUIRE_FALSE(refused);
    CHECK(refused.code() == theta::code::panic);
    CHECK(other.goes_on());
}
