// expected: this member's type cannot be replicated
#include <theta/theta.hpp>

struct door {
    bool open;
};

auto describe() { return theta::component<door>("game.door").field(1, "open", &door::open); }
