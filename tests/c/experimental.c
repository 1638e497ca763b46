/* The experimental header: that its functions do what they say, and what misuse.c cannot ask of them because it takes a
   session in another state or a field of another kind. */
#include <theta/theta_experimental.h>

#include "world.h"

static theta_runtime runtime;
static theta_session host, joined;
static uint64_t component, diverged_component, diverged_field;
static uint32_t repaired;

static void drain(theta_session session) {
  theta_event events[16];
  uint32_t count = 0, index;
  while (theta_session_poll(session, events, sizeof events[0], 16, &count) >= 0 && count > 0) {
    for (index = 0; index < count; ++index) {
      if (session.bits == host.bits && events[index].kind == THETA_EVENT_DIVERGED) {
        diverged_component = events[index].value;
        diverged_field = (uint64_t)events[index].code;
      }
      if (session.bits == joined.bits && events[index].kind == THETA_EVENT_REPAIRED) ++repaired;
    }
    count = 0;
  }
}

static uint32_t state_of(theta_session session) {
  theta_session_info info = THETA_SESSION_INFO_INIT;
  return theta_session_info_get(session, &info) == THETA_OK ? info.state : 0;
}

static uint32_t round_trip_us(void) {
  theta_statistics link = THETA_STATISTICS_INIT;
  return theta_session_statistics(joined, 0, &link) == THETA_OK ? link.rtt_p50_us : 0;
}

/* Ticks and polls every 5 ms, for 30 s at most, until the condition holds. */
#define UNTIL(condition)                                    \
  do {                                                      \
    int turn;                                               \
    for (turn = 0; turn < 6000 && !(condition); ++turn) {   \
      const struct timespec pause = {0, 5000000};           \
      uint32_t tick;                                        \
      CHECK_OK(theta_session_tick(host, &tick));            \
      drain(host);                                          \
      drain(joined);                                        \
      nanosleep(&pause, NULL);                              \
    }                                                       \
    CHECK(condition);                                       \
  } while (0)

int main(void) {
  theta_runtime_config config = THETA_RUNTIME_CONFIG_INIT;
  theta_host_config hosting = THETA_HOST_CONFIG_INIT;
  theta_join_config joining = THETA_JOIN_CONFIG_INIT;
  theta_spawn_desc spawn = THETA_SPAWN_DESC_INIT;
  thetax_link_conditions slow = THETAX_LINK_CONDITIONS_INIT;
  theta_registry registry;
  char ticket[1024];
  uint64_t length = 0, entity = 0;
  uint32_t tick = 0;

  config.abi_version = THETA_ABI_VERSION;
  CHECK_OK(theta_runtime_create(&config, &runtime));
  CHECK_OK(theta_registry_create(runtime, &registry));
  CHECK_OK(add_body(registry, &component));
  hosting.flags = THETA_HOST_DEV_MODE;
  CHECK_OK(theta_session_host(runtime, registry, &hosting, &host));
  spawn.type_id = 1;
  spawn.component_count = 1;
  spawn.component_ids = &component;
  CHECK_OK(theta_entity_spawn(host, &spawn, &entity));
  CHECK_OK(theta_session_tick(host, &tick));
  CHECK(sizeof slow == 24);

  CHECK_OK(theta_session_ticket(host, ticket, sizeof ticket, &length));
  joining.ticket = ticket;
  joining.ticket_length = (uint32_t)length;
  joining.handshake_timeout_ms = HANDSHAKE_MS;
  joining.flags = THETA_JOIN_MANUAL_LOADED;
  CHECK_OK(theta_session_join(runtime, registry, &joining, &joined));
  UNTIL(state_of(joined) == THETA_STATE_ADMITTED);
  CHECK_STATUS(thetax_session_plant_divergence(joined, component, 4), THETA_E_STATE);
  CHECK_OK(theta_session_loaded(joined));
  UNTIL(state_of(joined) == THETA_STATE_LIVE);

  CHECK_STATUS(thetax_session_plant_divergence(joined, component + 1, 4), THETA_E_COMPONENT_UNKNOWN);
  CHECK_STATUS(thetax_session_plant_divergence(joined, component, 7), THETA_E_FIELD_UNKNOWN);
  CHECK_STATUS(thetax_session_plant_divergence(joined, component, 0), THETA_E_FIELD_UNKNOWN);
  CHECK_STATUS(thetax_session_plant_divergence(joined, component, 6), THETA_E_RANGE);
  CHECK_OK(thetax_session_plant_divergence(joined, component, 4));
  UNTIL(diverged_component == component && diverged_field == 4 && repaired == 1);

  slow.latency_us = 15000;
  CHECK_OK(thetax_runtime_condition_links(runtime, &slow));
  /* Both ends are of this runtime: four times the latency in a round trip. */
  UNTIL(round_trip_us() >= 57000);

  CHECK_OK(theta_session_leave(joined));
  CHECK_OK(theta_runtime_shutdown(runtime, 5000, NULL));
  CHECK_STATUS(thetax_runtime_condition_links(runtime, &slow), THETA_E_SHUT_DOWN);
  CHECK_STATUS(thetax_session_plant_divergence(joined, component, 4), THETA_E_SHUT_DOWN);
  return finish();
}
