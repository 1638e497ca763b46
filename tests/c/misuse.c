/* Every function of the headers against everything a caller can get wrong in one argument: handles that are zero, stale,
   forged, of another kind, of another runtime, of the other role or of a runtime that is gone; addresses that are null
   or not aligned; structs and elements that are too short or too long, or say more than this library knows; text that is
   not UTF-8; counts beyond every limit; numbers that are none.

   Each must give its own status and a last error with code, function and sentence, leave all memory of the caller
   untouched, and do nothing: the correct calls between go on working. functions.h has one row per function, and
   functions.inc, which is made from the headers, says whether a row is missing. */
#include <math.h>
#include <stdlib.h>

#include "functions.h"

/* Bytes behind each block that nobody may touch. Without them a tool that knows where blocks end (the address sanitizer,
   valgrind) sees every byte too many by itself. */
#ifdef THETA_EXACT_BLOCKS
#define GUARD 0
#else
#define GUARD 64
#endif
#define FILL 0xa5

static const struct {
  const char *name, *shape, *class;
} functions[] = {
#define TRAMPOLINE(name, expression)
#define FUNCTION(name, shape, class) {#name, shape, class},
#define PLAIN(name)
#include "functions.inc"
#undef FUNCTION
#undef PLAIN
};
#define FUNCTIONS (sizeof functions / sizeof functions[0])

/* Functions that return no status and cannot fail. */
static const char *const plain[] = {
#define FUNCTION(name, shape, class)
#define PLAIN(name) #name,
#include "functions.inc"
#undef TRAMPOLINE
#undef FUNCTION
#undef PLAIN
};
#define PLAINS (sizeof plain / sizeof plain[0])

static const struct {
  const char *type;
  uint32_t first_bytes, bytes;
} growing[] = {
#define GROWS(type, first) {#type, first, (uint32_t)sizeof(type)},
#define RESERVED(type, field)
#include "growth.inc"
#undef GROWS
#undef RESERVED
    {NULL, 0, 0}};

static const struct {
  const char *type, *name;
  size_t offset, bytes;
} reserved[] = {
#define GROWS(type, first)
#define RESERVED(type, field) {#type, #field, offsetof(type, field), sizeof(((type *)0)->field)},
#include "growth.inc"
#undef GROWS
#undef RESERVED
};
#define RESERVED_FIELDS (sizeof reserved / sizeof reserved[0])

static const function *row; /* under test */
static value values[MAX_ARGUMENTS];
static unsigned char *blocks[MAX_ARGUMENTS], *before[MAX_ARGUMENTS];
static size_t block_bytes[MAX_ARGUMENTS];
static uint64_t stale[LIVE], gone[LIVE], other_runtimes[LIVE];

static size_t arguments_of(const function *f) {
  size_t count = 0;
  while (count < MAX_ARGUMENTS && f->arguments[count].rule != END) ++count;
  return count;
}

static void say(const char *what, const char *of, const char *wrong) {
  theta_error_info info = THETA_ERROR_INFO_INIT;
  theta_last_error(&info);
  ++checks_failed;
  printf("%s with %s%s%s: %s (last error %d in %s: %s)\n", row->name, what, of ? " of " : "", of ? of : "", wrong,
         info.code, info.function, info.message);
}

/* The header's. */
static const char *shape_of(const function *f) {
  size_t at = 0;
  while (at < FUNCTIONS && strcmp(functions[at].name, f->name) != 0) ++at;
  return at < FUNCTIONS ? functions[at].shape : "";
}

static size_t at_of(const char *type) {
  size_t at = 0;
  while (growing[at].type != NULL && strcmp(growing[at].type, type) != 0) ++at;
  return at;
}
static uint32_t first_bytes(const char *type) { return growing[at_of(type)].first_bytes; }

/* A block of its own for an argument, which ends where the memory that the caller promises ends. */
static unsigned char *block(size_t argument, size_t bytes) {
  free(blocks[argument]);
  block_bytes[argument] = bytes + GUARD;
  blocks[argument] = malloc(bytes + GUARD == 0 ? 1 : bytes + GUARD);
  if (blocks[argument] == NULL) exit(1);
  memset(blocks[argument], FILL, bytes + GUARD);
  values[argument].p = blocks[argument];
  return blocks[argument];
}

