/* A peer of another build: fewer fields, narrower numbers, one field that the host does not have. It joins as any other,
 * is told what differs, and reads the host's world in its own struct; one whose kinds differ is told the field. */
#include "world.h"

/* What an older program called tests.body. */
typedef struct {
  float position[3];
  uint8_t health;
  uint8_t lives;
} old_body;

static theta_runtime runtime;
static theta_session host, old, other;
static uint32_t mapped, differences, changed, refused;
static char told[1024], reason[1024];

static void keep(theta_session session, const theta_event *event, char *out, size_t capacity) {
  uint64_t length = 0;
  CHECK(theta_session_text(session, event->text_id, (uint8_t *)out, capacity - 1, &length) >= 0);
  out[length < capacity - 1 ? length : capacity - 1] = 0;
}

static void drain(theta_session session) {
  theta_event events[16];
  uint32_t count = 0, index;
  while (theta_session_poll(session, events, sizeof events[0], 16, &count) >= 0 && count > 0) {
    for (index = 0; index < count; ++index) {
      if (session.bits == old.bits && events[index].kind == THETA_EVENT_SCHEMA_MAPPED) {
        ++mapped;
        differences = (uint32_t)events[index].value;
        changed = (uint32_t)events[index].code;
        keep(session, &events[index], told, sizeof told);
      }
      if (session.bits == other.bits && events[index].kind == THETA_EVENT_DISCONNECTED) {
        refused = (uint32_t)events[index].code;
        keep(session, &events[index], reason, sizeof reason);
      }
    }
    count = 0;
  }
}

static uint32_t state_of(theta_session session) {
  theta_session_info info = THETA_SESSION_INFO_INIT;
  return theta_session_info_get(session, &info) == THETA_OK ? info.state : 0;
}

static uint32_t confirmed(theta_session session) {
  theta_session_info info = THETA_SESSION_INFO_INIT;
  return theta_session_info_get(session, &info) == THETA_OK ? info.confirmed_tick : 0;
}

/* Ticks and polls every 5 ms, for 30 s at most, until the condition holds. */
#define UNTIL(condition)                                  \
  do {                                                    \
    int turn;                                             \
    for (turn = 0; turn < 6000 && !(condition); ++turn) { \
      uint32_t now;                                       \
      CHECK_OK(theta_session_tick(host, &now));           \
      drain(host);                                        \
      drain(old);                                         \
      if (other.bits != 0) drain(other);                  \
      sleep_ms(5);                                        \
    }                                                     \
    CHECK(condition);                                     \
  } while (0)

static theta_registry registry_of(theta_field_desc *fields, uint32_t count, size_t size, uint64_t *component) {
  theta_component_desc desc = THETA_COMPONENT_DESC_INIT;
  theta_registry registry;
  CHECK_OK(theta_registry_create(runtime, &registry));
  desc.name = "tests.body";
  desc.name_length = 10;
  desc.fields = fields;
  desc.field_count = count;
  desc.field_size = (uint32_t)sizeof fields[0];
  desc.size_bytes = (uint32_t)size;
  CHECK_OK(theta_registry_add(registry, &desc, component));
  return registry;
}

static theta_registry older(uint64_t *component) {
  theta_field_desc fields[3];
  fields[0] = body_field(1, THETA_KIND_VEC3, offsetof(old_body, position), "position");
  fields[0].minimum = -256.0;
  fields[0].maximum = 256.0;
  fields[0].step = 0.5;
  fields[0].semantic = THETA_SEMANTIC_POINT;
  fields[1] = body_field(4, THETA_KIND_U8, offsetof(old_body, health), "health");
  fields[1].minimum = 0;
  fields[1].maximum = 50;
  fields[2] = body_field(9, THETA_KIND_U8, offsetof(old_body, lives), "lives");
  fields[2].minimum = 0;
  fields[2].maximum = 9;
  fields[2].default_integer = 3;
  return registry_of(fields, 3, sizeof(old_body), component);
}

static theta_session join(theta_registry registry, const char *ticket, uint64_t length) {
  theta_join_config joining = THETA_JOIN_CONFIG_INIT;
  theta_session session = {0};
  joining.ticket = ticket;
  joining.ticket_length = (uint32_t)length;
  joining.handshake_timeout_ms = HANDSHAKE_MS;
  CHECK_OK(theta_session_join(runtime, registry, &joining, &session));
  return session;
}

int main(void) {
  theta_runtime_config config = THETA_RUNTIME_CONFIG_INIT;
  theta_host_config hosting = THETA_HOST_CONFIG_INIT;
  theta_spawn_desc spawn = THETA_SPAWN_DESC_INIT;
  theta_registry registry;
  theta_field_desc wrong;
  theta_frame frame;
  body here;
  old_body there;
  const void *value = &here;
  char ticket[1024];
  uint64_t length = 0, entity = 0, component = 0, same = 0;
  uint32_t tick = 0, count = 0;

  config.abi_version = THETA_ABI_VERSION;
  CHECK_OK(theta_runtime_create(&config, &runtime));
  CHECK_OK(theta_registry_create(runtime, &registry));
  CHECK_OK(add_body(registry, &component));
  hosting.flags = THETA_HOST_DEV_MODE;
  CHECK_OK(theta_session_host(runtime, registry, &hosting, &host));
  memset(&here, 0, sizeof here);
  here.position[0] = 10.2f;
  here.position[1] = -3.9f;
  here.rotation[3] = 1.0f;
  here.health = 80;
  spawn.component_count = 1;
  spawn.component_ids = &component;
  spawn.component_values = &value;
  CHECK_OK(theta_entity_spawn(host, &spawn, &entity));
  CHECK_OK(theta_session_tick(host, &tick));
  CHECK_OK(theta_session_ticket(host, ticket, sizeof ticket, &length));

  old = join(older(&same), ticket, length);
  CHECK(same == component);
  /* The state is known a moment before the events of it are polled. */
  UNTIL(state_of(old) == THETA_STATE_LIVE && mapped != 0);
  CHECK(mapped == 1);
  /* Skipped: rotation, velocity, target, label. Ours: lives. Converted: position, health. */
  CHECK(differences == 7 && changed == 3);
  CHECK(strstr(told, "tests.body.health") != NULL && strstr(told, "tests.body.lives") != NULL);
  CHECK(strchr(told, '\n') != NULL);
  UNTIL(confirmed(old) > tick);

  CHECK_OK(theta_frame_acquire(old, THETA_FRAME_NEWEST, &frame));
  memset(&there, 0, sizeof there);
  CHECK_OK(theta_frame_read(frame, component, 0, 0, &there, sizeof there, 1, &count));
  CHECK(count == 1);
  CHECK(there.position[0] == 10.0f && there.position[1] == -4.0f && there.position[2] == 0.0f);
  CHECK(there.health == 50 && there.lives == 3);
  CHECK_STATUS(theta_frame_read(frame, component, 2, 0, &there, sizeof there, 1, &count), THETA_E_FIELD_UNKNOWN);
  CHECK_OK(theta_frame_release(frame));

  wrong = body_field(4, THETA_KIND_ENTITY, 0, "health");
  other = join(registry_of(&wrong, 1, 8, &same), ticket, length);
  UNTIL(refused != 0);
  CHECK(refused == 34);
  CHECK(strstr(reason, "tests.body.health") != NULL);
  CHECK(state_of(old) == THETA_STATE_LIVE);

  CHECK_OK(theta_session_leave(old));
  CHECK_OK(theta_runtime_shutdown(runtime, 5000, NULL));
  return finish();
}
