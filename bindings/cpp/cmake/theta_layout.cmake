# theta_layout(LIBRARY_DIR PREFIX): lays out a prefix of Theta from a built library, at configure time, and puts it in front of
# CMAKE_PREFIX_PATH. For tests and samples inside this repository, so that they too meet Theta only through find_package, as an
# application does. Its library keeps its symbols, which valgrind's suppressions name.
function(theta_layout library_dir prefix)
  set(package_build "${prefix}/.package")
  # CMAKE_CURRENT_FUNCTION_LIST_DIR is where this file stands.
  execute_process(
    COMMAND "${CMAKE_COMMAND}" -S "${CMAKE_CURRENT_FUNCTION_LIST_DIR}/.." -B "${package_build}" "-DTHETA_LIBRARY_DIR=${library_dir}" -DTHETA_BUILD_TESTS=OFF
      -DTHETA_SPLIT_DEBUG=OFF
    OUTPUT_QUIET COMMAND_ERROR_IS_FATAL ANY)
  execute_process(COMMAND "${CMAKE_COMMAND}" --install "${package_build}" --prefix "${prefix}" OUTPUT_QUIET COMMAND_ERROR_IS_FATAL ANY)
  set(CMAKE_PREFIX_PATH "${prefix};${CMAKE_PREFIX_PATH}" PARENT_SCOPE)
endfunction()
