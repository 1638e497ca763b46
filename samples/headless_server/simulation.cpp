#include "simulation.hpp"

#include "motion.hpp"

#include <btBulletDynamicsCommon.h>

#include <array>
#include <cmath>
#include <map>

namespace samples {
namespace {

constexpr double half_cube_m = 0.2;
constexpr double cube_mass_kg = 2.0;
constexpr double hand_radius_m = 0.10;
constexpr double head_radius_m = 0.13;
constexpr double grid_pitch_m = 0.5;
constexpr double grid_half_width_m = 6.0;
constexpr double wall_distance_m = 14.0;
// Six pillars close the ring around a player with their inner faces 0.36 m away: within reach of a hand held at ease.
constexpr int pillars = 6;
constexpr int pillar_height = 3;
constexpr double pillar_distance_m = 0.56;
constexpr double kept_free_m = 1.0;
constexpr double teleport_m = 1.0;

struct placement {
    btVector3 position;
    double yaw;
};

std::vector<placement> layout(std::size_t count, std::uint32_t players) {
    std::vector<placement> places;
    places.reserve(count);
    for (int level = 0; level < pillar_height; ++level) {
        for (std::uint32_t player = 0; player < players; ++player) {
            const auto centre = standing_place(player);
            for (int pillar = 0; pillar < pillars && places.size() < count; ++pillar) {
                const double angle = SIMD_2_PI * pillar / pillars;
                places.push_back(
                    {btVector3(centre[0] + pillar_distance_m * std::sin(angle), half_cube_m * (2 * level + 1),
                               centre[2] - pillar_distance_m * std::cos(angle)),
                     -angle});
            }
        }
    }
    const auto occupied = [&](double x, double z) {
        for (std::uint32_t player = 0; player < players; ++player) {
            const auto centre = standing_place(player);
            if (std::hypot(x - centre[0], z - centre[2]) < kept_free_m) {
                return true;
            }
        }
        return false;
    };
    for (int level = 0; places.size() < count; ++level) {
        for (double x = -grid_half_width_m; x <= grid_half_width_m; x += grid_pitch_m) {
            for (double z = -grid_half_width_m; z <= grid_half_width_m && places.size() < count; z += grid_pitch_m) {
                if (!occupied(x, z)) {
                    places.push_back({btVector3(x, half_cube_m * (2 * level + 1), z), 0});
                }
            }
        }
    }
    return places;
}

btVector3 to_bullet(const theta::vec3& v) { return {v.x, v.y, v.z}; }
theta::vec3 from_bullet(const btVector3& v) {
    return {static_cast<float>(v.x()), static_cast<float>(v.y()), static_cast<float>(v.z())};
}

btRigidBody::btRigidBodyConstructionInfo body_info(double mass, btCollisionShape& shape, btScalar friction) {
    btVector3 inertia(0, 0, 0);
    if (mass > 0) {
        shape.calculateLocalInertia(mass, inertia);
    }
    btRigidBody::btRigidBodyConstructionInfo info(mass, nullptr, &shape, inertia);
    info.m_friction = friction;
    return info;
}

}  // namespace

struct simulation::world {
    // Bullet keeps plain pointers to all of these; they die in the reverse order, bodies first.
    btDefaultCollisionConfiguration configuration;
    btCollisionDispatcher dispatcher{&configuration};
    btDbvtBroadphase broadphase;
    btSequentialImpulseConstraintSolver solver;
    btDiscreteDynamicsWorld dynamics{&dispatcher, &broadphase, &solver, &configuration};
    btBoxShape cube_shape{btVector3(half_cube_m, half_cube_m, half_cube_m)};
    btSphereShape hand_shape{hand_radius_m};
    btSphereShape head_shape{head_radius_m};
    std::vector<std::unique_ptr<btStaticPlaneShape>> planes;
    std::vector<std::unique_ptr<btRigidBody>> fixed;
    std::vector<std::unique_ptr<btRigidBody>> cubes;
    std::map<std::uint32_t, std::array<std::unique_ptr<btRigidBody>, 3>> players;

    std::vector<btVector3> began;
    std::vector<bool> has_moved;
    std::size_t moved = 0;
    std::vector<demo_cube> state;

    void add_plane(const btVector3& normal, double offset) {
        planes.push_back(std::make_unique<btStaticPlaneShape>(normal, offset));
        fixed.push_back(std::make_unique<btRigidBody>(body_info(0, *planes.back(), 0.7)));
        dynamics.addRigidBody(fixed.back().get());
    }

