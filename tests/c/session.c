/* A host in Unity's basis and a peer in Unreal's, in one process over loopback QUIC: join, spawn, write from two
   threads, ticks, frames, sampling, input, events, ownership, leaving, shutdown. Every pose of tests/vectors/basis.json
   crosses and must arrive as the table says. */
#include <math.h>
#include <pthread.h>

#include "world.h"

typedef struct {
  const char *name;
  float position[3], rotation[4], velocity[3];
} pose;

/* basis.inc: OPENXR, UNITY and UNREAL, the columns of tests/vectors/basis.json; run.sh writes it. */
#include "basis.inc"
#define POSES (sizeof UNITY / sizeof UNITY[0])
#define ENTITIES 200

static theta_session host, joined;
static uint64_t component;
static uint32_t counts[64];
static char joined_name[64], admitted_text[64], left_reason[128];
static uint64_t spawned_entity;

static int close_to(float found, float expected, float tolerance) { return fabsf(found - expected) <= tolerance; }

static void text_of(theta_session session, const theta_event *event, char *out, uint64_t capacity) {
  uint64_t length = 0;
  memset(out, 0, capacity);
  CHECK(theta_session_text(session, event->text_id, (uint8_t *)out, capacity - 1, &length) >= 0);
  CHECK(length == event->text_length);
}

/* Everything one side has to say. Counts per kind, host's at +32. */
static void drain(theta_session session) {
  theta_event events[16];
  uint32_t count = 0, index;
  const int is_host = session.bits == host.bits;
  for (;;) {
    const theta_status status = theta_session_poll(session, events, sizeof events[0], 16, &count);
    if (status == THETA_NOTHING_NEW) return;
    if (!CHECK(status == THETA_OK || status == THETA_TRUNCATED) || !CHECK(count >= 1 && count <= 16)) return;
    for (index = 0; index < count; ++index) {
      const theta_event *event = &events[index];
      if (event->kind < 32) ++counts[event->kind + (is_host ? 32 : 0)];
      if (is_host && event->kind == THETA_EVENT_JOIN_REQUEST) {
        char application[64];
        text_of(session, event, application, sizeof application);
        CHECK(strcmp(application, "level 3, please") == 0);
        CHECK_OK(theta_session_admit(session, event->peer, THETA_ROLE_EDITOR, (const uint8_t *)"welcome", 7));
      }
      if (is_host && event->kind == THETA_EVENT_PEER_JOINED) text_of(session, event, joined_name, sizeof joined_name);
      if (is_host && event->kind == THETA_EVENT_PEER_LEFT) text_of(session, event, left_reason, sizeof left_reason);
      if (!is_host && event->kind == THETA_EVENT_ADMITTED) {
        text_of(session, event, admitted_text, sizeof admitted_text);
        CHECK_OK(theta_session_loaded(session));
      }
      if (!is_host && event->kind == THETA_EVENT_ENTITY_SPAWNED) spawned_entity = event->entity;
    }
  }
}

static uint32_t state_of(theta_session session) {
  theta_session_info info = THETA_SESSION_INFO_INIT;
  CHECK_OK(theta_session_info_get(session, &info));
  CHECK(info.struct_size == sizeof info);
  return info.state;
}

/* One turn of both loops. */
static void turn(void) {
  uint32_t sealed;
  CHECK_OK(theta_session_tick(host, &sealed));
  drain(host);
  drain(joined);
  sleep_ms(5);
}

/* Turns until the joined session shows `tick`. */
static int run_until_tick(uint32_t tick) {
  const uint64_t end = theta_now_ns() + PATIENCE_NS;
  while (theta_now_ns() < end) {
    theta_session_info info = THETA_SESSION_INFO_INIT;
    turn();
    CHECK_OK(theta_session_info_get(joined, &info));
    if (info.state == THETA_STATE_LIVE && info.tick >= tick) return 1;
  }
  return 0;
}

/* Turns until so many events of a kind were seen (host's at +32), and then a little: there may be no more. */
static int run_until_seen(uint32_t kind, uint32_t count) {
  const uint64_t end = theta_now_ns() + PATIENCE_NS;
  int round;
  while (counts[kind] < count && theta_now_ns() < end) turn();
  for (round = 0; round < 3; ++round) turn();
  return counts[kind] == count;
}

