// A headless server: simulates cubes at 90 Hz, lets players push them, and replicates both. Options, files and reports:
// samples/README.md.
#include "components.hpp"
#include "simulation.hpp"
#include "tick_hash.hpp"
#include "tools.hpp"

#include <theta/theta.hpp>

#include <algorithm>
#include <cstdio>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace {

using namespace samples;

constexpr double deadline_ms = 11.1;
constexpr std::uint32_t ticks_between_readings = 9;
/// Of divergences that the report lists: one is a bug, and more than these say nothing new.
constexpr std::size_t most_divergences = 64;

struct options {
    std::string bind_address;
    std::string ticket_file;
    std::string hash_file;
    std::string report_file;
    double seconds = 0;
    std::uint32_t peers = 0;
    std::size_t cubes = 0;
    bool live = false;
};

/// A player who is here or was here; the numbers are the newest seen, since a link's end takes its statistics with it.
struct player {
    std::string name;
    theta::entity_id avatar;
    demo_avatar shown;
    bool present = true;
    theta::link_statistics link{};
    double seconds_present = 0;
};

/// Where a player's client held something else than this host.
struct divergence {
    theta::peer_id peer;
    std::uint32_t tick;
    std::string where;
    std::optional<double> repaired_tick;
};

limbs limbs_of(const demo_avatar& avatar) {
    return {avatar.head_position, avatar.left_position, avatar.right_position};
}

void show(const theta::pose& from, theta::vec3& position, theta::quat& rotation) {
    position = {from.position[0], from.position[1], from.position[2]};
    rotation = {from.rotation[0], from.rotation[1], from.rotation[2], from.rotation[3]};
}

class server {
public:
    server(theta::host_session& host, const components& known, const options& wanted)
        : host_(host),
          known_(known),
          wanted_(wanted),
          physics_(wanted.cubes, wanted.peers),
          hasher_(known) {}

    theta::result<void> spawn_cubes() {
        for (const demo_cube& cube : physics_.cubes()) {
            const auto spawned = host_.spawn(theta::entity(cube_type).with(known_.cube, cube));
            if (!spawned) {
                return spawned.error();
            }
            cubes_.push_back(*spawned);
        }
        return {};
    }

    /// The first tick, before anybody has a ticket: who joins finds a world.
    theta::result<void> seal_first_tick() {
        const auto tick = host_.tick();
        if (!tick) {
            return tick.error();
        }
        return hash_own_frame();
    }

    bool open_hash_file() { return hashes_.open(wanted_.hash_file); }

    /// The real-time loop: until the time is over, or somebody asks to stop, or something fails.
    theta::result<void> run() {
        fixed_rate clock(tick_rate_hz);
        const std::int64_t began_ns = fixed_rate::now();
        std::int64_t second_ends_ns = began_ns + 1'000'000'000;
        while (!stop_requested() && (wanted_.seconds <= 0 || seconds_ < wanted_.seconds)) {
            const std::int64_t late_ns = clock.wait();
            const std::int64_t start_ns = fixed_rate::now();
            if (auto ticked = one_tick(); !ticked) {
                return ticked;
            }
            const std::int64_t end_ns = fixed_rate::now();
            const double took_ms = static_cast<double>(end_ns - start_ns) / 1e6;
            tick_ms_.add(took_ms);
            if (late_ns > clock.period_ns() || took_ms > deadline_ms) {
                ++deadline_misses_;
            }
            seconds_ = static_cast<double>(end_ns - began_ns) / 1e9;
            if (end_ns >= second_ends_ns) {
                second_ends_ns += 1'000'000'000;
                each_second();
            }
        }
        return {};
    }

