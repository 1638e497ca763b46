/* Codecs: a component whose value here is a struct of bit fields, which no field layout describes. When the functions
   are called and by whom, what they may not do, what a refusal does, and that drop comes once and last. */
#include <pthread.h>
#include <stdlib.h>

#include "world.h"

/* The element: 4 bytes that no theta_field_desc can point into. */
typedef struct {
  unsigned health : 7;
  unsigned armed : 1;
  unsigned team : 3;
  unsigned heading : 11; /* 1024 is straight on */
} soldier;

/* The wire fields as a struct. */
typedef struct {
  uint8_t health;
  uint8_t armed;
  uint8_t team;
  float heading;
} soldier_fields;

#define COUNT 10
#define REFUSED_TEAM 5u
#define REFUSED_HEALTH 99u

/* Which of the library's functions runs now; callbacks look. */
enum { OUTSIDE, POLL, TICK };
static int phase;
static pthread_t caller;

typedef struct {
  int encoded, decoded, dropped;
  int misplaced; /* called outside of poll and tick, by another thread, or after drop */
  int misaligned, wrong_status, is_host;
  theta_session session;
  theta_registry registry;
} context;

/* Everything that a callback must not do. */
static void reenter(context *own) {
  static const char name[] = "tests.soldier";
  theta_event event;
  theta_write write;
  theta_frame frame;
  theta_error_info error = THETA_ERROR_INFO_INIT;
  uint32_t number;
  uint64_t id;
  own->wrong_status += theta_session_tick(own->session, &number) != THETA_E_REENTRANT;
  own->wrong_status += theta_session_poll(own->session, &event, sizeof event, 1, &number) != THETA_E_REENTRANT;
  own->wrong_status += theta_frame_acquire(own->session, THETA_FRAME_NEWEST, &frame) != THETA_E_REENTRANT;
  own->wrong_status += theta_write_begin(own->session, &write) != THETA_E_REENTRANT;
  own->wrong_status += theta_session_destroy(own->session) != THETA_E_REENTRANT;
  own->wrong_status += theta_registry_destroy(own->registry) != THETA_E_REENTRANT;
  own->wrong_status += theta_component_id(name, sizeof name - 1, &id) != THETA_E_REENTRANT;
  own->wrong_status += theta_last_error(&error) != THETA_OK || error.code != THETA_E_REENTRANT;
}

static void seen(context *own, int right_phase, const void *one, const void *other) {
  own->misplaced += phase != right_phase || !pthread_equal(caller, pthread_self()) || own->dropped != 0;
  own->misaligned += (size_t)one % 16 != 0 || (size_t)other % 16 != 0;
  reenter(own);
}

static theta_status encode(void *user_data, uint64_t entity, const void *element, void *value) {
  const soldier *from = element;
  soldier_fields *to = value;
  context *own = user_data;
  seen(own, TICK, element, value);
  ++own->encoded;
  if (entity == 0) ++own->misplaced;
  if (to->health != 100) ++own->misplaced; /* the default */
  to->team = 7;                            /* half done, and not to be seen */
  if (from->team == REFUSED_TEAM) return 7;
  to->health = (uint8_t)from->health;
  to->armed = (uint8_t)from->armed;
  to->team = (uint8_t)from->team;
  to->heading = ((float)from->heading - 1024.0f) / 1024.0f;
  return 0;
}

static theta_status decode(void *user_data, uint64_t entity, const void *value, void *element) {
  const soldier_fields *from = value;
  soldier *to = element;
  context *own = user_data;
  seen(own, own->is_host ? TICK : POLL, element, value);
  ++own->decoded;
  if (entity == 0) ++own->misplaced;
  to->heading = 3; /* half done, and not to be seen */
  if (from->health == REFUSED_HEALTH && !own->is_host) return -9;
  to->health = from->health & 0x7fu;
  to->armed = from->armed & 1u;
  to->team = from->team & 7u;
  to->heading = (unsigned)(from->heading * 1024.0f + 1024.5f) & 0x7ffu;
  return 0;
}

static void drop(void *user_data) {
  context *own = user_data;
  ++own->dropped;
  reenter(own);
}

static theta_field_desc fields[4];

