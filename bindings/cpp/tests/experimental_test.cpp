// The experimental part: a bad network, and a divergence that was planted.
#include "meeting.hpp"

#include <theta/experimental.hpp>

using meeting::find;
using meeting::must;
using theta::event_kind;
using namespace std::chrono_literals;

TEST_CASE("a bad network takes the time it was told to") {
    meeting::pair pair;
    meeting::add_pulse(pair.registry);
    theta::experimental::link_conditions conditions;
    conditions.latency = 20ms;
    conditions.seed = 3;
    must(theta::experimental::condition_links(pair.runtime, conditions));
    pair.open_and_join();
    // Both ends are of this runtime, so each packet is held back on its way out and on its way in.
    REQUIRE(pair.until([&] { return must(pair.guest.statistics()).rtt_p50_us >= 76'000; }));
    must(theta::experimental::condition_links(pair.runtime, {}));
    CHECK(pair.until([&] { return must(pair.guest.statistics()).rtt_us < 40'000; }));

    conditions.loss_percent = 101;
    const auto refused = theta::experimental::condition_links(pair.runtime, conditions);
    REQUIRE_FALSE(refused);
    CHECK(refused.code() == theta::code::range);
    conditions.loss_percent = -1;
    CHECK_FALSE(theta::experimental::condition_links(pair.runtime, conditions));
}

TEST_CASE("a planted divergence is named and repaired") {
    meeting::pair pair;
    const auto pulse = meeting::add_pulse(pair.registry);
    pair.open();
    const auto beating = must(pair.host.spawn(theta::entity(1).with(pulse, meeting::pulse{{1, 2, 3}, 70})));
    must(pair.host.tick());
    pair.join();
    REQUIRE(pair.until([&] { return pair.guest_is(theta::session_state::live); }));
    const auto frame = pair.frame_at(must(pair.host.info()).tick);
    REQUIRE(must(frame.info()).entity_count == 1);
    must(theta::experimental::plant_divergence(pair.guest, pulse.id, 2));
    REQUIRE(pair.until([&] { return find(pair.host_events, event_kind::repaired) != nullptr; }));
    const auto* diverged = find(pair.host_events, event_kind::diverged);
    REQUIRE(diverged != nullptr);
    CHECK(diverged->peer == pair.guest_peer());
    CHECK(diverged->value == pulse.id.bits);
    CHECK(diverged->code == 2);
    CHECK(diverged->text.find("beats") != std::string::npos);
    CHECK(pair.until([&] { return find(pair.guest_events, event_kind::repaired) != nullptr; }));
    CHECK(beating.bits != 0);

    const auto unknown = theta::experimental::plant_divergence(pair.guest, pulse.id, 9);
    REQUIRE_FALSE(unknown);
    CHECK(unknown.code() == theta::code::field_unknown);
}