    bool write_report(bool fine) {
        std::string peers;
        for (const auto& [peer, one] : players_) {
            read_link(peer, players_.at(peer));
            const double seconds = one.seconds_present > 0 ? one.seconds_present : 1;
            json_object entry;
            entry.number("peer", peer).text("name", one.name).number("rtt_ms_p50", one.link.rtt_p50_us / 1e3, 3);
            entry.number("rtt_ms_p99", one.link.rtt_p99_us / 1e3, 3);
            entry.number("in_bytes_per_s", static_cast<double>(one.link.bytes_received) / seconds);
            entry.number("out_bytes_per_s", static_cast<double>(one.link.bytes_sent) / seconds);
            entry.number("inputs_received", static_cast<double>(one.link.inputs_received));
            entry.number("divergences", static_cast<double>(one.link.divergences));
            entry.number("repairs", static_cast<double>(one.link.repairs));
            entry.number("confirmed_tick", one.link.confirmed_tick);
            peers += (peers.empty() ? "" : ", ") + entry.str();
        }
        std::string divergences;
        for (const divergence& one : divergences_) {
            json_object entry;
            entry.text("name", players_[one.peer].name).number("tick", one.tick).text("where", one.where);
            entry.number("repaired_tick", one.repaired_tick);
            divergences += (divergences.empty() ? "" : ", ") + entry.str();
        }
        json_object report;
        report.boolean("ok", fine && divergences_.empty())
            .number("seconds", seconds_, 2)
            .number("tick_hz", static_cast<double>(tick_ms_.size()) / seconds_, 2);
        report.number("tick_ms_p50", tick_ms_.percentile(0.50), 3).number("tick_ms_p99", tick_ms_.percentile(0.99), 3);
        report.number("deadline_misses", static_cast<double>(deadline_misses_))
            .number("entities", static_cast<double>(most_entities_));
        report.number("entities_moved", static_cast<double>(physics_.moved())).raw("peers", "[" + peers + "]");
        report.raw("divergences", "[" + divergences + "]");
        return wanted_.report_file.empty() || write_whole(wanted_.report_file, report.str() + "\n");
    }

private:
    theta::result<void> one_tick() {
        most_entities_ = std::max(most_entities_, entities());
        theta::result<void> outcome;
        const auto polled = host_.poll([&](const theta::event& event) {
            if (auto handled = handle(event); !handled) {
                outcome = handled;
            }
        });
        if (!polled) {
            return polled.error();
        }
        if (!outcome) {
            return outcome;
        }
        if (auto moved = move_players(); !moved) {
            return moved;
        }
        physics_.step(1 / tick_rate_hz);
        if (auto written = write_columns(); !written) {
            return written;
        }
        const auto tick = host_.tick();
        if (!tick) {
            return tick.error();
        }
        tick_ = *tick;
        // A link's end takes its numbers with it, so they are read often.
        if (tick_ % ticks_between_readings == 0) {
            for (auto& [peer, one] : players_) {
                read_link(peer, one);
            }
        }
        return hash_own_frame();
    }

    theta::result<void> handle(const theta::event& event) {
        switch (event.kind) {
        case theta::event_kind::peer_joined: return add_player(event.peer, std::string(event.text));
        case theta::event_kind::peer_left: return remove_player(event.peer);
        case theta::event_kind::resync: return match_roster();
        case theta::event_kind::diverged:
            if (divergences_.size() < most_divergences) {
                divergences_.push_back({event.peer, event.tick, std::string(event.text), std::nullopt});
            }
            std::fprintf(stderr, "peer %u diverged at tick %u: %.*s\n", event.peer, event.tick,
                         static_cast<int>(event.text.size()), event.text.data());
            return {};
        case theta::event_kind::repaired:
            for (divergence& one : divergences_) {
                if (one.peer == event.peer && !one.repaired_tick) {
                    one.repaired_tick = event.tick;
                }
            }
            return {};
        case theta::event_kind::faulted:
            return theta::error{static_cast<theta::code>(event.code), "theta_session_poll", std::string(event.text)};
        default: return {};
        }
    }

    theta::result<void> add_player(theta::peer_id peer, std::string name) {
        if (const auto known = players_.find(peer); known != players_.end() && known->second.present) {
            return {};
        }
        player added;
        added.name = std::move(name);
        const auto avatar =
            host_.spawn(theta::entity(avatar_type).owned_by(peer).payload(added.name).with(known_.avatar, added.shown));
        if (!avatar) {
            return avatar.error();
        }
        added.avatar = *avatar;
        players_[peer] = std::move(added);
        return {};
    }

    theta::result<void> remove_player(theta::peer_id peer) {
        const auto found = players_.find(peer);
        if (found == players_.end() || !found->second.present) {
            return {};
        }
        found->second.present = false;
        physics_.remove_player(peer);
        return host_.despawn(found->second.avatar);
    }

