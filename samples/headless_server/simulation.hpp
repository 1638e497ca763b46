// Cubes on a floor, pushed by the heads and hands of players. Bullet behind a small face; nothing here knows of
// sessions.
#ifndef SAMPLES_SIMULATION_HPP
#define SAMPLES_SIMULATION_HPP

#include "components.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

namespace samples {

/// One player's head and hands, as places.
struct limbs {
    theta::vec3 head;
    theta::vec3 left;
    theta::vec3 right;
};

class simulation {
public:
    /// `cubes` of 0.4 m: pillars of three around the places where the first `players` stand, the others on a grid
    /// around them, a second layer when the floor is full.
    simulation(std::size_t cubes, std::uint32_t players);
    ~simulation();
    simulation(const simulation&) = delete;
    simulation& operator=(const simulation&) = delete;

    /// Puts a player's head and hands somewhere; new players are added. Moves of more than a metre in one step carry no
    /// push.
    void place_player(std::uint32_t player, const limbs& where);
    void remove_player(std::uint32_t player);
    /// One step of fixed length.
    void step(double seconds);

    /// The state of every cube, in the order of their making.
    [[nodiscard]] const std::vector<demo_cube>& cubes() const;
    /// Cubes that have ever been more than a centimetre away from where they began.
    [[nodiscard]] std::size_t moved() const;

private:
    struct world;
    std::unique_ptr<world> world_;
};

}  // namespace samples

#endif
