/* The table of misuse.c: every function of both headers with correct arguments, in the header's order by noun. A function
   that is missing here, or whose arguments changed, fails the test. */
#ifndef THETA_TESTS_FUNCTIONS_H
#define THETA_TESTS_FUNCTIONS_H

#include <theta/theta_experimental.h>

#include "call.h"

/* Live objects, for arguments that are not under test. */
static uint64_t live[LIVE];
static uint64_t component, entity;
static uint32_t joined_peer;

static theta_runtime runtime_of(uint64_t bits) { theta_runtime h; h.bits = bits; return h; }
static theta_registry registry_of(uint64_t bits) { theta_registry h; h.bits = bits; return h; }
static theta_session session_of(uint64_t bits) { theta_session h; h.bits = bits; return h; }
static theta_write write_of(uint64_t bits) { theta_write h; h.bits = bits; return h; }
static theta_frame frame_of(uint64_t bits) { theta_frame h; h.bits = bits; return h; }

/* What calls read. */
static theta_runtime_config runtime_config = THETA_RUNTIME_CONFIG_INIT;
static theta_host_config host_config = THETA_HOST_CONFIG_INIT;
static theta_join_config join_config = THETA_JOIN_CONFIG_INIT;
static theta_component_desc component_desc = THETA_COMPONENT_DESC_INIT;
static theta_field_desc field_desc;
static theta_codec codec = THETA_CODEC_INIT;
static theta_spawn_desc spawn_desc = THETA_SPAWN_DESC_INIT;
static theta_ticket_desc ticket_desc = THETA_TICKET_DESC_INIT;
static theta_invite_desc invite_desc = THETA_INVITE_DESC_INIT;
static theta_input input = THETA_INPUT_INIT;
static thetax_link_conditions conditions = THETAX_LINK_CONDITIONS_INIT; /* a good network */
static const void *spawn_values[1];
static const uint8_t key[32] = {7};
static body body_row;
static const char ticket_text[] = "theta://127.0.0.1:9";

static uint64_t handle_in(const value *v) {
  uint64_t bits;
  memcpy(&bits, v->p, sizeof bits);
  return bits;
}

/* ---- objects for calls that end one, and the end of what calls make ---- */
static void fresh_runtime(value *v) {
  theta_runtime made = {0};
  CHECK_OK(theta_runtime_create(&runtime_config, &made));
  v[0].u = made.bits;
}
static void fresh_registry(value *v) {
  theta_registry made = {0};
  CHECK_OK(theta_registry_create(runtime_of(live[RUNTIME]), &made));
  v[0].u = made.bits;
}
static void fresh_host(value *v) {
  theta_session made = {0};
  CHECK_OK(theta_session_host(runtime_of(live[RUNTIME]), registry_of(live[REGISTRY]), &host_config, &made));
  v[0].u = made.bits;
}
static void fresh_entity(value *v) {
  CHECK_OK(theta_entity_spawn(session_of(live[SESSION]), &spawn_desc, &v[1].u));
}
static void fresh_write(value *v) {
  theta_write made = {0};
  CHECK_OK(theta_write_begin(session_of(live[SESSION]), &made));
  v[0].u = made.bits;
}
static void fresh_frame(value *v) {
  theta_frame made = {0};
  CHECK_OK(theta_frame_acquire(session_of(live[SESSION]), THETA_FRAME_NEWEST, &made));
  v[0].u = made.bits;
}
/* The rows before may have sent the peer to rest. */
static void turn(void);
static void until_live(value *v) {
  theta_session_info info = THETA_SESSION_INFO_INIT;
  const uint64_t end = theta_now_ns() + PATIENCE_NS;
  (void)v;
  while (info.state != THETA_STATE_LIVE && theta_now_ns() < end) {
    turn();
    sleep_ms(5);
    CHECK_OK(theta_session_info_get(session_of(live[JOINED]), &info));
  }
}
static void end_runtime(value *v) { CHECK_OK(theta_runtime_shutdown(runtime_of(handle_in(&v[1])), 10000, NULL)); }
static void end_registry(value *v) { CHECK_OK(theta_registry_destroy(registry_of(handle_in(&v[1])))); }
static void end_session(value *v) { CHECK_OK(theta_session_destroy(session_of(handle_in(&v[3])))); }
static void end_this_session(value *v) { CHECK_OK(theta_session_destroy(session_of(v[0].u))); }
static void end_entity(value *v) { CHECK_OK(theta_entity_despawn(session_of(live[SESSION]), handle_in(&v[2]))); }
static void end_write(value *v) { CHECK_OK(theta_write_commit(write_of(handle_in(&v[1])))); }
static void end_frame(value *v) { CHECK_OK(theta_frame_release(frame_of(handle_in(&v[2])))); }

