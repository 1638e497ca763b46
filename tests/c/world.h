/* What the C tests share: one component with a value of each family, and waiting. */
#ifndef THETA_TESTS_WORLD_H
#define THETA_TESTS_WORLD_H

#include <stddef.h>
#include <time.h>

#include "check.h"

typedef struct {
  float position[3];
  float rotation[4];
  float velocity[3];
  int32_t health;
  uint64_t target;
  struct {
    uint32_t length;
    char text[16];
  } label;
} body;

static inline theta_field_desc body_field(uint16_t id, uint8_t kind, size_t offset, const char *name) {
  theta_field_desc field;
  memset(&field, 0, sizeof field);
  field.id = id;
  field.kind = kind;
  field.offset_bytes = (uint32_t)offset;
  field.name = name;
  field.name_length = (uint32_t)strlen(name);
  return field;
}

static inline theta_status add_body(theta_registry registry, uint64_t *component) {
  theta_field_desc fields[6];
  theta_component_desc desc = THETA_COMPONENT_DESC_INIT;
  fields[0] = body_field(1, THETA_KIND_VEC3, offsetof(body, position), "position");
  fields[0].minimum = -256.0;
  fields[0].maximum = 256.0;
  fields[0].step = 0.001;
  fields[0].semantic = THETA_SEMANTIC_POINT;
  fields[1] = body_field(2, THETA_KIND_QUAT, offsetof(body, rotation), "rotation");
  fields[1].bits = 14;
  fields[1].semantic = THETA_SEMANTIC_ROTATION;
  fields[2] = body_field(3, THETA_KIND_VEC3, offsetof(body, velocity), "velocity");
  fields[2].minimum = -64.0;
  fields[2].maximum = 64.0;
  fields[2].step = 0.01;
  fields[2].semantic = THETA_SEMANTIC_POINT;
  fields[3] = body_field(4, THETA_KIND_I32, offsetof(body, health), "health");
  fields[3].minimum = 0;
  fields[3].maximum = 100;
  fields[3].default_integer = 100;
  fields[4] = body_field(5, THETA_KIND_ENTITY, offsetof(body, target), "target");
  fields[5] = body_field(6, THETA_KIND_STRING, offsetof(body, label), "label");
  fields[5].max_length = 16;
  desc.name = "tests.body";
  desc.name_length = 10;
  desc.fields = fields;
  desc.field_count = 6;
  desc.field_size = (uint32_t)sizeof fields[0];
  desc.size_bytes = (uint32_t)sizeof(body);
  return theta_registry_add(registry, &desc, component);
}

/* How long anything may take on a loaded machine before a test gives it up; and a handshake. */
#ifdef THETA_SLOW
#define PATIENCE_NS UINT64_C(120000000000)
#define HANDSHAKE_MS 60000
#else
#define PATIENCE_NS UINT64_C(30000000000)
#define HANDSHAKE_MS 30000
#endif

static inline void sleep_ms(long ms) {
  struct timespec time;
  time.tv_sec = ms / 1000;
  time.tv_nsec = ms % 1000 * 1000000;
  nanosleep(&time, NULL);
}

#endif