static void set_u32(unsigned char *at, uint32_t number) { memcpy(at, &number, sizeof number); }

/* Correct arguments, each in fresh memory. */
static void prepare(void) {
  size_t at;
  for (at = 0; at < arguments_of(row); ++at) {
    const argument *a = &row->arguments[at];
    value *v = &values[at];
    free(blocks[at]);
    blocks[at] = NULL;
    block_bytes[at] = 0;
    memset(v, 0, sizeof *v);
    v->u = a->value;
    switch (a->rule) {
      case HANDLE: v->u = live[a->value]; break;
      case REAL: v->d = 1.0; break;
      case NUMBER:
        if (a->source != NULL && a->bytes == 4) v->u = *(const uint32_t *)a->source;
        else if (a->source != NULL) v->u = *(const uint64_t *)a->source;
        break;
      case SIZED_OUT: set_u32(block(at, a->bytes), (uint32_t)a->bytes); break;
      case SIZED_IN:
      case TEXT:
      case BYTES_IN:
      case KEY:
      case IDS: memcpy(block(at, a->bytes), a->source, a->bytes); break;
      case ROWS:
        block(at, a->bytes);
        if (a->source != NULL) memcpy(blocks[at], a->source, a->bytes);
        break;
      case SCALAR_OUT:
      case BYTES_OUT:
      case ELEMENTS_OUT: block(at, a->bytes); break;
      default: break;
    }
  }
}

/* Calls as prepared. The call must fail with this status, say so, and touch nothing. */
static void refused(const char *what, const char *of, theta_status expected) {
  theta_error_info info = THETA_ERROR_INFO_INIT;
  theta_status found;
  size_t at;
  const size_t count = arguments_of(row);
  for (at = 0; at < count; ++at) {
    free(before[at]);
    before[at] = malloc(block_bytes[at] + 1);
    if (before[at] == NULL) exit(1);
    if (blocks[at] != NULL) memcpy(before[at], blocks[at], block_bytes[at]);
  }
  found = row->call(values);
  CHECK(theta_last_error(&info) == THETA_OK);
  if (found != expected) {
    char text[64];
    snprintf(text, sizeof text, "%d instead of %d", found, expected);
    say(what, of, text);
  } else if (info.code != expected || info.message_length < 10 || strcmp(info.function, row->name) != 0 ||
             info.category != (uint32_t)(-expected / 100)) {
    say(what, of, "the last error does not say so");
  } else {
    ++checks_passed;
  }
  for (at = 0; at < count; ++at) {
    if (blocks[at] != NULL && memcmp(before[at], blocks[at], block_bytes[at]) != 0) say(what, of, "memory was written");
  }
  prepare();
}

/* Calls as prepared. The call must do what correct arguments do. The memory is there to be looked at until `prepare`. */
static int accepted(const char *what, const char *of) {
  theta_status found;
  size_t at, byte;
  if (row->before != NULL) row->before(values);
  found = row->call(values);
  if (row->good == 0 ? found < 0 : found != row->good) {
    char text[64];
    snprintf(text, sizeof text, "%d", found);
    say(what, of, text);
    return 0;
  }
  if (found >= 0 && row->after != NULL) row->after(values);
  for (at = 0; at < arguments_of(row); ++at) {
    if (blocks[at] == NULL) continue;
    for (byte = block_bytes[at] - GUARD; byte < block_bytes[at]; ++byte) {
      if (blocks[at][byte] != FILL) say(what, of, "memory behind an argument was written");
    }
  }
  ++checks_passed;
  return 1;
}

/* ---- the rules ---- */