static void end_this_registry(value *v) { CHECK_OK(theta_registry_destroy(registry_of(v[0].u))); }

/* Trampolines from values to arguments, and the header's list. */
#define TRAMPOLINE(name, expression) \
  static theta_status call_##name(const value *v) { return expression; }
#define FUNCTION(name, shape, class)
#define PLAIN(name)
#include "functions.inc"
#undef TRAMPOLINE
#undef FUNCTION
#undef PLAIN

#define ROW(name, good, before, after, ...) {#name, call_##name, good, before, after, {__VA_ARGS__}}

static const function table[] = {
    ROW(theta_last_error, 0, NULL, NULL, A_OUT(theta_error_info)),
    ROW(theta_component_id, 0, NULL, NULL, A_TEXT("a.b"), A_LENGTH("a.b", 128), A_SCALAR(uint64_t)),
    ROW(theta_identity_public_key, 0, NULL, NULL, A_KEY(key), A_KEY_OUT),

    ROW(theta_runtime_create, 0, NULL, end_runtime, A_IN(theta_runtime_config, &runtime_config),
        A_SCALAR(theta_runtime)),
    ROW(theta_runtime_shutdown, 0, fresh_runtime, NULL, A_RUNTIME, A_BETWEEN(1000, 0, 60000),
        A_OUT_OPTIONAL(theta_shutdown_report)),
    ROW(theta_runtime_detach, 0, fresh_runtime, NULL, A_RUNTIME),

    ROW(theta_registry_create, 0, NULL, end_registry, A_RUNTIME, A_SCALAR(theta_registry)),
    ROW(theta_registry_add, 0, NULL, NULL, A_REGISTRY, A_IN(theta_component_desc, &component_desc),
        A_SCALAR_OPTIONAL(uint64_t)),
    ROW(theta_registry_add_codec, 0, fresh_registry, end_this_registry, A_REGISTRY,
        A_IN(theta_component_desc, &component_desc), A_IN(theta_codec, &codec), A_SCALAR_OPTIONAL(uint64_t)),
    ROW(theta_registry_schema_hash, 0, NULL, NULL, A_REGISTRY, A_SCALAR(uint64_t)),
    ROW(theta_registry_manifest, 0, NULL, NULL, A_REGISTRY, A_BUFFER(16), A_CAPACITY(16), A_SCALAR(uint64_t)),
    ROW(theta_registry_destroy, 0, fresh_registry, NULL, A_REGISTRY),

    ROW(theta_session_host, 0, NULL, end_session, A_RUNTIME, A_REGISTRY, A_IN(theta_host_config, &host_config),
        A_SCALAR(theta_session)),
    ROW(theta_session_join, 0, NULL, end_session, A_RUNTIME, A_REGISTRY, A_IN(theta_join_config, &join_config),
        A_SCALAR(theta_session)),
    ROW(theta_session_destroy, 0, fresh_host, NULL, A_SESSION),
    ROW(theta_session_leave, 0, fresh_host, end_this_session, A_SESSION),
    ROW(theta_session_info_get, 0, NULL, NULL, A_SESSION, A_OUT(theta_session_info)),
    ROW(theta_session_loaded, 0, NULL, NULL, A_JOINED),
    ROW(theta_session_suspend, 0, NULL, NULL, A_JOINED),
    ROW(theta_session_resume, 0, NULL, NULL, A_JOINED),
    ROW(theta_session_network_changed, 0, NULL, NULL, A_JOINED),
    ROW(theta_session_poll, 0, NULL, NULL, A_SESSION, A_ELEMENTS(theta_event), A_ELEMENT_SIZE(theta_event),
        A_BETWEEN(1, 1, 4096), A_SCALAR(uint32_t)),
    /* No text: session.c reads those that there are. */
    ROW(theta_session_text, THETA_E_RANGE, NULL, NULL, A_SESSION, A_NUMBER(0), A_BUFFER(16), A_CAPACITY(16),
        A_SCALAR(uint64_t)),
    /* Nobody waits to be let in: session.c has somebody. */
    ROW(theta_session_admit, THETA_E_PEER_UNKNOWN, NULL, NULL, A_HOST, A_NUMBER(1000),
        A_BETWEEN(THETA_ROLE_EDITOR, THETA_ROLE_VIEWER, THETA_ROLE_ADMIN), A_BYTES("hello"), A_LENGTH("hello", 4096)),
    ROW(theta_session_deny, THETA_E_PEER_UNKNOWN, NULL, NULL, A_HOST, A_NUMBER(1000), A_TEXT("no"),
        A_LENGTH("no", 1024)),
    ROW(theta_session_kick, THETA_E_PEER_UNKNOWN, NULL, NULL, A_HOST, A_NUMBER(1000), A_TEXT("no"),
        A_LENGTH("no", 1024)),
    ROW(theta_session_peers, 0, NULL, NULL, A_SESSION, A_ELEMENTS(theta_peer_info), A_ELEMENT_SIZE(theta_peer_info),
        A_CAPACITY(1), A_SCALAR(uint32_t)),
    ROW(theta_session_statistics, 0, NULL, NULL, A_JOINED_OR_HOST, A_NUMBER(0), A_OUT(theta_statistics)),
    ROW(theta_session_ticket, 0, NULL, NULL, A_HOST, A_BUFFER(16), A_CAPACITY(16), A_SCALAR(uint64_t)),
    ROW(theta_session_issue_ticket, 0, NULL, NULL, A_HOST, A_IN(theta_ticket_desc, &ticket_desc), A_BUFFER(16),
        A_CAPACITY(16), A_SCALAR(uint64_t)),
    ROW(theta_session_create_invite, 0, NULL, NULL, A_HOST, A_IN(theta_invite_desc, &invite_desc),
        {.rule = SCALAR_OUT, .bytes = 16, .optional = 1}, A_BUFFER(1024), A_AT_LEAST(1024), A_SCALAR(uint64_t)),
    ROW(theta_session_revoke_invite, THETA_E_TICKET, NULL, NULL, A_HOST, {.rule = KEY, .source = key, .bytes = 16}),
    ROW(theta_session_invites, 0, NULL, NULL, A_HOST, A_ELEMENTS(theta_invite_info), A_ELEMENT_SIZE(theta_invite_info),
        A_CAPACITY(1), A_SCALAR(uint32_t)),
    ROW(theta_session_ban, 0, NULL, NULL, A_HOST, A_KEY(key)),
    ROW(theta_session_ban_peer, THETA_E_PEER_UNKNOWN, NULL, NULL, A_HOST, A_NUMBER(1000),
        {.rule = SCALAR_OUT, .bytes = 32, .optional = 1}),
    ROW(theta_session_unban, 0, NULL, NULL, A_HOST, A_KEY(key)),
    ROW(theta_session_admission, 0, NULL, NULL, A_HOST, A_BUFFER(16), A_CAPACITY(16), A_SCALAR(uint64_t)),

    ROW(theta_session_ticks_due, 0, NULL, NULL, A_SESSION, A_NUMBER(0), A_BETWEEN(1, 1, 64), A_SCALAR(uint32_t)),
    ROW(theta_session_tick, 0, NULL, NULL, A_HOST, A_SCALAR(uint32_t)),
    ROW(theta_session_render_tick, 0, NULL, NULL, A_JOINED, A_NUMBER(0), A_SCALAR(double)),

    ROW(theta_entity_spawn, 0, NULL, end_entity, A_HOST, A_IN(theta_spawn_desc, &spawn_desc), A_SCALAR(uint64_t)),
    ROW(theta_entity_despawn, 0, fresh_entity, NULL, A_HOST, A_NUMBER(0)),
    ROW(theta_entity_set_owner, THETA_E_ENTITY_UNKNOWN, NULL, NULL, A_HOST, A_NUMBER(1), A_NUMBER(0)),
    ROW(theta_entity_set_parent, THETA_E_ENTITY_UNKNOWN, NULL, NULL, A_HOST, A_NUMBER(1), A_NUMBER(0)),
    ROW(theta_entity_set_host_tag, 0, NULL, NULL, A_SESSION, A_NUMBER(1), A_NUMBER(0)),

    ROW(theta_write_begin, 0, NULL, end_write, A_HOST, A_SCALAR(theta_write)),
    ROW(theta_write_rows, 0, NULL, NULL, A_WRITE, {.rule = NUMBER, .source = &component}, A_NUMBER(0), A_IDS(&entity),
        A_COUNT, A_ROWS_IN(body_row), A_STRIDE(body), A_OUT_OPTIONAL(theta_write_report)),
    ROW(theta_write_commit, 0, fresh_write, NULL, A_WRITE),
    ROW(theta_write_commit_report, 0, fresh_write, NULL, A_WRITE, A_OUT(theta_write_report)),

    ROW(theta_frame_acquire, 0, NULL, end_frame, A_SESSION, A_BETWEEN(0, 0, 1), A_SCALAR(theta_frame)),
    ROW(theta_frame_release, 0, fresh_frame, NULL, A_FRAME),
    ROW(theta_frame_info_get, 0, NULL, NULL, A_FRAME, A_OUT(theta_frame_info)),
    ROW(theta_frame_entities, 0, NULL, NULL, A_FRAME, A_NUMBER(0), A_ELEMENTS(theta_entity_row),
        A_ELEMENT_SIZE(theta_entity_row), A_CAPACITY(1), A_SCALAR(uint32_t)),
    ROW(theta_frame_read, 0, NULL, NULL, A_FRAME, {.rule = NUMBER, .source = &component}, A_NUMBER(0),
        A_FLAGS(THETA_READ_QUANTISED), A_ROWS_OUT(body), A_STRIDE(body), A_COUNT, A_SCALAR(uint32_t)),
    ROW(theta_frame_payload, 0, NULL, NULL, A_FRAME, {.rule = NUMBER, .source = &entity}, A_BUFFER(2), A_CAPACITY(2),
        A_SCALAR(uint64_t)),

    ROW(theta_session_send_input, 0, until_live, NULL, A_JOINED, A_IN(theta_input, &input)),
    ROW(theta_session_input, 0, NULL, NULL, A_HOST, {.rule = NUMBER, .source = &joined_peer, .bytes = 4},
        A_OUT(theta_input)),
    ROW(theta_session_sample, 0, NULL, NULL, A_JOINED, {.rule = NUMBER, .source = &component}, A_NUMBER(0),
        A_IDS(&entity), A_COUNT, A_REAL, A_ROWS_OUT(body), A_STRIDE(body), A_CODES_OUT),

    /* Last: what the host finds it repairs while the other functions' tests are over. */
    ROW(thetax_runtime_condition_links, 0, NULL, NULL, A_RUNTIME, A_IN(thetax_link_conditions, &conditions)),
    /* Which fields there are, experimental.c asks. */
    ROW(thetax_session_plant_divergence, 0, until_live, NULL, A_JOINED, {.rule = NUMBER, .source = &component},
        A_NUMBER(4)),
};
#define ROWS_OF_TABLE (sizeof table / sizeof table[0])

