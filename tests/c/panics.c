/* What a panic of the library costs: a call's panic its session, the runtime's thread its runtime; nothing else, and
   never the program. Links a library that was built with the feature test-panics; run.sh has it run when
   THETA_PANICS_DIR says where that is. */
#include "world.h"

theta_status theta_test_panic_session(theta_session session);
theta_status theta_test_panic_runtime(theta_runtime runtime);

typedef struct {
  theta_runtime runtime;
  theta_registry registry;
  theta_session host, joined;
} side;

static uint64_t component;

static side open_side(void) {
  side made;
  theta_runtime_config config = THETA_RUNTIME_CONFIG_INIT;
  theta_host_config host_config = THETA_HOST_CONFIG_INIT;
  theta_join_config join_config = THETA_JOIN_CONFIG_INIT;
  char ticket[1024];
  uint64_t length = 0;
  memset(&made, 0, sizeof made);
  config.abi_version = THETA_ABI_VERSION;
  host_config.flags = THETA_HOST_DEV_MODE;
  CHECK_OK(theta_runtime_create(&config, &made.runtime));
  CHECK_OK(theta_registry_create(made.runtime, &made.registry));
  CHECK_OK(add_body(made.registry, &component));
  CHECK_OK(theta_session_host(made.runtime, made.registry, &host_config, &made.host));
  CHECK_OK(theta_session_ticket(made.host, ticket, sizeof ticket, &length));
  join_config.ticket = ticket;
  join_config.ticket_length = (uint32_t)length;
  join_config.handshake_timeout_ms = HANDSHAKE_MS;
  CHECK_OK(theta_session_join(made.runtime, made.registry, &join_config, &made.joined));
  return made;
}

static uint32_t state_of(theta_session session) {
  theta_session_info info = THETA_SESSION_INFO_INIT;
  CHECK_OK(theta_session_info_get(session, &info));
  return info.state;
}

/* Polls everything; whether a fault was told, and its text. */
static int is_told(theta_session session, char *text, size_t capacity) {
  theta_event event;
  uint32_t count = 0;
  int told = 0;
  while (theta_session_poll(session, &event, sizeof event, 1, &count) == THETA_OK) {
    uint64_t length = 0;
    if (event.kind != THETA_EVENT_FAULTED) continue;
    CHECK(event.code == THETA_E_PANIC && event.text_length > 0);
    memset(text, 0, capacity);
    CHECK(theta_session_text(session, event.text_id, (uint8_t *)text, capacity - 1, &length) >= 0);
    ++told;
  }
  CHECK(told <= 1);
  return told;
}

static int wait_until_live(const side *side) {
  const uint64_t end = theta_now_ns() + PATIENCE_NS;
  char text[256];
  while (state_of(side->joined) != THETA_STATE_LIVE && theta_now_ns() < end) {
    uint32_t tick;
    CHECK_OK(theta_session_tick(side->host, &tick));
    CHECK(!is_told(side->host, text, sizeof text) && !is_told(side->joined, text, sizeof text));
    sleep_ms(5);
  }
  return state_of(side->joined) == THETA_STATE_LIVE;
}

/* A faulted session answers info, poll and destroy, and nothing else. */
static void is_faulted(theta_session session) {
  uint32_t number = 0;
  theta_frame frame = {0};
  CHECK(state_of(session) == THETA_STATE_FAULTED);
  CHECK_STATUS(theta_session_tick(session, &number), THETA_E_PANIC);
  CHECK_STATUS(theta_session_ticks_due(session, theta_now_ns(), 1, &number), THETA_E_PANIC);
  CHECK_STATUS(theta_session_leave(session), THETA_E_PANIC);
  CHECK_STATUS(theta_session_loaded(session), THETA_E_PANIC);
  CHECK_STATUS(theta_frame_acquire(session, THETA_FRAME_NEWEST, &frame), THETA_E_PANIC);
  CHECK(number == 0 && frame.bits == 0);
}

