/* Every public function against what a caller gets wrong first: a handle that is zero, stale, of another kind, forged
   for a foreign runtime or of one that was shut down, and null where an address is needed. Each must give its own
   status and a sentence, and none may crash.

   The table below has one row per function; run.sh lists the header's functions in functions.inc, and a function
   without a row (or a row without a function) fails. */
#include "world.h"

typedef enum { NONE, RUNTIME, REGISTRY, SESSION, WRITE, FRAME, KINDS } kind;

/* Live objects, for arguments that are not under test. */
static uint64_t live[KINDS];
static uint64_t component;

static theta_runtime runtime(uint64_t bits) { theta_runtime h; h.bits = bits; return h; }
static theta_registry registry(uint64_t bits) { theta_registry h; h.bits = bits; return h; }
static theta_session session(uint64_t bits) { theta_session h; h.bits = bits; return h; }
static theta_write write_of(uint64_t bits) { theta_write h; h.bits = bits; return h; }
static theta_frame frame(uint64_t bits) { theta_frame h; h.bits = bits; return h; }

/* What calls write to. */
static uint32_t u32;
static uint64_t u64;
static double f64;
static uint8_t bytes[64];
static char text[64];

/* NAME_handle calls with a given handle and good arguments; NAME_null with a live handle and null for every pointer
   that must not be. */
#define CALL(name, expression) \
  static theta_status name##_handle(uint64_t bits) { return expression; }
#define NULLS(name, expression) \
  static theta_status name##_null(void) { return expression; }

static theta_runtime_config runtime_config = THETA_RUNTIME_CONFIG_INIT;
static theta_host_config host_config = THETA_HOST_CONFIG_INIT;
static theta_join_config join_config = THETA_JOIN_CONFIG_INIT;
static theta_component_desc component_desc = THETA_COMPONENT_DESC_INIT;
static theta_spawn_desc spawn_desc = THETA_SPAWN_DESC_INIT;
static theta_ticket_desc ticket_desc = THETA_TICKET_DESC_INIT;
static theta_session_info session_info = THETA_SESSION_INFO_INIT;
static theta_statistics statistics = THETA_STATISTICS_INIT;
static theta_frame_info frame_info = THETA_FRAME_INFO_INIT;
static theta_write_report write_report = THETA_WRITE_REPORT_INIT;
static theta_input input = THETA_INPUT_INIT;
static theta_event event;
static theta_peer_info peer_info;
static theta_entity_row entity_row;
static theta_registry registry_out;
static theta_session session_out;
static theta_write write_out;
static theta_frame frame_out;
static body body_row;
static const char ticket_text[] = "theta://127.0.0.1:9";

NULLS(theta_last_error, theta_last_error(NULL))
NULLS(theta_component_id, theta_component_id(NULL, 3, NULL))
NULLS(theta_identity_public_key, theta_identity_public_key(NULL, NULL))
NULLS(theta_runtime_create, theta_runtime_create(NULL, NULL))
CALL(theta_runtime_shutdown, theta_runtime_shutdown(runtime(bits), 10, NULL))
CALL(theta_runtime_detach, theta_runtime_detach(runtime(bits)))
CALL(theta_registry_create, theta_registry_create(runtime(bits), &registry_out))
NULLS(theta_registry_create, theta_registry_create(runtime(live[RUNTIME]), NULL))
CALL(theta_registry_add, theta_registry_add(registry(bits), &component_desc, &u64))
NULLS(theta_registry_add, theta_registry_add(registry(live[REGISTRY]), NULL, NULL))
CALL(theta_registry_schema_hash, theta_registry_schema_hash(registry(bits), &u64))
NULLS(theta_registry_schema_hash, theta_registry_schema_hash(registry(live[REGISTRY]), NULL))
CALL(theta_registry_manifest, theta_registry_manifest(registry(bits), text, sizeof text, &u64))
NULLS(theta_registry_manifest, theta_registry_manifest(registry(live[REGISTRY]), NULL, 5, NULL))
CALL(theta_registry_destroy, theta_registry_destroy(registry(bits)))

