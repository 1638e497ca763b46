// What every language's samples must agree on, and the tools around it: motion, hash, percentiles, reports.
#include "motion.hpp"
#include "tick_hash.hpp"
#include "tools.hpp"

#include <cmath>
#include <cstdio>
#include <fstream>
#include <string>

namespace {

int failures = 0;

void expect(bool holds, const char* what) {
    std::printf("%s: %s\n", holds ? "ok" : "FAILED", what);
    failures += holds ? 0 : 1;
}

bool near(const std::array<double, 3>& seen, double x, double y, double z) {
    return std::abs(seen[0] - x) < 2e-6 && std::abs(seen[1] - y) < 2e-6 && std::abs(seen[2] - z) < 2e-6;
}

bool refuses(const char* text) {
    const std::string path = "refused.motion";
    std::ofstream(path) << text;
    samples::recording unread;
    std::string problem;
    const bool loaded = unread.load(path, problem);
    std::remove(path.c_str());
    return !loaded && problem.find(path) != std::string::npos;
}

// Two recordings of players who stand still, one with the head at 1 m and one at 2 m.
bool plays_by_index() {
    const std::string limb = " 0 0 0 0 0 0 1";
    for (const char* height : {"1", "2"}) {
        const std::string pose = std::string(" 0 ") + height + " 0 0 0 0 1" + limb + limb + "\n";
        std::ofstream(std::string(height) + ".motion") << "0" << pose << "1000" << pose;
    }
    samples::motion both;
    std::string problem;
    const bool loaded = both.load("1.motion,2.motion", "", problem);
    samples::motion broken;
    const bool refused = !broken.load("1.motion,,2.motion", "", problem);
    std::remove("1.motion");
    std::remove("2.motion");
    const auto height = [&both](std::uint32_t index) { return std::lround(both.at(index, 77)[0].position[1]); };
    return loaded && refused && height(0) == 1 && height(1) == 2 && height(2) == 1;
}

}  // namespace

int main() {
    using namespace samples;

    motion played;
    std::string problem;
    if (!played.load("builtin", SAMPLES_BUILTIN_MOTION, problem)) {
        std::fprintf(stderr, "%s\n", problem.c_str());
        return 1;
    }
    // The numbers of samples/README.md, made by another program.
    const auto a = played.at(0, 1.0);
    expect(near(a[0].position, -3.000202, 1.619791, -3.000387) && near(a[1].position, -3.250212, 1.000498, -3.3008)
               && near(a[2].position, -2.749699, 0.999491, -3.300562),
           "pose(0, 1)");
    const auto b = played.at(3, 12'345'678.0);
    expect(near(b[0].position, 2.927975, 1.597913, -3.207153) && near(b[1].position, 2.640204, 0.900974, -3.465878)
               && near(b[2].position, 3.36822, 0.868577, -3.189426),
           "pose(3, 12345678)");
    const auto c = played.at(5, 30'000'000.0);
    expect(near(c[0].position, -1.215154, 1.583187, -1.180162) && near(c[1].position, -1.210153, 0.908058, -1.252189)
               && near(c[2].position, -0.468899, 1.475519, -1.253696),
           "pose(5, 30000000)");
    const auto d = played.at(6, 123'456'789'012.0);
    expect(near(d[0].position, 0.876068, 1.629117, -1.06692) && near(d[1].position, 0.810675, 0.935565, -1.750261)
               && near(d[2].position, 1.270371, 0.561526, -1.405395),
           "pose(6, 123456789012)");
    double farthest = 0;
    for (double t = 19.9e6; t < 20.1e6; t += 1000) {
        const auto a = played.at(0, t)[1].position;
        const auto b = played.at(0, t + 1000)[1].position;
        farthest = std::max(farthest, std::hypot(a[0] - b[0], a[1] - b[1], a[2] - b[2]));
    }
    expect(farthest < 0.02, "the end of the recording is no jump");
    const auto turn = played.at(2, 7'654'321)[2].rotation;
    expect(std::abs(std::hypot(std::hypot(turn[0], turn[1]), std::hypot(turn[2], turn[3])) - 1) < 1e-9,
           "rotations are unit quaternions");
    expect(plays_by_index(), "each index has its recording of a list");
    expect(refuses("0 1 2 3\n"), "a line that is too short is refused");
    expect(refuses("# nothing\n"), "an empty motion is refused");
    const std::string pose = " 0 0 0 0 0 0 1 0 0 0 0 0 0 1 0 0 0 0 0 0 1\n";
    expect(refuses(("5" + pose + "5" + pose).c_str()), "times that do not ascend are refused");
    expect(refuses(("0" + pose + "1 nan" + pose.substr(2)).c_str()), "numbers that are none are refused");

    fnv1a hash;
    expect(hash.value() == 0xcbf29ce484222325ULL, "FNV-1a begins with its basis");
    hash.u32(0x64636261);             // "abcd"
    hash.u64(0x6c6b6a6968676665ULL);  // "efghijkl"
    expect(hash.value() == 0x6c3aaed3e05a5cb5ULL, "FNV-1a of \"abcdefghijkl\"");

    distribution numbers;
    expect(!numbers.percentile(0.5), "no numbers, no percentile");
    for (int i = 1; i <= 100; ++i) {
        numbers.add(i);
    }
    expect(numbers.percentile(0.50) == 50 && numbers.percentile(0.99) == 99 && numbers.percentile(1) == 100,
           "percentiles are nearest rank");
    numbers.recent_done();
    numbers.add(7);
    expect(numbers.recent_percentile(0.99) == 7, "recent percentiles forget what came before");

    json_object object;
    object.text("na\"me", "a\\b\n").number("none", std::nullopt).number("half", 0.5, 2).boolean("yes", true);
    expect(object.str() == "{\"na\\\"me\": \"a\\\\b\\u000a\", \"none\": null, \"half\": 0.50, \"yes\": true}",
           "reports are JSON");
    return failures == 0 ? 0 : 1;
}
