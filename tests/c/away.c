/* Going away and coming back, as an application does it whose headset is taken off or which the system puts to sleep: the
   place, what is owned in it and what is held of the world stay for the grace window; after it, or when somebody else comes
   with the same key, there is a clear end. A second process is this program with other arguments. */
#include <sys/wait.h>
#include <unistd.h>

#include <theta/theta_experimental.h>

#include "world.h"

#define AWAY_TIMEOUT 6
#define REPLACED 7
#define RESUME_REFUSED 74

#define GRACE_MS 20000u
#define SHORT_GRACE_MS 1500u
#define ENTITIES 1000
#define OWNED 7

/* A session with what it was told. */
typedef struct {
  theta_session session;
  uint32_t counts[32];
  /* Of the newest event of each kind. */
  int32_t code[32];
  uint64_t value[32];
  uint32_t peer[32];
  uint32_t states[64], state_count;
} side;

static theta_runtime host_runtime, guest_runtime;
static theta_registry host_registry, guest_registry;
static uint64_t component, entities[ENTITIES];
static side host, guest, watcher;
static const char *program;

static void drain(side *one) {
  theta_event events[32];
  uint32_t count = 0, index;
  if (one->session.bits == 0) return;
  while (theta_session_poll(one->session, events, sizeof events[0], 32, &count) >= 0 && count > 0) {
    for (index = 0; index < count; ++index) {
      const theta_event *event = &events[index];
      if (event->kind >= 32) continue;
      ++one->counts[event->kind];
      one->code[event->kind] = event->code;
      one->value[event->kind] = event->value;
      one->peer[event->kind] = event->peer;
      if (event->kind == THETA_EVENT_STATE_CHANGED && one->state_count < 64) {
        one->states[one->state_count++] = (uint32_t)event->code;
      }
    }
  }
}

/* What runs thousands of times counts as a check only when it fails. */
#define MUST(call)                              \
  do {                                          \
    const theta_status found = (call);          \
    if (found < 0) CHECK_STATUS(found, THETA_OK); \
  } while (0)

static theta_session_info info_of(const side *one) {
  theta_session_info info = THETA_SESSION_INFO_INIT;
  MUST(theta_session_info_get(one->session, &info));
  return info;
}

static uint32_t state_of(const side *one) { return info_of(one).state; }

static uint64_t bytes_received(const side *one) {
  theta_statistics link = THETA_STATISTICS_INIT;
  return theta_session_statistics(one->session, 0, &link) == THETA_OK ? link.bytes_received : 0;
}

/* One tick of the host, in which one body moves, and everybody's events. */
static void turn(void) {
  static float height;
  body value;
  theta_write write;
  uint32_t tick;
  memset(&value, 0, sizeof value);
  height = height > 100.0f ? 0.0f : height + 0.25f;
  value.position[1] = height;
  value.rotation[3] = 1.0f;
  MUST(theta_write_begin(host.session, &write));
  MUST(theta_write_rows(write, component, 0, entities, 1, &value, sizeof value, NULL));
  MUST(theta_write_commit(write));
  MUST(theta_session_tick(host.session, &tick));
  drain(&host);
  drain(&guest);
  drain(&watcher);
  sleep_ms(5);
}

static void turns_for(uint32_t ms) {
  const uint64_t end = theta_now_ns() + ms * UINT64_C(1000000);
  while (theta_now_ns() < end) turn();
}

#define UNTIL(condition)                                                        \
  do {                                                                          \
    const uint64_t end_ns = theta_now_ns() + PATIENCE_NS;                       \
    while (!(condition) && theta_now_ns() < end_ns) turn();                     \
    CHECK(condition);                                                           \
  } while (0)

static uint32_t noise(void) {
  static uint32_t state = 12345;
  state = state * 1664525u + 1013904223u;
  return state >> 8;
}