/* Two handles: the runtime's, and below the registry's. */
CALL(theta_session_host, theta_session_host(runtime(bits), registry(live[REGISTRY]), &host_config, &session_out))
NULLS(theta_session_host, theta_session_host(runtime(live[RUNTIME]), registry(live[REGISTRY]), NULL, NULL))
CALL(theta_session_join, theta_session_join(runtime(bits), registry(live[REGISTRY]), &join_config, &session_out))
NULLS(theta_session_join, theta_session_join(runtime(live[RUNTIME]), registry(live[REGISTRY]), NULL, NULL))
CALL(host_registry, theta_session_host(runtime(live[RUNTIME]), registry(bits), &host_config, &session_out))
CALL(join_registry, theta_session_join(runtime(live[RUNTIME]), registry(bits), &join_config, &session_out))

CALL(theta_session_destroy, theta_session_destroy(session(bits)))
CALL(theta_session_leave, theta_session_leave(session(bits)))
CALL(theta_session_info_get, theta_session_info_get(session(bits), &session_info))
NULLS(theta_session_info_get, theta_session_info_get(session(live[SESSION]), NULL))
CALL(theta_session_poll, theta_session_poll(session(bits), &event, sizeof event, 1, &u32))
NULLS(theta_session_poll, theta_session_poll(session(live[SESSION]), NULL, sizeof event, 1, NULL))
CALL(theta_session_text, theta_session_text(session(bits), 1, bytes, sizeof bytes, &u64))
NULLS(theta_session_text, theta_session_text(session(live[SESSION]), 1, NULL, 5, NULL))
CALL(theta_session_admit, theta_session_admit(session(bits), 1, THETA_ROLE_EDITOR, NULL, 0))
NULLS(theta_session_admit, theta_session_admit(session(live[SESSION]), 1, THETA_ROLE_EDITOR, NULL, 5))
CALL(theta_session_deny, theta_session_deny(session(bits), 1, "no", 2))
NULLS(theta_session_deny, theta_session_deny(session(live[SESSION]), 1, NULL, 5))
CALL(theta_session_kick, theta_session_kick(session(bits), 1, "no", 2))
NULLS(theta_session_kick, theta_session_kick(session(live[SESSION]), 1, NULL, 5))
CALL(theta_session_loaded, theta_session_loaded(session(bits)))
CALL(theta_session_peers, theta_session_peers(session(bits), &peer_info, sizeof peer_info, 1, &u32))
NULLS(theta_session_peers, theta_session_peers(session(live[SESSION]), NULL, sizeof peer_info, 1, NULL))
CALL(theta_session_statistics, theta_session_statistics(session(bits), 0, &statistics))
NULLS(theta_session_statistics, theta_session_statistics(session(live[SESSION]), 0, NULL))
CALL(theta_session_ticket, theta_session_ticket(session(bits), text, sizeof text, &u64))
NULLS(theta_session_ticket, theta_session_ticket(session(live[SESSION]), NULL, 5, NULL))
CALL(theta_session_issue_ticket, theta_session_issue_ticket(session(bits), &ticket_desc, text, sizeof text, &u64))
NULLS(theta_session_issue_ticket, theta_session_issue_ticket(session(live[SESSION]), NULL, NULL, 5, NULL))
CALL(theta_session_ticks_due, theta_session_ticks_due(session(bits), 0, 1, &u32))
NULLS(theta_session_ticks_due, theta_session_ticks_due(session(live[SESSION]), 0, 1, NULL))
CALL(theta_session_tick, theta_session_tick(session(bits), &u32))
NULLS(theta_session_tick, theta_session_tick(session(live[SESSION]), NULL))
CALL(theta_session_render_tick, theta_session_render_tick(session(bits), 0, &f64))
NULLS(theta_session_render_tick, theta_session_render_tick(session(live[SESSION]), 0, NULL))
CALL(theta_entity_spawn, theta_entity_spawn(session(bits), &spawn_desc, &u64))
NULLS(theta_entity_spawn, theta_entity_spawn(session(live[SESSION]), NULL, NULL))
CALL(theta_entity_despawn, theta_entity_despawn(session(bits), 1))
CALL(theta_entity_set_owner, theta_entity_set_owner(session(bits), 1, 0))
CALL(theta_entity_set_parent, theta_entity_set_parent(session(bits), 1, 0))
CALL(theta_entity_set_host_tag, theta_entity_set_host_tag(session(bits), 1, 0))
CALL(theta_write_begin, theta_write_begin(session(bits), &write_out))
NULLS(theta_write_begin, theta_write_begin(session(live[SESSION]), NULL))
CALL(theta_write_rows, theta_write_rows(write_of(bits), component, 0, &u64, 1, &body_row, sizeof body_row, NULL))
NULLS(theta_write_rows, theta_write_rows(write_of(live[WRITE]), component, 0, NULL, 1, NULL, sizeof body_row, NULL))
CALL(theta_write_commit, theta_write_commit(write_of(bits)))
CALL(theta_write_commit_report, theta_write_commit_report(write_of(bits), &write_report))
NULLS(theta_write_commit_report, theta_write_commit_report(write_of(live[WRITE]), NULL))
CALL(theta_frame_acquire, theta_frame_acquire(session(bits), THETA_FRAME_NEWEST, &frame_out))
NULLS(theta_frame_acquire, theta_frame_acquire(session(live[SESSION]), THETA_FRAME_NEWEST, NULL))
CALL(theta_frame_release, theta_frame_release(frame(bits)))
CALL(theta_frame_info_get, theta_frame_info_get(frame(bits), &frame_info))
NULLS(theta_frame_info_get, theta_frame_info_get(frame(live[FRAME]), NULL))
CALL(theta_frame_entities, theta_frame_entities(frame(bits), 0, &entity_row, sizeof entity_row, 1, &u32))
NULLS(theta_frame_entities, theta_frame_entities(frame(live[FRAME]), 0, NULL, sizeof entity_row, 1, NULL))
CALL(theta_frame_read, theta_frame_read(frame(bits), component, 0, 0, &body_row, sizeof body_row, 1, &u32))
NULLS(theta_frame_read, theta_frame_read(frame(live[FRAME]), component, 0, 0, NULL, sizeof body_row, 1, NULL))
CALL(theta_frame_payload, theta_frame_payload(frame(bits), 1, bytes, sizeof bytes, &u64))
NULLS(theta_frame_payload, theta_frame_payload(frame(live[FRAME]), 1, NULL, 5, NULL))
CALL(theta_session_send_input, theta_session_send_input(session(bits), &input))
NULLS(theta_session_send_input, theta_session_send_input(session(live[SESSION]), NULL))
CALL(theta_session_input, theta_session_input(session(bits), 1, &input))
NULLS(theta_session_input, theta_session_input(session(live[SESSION]), 1, NULL))
CALL(theta_session_sample,
     theta_session_sample(session(bits), component, 0, &u64, 1, 1.0, &body_row, sizeof body_row, NULL))
