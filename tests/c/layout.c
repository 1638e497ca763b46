/* Sizes, offsets and constants as this C compiler sees them, against abi/theta.abi.json. run.sh writes the list. */
#include <stddef.h>

#include "check.h"

#define STRUCT(name, bytes, alignment) \
  CHECK(sizeof(name) == (bytes));      \
  CHECK(offsetof(struct { char before; name value; }, value) == (alignment));
#define FIELD(name, field, offset, bytes) \
  CHECK(offsetof(name, field) == (offset)); \
  CHECK(sizeof(((name *)0)->field) == (bytes));
#define CONSTANT(name, value) CHECK((name) == (value));

int main(void) {
#include "layout.inc"
  return finish();
}