    /// Events were coalesced: who is here is what the roster says.
    theta::result<void> match_roster() {
        if (const auto listed = host_.peers(roster_); !listed) {
            return listed.error();
        }
        std::map<theta::peer_id, std::string> here;
        for (const theta::peer_info& one : roster_) {
            if (one.peer != theta::host_peer) {
                here.emplace(one.peer, std::string(one.name, one.name_length));
            }
        }
        for (auto& [peer, one] : players_) {
            if (one.present && here.count(peer) == 0) {
                if (auto removed = remove_player(peer); !removed) {
                    return removed;
                }
            }
        }
        for (auto& [peer, name] : here) {
            if (auto added = add_player(peer, name); !added) {
                return added;
            }
        }
        return {};
    }

    theta::result<void> move_players() {
        theta::input now;
        for (auto& [peer, one] : players_) {
            if (!one.present) {
                continue;
            }
            const auto is_new = host_.input_of(peer, now);
            if (!is_new) {
                if (is_new.code() == theta::code::peer_unknown) {
                    continue;  // gone already; its event is under way
                }
                return is_new.error();
            }
            if (*is_new) {
                show(now.head, one.shown.head_position, one.shown.head_rotation);
                show(now.left, one.shown.left_position, one.shown.left_rotation);
                show(now.right, one.shown.right_position, one.shown.right_rotation);
                one.shown.motion_time_us = static_cast<double>(now.sampled_at_us);
            }
            if (one.shown.motion_time_us > 0) {
                physics_.place_player(peer, limbs_of(one.shown));
            }
        }
        return {};
    }

    theta::result<void> write_columns() {
        auto batch = host_.begin_write();
        if (!batch) {
            return batch.error();
        }
        if (const auto written = batch->rows(known_.cube, cubes_, physics_.cubes()); !written) {
            return written.error();
        }
        avatar_ids_.clear();
        avatar_values_.clear();
        for (const auto& [peer, one] : players_) {
            if (one.present) {
                avatar_ids_.push_back(one.avatar);
                avatar_values_.push_back(one.shown);
            }
        }
        if (!avatar_ids_.empty()) {
            if (const auto written = batch->rows(known_.avatar, avatar_ids_, avatar_values_); !written) {
                return written.error();
            }
        }
        if (const auto committed = batch->commit(); !committed) {
            return committed.error();
        }
        return {};
    }

    theta::result<void> hash_own_frame() {
        const auto frame = host_.newest_frame();
        if (!frame) {
            return frame.error();
        }
        const auto info = frame->info();
        if (!info) {
            return info.error();
        }
        const auto hash = hasher_.hash(*frame);
        if (!hash) {
            return hash.error();
        }
        hashes_.line(info->tick, *hash);
        return {};
    }

    void read_link(theta::peer_id peer, player& one) {
        if (one.present) {
            if (const auto link = host_.statistics(peer)) {
                one.link = *link;
            }
        }
    }

    [[nodiscard]] std::size_t here() const {
        std::size_t count = 0;
        for (const auto& [peer, one] : players_) {
            count += one.present ? 1 : 0;
        }
        return count;
    }
    [[nodiscard]] std::size_t entities() const { return cubes_.size() + here(); }

    void each_second() {
        hashes_.flush();
        for (auto& [peer, one] : players_) {
            one.seconds_present += one.present ? 1 : 0;
        }
        if (wanted_.live) {
            std::printf(
                "status kind=server tick=%u tick_ms_p50=%s tick_ms_p99=%s deadline_misses=%zu entities=%zu "
                "entities_moved=%zu peers=%zu\n",
                tick_, shown(tick_ms_.recent_percentile(0.50), 2, "-").c_str(),
                shown(tick_ms_.recent_percentile(0.99), 2, "-").c_str(), deadline_misses_, entities(), physics_.moved(),
                here());
            std::fflush(stdout);
        }
        tick_ms_.recent_done();
    }