NULLS(theta_session_sample,
      theta_session_sample(session(live[SESSION]), component, 0, NULL, 1, 1.0, NULL, sizeof body_row, NULL))

typedef struct {
  const char *name; /* the header's */
  kind handle;      /* of the handle under test; NONE = takes none */
  theta_status (*with_handle)(uint64_t bits);
  theta_status (*with_null)(void); /* NULL: takes no address that must not be null */
} row;

#define BOTH(name, kind) {#name, kind, name##_handle, name##_null}
#define HANDLE_ONLY(name, kind) {#name, kind, name##_handle, NULL}
#define NULL_ONLY(name) {#name, NONE, NULL, name##_null}
#define NEITHER(name) {#name, NONE, NULL, NULL}

static const row rows[] = {
    NEITHER(theta_abi_version), NEITHER(theta_build_info), NEITHER(theta_status_text),
    NEITHER(theta_disconnect_text), NEITHER(theta_now_ns), NULL_ONLY(theta_last_error),
    NULL_ONLY(theta_component_id), NULL_ONLY(theta_identity_public_key), NULL_ONLY(theta_runtime_create),
    HANDLE_ONLY(theta_runtime_shutdown, RUNTIME), HANDLE_ONLY(theta_runtime_detach, RUNTIME),
    BOTH(theta_registry_create, RUNTIME), BOTH(theta_registry_add, REGISTRY),
    BOTH(theta_registry_schema_hash, REGISTRY), BOTH(theta_registry_manifest, REGISTRY),
    HANDLE_ONLY(theta_registry_destroy, REGISTRY), BOTH(theta_session_host, RUNTIME),
    BOTH(theta_session_join, RUNTIME), {"theta_session_host", REGISTRY, host_registry_handle, NULL},
    {"theta_session_join", REGISTRY, join_registry_handle, NULL}, HANDLE_ONLY(theta_session_destroy, SESSION),
    HANDLE_ONLY(theta_session_leave, SESSION), BOTH(theta_session_info_get, SESSION),
    BOTH(theta_session_poll, SESSION), BOTH(theta_session_text, SESSION), BOTH(theta_session_admit, SESSION),
    BOTH(theta_session_deny, SESSION), BOTH(theta_session_kick, SESSION),
    HANDLE_ONLY(theta_session_loaded, SESSION), BOTH(theta_session_peers, SESSION),
    BOTH(theta_session_statistics, SESSION), BOTH(theta_session_ticket, SESSION),
    BOTH(theta_session_issue_ticket, SESSION), BOTH(theta_session_ticks_due, SESSION),
    BOTH(theta_session_tick, SESSION), BOTH(theta_session_render_tick, SESSION),
    BOTH(theta_entity_spawn, SESSION), HANDLE_ONLY(theta_entity_despawn, SESSION),
    HANDLE_ONLY(theta_entity_set_owner, SESSION), HANDLE_ONLY(theta_entity_set_parent, SESSION),
    HANDLE_ONLY(theta_entity_set_host_tag, SESSION), BOTH(theta_write_begin, SESSION),
    BOTH(theta_write_rows, WRITE), HANDLE_ONLY(theta_write_commit, WRITE),
    BOTH(theta_write_commit_report, WRITE), BOTH(theta_frame_acquire, SESSION),
    HANDLE_ONLY(theta_frame_release, FRAME), BOTH(theta_frame_info_get, FRAME), BOTH(theta_frame_entities, FRAME),
    BOTH(theta_frame_read, FRAME), BOTH(theta_frame_payload, FRAME), BOTH(theta_session_send_input, SESSION),
    BOTH(theta_session_input, SESSION), BOTH(theta_session_sample, SESSION),
};
#define ROWS (sizeof rows / sizeof rows[0])

