// expected: use of deleted function|call to implicitly-deleted copy constructor
#include <theta/theta.hpp>

theta::frame twice(const theta::frame& frame) { return frame; }