/* Turns until both clocks know each other, so that there is a tick to show. */
static int run_until_clock(void) {
  const uint64_t end = theta_now_ns() + PATIENCE_NS;
  double tick = 0.0;
  while (tick == 0.0 && theta_now_ns() < end) {
    turn();
    CHECK_OK(theta_session_render_tick(joined, theta_now_ns(), &tick));
  }
  return tick > 0.0;
}

static theta_registry make_registry(theta_runtime runtime) {
  theta_registry registry;
  CHECK_OK(theta_registry_create(runtime, &registry));
  CHECK_OK(add_body(registry, &component));
  return registry;
}

/* ---- one writer of a disjoint range, on its own thread ---- */
typedef struct {
  theta_write write;
  const uint64_t *entities;
  uint32_t first, count;
  theta_status status;
} range;

static void *write_range(void *argument) {
  range *range = argument;
  int32_t health[ENTITIES];
  uint32_t index;
  for (index = 0; index < range->count; ++index) health[index] = (int32_t)(range->first + index) % 90;
  range->status = theta_write_rows(range->write, component, 4, range->entities + range->first, range->count, health,
                                   sizeof health[0], NULL);
  return NULL;
}

static void write_from_two_threads(const uint64_t *entities) {
  range ranges[2];
  pthread_t threads[2];
  theta_write write;
  int index;
  CHECK_OK(theta_write_begin(host, &write));
  for (index = 0; index < 2; ++index) {
    ranges[index].write = write;
    ranges[index].entities = entities;
    ranges[index].first = (uint32_t)index * ENTITIES / 2;
    ranges[index].count = ENTITIES / 2;
    pthread_create(&threads[index], NULL, write_range, &ranges[index]);
  }
  for (index = 0; index < 2; ++index) {
    pthread_join(threads[index], NULL);
    CHECK_STATUS(ranges[index].status, THETA_OK);
  }
  CHECK_OK(theta_write_commit(write));
  CHECK_STATUS(theta_write_commit(write), THETA_E_HANDLE_STALE);
}

static void bad_values_are_counted_not_fatal(const uint64_t *entities) {
  theta_write write;
  theta_write_report report = THETA_WRITE_REPORT_INIT;
  float rows[3][3] = {{1.0f, 2.0f, 3.0f}, {9999.0f, 0.0f, 0.0f}, {0.0f, 0.0f, 0.0f}};
  uint64_t ids[3];
  rows[2][1] = NAN;
  ids[0] = entities[50];
  ids[1] = entities[51];
  ids[2] = entities[52];
  CHECK_OK(theta_write_begin(host, &write));
  CHECK_STATUS(theta_write_rows(write, component, 1, ids, 3, rows, sizeof rows[0], &report), THETA_SOME_CLAMPED);
  CHECK(report.clamped == 1 && report.not_a_number == 1 && report.first_bad_entity == ids[1]);
  CHECK_STATUS(theta_write_rows(write, component + 1, 0, ids, 3, rows, sizeof rows[0], NULL),
               THETA_E_COMPONENT_UNKNOWN);
  CHECK_STATUS(theta_write_rows(write, component, 99, ids, 3, rows, sizeof rows[0], NULL), THETA_E_FIELD_UNKNOWN);
  CHECK_STATUS(theta_write_rows(write, component, 1, ids, 3, rows, 4, NULL), THETA_E_RANGE);
  CHECK_STATUS(theta_write_commit(write), THETA_SOME_CLAMPED);

  /* The totals of a commit: one value that changes, one that is what it was, one entity that is gone. */
  {
    const int32_t same[2] = {77, 77};
    ids[1] = UINT64_C(0x123400000000);
    CHECK_OK(theta_write_begin(host, &write));
    CHECK_OK(theta_write_rows(write, component, 4, ids, 2, same, sizeof same[0], &report));
    CHECK(report.missing == 0 && report.changed == 0);
    CHECK_STATUS(theta_write_commit_report(write, &report), THETA_SOME_MISSING);
    CHECK(report.changed == 1 && report.missing == 1 && report.first_bad_entity == ids[1]);
    CHECK_OK(theta_write_begin(host, &write));
    CHECK_OK(theta_write_rows(write, component, 4, ids, 1, same, sizeof same[0], NULL));
    CHECK_OK(theta_write_commit_report(write, &report));
    CHECK(report.changed == 0);
  }
}