static theta_component_desc described(void) {
  theta_component_desc desc = THETA_COMPONENT_DESC_INIT;
  fields[0] = body_field(1, THETA_KIND_U8, offsetof(soldier_fields, health), "health");
  fields[0].maximum = 100;
  fields[0].default_integer = 100;
  fields[1] = body_field(2, THETA_KIND_FLAGS, offsetof(soldier_fields, armed), "armed");
  fields[1].bits = 1;
  fields[2] = body_field(3, THETA_KIND_U8, offsetof(soldier_fields, team), "team");
  fields[2].maximum = 7;
  fields[3] = body_field(4, THETA_KIND_F32, offsetof(soldier_fields, heading), "heading");
  fields[3].minimum = -1;
  fields[3].maximum = 1;
  fields[3].step = 1.0 / 2048;
  desc.name = "tests.soldier";
  desc.name_length = 13;
  desc.fields = fields;
  desc.field_count = 4;
  desc.field_size = (uint32_t)sizeof fields[0];
  desc.size_bytes = (uint32_t)sizeof(soldier_fields);
  return desc;
}

static theta_codec codec_of(context *own) {
  theta_codec codec = THETA_CODEC_INIT;
  codec.element_bytes = (uint32_t)sizeof(soldier);
  codec.user_data = own;
  codec.encode = encode;
  codec.decode = decode;
  codec.drop = drop;
  return codec;
}

/* Whatever registration says, what it took it drops once. */
static void registration(theta_runtime runtime) {
  theta_component_desc desc = described();
  theta_registry registry, none = {0};
  theta_session host;
  theta_host_config hosting = THETA_HOST_CONFIG_INIT;
  context first = {0}, second = {0};
  theta_codec codec;
  uint64_t id = 0;
  CHECK_OK(theta_registry_create(runtime, &registry));

  /* What cannot be read cannot be dropped. */
  codec = codec_of(&second);
  CHECK_STATUS(theta_registry_add_codec(registry, &desc, NULL, &id), THETA_E_NULL);
  codec.struct_size = 0;
  CHECK_STATUS(theta_registry_add_codec(registry, &desc, &codec, &id), THETA_E_STRUCT_SIZE);
  codec.struct_size = 39;
  CHECK_STATUS(theta_registry_add_codec(registry, &desc, &codec, &id), THETA_E_STRUCT_SIZE);
  CHECK(second.dropped == 0);

#define REFUSED(change, status)                                                     \
  codec = codec_of(&second);                                                        \
  second.dropped = 0;                                                               \
  change;                                                                           \
  CHECK_STATUS(theta_registry_add_codec(registry, &desc, &codec, &id), status);     \
  CHECK(second.dropped == 1)
  REFUSED(codec.encode = NULL, THETA_E_NULL);
  REFUSED(codec.decode = NULL, THETA_E_NULL);
  REFUSED(codec.element_bytes = 0, THETA_E_RANGE);
  REFUSED(codec.element_bytes = 65537, THETA_E_RANGE);
  REFUSED(desc.field_count = 0, THETA_E_COMPONENT_INVALID);
  desc = described();
  REFUSED(fields[3].step = 0, THETA_E_COMPONENT_INVALID);
  desc = described();
  second.dropped = 0;
  codec = codec_of(&second);
  CHECK_STATUS(theta_registry_add_codec(none, &desc, &codec, &id), THETA_E_HANDLE_ZERO);
  CHECK(second.dropped == 1);
  second.dropped = 0;
  CHECK_STATUS(theta_registry_add_codec(registry, NULL, &codec, &id), THETA_E_NULL);
  CHECK(second.dropped == 1 && id == 0);

  codec = codec_of(&first);
  CHECK_OK(theta_registry_add_codec(registry, &desc, &codec, &id));
  CHECK(id != 0);
  REFUSED((void)0, THETA_E_COMPONENT_COLLISION);
  CHECK(strstr(last_message(), "tests.soldier") != NULL);
  CHECK_OK(theta_registry_add(registry, &desc, NULL)); /* the same description is the same component */

  /* A session of it, whose registry takes no more. */
  hosting.flags = THETA_HOST_DEV_MODE;
  CHECK_OK(theta_session_host(runtime, registry, &hosting, &host));
  REFUSED((void)0, THETA_E_REGISTRY_SEALED);
#undef REFUSED
  CHECK_OK(theta_session_destroy(host));
  CHECK(first.dropped == 0);
  CHECK_OK(theta_registry_destroy(registry));
  CHECK(first.dropped == 1);

  /* One that nobody used. */
  first.dropped = 0;
  codec = codec_of(&first);
  CHECK_OK(theta_registry_create(runtime, &registry));
  CHECK_OK(theta_registry_add_codec(registry, &desc, &codec, NULL));
  CHECK(first.dropped == 0);
  CHECK_OK(theta_registry_destroy(registry));
  CHECK(first.dropped == 1 && first.wrong_status == 0 && second.wrong_status == 0);

  /* Without a drop of its own. */
  codec.drop = NULL;
  CHECK_OK(theta_registry_create(runtime, &registry));
  CHECK_OK(theta_registry_add_codec(registry, &desc, &codec, NULL));
  CHECK_OK(theta_registry_destroy(registry));
}

