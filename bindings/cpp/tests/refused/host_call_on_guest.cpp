// expected: no member named
#include <theta/theta.hpp>

auto spawn(theta::joined_session& guest) { return guest.spawn(theta::entity(1)); }
