// expected: has no member named .spawn|no member named 'spawn'
#include <theta/theta.hpp>

auto spawn(theta::joined_session& guest) { return guest.spawn(theta::entity(1)); }