static void handles(size_t at, const argument *a) {
  const char *names[KINDS] = {"", "a runtime", "a registry", "a session", "a write", "a frame"};
  const uint64_t kind = a->value == JOINED ? SESSION : a->value;
  const uint64_t good = live[a->value];
  uint64_t k;
#define WITH(number, text, status) \
  values[at].u = (number);         \
  refused(text, NULL, status)
  WITH(0, "a zero handle", THETA_E_HANDLE_ZERO);
  WITH((good & UINT64_C(0x0000ffffffffffff)) | UINT64_C(0xfffe) << 48, "a handle of no runtime", THETA_E_HANDLE_FOREIGN);
  WITH(good | UINT64_C(0x70) << 40, "a forged kind", THETA_E_HANDLE_KIND);
  WITH(UINT64_MAX, "all bits", THETA_E_HANDLE_KIND);
  WITH(good ^ UINT64_C(1) << 39, "another generation", THETA_E_HANDLE_STALE);
  WITH(gone[kind], "a handle of a runtime that is gone", THETA_E_SHUT_DOWN);
  for (k = RUNTIME; k < KINDS; ++k) {
    if (k != kind) {
      WITH(live[k], names[k], THETA_E_HANDLE_KIND);
    }
  }
  if (kind != RUNTIME) {
    WITH(stale[kind], "a stale handle", THETA_E_HANDLE_STALE);
  }
  /* Two live handles that do not belong together. */
  if (at > 0 && row->arguments[at - 1].rule == HANDLE) {
    WITH(other_runtimes[kind], "a handle of another runtime", THETA_E_HANDLE_FOREIGN);
  }
  if (kind == SESSION && !a->optional) {
    WITH(live[a->value == JOINED ? SESSION : JOINED], "the other role", THETA_E_WRONG_ROLE);
  }
#undef WITH
}

static void null(size_t at, const argument *a) {
  values[at].p = NULL;
  if (a->optional) {
    accepted("null where it may be", NULL);
    prepare();
  } else {
    refused("null", a->type, THETA_E_NULL);
  }
}

static const char *const not_utf8[] = {"\xff", "\x80", "\xc0\xaf", "\xed\xa0\x80", "\xf4\x90\x80\x80", "ab\xe2\x82"};
#define NOT_UTF8 (sizeof not_utf8 / sizeof not_utf8[0])

static void short_and_long(size_t at, const argument *a) {
  const uint32_t first = first_bytes(a->type), wrong[] = {0, 1, first - 1, 65537, UINT32_MAX};
  size_t index;
  for (index = 0; index < sizeof wrong / sizeof wrong[0]; ++index) {
    set_u32(blocks[at], wrong[index]);
    refused("a wrong struct_size", a->type, THETA_E_STRUCT_SIZE);
  }
}

static void fields_of(size_t at, const argument *a) {
  size_t f, index, byte;
  char text[128];
  for (f = 0; f < FIELDS_OF_TABLE; ++f) {
    const field *field = &fields[f];
    unsigned char *place;
    void *pointer;
    if (strcmp(field->type, a->type) != 0) continue;
    snprintf(text, sizeof text, "%s.%s", field->type, field->name);
    place = blocks[at] + field->offset;
    switch (field->rule) {
      case F_NUMBER:
        memcpy(place, &field->value, field->bytes);
        refused("a wrong number", text, field->expected);
        break;
      case F_FLAGS:
        for (index = 0; index < 32; ++index) {
          if ((UINT32_C(1) << index & field->value) != 0) continue;
          set_u32(blocks[at] + field->offset, UINT32_C(1) << index);
          refused("an unknown flag", text, field->expected);
        }
        break;
      case F_FLOATS:
        for (index = 0; index < field->bytes / sizeof(float); ++index) {
          const float wrong[3] = {NAN, INFINITY, -INFINITY};
          for (byte = 0; byte < 3; ++byte) {
            memcpy(blocks[at] + field->offset + index * sizeof(float), &wrong[byte], sizeof(float));
            refused("a number that is none", text, field->expected);
          }
        }
        break;
      case F_POINTER:
        pointer = NULL;
        memcpy(place, &pointer, sizeof pointer);
        refused("null", text, field->expected);
        break;
      case F_TEXT:
        for (index = 0; index < NOT_UTF8; ++index) {
          memcpy(blocks[at] + field->offset, &not_utf8[index], sizeof(char *));
          set_u32(blocks[at] + field->length_offset, (uint32_t)strlen(not_utf8[index]));
          refused("text that is not UTF-8", text, field->expected);
        }
        /* fall through */
      case F_BYTES:
        pointer = NULL;
        memcpy(blocks[at] + field->offset, &pointer, sizeof pointer);
        set_u32(blocks[at] + field->length_offset, 1);
        refused("null and a length", text, THETA_E_NULL);
        set_u32(blocks[at] + field->length_offset, (uint32_t)field->value + 1);
        refused("a length over the limit", text, THETA_E_RANGE);
        set_u32(blocks[at] + field->length_offset, UINT32_MAX);
        refused("the largest length", text, THETA_E_RANGE);
        break;
    }
  }
  for (f = 0; f < RESERVED_FIELDS; ++f) {
    if (strcmp(reserved[f].type, a->type) != 0) continue;
    snprintf(text, sizeof text, "%s.%s", reserved[f].type, reserved[f].name);
    for (byte = 0; byte < reserved[f].bytes; ++byte) {
      blocks[at][reserved[f].offset + byte] = 1;
      refused("something in a reserved field", text, THETA_E_UNSUPPORTED_FIELD);
    }
  }
}

