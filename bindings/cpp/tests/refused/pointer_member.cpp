// expected: this member's type cannot be replicated
#include <theta/theta.hpp>

struct named {
    const char* name;
};

auto describe() { return theta::component<named>("game.named").field(1, "name", &named::name); }
