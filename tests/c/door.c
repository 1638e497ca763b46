/* Who gets in beside those who have a member ticket, and who does not: invites, bans, bearer tokens, and the state that
   goes from one host to the next. */
#include "world.h"

#define INVITE_USED 68
#define ADMISSION_REFUSED 70
#define BANNED 71
#define STALE_TERM 55
#define VERSION_FLOOR 33
#define TRANSPORT_FLOOR 35
#define SECURITY_FLOOR 36

static theta_runtime runtime;
static theta_registry registry;
static theta_session host;
static uint32_t asked;
static char token[64];
static uint8_t bound[48];
static uint32_t bound_length;

static void drain_host(void) {
  theta_event events[8];
  uint32_t count = 0, index, tick;
  uint64_t length = 0;
  CHECK_OK(theta_session_tick(host, &tick));
  while (theta_session_poll(host, events, sizeof events[0], 8, &count) >= 0 && count > 0) {
    for (index = 0; index < count; ++index) {
      const theta_event *event = &events[index];
      if (event->kind == THETA_EVENT_JOIN_REQUEST) {
        asked = event->peer;
        if (CHECK(event->value != 0)) {
          CHECK_OK(theta_session_text(host, (uint32_t)event->value, (uint8_t *)token, sizeof token - 1, &length));
        }
      }
      if (event->kind == THETA_EVENT_INVITE_BOUND) {
        bound_length = event->text_length;
        CHECK_OK(theta_session_text(host, event->text_id, bound, sizeof bound, &length));
      }
    }
  }
}

/* The highest term that the next guest has seen. */
static uint32_t least_term;
/* What the next guest settles for. */
static uint16_t least_major, least_minor;
static uint32_t transports, security_modes;

/* Joins under a key of its own; the caller ends the session. */
static theta_session join(const char *ticket, uint64_t length, uint8_t who, const char *bearer) {
  theta_join_config config = THETA_JOIN_CONFIG_INIT;
  theta_session session = {0};
  uint8_t seed[32];
  memset(seed, who, sizeof seed);
  config.ticket = ticket;
  config.ticket_length = (uint32_t)length;
  config.handshake_timeout_ms = HANDSHAKE_MS;
  config.identity_seed = seed;
  config.least_term = least_term;
  config.least_major = least_major;
  config.least_minor = least_minor;
  config.transports = transports;
  config.security_modes = security_modes;
  config.bearer = (const uint8_t *)bearer;
  config.bearer_length = bearer == NULL ? 0 : (uint32_t)strlen(bearer);
  CHECK_OK(theta_session_join(runtime, registry, &config, &session));
  return session;
}

/* Runs until the session is live or over: its disconnect code, 0 when it is live. */
static uint32_t outcome(theta_session session) {
  const uint64_t end = theta_now_ns() + PATIENCE_NS;
  theta_session_info info = THETA_SESSION_INFO_INIT;
  do {
    drain_host();
    sleep_ms(2);
    CHECK_OK(theta_session_info_get(session, &info));
  } while (info.state != THETA_STATE_LIVE && info.state != THETA_STATE_CLOSED && theta_now_ns() < end);
  CHECK(info.state == THETA_STATE_LIVE || info.state == THETA_STATE_CLOSED);
  /* A fast session is there before the host was asked again. */
  drain_host();
  return info.state == THETA_STATE_LIVE ? 0 : info.disconnect_code;
}

static uint32_t comes(const char *ticket, uint64_t length, uint8_t who) {
  const theta_session session = join(ticket, length, who, NULL);
  const uint32_t code = outcome(session);
  CHECK_OK(theta_session_destroy(session));
  return code;
}