/* A struct of `bytes` and more, of which this library does not know the last. */
static void longer(size_t at, const argument *a, size_t more, int tail) {
  block(at, a->bytes + more);
  memset(blocks[at], tail, a->bytes + more);
  if (a->source != NULL) memcpy(blocks[at], a->source, a->bytes);
  set_u32(blocks[at], (uint32_t)(a->bytes + more));
}

static void sized_in(size_t at, const argument *a) {
  const uint32_t first = first_bytes(a->type);
  size_t byte;
  unsigned char *shifted;
  short_and_long(at, a);
  fields_of(at, a);
  /* A header of tomorrow. */
  for (byte = 0; byte < 12; ++byte) {
    longer(at, a, 12, 0);
    blocks[at][a->bytes + byte] = 1;
    refused("a field that is not known", a->type, THETA_E_UNSUPPORTED_FIELD);
  }
  longer(at, a, 12, 0);
  accepted("a longer struct that asks for nothing more", a->type);
  prepare();
  /* A program of yesterday: the struct ends with its first version. */
  memcpy(block(at, first), a->source, first);
  set_u32(blocks[at], first);
  accepted("the first version", a->type);
  prepare();
  shifted = block(at, a->bytes + 1);
  memcpy(shifted + 1, a->source, a->bytes);
  values[at].p = shifted + 1;
  accepted("an address that is not aligned", a->type);
  prepare();
}

static void sized_out(size_t at, const argument *a) {
  const uint32_t first = first_bytes(a->type);
  uint32_t stated = 0;
  size_t byte;
  short_and_long(at, a);
  set_u32(block(at, first), first);
  accepted("the first version", a->type);
  prepare();
  longer(at, a, 32, FILL);
  if (accepted("a longer struct", a->type)) {
    memcpy(&stated, blocks[at], sizeof stated);
    /* Nothing was there to be written: the size stays the caller's. */
    if (stated != a->bytes + 32 && stated != a->bytes) say("a longer struct", a->type, "struct_size is not what was written");
    for (byte = a->bytes; byte < a->bytes + 32; ++byte) {
      if (blocks[at][byte] != FILL) say("a longer struct", a->type, "bytes that are not known were written");
    }
  }
  prepare();
}

static void element_size(size_t at, const argument *a) {
  const uint32_t first = first_bytes(a->type), wrong[] = {0, 1, first - 1, 65537, UINT32_MAX};
  size_t index;
  for (index = 0; index < sizeof wrong / sizeof wrong[0]; ++index) {
    values[at].u = wrong[index];
    refused("a wrong element size", a->type, THETA_E_STRUCT_SIZE);
  }
  block(at - 1, a->value + 24);
  values[at].u = a->value + 24;
  accepted("larger elements", a->type);
  prepare();
}

