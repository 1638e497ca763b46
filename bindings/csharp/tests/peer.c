/* A peer in C for LiveCrossTests.cs: declares the components of TestComponents.cs with C's own structs, joins by the
   ticket it is given, and for each tick number it reads prints what that tick (or a later one) holds. */
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <theta/theta.h>
#include <time.h>

typedef struct {
  float position[3], rotation[4], linear_velocity[3];
} demo_cube;

typedef struct {
  int8_t i8;
  int16_t i16;
  int32_t i32;
  int64_t i64;
  uint8_t u8;
  uint16_t u16;
  uint32_t u32;
  uint64_t u64;
  uint16_t flags;
  float f32;
  double f64;
  float v2[2], v3[3], v4[4];
  double d3[3];
  float q[4];
  uint64_t target;
  struct {
    uint32_t length;
    char text[32];
  } label;
  struct {
    uint32_t length;
    uint8_t bytes[64];
  } blob;
  struct {
    uint32_t length;
    float items[6];
  } floats;
  struct {
    uint32_t length;
    int64_t items[3];
  } longs;
} all_kinds;

#define PATIENCE_NS UINT64_C(30000000000)
#define MOST_LANES 256

static theta_field_desc fields[32];
static uint32_t field_count;

/* Ends the program with a line that the other side shows. */
static void fail(const char *what) {
  theta_error_info info = THETA_ERROR_INFO_INIT;
  theta_last_error(&info);
  printf("error %s: %s: %s\n", what, info.function, info.message);
  exit(1);
}

static void ok(theta_status status, const char *what) {
  if (status != THETA_OK) fail(what);
}

static theta_field_desc *field(uint8_t kind, size_t offset, const char *name) {
  theta_field_desc *added = &fields[field_count++];
  memset(added, 0, sizeof *added);
  added->id = (uint16_t)field_count;
  added->kind = kind;
  added->offset_bytes = (uint32_t)offset;
  added->name = name;
  added->name_length = (uint32_t)strlen(name);
  return added;
}

static void range(theta_field_desc *of, double minimum, double maximum, double step) {
  of->minimum = minimum;
  of->maximum = maximum;
  of->step = step;
}

/* A quaternion's default is no rotation. */
static void quat(size_t offset, const char *name, uint8_t bits) {
  theta_field_desc *added = field(THETA_KIND_QUAT, offset, name);
  added->bits = bits;
  added->semantic = THETA_SEMANTIC_ROTATION;
  added->default_number[3] = 1.0;
}

static uint64_t add(theta_registry registry, const char *name, size_t size) {
  theta_component_desc desc = THETA_COMPONENT_DESC_INIT;
  uint64_t component = 0;
  desc.name = name;
  desc.name_length = (uint32_t)strlen(name);
  desc.fields = fields;
  desc.field_count = field_count;
  desc.field_size = (uint32_t)sizeof fields[0];
  desc.size_bytes = (uint32_t)size;
  ok(theta_registry_add(registry, &desc, &component), name);
  field_count = 0;
  return component;
}

static void add_cube(theta_registry registry) {
  theta_field_desc *point = field(THETA_KIND_VEC3, offsetof(demo_cube, position), "position");
  range(point, -32, 31.9990234375, 1.0 / 1024);
  point->semantic = THETA_SEMANTIC_POINT;
  quat(offsetof(demo_cube, rotation), "rotation", 10);
  point = field(THETA_KIND_VEC3, offsetof(demo_cube, linear_velocity), "linear_velocity");
  range(point, -32, 31.984375, 1.0 / 64);
  point->semantic = THETA_SEMANTIC_POINT;
  add(registry, "demo.cube", sizeof(demo_cube));
}

static uint64_t add_all_kinds(theta_registry registry) {
  theta_field_desc *added;
  range(field(THETA_KIND_I8, offsetof(all_kinds, i8), "i8"), -100, 100, 0);
  range(field(THETA_KIND_I16, offsetof(all_kinds, i16), "i16"), -30000, 30000, 0);
  range(field(THETA_KIND_I32, offsetof(all_kinds, i32), "i32"), -1000000, 1000000, 0);
  range(field(THETA_KIND_I64, offsetof(all_kinds, i64), "i64"), -1e12, 1e12, 0);
  range(field(THETA_KIND_U8, offsetof(all_kinds, u8), "u8"), 0, 200, 0);
  range(field(THETA_KIND_U16, offsetof(all_kinds, u16), "u16"), 0, 60000, 0);
  range(field(THETA_KIND_U32, offsetof(all_kinds, u32), "u32"), 0, 4e9, 0);
  range(field(THETA_KIND_U64, offsetof(all_kinds, u64), "u64"), 0, 1e15, 0);
  field(THETA_KIND_FLAGS, offsetof(all_kinds, flags), "flags")->bits = 12;
  range(field(THETA_KIND_F32, offsetof(all_kinds, f32), "f32"), -10, 10, 0.001);
  range(field(THETA_KIND_F64, offsetof(all_kinds, f64), "f64"), -1e6, 1e6, 0.0001);
  range(field(THETA_KIND_VEC2, offsetof(all_kinds, v2), "v2"), -8, 8, 0.01);
  added = field(THETA_KIND_VEC3, offsetof(all_kinds, v3), "v3");
  range(added, -8, 8, 0.01);
  added->semantic = THETA_SEMANTIC_POINT;
  range(field(THETA_KIND_VEC4, offsetof(all_kinds, v4), "v4"), -8, 8, 0.01);
  range(field(THETA_KIND_DVEC3, offsetof(all_kinds, d3), "d3"), -1e6, 1e6, 0.001);
  quat(offsetof(all_kinds, q), "q", 14);
  field(THETA_KIND_ENTITY, offsetof(all_kinds, target), "target");
  field(THETA_KIND_STRING, offsetof(all_kinds, label), "label")->max_length = 32;
  field(THETA_KIND_BYTES, offsetof(all_kinds, blob), "blob")->max_length = 64;
  added = field(THETA_KIND_LIST, offsetof(all_kinds, floats), "floats");
  range(added, -100, 100, 0.5);
  added->element_kind = THETA_KIND_F32;
  added->max_length = 6;
  added = field(THETA_KIND_LIST, offsetof(all_kinds, longs), "longs");
  range(added, -1000, 1000, 0);
  added->element_kind = THETA_KIND_I64;
  added->max_length = 3;
  return add(registry, "test.all_kinds", sizeof(all_kinds));
}

