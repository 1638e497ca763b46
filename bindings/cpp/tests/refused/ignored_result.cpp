// expected: nodiscard
#include <theta/theta.hpp>

void tick(theta::host_session& host) { host.tick(); }
