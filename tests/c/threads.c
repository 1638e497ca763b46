/* What happens when threads do not keep to the rules, or only just: two that use one session serially, readers, and
   one that destroys what the others use. Nothing may crash, and every status must be one of those that the contract
   names. */
#include <pthread.h>

#include "world.h"

#ifdef THETA_SLOW /* under valgrind, which runs one thread at a time */
#define ROUNDS 500
#else
#define ROUNDS 20000
#endif
/* Uses of the session before it is destroyed. */
#define USES 100

static theta_session host;
static theta_registry registry;
static theta_frame frame;
static uint64_t component;
static int busy[4], done[4], wrong[4];
static pthread_mutex_t uses_lock = PTHREAD_MUTEX_INITIALIZER;
static int uses;

static int used(int more) {
  int now;
  pthread_mutex_lock(&uses_lock);
  uses += more;
  now = uses;
  pthread_mutex_unlock(&uses_lock);
  return now;
}

/* A session-serial call: it works, or somebody else is in one. */
static void *tick(void *argument) {
  const int me = (int)(size_t)argument;
  int round;
  for (round = 0; round < ROUNDS; ++round) {
    uint32_t number = 0;
    const theta_status status = theta_session_tick(host, &number);
    if (status == THETA_OK) ++done[me];
    else if (status == THETA_E_CONCURRENT) ++busy[me];
    else ++wrong[me];
  }
  return NULL;
}

/* Calls from any thread work beside them. */
static void *look(void *argument) {
  const int me = (int)(size_t)argument;
  int round;
  for (round = 0; round < ROUNDS; ++round) {
    theta_session_info info = THETA_SESSION_INFO_INIT;
    theta_frame_info frame_info = THETA_FRAME_INFO_INIT;
    if (theta_session_info_get(host, &info) == THETA_OK && info.state == THETA_STATE_LIVE) ++done[me];
    else ++wrong[me];
    if (theta_frame_info_get(frame, &frame_info) != THETA_OK || frame_info.tick != 1) ++wrong[me];
  }
  return NULL;
}

/* Uses a session until it is gone. */
static void *use_until_gone(void *argument) {
  const int me = (int)(size_t)argument;
  for (;;) {
    theta_write write;
    const theta_status status = theta_write_begin(host, &write);
    if (status == THETA_OK) {
      theta_status end;
      do {
        end = theta_write_commit(write); /* stays open while another thread commits */
      } while (end == THETA_E_CONCURRENT);
      if (end != THETA_OK && end != THETA_E_HANDLE_STALE) ++wrong[me];
      ++done[me];
      used(1);
    } else {
      if (status != THETA_E_HANDLE_STALE) ++wrong[me];
      return NULL;
    }
  }
}

static void *destroy(void *argument) {
  const uint64_t end = theta_now_ns() + PATIENCE_NS;
  (void)argument;
  while (used(0) < USES && theta_now_ns() < end) sleep_ms(1);
  CHECK_OK(theta_session_destroy(host));
  return NULL;
}

/* ---- objects that come and go under everybody's hands ---- */
#define PLACES 4
static theta_runtime shared_runtime;
static uint64_t places[PLACES];
static pthread_mutex_t places_lock = PTHREAD_MUTEX_INITIALIZER;

/* Puts a handle into a place and takes out what was there. */
static uint64_t exchange(int place, uint64_t bits, int put) {
  uint64_t found;
  pthread_mutex_lock(&places_lock);
  found = places[place];
  if (put) places[place] = bits;
  pthread_mutex_unlock(&places_lock);
  return found;
}

static int is_one_of(theta_status status, theta_status one, theta_status two, theta_status three) {
  return status == THETA_OK || status == one || status == two || status == three;
}

/* Creates, uses and destroys registries and their sessions, whoever made them: a finalizer on its own thread is one that
   destroys in the middle of another's call. Ends when the runtime is gone. */
static void *come_and_go(void *argument) {
  const int me = (int)(size_t)argument;
  theta_host_config config = THETA_HOST_CONFIG_INIT;
  unsigned random = (unsigned)me * 2654435761u + 1;
  config.flags = THETA_HOST_DEV_MODE;
  for (;;) {
    theta_registry mine = {0}, theirs;
    theta_session session = {0};
    uint64_t hash = 0, id;
    theta_status status;
    int place;
    random = random * 1664525u + 1013904223u;
    place = (int)(random >> 16) % PLACES;
    status = theta_registry_create(shared_runtime, &mine);
    /* Gone; stale while the shutdown is on its way. */
    if (status == THETA_E_SHUT_DOWN || status == THETA_E_HANDLE_STALE) return NULL;
    if (status != THETA_OK) ++wrong[me];
    theirs.bits = exchange(place, mine.bits, 1);
    if (theirs.bits != 0 && !is_one_of(theta_registry_destroy(theirs), THETA_E_HANDLE_STALE, THETA_E_SHUT_DOWN, THETA_OK)) ++wrong[me];
    theirs.bits = exchange((place + 1) % PLACES, 0, 0);
    if (theirs.bits != 0) {
      /* Two may describe the same component at once, while a third destroys the registry. */
      status = add_body(theirs, &id);
      if (status == THETA_E_CONCURRENT) ++busy[me];
      if (!is_one_of(status, THETA_E_HANDLE_STALE, THETA_E_SHUT_DOWN, THETA_E_CONCURRENT) && status != THETA_E_REGISTRY_SEALED) ++wrong[me];
      status = theta_registry_schema_hash(theirs, &hash);
      if (!is_one_of(status, THETA_E_HANDLE_STALE, THETA_E_SHUT_DOWN, THETA_E_CONCURRENT)) ++wrong[me];
    }
    if (random % 64 == 0) {
      status = theta_session_host(shared_runtime, theirs, &config, &session);
      if (status == THETA_OK) {
        if (!is_one_of(theta_session_destroy(session), THETA_E_SHUT_DOWN, THETA_OK, THETA_OK)) ++wrong[me];
      } else if (!is_one_of(status, THETA_E_HANDLE_STALE, THETA_E_SHUT_DOWN, THETA_E_CONCURRENT) && status != THETA_E_HANDLE_ZERO &&
                 status != THETA_E_LIMIT && status != THETA_E_IO) {
        ++wrong[me];
      }
    }
    ++done[me];
    used(1);
  }
}