    theta::host_session& host_;
    const components& known_;
    const options& wanted_;
    simulation physics_;
    tick_hasher hasher_;
    hash_file hashes_;
    std::vector<theta::entity_id> cubes_;
    std::map<theta::peer_id, player> players_;
    std::vector<theta::entity_id> avatar_ids_;
    std::vector<demo_avatar> avatar_values_;
    std::vector<theta::peer_info> roster_;
    distribution tick_ms_;
    std::size_t deadline_misses_ = 0;
    std::vector<divergence> divergences_;
    std::size_t most_entities_ = 0;
    double seconds_ = 0;
    std::uint32_t tick_ = 0;
};

bool is_loopback(const std::string& address) {
    return address.rfind("127.", 0) == 0 || address.rfind("[::1]", 0) == 0 || address.rfind("localhost", 0) == 0;
}

/// On loopback anybody on this machine may come in; elsewhere a signed ticket is needed, here one that is good for a
/// day.
theta::result<std::string> ticket_of(const theta::host_session& host, bool loopback) {
    if (loopback) {
        return host.ticket();
    }
    theta::ticket_request request;
    request.role = theta::role::editor;
    request.expires_unix_s = static_cast<std::uint64_t>(std::time(nullptr)) + 24 * 3600;
    return host.issue_ticket(request);
}

}  // namespace

int main(int count, char** values) {
    arguments given(count, values);
    options wanted;
    wanted.bind_address = given.text("--bind", "127.0.0.1:0");
    wanted.ticket_file = given.text("--ticket-file");
    wanted.hash_file = given.text("--hash-file");
    wanted.report_file = given.text("--report");
    wanted.seconds = given.number("--seconds", 0, 0, 1e6);
    wanted.peers = static_cast<std::uint32_t>(given.number("--peers", 8, 1, 64));
    wanted.cubes = static_cast<std::size_t>(given.number("--cubes", 400, 1, 20000));
    wanted.live = given.flag("--live");
    if (const std::string problem = given.problem(); !problem.empty()) {
        std::fprintf(stderr, "headless_server: %s\n", problem.c_str());
        return 2;
    }
    stop_on_signals();

    auto runtime = theta::runtime::create();
    if (!runtime) {
        return failed("headless_server: cannot start the library", runtime.error());
    }
    auto registry = theta::registry::create(*runtime);
    if (!registry) {
        return failed("headless_server: cannot make a registry", registry.error());
    }
    const auto known = register_components(*registry);
    if (!known) {
        return failed("headless_server: cannot register the components", known.error());
    }
    const bool loopback = is_loopback(wanted.bind_address);
    theta::host_options hosting;
    hosting.bind_address = wanted.bind_address;
    hosting.max_peers = wanted.peers;
    hosting.tick_rate_hz = static_cast<std::uint32_t>(tick_rate_hz);
    hosting.dev_mode = loopback;
    auto host = theta::host_session::open(*runtime, *registry, hosting);
    if (!host) {
        return failed("headless_server: cannot host", host.error());
    }

    server running(*host, *known, wanted);
    if (const auto spawned = running.spawn_cubes(); !spawned) {
        return failed("headless_server: cannot spawn the cubes", spawned.error());
    }
    if (!running.open_hash_file()) {
        std::fprintf(stderr, "headless_server: cannot write %s\n", wanted.hash_file.c_str());
        return 1;
    }
    if (const auto sealed = running.seal_first_tick(); !sealed) {
        return failed("headless_server: cannot seal the first tick", sealed.error());
    }
    const auto ticket = ticket_of(*host, loopback);
    if (!ticket) {
        return failed("headless_server: no ticket", ticket.error());
    }
    if (!wanted.ticket_file.empty()) {
        if (!write_whole(wanted.ticket_file, *ticket + "\n")) {
            std::fprintf(stderr, "headless_server: cannot write %s\n", wanted.ticket_file.c_str());
            return 1;
        }
    } else {
        std::printf("%s\n", ticket->c_str());
        std::fflush(stdout);
    }

    const auto ran = running.run();
    const bool reported = running.write_report(ran.has_value());
    host->close();
    const auto report = runtime->shutdown(std::chrono::seconds(3));
    if (!ran) {
        return failed("headless_server: stopped", ran.error());
    }
    if (!report) {
        return failed("headless_server: shutdown", report.error());
    }
    if (report->threads_left != 0 || !reported) {
        std::fprintf(stderr, "headless_server: %s\n",
                     reported ? "a thread of the library did not end" : "cannot write the report");
        return 1;
    }
    return 0;
}