/* The joined side's rows in the frame's own order. */
static uint32_t read_all(theta_frame frame, theta_entity_row *entities, body *bodies, uint32_t capacity) {
  uint32_t count = 0, again = 0;
  CHECK_OK(theta_frame_entities(frame, component, entities, sizeof entities[0], capacity, &count));
  CHECK_OK(theta_frame_read(frame, component, 0, 0, bodies, sizeof bodies[0], capacity, &again));
  CHECK(count == again);
  return count;
}

static void check_replica(const uint64_t *entities) {
  static theta_entity_row rows[ENTITIES + 8];
  static body bodies[ENTITIES + 8];
  static float positions[ENTITIES + 8][3];
  static int64_t lanes[ENTITIES + 8][3];
  theta_frame frame, more[3];
  theta_frame_info info = THETA_FRAME_INFO_INIT;
  uint32_t count, some = 0, index, found = 0;
  CHECK_OK(theta_frame_acquire(joined, THETA_FRAME_NEWEST, &frame));
  CHECK_OK(theta_frame_info_get(frame, &info));
  count = read_all(frame, rows, bodies, ENTITIES + 8);
  CHECK(count == ENTITIES && info.entity_count == ENTITIES);
  CHECK_OK(theta_frame_read(frame, component, 1, 0, positions, sizeof positions[0], ENTITIES + 8, &some));
  CHECK(some == ENTITIES);
  CHECK_OK(theta_frame_read(frame, component, 1, THETA_READ_QUANTISED, lanes, sizeof lanes[0], ENTITIES + 8, &some));
  for (index = 0; index < count; ++index) {
    uint32_t which;
    for (which = 0; which < ENTITIES && entities[which] != rows[index].id; ++which) {
    }
    if (!CHECK(which < ENTITIES)) continue;
    ++found;
    CHECK(memcmp(positions[index], bodies[index].position, sizeof positions[index]) == 0);
    CHECK(bodies[index].health == (int32_t)which % 90);
    CHECK(rows[index].type_id == 40 + which % 3);
    if (which < POSES) {
      const pose *expected = &UNREAL[which];
      const body *seen = &bodies[index];
      float same = 0.0f;
      int part;
      for (part = 0; part < 3; ++part) {
        CHECK(close_to(seen->position[part], expected->position[part], 0.06f));
        CHECK(close_to(seen->velocity[part], expected->velocity[part], 0.6f));
      }
      /* q and -q are one rotation. */
      for (part = 0; part < 4; ++part) same += seen->rotation[part] * expected->rotation[part];
      CHECK(fabsf(same) > 0.99999f);
      /* Quantised lanes are the wire's, never converted: -256 m at lane 0, steps of a millimetre. */
      CHECK(close_to((float)lanes[index][0] * 0.001f - 256.0f, OPENXR[which].position[0], 0.001f));
      CHECK(seen->label.length == 4 && memcmp(seen->label.text, "pose", 4) == 0);
      CHECK(seen->target == entities[0]);
    }
  }
  CHECK(found == ENTITIES);
  {
    uint64_t length = 0;
    uint8_t payload[8];
    CHECK_OK(theta_frame_payload(frame, entities[0], payload, sizeof payload, &length));
    CHECK(length == 3 && memcmp(payload, "abc", 3) == 0);
    CHECK_STATUS(theta_frame_payload(frame, entities[0], payload, 1, &length), THETA_TRUNCATED);
    CHECK(length == 3);
    CHECK_STATUS(theta_frame_payload(frame, UINT64_C(0x123400000000), payload, 8, &length), THETA_E_ENTITY_UNKNOWN);
  }
  CHECK_STATUS(theta_frame_entities(frame, 0, rows, sizeof rows[0], 3, &some), THETA_TRUNCATED);
  CHECK(some == ENTITIES);
  CHECK_OK(theta_entity_set_host_tag(joined, entities[1], 4711));
  CHECK_OK(theta_frame_entities(frame, 0, rows, sizeof rows[0], ENTITIES + 8, &some));
  for (index = 0; index < some; ++index) CHECK(rows[index].host_tag == (rows[index].id == entities[1] ? 4711u : 0u));

  /* Three frames at once, and a release makes room. */
  CHECK_OK(theta_frame_acquire(joined, THETA_FRAME_NEWEST, &more[0]));
  CHECK_OK(theta_frame_acquire(joined, THETA_FRAME_NEWEST, &more[1]));
  CHECK_STATUS(theta_frame_acquire(joined, THETA_FRAME_NEWEST, &more[2]), THETA_E_LIMIT);
  CHECK_OK(theta_frame_release(more[0]));
  CHECK_OK(theta_frame_acquire(joined, THETA_FRAME_NEWEST, &more[2]));
  CHECK_OK(theta_frame_release(more[1]));
  CHECK_OK(theta_frame_release(more[2]));
  CHECK_OK(theta_frame_release(frame));
}

