/* A call as data: what a function's arguments are, so that misuse.c can put every wrong value into each of them. */
#ifndef THETA_TESTS_CALL_H
#define THETA_TESTS_CALL_H

#include "world.h"

#define MAX_ARGUMENTS 10

/* What is passed for one argument. */
typedef struct {
  uint64_t u;
  double d;
  unsigned char *p;
} value;

typedef enum {
  END,
  HANDLE,       /* `value` is the kind */
  NUMBER,       /* any number is fine */
  BETWEEN,      /* `value`, and it is refused outside of `least` to `most` */
  FLAGS,        /* bits outside of `known` are refused */
  REAL,         /* must be finite */
  SIZED_IN,     /* a struct with struct_size, copied from `source` */
  SIZED_OUT,    /* a struct with struct_size */
  SCALAR_OUT,   /* `bytes` */
  TEXT,         /* of the length that the next argument says */
  BYTES_IN,     /* likewise */
  KEY,          /* `bytes` that are read */
  IDS,          /* uint64_t[count], which must be aligned */
  ROWS,         /* memory with a stride, in or out */
  BYTES_OUT,    /* of the capacity that the next argument says; null with 0 asks */
  ELEMENTS_OUT, /* structs of an element size; null with capacity 0 asks */
  LENGTH,       /* at most `most` */
  CAPACITY,     /* any number is fine: no more is written than there is */
  ELEMENT_SIZE, /* of `type` */
  STRIDE        /* at least `least`, at most 1 MiB */
} rule;

typedef struct {
  rule rule;
  int optional;        /* may be null */
  const char *type;    /* of a struct */
  const void *source;  /* what is read */
  size_t bytes;        /* of the memory behind a pointer */
  uint64_t value, least, most;
} argument;

/* Kinds of handles. JOINED is a session handle of the other role. */
enum { RUNTIME = 1, REGISTRY, SESSION, WRITE, FRAME, KINDS, JOINED = KINDS, LIVE };

/* A function of the header. */
typedef struct {
  const char *name;
  theta_status (*call)(const value *v);
  /* What correct arguments give: 0 = any status that is no error, else this error. */
  theta_status good;
  /* Gives the call an object of its own when it ends one; ends what a call has made. Either may be null. */
  void (*before)(value *v);
  void (*after)(value *v);
  argument arguments[MAX_ARGUMENTS];
} function;

#define A_RUNTIME {.rule = HANDLE, .value = RUNTIME}
#define A_REGISTRY {.rule = HANDLE, .value = REGISTRY}
#define A_HOST {.rule = HANDLE, .value = SESSION}
#define A_JOINED {.rule = HANDLE, .value = JOINED}
/* A host's or a joined one. */
#define A_SESSION {.rule = HANDLE, .value = SESSION, .optional = 1}
#define A_JOINED_OR_HOST {.rule = HANDLE, .value = JOINED, .optional = 1}
#define A_WRITE {.rule = HANDLE, .value = WRITE}
#define A_FRAME {.rule = HANDLE, .value = FRAME}
#define A_NUMBER(number) {.rule = NUMBER, .value = (number)}
#define A_BETWEEN(number, low, high) {.rule = BETWEEN, .value = (number), .least = (low), .most = (high)}
#define A_AT_LEAST(number) {.rule = BETWEEN, .value = (number), .least = (number), .most = UINT64_MAX}
#define A_FLAGS(known) {.rule = FLAGS, .most = (known)}
#define A_REAL {.rule = REAL}
#define A_IN(name, from) {.rule = SIZED_IN, .type = #name, .source = (from), .bytes = sizeof(name)}
#define A_OUT(name) {.rule = SIZED_OUT, .type = #name, .bytes = sizeof(name)}
#define A_OUT_OPTIONAL(name) {.rule = SIZED_OUT, .type = #name, .bytes = sizeof(name), .optional = 1}
#define A_SCALAR(name) {.rule = SCALAR_OUT, .bytes = sizeof(name)}
#define A_SCALAR_OPTIONAL(name) {.rule = SCALAR_OUT, .bytes = sizeof(name), .optional = 1}
#define A_TEXT(text) {.rule = TEXT, .source = (text), .bytes = sizeof(text) - 1}
#define A_BYTES(text) {.rule = BYTES_IN, .source = (text), .bytes = sizeof(text) - 1}
#define A_LENGTH(text, limit) {.rule = LENGTH, .value = sizeof(text) - 1, .most = (limit)}
#define A_KEY(from) {.rule = KEY, .source = (from), .bytes = 32}
#define A_KEY_OUT {.rule = SCALAR_OUT, .bytes = 32}
#define A_IDS(from) {.rule = IDS, .source = (from), .bytes = sizeof(uint64_t)}
#define A_COUNT {.rule = LENGTH, .value = 1, .most = 1048576}
#define A_ROWS_IN(from) {.rule = ROWS, .source = &(from), .bytes = sizeof(from)}
#define A_ROWS_OUT(type) {.rule = ROWS, .bytes = sizeof(type)}
#define A_STRIDE(type) {.rule = STRIDE, .value = sizeof(type), .least = sizeof(type)}
#define A_CODES_OUT {.rule = SCALAR_OUT, .bytes = 1, .optional = 1}
#define A_BUFFER(capacity) {.rule = BYTES_OUT, .bytes = (capacity)}
#define A_CAPACITY(capacity) {.rule = CAPACITY, .value = (capacity)}
#define A_ELEMENTS(name) {.rule = ELEMENTS_OUT, .type = #name, .bytes = sizeof(name)}
#define A_ELEMENT_SIZE(name) {.rule = ELEMENT_SIZE, .type = #name, .value = sizeof(name)}

/* A field of a struct that is read, and what may not stand in it. */
typedef enum { F_TEXT, F_BYTES, F_NUMBER, F_FLAGS, F_FLOATS, F_POINTER } field_rule;

typedef struct {
  field_rule rule;
  const char *type, *name;
  size_t offset;        /* of the field; of the pointer for texts and bytes */
  size_t length_offset; /* texts and bytes: of their length */
  size_t bytes;         /* numbers: 4 or 8; floats: of all of them */
  uint64_t value;       /* numbers: the wrong one; flags: the known ones; texts: the limit */
  theta_status expected;
} field;

#define FIELD_TEXT(type, name, limit) \
  {F_TEXT, #type, #name, offsetof(type, name), offsetof(type, name##_length), 4, (limit), THETA_E_UTF8}
#define FIELD_BYTES(type, name, length, limit) \
  {F_BYTES, #type, #name, offsetof(type, name), offsetof(type, length), 4, (limit), THETA_E_RANGE}
#define FIELD_NUMBER(type, name, wrong, status) \
  {F_NUMBER, #type, #name, offsetof(type, name), 0, sizeof(((type *)0)->name), (wrong), (status)}
#define FIELD_FLAGS(type, name, known) \
  {F_FLAGS, #type, #name, offsetof(type, name), 0, 4, (known), THETA_E_UNSUPPORTED_FIELD}
#define FIELD_FLOATS(type, name) \
  {F_FLOATS, #type, #name, offsetof(type, name), 0, sizeof(((type *)0)->name), 0, THETA_E_NAN}
/* An address that must not be null. */
#define FIELD_POINTER(type, name) {F_POINTER, #type, #name, offsetof(type, name), 0, 0, 0, THETA_E_NULL}

#endif
