/* Every public function against what a caller gets wrong first: a handle that is zero, stale, of another kind, forged
   for a foreign runtime or of one that was shut down, and null where an address is needed. Each must give its own
   status and a sentence, and none may crash.

   The table below has one row per function and handle; run.sh lists the header's functions in functions.inc with how
   many handles and addresses each takes, and a function whose rows do not test all of them fails. */
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

/* call_NAME calls with `bits` as the handle under test, good arguments, and null as address number `null` (from 1, in
   the header's order; 0: none). */
#define CALL(name, expression)                                      \
  static theta_status call_##name(uint64_t bits, int null) {        \
    (void)bits;                                                     \
    (void)null;                                                     \
    return expression;                                              \
  }
#define ADDRESS(number, address) (null == (number) ? NULL : (address))

static theta_runtime_config runtime_config = THETA_RUNTIME_CONFIG_INIT;
static theta_host_config host_config = THETA_HOST_CONFIG_INIT;
static theta_join_config join_config = THETA_JOIN_CONFIG_INIT;
static theta_component_desc component_desc = THETA_COMPONENT_DESC_INIT;
static theta_spawn_desc spawn_desc = THETA_SPAWN_DESC_INIT;
static theta_ticket_desc ticket_desc = THETA_TICKET_DESC_INIT;
static theta_invite_desc invite_desc = THETA_INVITE_DESC_INIT;
static theta_invite_info invite_info;
static theta_session_info session_info = THETA_SESSION_INFO_INIT;
static theta_statistics statistics = THETA_STATISTICS_INIT;
static theta_frame_info frame_info = THETA_FRAME_INFO_INIT;
static theta_write_report write_report = THETA_WRITE_REPORT_INIT;
static theta_input input = THETA_INPUT_INIT;
static theta_event event;
static theta_peer_info peer_info;
static theta_entity_row entity_row;
static theta_runtime runtime_out;
static theta_registry registry_out;
static theta_session session_out;
static theta_write write_out;
static theta_frame frame_out;
static body body_row;
static const char ticket_text[] = "theta://127.0.0.1:9";

static theta_error_info error_info = THETA_ERROR_INFO_INIT;
static uint8_t key[32];

CALL(theta_last_error, theta_last_error(ADDRESS(1, &error_info)))
CALL(theta_component_id, theta_component_id(ADDRESS(1, "a.b"), 3, ADDRESS(2, &u64)))
CALL(theta_identity_public_key, theta_identity_public_key(ADDRESS(1, key), ADDRESS(2, bytes)))
CALL(theta_runtime_create, theta_runtime_create(ADDRESS(1, &runtime_config), ADDRESS(2, &runtime_out)))
CALL(theta_runtime_shutdown, theta_runtime_shutdown(runtime(bits), 10, NULL))
CALL(theta_runtime_detach, theta_runtime_detach(runtime(bits)))
CALL(theta_registry_create, theta_registry_create(runtime(bits), ADDRESS(1, &registry_out)))
CALL(theta_registry_add, theta_registry_add(registry(bits), ADDRESS(1, &component_desc), &u64))
CALL(theta_registry_schema_hash, theta_registry_schema_hash(registry(bits), ADDRESS(1, &u64)))
CALL(theta_registry_manifest,
     theta_registry_manifest(registry(bits), ADDRESS(1, text), sizeof text, ADDRESS(2, &u64)))
CALL(theta_registry_destroy, theta_registry_destroy(registry(bits)))

/* Two handles: the runtime's, and below the registry's. */
CALL(theta_session_host, theta_session_host(runtime(bits), registry(live[REGISTRY]), ADDRESS(1, &host_config),
                                            ADDRESS(2, &session_out)))
CALL(theta_session_join, theta_session_join(runtime(bits), registry(live[REGISTRY]), ADDRESS(1, &join_config),
                                            ADDRESS(2, &session_out)))
CALL(host_registry, theta_session_host(runtime(live[RUNTIME]), registry(bits), &host_config, &session_out))
CALL(join_registry, theta_session_join(runtime(live[RUNTIME]), registry(bits), &join_config, &session_out))