static void check_frames_in_order(void) {
  uint32_t last = 0, seen = 0;
  for (;;) {
    theta_frame frame;
    theta_frame_info info = THETA_FRAME_INFO_INIT;
    const theta_status status = theta_frame_acquire(joined, THETA_FRAME_NEXT, &frame);
    if (status == THETA_NOTHING_NEW) break;
    if (!CHECK_OK(status)) break;
    CHECK_OK(theta_frame_info_get(frame, &info));
    CHECK(info.tick > last);
    last = info.tick;
    ++seen;
    CHECK_OK(theta_frame_release(frame));
  }
  CHECK(seen > 0);
}

static void *sample_elsewhere(void *argument) {
  const uint64_t *entities = argument;
  static body bodies[POSES + 1];
  uint64_t ids[POSES + 1];
  uint8_t results[POSES + 1];
  double tick = 0.0;
  size_t index;
  memcpy(ids, entities, POSES * sizeof ids[0]);
  ids[POSES] = UINT64_C(0x123400000000);
  CHECK_OK(theta_session_render_tick(joined, theta_now_ns(), &tick));
  CHECK(tick > 0.0);
  CHECK_STATUS(theta_session_sample(joined, component, 0, ids, POSES + 1, tick, bodies, sizeof bodies[0], results),
               THETA_SOME_MISSING);
  for (index = 0; index < POSES; ++index) {
    CHECK(results[index] != THETA_SAMPLE_MISSING);
    CHECK(close_to(bodies[index].position[0], UNREAL[index].position[0], 0.06f));
  }
  CHECK(results[POSES] == THETA_SAMPLE_MISSING);
  CHECK_STATUS(theta_session_sample(joined, component, 0, ids, 1, (double)NAN, bodies, sizeof bodies[0], results),
               THETA_E_NAN);
  return NULL;
}

static void check_input(void) {
  theta_input sent = THETA_INPUT_INIT, got = THETA_INPUT_INIT;
  theta_statistics counted = THETA_STATISTICS_INIT;
  const uint64_t end = theta_now_ns() + PATIENCE_NS;
  theta_status status = THETA_NOTHING_NEW;
  int part;
  sent.input_tick = 0;
  sent.sampled_at_us = 1000;
  sent.target_display_us = 12000;
  sent.head.flags = THETA_POSE_VALID | THETA_POSE_TRACKED;
  memcpy(sent.head.position, UNREAL[0].position, sizeof sent.head.position);
  memcpy(sent.head.rotation, UNREAL[0].rotation, sizeof sent.head.rotation);
  sent.buttons = 5;
  sent.axes[0] = 0.5f;
  sent.tail_length = 2;
  sent.tail[0] = 7;
  sent.tail[1] = 8;
  CHECK_STATUS(theta_session_send_input(host, &sent), THETA_E_WRONG_ROLE);
  while (status == THETA_NOTHING_NEW && theta_now_ns() < end) {
    ++sent.input_tick;
    CHECK_OK(theta_session_send_input(joined, &sent));
    turn();
    status = theta_session_input(host, 1, &got);
  }
  CHECK_STATUS(status, THETA_OK);
  CHECK(got.buttons == 5 && got.tail_length == 2 && got.tail[0] == 7 && got.tail[1] == 8);
  CHECK(close_to(got.axes[0], 0.5f, 0.001f) && got.sampled_at_us == 1000 && got.target_display_us == 12000);
  for (part = 0; part < 3; ++part) CHECK(close_to(got.head.position[part], UNITY[0].position[part], 0.001f));
  for (part = 0; part < 4; ++part) CHECK(close_to(got.head.rotation[part], UNITY[0].rotation[part], 0.001f));
  CHECK_STATUS(theta_session_input(host, 77, &got), THETA_E_PEER_UNKNOWN);
  /* Input for a tick much too far ahead is left out, and counted. */
  CHECK_OK(theta_session_statistics(host, 1, &counted));
  CHECK(counted.inputs_refused == 0);
  sent.input_tick += 100000;
  do {
    ++sent.input_tick;
    sent.buttons = 9;
    CHECK_OK(theta_session_send_input(joined, &sent));
    turn();
    CHECK_OK(theta_session_statistics(host, 1, &counted));
  } while (counted.inputs_refused == 0 && theta_now_ns() < end);
  CHECK(counted.inputs_refused > 0 && counted.inputs_received > 0);
  CHECK(theta_session_input(host, 1, &got) >= 0 && got.buttons == 5);
  sent.head.position[1] = NAN;
  CHECK_STATUS(theta_session_send_input(joined, &sent), THETA_E_NAN);
}

