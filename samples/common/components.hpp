// The two components of the samples, as samples/README.md tables them for every language.
#ifndef SAMPLES_COMPONENTS_HPP
#define SAMPLES_COMPONENTS_HPP

#include <theta/theta.hpp>

#include <cstdint>

namespace samples {

inline constexpr std::uint32_t cube_type = 1;
inline constexpr std::uint32_t avatar_type = 2;
inline constexpr double tick_rate_hz = 90;

struct demo_cube {
    theta::vec3 position;
    theta::quat rotation;
    theta::vec3 linear_velocity;
};

struct demo_avatar {
    theta::vec3 head_position;
    theta::quat head_rotation;
    theta::vec3 left_position;
    theta::quat left_rotation;
    theta::vec3 right_position;
    theta::quat right_rotation;
    double motion_time_us = 0;
};

static_assert(sizeof(demo_cube) == 40 && sizeof(demo_avatar) == 96, "the layouts of samples/README.md");

// Lanes of THETA_READ_QUANTISED: three a vector, four a quaternion, one a number.
inline constexpr std::size_t cube_lanes = 10;
inline constexpr std::size_t avatar_lanes = 22;

struct components {
    theta::component_ref<demo_cube> cube;
    theta::component_ref<demo_avatar> avatar;
};

inline theta::result<components> register_components(theta::registry& registry) noexcept {
    constexpr auto cube_place = theta::metres(-32, 32 - 1 / 1024., 1 / 1024.);
    constexpr auto cube_speed = theta::metres(-32, 32 - 1 / 64., 1 / 64.);
    constexpr auto avatar_place = theta::metres(-32, 32 - 1 / 4096., 1 / 4096.);
    constexpr auto avatar_turn = theta::rotation(12);

    const auto cube = registry.add(theta::component<demo_cube>("demo.cube")
                                       .field(1, "position", &demo_cube::position, cube_place)
                                       .field(2, "rotation", &demo_cube::rotation, theta::rotation(10))
                                       .field(3, "linear_velocity", &demo_cube::linear_velocity, cube_speed));
    if (!cube) {
        return cube.error();
    }
    const auto avatar =
        registry.add(theta::component<demo_avatar>("demo.avatar")
                         .field(1, "head_position", &demo_avatar::head_position, avatar_place)
                         .field(2, "head_rotation", &demo_avatar::head_rotation, avatar_turn)
                         .field(3, "left_position", &demo_avatar::left_position, avatar_place)
                         .field(4, "left_rotation", &demo_avatar::left_rotation, avatar_turn)
                         .field(5, "right_position", &demo_avatar::right_position, avatar_place)
                         .field(6, "right_rotation", &demo_avatar::right_rotation, avatar_turn)
                         .field(7, "motion_time_us", &demo_avatar::motion_time_us, theta::range(0, 68719476735.0, 1)));
    if (!avatar) {
        return avatar.error();
    }
    return components{*cube, *avatar};
}

}  // namespace samples

#endif
