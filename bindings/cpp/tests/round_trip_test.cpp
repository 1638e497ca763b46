// A value of every kind, written by the host and read by a guest.
#include "meeting.hpp"

#include <cmath>
#include <limits>

using meeting::must;

namespace {

enum class mode : std::uint16_t { idle, busy = 300 };

struct everything {
    std::int8_t i8 = 0;
    std::int16_t i16 = 0;
    std::int32_t i32 = 0;
    std::int64_t i64 = 0;
    std::uint8_t u8 = 0;
    std::uint16_t u16 = 0;
    std::uint32_t u32 = 0;
    std::uint64_t u64 = 0;
    std::uint16_t flags = 0;
    float f32 = 0;
    double f64 = 0;
    theta::vec2 vec2;
    theta::vec3 vec3;
    theta::vec4 vec4;
    theta::dvec3 dvec3;
    theta::quat quat;
    theta::entity_id target;
    theta::bounded_string<20> text;
    theta::bounded_bytes<8> bytes;
    theta::bounded_list<std::int32_t, 5> list;
    theta::bounded_list<float, 3> floats;
    mode state = mode::idle;
};

constexpr double step = 1 / 256.;

theta::component_ref<everything> add_everything(theta::registry& registry) {
    using e = everything;
    constexpr auto numbers = theta::range(-100, 100, step);
    return must(registry.add(theta::component<e>("test.everything")
                                 .field(1, "i8", &e::i8)
                                 .field(2, "i16", &e::i16, theta::integer(-1000, 1000))
                                 .field(3, "i32", &e::i32)
                                 .field(4, "i64", &e::i64)
                                 .field(5, "u8", &e::u8)
                                 .field(6, "u16", &e::u16)
                                 .field(7, "u32", &e::u32)
                                 .field(8, "u64", &e::u64)
                                 .field(9, "flags", &e::flags, theta::flags<12>())
                                 .field(10, "f32", &e::f32, numbers)
                                 .field(11, "f64", &e::f64, theta::range(0, 68719476735.0, 1))
                                 .field(12, "vec2", &e::vec2, numbers)
                                 .field(13, "vec3", &e::vec3, theta::metres(-100, 100, step))
                                 .field(14, "vec4", &e::vec4, numbers)
                                 .field(15, "dvec3", &e::dvec3, theta::metres(-1e6, 1e6, step))
                                 .field(16, "quat", &e::quat, theta::rotation(12))
                                 .field(17, "target", &e::target)
                                 .field(18, "text", &e::text)
                                 .field(19, "bytes", &e::bytes)
                                 .field(20, "list", &e::list, theta::integer(-5000, 5000))
                                 .field(21, "floats", &e::floats, numbers)
                                 .field(22, "state", &e::state)));
}

everything sample_value(theta::entity_id target) {
    everything value;
    value.i8 = -128;
    value.i16 = -1000;
    value.i32 = std::numeric_limits<std::int32_t>::min();
    value.i64 = std::numeric_limits<std::int64_t>::min();
    value.u8 = 255;
    value.u16 = 65535;
    value.u32 = 0xFFFF'FFFF;
    value.u64 = 0xFFFF'FFFF'FFFF'FFFF;
    value.flags = 0xA5A;
    value.f32 = 12.34F;
    value.f64 = 1234567890;
    value.vec2 = {1.5F, -2.25F};
    value.vec3 = {-99.99F, 0.001F, 3};
    value.vec4 = {1, 2, 3, 4};
    value.dvec3 = {999'999.5, -0.25, 1e-3};
    value.quat = {0.5F, -0.5F, 0.5F, 0.5F};
    value.target = target;
    value.text = "gr\xC3\xBC\xC3\x9F dich";
    const std::uint8_t blob[] = {0, 255, 7};
    value.bytes.assign(blob);
    const std::int32_t list[] = {-5000, 0, 5000};
    value.list.assign(list);
    const float floats[] = {0.5F, -99};
    value.floats.assign(floats);
    value.state = mode::busy;
    return value;
}

void is_near(double seen, double meant, double tolerance = step / 2 + 1e-5) {
    CHECK(std::abs(seen - meant) <= tolerance);
}

void is_same(const everything& seen, const everything& meant) {
    CHECK(seen.i8 == meant.i8);
    CHECK(seen.i16 == meant.i16);
    CHECK(seen.i32 == meant.i32);
    CHECK(seen.i64 == meant.i64);
    CHECK(seen.u8 == meant.u8);
    CHECK(seen.u16 == meant.u16);
    CHECK(seen.u32 == meant.u32);
    CHECK(seen.u64 == meant.u64);
    CHECK(seen.flags == meant.flags);
    is_near(seen.f32, meant.f32);
    CHECK(seen.f64 == meant.f64);
    is_near(seen.vec2.x, meant.vec2.x);
    is_near(seen.vec2.y, meant.vec2.y);
    is_near(seen.vec3.x, meant.vec3.x);
    is_near(seen.vec3.y, meant.vec3.y);
    is_near(seen.vec3.z, meant.vec3.z);
    is_near(seen.vec4.w, meant.vec4.w);
    is_near(seen.dvec3.x, meant.dvec3.x);
    is_near(seen.dvec3.z, meant.dvec3.z);
    // A quaternion and its negative are one rotation.
    const double dot = static_cast<double>(seen.quat.x) * meant.quat.x + static_cast<double>(seen.quat.y) * meant.quat.y
                       + static_cast<double>(seen.quat.z) * meant.quat.z
                       + static_cast<double>(seen.quat.w) * meant.quat.w;
    CHECK(std::abs(dot) > 0.99999);
    CHECK(seen.target == meant.target);
    CHECK(seen.text.view() == meant.text.view());
    REQUIRE(seen.bytes.view().size() == meant.bytes.view().size());
    CHECK(seen.bytes.view()[1] == meant.bytes.view()[1]);
    REQUIRE(seen.list.view().size() == meant.list.view().size());
    for (std::size_t i = 0; i < meant.list.view().size(); ++i) {
        CHECK(seen.list.view()[i] == meant.list.view()[i]);
    }
    REQUIRE(seen.floats.view().size() == meant.floats.view().size());
    is_near(seen.floats.view()[1], meant.floats.view()[1]);
    CHECK(seen.state == meant.state);
}

}  // namespace

TEST_CASE("every kind arrives: with the spawn, in the join snapshot, and as a change") {
    meeting::pair pair;
    const auto component = add_everything(pair.registry);
    pair.open();
    const auto plain = must(pair.host.spawn(theta::entity(1).with(component)));
    const auto before = sample_value(plain);
    const auto full = must(pair.host.spawn(theta::entity(2).with(component, before).payload("hello")));
    must(pair.host.tick());

    pair.join();
    REQUIRE(pair.until([&] { return pair.guest_is(theta::session_state::live); }));
    std::vector<theta::entity_row> rows;
    std::vector<everything> values;
    std::uint32_t tick = must(pair.host.tick());
    const auto row_of = [&](theta::entity_id id) -> const everything& {
        for (std::size_t i = 0; i < rows.size(); ++i) {
            if (rows[i].id == id) {
                return values[i];
            }
        }
        FAIL("the entity is not in the frame");
        return values[0];
    };
    {
        const auto frame = pair.frame_at(tick);
        REQUIRE(must(frame.entities(rows, component)) == 2);
        REQUIRE(must(frame.read(component, values)) == 2);
        is_same(row_of(full), before);
        is_same(row_of(plain), everything{});
        CHECK(must(frame.payload(full)) == "hello");
    }

    auto after = before;
    after.i32 = 42;
    after.vec3 = {1, 2, 3};
    after.text = "";
    after.list.assign({});
    after.quat = {};
    after.target = full;
    auto write = must(pair.host.begin_write());
    const std::vector<theta::entity_id> ids{full};
    must(write.rows(component, ids, std::vector<everything>{after}));
    CHECK(must(write.commit()).changed == 6);  // values, not rows
    tick = must(pair.host.tick());
    const auto frame = pair.frame_at(tick);
    must(frame.entities(rows, component));
    must(frame.read(component, values));
    is_same(row_of(full), after);
    is_same(row_of(plain), everything{});
}

TEST_CASE("one field is written and read by itself") {
    meeting::pair pair;
    const auto component = add_everything(pair.registry);
    pair.open();
    std::vector<theta::entity_id> ids;
    for (std::uint32_t i = 0; i < 100; ++i) {
        ids.push_back(must(pair.host.spawn(theta::entity(i).with(component, sample_value({})))));
    }
    std::vector<std::uint32_t> numbers;
    for (std::uint32_t i = 0; i < 100; ++i) {
        numbers.push_back(i * i);
    }
    auto write = must(pair.host.begin_write());
    must(write.field<std::uint32_t>(component, 7, ids, numbers));
    CHECK(must(write.commit()).changed == 100);
    pair.join();
    REQUIRE(pair.until([&] { return pair.guest_is(theta::session_state::live); }));
    const auto frame = pair.frame_at(must(pair.host.tick()));
    std::vector<std::uint32_t> read;
    std::vector<theta::entity_row> rows;
    REQUIRE(must(frame.read_field<std::uint32_t>(component, 7, read)) == 100);
    REQUIRE(must(frame.entities(rows, component)) == 100);
    for (std::size_t i = 0; i < read.size(); ++i) {
        CHECK(read[i] == rows[i].type_id * rows[i].type_id);
    }
    std::vector<everything> whole(100);
    CHECK(must(frame.read(component, theta::span<everything>(whole))) == 100);
    CHECK(whole[3].f64 == 1234567890);
    CHECK(frame.read_field<std::uint32_t>(component, 99, read).code() == theta::code::field_unknown);
    CHECK(frame.read(theta::component_ref<everything>{{123}}, whole).code() == theta::code::component_unknown);
}

TEST_CASE("the host and a guest hold the same bits") {
    meeting::pair pair;
    const auto pulse = meeting::add_pulse(pair.registry);
    pair.open();
    std::vector<theta::entity_id> ids;
    for (int i = 0; i < 70; ++i) {  // more than one chunk
        ids.push_back(must(pair.host.spawn(theta::entity(1).with(pulse))));
    }
    pair.join();
    REQUIRE(pair.until([&] { return pair.guest_is(theta::session_state::live); }));
    std::vector<meeting::pulse> values(ids.size());
    for (std::size_t i = 0; i < ids.size(); ++i) {
        values[i] = {{0.1F * static_cast<float>(i), -0.37F, 5}, static_cast<std::uint32_t>(i)};
    }
    auto write = must(pair.host.begin_write());
    must(write.rows(pulse, ids, values));
    must(write.commit());
    const auto tick = must(pair.host.tick());
    const auto hosted = must(pair.host.newest_frame());
    REQUIRE(must(hosted.info()).tick == tick);
    theta::frame seen;
    REQUIRE(pair.until([&] {
        // Nothing is written after this tick, so a later one is the same state, should this one have been skipped.
        while (auto next = must(pair.guest.next_frame())) {
            if (must(next.info()).tick >= tick) {
                seen = std::move(next);
                return true;
            }
        }
        return false;
    }));
    std::vector<std::int64_t> ours;
    std::vector<std::int64_t> theirs;
    CHECK(must(hosted.read_quantised(pulse.id, 4, ours)) == 70);
    CHECK(must(seen.read_quantised(pulse.id, 4, theirs)) == 70);
    CHECK(ours == theirs);
    CHECK(must(hosted.info()).fold == must(seen.info()).fold);
}

TEST_CASE("columns clamp, ignore what is not a number, and say so") {
    meeting::pair pair;
    const auto pulse = meeting::add_pulse(pair.registry);
    pair.open();
    const std::vector<theta::entity_id> ids{
        must(pair.host.spawn(theta::entity(1).with(pulse, meeting::pulse{{1, 1, 1}, 1}))),
        must(pair.host.spawn(theta::entity(1).with(pulse, meeting::pulse{{2, 2, 2}, 2})))};
    const float nan = std::numeric_limits<float>::quiet_NaN();
    auto write = must(pair.host.begin_write());
    const auto report = must(write.rows(pulse, ids, std::vector<meeting::pulse>{{{1000, 1, 1}, 1}, {{nan, 7, 7}, 2}}));
    CHECK(report.clamped == 1);
    CHECK(report.not_a_number == 1);
    CHECK(report.first_bad_entity == ids[0].bits);
    const std::vector<theta::entity_id> nobody{{0xFFFF'0000'0001}};
    must(write.rows(pulse, nobody, std::vector<meeting::pulse>(1)));
    CHECK(write.rows(pulse, ids, std::vector<meeting::pulse>(1)).code() == theta::code::range);
    const auto total = must(write.commit());
    CHECK(total.changed == 1);
    CHECK(total.missing == 1);
    CHECK(total.clamped == 1);
    CHECK(total.not_a_number == 1);
    must(pair.host.tick());
    std::vector<meeting::pulse> rows;
    must(must(pair.host.newest_frame()).read(pulse, rows));
    REQUIRE(rows.size() == 2);
    CHECK(rows[0].position.x == doctest::Approx(64));
    CHECK(rows[1].position.x == doctest::Approx(2));
}

TEST_CASE("structs inside larger ones are written by stride") {
    struct object {
        double something_else;
        meeting::pulse replicated;
        int more;
    };
    meeting::pair pair;
    const auto pulse = meeting::add_pulse(pair.registry);
    pair.open();
    std::vector<theta::entity_id> ids;
    std::vector<object> objects;
    for (std::uint32_t i = 0; i < 5; ++i) {
        ids.push_back(must(pair.host.spawn(theta::entity(1).with(pulse))));
        objects.push_back({0.5, {{0, 0, 0}, 10 + i}, -1});
    }
    auto write = must(pair.host.begin_write());
    must(write.rows_strided(pulse, ids, &objects[0].replicated, sizeof(object)));
    CHECK(must(write.commit()).changed == 5);
    must(pair.host.tick());
    std::vector<std::uint32_t> beats;
    must(must(pair.host.newest_frame()).read_field<std::uint32_t>(pulse, 2, beats));
    CHECK(beats == std::vector<std::uint32_t>{10, 11, 12, 13, 14});
}