static void check_lists(void) {
  theta_peer_info peers[4];
  theta_statistics statistics = THETA_STATISTICS_INIT;
  const uint64_t end = theta_now_ns() + PATIENCE_NS;
  uint32_t count = 0;
  CHECK_OK(theta_session_peers(host, peers, sizeof peers[0], 4, &count));
  CHECK(count == 1 && peers[0].peer == 1 && peers[0].role == THETA_ROLE_EDITOR);
  CHECK(peers[0].name_length == 3 && memcmp(peers[0].name, "Ada", 3) == 0);
  /* Counters are there from the first moment, and up to a tenth of a second old. */
  do {
    turn();
    CHECK_OK(theta_session_statistics(host, 1, &statistics));
  } while ((statistics.packets_sent == 0 || statistics.bytes_sent == 0) && theta_now_ns() < end);
  CHECK(statistics.packets_sent > 0 && statistics.bytes_sent > 0);
  CHECK_STATUS(theta_session_statistics(host, 99, &statistics), THETA_E_PEER_UNKNOWN);
  do {
    turn();
    CHECK_OK(theta_session_statistics(joined, 0, &statistics));
  } while ((statistics.packets_received == 0 || statistics.ticks_complete == 0) && theta_now_ns() < end);
  CHECK(statistics.packets_received > 0 && statistics.ticks_complete > 0);
}

/* A call that fails changes nothing: the registry still takes components, until a session has it. */
static void refusals_leave_the_registry_open(theta_runtime runtime) {
  theta_host_config host_config = THETA_HOST_CONFIG_INIT;
  theta_join_config join_config = THETA_JOIN_CONFIG_INIT;
  theta_component_desc more = THETA_COMPONENT_DESC_INIT;
  theta_field_desc field = body_field(1, THETA_KIND_U8, 0, "letter");
  theta_registry registry;
  theta_session session;
  CHECK_OK(theta_registry_create(runtime, &registry));
  join_config.ticket = "no ticket";
  join_config.ticket_length = 9;
  CHECK_STATUS(theta_session_join(runtime, registry, &join_config, &session), THETA_E_TICKET);
  host_config.flags = THETA_HOST_DEV_MODE;
  host_config.bind_address = "192.0.2.1:0";
  host_config.bind_address_length = 11;
  CHECK_STATUS(theta_session_host(runtime, registry, &host_config, &session), THETA_E_ADDRESS);
  CHECK_OK(add_body(registry, &component));

  host_config.bind_address_length = 0;
  if (!CHECK_OK(theta_session_host(runtime, registry, &host_config, &session))) return;
  more.name = "tests.more";
  more.name_length = 10;
  more.fields = &field;
  more.field_count = 1;
  more.field_size = (uint32_t)sizeof field;
  CHECK_STATUS(theta_registry_add(registry, &more, NULL), THETA_E_REGISTRY_SEALED);
  CHECK_OK(theta_session_destroy(session));
  CHECK_OK(theta_registry_destroy(registry));
}