static context host_side, joined_side;
static uint64_t component;
static uint64_t entities[COUNT];
static soldier squad[COUNT];

static uint32_t tick(void) {
  uint32_t number = 0;
  phase = TICK;
  CHECK_OK(theta_session_tick(host_side.session, &number));
  phase = OUTSIDE;
  return number;
}

static theta_event last_refusal;
static char refusal[256];

/* Polls a session dry, and keeps what a codec refused. */
static void poll(context *side) {
  theta_event event;
  uint32_t count = 0;
  for (;;) {
    phase = POLL;
    if (theta_session_poll(side->session, &event, sizeof event, 1, &count) != THETA_OK) break;
    phase = OUTSIDE;
    if (event.kind == THETA_EVENT_CODEC_FAILED) {
      uint64_t length = 0;
      last_refusal = event;
      memset(refusal, 0, sizeof refusal);
      CHECK_OK(theta_session_text(side->session, event.text_id, (uint8_t *)refusal, sizeof refusal - 1, &length));
    }
  }
  phase = OUTSIDE;
}

/* The joined session's frame of this tick or a later one: a tick's datagram may be lost on a busy machine, and what it
   said comes with the next. */
static theta_frame arrived(uint32_t number) {
  const uint64_t end = theta_now_ns() + PATIENCE_NS;
  theta_frame frame = {0};
  while (theta_now_ns() < end) {
    theta_frame_info info = THETA_FRAME_INFO_INIT;
    poll(&joined_side);
    if (theta_frame_acquire(joined_side.session, THETA_FRAME_NEWEST, &frame) == THETA_OK) {
      if (theta_frame_info_get(frame, &info) == THETA_OK && info.tick >= number) return frame;
      theta_frame_release(frame);
    }
    poll(&host_side);
    sleep_ms(10);
    tick();
  }
  CHECK(!"the tick arrived");
  return frame;
}

static theta_status write_squad(const soldier *rows, uint32_t count) {
  theta_write write;
  CHECK_OK(theta_write_begin(host_side.session, &write));
  CHECK_OK(theta_write_rows(write, component, 0, entities, count, rows, sizeof rows[0], NULL));
  return theta_write_commit(write);
}

static int same(const soldier *one, const soldier *other) {
  return one->health == other->health && one->armed == other->armed && one->team == other->team
         && one->heading == other->heading;
}

static void check_squad(theta_frame frame) {
  soldier read[COUNT];
  uint32_t count = 0, index;
  memset(read, 0xee, sizeof read);
  CHECK_OK(theta_frame_read(frame, component, 0, 0, read, sizeof read[0], COUNT, &count));
  CHECK(count == COUNT);
  for (index = 0; index < COUNT; ++index) CHECK(same(&read[index], &squad[index]));
}

static theta_registry side(theta_runtime runtime, context *own) {
  theta_component_desc desc = described();
  const theta_codec codec = codec_of(own);
  CHECK_OK(theta_registry_create(runtime, &own->registry));
  CHECK_OK(theta_registry_add_codec(own->registry, &desc, &codec, &component));
  return own->registry;
}