static void hex(const char *name, const void *data, size_t size) {
  const uint8_t *bytes = data;
  size_t index;
  printf("%s ", name);
  for (index = 0; index < size; ++index) printf("%02x", bytes[index]);
  printf("\n");
}

/* The newest frame once it is that tick or a later one. */
static theta_frame frame_at(theta_session session, uint32_t tick) {
  const uint64_t end = theta_now_ns() + PATIENCE_NS;
  const struct timespec pause = {0, 2000000};
  while (theta_now_ns() < end) {
    theta_event events[16];
    theta_frame frame;
    theta_frame_info info = THETA_FRAME_INFO_INIT;
    uint32_t count, index;
    while (theta_session_poll(session, events, sizeof events[0], 16, &count) >= 0 && count > 0) {
      for (index = 0; index < count; ++index) {
        if (events[index].kind == THETA_EVENT_DISCONNECTED) fail(theta_disconnect_text((uint32_t)events[index].code));
      }
    }
    if (theta_frame_acquire(session, THETA_FRAME_NEWEST, &frame) == THETA_OK) {
      ok(theta_frame_info_get(frame, &info), "frame info");
      if (info.tick >= tick) return frame;
      ok(theta_frame_release(frame), "release");
    }
    nanosleep(&pause, NULL);
  }
  fail("the tick did not come");
  return (theta_frame){0};
}

static void print(theta_session session, uint64_t component, uint64_t schema, uint32_t lanes, uint32_t tick) {
  all_kinds row;
  int64_t cells[MOST_LANES];
  uint32_t count = 0;
  theta_frame_info info = THETA_FRAME_INFO_INIT;
  const theta_frame frame = frame_at(session, tick);
  memset(&row, 0, sizeof row);
  memset(cells, 0, sizeof cells);
  ok(theta_frame_info_get(frame, &info), "frame info");
  ok(theta_frame_read(frame, component, 0, 0, &row, sizeof row, 1, &count), "read");
  if (count != 1) fail("there is not one entity");
  ok(theta_frame_read(frame, component, 0, THETA_READ_QUANTISED, cells, lanes * sizeof cells[0], 1, &count), "lanes");
  ok(theta_frame_release(frame), "release");
  hex("bytes", &row, sizeof row);
  hex("lanes", cells, lanes * sizeof cells[0]);
  printf("schema %016" PRIx64 "\nfold %016" PRIx64 "\n", schema, info.fold);
  printf("i8 %d\ni16 %d\ni32 %" PRId32 "\ni64 %" PRId64 "\n", row.i8, row.i16, row.i32, row.i64);
  printf("u8 %u\nu16 %u\nu32 %" PRIu32 "\nu64 %" PRIu64 "\nflags %u\n", row.u8, row.u16, row.u32, row.u64, row.flags);
  printf("f32 %.9g\nf64 %.17g\nv2.x %.9g\nv3.z %.9g\nv4.w %.9g\nd3.x %.17g\nq.y %.9g\n", (double)row.f32, row.f64,
         (double)row.v2[0], (double)row.v3[2], (double)row.v4[3], row.d3[0], (double)row.q[1]);
  printf("target %" PRIu64 "\n", row.target);
  hex("label", row.label.text, row.label.length);
  hex("blob", row.blob.bytes, row.blob.length);
  printf("floats %u\nfloats.1 %.9g\n", row.floats.length, (double)row.floats.items[1]);
  printf("longs %u\nlongs.1 %" PRId64 "\nend\n", row.longs.length, row.longs.items[1]);
  fflush(stdout);
}

int main(int count, char **arguments) {
  theta_runtime_config config = THETA_RUNTIME_CONFIG_INIT;
  theta_join_config join = THETA_JOIN_CONFIG_INIT;
  theta_runtime runtime;
  theta_registry registry;
  theta_session session;
  uint64_t component, schema;
  unsigned tick, lanes;
  if (count != 2) {
    fprintf(stderr, "usage: peer TICKET, then lines \"TICK LANES\"\n");
    return 2;
  }
  config.abi_version = THETA_ABI_VERSION;
  ok(theta_runtime_create(&config, &runtime), "runtime");
  ok(theta_registry_create(runtime, &registry), "registry");
  add_cube(registry);
  component = add_all_kinds(registry);
  ok(theta_registry_schema_hash(registry, &schema), "schema");
  join.ticket = arguments[1];
  join.ticket_length = (uint32_t)strlen(arguments[1]);
  join.name = "in C";
  join.name_length = 4;
  ok(theta_session_join(runtime, registry, &join, &session), "join");
  while (scanf("%u %u", &tick, &lanes) == 2 && lanes > 0 && lanes <= MOST_LANES) {
    print(session, component, schema, lanes, tick);
  }
  return theta_runtime_shutdown(runtime, 2000, NULL) == THETA_OK ? 0 : 1;
}