static void invites_and_bans(void) {
  theta_invite_desc desc = THETA_INVITE_DESC_INIT;
  theta_invite_info infos[2];
  theta_session_info info = THETA_SESSION_INFO_INIT;
  char ticket[1024];
  uint8_t id[16], key[32], seed[32];
  uint64_t length = 0, end;
  uint32_t count = 0;
  theta_session guest;
  desc.role = THETA_ROLE_ADMIN;
  CHECK_STATUS(theta_session_create_invite(host, &desc, id, ticket, sizeof ticket, &length), THETA_E_RANGE);
  desc.role = THETA_ROLE_VIEWER;
  CHECK_STATUS(theta_session_create_invite(host, &desc, id, ticket, 1023, &length), THETA_E_RANGE);
  desc.uses = 257;
  CHECK_STATUS(theta_session_create_invite(host, &desc, id, ticket, sizeof ticket, &length), THETA_E_RANGE);
  desc.uses = 0;
  CHECK_OK(theta_session_create_invite(host, &desc, id, ticket, sizeof ticket, &length));
  CHECK_OK(theta_session_invites(host, infos, sizeof infos[0], 2, &count));
  CHECK(count == 1 && memcmp(infos[0].id, id, 16) == 0 && infos[0].uses == 1 && infos[0].used == 0);
  CHECK(infos[0].role == THETA_ROLE_VIEWER && infos[0].is_revoked == 0);

  guest = join(ticket, length, 1, NULL);
  CHECK(outcome(guest) == 0);
  CHECK_OK(theta_session_info_get(guest, &info));
  CHECK(info.role == THETA_ROLE_VIEWER);
  memset(seed, 1, sizeof seed);
  CHECK_OK(theta_identity_public_key(seed, key));
  for (end = theta_now_ns() + PATIENCE_NS; bound_length == 0 && theta_now_ns() < end; sleep_ms(2)) drain_host();
  CHECK(bound_length == 48 && memcmp(bound, id, 16) == 0 && memcmp(bound + 16, key, 32) == 0);
  CHECK(comes(ticket, length, 2) == INVITE_USED);
  CHECK_OK(theta_session_invites(host, infos, sizeof infos[0], 2, &count));
  CHECK(count == 1 && infos[0].used == 1);

  memset(key, 0, sizeof key);
  CHECK_STATUS(theta_session_ban_peer(host, 99, key), THETA_E_PEER_UNKNOWN);
  CHECK_OK(theta_session_ban_peer(host, info.local_peer, key));
  end = theta_now_ns() + PATIENCE_NS;
  do {
    drain_host();
    sleep_ms(2);
    CHECK_OK(theta_session_info_get(guest, &info));
  } while (info.state != THETA_STATE_CLOSED && theta_now_ns() < end);
  CHECK(info.disconnect_code == BANNED);
  CHECK_OK(theta_session_destroy(guest));
  CHECK(comes(ticket, length, 1) == BANNED);
  CHECK_OK(theta_session_unban(host, key));
  CHECK(comes(ticket, length, 1) == 0);
  CHECK_OK(theta_session_revoke_invite(host, id));
  CHECK(comes(ticket, length, 1) == INVITE_USED);
  memset(id, 0, sizeof id);
  CHECK_STATUS(theta_session_revoke_invite(host, id), THETA_E_TICKET);
  CHECK_OK(theta_session_ban(host, key));
}

static void a_token_is_judged_here(void) {
  char ticket[1024];
  uint64_t length = 0, end;
  theta_session guest;
  CHECK_OK(theta_session_ticket(host, ticket, sizeof ticket, &length));
  guest = join(ticket, length, 5, "signed elsewhere");
  end = theta_now_ns() + PATIENCE_NS;
  while (asked == 0 && theta_now_ns() < end) {
    drain_host();
    sleep_ms(2);
  }
  CHECK(strcmp(token, "signed elsewhere") == 0);
  CHECK_OK(theta_session_deny(host, asked, "not by us", 9));
  CHECK(outcome(guest) == ADMISSION_REFUSED);
  CHECK_OK(theta_session_destroy(guest));
}

static uint32_t guest_comes(uint8_t who) {
  char ticket[1024];
  uint64_t length = 0;
  CHECK_OK(theta_session_ticket(host, ticket, sizeof ticket, &length));
  return comes(ticket, length, who);
}

/* A side that settles for no less than it was told, and says what that is. The next minor version is one that this build
   is too old for. */
