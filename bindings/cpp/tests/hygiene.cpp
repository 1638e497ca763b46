// Compiled, never run: the header where engines define such macros before they include anything of others.
// The standard library comes first, as in every engine's precompiled header; Theta must cope by itself.
#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <iterator>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#define check(expression) static_assert(false, "an engine's macro was expanded")
#define verify(expression) static_assert(false, "an engine's macro was expanded")
#define ensure(expression) static_assert(false, "an engine's macro was expanded")
#define TEXT(text) static_assert(false, "an engine's macro was expanded")
#define PI (3.1415926535897932f)
#define min(a, b) static_assert(false, "an engine's macro was expanded")
#define max(a, b) static_assert(false, "an engine's macro was expanded")
// What windows.h leaves behind.
#define near
#define far
#define IN
#define OUT
#define OPTIONAL
#define CONST const
#define small char
#define interface struct
#define ERROR 0
#define DELETE (0x00010000L)
#define NO_ERROR 0L
#define STRICT 1
#define GetObject GetObjectW
#define SendMessage SendMessageW
#define CreateWindow(name) static_assert(false, "a system's macro was expanded")

#include <theta/experimental.hpp>
#include <theta/theta.hpp>

namespace {

struct everything {
    theta::vec3 position;
    float turn[4];
    double distant[3];
    std::uint16_t bits;
    theta::entity_id target;
    theta::bounded_string<12> name;
    theta::bounded_list<std::int16_t, 4> list;
};

}  // namespace

// Instantiates what is a template, so that bodies are compiled as well.
bool use_everything(theta::host_session& host, theta::joined_session& guest, const theta::runtime& runtime) {
    auto registry = theta::registry::create(runtime);
    if (!registry) {
        return false;
    }
    const auto added = registry->add(theta::component<everything>("hygiene.everything")
                                         .written_by(theta::authority::owner)
                                         .since("1.2")
                                         .field(1, "position", &everything::position, theta::metres(-1, 1, 0.5))
                                         .field(2, "turn", &everything::turn, theta::rotation(9))
                                         .field(3, "distant", &everything::distant, theta::metres(-1e6, 1e6, 0.001))
                                         .field(4, "bits", &everything::bits, theta::flags<9>())
                                         .field(5, "target", &everything::target)
                                         .field(6, "name", &everything::name)
                                         .field(7, "list", &everything::list, theta::integer(-100, 100)));
    const auto coded = registry->add_codec<std::uint64_t>(
        theta::component<everything>("hygiene.coded")
            .field(4, "bits", &everything::bits)
            .coded(theta::predictor::none, theta::diff::replace)
            .document(),
        [](theta::entity_id, const std::uint64_t&, everything&) {},
        [](theta::entity_id, const everything&, std::uint64_t&) { return true; });
    if (!added || !coded) {
        return false;
    }
    const std::vector<theta::entity_id> ids;
    std::vector<everything> values;
    std::vector<theta::sample_result> how;
    std::vector<theta::entity_row> rows;
    std::vector<std::int64_t> lanes;
    std::vector<theta::peer_info> peers;
    theta::input input;
    bool fine = true;
    fine = fine && host.spawn(theta::entity(1).owned_by(2).payload("x").with(*added, everything{})).has_value();
    if (auto write = host.begin_write()) {
        fine = fine && write->rows(*added, ids, values)
               && write->rows_strided(*added, ids, values.data(), sizeof(everything)) && write->commit();
    }
    if (const auto frame = guest.newest_frame()) {
        fine = fine && frame->entities(rows, *added) && frame->read(*added, values)
               && frame->read_quantised(added->id, 1, lanes)
               && frame->read_strided(*added, values.data(), sizeof(everything), values.size())
               && frame->read_field<theta::entity_id>(*added, 5, theta::span<theta::entity_id>{});
    }
    fine = fine && guest.poll([](const theta::event&) {}) && guest.each_frame([](const theta::frame&) {});
    fine = fine && guest.sample(*added, ids, 1.5, values, how) && guest.send_input(input) && host.input_of(1, input)
           && guest.peers(peers);
    return fine
           && registry->manifest()
                  .and_then([](std::string&& text) { return theta::result<std::size_t>(text.size()); })
                  .has_value();
}
