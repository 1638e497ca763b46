/* The C tests' harness: counts checks, prints what failed with the library's own words, ends with a countable line. */
#ifndef THETA_TESTS_CHECK_H
#define THETA_TESTS_CHECK_H

#include <stdio.h>
#include <string.h>
#include <theta/theta.h>

static int checks_passed, checks_failed;

/* The last error of this thread as text; valid until the next call. */
static inline const char *last_message(void) {
  static theta_error_info info;
  static char text[640];
  memset(&info, 0, sizeof info);
  info.struct_size = (uint32_t)sizeof info;
  if (theta_last_error(&info) != THETA_OK || info.code == 0) return "no error";
  snprintf(text, sizeof text, "%.*s: %.*s", (int)info.function_length, info.function, (int)info.message_length,
           info.message);
  return text;
}

static inline int check_at(int good, const char *file, int line, const char *what) {
  if (good) {
    ++checks_passed;
  } else {
    ++checks_failed;
    printf("%s:%d: failed: %s (last error: %s)\n", file, line, what, last_message());
  }
  return good;
}

#define CHECK(condition) check_at((condition) != 0, __FILE__, __LINE__, #condition)

/* A call that must return this status. */
static inline int check_status(theta_status found, theta_status expected, const char *file, int line, const char *what) {
  if (found == expected) {
    ++checks_passed;
    return 1;
  }
  ++checks_failed;
  printf("%s:%d: failed: %s is %d (%s), expected %d (last error: %s)\n", file, line, what, found,
         theta_status_text(found), expected, last_message());
  return 0;
}

#define CHECK_STATUS(call, expected) check_status((call), (expected), __FILE__, __LINE__, #call)
#define CHECK_OK(call) CHECK_STATUS(call, THETA_OK)

static inline int finish(void) {
  printf("%d passed, %d failed\n", checks_passed, checks_failed);
  return checks_failed == 0 ? 0 : 1;
}

#endif
