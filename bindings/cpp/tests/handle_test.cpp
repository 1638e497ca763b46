// Owners of handles: moving, letting go once, and what a stale handle says.
#include "meeting.hpp"

#include <thread>

using meeting::must;

static_assert(!std::is_copy_constructible_v<theta::runtime> && std::is_nothrow_move_constructible_v<theta::runtime>);
static_assert(!std::is_copy_constructible_v<theta::registry> && std::is_nothrow_move_assignable_v<theta::registry>);
static_assert(
    !std::is_copy_constructible_v<theta::host_session> && std::is_nothrow_move_constructible_v<theta::host_session>);
static_assert(
    !std::is_copy_assignable_v<theta::joined_session> && std::is_nothrow_move_assignable_v<theta::joined_session>);
static_assert(!std::is_copy_constructible_v<theta::frame> && std::is_nothrow_move_constructible_v<theta::frame>);
static_assert(!std::is_copy_constructible_v<theta::write> && std::is_nothrow_move_constructible_v<theta::write>);

TEST_CASE("moving leaves the source empty and the handle alive") {
    auto first = must(theta::runtime::create());
    const auto bits = first.raw().bits;
    theta::runtime second = std::move(first);
    CHECK_FALSE(static_cast<bool>(first));
    CHECK(second.raw().bits == bits);
    must(theta::registry::create(second));

    first = std::move(second);
    auto& same = first;
    first = std::move(same);  // moving onto itself must not shut it down
    must(theta::registry::create(first));
}

TEST_CASE("assigning over an owner releases what it had") {
    auto runtime = must(theta::runtime::create());
    auto one = must(theta::registry::create(runtime));
    const auto old = one.raw();
    one = must(theta::registry::create(runtime));
    std::uint64_t hash = 0;
    CHECK(theta_registry_schema_hash(old, &hash) == THETA_E_HANDLE_STALE);
    must(one.schema_hash());
}

TEST_CASE("an empty owner says that its handle is zero") {
    const theta::registry nothing;
    const auto hash = nothing.schema_hash();
    REQUIRE_FALSE(hash);
    CHECK(hash.code() == theta::code::handle_zero);
    CHECK(hash.error().message().size() > 10);
    theta::host_session nobody;
    CHECK(nobody.tick().code() == theta::code::handle_zero);
    CHECK(nobody.poll([](const theta::event&) {}).code() == theta::code::handle_zero);
    CHECK(theta::frame().info().code() == theta::code::handle_zero);
}

TEST_CASE("handles of another kind are refused") {
    auto runtime = must(theta::runtime::create());
    auto registry = must(theta::registry::create(runtime));
    theta_session_info info{};
    info.struct_size = sizeof info;
    CHECK(theta_session_info_get(theta_session{registry.raw().bits}, &info) == THETA_E_HANDLE_KIND);
}

TEST_CASE("shutting down makes everything of a runtime stale, and says what it did") {
    auto runtime = must(theta::runtime::create());
    auto registry = must(theta::registry::create(runtime));
    meeting::add_pulse(registry);
    theta::host_options options;
    options.dev_mode = true;
    auto host = must(theta::host_session::open(runtime, registry, options));
    const auto report = must(runtime.shutdown(std::chrono::seconds(5)));
    CHECK(report.threads_left == 0);
    CHECK(report.threads_joined >= 1);
    CHECK(report.sessions_closed == 1);
    CHECK_FALSE(static_cast<bool>(runtime));
    const auto late = host.tick();
    REQUIRE_FALSE(late);
    const bool expected = late.code() == theta::code::shut_down || late.code() == theta::code::handle_stale;
    CHECK_MESSAGE(expected, theta::status_text(late.code()));
    CHECK(runtime.shutdown(std::chrono::seconds(1)).code() == theta::code::handle_zero);
}

TEST_CASE("any patience is good for a shutdown") {
    auto patient = must(theta::runtime::create());
    CHECK(must(patient.shutdown(std::chrono::hours(24 * 365))).threads_left == 0);
    CHECK_FALSE(static_cast<bool>(patient));
    auto hasty = must(theta::runtime::create());
    must(hasty.shutdown(std::chrono::milliseconds(-1)));
    CHECK_FALSE(static_cast<bool>(hasty));
}

TEST_CASE("detaching returns at once") {
    auto runtime = must(theta::runtime::create());
    const auto before = theta::now_ns();
    must(runtime.detach());
    CHECK(theta::now_ns() - before < 1'000'000'000);
    CHECK(theta::registry::create(runtime).code() == theta::code::handle_zero);
}

TEST_CASE("registries of one runtime mean nothing to another") {
    auto one = must(theta::runtime::create());
    auto two = must(theta::runtime::create());
    auto registry = must(theta::registry::create(one));
    meeting::add_pulse(registry);
    theta::host_options options;
    options.dev_mode = true;
    CHECK(theta::host_session::open(two, registry, options).code() == theta::code::handle_foreign);
}

TEST_CASE("errors keep their text and belong to a thread") {
    const theta::registry nothing;
    const auto failed = nothing.schema_hash();
    REQUIRE_FALSE(failed);
    const std::string said = failed.error().message();
    std::thread([] {
        const theta::frame no_frame;
        CHECK(no_frame.info().error().function() == "theta_frame_info_get");
    }).join();
    CHECK(theta::host_session().despawn({1}).error().function() == "theta_entity_despawn");
    CHECK(failed.error().message() == said);
    CHECK(failed.error().function() == "theta_registry_schema_hash");
}

TEST_CASE("a frame outlives ticks, is held three times at most, and lets go") {
    meeting::pair pair;
    const auto pulse = meeting::add_pulse(pair.registry);
    pair.open();
    must(pair.host.spawn(theta::entity(1).with(pulse)));
    must(pair.host.tick());

    auto held = must(pair.host.newest_frame());
    const auto tick = must(held.info()).tick;
    must(pair.host.tick());
    auto second = must(pair.host.newest_frame());
    must(pair.host.tick());
    auto third = must(pair.host.newest_frame());
    CHECK(must(held.info()).tick == tick);
    CHECK(must(third.info()).tick == tick + 2);
    CHECK(pair.host.newest_frame().code() == theta::code::limit);

    const auto raw = second.raw();
    second = {};
    theta_frame_info info{};
    info.struct_size = sizeof info;
    CHECK(theta_frame_info_get(raw, &info) == THETA_E_HANDLE_STALE);
    CHECK(must(pair.host.newest_frame()));
}

TEST_CASE("a write that goes out of scope is committed") {
    meeting::pair pair;
    const auto pulse = meeting::add_pulse(pair.registry);
    pair.open();
    const std::vector<theta::entity_id> ids{must(pair.host.spawn(theta::entity(1).with(pulse)))};
    {
        auto write = must(pair.host.begin_write());
        must(write.rows(pulse, ids, std::vector<meeting::pulse>{{{1, 2, 3}, 9}}));
    }
    must(pair.host.tick());
    std::vector<meeting::pulse> rows;
    must(must(pair.host.newest_frame()).read(pulse, rows));
    REQUIRE(rows.size() == 1);
    CHECK(rows[0].beats == 9);
    auto committed = must(pair.host.begin_write());
    must(committed.commit());
    CHECK(committed.commit().code() == theta::code::handle_zero);
}