/* Ends the runtime under the others, while another thread tries the same. */
static void *end_runtime(void *argument) {
  const uint64_t end = theta_now_ns() + PATIENCE_NS;
  const int me = (int)(size_t)argument;
  theta_status status;
  while (used(0) < ROUNDS / 10 && theta_now_ns() < end) sleep_ms(1);
  status = theta_runtime_shutdown(shared_runtime, 10000, NULL);
  if (status == THETA_OK) ++done[me];
  else if (status != THETA_E_SHUT_DOWN && status != THETA_E_HANDLE_STALE) ++wrong[me];
  return NULL;
}

static void run(void *(*bodies[4])(void *)) {
  pthread_t threads[4];
  int index;
  memset(busy, 0, sizeof busy);
  memset(done, 0, sizeof done);
  memset(wrong, 0, sizeof wrong);
  for (index = 0; index < 4; ++index) pthread_create(&threads[index], NULL, bodies[index], (void *)(size_t)index);
  for (index = 0; index < 4; ++index) pthread_join(threads[index], NULL);
}

int main(void) {
  theta_runtime_config runtime_config = THETA_RUNTIME_CONFIG_INIT;
  theta_host_config host_config = THETA_HOST_CONFIG_INIT;
  theta_shutdown_report report = THETA_SHUTDOWN_REPORT_INIT;
  theta_session_info info = THETA_SESSION_INFO_INIT;
  theta_runtime runtime;
  uint32_t number;
  runtime_config.abi_version = THETA_ABI_VERSION;
  host_config.flags = THETA_HOST_DEV_MODE;
  if (!CHECK_OK(theta_runtime_create(&runtime_config, &runtime))) return finish();
  CHECK_OK(theta_registry_create(runtime, &registry));
  CHECK_OK(add_body(registry, &component));
  if (!CHECK_OK(theta_session_host(runtime, registry, &host_config, &host))) return finish();
  CHECK_OK(theta_session_tick(host, &number));
  CHECK_OK(theta_frame_acquire(host, THETA_FRAME_NEWEST, &frame));

  {
    void *(*bodies[4])(void *) = {tick, tick, look, look};
    run(bodies);
  }
  CHECK(wrong[0] == 0 && wrong[1] == 0 && wrong[2] == 0 && wrong[3] == 0);
  CHECK(done[0] + busy[0] == ROUNDS && done[1] + busy[1] == ROUNDS);
  CHECK(done[2] == ROUNDS && done[3] == ROUNDS);
  /* Every call that succeeded sealed one tick; the others did nothing. */
  CHECK_OK(theta_session_info_get(host, &info));
  CHECK(info.tick == 1 + (uint32_t)(done[0] + done[1]));

  {
    void *(*bodies[4])(void *) = {use_until_gone, use_until_gone, use_until_gone, destroy};
    run(bodies);
  }
  CHECK(wrong[0] == 0 && wrong[1] == 0 && wrong[2] == 0);
  CHECK(done[0] + done[1] + done[2] >= USES);
  CHECK_STATUS(theta_session_tick(host, &number), THETA_E_HANDLE_STALE);
  /* A frame outlives its session. */
  {
    theta_frame_info frame_info = THETA_FRAME_INFO_INIT;
    CHECK_OK(theta_frame_info_get(frame, &frame_info));
    CHECK(frame_info.tick == 1);
    CHECK_OK(theta_frame_release(frame));
  }
  CHECK_OK(theta_runtime_shutdown(runtime, 10000, &report));
  CHECK(report.threads_joined == 1 && report.threads_left == 0);

  CHECK_OK(theta_runtime_create(&runtime_config, &shared_runtime));
  uses = 0;
  {
    void *(*bodies[4])(void *) = {come_and_go, come_and_go, end_runtime, end_runtime};
    run(bodies);
  }
  CHECK(wrong[0] == 0 && wrong[1] == 0 && wrong[2] == 0 && wrong[3] == 0);
  CHECK(done[0] + done[1] >= ROUNDS / 10 && done[2] + done[3] == 1);
  return finish();
}
