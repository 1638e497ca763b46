/* The world of misuse.c: a host and a live peer, one object of each kind, and the tests that need more than one wrong
   argument. */
#ifndef THETA_TESTS_MISUSE_WORLD_H
#define THETA_TESTS_MISUSE_WORLD_H

static void drain_quietly(uint64_t session) {
  theta_event events[16];
  uint32_t count = 0;
  while (theta_session_poll(session_of(session), events, sizeof events[0], 16, &count) == THETA_OK) {
    size_t at;
    for (at = 0; at < count; ++at) {
      if (events[at].kind == THETA_EVENT_PEER_JOINED && session == live[SESSION]) joined_peer = events[at].peer;
    }
  }
}

/* Time passes in the session between two functions' tests, so that neither side takes the other for gone. */
static void turn(void) {
  uint32_t tick;
  CHECK_OK(theta_session_tick(session_of(live[SESSION]), &tick));
  drain_quietly(live[SESSION]);
  drain_quietly(live[JOINED]);
}

/* One object of each kind in a fresh runtime: a host that has sealed a tick. */
static int populate(uint64_t out[LIVE]) {
  theta_runtime runtime = {0};
  theta_registry registry = {0};
  theta_session host = {0};
  theta_write write = {0};
  theta_frame frame = {0};
  uint32_t tick;
  CHECK_OK(theta_runtime_create(&runtime_config, &runtime));
  CHECK_OK(theta_registry_create(runtime, &registry));
  CHECK_OK(add_body(registry, &component));
  if (!CHECK_OK(theta_session_host(runtime, registry, &host_config, &host))) return 0;
  CHECK_OK(theta_session_tick(host, &tick));
  CHECK_OK(theta_write_begin(host, &write));
  CHECK_OK(theta_frame_acquire(host, THETA_FRAME_NEWEST, &frame));
  out[RUNTIME] = runtime.bits;
  out[REGISTRY] = registry.bits;
  out[SESSION] = host.bits;
  out[WRITE] = write.bits;
  out[FRAME] = frame.bits;
  return 1;
}

/* Of a codec that no test gets as far as to call. */
static theta_status convert(void *user_data, uint64_t entity, const void *from, void *to) {
  (void)user_data, (void)entity, (void)from, (void)to;
  return 0;
}

static void descriptions(void) {
  runtime_config.abi_version = THETA_ABI_VERSION;
  host_config.flags = THETA_HOST_DEV_MODE;
  join_config.ticket = ticket_text;
  join_config.ticket_length = (uint32_t)sizeof ticket_text - 1;
  ticket_desc.role = THETA_ROLE_EDITOR;
  ticket_desc.client_key = key;
  invite_desc.role = THETA_ROLE_EDITOR;
  field_desc = body_field(1, THETA_KIND_F32, 0, "number");
  field_desc.minimum = -1.0;
  field_desc.maximum = 1.0;
  field_desc.step = 0.5;
  component_desc.name = "tests.other";
  component_desc.name_length = 11;
  component_desc.fields = &field_desc;
  component_desc.field_count = 1;
  component_desc.field_size = (uint32_t)sizeof field_desc;
  codec.element_bytes = 4;
  codec.encode = convert;
  codec.decode = convert;
  input.head.flags = input.left.flags = input.right.flags = THETA_POSE_VALID;
  input.head.rotation[3] = input.left.rotation[3] = input.right.rotation[3] = 1.0f;
  memset(&body_row, 0, sizeof body_row);
  body_row.rotation[3] = 1.0f;
}