static void open_host(uint32_t grace_ms) {
  theta_host_config config = THETA_HOST_CONFIG_INIT;
  uint32_t index, part, tick;
  memset(&host, 0, sizeof host);
  config.flags = THETA_HOST_DEV_MODE;
  config.resume_grace_ms = grace_ms;
  CHECK_OK(theta_session_host(host_runtime, host_registry, &config, &host.session));
  CHECK(info_of(&host).resume_grace_ms == grace_ms);
  for (index = 0; index < ENTITIES; ++index) {
    theta_spawn_desc spawn = THETA_SPAWN_DESC_INIT;
    const void *values[1];
    body value;
    memset(&value, 0, sizeof value);
    /* Numbers that do not compress: a snapshot is much larger than a handshake and what changes in a second. */
    for (part = 0; part < 3; ++part) {
      value.position[part] = (float)(noise() % 4000u) * 0.125f - 250.0f;
      value.velocity[part] = (float)(noise() % 1000u) * 0.125f - 62.0f;
    }
    value.rotation[3] = 1.0f;
    value.health = (int32_t)(noise() % 100u);
    value.label.length = 16;
    for (part = 0; part < 16; ++part) value.label.text[part] = (char)(33u + noise() % 90u);
    values[0] = &value;
    spawn.component_count = 1;
    spawn.component_ids = &component;
    spawn.component_values = values;
    MUST(theta_entity_spawn(host.session, &spawn, &entities[index]));
  }
  CHECK_OK(theta_session_tick(host.session, &tick));
}

static uint32_t ticket_of_host(char *ticket, uint64_t capacity) {
  uint64_t length = 0;
  CHECK_OK(theta_session_ticket(host.session, ticket, capacity, &length));
  return (uint32_t)length;
}

/* Joins under the key of `who`. */
static void join(side *one, theta_runtime runtime, theta_registry registry, uint8_t who) {
  theta_join_config config = THETA_JOIN_CONFIG_INIT;
  char ticket[1024];
  uint8_t seed[32];
  memset(one, 0, sizeof *one);
  memset(seed, who, sizeof seed);
  config.ticket_length = ticket_of_host(ticket, sizeof ticket);
  config.ticket = ticket;
  config.identity_seed = seed;
  config.handshake_timeout_ms = HANDSHAKE_MS;
  CHECK_OK(theta_session_join(runtime, registry, &config, &one->session));
}

static void close_all(void) {
  if (guest.session.bits != 0) CHECK_OK(theta_session_destroy(guest.session));
  if (watcher.session.bits != 0) CHECK_OK(theta_session_destroy(watcher.session));
  CHECK_OK(theta_session_destroy(host.session));
  memset(&guest, 0, sizeof guest);
  memset(&watcher, 0, sizeof watcher);
}

/* The network of the guest's runtime, as if a cable were drawn. */
static void network(int is_there) {
  thetax_link_conditions conditions = THETAX_LINK_CONDITIONS_INIT;
  conditions.loss_ppm = is_there ? 0 : 1000000;
  CHECK_OK(thetax_runtime_condition_links(guest_runtime, &conditions));
}

static uint32_t owner_of(const side *one, uint64_t entity) {
  static theta_entity_row rows[ENTITIES];
  uint32_t index, count = 0, owner = UINT32_MAX;
  theta_frame frame;
  if (theta_frame_acquire(one->session, THETA_FRAME_NEWEST, &frame) != THETA_OK) return owner;
  MUST(theta_frame_entities(frame, 0, rows, sizeof rows[0], ENTITIES, &count));
  for (index = 0; index < count && index < ENTITIES; ++index) {
    if (rows[index].id == entity) owner = rows[index].owner;
  }
  MUST(theta_frame_release(frame));
  return owner;
}

static uint32_t state_at_host(uint32_t peer) {
  theta_peer_info peers[8];
  uint32_t count = 0, index;
  MUST(theta_session_peers(host.session, peers, sizeof peers[0], 8, &count));
  for (index = 0; index < count && index < 8; ++index) {
    if (peers[index].peer == peer) return peers[index].state;
  }
  return 0;
}