static void argument_rules(size_t at) {
  const argument *a = &row->arguments[at];
  const uint64_t wrong_strides[] = {0, a->least - 1, (1 << 20) + 1, UINT64_C(1) << 32, UINT64_C(1) << 63, UINT64_MAX};
  const double wrong_numbers[] = {NAN, INFINITY, -INFINITY};
  /* 64-bit lengths are not cut to 32 bits. */
  const int is_wide = a->rule == LENGTH && shape_of(row)[at] == '8';
  size_t index;
  unsigned char *shifted;
  switch (a->rule) {
    case HANDLE: handles(at, a); break;
    case NUMBER: break;
    case BETWEEN:
      if (a->least > 0) {
        values[at].u = a->least - 1;
        refused("too small a number", NULL, THETA_E_RANGE);
      }
      if (a->most == UINT64_MAX) break;
      values[at].u = a->most + 1;
      refused("too large a number", NULL, THETA_E_RANGE);
      values[at].u = UINT32_MAX;
      refused("the largest number", NULL, THETA_E_RANGE);
      break;
    case FLAGS:
      for (index = 0; index < 32; ++index) {
        if ((UINT32_C(1) << index & a->most) != 0) continue;
        values[at].u = UINT32_C(1) << index;
        refused("an unknown flag", NULL, THETA_E_UNSUPPORTED_FIELD);
      }
      break;
    case REAL:
      for (index = 0; index < 3; ++index) {
        values[at].d = wrong_numbers[index];
        refused("a number that is none", NULL, THETA_E_NAN);
      }
      break;
    case SIZED_IN: null(at, a); sized_in(at, a); break;
    case SIZED_OUT: null(at, a); sized_out(at, a); break;
    case SCALAR_OUT:
      null(at, a);
      shifted = block(at, a->bytes + 1);
      values[at].p = shifted + 1;
      /* What the call made is not looked for at another address. */
      if (row->after == NULL) accepted("an address that is not aligned", NULL);
      prepare();
      break;
    case TEXT:
      null(at, a);
      for (index = 0; index < NOT_UTF8; ++index) {
        const size_t bytes = strlen(not_utf8[index]);
        memcpy(block(at, bytes), not_utf8[index], bytes);
        values[at + 1].u = bytes;
        refused("text that is not UTF-8", NULL, THETA_E_UTF8);
      }
      break;
    case BYTES_IN:
    case KEY:
    case ROWS: null(at, a); break;
    case IDS:
      null(at, a);
      shifted = block(at, a->bytes + 1);
      memcpy(shifted + 1, a->source, a->bytes);
      values[at].p = shifted + 1;
      refused("ids that are not aligned", NULL, THETA_E_RANGE);
      break;
    case BYTES_OUT:
    case ELEMENTS_OUT:
      null(at, a);
      /* Null with no capacity asks how much there is. The capacity is the next argument, or the one after the size. */
      index = a->rule == BYTES_OUT ? at + 1 : at + 2;
      if (row->arguments[index].rule == CAPACITY) {
        values[at].p = NULL;
        values[index].u = 0;
        accepted("null and no capacity", NULL);
        prepare();
        values[index].u = 0;
        accepted("no capacity", NULL);
        for (index = 0; index < block_bytes[at]; ++index) {
          if (blocks[at][index] != FILL) say("no capacity", NULL, "something was written");
        }
        prepare();
      }
      break;
    case LENGTH:
      values[at].u = a->most + 1;
      refused("a length over the limit", NULL, THETA_E_RANGE);
      values[at].u = UINT32_MAX;
      refused("the largest length", NULL, THETA_E_RANGE);
      if (is_wide) {
        values[at].u = UINT64_MAX;
        refused("the largest wide length", NULL, THETA_E_RANGE);
        values[at].u = (UINT64_C(1) << 32) + a->value;
        refused("a length that is right in 32 bits", NULL, THETA_E_RANGE);
      }
      break;
    case CAPACITY:
      /* As much memory as nobody has. What there is fits into what is here. */
      block(row->arguments[at - 1].rule == BYTES_OUT ? at - 1 : at - 2, 65536);
      values[at].u = row->arguments[at - 1].rule == BYTES_OUT ? UINT64_MAX : UINT32_MAX;
      accepted("the largest capacity", NULL);
      prepare();
      break;
    case ELEMENT_SIZE: element_size(at, a); break;
    case STRIDE:
      for (index = 0; index < sizeof wrong_strides / sizeof wrong_strides[0]; ++index) {
        values[at].u = wrong_strides[index];
        refused("a wrong stride", NULL, THETA_E_RANGE);
      }
      break;
    case END: break;
  }
}

