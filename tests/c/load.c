/* What an editor does to a library: it is closed while it runs and loaded again, it is told to end at once, and the
   process forks. Links nothing of the library: it is opened by name, as a plug-in is. */
#include <dlfcn.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "world.h"

/* At most this for a detach, the editor's patience for a domain reload. */
#define DETACH_MS 50

/* The functions that are used here, by their names. */
static struct {
  theta_status (*runtime_create)(const theta_runtime_config *, theta_runtime *);
  theta_status (*runtime_shutdown)(theta_runtime, uint32_t, theta_shutdown_report *);
  theta_status (*runtime_detach)(theta_runtime);
  theta_status (*registry_create)(theta_runtime, theta_registry *);
  theta_status (*registry_add)(theta_registry, const theta_component_desc *, uint64_t *);
  theta_status (*session_host)(theta_runtime, theta_registry, const theta_host_config *, theta_session *);
  theta_status (*session_tick)(theta_session, uint32_t *);
  theta_status (*session_info_get)(theta_session, theta_session_info *);
  theta_status (*entity_spawn)(theta_session, const theta_spawn_desc *, uint64_t *);
  theta_status (*last_error)(theta_error_info *);
  uint64_t (*now_ns)(void);
} api;

/* The harness and world.h call what is linked; nothing is, so these pass on. */
theta_status theta_last_error(theta_error_info *out) { return api.last_error(out); }
const char *theta_status_text(theta_status status) { return status < 0 ? "an error" : "no error"; }
theta_status theta_registry_add(theta_registry registry, const theta_component_desc *desc, uint64_t *id) {
  return api.registry_add(registry, desc, id);
}

static void *open_library(void) {
  void *library = dlopen(getenv("THETA_LIBRARY"), RTLD_NOW | RTLD_LOCAL);
  if (!CHECK(library != NULL)) {
    printf("%s\n", dlerror());
    exit(finish());
  }
/* A data pointer as a function pointer, as POSIX has it. */
#define LOAD(name) *(void **)(void *)&api.name = dlsym(library, "theta_" #name)
  LOAD(runtime_create);
  LOAD(runtime_shutdown);
  LOAD(runtime_detach);
  LOAD(registry_create);
  LOAD(registry_add);
  LOAD(session_host);
  LOAD(session_tick);
  LOAD(session_info_get);
  LOAD(entity_spawn);
  LOAD(last_error);
  LOAD(now_ns);
  return library;
}

/* A runtime with a host of some entities. */
static theta_session play(theta_runtime *runtime, uint32_t entities) {
  theta_runtime_config config = THETA_RUNTIME_CONFIG_INIT;
  theta_host_config host_config = THETA_HOST_CONFIG_INIT;
  theta_spawn_desc spawn = THETA_SPAWN_DESC_INIT;
  theta_registry registry = {0};
  theta_session host = {0};
  uint64_t component = 0, entity;
  uint32_t index, tick;
  config.abi_version = THETA_ABI_VERSION;
  host_config.flags = THETA_HOST_DEV_MODE;
  CHECK_OK(api.runtime_create(&config, runtime));
  CHECK_OK(api.registry_create(*runtime, &registry));
  CHECK_OK(add_body(registry, &component));
  CHECK_OK(api.session_host(*runtime, registry, &host_config, &host));
  spawn.component_count = 1;
  spawn.component_ids = &component;
  for (index = 0; index < entities; ++index) {
    if (api.entity_spawn(host, &spawn, &entity) != THETA_OK) ++checks_failed;
  }
  for (index = 0; index < 5; ++index) CHECK_OK(api.session_tick(host, &tick));
  return host;
}

static void reload(void) {
  theta_runtime runtime = {0}, again = {0};
  theta_session before, now;
  uint32_t tick, round;
  for (round = 0; round < 5; ++round) {
    void *library = open_library();
    uint64_t began, took_ms;
    before = play(&runtime, 2000);
    began = api.now_ns();
    CHECK_OK(api.runtime_detach(runtime));
    took_ms = (api.now_ns() - began) / 1000000;
    if (!CHECK(took_ms < DETACH_MS)) printf("  a detach took %u ms\n", (unsigned)took_ms);
    /* The thread still says goodbye while the library is closed. */
    CHECK(dlclose(library) == 0);
    library = open_library();
    CHECK_STATUS(api.session_tick(before, &tick), THETA_E_SHUT_DOWN);
    CHECK_STATUS(api.runtime_detach(runtime), THETA_E_SHUT_DOWN);
    now = play(&again, 10);
    CHECK_OK(api.session_tick(now, &tick));
    CHECK_OK(api.runtime_shutdown(again, 10000, NULL));
    CHECK(dlclose(library) == 0);
  }
  sleep_ms(700); /* longer than a detached thread lives */
}

/* A child has none of the library's threads. It may do what it likes and does not hang, and its parent goes on. */
static void fork_in_the_middle(void) {
  theta_runtime runtime = {0};
  theta_session host;
  uint32_t tick;
  pid_t child;
  int status = 0;
  (void)open_library();
  host = play(&runtime, 10);
  child = fork();
  if (child == 0) {
    theta_shutdown_report report = THETA_SHUTDOWN_REPORT_INIT;
    theta_session_info info = THETA_SESSION_INFO_INIT;
    theta_runtime own = {0};
    int good = api.session_tick(host, &tick) == THETA_OK && api.session_info_get(host, &info) == THETA_OK;
    good = good && api.runtime_shutdown(runtime, 100, &report) == THETA_OK && report.threads_left == 1;
    good = good && api.session_tick(host, &tick) == THETA_E_SHUT_DOWN;
    good = good && api.session_tick(play(&own, 1), &tick) == THETA_OK;
    good = good && api.runtime_shutdown(own, 10000, NULL) == THETA_OK;
    _exit(good ? 0 : 1);
  }
  CHECK(child > 0 && waitpid(child, &status, 0) == child);
  CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
  CHECK_OK(api.session_tick(host, &tick));
  CHECK_OK(api.runtime_shutdown(runtime, 10000, NULL));
}

int main(void) {
  reload();
  fork_in_the_middle();
  return finish();
}
