// Going away and coming back, floors, and input that comes from the future.
#include "meeting.hpp"

#include <theta/experimental.hpp>

#include <algorithm>

using meeting::find;
using meeting::must;
using theta::event_kind;
using theta::session_state;

namespace {

constexpr std::uint32_t away_timeout = 6;
constexpr std::uint32_t version_floor = 33;
constexpr std::uint32_t transport_floor = 35;
constexpr std::uint32_t security_floor = 36;
constexpr std::uint32_t resume_refused = 74;

std::ptrdiff_t count(const std::vector<meeting::kept_event>& events, event_kind kind) {
    return std::count_if(events.begin(), events.end(), [kind](const auto& event) { return event.kind == kind; });
}

/// A guest in a runtime of its own, so that its network can be cut alone.
struct visit {
    meeting::pair home;
    theta::runtime abroad = must(theta::runtime::create());
    theta::registry components = must(theta::registry::create(abroad));
    theta::seed identity{};

    explicit visit(std::uint32_t grace_ms) {
        meeting::add_pulse(home.registry);
        meeting::add_pulse(components);
        identity.fill(5);
        theta::host_options options;
        options.dev_mode = true;
        options.resume_grace_ms = grace_ms;
        home.host = must(theta::host_session::open(home.runtime, home.registry, options));
        CHECK(must(home.host.info()).resume_grace_ms == grace_ms);
        must(home.host.tick());
        join();
    }

    void join() {
        const std::string ticket = must(home.host.ticket());
        theta::join_options options;
        options.ticket = ticket;
        options.identity_seed = &identity;
        home.guest_events.clear();
        home.guest = must(theta::joined_session::open(abroad, components, options));
        REQUIRE(home.until([this] { return home.guest_is(session_state::live); }));
    }

    void network(bool is_there) {
        theta::experimental::link_conditions conditions;
        conditions.loss_percent = is_there ? 0 : 100;
        must(theta::experimental::condition_links(abroad, conditions));
    }

    bool is_away_at_host() {
        std::vector<theta::peer_info> peers;
        return must(home.host.peers(peers)) == 1 && peers[0].state == THETA_STATE_AWAY;
    }
};

/// The code with which somebody with these options is turned away; 0 when it comes in.
std::uint32_t outcome(meeting::pair& pair, theta::join_options options) {
    const std::string ticket = must(pair.host.ticket());
    options.ticket = ticket;
    pair.guest = must(theta::joined_session::open(pair.runtime, pair.registry, options));
    REQUIRE(pair.until([&] { return pair.guest_is(session_state::live) || pair.guest_is(session_state::closed); }));
    const auto code = must(pair.guest.info()).disconnect_code;
    pair.guest = {};
    return code;
}

}  // namespace

