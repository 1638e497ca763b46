// Codecs: callables that convert between what the engine has and what travels, and what may go wrong in them.
#include "meeting.hpp"

#include <cstring>
#include <memory>
#include <stdexcept>
#include <string>

using meeting::must;

namespace {

/// Nothing that a field can point into.
struct door {
    unsigned open : 1;
    unsigned locked : 1;
    unsigned angle : 10;
};

struct door_fields {
    std::uint8_t state = 1;
    float turned = 0;
};

theta::component<door_fields> described() {
    return theta::component<door_fields>("test.door")
        .field(1, "state", &door_fields::state, theta::integer(0, 3))
        .field(2, "turned", &door_fields::turned, theta::range(-1, 1, 1 / 1024.));
}

constexpr unsigned angle_that_throws = 13;
constexpr unsigned angle_refused = 17;

struct tally {
    int encoded = 0;
    int decoded = 0;
    int wrong_defaults = 0;
    theta::code inside = theta::code::ok;
    theta::host_session* host = nullptr;
    theta::runtime* runtime = nullptr;
};

theta::result<theta::component_ref<door>> add_door(theta::registry& registry, const std::shared_ptr<tally>& count) {
    return registry.add_codec<door>(
        described(),
        [count](theta::entity_id, const door& from, door_fields& to) {
            ++count->encoded;
            count->wrong_defaults += to.state == 1 ? 0 : 1;
            to.state = 3;
            if (count->host != nullptr) {
                count->inside = count->host->tick().error().code();
            }
            if (count->runtime != nullptr) {
                CHECK(count->runtime->shutdown(std::chrono::seconds(1)).code() == theta::code::reentrant);
                CHECK(count->runtime->detach().code() == theta::code::reentrant);
            }
            if (from.angle == angle_that_throws) {
                throw std::runtime_error("thirteen");
            }
            if (from.angle == angle_refused) {
                return false;
            }
            to.state = static_cast<std::uint8_t>(from.open | (from.locked << 1U));
            to.turned = static_cast<float>(from.angle) / 1024.0F;
            return true;
        },
        [count](theta::entity_id, const door_fields& from, door& to) {
            ++count->decoded;
            to.open = from.state & 1U;
            to.locked = (from.state >> 1U) & 1U;
            to.angle = static_cast<unsigned>(from.turned * 1024.0F) & 0x3ffU;
        });
}

door made(unsigned open, unsigned locked, unsigned angle) {
    door out{};
    out.open = open & 1U;
    out.locked = locked & 1U;
    out.angle = angle & 0x3ffU;
    return out;
}

bool same(const door& one, const door& other) {
    return one.open == other.open && one.locked == other.locked && one.angle == other.angle;
}

void write(theta::host_session& host, theta::component_ref<door> doors, theta::entity_id entity, const door& value) {
    auto batch = must(host.begin_write());
    const std::vector<theta::entity_id> ids{entity};
    const std::vector<door> rows{value};
    must(batch.rows(doors, ids, rows));
    must(batch.commit());
}

}  // namespace

TEST_CASE("elements of a codec travel, and refused ones keep the old value") {
    const auto count = std::make_shared<tally>();
    {
        meeting::pair pair;
        const auto doors = must(add_door(pair.registry, count));
        pair.open_and_join();
        const auto first = made(1, 0, 100);
        const auto entity = must(pair.host.spawn(theta::entity(1).with(doors, first)));
        std::vector<door> seen;
        must(pair.frame_at(must(pair.host.tick())).read(doors, seen));
        REQUIRE(seen.size() == 1);
        CHECK(same(seen[0], first));
        CHECK(count->encoded == 1);

        const auto second = made(0, 1, 200);
        write(pair.host, doors, entity, second);
        must(pair.frame_at(must(pair.host.tick())).read(doors, seen));
        CHECK(same(seen[0], second));

        for (const unsigned angle : {angle_that_throws, angle_refused}) {
            pair.host_events.clear();
            write(pair.host, doors, entity, made(1, 1, angle));
            must(pair.frame_at(must(pair.host.tick())).read(doors, seen));
            CHECK(same(seen[0], second));
            REQUIRE(pair.until([&] { return meeting::find(pair.host_events, theta::event_kind::codec_failed); }));
            const auto* const event = meeting::find(pair.host_events, theta::event_kind::codec_failed);
            CHECK(event->entity == entity);
            CHECK(event->value == doors.id.bits);
            CHECK(event->code == (angle == angle_refused ? theta::codec_refused : theta::codec_threw));
            CHECK(event->text.find("\"test.door\"") != std::string::npos);
        }

        count->host = &pair.host;
        write(pair.host, doors, entity, first);
        must(pair.host.tick());
        CHECK(count->inside == theta::code::reentrant);
        count->host = nullptr;

        // A runtime that refused to end in there is still this program's.
        count->runtime = &pair.runtime;
        write(pair.host, doors, entity, second);
        must(pair.host.tick());
        count->runtime = nullptr;
        CHECK(static_cast<bool>(pair.runtime));
        must(pair.host.tick());
        CHECK(count->wrong_defaults == 0);
        CHECK(count.use_count() > 1);
    }
    CHECK(count.use_count() == 1);
}

TEST_CASE("a codec's callables are destroyed once, also when registration fails") {
    const auto first = std::make_shared<tally>();
    const auto second = std::make_shared<tally>();
    auto runtime = must(theta::runtime::create());
    {
        auto registry = must(theta::registry::create(runtime));
        must(add_door(registry, first));
        CHECK(first.use_count() == 3);
        const auto twice = add_door(registry, second);
        REQUIRE_FALSE(twice);
        CHECK(twice.error().code() == theta::code::component_collision);
        CHECK(second.use_count() == 1);
    }
    CHECK(first.use_count() == 1);
    auto registry = must(theta::registry::create(runtime));
    must(add_door(registry, first));
    must(runtime.shutdown(std::chrono::seconds(5)));
    CHECK(first.use_count() == 1);
}