CALL(theta_session_destroy, theta_session_destroy(session(bits)))
CALL(theta_session_leave, theta_session_leave(session(bits)))
CALL(theta_session_info_get, theta_session_info_get(session(bits), ADDRESS(1, &session_info)))
CALL(theta_session_poll,
     theta_session_poll(session(bits), ADDRESS(1, &event), sizeof event, 1, ADDRESS(2, &u32)))
CALL(theta_session_text,
     theta_session_text(session(bits), 1, ADDRESS(1, bytes), sizeof bytes, ADDRESS(2, &u64)))
CALL(theta_session_admit, theta_session_admit(session(bits), 1, THETA_ROLE_EDITOR, ADDRESS(1, bytes), 5))
CALL(theta_session_deny, theta_session_deny(session(bits), 1, ADDRESS(1, "no"), 2))
CALL(theta_session_kick, theta_session_kick(session(bits), 1, ADDRESS(1, "no"), 2))
CALL(theta_session_loaded, theta_session_loaded(session(bits)))
CALL(theta_session_peers,
     theta_session_peers(session(bits), ADDRESS(1, &peer_info), sizeof peer_info, 1, ADDRESS(2, &u32)))
CALL(theta_session_statistics, theta_session_statistics(session(bits), 0, ADDRESS(1, &statistics)))
CALL(theta_session_ticket,
     theta_session_ticket(session(bits), ADDRESS(1, text), sizeof text, ADDRESS(2, &u64)))
CALL(theta_session_issue_ticket, theta_session_issue_ticket(session(bits), ADDRESS(1, &ticket_desc),
                                                            ADDRESS(2, text), sizeof text, ADDRESS(3, &u64)))
CALL(theta_session_create_invite,
     theta_session_create_invite(session(bits), ADDRESS(1, &invite_desc), ADDRESS(4, bytes), ADDRESS(2, text), sizeof text,
                                 ADDRESS(3, &u64)))
CALL(theta_session_revoke_invite, theta_session_revoke_invite(session(bits), ADDRESS(1, bytes)))
CALL(theta_session_invites,
     theta_session_invites(session(bits), ADDRESS(1, &invite_info), sizeof invite_info, 1, ADDRESS(2, &u32)))
CALL(theta_session_ban, theta_session_ban(session(bits), ADDRESS(1, key)))
CALL(theta_session_ban_peer, theta_session_ban_peer(session(bits), 1, NULL))
CALL(theta_session_unban, theta_session_unban(session(bits), ADDRESS(1, key)))
CALL(theta_session_admission,
     theta_session_admission(session(bits), ADDRESS(1, bytes), sizeof bytes, ADDRESS(2, &u64)))
CALL(theta_session_ticks_due, theta_session_ticks_due(session(bits), 0, 1, ADDRESS(1, &u32)))
CALL(theta_session_tick, theta_session_tick(session(bits), ADDRESS(1, &u32)))
CALL(theta_session_render_tick, theta_session_render_tick(session(bits), 0, ADDRESS(1, &f64)))
CALL(theta_entity_spawn, theta_entity_spawn(session(bits), ADDRESS(1, &spawn_desc), ADDRESS(2, &u64)))
CALL(theta_entity_despawn, theta_entity_despawn(session(bits), 1))
CALL(theta_entity_set_owner, theta_entity_set_owner(session(bits), 1, 0))
CALL(theta_entity_set_parent, theta_entity_set_parent(session(bits), 1, 0))
CALL(theta_entity_set_host_tag, theta_entity_set_host_tag(session(bits), 1, 0))
CALL(theta_write_begin, theta_write_begin(session(bits), ADDRESS(1, &write_out)))
CALL(theta_write_rows, theta_write_rows(write_of(bits), component, 0, ADDRESS(1, &u64), 1, ADDRESS(2, &body_row),
                                        sizeof body_row, NULL))
