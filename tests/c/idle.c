/* A session that has nothing to do does nothing. Where it stands must not matter: waiting for peers, for an answer of
   the application, for a level to load, for the first tick. A wake-up that is always due costs a thousand turns a
   second (the timer's grain) or a whole core, and fails no test of behaviour; so this one counts how often threads
   went to sleep, and processor time. */
#include <sys/resource.h>
#include <time.h>

#include "world.h"

/* How long is looked, and what that may cost. Being idle is 60 to 150 sleeps a second, most of them this test's own and
   the heartbeats', and about one percent of a core in a debug build. */
#define LOOK_MS 400
#define MOST_SLEEPS_PER_S 400
#ifdef THETA_SLOW /* under valgrind, which takes tens of times the processor and none the more sleeps */
#define MOST_PERCENT 100
#else
#define MOST_PERCENT 25
#endif

static theta_session host, joined;
static uint32_t asked, admitted, left;

static void drain(theta_session session) {
  theta_event events[8];
  uint32_t count = 0, index;
  if (session.bits == 0) return;
  while (theta_session_poll(session, events, sizeof events[0], 8, &count) >= 0 && count > 0) {
    for (index = 0; index < count; ++index) {
      if (events[index].kind == THETA_EVENT_JOIN_REQUEST) asked = events[index].peer;
      if (events[index].kind == THETA_EVENT_ADMITTED) admitted = 1;
      if (events[index].kind == THETA_EVENT_DISCONNECTED) left = 1;
    }
  }
}

static int wait_for(const uint32_t *flag) {
  const uint64_t end = theta_now_ns() + PATIENCE_NS;
  while (*flag == 0 && theta_now_ns() < end) {
    drain(host);
    drain(joined);
    sleep_ms(2);
  }
  return *flag != 0;
}

static int wait_for_live(void) {
  const uint64_t end = theta_now_ns() + PATIENCE_NS;
  theta_session_info info = THETA_SESSION_INFO_INIT;
  while (info.state != THETA_STATE_LIVE && theta_now_ns() < end) {
    drain(host);
    drain(joined);
    sleep_ms(2);
    CHECK_OK(theta_session_info_get(joined, &info));
  }
  return info.state == THETA_STATE_LIVE;
}

static uint64_t sleeps(void) {
  struct rusage usage;
  return CHECK(getrusage(RUSAGE_SELF, &usage) == 0) ? (uint64_t)usage.ru_nvcsw : 0;
}

static void is_idle(const char *where) {
  const uint64_t from = theta_now_ns(), slept_before = sleeps();
  const clock_t before = clock();
  uint64_t looked_ms, spent_ms, slept;
  do {
    sleep_ms(20);
    drain(host);
    drain(joined);
    looked_ms = (theta_now_ns() - from) / 1000000;
  } while (looked_ms < LOOK_MS);
  spent_ms = (uint64_t)(clock() - before) * 1000 / CLOCKS_PER_SEC;
  slept = sleeps() - slept_before;
  if (!CHECK(slept * 1000 <= looked_ms * MOST_SLEEPS_PER_S) || !CHECK(spent_ms * 100 <= looked_ms * MOST_PERCENT)) {
    printf("  %s: %u sleeps and %u ms of processor in %u ms\n", where, (unsigned)slept, (unsigned)spent_ms,
           (unsigned)looked_ms);
  }
}

int main(void) {
  theta_runtime_config runtime_config = THETA_RUNTIME_CONFIG_INIT;
  theta_host_config host_config = THETA_HOST_CONFIG_INIT;
  theta_join_config join_config = THETA_JOIN_CONFIG_INIT;
  theta_shutdown_report report = THETA_SHUTDOWN_REPORT_INIT;
  theta_runtime runtime;
  theta_registry registry;
  char ticket[1024];
  uint64_t component, ticket_length = 0;
  uint32_t tick;
  runtime_config.abi_version = THETA_ABI_VERSION;
  if (!CHECK_OK(theta_runtime_create(&runtime_config, &runtime))) return finish();
  is_idle("a runtime alone");
  CHECK_OK(theta_registry_create(runtime, &registry));
  CHECK_OK(add_body(registry, &component));
  host_config.flags = THETA_HOST_DEV_MODE | THETA_HOST_MANUAL_ADMISSION;
  if (!CHECK_OK(theta_session_host(runtime, registry, &host_config, &host))) return finish();
  is_idle("a host without peers");

  CHECK_OK(theta_session_ticket(host, ticket, sizeof ticket, &ticket_length));
  join_config.flags = THETA_JOIN_MANUAL_LOADED;
  join_config.ticket = ticket;
  join_config.ticket_length = (uint32_t)ticket_length;
  join_config.handshake_timeout_ms = HANDSHAKE_MS;
  if (!CHECK_OK(theta_session_join(runtime, registry, &join_config, &joined))) return finish();
  CHECK(wait_for(&asked));
  is_idle("a peer that waits for admission");
  CHECK_OK(theta_session_admit(host, asked, THETA_ROLE_EDITOR, NULL, 0));
  CHECK(wait_for(&admitted));
  is_idle("a peer that loads its level");
  CHECK_OK(theta_session_loaded(joined));
  is_idle("a peer that waits for the first tick");
  CHECK_OK(theta_session_tick(host, &tick));
  CHECK(wait_for_live());
  is_idle("a live session without ticks");
  CHECK_OK(theta_session_kick(host, asked, "enough", 6));
  CHECK(wait_for(&left));
  is_idle("after a peer was removed");
  CHECK_OK(theta_runtime_shutdown(runtime, 10000, &report));
  CHECK(report.threads_left == 0);
  return finish();
}
