# Inside this repository a sample may be given the directory of the built library instead of an installed Theta:
#   cmake -S samples/client_cpp -B build -DTHETA_LIBRARY_DIR=target/release
# It is laid out as a package first, so that the sample still meets Theta through find_package alone.
set(THETA_LIBRARY_DIR "" CACHE PATH "Directory of the built shared library, when Theta is not installed")
if(THETA_LIBRARY_DIR)
  include("${CMAKE_CURRENT_LIST_DIR}/../../bindings/cpp/cmake/theta_layout.cmake")
  theta_layout("${THETA_LIBRARY_DIR}" "${CMAKE_CURRENT_BINARY_DIR}/theta")
endif()