CALL(theta_write_commit, theta_write_commit(write_of(bits)))
CALL(theta_write_commit_report, theta_write_commit_report(write_of(bits), ADDRESS(1, &write_report)))
CALL(theta_frame_acquire, theta_frame_acquire(session(bits), THETA_FRAME_NEWEST, ADDRESS(1, &frame_out)))
CALL(theta_frame_release, theta_frame_release(frame(bits)))
CALL(theta_frame_info_get, theta_frame_info_get(frame(bits), ADDRESS(1, &frame_info)))
CALL(theta_frame_entities,
     theta_frame_entities(frame(bits), 0, ADDRESS(1, &entity_row), sizeof entity_row, 1, ADDRESS(2, &u32)))
CALL(theta_frame_read, theta_frame_read(frame(bits), component, 0, 0, ADDRESS(1, &body_row), sizeof body_row, 1,
                                        ADDRESS(2, &u32)))
CALL(theta_frame_payload, theta_frame_payload(frame(bits), 1, ADDRESS(1, bytes), sizeof bytes, ADDRESS(2, &u64)))
CALL(theta_session_send_input, theta_session_send_input(session(bits), ADDRESS(1, &input)))
CALL(theta_session_input, theta_session_input(session(bits), 1, ADDRESS(1, &input)))
CALL(theta_session_sample, theta_session_sample(session(bits), component, 0, ADDRESS(1, &u64), 1, 1.0,
                                                ADDRESS(2, &body_row), sizeof body_row, NULL))

typedef struct {
  const char *name; /* the header's */
  kind handle;      /* of the handle under test; NONE = takes none */
  int addresses;    /* that must not be null: the first ones of the function */
  int optional;     /* that may be null: the last ones */
  theta_status (*call)(uint64_t bits, int null);
} row;

#define ROW(name, handle, addresses) {#name, handle, addresses, 0, call_##name}
#define ROW_OPTIONAL(name, handle, addresses) {#name, handle, addresses, 1, call_##name}
#define NEITHER(name) {#name, NONE, 0, 0, NULL}

static const row rows[] = {
    NEITHER(theta_abi_version),
    NEITHER(theta_build_info),
    NEITHER(theta_status_text),
    NEITHER(theta_disconnect_text),
    NEITHER(theta_now_ns),
    ROW(theta_last_error, NONE, 1),
    ROW(theta_component_id, NONE, 2),
    ROW(theta_identity_public_key, NONE, 2),
    ROW(theta_runtime_create, NONE, 2),
    ROW_OPTIONAL(theta_runtime_shutdown, RUNTIME, 0),
    ROW(theta_runtime_detach, RUNTIME, 0),
    ROW(theta_registry_create, RUNTIME, 1),
    ROW_OPTIONAL(theta_registry_add, REGISTRY, 1),
    ROW(theta_registry_schema_hash, REGISTRY, 1),
    ROW(theta_registry_manifest, REGISTRY, 2),
    ROW(theta_registry_destroy, REGISTRY, 0),
    ROW(theta_session_host, RUNTIME, 2),
    {"theta_session_host", REGISTRY, 0, 0, call_host_registry},
    ROW(theta_session_join, RUNTIME, 2),
    {"theta_session_join", REGISTRY, 0, 0, call_join_registry},
    ROW(theta_session_destroy, SESSION, 0),
    ROW(theta_session_leave, SESSION, 0),
    ROW(theta_session_info_get, SESSION, 1),
    ROW(theta_session_poll, SESSION, 2),
    ROW(theta_session_text, SESSION, 2),
    ROW(theta_session_admit, SESSION, 1),
    ROW(theta_session_deny, SESSION, 1),
    ROW(theta_session_kick, SESSION, 1),
    ROW(theta_session_loaded, SESSION, 0),
    ROW(theta_session_peers, SESSION, 2),
    ROW(theta_session_statistics, SESSION, 1),
    ROW(theta_session_ticket, SESSION, 2),
    ROW(theta_session_issue_ticket, SESSION, 3),
    ROW_OPTIONAL(theta_session_create_invite, SESSION, 3),
    ROW(theta_session_revoke_invite, SESSION, 1),
    ROW(theta_session_invites, SESSION, 2),
    ROW(theta_session_ban, SESSION, 1),
    ROW_OPTIONAL(theta_session_ban_peer, SESSION, 0),
    ROW(theta_session_unban, SESSION, 1),
    ROW(theta_session_admission, SESSION, 2),
    ROW(theta_session_ticks_due, SESSION, 1),
    ROW(theta_session_tick, SESSION, 1),
    ROW(theta_session_render_tick, SESSION, 1),
    ROW(theta_entity_spawn, SESSION, 2),
    ROW(theta_entity_despawn, SESSION, 0),
    ROW(theta_entity_set_owner, SESSION, 0),
    ROW(theta_entity_set_parent, SESSION, 0),
    ROW(theta_entity_set_host_tag, SESSION, 0),
    ROW(theta_write_begin, SESSION, 1),
    ROW_OPTIONAL(theta_write_rows, WRITE, 2),
    ROW(theta_write_commit, WRITE, 0),
    ROW(theta_write_commit_report, WRITE, 1),
    ROW(theta_frame_acquire, SESSION, 1),
    ROW(theta_frame_release, FRAME, 0),
    ROW(theta_frame_info_get, FRAME, 1),
    ROW(theta_frame_entities, FRAME, 2),
    ROW(theta_frame_read, FRAME, 2),
    ROW(theta_frame_payload, FRAME, 2),
    ROW(theta_session_send_input, SESSION, 1),
    ROW(theta_session_input, SESSION, 1),
    ROW_OPTIONAL(theta_session_sample, SESSION, 2),
};
#define ROWS (sizeof rows / sizeof rows[0])