static void floors_are_held(void) {
  theta_host_config config = THETA_HOST_CONFIG_INIT;
  theta_join_config joining = THETA_JOIN_CONFIG_INIT;
  theta_session_info ours = THETA_SESSION_INFO_INIT, info = THETA_SESSION_INFO_INIT;
  const theta_session before = host;
  theta_event event;
  theta_session session;
  char ticket[1024], text[1024];
  uint64_t length = 0, end;
  uint32_t count = 0, code = 0;
  uint16_t next;
  CHECK_OK(theta_session_info_get(before, &ours));
  CHECK(ours.version_major != 0 || ours.version_minor != 0);
  CHECK(ours.least_major == 0 && ours.least_minor == 0 && ours.least_patch == 0);
  next = (uint16_t)(ours.version_minor + 1);

  /* A guest that knows its floors. */
  least_major = ours.version_major;
  least_minor = next;
  CHECK(guest_comes(20) == VERSION_FLOOR);
  least_major = 0;
  least_minor = 0;
  transports = THETA_TRANSPORT_MEMORY;
  CHECK(guest_comes(21) == TRANSPORT_FLOOR);
  transports = THETA_TRANSPORT_MEMORY | THETA_TRANSPORT_QUIC;
  CHECK(guest_comes(21) == 0);
  transports = 0;
  security_modes = THETA_SECURITY_END_TO_END;
  CHECK(guest_comes(22) == SECURITY_FLOOR);
  security_modes = THETA_SECURITY_END_TO_END | THETA_SECURITY_TRANSPORT;
  CHECK(guest_comes(22) == 0);
  security_modes = 0;
  joining.transports = 16;
  CHECK_STATUS(theta_session_join(runtime, registry, &joining, &session), THETA_E_UNSUPPORTED_FIELD);
  joining.transports = 0;
  joining.security_modes = 4;
  CHECK_STATUS(theta_session_join(runtime, registry, &joining, &session), THETA_E_UNSUPPORTED_FIELD);

  /* A host whose floor is its own version admits; one whose floor is the next refuses, and says both versions. */
  config.flags = THETA_HOST_DEV_MODE;
  config.least_major = ours.version_major;
  config.least_minor = ours.version_minor;
  config.least_patch = ours.version_patch;
  CHECK_OK(theta_session_host(runtime, registry, &config, &host));
  CHECK(guest_comes(23) == 0);
  CHECK_OK(theta_session_destroy(host));
  config.least_minor = next;
  CHECK_OK(theta_session_host(runtime, registry, &config, &host));
  CHECK_OK(theta_session_info_get(host, &info));
  CHECK(info.least_major == ours.version_major && info.least_minor == next && info.least_patch == ours.version_patch);
  CHECK_OK(theta_session_ticket(host, ticket, sizeof ticket, &length));
  session = join(ticket, length, 24, NULL);
  CHECK(outcome(session) == VERSION_FLOOR);
  memset(text, 0, sizeof text);
  for (end = theta_now_ns() + PATIENCE_NS; code == 0 && theta_now_ns() < end; sleep_ms(1)) {
    CHECK(theta_session_poll(session, &event, sizeof event, 1, &count) >= 0);
    if (count == 1 && event.kind == THETA_EVENT_DISCONNECTED) {
      code = (uint32_t)event.code;
      CHECK_OK(theta_session_text(session, event.text_id, (uint8_t *)text, sizeof text - 1, &length));
    }
  }
  CHECK(code == VERSION_FLOOR);
  snprintf(ticket, sizeof ticket, "%u.%u.%u", ours.version_major, ours.version_minor, ours.version_patch);
  CHECK(strstr(text, ticket) != NULL);
  snprintf(ticket, sizeof ticket, "%u.%u.%u", ours.version_major, next, ours.version_patch);
  CHECK(strstr(text, ticket) != NULL);
  CHECK_OK(theta_session_destroy(session));
  CHECK_OK(theta_session_destroy(host));
  host = before;
}

int main(void) {
  theta_runtime_config runtime_config = THETA_RUNTIME_CONFIG_INIT;
  theta_host_config host_config = THETA_HOST_CONFIG_INIT;
  theta_shutdown_report report = THETA_SHUTDOWN_REPORT_INIT;
  uint8_t state[4096];
  uint8_t seed[32], document[32];
  theta_session_info info = THETA_SESSION_INFO_INIT;
  char ticket[1024];
  uint64_t component, length = 0, kept = 0;
  theta_session joined;
  runtime_config.abi_version = THETA_ABI_VERSION;
  if (!CHECK_OK(theta_runtime_create(&runtime_config, &runtime))) return finish();
  CHECK_OK(theta_registry_create(runtime, &registry));
  CHECK_OK(add_body(registry, &component));
  memset(seed, 9, sizeof seed);
  host_config.flags = THETA_HOST_DEV_MODE | THETA_HOST_BEARER;
  host_config.authority_seed = seed;
  if (!CHECK_OK(theta_session_host(runtime, registry, &host_config, &host))) return finish();
  invites_and_bans();
  a_token_is_judged_here();
  floors_are_held();

  /* The next host of the document knows who was banned. */
  CHECK_STATUS(theta_session_admission(host, NULL, 0, &kept), THETA_TRUNCATED);
  if (!CHECK(kept > 0 && kept <= sizeof state)) return finish();
  CHECK_OK(theta_session_admission(host, state, sizeof state, &kept));
  CHECK_OK(theta_session_info_get(host, &info));
  CHECK(info.term == 1);
  memcpy(document, info.document_id, sizeof document);
  CHECK_OK(theta_session_destroy(host));
  host_config.admission = state;
  host_config.term = 2;
  host_config.admission_length = kept - 1;
  CHECK_STATUS(theta_session_host(runtime, registry, &host_config, &host), THETA_E_TICKET);
  host_config.admission_length = kept;
  CHECK_OK(theta_session_host(runtime, registry, &host_config, &host));
  CHECK_OK(theta_session_ticket(host, ticket, sizeof ticket, &length));
  CHECK(comes(ticket, length, 1) == BANNED);
  CHECK(comes(ticket, length, 3) == 0);

  /* It is the same document, in a later term; a peer that has seen a still later one refuses it. */
  CHECK_OK(theta_session_info_get(host, &info));
  CHECK(info.term == 2 && memcmp(info.document_id, document, sizeof document) == 0);
  least_term = 2;
  CHECK(comes(ticket, length, 3) == 0);
  least_term = 3;
  CHECK(comes(ticket, length, 3) == STALE_TERM);
  least_term = 0;
  joined = join(ticket, length, 4, NULL);
  CHECK_STATUS(theta_session_ban(joined, seed), THETA_E_WRONG_ROLE);
  CHECK_OK(theta_runtime_shutdown(runtime, 10000, &report));
  CHECK(report.threads_left == 0);
  return finish();
}