/* What may not stand in the fields of structs that are read. Reserved fields come from the layout snapshot. */
static const field fields[] = {
    FIELD_NUMBER(theta_runtime_config, abi_version, THETA_ABI_VERSION + 1, THETA_E_ABI_MISMATCH),
    FIELD_FLAGS(theta_runtime_config, flags, 0),

    FIELD_TEXT(theta_component_desc, name, 65536),
    FIELD_TEXT(theta_component_desc, since_version, 65536),
    FIELD_POINTER(theta_component_desc, fields),
    FIELD_NUMBER(theta_component_desc, field_count, 65, THETA_E_RANGE),
    FIELD_NUMBER(theta_component_desc, field_count, UINT32_MAX, THETA_E_RANGE),
    FIELD_NUMBER(theta_component_desc, field_count, 0, THETA_E_COMPONENT_INVALID),
    FIELD_NUMBER(theta_component_desc, field_size, 0, THETA_E_STRUCT_SIZE),
    FIELD_NUMBER(theta_component_desc, field_size, 111, THETA_E_STRUCT_SIZE),
    FIELD_NUMBER(theta_component_desc, field_size, UINT32_MAX, THETA_E_STRUCT_SIZE),
    FIELD_NUMBER(theta_component_desc, size_bytes, UINT32_MAX, THETA_E_LIMIT),
    FIELD_NUMBER(theta_component_desc, authority, 3, THETA_E_RANGE),
    FIELD_NUMBER(theta_component_desc, authority, UINT32_MAX, THETA_E_RANGE),

    FIELD_NUMBER(theta_codec, element_bytes, 0, THETA_E_RANGE),
    FIELD_NUMBER(theta_codec, element_bytes, 65537, THETA_E_RANGE),
    FIELD_POINTER(theta_codec, encode),
    FIELD_POINTER(theta_codec, decode),

    FIELD_FLAGS(theta_host_config, flags, THETA_HOST_DEV_MODE | THETA_HOST_MANUAL_ADMISSION | THETA_HOST_BEARER),
    FIELD_TEXT(theta_host_config, bind_address, 256),
    FIELD_NUMBER(theta_host_config, max_peers, 1025, THETA_E_RANGE),
    FIELD_NUMBER(theta_host_config, max_peers, UINT32_MAX, THETA_E_RANGE),
    FIELD_NUMBER(theta_host_config, tick_rate_hz, 241, THETA_E_RANGE),
    FIELD_NUMBER(theta_host_config, admission_length, UINT64_MAX, THETA_E_RANGE),
    FIELD_NUMBER(theta_host_config, admission_length, 1, THETA_E_NULL),
    FIELD_NUMBER(theta_host_config, basis, 3, THETA_E_RANGE),
    FIELD_NUMBER(theta_host_config, default_role, 5, THETA_E_RANGE),

    FIELD_FLAGS(theta_join_config, flags, THETA_JOIN_MANUAL_LOADED),
    FIELD_TEXT(theta_join_config, ticket, 1024),
    FIELD_TEXT(theta_join_config, name, 64),
    FIELD_BYTES(theta_join_config, application, application_length, 4096),
    FIELD_NUMBER(theta_join_config, ticket_length, 0, THETA_E_TICKET),
    FIELD_NUMBER(theta_join_config, basis, 3, THETA_E_RANGE),
    FIELD_NUMBER(theta_join_config, interpolation_delay_ms, 1001, THETA_E_RANGE),
    FIELD_NUMBER(theta_join_config, handshake_timeout_ms, 60001, THETA_E_RANGE),

    FIELD_BYTES(theta_join_config, bearer, bearer_length, THETA_MAX_BEARER_BYTES),

    FIELD_NUMBER(theta_invite_desc, role, 0, THETA_E_RANGE),
    FIELD_NUMBER(theta_invite_desc, role, THETA_ROLE_ADMIN, THETA_E_RANGE),
    FIELD_NUMBER(theta_invite_desc, uses, 257, THETA_E_RANGE),
    FIELD_NUMBER(theta_invite_desc, uses, UINT32_MAX, THETA_E_RANGE),
    FIELD_TEXT(theta_invite_desc, endpoint, 256),

    FIELD_NUMBER(theta_ticket_desc, role, 0, THETA_E_RANGE),
    FIELD_NUMBER(theta_ticket_desc, role, 5, THETA_E_RANGE),
    FIELD_POINTER(theta_ticket_desc, client_key),
    FIELD_TEXT(theta_ticket_desc, endpoint, 256),

    FIELD_NUMBER(theta_spawn_desc, owner, 65536, THETA_E_PEER_UNKNOWN),
    FIELD_NUMBER(theta_spawn_desc, owner, UINT32_MAX, THETA_E_PEER_UNKNOWN),
    FIELD_NUMBER(theta_spawn_desc, parent, 12345, THETA_E_ENTITY_UNKNOWN),
    FIELD_NUMBER(theta_spawn_desc, component_count, 65, THETA_E_RANGE),
    FIELD_NUMBER(theta_spawn_desc, component_count, UINT32_MAX, THETA_E_RANGE),
    FIELD_POINTER(theta_spawn_desc, component_ids),
    FIELD_BYTES(theta_spawn_desc, payload, payload_length, 256),

    FIELD_FLOATS(theta_input, axes),
    FIELD_FLOATS(theta_input, head.position),
    FIELD_FLOATS(theta_input, head.rotation),
    FIELD_FLOATS(theta_input, left.linear_velocity),
    FIELD_FLOATS(theta_input, right.angular_velocity),
    FIELD_FLAGS(theta_input, head.flags, THETA_POSE_VALID | THETA_POSE_TRACKED),
    FIELD_FLAGS(theta_input, left.flags, THETA_POSE_VALID | THETA_POSE_TRACKED),
    FIELD_FLAGS(theta_input, right.flags, THETA_POSE_VALID | THETA_POSE_TRACKED),
    FIELD_NUMBER(theta_input, tail_length, 65, THETA_E_RANGE),
    FIELD_NUMBER(theta_input, tail_length, UINT32_MAX, THETA_E_RANGE),

    FIELD_NUMBER(thetax_link_conditions, loss_ppm, 1000001, THETA_E_RANGE),
    FIELD_NUMBER(thetax_link_conditions, loss_ppm, UINT32_MAX, THETA_E_RANGE),
    FIELD_NUMBER(thetax_link_conditions, latency_us, 10000001, THETA_E_RANGE),
    FIELD_NUMBER(thetax_link_conditions, latency_us, UINT32_MAX, THETA_E_RANGE),
    FIELD_NUMBER(thetax_link_conditions, jitter_us, 10000001, THETA_E_RANGE),
    FIELD_NUMBER(thetax_link_conditions, jitter_us, UINT32_MAX, THETA_E_RANGE),
};
#define FIELDS_OF_TABLE (sizeof fields / sizeof fields[0])

#endif