/* Nobody left, nothing came or went, and no world was sent again since these counts. */
static void check_nothing_was_lost(const uint32_t *at_host, const uint32_t *at_guest) {
  CHECK(host.counts[THETA_EVENT_PEER_LEFT] == at_host[THETA_EVENT_PEER_LEFT]);
  CHECK(host.counts[THETA_EVENT_PEER_JOINED] == at_host[THETA_EVENT_PEER_JOINED]);
  CHECK(guest.counts[THETA_EVENT_ADMITTED] == 1 && guest.counts[THETA_EVENT_DISCONNECTED] == 0);
  CHECK(guest.counts[THETA_EVENT_JOIN_PROGRESS] == at_guest[THETA_EVENT_JOIN_PROGRESS]);
  CHECK(guest.counts[THETA_EVENT_ENTITY_SPAWNED] == at_guest[THETA_EVENT_ENTITY_SPAWNED]);
  CHECK(guest.counts[THETA_EVENT_ENTITY_DESPAWNED] == 0 && guest.counts[THETA_EVENT_DIVERGED] == 0);
}

static void the_place_is_kept(void) {
  uint32_t at_host[32], at_guest[32], peer, states, shown;
  uint64_t joined_bytes, before;
  open_host(GRACE_MS);
  join(&guest, guest_runtime, guest_registry, 1);
  join(&watcher, host_runtime, host_registry, 2);
  UNTIL(state_of(&guest) == THETA_STATE_LIVE && state_of(&watcher) == THETA_STATE_LIVE);
  UNTIL(guest.counts[THETA_EVENT_ENTITY_SPAWNED] == ENTITIES);
  turns_for(300);
  joined_bytes = bytes_received(&guest);
  peer = info_of(&guest).local_peer;

  /* How long the place is kept is known from the admission on. */
  CHECK(guest.value[THETA_EVENT_ADMITTED] == GRACE_MS);
  CHECK(info_of(&guest).resume_grace_ms == GRACE_MS);
  CHECK_OK(theta_entity_set_owner(host.session, entities[OWNED], peer));
  UNTIL(owner_of(&guest, entities[OWNED]) == peer);

  /* Resume without suspend: nothing happens. */
  states = guest.state_count;
  CHECK_OK(theta_session_resume(guest.session));
  turns_for(200);
  CHECK(guest.state_count == states && state_of(&guest) == THETA_STATE_LIVE);

  memcpy(at_host, host.counts, sizeof at_host);
  memcpy(at_guest, guest.counts, sizeof at_guest);
  CHECK_OK(theta_session_suspend(guest.session));
  UNTIL(state_of(&guest) == THETA_STATE_AWAY && state_at_host(peer) == THETA_STATE_AWAY);
  UNTIL(host.counts[THETA_EVENT_PEER_AWAY] == 1 && watcher.counts[THETA_EVENT_PEER_AWAY] == 1);
  CHECK(host.peer[THETA_EVENT_PEER_AWAY] == peer && host.value[THETA_EVENT_PEER_AWAY] == GRACE_MS);
  CHECK(watcher.peer[THETA_EVENT_PEER_AWAY] == peer && watcher.value[THETA_EVENT_PEER_AWAY] == GRACE_MS);
  /* Suspended twice is suspended. */
  CHECK_OK(theta_session_suspend(guest.session));
  turns_for(300);
  CHECK(host.counts[THETA_EVENT_PEER_AWAY] == 1 && state_of(&guest) == THETA_STATE_AWAY);
  /* Nothing but heartbeats is sent to nobody, and the last tick stands. */
  shown = info_of(&guest).tick;
  before = bytes_received(&guest);
  turns_for(500);
  CHECK(info_of(&guest).tick == shown);
  CHECK(bytes_received(&guest) - before < 8000);

  before = bytes_received(&guest);
  CHECK_OK(theta_session_resume(guest.session));
  CHECK_OK(theta_session_resume(guest.session));
  UNTIL(state_of(&guest) == THETA_STATE_LIVE && info_of(&guest).tick > shown);
  turns_for(200);
  CHECK(bytes_received(&guest) - before < joined_bytes / 3);
  UNTIL(host.counts[THETA_EVENT_PEER_BACK] == 1 && watcher.counts[THETA_EVENT_PEER_BACK] == 1);
  CHECK(host.peer[THETA_EVENT_PEER_BACK] == peer && state_at_host(peer) == THETA_STATE_LIVE);
  CHECK(info_of(&guest).local_peer == peer && owner_of(&guest, entities[OWNED]) == peer);
  check_nothing_was_lost(at_host, at_guest);
  CHECK(guest.state_count == states + 3 && guest.states[states] == THETA_STATE_AWAY);
  CHECK(guest.states[states + 1] == THETA_STATE_RESUMING && guest.states[states + 2] == THETA_STATE_LIVE);

  /* The network goes while it is away, for longer than a link lives, and comes back before it does. */
  CHECK_OK(theta_session_suspend(guest.session));
  UNTIL(host.counts[THETA_EVENT_PEER_AWAY] == 2);
  network(0);
  turns_for(7000);
  CHECK(state_of(&guest) == THETA_STATE_AWAY && state_at_host(peer) == THETA_STATE_AWAY);
  network(1);
  turns_for(300);
  CHECK(state_of(&guest) == THETA_STATE_AWAY);
  shown = info_of(&guest).tick;
  CHECK_OK(theta_session_resume(guest.session));
  UNTIL(state_of(&guest) == THETA_STATE_LIVE && info_of(&guest).tick > shown);
  turns_for(200);
  /* Another link, so these are all the bytes it took, handshake included. */
  CHECK(bytes_received(&guest) < joined_bytes / 2);
  UNTIL(host.counts[THETA_EVENT_PEER_BACK] == 2 && watcher.counts[THETA_EVENT_PEER_BACK] == 2);
  CHECK(info_of(&guest).local_peer == peer && owner_of(&guest, entities[OWNED]) == peer);
  check_nothing_was_lost(at_host, at_guest);
  CHECK(host.counts[THETA_EVENT_PEER_AWAY] == 2);
}

