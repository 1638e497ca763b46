/* The header alone, as C99 and (by another compile of this file) as C++11, with every warning an error. Each INIT
   macro initialises its struct: the size is right and the rest is zero. */
#include <theta/theta.h>

#include "check.h"

#define INIT(name, initialiser)                                        \
  do {                                                                 \
    name value = initialiser;                                          \
    const unsigned char *bytes = (const unsigned char *)&value;        \
    size_t index, zeros = 0;                                           \
    CHECK(value.struct_size == sizeof(name));                          \
    for (index = 4; index < sizeof(name); ++index) zeros += !bytes[index]; \
    CHECK(zeros == sizeof(name) - 4);                                  \
  } while (0)

int main(void) {
  INIT(theta_error_info, THETA_ERROR_INFO_INIT);
  INIT(theta_runtime_config, THETA_RUNTIME_CONFIG_INIT);
  INIT(theta_shutdown_report, THETA_SHUTDOWN_REPORT_INIT);
  INIT(theta_component_desc, THETA_COMPONENT_DESC_INIT);
  INIT(theta_host_config, THETA_HOST_CONFIG_INIT);
  INIT(theta_join_config, THETA_JOIN_CONFIG_INIT);
  INIT(theta_session_info, THETA_SESSION_INFO_INIT);
  INIT(theta_statistics, THETA_STATISTICS_INIT);
  INIT(theta_ticket_desc, THETA_TICKET_DESC_INIT);
  INIT(theta_invite_desc, THETA_INVITE_DESC_INIT);
  INIT(theta_spawn_desc, THETA_SPAWN_DESC_INIT);
  INIT(theta_write_report, THETA_WRITE_REPORT_INIT);
  INIT(theta_frame_info, THETA_FRAME_INFO_INIT);
  INIT(theta_input, THETA_INPUT_INIT);
  CHECK(theta_abi_version() == THETA_ABI_VERSION);
  CHECK(strncmp(theta_build_info(), "theta-sdk ", 10) == 0);
  return finish();
}
