// Theta for C++: sessions in which peers share entities, inputs and poses. Header-only, C++17, over the C ABI in
// theta/theta.h.
//
//     auto runtime = theta::runtime::create();
//     auto registry = theta::registry::create(*runtime);
//     auto cube = registry->add(
//         theta::component<demo_cube>("demo.cube")
//             .field(1, "position", &demo_cube::position, theta::metres(-32, 32, 1 / 1024.)));
//     theta::join_options joining;
//     joining.ticket = ticket;
//     joining.name = "Ada";
//     auto guest = theta::joined_session::open(*runtime, *registry, joining);
//     // every frame
//     guest->poll([&](const theta::event& event) { ... });
//     guest->each_frame([&](const theta::frame& frame) { frame.read(*cube, cubes); });
//
// Rules that hold everywhere:
// - No exceptions and no RTTI are needed. A call that can fail returns theta::result<T>; only poll and each_frame let
//   an exception of the callback through. Running out of memory ends the process, as in any noexcept code.
// - Objects are move-only owners of one C handle; `raw()` lends the handle to C code. A stale handle is an error,
//   never a crash.
// - The library never calls back from threads of its own.
// - Nothing of the standard library crosses into the shared library, so the application's compiler and settings are
//   free.
// - Names that engines define as macros (check, verify, TEXT, PI, min, max) do not occur.
//
// The parts, in reading order: cpp/result.hpp, cpp/types.hpp, cpp/component.hpp, cpp/runtime.hpp, cpp/frame.hpp,
// cpp/session.hpp.
#ifndef THETA_THETA_HPP
#define THETA_THETA_HPP

#include <theta/cpp/component.hpp>
#include <theta/cpp/frame.hpp>
#include <theta/cpp/result.hpp>
#include <theta/cpp/runtime.hpp>
#include <theta/cpp/session.hpp>
#include <theta/cpp/span.hpp>
#include <theta/cpp/types.hpp>

#endif