/* A runtime that is gone, another one that lives, and the one of the test with a peer that follows its host. */
static int open_world(void) {
  theta_session joined = {0};
  theta_registry open = {0};
  theta_session_info info = THETA_SESSION_INFO_INIT;
  theta_join_config join = THETA_JOIN_CONFIG_INIT;
  char ticket[1024];
  uint64_t length = 0, end;
  descriptions();
  if (!populate(gone) || !populate(other_runtimes) || !populate(live)) return 0;
  CHECK_OK(theta_runtime_shutdown(runtime_of(gone[RUNTIME]), 10000, NULL));

  CHECK_OK(theta_session_ticket(session_of(live[SESSION]), ticket, sizeof ticket, &length));
  join.ticket = ticket;
  join.ticket_length = (uint32_t)length;
  join.handshake_timeout_ms = HANDSHAKE_MS;
  CHECK_OK(theta_session_join(runtime_of(live[RUNTIME]), registry_of(live[REGISTRY]), &join, &joined));
  live[JOINED] = joined.bits;
  spawn_desc.component_count = 1;
  spawn_desc.component_ids = &component;
  spawn_values[0] = &body_row;
  spawn_desc.component_values = spawn_values;
  spawn_desc.payload = key;
  spawn_desc.payload_length = sizeof key;
  CHECK_OK(theta_entity_spawn(session_of(live[SESSION]), &spawn_desc, &entity));
  end = theta_now_ns() + PATIENCE_NS;
  while ((info.state != THETA_STATE_LIVE || info.entity_count == 0 || joined_peer == 0) && theta_now_ns() < end) {
    turn();
    sleep_ms(5);
    CHECK_OK(theta_session_info_get(joined, &info));
  }
  if (!CHECK(info.state == THETA_STATE_LIVE && info.entity_count == 1 && joined_peer != 0)) return 0;

  /* Gone, in a runtime that lives; what takes their place has seen the entity, and its registry takes components. */
  memcpy(stale, live, sizeof stale);
  CHECK_OK(theta_frame_release(frame_of(live[FRAME])));
  CHECK_OK(theta_write_commit(write_of(live[WRITE])));
  CHECK_OK(theta_registry_destroy(registry_of(live[REGISTRY])));
  CHECK_OK(theta_registry_create(runtime_of(live[RUNTIME]), &open));
  live[REGISTRY] = open.bits;
  {
    theta_write write = {0};
    theta_frame frame = {0};
    theta_session other = {0};
    CHECK_OK(theta_write_begin(session_of(live[SESSION]), &write));
    CHECK_OK(theta_frame_acquire(session_of(live[SESSION]), THETA_FRAME_NEWEST, &frame));
    live[WRITE] = write.bits;
    live[FRAME] = frame.bits;
    /* A registry that a session has used takes no more components; the one under test stays open, so its sessions
       bring their own. */
    CHECK_OK(theta_session_host(runtime_of(live[RUNTIME]), registry_of(live[REGISTRY]), &host_config, &other));
    CHECK_OK(theta_session_destroy(other));
    stale[SESSION] = other.bits;
    CHECK_STATUS(theta_registry_add(open, &component_desc, NULL), THETA_E_REGISTRY_SEALED);
    CHECK_OK(theta_registry_destroy(open));
    CHECK_OK(theta_registry_create(runtime_of(live[RUNTIME]), &open));
    live[REGISTRY] = open.bits;
  }
  return 1;
}

/* Elements inside of a description have a size and reserved fields like everything else. */
static void elements_of_descriptions(void) {
  theta_component_desc desc = component_desc;
  struct {
    theta_field_desc field;
    uint32_t beyond[4];
  } longer;
  theta_registry fresh = {0};
  size_t f, byte;
  CHECK_OK(theta_registry_create(runtime_of(live[RUNTIME]), &fresh));
  memset(&longer, 0, sizeof longer);
  longer.field = field_desc;
  desc.fields = &longer.field;
  desc.field_size = (uint32_t)sizeof longer;
  for (byte = 0; byte < sizeof longer.beyond; ++byte) {
    ((unsigned char *)longer.beyond)[byte] = 1;
    CHECK_STATUS(theta_registry_add(fresh, &desc, NULL), THETA_E_UNSUPPORTED_FIELD);
    ((unsigned char *)longer.beyond)[byte] = 0;
  }
  for (f = 0; f < RESERVED_FIELDS; ++f) {
    if (strcmp(reserved[f].type, "theta_field_desc") != 0) continue;
    for (byte = 0; byte < reserved[f].bytes; ++byte) {
      unsigned char *at = (unsigned char *)&longer.field + reserved[f].offset + byte;
      *at = 1;
      CHECK_STATUS(theta_registry_add(fresh, &desc, NULL), THETA_E_UNSUPPORTED_FIELD);
      *at = 0;
    }
  }
  for (f = 0; f < NOT_UTF8; ++f) {
    longer.field.name = not_utf8[f];
    longer.field.name_length = (uint32_t)strlen(not_utf8[f]);
    CHECK_STATUS(theta_registry_add(fresh, &desc, NULL), THETA_E_UTF8);
  }
  longer.field.name = NULL;
  CHECK_STATUS(theta_registry_add(fresh, &desc, NULL), THETA_E_NULL);
  longer.field.name_length = UINT32_MAX;
  CHECK_STATUS(theta_registry_add(fresh, &desc, NULL), THETA_E_RANGE);
  longer.field = field_desc;
  longer.field.minimum = NAN;
  CHECK_STATUS(theta_registry_add(fresh, &desc, NULL), THETA_E_COMPONENT_INVALID);
  longer.field.minimum = field_desc.minimum;
  longer.field.default_number[0] = INFINITY;
  CHECK_STATUS(theta_registry_add(fresh, &desc, NULL), THETA_E_COMPONENT_INVALID);
  longer.field.default_number[0] = 0.0;
  CHECK_OK(theta_registry_add(fresh, &desc, NULL));
  CHECK_OK(theta_registry_destroy(fresh));
}

/* The value of our entity as the host has it after the next tick. */
static body body_now(void) {
  body found;
  theta_frame frame = {0};
  uint32_t tick, count = 0;
  memset(&found, 0, sizeof found);
  CHECK_OK(theta_session_tick(session_of(live[SESSION]), &tick));
  CHECK_OK(theta_frame_acquire(session_of(live[SESSION]), THETA_FRAME_NEWEST, &frame));
  CHECK_OK(theta_frame_read(frame, component, 0, 0, &found, sizeof found, 1, &count));
  CHECK(count == 1);
  CHECK_OK(theta_frame_release(frame));
  return found;
}