/* What the header declares: how many handles and how many addresses each function takes. */
static const struct {
  const char *name;
  int handles, addresses;
} functions[] = {
#define FUNCTION(name, handles, addresses) {#name, handles, addresses},
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

/* Every function of the header has its rows, one per handle, and they account for each of its addresses; and there is
   no row of something else. */
static void table_is_complete(void) {
  size_t f, r;
  for (f = 0; f < FUNCTIONS; ++f) {
    int found = 0, handles = 0, addresses = 0;
    for (r = 0; r < ROWS; ++r) {
      if (strcmp(functions[f].name, rows[r].name) != 0) continue;
      ++found;
      handles += rows[r].handle != NONE;
      addresses += rows[r].addresses + rows[r].optional;
    }
    if (!CHECK(found > 0 && handles == functions[f].handles && addresses == functions[f].addresses)) {
      printf("  %s takes %d handles and %d addresses; its %d rows in handles.c test %d and %d\n", functions[f].name,
             functions[f].handles, functions[f].addresses, found, handles, addresses);
    }
  }
  for (r = 0; r < ROWS; ++r) {
    for (f = 0; f < FUNCTIONS && strcmp(functions[f].name, rows[r].name) != 0; ++f) {
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
  ticket_desc.role = THETA_ROLE_EDITOR;
  ticket_desc.client_key = key;
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
    if (row->handle != NONE) {
      const uint64_t good = live[row->handle];
      expect(row, "zero", row->call(0, 0), THETA_E_HANDLE_ZERO);
      expect(row, "a foreign handle", row->call((good & UINT64_C(0x0000ffffffffffff)) | UINT64_C(0xfffe) << 48, 0),
             THETA_E_HANDLE_FOREIGN);
      expect(row, "a forged kind", row->call(good | UINT64_C(0x70) << 40, 0), THETA_E_HANDLE_KIND);
      expect(row, "all bits", row->call(UINT64_MAX, 0), THETA_E_HANDLE_KIND);
      for (k = RUNTIME; k < KINDS; ++k) {
        if (k != (int)row->handle) expect(row, "another kind", row->call(live[k], 0), THETA_E_HANDLE_KIND);
      }
      expect(row, "a shut down runtime's", row->call(other[row->handle], 0), THETA_E_SHUT_DOWN);
      if (row->handle != RUNTIME) {
        expect(row, "a stale handle", row->call(stale[row->handle], 0), THETA_E_HANDLE_STALE);
      }
    }
    for (k = 1; k <= row->addresses; ++k) expect(row, "null", row->call(live[row->handle], k), THETA_E_NULL);
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