/* Another process with the same key takes the place: whoever had it is told so, and cannot come back into it. */
static void a_second_process_takes_the_place(int is_away) {
  char ticket[1024], *arguments[4];
  char word[] = "join";
  uint32_t length, left;
  int status = -1;
  pid_t child, ended;
  join(&guest, guest_runtime, guest_registry, 3);
  UNTIL(state_of(&guest) == THETA_STATE_LIVE);
  left = host.counts[THETA_EVENT_PEER_LEFT];
  if (is_away) {
    CHECK_OK(theta_session_suspend(guest.session));
    UNTIL(state_of(&guest) == THETA_STATE_AWAY && state_at_host(info_of(&guest).local_peer) == THETA_STATE_AWAY);
  }
  length = ticket_of_host(ticket, sizeof ticket);
  ticket[length] = 0;
  arguments[0] = (char *)(uintptr_t)program;
  arguments[1] = word;
  arguments[2] = ticket;
  arguments[3] = NULL;
  child = fork();
  if (child == 0) {
    execv(program, arguments);
    _exit(99);
  }
  CHECK(child > 0);
  ended = 0;
  UNTIL(ended != 0 || (ended = waitpid(child, &status, WNOHANG)) != 0);
  CHECK(ended == child);
  CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
  UNTIL(state_of(&guest) == THETA_STATE_CLOSED && guest.counts[THETA_EVENT_DISCONNECTED] == 1);
  CHECK(guest.code[THETA_EVENT_DISCONNECTED] == REPLACED && info_of(&guest).disconnect_code == REPLACED);
  UNTIL(host.counts[THETA_EVENT_PEER_LEFT] >= left + 1);
  CHECK_OK(theta_session_resume(guest.session));
  turns_for(100);
  CHECK(state_of(&guest) == THETA_STATE_CLOSED);
  CHECK_OK(theta_session_destroy(guest.session));
  memset(&guest, 0, sizeof guest);
}

