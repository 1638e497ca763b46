// expected: a component is a plain struct
#include <theta/theta.hpp>

struct actor {
    virtual ~actor() = default;
    std::uint8_t team = 0;
};

auto describe() { return theta::component<actor>("game.actor"); }