TEST_CASE("a guest that is away keeps its place, on its link and on another one") {
    visit visit(20'000);
    auto& home = visit.home;
    const auto place = home.guest_peer();
    REQUIRE(home.until([&] { return find(home.guest_events, event_kind::admitted) != nullptr; }));
    CHECK(find(home.guest_events, event_kind::admitted)->value == 20'000);
    CHECK(must(home.guest.info()).resume_grace_ms == 20'000);

    must(home.guest.resume());  // nobody was away: nothing happens
    must(home.guest.suspend());
    must(home.guest.suspend());
    REQUIRE(home.until([&] { return home.guest_is(session_state::away) && visit.is_away_at_host(); }));
    REQUIRE(home.until([&] { return find(home.host_events, event_kind::peer_away) != nullptr; }));
    CHECK(find(home.host_events, event_kind::peer_away)->peer == place);
    CHECK(find(home.host_events, event_kind::peer_away)->value == 20'000);
    must(home.guest.resume());
    REQUIRE(home.until([&] { return home.guest_is(session_state::live) && !visit.is_away_at_host(); }));
    REQUIRE(home.until([&] { return find(home.host_events, event_kind::peer_back) != nullptr; }));
    CHECK(home.guest_peer() == place);
    CHECK(count(home.host_events, event_kind::peer_away) == 1);

    // The network goes while it is away, for longer than a link lives.
    const auto arrivals = count(home.guest_events, event_kind::join_progress);
    must(home.guest.suspend());
    REQUIRE(home.until([&] { return visit.is_away_at_host(); }));
    visit.network(false);
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(7);
    REQUIRE(home.until([&] { return std::chrono::steady_clock::now() > end; }));
    visit.network(true);
    CHECK(home.guest_is(session_state::away));
    must(home.guest.resume());
    const auto tick = must(home.host.info()).tick;
    REQUIRE(home.until([&] { return home.guest_is(session_state::live) && !visit.is_away_at_host(); }));
    home.frame_at(tick);
    CHECK(home.guest_peer() == place);
    CHECK(count(home.host_events, event_kind::peer_left) == 0);
    CHECK(count(home.host_events, event_kind::peer_joined) == 1);
    CHECK(count(home.guest_events, event_kind::admitted) == 1);
    CHECK(count(home.guest_events, event_kind::join_progress) == arrivals);
}

TEST_CASE("a guest that is away for too long is told so, and joins anew") {
    visit visit(1'500);
    auto& home = visit.home;
    must(home.guest.suspend());
    REQUIRE(home.until([&] { return home.guest_is(session_state::closed); }));
    CHECK(must(home.guest.info()).disconnect_code == away_timeout);
    REQUIRE(home.until([&] { return find(home.host_events, event_kind::peer_left) != nullptr; }));
    CHECK(find(home.host_events, event_kind::peer_left)->code == static_cast<std::int32_t>(away_timeout));
    visit.join();

    // The same with its network gone, so that it learns of it when it comes back.
    must(home.guest.suspend());
    REQUIRE(home.until([&] { return visit.is_away_at_host(); }));
    visit.network(false);
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(7);
    REQUIRE(home.until([&] { return std::chrono::steady_clock::now() > end; }));
    CHECK(count(home.host_events, event_kind::peer_left) == 2);
    CHECK(home.guest_is(session_state::away));
    visit.network(true);
    must(home.guest.resume());
    REQUIRE(home.until([&] { return home.guest_is(session_state::closed); }));
    CHECK(must(home.guest.info()).disconnect_code == resume_refused);
    visit.join();
}

TEST_CASE("floors are held, and can be read") {
    meeting::pair pair;
    meeting::add_pulse(pair.registry);
    pair.open();
    const auto ours = theta::version_of(must(pair.host.info()));
    CHECK(theta::least_version_of(must(pair.host.info())) == theta::protocol_version{});
    auto next = ours;
    ++next.minor_number;

    theta::join_options options;
    CHECK(outcome(pair, options) == 0);
    options.least_version = ours;
    CHECK(outcome(pair, options) == 0);
    options.least_version = next;
    CHECK(outcome(pair, options) == version_floor);
    options = {};
    options.allowed_transports = theta::transports::memory | theta::transports::web_rtc;
    CHECK(outcome(pair, options) == transport_floor);
    options.allowed_transports = theta::transports::memory | theta::transports::quic;
    CHECK(outcome(pair, options) == 0);
    options.allowed_modes = theta::security_modes::end_to_end;
    CHECK(outcome(pair, options) == security_floor);

    // A host for which this build is too old.
    theta::host_options hosting;
    hosting.dev_mode = true;
    hosting.least_version = next;
    pair.host = must(theta::host_session::open(pair.runtime, pair.registry, hosting));
    CHECK(theta::least_version_of(must(pair.host.info())) == next);
    CHECK(theta::version_of(must(pair.host.info())) == ours);
    CHECK(outcome(pair, {}) == version_floor);
}

TEST_CASE("input for a tick far ahead is left out and counted") {
    meeting::pair pair;
    meeting::add_pulse(pair.registry);
    pair.open_and_join();
    theta::input now;
    now.input_tick = must(pair.host.info()).tick + 100'000;
    REQUIRE(pair.until([&] {
        ++now.input_tick;
        must(pair.guest.send_input(now));
        return must(pair.host.statistics(pair.guest_peer())).inputs_refused > 0;
    }));
    CHECK(must(pair.host.statistics(pair.guest_peer())).inputs_received == 0);
    theta::input got;
    CHECK_FALSE(must(pair.host.input_of(pair.guest_peer(), got)));
}
