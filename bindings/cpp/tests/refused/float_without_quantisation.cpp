// expected: floats, vectors and quaternions need a quantisation
#include <theta/theta.hpp>

struct health {
    float points;
};

auto describe() { return theta::component<health>("game.health").field(1, "points", &health::points); }