/* Writes one field; what comes of it. */
static void write_field(uint32_t id, const void *data, size_t bytes, theta_status expected, uint32_t clamped,
                        uint32_t not_numbers) {
  theta_write write = {0};
  theta_write_report report = THETA_WRITE_REPORT_INIT;
  CHECK_OK(theta_write_begin(session_of(live[SESSION]), &write));
  CHECK_STATUS(theta_write_rows(write, component, id, &entity, 1, data, bytes, &report), expected);
  CHECK(report.clamped == clamped && report.not_a_number == not_numbers);
  CHECK(report.first_bad_entity == (expected == THETA_OK ? 0 : entity));
  memset(&report, FILL, sizeof report);
  report.struct_size = sizeof report;
  CHECK_STATUS(theta_write_commit_report(write, &report), expected);
  CHECK(report.clamped == clamped && report.not_a_number == not_numbers && report.missing == 0);
}

/* In a column, what is no value keeps the old one and is counted; what is infinite is out of range and clamped. */
static void columns_keep_what_is_no_number(void) {
  const float place[3] = {1.0f, 2.0f, 3.0f}, turn[4] = {0.0f, 0.0f, 0.0f, 1.0f};
  const float wrong[3] = {NAN, INFINITY, -INFINITY};
  theta_session_info info = THETA_SESSION_INFO_INIT;
  body found;
  size_t axis, index;
  write_field(1, place, sizeof place, THETA_OK, 0, 0);
  write_field(2, turn, sizeof turn, THETA_OK, 0, 0);
  for (axis = 0; axis < 3; ++axis) {
    float bad[3] = {5.0f, 5.0f, 5.0f};
    bad[axis] = NAN;
    write_field(1, bad, sizeof bad, THETA_SOME_CLAMPED, 0, 1);
    found = body_now();
    for (index = 0; index < 3; ++index) CHECK(fabsf(found.position[index] - place[index]) < 0.01f);
  }
  {
    const float bad[3] = {INFINITY, -INFINITY, 0.0f};
    write_field(1, bad, sizeof bad, THETA_SOME_CLAMPED, 1, 0);
    found = body_now();
    CHECK(fabsf(found.position[0] - 256.0f) < 0.01f && fabsf(found.position[1] + 256.0f) < 0.01f);
  }
  for (index = 0; index < 3; ++index) {
    float bad[4] = {0.5f, 0.5f, 0.5f, 0.5f};
    bad[index] = wrong[index];
    write_field(2, bad, sizeof bad, THETA_SOME_CLAMPED, 0, 1);
  }
  {
    const float nothing[4] = {0.0f, 0.0f, 0.0f, 0.0f};
    write_field(2, nothing, sizeof nothing, THETA_SOME_CLAMPED, 0, 1);
  }
  found = body_now();
  CHECK(fabsf(found.rotation[3]) > 0.99f);
  /* Text in a column: not UTF-8, or longer than the field. */
  {
    body text;
    memset(&text, 0, sizeof text);
    text.label.length = 2;
    memcpy(text.label.text, "\xc0\xaf", 2);
    write_field(6, &text.label, sizeof text.label, THETA_SOME_CLAMPED, 0, 1);
    memset(text.label.text, 'x', sizeof text.label.text);
    text.label.length = UINT32_MAX;
    write_field(6, &text.label, sizeof text.label, THETA_SOME_CLAMPED, 1, 0);
    found = body_now();
    CHECK(found.label.length <= 16);
  }
  CHECK_OK(theta_session_info_get(session_of(live[SESSION]), &info));
  CHECK(info.state == THETA_STATE_LIVE);
}

/* Memory that is read and memory that is written are not the same memory. */
static void memory_that_overlaps(void) {
  union {
    uint64_t ids[64];
    unsigned char bytes[512];
  } shared;
  unsigned char results[4];
  const theta_session joined = {live[JOINED]};
  memset(&shared, 0, sizeof shared);
  shared.ids[0] = entity;
  CHECK_STATUS(theta_session_sample(joined, component, 0, shared.ids, 1, 1.0, shared.ids, sizeof(body), NULL), THETA_E_RANGE);
  CHECK_STATUS(theta_session_sample(joined, component, 0, shared.ids, 1, 1.0, shared.bytes + 1, sizeof(body), NULL),
               THETA_E_RANGE);
  CHECK_STATUS(theta_session_sample(joined, component, 0, shared.ids, 1, 1.0, shared.bytes + 8, sizeof(body), shared.bytes),
               THETA_E_RANGE);
  CHECK_STATUS(theta_session_sample(joined, component, 0, shared.ids, 1, 1.0, shared.bytes + 8, sizeof(body),
                                    shared.bytes + 8 + sizeof(body) - 1),
               THETA_E_RANGE);
  CHECK(shared.ids[0] == entity);
  CHECK(theta_session_sample(joined, component, 0, shared.ids, 1, 1.0, shared.bytes + 8, sizeof(body), results) >= 0);
}

#endif