static const char *const functions[] = {
#define FUNCTION(name) #name,
#include "functions.inc"
#undef FUNCTION
};
#define FUNCTIONS (sizeof functions / sizeof functions[0])

/* The status, and a last error that has the code, the function and a sentence. */
static void expect(const row *row, const char *what, theta_status found, theta_status expected) {
  theta_error_info info = THETA_ERROR_INFO_INIT;
  theta_last_error(&info);
  if (found != expected || info.code != expected || info.message_length < 10 ||
      strcmp(info.function, row->name) != 0) {
    printf("%s with %s: %d, expected %d; last error %d in %s: %s\n", row->name, what, found, expected, info.code,
           info.function, info.message);
    ++checks_failed;
  } else {
    ++checks_passed;
  }
}

static void table_is_complete(void) {
  size_t f, r;
  for (f = 0; f < FUNCTIONS; ++f) {
    for (r = 0; r < ROWS && strcmp(functions[f], rows[r].name) != 0; ++r) {
    }
    if (!CHECK(r < ROWS)) printf("  %s has no row in handles.c\n", functions[f]);
  }
  for (r = 0; r < ROWS; ++r) {
    for (f = 0; f < FUNCTIONS && strcmp(functions[f], rows[r].name) != 0; ++f) {
    }
    if (!CHECK(f < FUNCTIONS)) printf("  %s is not in the header\n", rows[r].name);
  }
}

/* A runtime with one object of each kind. */
static void populate(uint64_t out[KINDS]) {
  theta_runtime owner;
  theta_registry components;
  theta_session host;
  uint32_t tick;
  memset(out, 0, KINDS * sizeof out[0]);
  runtime_config.abi_version = THETA_ABI_VERSION;
  host_config.flags = THETA_HOST_DEV_MODE;
  CHECK_OK(theta_runtime_create(&runtime_config, &owner));
  CHECK_OK(theta_registry_create(owner, &components));
  CHECK_OK(add_body(components, &component));
  CHECK_OK(theta_session_host(owner, components, &host_config, &host));
  CHECK_OK(theta_session_tick(host, &tick));
  CHECK_OK(theta_write_begin(host, &write_out));
  CHECK_OK(theta_frame_acquire(host, THETA_FRAME_NEWEST, &frame_out));
  out[RUNTIME] = owner.bits;
  out[REGISTRY] = components.bits;
  out[SESSION] = host.bits;
  out[WRITE] = write_out.bits;
  out[FRAME] = frame_out.bits;
}