static void meet(theta_runtime runtime) {
  theta_host_config hosting = THETA_HOST_CONFIG_INIT;
  theta_join_config joining = THETA_JOIN_CONFIG_INIT;
  char ticket[1024];
  uint64_t length = 0;
  host_side.is_host = 1;
  hosting.flags = THETA_HOST_DEV_MODE;
  CHECK_OK(theta_session_host(runtime, side(runtime, &host_side), &hosting, &host_side.session));
  CHECK_OK(theta_session_ticket(host_side.session, ticket, sizeof ticket, &length));
  joining.ticket = ticket;
  joining.ticket_length = (uint32_t)length;
  joining.handshake_timeout_ms = HANDSHAKE_MS;
  CHECK_OK(theta_session_join(runtime, side(runtime, &joined_side), &joining, &joined_side.session));
}

/* Elements go in on one side and come out on the other. */
static void travel(void) {
  uint32_t index, count = 0, number;
  theta_frame frame;
  float headings[COUNT];
  int64_t lanes[COUNT * 4];
  for (index = 0; index < COUNT; ++index) {
    const void *const first = &squad[index];
    theta_spawn_desc spawn = THETA_SPAWN_DESC_INIT;
    squad[index].health = index * 7 & 0x7fu;
    squad[index].armed = index & 1u;
    squad[index].team = index & 3u;
    squad[index].heading = (index * 100 + 574) & 0x7ffu;
    spawn.component_count = 1;
    spawn.component_ids = &component;
    spawn.component_values = &first;
    CHECK_OK(theta_entity_spawn(host_side.session, &spawn, &entities[index]));
  }
  CHECK(host_side.encoded == 0 && host_side.decoded == 0);
  number = tick();
  CHECK(host_side.encoded == COUNT && host_side.decoded == COUNT);
  frame = arrived(number);
  CHECK(joined_side.encoded == 0 && joined_side.decoded == COUNT);
  check_squad(frame);
  /* Fields and lanes are the wire's. */
  CHECK_OK(theta_frame_read(frame, component, 4, 0, headings, sizeof headings[0], COUNT, &count));
  CHECK(headings[0] > -0.4405f && headings[0] < -0.4390f);
  CHECK_OK(theta_frame_read(frame, component, 0, THETA_READ_QUANTISED, lanes, 4 * sizeof lanes[0], COUNT, &count));
  CHECK(lanes[4] == 7);
  CHECK_STATUS(theta_frame_read(frame, component, 0, 0, headings, sizeof(soldier) - 1, COUNT, &count), THETA_E_RANGE);
  CHECK_OK(theta_frame_release(frame));
  /* The host reads what it wrote. */
  CHECK_OK(theta_frame_acquire(host_side.session, THETA_FRAME_NEWEST, &frame));
  check_squad(frame);
  CHECK_OK(theta_frame_release(frame));
}

/* One changes: one is encoded, one is decoded; a frame is there when poll has decoded it. */
static void only_what_changed(void) {
  const uint64_t end = theta_now_ns() + PATIENCE_NS;
  theta_session_info info = THETA_SESSION_INFO_INIT;
  theta_frame frame = {0};
  uint32_t number;
  uint64_t nobody = UINT64_C(1) << 40;
  theta_write write;
  const int encoded = host_side.encoded, decoded = joined_side.decoded;
  squad[0].heading = 500;
  CHECK_OK(write_squad(squad, 1));
  squad[0].heading = 501; /* of two in one tick only the newer counts */
  CHECK_OK(write_squad(squad, 1));
  CHECK(host_side.encoded == encoded);
  number = tick();
  CHECK(host_side.encoded == encoded + 1);
  for (;;) {
    sleep_ms(10);
    CHECK_OK(theta_session_info_get(joined_side.session, &info));
    if (info.tick >= number || theta_now_ns() > end) break;
    tick();
  }
  CHECK(host_side.encoded == encoded + 1);
  CHECK(info.tick >= number);
  CHECK_STATUS(theta_frame_acquire(joined_side.session, THETA_FRAME_NEXT, &frame), THETA_NOTHING_NEW);
  CHECK(joined_side.decoded == decoded);
  poll(&joined_side);
  CHECK(joined_side.decoded == decoded + 1);
  CHECK_OK(theta_frame_acquire(joined_side.session, THETA_FRAME_NEWEST, &frame));
  check_squad(frame);
  CHECK_OK(theta_frame_release(frame));

  CHECK_OK(theta_write_begin(host_side.session, &write));
  CHECK_OK(theta_write_rows(write, component, 0, &nobody, 1, squad, sizeof squad[0], NULL));
  CHECK_STATUS(theta_write_commit(write), THETA_SOME_MISSING);
  CHECK_OK(theta_write_begin(host_side.session, &write));
  CHECK_STATUS(theta_write_rows(write, component, 0, entities, 1, squad, 3, NULL), THETA_E_RANGE);
  CHECK_OK(theta_write_commit(write));
  tick();
  CHECK(host_side.encoded == encoded + 1);
  CHECK_STATUS(theta_session_sample(joined_side.session, component, 0, entities, 1, 1.0, &squad[0], sizeof squad[0], NULL),
               THETA_E_NOT_SAMPLED);
}

