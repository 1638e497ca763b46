// A peer in C++ for LiveTableTests.cs: knows test.only_csharp from the table below and nothing of C#. It joins by the
// ticket it is given, and for each line "TICK LANES" prints what that tick (or a later one) holds, field by field.
// With "wrong" as a second argument two fields have each other's ids.
#include <theta/theta.hpp>

#include <chrono>
#include <cinttypes>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

namespace {

// Another order than C#'s, so another layout: what is shared are names, ids and quantisation.
struct only_csharp {
    std::int64_t i64;
    std::uint64_t u64;
    double f64;
    double d3[3];
    theta::entity_id target;
    theta::bounded_list<std::int64_t, 3> longs;
    theta::bounded_string<32> label;
    theta::bounded_bytes<64> blob;
    theta::quat q;
    theta::vec4 v4;
    theta::vec3 v3;
    theta::vec2 v2;
    float f32;
    std::int32_t i32;
    std::uint32_t u32;
    std::int16_t i16;
    std::uint16_t u16;
    std::int8_t i8;
    std::uint8_t u8;
    std::uint8_t flags;
};

theta::component<only_csharp> table(bool wrong) {
    using row = only_csharp;
    return theta::component<row>("test.only_csharp")
        .field(20, "longs", &row::longs, theta::integer(-1000, 1000))
        .field(19, "blob", &row::blob)
        .field(18, "label", &row::label)
        .field(17, "target", &row::target)
        .field(16, "q", &row::q, theta::rotation(14))
        .field(15, "v4", &row::v4, theta::range(-8, 8, 0.01))
        .field(14, "v3", &row::v3, theta::metres(-8, 8, 0.01))
        .field(13, "v2", &row::v2, theta::range(-8, 8, 0.01))
        .field(12, "d3", &row::d3, theta::range(-1e6, 1e6, 0.001))
        .field(11, "f32", &row::f32, theta::range(-10, 10, 0.001))
        .field(10, "u32", &row::u32, theta::integer(0, 4e9))
        .field(wrong ? 1 : 9, "flags", &row::flags, theta::flags<7>())
        .field(8, "u64", &row::u64, theta::integer(0, 1e15))
        .field(7, "u16", &row::u16, theta::integer(0, 60000))
        .field(6, "i32", &row::i32, theta::integer(-1000000, 1000000))
        .field(5, "i16", &row::i16, theta::integer(-30000, 30000))
        .field(4, "f64", &row::f64, theta::range(-1e6, 1e6, 0.0001))
        .field(3, "i8", &row::i8, theta::integer(-100, 100))
        .field(2, "i64", &row::i64, theta::integer(-1e12, 1e12))
        .field(wrong ? 9 : 1, "u8", &row::u8, theta::integer(0, 200));
}

[[noreturn]] void fail(const std::string& why) {
    std::printf("error %s\n", why.c_str());
    std::fflush(stdout);
    std::exit(1);
}

template <class T> T good(theta::result<T> result) {
    if (!result) {
        fail(result.error().function() + ": " + result.error().message());
    }
    return std::move(*result);
}

void hex(const char* name, const void* data, std::size_t size) {
    const auto* bytes = static_cast<const unsigned char*>(data);
    std::printf("%s ", name);
    for (std::size_t i = 0; i < size; ++i) {
        std::printf("%02x", static_cast<unsigned>(bytes[i]));
    }
    std::printf("\n");
}

template <class T> void value(const char* name, const T& of) { hex(name, &of, sizeof of); }

void print(const theta::frame& frame, const theta::frame_info& info, theta::component_ref<only_csharp> component,
           std::uint64_t schema, std::size_t lanes) {
    std::vector<only_csharp> rows;
    std::vector<std::int64_t> cells;
    if (good(frame.read(component, rows)) != 1 || good(frame.read_quantised(component.id, lanes, cells)) != 1) {
        fail("there is not one entity");
    }
    std::printf("tick %u\nschema %016" PRIx64 "\nfold %016" PRIx64 "\n", info.tick, schema, info.fold);
    hex("lanes", cells.data(), cells.size() * sizeof cells[0]);
    const auto& row = rows[0];
    value("i64", row.i64);
    value("u64", row.u64);
    value("f64", row.f64);
    value("d3", row.d3);
    value("target", row.target);
    hex("longs", row.longs.elements, row.longs.length * sizeof row.longs.elements[0]);
    hex("label", row.label.bytes, row.label.length);
    hex("blob", row.blob.elements, row.blob.length);
    value("q", row.q);
    value("v4", row.v4);
    value("v3", row.v3);
    value("v2", row.v2);
    value("f32", row.f32);
    value("i32", row.i32);
    value("u32", row.u32);
    value("i16", row.i16);
    value("u16", row.u16);
    value("i8", row.i8);
    value("u8", row.u8);
    value("flags", row.flags);
    std::printf("end\n");
    std::fflush(stdout);
}

}  // namespace

int main(int count, char** arguments) {
    if (count < 2) {
        std::fprintf(stderr, "usage: table_peer TICKET [wrong], then lines \"TICK LANES\"\n");
        return 2;
    }
    auto runtime = good(theta::runtime::create());
    auto registry = good(theta::registry::create(runtime));
    const auto component = good(registry.add(table(count > 2 && std::string(arguments[2]) == "wrong")));
    const auto schema = good(registry.schema_hash());
    theta::join_options joining;
    joining.ticket = arguments[1];
    joining.name = "in C++";
    auto session = good(theta::joined_session::open(runtime, registry, joining));

    unsigned tick = 0;
    unsigned lanes = 0;
    while (std::scanf("%u %u", &tick, &lanes) == 2) {
        const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(30);
        for (bool found = false; !found;) {
            const auto polled = session.poll([](const theta::event& event) {
                if (event.kind == theta::event_kind::disconnected) {
                    fail(std::string(event.text));
                }
            });
            if (!polled) {
                fail(polled.error().message());
            }
            if (auto frame = good(session.newest_frame())) {
                const auto info = good(frame.info());
                if ((found = info.tick >= tick)) {
                    print(frame, info, component, schema, lanes);
                }
            }
            if (!found && std::chrono::steady_clock::now() > end) {
                fail("the tick did not come");
            }
            std::this_thread::sleep_for(std::chrono::milliseconds(2));
        }
    }
    return 0;
}