static void goes_on(const side *side) {
  uint32_t tick;
  char text[256];
  CHECK_OK(theta_session_tick(side->host, &tick));
  CHECK(state_of(side->host) == THETA_STATE_LIVE && state_of(side->joined) == THETA_STATE_LIVE);
  CHECK(!is_told(side->host, text, sizeof text) && !is_told(side->joined, text, sizeof text));
}

static void in_a_call(const side *one, const side *other) {
  theta_error_info info = THETA_ERROR_INFO_INIT;
  theta_frame frame = {0};
  theta_frame_info frame_info = THETA_FRAME_INFO_INIT;
  char text[256] = "";
  CHECK_OK(theta_frame_acquire(one->joined, THETA_FRAME_NEWEST, &frame));
  CHECK_STATUS(theta_test_panic_session(one->joined), THETA_E_PANIC);
  CHECK_OK(theta_last_error(&info));
  CHECK(info.code == THETA_E_PANIC && info.category == THETA_CATEGORY_INTERNAL);
  CHECK(strcmp(info.function, "theta_test_panic_session") == 0 && strstr(info.message, "on purpose, in a call") != NULL);
  is_faulted(one->joined);
  CHECK(is_told(one->joined, text, sizeof text) == 1);
  CHECK(strstr(text, "theta_test_panic_session") != NULL && strstr(text, "on purpose, in a call") != NULL);
  CHECK(is_told(one->joined, text, sizeof text) == 0);
  CHECK_STATUS(theta_test_panic_session(one->joined), THETA_E_PANIC);
  /* What was held stays readable; the host of the same runtime and the other runtime go on. */
  CHECK_OK(theta_frame_info_get(frame, &frame_info));
  CHECK_OK(theta_frame_release(frame));
  CHECK(state_of(one->host) == THETA_STATE_LIVE);
  {
    uint32_t tick;
    CHECK_OK(theta_session_tick(one->host, &tick));
  }
  goes_on(other);
  CHECK_OK(theta_session_destroy(one->joined));
  CHECK_STATUS(theta_test_panic_session(one->joined), THETA_E_HANDLE_STALE);
}

static void in_the_thread(const side *one, const side *other) {
  const uint64_t end = theta_now_ns() + PATIENCE_NS;
  theta_host_config host_config = THETA_HOST_CONFIG_INIT;
  theta_shutdown_report report = THETA_SHUTDOWN_REPORT_INIT;
  theta_session refused = {0};
  const theta_session sessions[2] = {one->host, one->joined};
  int index;
  CHECK_OK(theta_test_panic_runtime(one->runtime));
  for (index = 0; index < 2; ++index) {
    char text[256] = "";
    while (state_of(sessions[index]) != THETA_STATE_FAULTED && theta_now_ns() < end) sleep_ms(1);
    while (!is_told(sessions[index], text, sizeof text) && theta_now_ns() < end) sleep_ms(1);
    CHECK(strstr(text, "on purpose") != NULL && strstr(text, "thread") != NULL);
    is_faulted(sessions[index]);
  }
  host_config.flags = THETA_HOST_DEV_MODE;
  CHECK_STATUS(theta_session_host(one->runtime, one->registry, &host_config, &refused), THETA_E_PANIC);
  CHECK(refused.bits == 0 && strstr(last_message(), "on purpose") != NULL);
  goes_on(other);
  CHECK_OK(theta_runtime_shutdown(one->runtime, 10000, &report));
  CHECK(report.threads_joined == 1 && report.threads_left == 0);
  CHECK_STATUS(theta_session_leave(one->host), THETA_E_SHUT_DOWN);
}

int main(void) {
  side one = open_side(), other = open_side();
  if (!CHECK(wait_until_live(&one) && wait_until_live(&other))) return finish();
  in_a_call(&one, &other);
  {
    side third = open_side();
    CHECK(wait_until_live(&third));
    in_the_thread(&third, &other);
  }
  goes_on(&other);
  CHECK_OK(theta_runtime_shutdown(one.runtime, 10000, NULL));
  CHECK_OK(theta_runtime_shutdown(other.runtime, 10000, NULL));
  return finish();
}