/* The second process: joins, is live, leaves. */
static int be_second_process(char *ticket) {
  theta_runtime_config config = THETA_RUNTIME_CONFIG_INIT;
  theta_join_config joining = THETA_JOIN_CONFIG_INIT;
  theta_session_info info = THETA_SESSION_INFO_INIT;
  theta_session session;
  theta_registry registry;
  uint8_t seed[32];
  const uint64_t end = theta_now_ns() + PATIENCE_NS;
  config.abi_version = THETA_ABI_VERSION;
  memset(seed, 3, sizeof seed);
  joining.ticket = ticket;
  joining.ticket_length = (uint32_t)strlen(ticket);
  joining.identity_seed = seed;
  joining.handshake_timeout_ms = HANDSHAKE_MS;
  if (theta_runtime_create(&config, &guest_runtime) != THETA_OK) return 1;
  if (theta_registry_create(guest_runtime, &registry) != THETA_OK) return 2;
  if (add_body(registry, &component) != THETA_OK) return 3;
  if (theta_session_join(guest_runtime, registry, &joining, &session) != THETA_OK) return 4;
  do {
    sleep_ms(5);
    if (theta_session_info_get(session, &info) != THETA_OK) return 5;
  } while (info.state != THETA_STATE_LIVE && info.state != THETA_STATE_CLOSED && theta_now_ns() < end);
  if (theta_runtime_shutdown(guest_runtime, 5000, NULL) != THETA_OK) return 6;
  return info.state == THETA_STATE_LIVE ? 0 : 7;
}

/* Later than the grace window: a clear end, and a place of its own for whoever joins anew. */
static void too_late(int has_network) {
  uint32_t peer, code;
  open_host(SHORT_GRACE_MS);
  join(&guest, guest_runtime, guest_registry, 4);
  UNTIL(state_of(&guest) == THETA_STATE_LIVE);
  CHECK(info_of(&guest).resume_grace_ms == SHORT_GRACE_MS);
  peer = info_of(&guest).local_peer;
  CHECK_OK(theta_session_suspend(guest.session));
  UNTIL(state_at_host(peer) == THETA_STATE_AWAY);
  if (!has_network) network(0);
  UNTIL(host.counts[THETA_EVENT_PEER_LEFT] == 1);
  CHECK(host.code[THETA_EVENT_PEER_LEFT] == AWAY_TIMEOUT && host.peer[THETA_EVENT_PEER_LEFT] == peer);
  if (!has_network) {
    turns_for(6000);
    CHECK(state_of(&guest) == THETA_STATE_AWAY);
    network(1);
    CHECK_OK(theta_session_resume(guest.session));
  }
  UNTIL(guest.counts[THETA_EVENT_DISCONNECTED] == 1 && state_of(&guest) == THETA_STATE_CLOSED);
  code = info_of(&guest).disconnect_code;
  CHECK(code == (has_network ? AWAY_TIMEOUT : RESUME_REFUSED));
  CHECK(guest.code[THETA_EVENT_DISCONNECTED] == (int32_t)code);
  CHECK_OK(theta_session_destroy(guest.session));
  join(&guest, guest_runtime, guest_registry, 4);
  UNTIL(state_of(&guest) == THETA_STATE_LIVE && guest.counts[THETA_EVENT_ENTITY_SPAWNED] == ENTITIES);
  CHECK(guest.counts[THETA_EVENT_JOIN_PROGRESS] > 0 && host.counts[THETA_EVENT_PEER_JOINED] == 2);
  close_all();
}

int main(int count, char **arguments) {
  theta_runtime_config config = THETA_RUNTIME_CONFIG_INIT;
  theta_shutdown_report report = THETA_SHUTDOWN_REPORT_INIT;
  if (count == 3) return be_second_process(arguments[2]);
  program = arguments[0];
  config.abi_version = THETA_ABI_VERSION;
  if (!CHECK_OK(theta_runtime_create(&config, &host_runtime))) return finish();
  if (!CHECK_OK(theta_runtime_create(&config, &guest_runtime))) return finish();
  CHECK_OK(theta_registry_create(host_runtime, &host_registry));
  CHECK_OK(theta_registry_create(guest_runtime, &guest_registry));
  CHECK_OK(add_body(host_registry, &component));
  CHECK_OK(add_body(guest_registry, &component));

  the_place_is_kept();
  CHECK_OK(theta_session_destroy(guest.session));
  a_second_process_takes_the_place(0);
  a_second_process_takes_the_place(1);
  close_all();
  too_late(1);
  too_late(0);

  CHECK_OK(theta_runtime_shutdown(guest_runtime, 10000, &report));
  CHECK(report.threads_left == 0);
  CHECK_OK(theta_runtime_shutdown(host_runtime, 10000, &report));
  CHECK(report.threads_left == 0);
  return finish();
}