int main(void) {
  uint64_t other[KINDS], stale[KINDS];
  size_t r;
  int k;
  join_config.ticket = ticket_text;
  join_config.ticket_length = (uint32_t)strlen(ticket_text);
  table_is_complete();

  /* Of a runtime that is gone. */
  populate(other);
  CHECK_OK(theta_runtime_shutdown(runtime(other[RUNTIME]), 10000, NULL));

  /* Gone, in a runtime that lives. */
  populate(live);
  memcpy(stale, live, sizeof stale);
  CHECK_OK(theta_frame_release(frame(stale[FRAME])));
  CHECK_OK(theta_write_commit(write_of(stale[WRITE])));
  CHECK_OK(theta_session_destroy(session(stale[SESSION])));
  CHECK_OK(theta_registry_destroy(registry(stale[REGISTRY])));
  {
    theta_registry fresh;
    theta_session host;
    uint32_t tick;
    CHECK_OK(theta_registry_create(runtime(live[RUNTIME]), &fresh));
    CHECK_OK(add_body(fresh, &component));
    CHECK_OK(theta_session_host(runtime(live[RUNTIME]), fresh, &host_config, &host));
    CHECK_OK(theta_session_tick(host, &tick));
    CHECK_OK(theta_write_begin(host, &write_out));
    CHECK_OK(theta_frame_acquire(host, THETA_FRAME_NEWEST, &frame_out));
    live[REGISTRY] = fresh.bits;
    live[SESSION] = host.bits;
    live[WRITE] = write_out.bits;
    live[FRAME] = frame_out.bits;
  }

  for (r = 0; r < ROWS; ++r) {
    const row *row = &rows[r];
    if (row->with_handle != NULL) {
      const uint64_t good = live[row->handle];
      expect(row, "zero", row->with_handle(0), THETA_E_HANDLE_ZERO);
      expect(row, "a foreign handle", row->with_handle((good & UINT64_C(0x0000ffffffffffff)) | UINT64_C(0xfffe) << 48),
             THETA_E_HANDLE_FOREIGN);
      expect(row, "a forged kind", row->with_handle(good | UINT64_C(0x70) << 40), THETA_E_HANDLE_KIND);
      expect(row, "all bits", row->with_handle(UINT64_MAX), THETA_E_HANDLE_KIND);
      for (k = RUNTIME; k < KINDS; ++k) {
        if (k != (int)row->handle) expect(row, "another kind", row->with_handle(live[k]), THETA_E_HANDLE_KIND);
      }
      expect(row, "a shut down runtime's", row->with_handle(other[row->handle]), THETA_E_SHUT_DOWN);
      if (row->handle != RUNTIME) {
        expect(row, "a stale handle", row->with_handle(stale[row->handle]), THETA_E_HANDLE_STALE);
      }
    }
    if (row->with_null != NULL) expect(row, "null", row->with_null(), THETA_E_NULL);
  }

  /* The same slots with other generations: nothing that was forged may reach an object. */
  for (u64 = 1; u64 < 4096; ++u64) {
    const uint64_t forged = live[SESSION] ^ (u64 << 16);
    if (theta_session_tick(session(forged), &u32) != THETA_E_HANDLE_STALE) ++checks_failed;
  }
  CHECK_OK(theta_session_tick(session(live[SESSION]), &u32));

  /* Texts of every number, and numbers nobody gave out. */
  for (k = -1000; k < 100; ++k) {
    if (strlen(theta_status_text(k)) < 20 || strlen(theta_disconnect_text((uint32_t)(k + 1000))) < 10) ++checks_failed;
  }
  CHECK(theta_now_ns() <= theta_now_ns());
  CHECK_OK(theta_runtime_shutdown(runtime(live[RUNTIME]), 10000, NULL));
  CHECK_STATUS(theta_session_tick(session(live[SESSION]), &u32), THETA_E_SHUT_DOWN);
  return finish();
}
