// The physics by itself: rests until touched, moves when a hand comes through, and reports finite states of the
// promised size.
#include "simulation.hpp"
#include "motion.hpp"

#include <cmath>
#include <cstdio>

namespace {

int failures = 0;

void expect(bool holds, const char* what) {
    std::printf("%s: %s\n", holds ? "ok" : "FAILED", what);
    failures += holds ? 0 : 1;
}

}  // namespace

int main() {
    using namespace samples;
    constexpr double step_s = 1 / tick_rate_hz;

    simulation rest(400, 8);
    expect(rest.cubes().size() == 400, "as many cubes as asked for");
    for (int i = 0; i < 90; ++i) {
        rest.step(step_s);
    }
    expect(rest.moved() == 0, "an untouched world stays where it is");

    simulation touched(400, 8);
    const auto place = standing_place(0);
    const auto stand = [&](float reach) {
        const auto x = static_cast<float>(place[0]);
        const auto z = static_cast<float>(place[2]);
        touched.place_player(1, {{x, 1.6F, z}, {x - 0.2F, 1.0F, z}, {x, 1.0F, z - reach}});
    };
    for (int i = 0; i < 180; ++i) {
        stand(0.005F * static_cast<float>(i));
        touched.step(step_s);
    }
    const std::size_t pushed = touched.moved();
    expect(pushed >= 1, "a hand that reaches out pushes cubes");
    expect(pushed < 100, "what is far away stays");
    for (int i = 0; i < 180; ++i) {
        touched.step(step_s);
    }
    touched.remove_player(1);
    touched.remove_player(1);
    touched.step(step_s);
    bool sane = true;
    for (const demo_cube& cube : touched.cubes()) {
        const double norm = std::sqrt(static_cast<double>(cube.rotation.x) * cube.rotation.x
                                      + static_cast<double>(cube.rotation.y) * cube.rotation.y
                                      + static_cast<double>(cube.rotation.z) * cube.rotation.z
                                      + static_cast<double>(cube.rotation.w) * cube.rotation.w);
        sane = sane && std::isfinite(cube.position.x) && std::abs(norm - 1) < 1e-3 && cube.position.y > 0
               && cube.position.y < 4;
    }
    expect(sane, "every cube lies above the floor with a unit rotation");
    return failures == 0 ? 0 : 1;
}