/* Every function of the headers has its row with its arguments in the header's order; and there is no row of something
   else. */
static void table_is_complete(void) {
  static const char *const letters = "?RGSWF";
  size_t f, r, at;
  for (f = 0; f < FUNCTIONS; ++f) {
    char shape[MAX_ARGUMENTS + 1] = "";
    for (r = 0; r < ROWS_OF_TABLE && strcmp(functions[f].name, table[r].name) != 0; ++r) {
    }
    for (at = 0; r < ROWS_OF_TABLE && at < arguments_of(&table[r]); ++at) {
      const char expected = at < strlen(functions[f].shape) ? functions[f].shape[at] : '?';
      switch (table[r].arguments[at].rule) {
        case HANDLE: shape[at] = letters[table[r].arguments[at].value == JOINED ? SESSION : table[r].arguments[at].value]; break;
        case REAL: shape[at] = 'd'; break;
        case SIZED_IN:
        case TEXT:
        case BYTES_IN:
        case KEY:
        case IDS: shape[at] = 'i'; break;
        case ROWS: shape[at] = table[r].arguments[at].source != NULL ? 'i' : 'o'; break;
        case SIZED_OUT:
        case SCALAR_OUT:
        case BYTES_OUT:
        case ELEMENTS_OUT: shape[at] = 'o'; break;
        default: shape[at] = expected == '8' ? '8' : '4'; break;
      }
    }
    if (!CHECK(strcmp(shape, functions[f].shape) == 0)) {
      printf("  %s is \"%s\" in the header and \"%s\" in functions.h\n", functions[f].name, functions[f].shape, shape);
    }
    CHECK(strlen(functions[f].class) >= 3);
  }
  CHECK(FUNCTIONS == ROWS_OF_TABLE);
  for (at = 0; at < FIELDS_OF_TABLE; ++at) {
    if (!CHECK(growing[at_of(fields[at].type)].type != NULL)) printf("  there is no %s\n", fields[at].type);
  }
}

#include "misuse_world.h"

int main(void) {
  size_t r, at;
  int k;
  table_is_complete();
  if (!open_world()) return finish();
  for (r = 0; r < ROWS_OF_TABLE; ++r) {
    row = &table[r];
    turn();
    prepare();
    accepted("correct arguments", NULL);
    for (at = 0; at < arguments_of(row); ++at) {
      prepare();
      argument_rules(at);
    }
    prepare();
    accepted("correct arguments after wrong ones", NULL);
  }
  elements_of_descriptions();
  columns_keep_what_is_no_number();
  memory_that_overlaps();

  /* The same slots with other generations: nothing that was forged may reach an object. */
  for (at = 1; at < 4096; ++at) {
    uint32_t number;
    if (theta_session_tick(session_of(live[SESSION] ^ ((uint64_t)at << 16)), &number) != THETA_E_HANDLE_STALE) ++checks_failed;
  }

  /* Texts of every number, and numbers nobody gave out. */
  for (k = -1000; k < 100; ++k) {
    if (strlen(theta_status_text(k)) < 20 || strlen(theta_disconnect_text((uint32_t)(k + 1000))) < 10) ++checks_failed;
  }
  CHECK(PLAINS == 5 && theta_now_ns() <= theta_now_ns());

  /* Afterwards every handle is one of a runtime that is gone. */
  CHECK_OK(theta_runtime_shutdown(runtime_of(live[RUNTIME]), 10000, NULL));
  CHECK_OK(theta_runtime_shutdown(runtime_of(other_runtimes[RUNTIME]), 10000, NULL));
  for (r = 0; r < ROWS_OF_TABLE; ++r) {
    row = &table[r];
    if (row->arguments[0].rule != HANDLE) continue;
    prepare();
    refused("a runtime that was shut down", NULL, THETA_E_SHUT_DOWN);
  }
  for (at = 0; at < MAX_ARGUMENTS; ++at) {
    free(blocks[at]);
    free(before[at]);
  }
  return finish();
}