int main(void) {
  theta_runtime_config runtime_config = THETA_RUNTIME_CONFIG_INIT;
  theta_host_config host_config = THETA_HOST_CONFIG_INIT;
  theta_join_config join_config = THETA_JOIN_CONFIG_INIT;
  theta_shutdown_report report = THETA_SHUTDOWN_REPORT_INIT;
  theta_runtime runtime;
  char ticket[1024];
  uint64_t ticket_length = 0, entities[ENTITIES];
  uint32_t index, tick = 0, due = 99;
  pthread_t thread;

  runtime_config.abi_version = THETA_ABI_VERSION + 1;
  CHECK_STATUS(theta_runtime_create(&runtime_config, &runtime), THETA_E_ABI_MISMATCH);
  runtime_config.abi_version = THETA_ABI_VERSION;
  if (!CHECK_OK(theta_runtime_create(&runtime_config, &runtime))) return finish();
  refusals_leave_the_registry_open(runtime);

  host_config.flags = THETA_HOST_DEV_MODE | THETA_HOST_MANUAL_ADMISSION;
  host_config.bind_address = "127.0.0.1:0";
  host_config.bind_address_length = 11;
  host_config.basis = THETA_BASIS_UNITY;
  if (!CHECK_OK(theta_session_host(runtime, make_registry(runtime), &host_config, &host))) return finish();
  CHECK(state_of(host) == THETA_STATE_LIVE);
  CHECK_OK(theta_session_ticket(host, ticket, sizeof ticket, &ticket_length));
  CHECK(ticket_length > 8 && memcmp(ticket, "theta://", 8) == 0);

  join_config.handshake_timeout_ms = HANDSHAKE_MS;
  join_config.flags = THETA_JOIN_MANUAL_LOADED;
  join_config.ticket = ticket;
  join_config.ticket_length = (uint32_t)ticket_length;
  join_config.basis = THETA_BASIS_UNREAL;
  join_config.name = "Ada";
  join_config.name_length = 3;
  join_config.application = (const uint8_t *)"level 3, please";
  join_config.application_length = 15;
  if (!CHECK_OK(theta_session_join(runtime, make_registry(runtime), &join_config, &joined))) return finish();

  /* Before the peer is there: a world. */
  for (index = 0; index < ENTITIES; ++index) {
    theta_spawn_desc spawn = THETA_SPAWN_DESC_INIT;
    body value;
    const void *values[1];
    memset(&value, 0, sizeof value);
    value.rotation[3] = 1.0f;
    value.health = 1;
    if (index < POSES) {
      memcpy(value.position, UNITY[index].position, sizeof value.position);
      memcpy(value.rotation, UNITY[index].rotation, sizeof value.rotation);
      memcpy(value.velocity, UNITY[index].velocity, sizeof value.velocity);
      value.label.length = 4;
      memcpy(value.label.text, "pose", 4);
      value.target = index == 0 ? 0 : entities[0];
    }
    values[0] = &value;
    spawn.type_id = 40 + index % 3;
    spawn.component_count = 1;
    spawn.component_ids = &component;
    spawn.component_values = values;
    spawn.payload = (const uint8_t *)"abc";
    spawn.payload_length = 3;
    CHECK_OK(theta_entity_spawn(host, &spawn, &entities[index]));
  }
  {
    /* An entity may refer to itself once it has an id. */
    theta_write write;
    CHECK_OK(theta_write_begin(host, &write));
    CHECK_OK(theta_write_rows(write, component, 5, entities, 1, entities, 8, NULL));
    CHECK_OK(theta_write_commit(write));
  }
  write_from_two_threads(entities);
  CHECK_OK(theta_session_tick(host, &tick));
  if (!CHECK(run_until_tick(tick + 5))) return finish();
  CHECK(state_of(joined) == THETA_STATE_LIVE);
  CHECK(run_until_seen(THETA_EVENT_ENTITY_SPAWNED, ENTITIES));
  CHECK(run_until_seen(32 + THETA_EVENT_PEER_LIVE, 1));
  CHECK(counts[32 + THETA_EVENT_JOIN_REQUEST] == 1 && counts[32 + THETA_EVENT_PEER_JOINED] == 1);
  CHECK(strcmp(joined_name, "Ada") == 0 && strcmp(admitted_text, "welcome") == 0);
  CHECK(spawned_entity != 0);
  check_replica(entities);
  CHECK(run_until_tick(tick + 20));
  check_frames_in_order();
  check_lists();

  /* The host's own frame: its values as everybody sees them, in its basis. */
  {
    static theta_entity_row rows[ENTITIES];
    static body bodies[ENTITIES];
    theta_frame frame;
    CHECK_OK(theta_frame_acquire(host, THETA_FRAME_NEWEST, &frame));
    CHECK(read_all(frame, rows, bodies, ENTITIES) == ENTITIES);
    for (index = 0; index < ENTITIES; ++index) {
      if (rows[index].id == entities[1]) CHECK(close_to(bodies[index].position[2], UNITY[1].position[2], 0.001f));
    }
    CHECK_OK(theta_frame_release(frame));
  }

  CHECK(run_until_clock());
  pthread_create(&thread, NULL, sample_elsewhere, entities);
  pthread_join(thread, NULL);
  check_input();
  bad_values_are_counted_not_fatal(entities);

  CHECK_OK(theta_entity_despawn(host, entities[7]));
  CHECK_STATUS(theta_entity_despawn(host, entities[7]), THETA_E_ENTITY_UNKNOWN);
  CHECK_OK(theta_entity_set_owner(host, entities[8], 1));
  CHECK_OK(theta_entity_set_parent(host, entities[9], entities[8]));
  CHECK_STATUS(theta_entity_despawn(joined, entities[9]), THETA_E_WRONG_ROLE);
  CHECK_OK(theta_session_tick(host, &tick));
  CHECK(run_until_tick(tick));
  CHECK(run_until_seen(THETA_EVENT_ENTITY_DESPAWNED, 1));
  CHECK(run_until_seen(THETA_EVENT_OWNER_CHANGED, 1));
  CHECK(run_until_seen(THETA_EVENT_PARENT_CHANGED, 1));
  CHECK(counts[THETA_EVENT_DIVERGED] == 0 && counts[THETA_EVENT_RESYNC] == 0);

  CHECK_OK(theta_session_ticks_due(joined, theta_now_ns(), 4, &due));
  CHECK(due <= 4);

  /* A ticket for one key. */
  {
    theta_ticket_desc desc = THETA_TICKET_DESC_INIT;
    uint8_t seed[32], key[32];
    char issued[1024];
    uint64_t length = 0;
    memset(seed, 3, sizeof seed);
    CHECK_OK(theta_identity_public_key(seed, key));
    desc.role = THETA_ROLE_VIEWER;
    desc.expires_unix_s = UINT64_C(4000000000);
    desc.client_key = key;
    desc.endpoint = "192.0.2.1:4433";
    desc.endpoint_length = 14;
    CHECK_OK(theta_session_issue_ticket(host, &desc, issued, sizeof issued, &length));
    CHECK(length > ticket_length && memcmp(issued, "theta://192.0.2.1:4433/", 23) == 0);
  }

  CHECK_OK(theta_session_leave(joined));
  CHECK(run_until_seen(32 + THETA_EVENT_PEER_LEFT, 1) && left_reason[0] != 0);
  CHECK(run_until_seen(THETA_EVENT_DISCONNECTED, 1));
  CHECK(state_of(joined) == THETA_STATE_CLOSED);
  CHECK_OK(theta_session_destroy(joined));
  CHECK_STATUS(theta_session_tick(joined, &tick), THETA_E_HANDLE_STALE);
  CHECK_OK(theta_runtime_shutdown(runtime, 10000, &report));
  CHECK(report.threads_joined >= 1 && report.threads_left == 0 && report.handles_invalidated >= 3);
  CHECK_STATUS(theta_session_tick(host, &tick), THETA_E_SHUT_DOWN);

  /* A second runtime in the same process, detached. */
  CHECK_OK(theta_runtime_create(&runtime_config, &runtime));
  {
    const uint64_t before = theta_now_ns();
    CHECK_OK(theta_session_host(runtime, make_registry(runtime), &host_config, &host));
    CHECK_OK(theta_runtime_detach(runtime));
    CHECK(theta_now_ns() - before < UINT64_C(2000000000));
  }
  CHECK_STATUS(theta_session_tick(host, &tick), THETA_E_SHUT_DOWN);
  return finish();
}