/* What is refused keeps its old value, and is counted and named. */
static void refusals(void) {
  theta_statistics before = THETA_STATISTICS_INIT, after = THETA_STATISTICS_INIT;
  soldier bad[3];
  uint32_t number;
  theta_frame frame;
  CHECK_OK(theta_session_statistics(joined_side.session, 0, &before));
  memcpy(bad, squad, sizeof bad);
  bad[0].health = 50;
  bad[1].team = REFUSED_TEAM;
  bad[2].team = REFUSED_TEAM;
  squad[0].health = 50;
  CHECK_OK(write_squad(bad, 3));
  number = tick();
  memset(&last_refusal, 0, sizeof last_refusal);
  poll(&host_side);
  CHECK(last_refusal.kind == THETA_EVENT_CODEC_FAILED && last_refusal.entity == entities[1] && last_refusal.code == 7);
  CHECK(last_refusal.value == component && last_refusal.tick == number);
  CHECK(strstr(refusal, "encode of \"tests.soldier\" refused 2 values") != NULL);
  frame = arrived(number);
  check_squad(frame);
  CHECK_OK(theta_frame_release(frame));

  memcpy(bad, squad, sizeof bad);
  bad[1].health = REFUSED_HEALTH;
  CHECK_OK(write_squad(bad, 3));
  memset(&last_refusal, 0, sizeof last_refusal);
  frame = arrived(tick());
  CHECK(last_refusal.entity == entities[1] && last_refusal.code == -9 && last_refusal.value == component);
  CHECK(strstr(refusal, "decode of \"tests.soldier\" refused 1 values") != NULL);
  check_squad(frame);
  CHECK_OK(theta_frame_release(frame));
  CHECK_OK(theta_session_statistics(joined_side.session, 0, &after));
  CHECK(after.values_nan == before.values_nan + 1);

  /* And comes back with the next value that is none of those. */
  squad[1].health = 98;
  CHECK_OK(write_squad(squad, COUNT));
  frame = arrived(tick());
  check_squad(frame);

  /* The registry, then the session, then the last frame: only that ends the codec. */
  CHECK_OK(theta_registry_destroy(joined_side.registry));
  CHECK_OK(theta_session_destroy(joined_side.session));
  CHECK(joined_side.dropped == 0);
  check_squad(frame);
  CHECK_OK(theta_frame_release(frame));
  CHECK(joined_side.dropped == 1);
}

int main(void) {
  theta_runtime_config config = THETA_RUNTIME_CONFIG_INIT;
  theta_runtime runtime;
  caller = pthread_self();
  config.abi_version = THETA_ABI_VERSION;
  if (!CHECK_OK(theta_runtime_create(&config, &runtime))) return finish();
  registration(runtime);
  meet(runtime);
  travel();
  only_what_changed();
  refusals();
  CHECK(host_side.dropped == 0);
  CHECK_OK(theta_runtime_shutdown(runtime, 5000, NULL));
  CHECK(host_side.dropped == 1 && joined_side.dropped == 1);
  CHECK(host_side.misplaced == 0 && host_side.misaligned == 0 && host_side.wrong_status == 0);
  CHECK(joined_side.misplaced == 0 && joined_side.misaligned == 0 && joined_side.wrong_status == 0);
  CHECK(host_side.encoded > COUNT && joined_side.encoded == 0);
  return finish();
}
