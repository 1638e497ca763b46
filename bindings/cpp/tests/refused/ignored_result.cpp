// expected: ignoring return value|ignoring returned value|unused-result|declared with attribute .nodiscard
#include <theta/theta.hpp>

void tick(theta::host_session& host) { host.tick(); }
