// expected: flags live in the smallest unsigned integer that holds them
#include <theta/theta.hpp>

struct buttons {
    std::uint32_t down;
};

auto describe() {
    return theta::component<buttons>("game.buttons").field(1, "down", &buttons::down, theta::flags<8>());
}