    void read_back() {
        for (std::size_t i = 0; i < cubes.size(); ++i) {
            const btTransform& transform = cubes[i]->getWorldTransform();
            const btQuaternion turn = transform.getRotation();
            const btVector3& place = transform.getOrigin();
            // A sleeping body keeps a last tiny velocity in Bullet; at rest means zero here, and zero costs nothing to
            // send.
            const bool awake = cubes[i]->isActive();
            state[i].position = from_bullet(place);
            state[i].rotation = {static_cast<float>(turn.x()), static_cast<float>(turn.y()),
                                 static_cast<float>(turn.z()), static_cast<float>(turn.w())};
            state[i].linear_velocity = awake ? from_bullet(cubes[i]->getLinearVelocity()) : theta::vec3{};
            if (!has_moved[i] && place.distance2(began[i]) > 0.01 * 0.01) {
                has_moved[i] = true;
                ++moved;
            }
        }
    }

    ~world() {
        for (auto& [player, bodies] : players) {
            for (auto& body : bodies) {
                dynamics.removeRigidBody(body.get());
            }
        }
        for (auto& body : cubes) {
            dynamics.removeRigidBody(body.get());
        }
        for (auto& body : fixed) {
            dynamics.removeRigidBody(body.get());
        }
    }
};

simulation::simulation(std::size_t cubes, std::uint32_t players)
    : world_(std::make_unique<world>()) {
    world& w = *world_;
    w.dynamics.setGravity(btVector3(0, -9.81, 0));
    w.add_plane(btVector3(0, 1, 0), 0);
    w.add_plane(btVector3(1, 0, 0), -wall_distance_m);
    w.add_plane(btVector3(-1, 0, 0), -wall_distance_m);
    w.add_plane(btVector3(0, 0, 1), -wall_distance_m);
    w.add_plane(btVector3(0, 0, -1), -wall_distance_m);

    const auto info = body_info(cube_mass_kg, w.cube_shape, 0.6);
    for (const placement& place : layout(cubes, players)) {
        auto body = std::make_unique<btRigidBody>(info);
        body->setWorldTransform(btTransform(btQuaternion(btVector3(0, 1, 0), place.yaw), place.position));
        body->setInterpolationWorldTransform(body->getWorldTransform());
        body->setDamping(0.05, 0.1);
        w.dynamics.addRigidBody(body.get());
        // They start asleep: a world at rest that costs nothing until somebody touches it.
        body->forceActivationState(ISLAND_SLEEPING);
        w.began.push_back(place.position);
        w.cubes.push_back(std::move(body));
    }
    w.has_moved.resize(w.cubes.size());
    w.state.resize(w.cubes.size());
    w.read_back();
}

simulation::~simulation() = default;

void simulation::place_player(std::uint32_t player, const limbs& where) {
    world& w = *world_;
    const std::array<btVector3, 3> places{to_bullet(where.head), to_bullet(where.left), to_bullet(where.right)};
    auto [found, is_new] = w.players.try_emplace(player);
    for (std::size_t part = 0; part < places.size(); ++part) {
        auto& body = found->second[part];
        const btTransform target(btQuaternion::getIdentity(), places[part]);
        if (is_new) {
            btCollisionShape& shape = part == 0 ? static_cast<btCollisionShape&>(w.head_shape) : w.hand_shape;
            body = std::make_unique<btRigidBody>(body_info(0, shape, 0.4));
            body->setCollisionFlags(body->getCollisionFlags() | btCollisionObject::CF_KINEMATIC_OBJECT);
            body->setActivationState(DISABLE_DEACTIVATION);
            body->setWorldTransform(target);
            w.dynamics.addRigidBody(body.get());
        }
        // Bullet takes a kinematic body's velocity from the way between the last and this transform, and pushes with
        // it.
        if (is_new || places[part].distance2(body->getWorldTransform().getOrigin()) > teleport_m * teleport_m) {
            body->setInterpolationWorldTransform(target);
        }
        body->setWorldTransform(target);
    }
}

void simulation::remove_player(std::uint32_t player) {
    const auto found = world_->players.find(player);
    if (found == world_->players.end()) {
        return;
    }
    for (auto& body : found->second) {
        world_->dynamics.removeRigidBody(body.get());
    }
    world_->players.erase(found);
}

void simulation::step(double seconds) {
    world_->dynamics.stepSimulation(seconds, 0);  // 0: exactly one step of this length
    world_->read_back();
}

const std::vector<demo_cube>& simulation::cubes() const { return world_->state; }
std::size_t simulation::moved() const { return world_->moved; }

}  // namespace samples
