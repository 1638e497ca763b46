// A client in the order an engine's frame has: events, frames, input, sampling. It plays a recording as its own motion,
// compares what it sees of others with what they play, and hashes every tick. Options, files and reports:
// samples/README.md.
#include "components.hpp"
#include "motion.hpp"
#include "tick_hash.hpp"
#include "tools.hpp"

#include <theta/theta.hpp>

#include <cmath>
#include <cstdio>
#include <map>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

namespace {

using namespace samples;

constexpr double patience_s = 20;

struct options {
    std::string ticket;
    std::string name;
    std::string motion_files;
    std::string hash_file;
    std::string report_file;
    std::uint32_t index = 0;
    double seconds = 0;
    /// From this tick on one value of a cube is wrong here, for the host to find; 0 = never.
    std::uint32_t divergence_tick = 0;
    theta::experimental::link_conditions conditions;
    bool live = false;
};

const char* name_of(theta::event_kind kind) {
    switch (kind) {
    case theta::event_kind::state_changed: return "STATE_CHANGED";
    case theta::event_kind::join_request: return "JOIN_REQUEST";
    case theta::event_kind::peer_joined: return "PEER_JOINED";
    case theta::event_kind::peer_left: return "PEER_LEFT";
    case theta::event_kind::admitted: return "ADMITTED";
    case theta::event_kind::join_progress: return "JOIN_PROGRESS";
    case theta::event_kind::entity_spawned: return "ENTITY_SPAWNED";
    case theta::event_kind::entity_despawned: return "ENTITY_DESPAWNED";
    case theta::event_kind::owner_changed: return "OWNER_CHANGED";
    case theta::event_kind::parent_changed: return "PARENT_CHANGED";
    case theta::event_kind::diverged: return "DIVERGED";
    case theta::event_kind::repaired: return "REPAIRED";
    case theta::event_kind::disconnected: return "DISCONNECTED";
    case theta::event_kind::refused: return "REFUSED";
    case theta::event_kind::resync: return "RESYNC";
    case theta::event_kind::faulted: return "FAULTED";
    case theta::event_kind::log: return "LOG";
    case theta::event_kind::peer_live: return "PEER_LIVE";
    case theta::event_kind::invite_bound: return "INVITE_BOUND";
    case theta::event_kind::schema_mapped: return "SCHEMA_MAPPED";
    case theta::event_kind::peer_away: return "PEER_AWAY";
    case theta::event_kind::peer_back: return "PEER_BACK";
    case theta::event_kind::codec_failed: return "CODEC_FAILED";
    }
    return "OTHER";
}

/// The number after the last '-' of a name.
std::optional<std::uint32_t> index_of(const std::string& name) {
    const auto dash = name.rfind('-');
    if (dash == std::string::npos || dash + 1 == name.size() || name.size() - dash > 6) {
        return std::nullopt;
    }
    std::uint32_t index = 0;
    for (std::size_t i = dash + 1; i < name.size(); ++i) {
        if (name[i] < '0' || name[i] > '9') {
            return std::nullopt;
        }
        index = index * 10 + static_cast<std::uint32_t>(name[i] - '0');
    }
    return index;
}

theta::pose pose_of(const limb& from) {
    theta::pose pose{};
    for (std::size_t i = 0; i < 3; ++i) {
        pose.position[i] = static_cast<float>(from.position[i]);
    }
    for (std::size_t i = 0; i < 4; ++i) {
        pose.rotation[i] = static_cast<float>(from.rotation[i]);
    }
    pose.flags = theta::pose_valid | theta::pose_tracked;
    return pose;
}

double distance_mm(const theta::vec3& seen, const std::array<double, 3>& meant) {
    return 1000 * std::hypot(seen.x - meant[0], seen.y - meant[1], seen.z - meant[2]);
}

class client {
public:
    client(theta::joined_session& session, const components& known, const options& wanted, const motion& played)
        : session_(session),
          known_(known),
          wanted_(wanted),
          motion_(played),
          hasher_(known) {}

    bool open_hash_file() { return hashes_.open(wanted_.hash_file); }

    theta::result<void> run() {
        fixed_rate clock(tick_rate_hz);
        began_ns_ = fixed_rate::now();
        std::int64_t second_ends_ns = began_ns_ + 1'000'000'000;
        while (!stop_requested()) {
            clock.wait();
            const std::int64_t now_ns = fixed_rate::now();
            if (auto framed = one_frame(); !framed) {
                return framed;
            }
            if (now_ns >= second_ends_ns) {
                second_ends_ns += 1'000'000'000;
                each_second();
            }
            if (!live_since_ns_) {
                if (static_cast<double>(now_ns - began_ns_) > patience_s * 1e9) {
                    return theta::error{theta::code::disconnected, "client_cpp",
                                        "The session was not live within 20 s."};
                }
            } else if (wanted_.seconds > 0 && seconds_live() >= wanted_.seconds) {
                break;
            }
        }
        return finish();
    }

    bool write_report() {
        json_object events;
        for (const auto& [kind, count] : events_) {
            events.number(kind, static_cast<double>(count));
        }
        json_object report;
        report.text("name", wanted_.name).text("language", "cpp").text("transport", "quic");
        report.number("rtt_ms_p50", at_end_.rtt_p50_us / 1e3, 3).number("rtt_ms_p99", at_end_.rtt_p99_us / 1e3, 3);
        report.number("in_bytes_per_s", rate(at_end_.bytes_received, at_live_.bytes_received, seconds_at_end_));
        report.number("out_bytes_per_s", rate(at_end_.bytes_sent, at_live_.bytes_sent, seconds_at_end_));
        report.number("pose_error_mm_p50", error_mm_.percentile(0.50), 3)
            .number("pose_error_mm_p99", error_mm_.percentile(0.99), 3);
        report.number("complete_ticks", static_cast<double>(at_end_.ticks_complete))
            .number("started_ticks", static_cast<double>(at_end_.ticks_started));
        report.number("first_tick", first_tick_).number("last_tick", last_tick_);
        report.raw("events", events.str()).number("samples", static_cast<double>(error_mm_.size()));
        return wanted_.report_file.empty() || write_whole(wanted_.report_file, report.str() + "\n");
    }

private:
    /// What an engine does between two pictures.
    theta::result<void> one_frame() {
        if (auto polled = poll(); !polled) {
            return polled;
        }
        theta::result<void> read;
        const auto frames = session_.each_frame([&](const theta::frame& frame) {
            if (read) {
                read = take(frame);
            }
        });
        if (!frames) {
            return frames.error();
        }
        if (!read || !live_since_ns_) {
            return read;
        }
        if (auto sent = send_motion(); !sent) {
            return sent;
        }
        return sample_others();
    }

    theta::result<void> poll() {
        theta::result<void> outcome;
        const auto polled = session_.poll([&](const theta::event& event) {
            ++events_[name_of(event.kind)];
            if (event.kind == theta::event_kind::state_changed && event.code == THETA_STATE_LIVE && !live_since_ns_) {
                live_since_ns_ = fixed_rate::now();
                if (const auto link = session_.statistics()) {
                    at_live_ = at_second_ = *link;
                }
                if (const auto info = session_.info()) {
                    self_ = info->local_peer;
                }
            } else if (event.kind == theta::event_kind::disconnected || event.kind == theta::event_kind::faulted) {
                outcome = theta::error{theta::code::disconnected, "theta_session_poll", std::string(event.text)};
            }
        });
        if (!polled) {
            return polled.error();
        }
        return outcome;
    }

    theta::result<void> take(const theta::frame& frame) {
        const auto info = frame.info();
        if (!info) {
            return info.error();
        }
        const auto hash = hasher_.hash(frame);
        if (!hash) {
            return hash.error();
        }
        hashes_.line(info->tick, *hash);
        first_tick_ = first_tick_.value_or(info->tick);
        last_tick_ = info->tick;
        if (wanted_.divergence_tick != 0 && info->tick >= wanted_.divergence_tick && !planted_ && live_since_ns_) {
            planted_ = true;
            if (auto done = theta::experimental::plant_divergence(session_, known_.cube.id, 1); !done) {
                return done;
            }
        }

        if (const auto listed = frame.entities(rows_, known_.avatar); !listed) {
            return listed.error();
        }
        others_.clear();
        for (const theta::entity_row& row : rows_) {
            if (row.owner == self_) {
                continue;
            }
            if (indices_.count(row.id) == 0) {
                const auto name = frame.payload(row.id);
                if (!name) {
                    return name.error();
                }
                indices_[row.id] = index_of(*name);
            }
            others_.push_back(row.id);
        }
        return {};
    }

    theta::result<void> send_motion() {
        // Never 0: a time of 0 in the avatar means that its player has not moved yet.
        const auto clock_us = static_cast<std::uint64_t>(1 + (fixed_rate::now() - began_ns_) / 1000);
        const body_pose pose = motion_.at(wanted_.index, static_cast<double>(clock_us));
        theta::input now;
        now.sampled_at_us = clock_us;
        now.head = pose_of(pose[0]);
        now.left = pose_of(pose[1]);
        now.right = pose_of(pose[2]);
        return session_.send_input(now);
    }

    theta::result<void> sample_others() {
        if (others_.empty()) {
            return {};
        }
        const auto tick = session_.render_tick(theta::now_ns());
        if (!tick) {
            // Right after joining there may be no two ticks to look between yet.
            return tick.code() == theta::code::state || tick.code() == theta::code::not_sampled ? theta::result<void>{}
                                                                                                : tick.error();
        }
        sampled_.resize(others_.size());
        how_.resize(others_.size());
        const auto sampled = session_.sample(known_.avatar, others_, *tick, sampled_, how_);
        if (!sampled) {
            return sampled.code() == theta::code::not_sampled ? theta::result<void>{} : sampled.error();
        }
        for (std::size_t i = 0; i < others_.size(); ++i) {
            const auto index = indices_[others_[i]];
            const bool fresh =
                how_[i] == theta::sample_result::interpolated || how_[i] == theta::sample_result::extrapolated;
            const demo_avatar& seen = sampled_[i];
            if (!index || !fresh || !settled(others_[i], seen.motion_time_us)) {
                continue;
            }
            const body_pose meant = motion_.at(*index, seen.motion_time_us);
            error_mm_.add(distance_mm(seen.head_position, meant[0].position));
            error_mm_.add(distance_mm(seen.left_position, meant[1].position));
            error_mm_.add(distance_mm(seen.right_position, meant[2].position));
        }
        return {};
    }

    /// Whether the player has been in motion for half a second: the blend from the empty avatar of the spawn to the
    /// first input is no pose of the recording.
    bool settled(theta::entity_id avatar, double motion_time_us) {
        if (motion_time_us <= 0) {
            return false;
        }
        const std::int64_t now_ns = fixed_rate::now();
        return now_ns - moving_since_ns_.try_emplace(avatar, now_ns).first->second >= 500'000'000;
    }

    theta::result<void> finish() {
        seconds_at_end_ = live_since_ns_ ? seconds_live() : 0;
        if (const auto link = session_.statistics()) {
            at_end_ = *link;
        }
        // Say goodbye and give it a moment to arrive, so that the others see a player leave and not a link break.
        if (const auto left = session_.leave(); !left) {
            return left;
        }
        bool closed = false;
        for (int turn = 0; turn < 50 && !closed; ++turn) {
            const auto polled = session_.poll([&](const theta::event& event) {
                closed = closed || event.kind == theta::event_kind::disconnected
                         || (event.kind == theta::event_kind::state_changed && event.code == THETA_STATE_CLOSED);
            });
            if (!polled) {
                break;
            }
            const timespec pause{0, 10'000'000};
            nanosleep(&pause, nullptr);
        }
        return {};
    }

    [[nodiscard]] double seconds_live() const { return static_cast<double>(fixed_rate::now() - *live_since_ns_) / 1e9; }

    static std::optional<double> rate(std::uint64_t now, std::uint64_t before, double seconds) {
        return seconds > 0 && now >= before ? std::optional<double>(static_cast<double>(now - before) / seconds)
                                            : std::nullopt;
    }

    void each_second() {
        hashes_.flush();
        const auto link = session_.statistics();
        if (wanted_.live && link) {
            std::printf(
                "status kind=client name=%s language=cpp transport=quic state=%s tick=%s rtt_ms=%s in_bytes_per_s=%s "
                "out_bytes_per_s=%s "
                "pose_error_mm_p50=%s pose_error_mm_p99=%s complete_ticks=%llu started_ticks=%llu\n",
                wanted_.name.c_str(), live_since_ns_ ? "live" : "joining", shown(last_tick_, 0, "-").c_str(),
                shown(link->rtt_us / 1e3, 2, "-").c_str(),
                shown(rate(link->bytes_received, at_second_.bytes_received, 1), 0, "-").c_str(),
                shown(rate(link->bytes_sent, at_second_.bytes_sent, 1), 0, "-").c_str(),
                shown(error_mm_.recent_percentile(0.50), 2, "-").c_str(),
                shown(error_mm_.recent_percentile(0.99), 2, "-").c_str(),
                static_cast<unsigned long long>(link->ticks_complete),
                static_cast<unsigned long long>(link->ticks_started));
            std::fflush(stdout);
        }
        if (link) {
            at_second_ = *link;
        }
        error_mm_.recent_done();
    }

    theta::joined_session& session_;
    const components& known_;
    const options& wanted_;
    const motion& motion_;
    tick_hasher hasher_;
    hash_file hashes_;
    std::map<std::string, std::size_t> events_;
    std::vector<theta::entity_row> rows_;
    std::vector<theta::entity_id> others_;
    std::unordered_map<theta::entity_id, std::optional<std::uint32_t>> indices_;
    std::unordered_map<theta::entity_id, std::int64_t> moving_since_ns_;
    std::vector<demo_avatar> sampled_;
    std::vector<theta::sample_result> how_;
    distribution error_mm_;
    theta::link_statistics at_live_{};
    theta::link_statistics at_second_{};
    theta::link_statistics at_end_{};
    double seconds_at_end_ = 0;
    std::optional<double> first_tick_;
    std::optional<double> last_tick_;
    std::optional<std::int64_t> live_since_ns_;
    std::int64_t began_ns_ = 0;
    theta::peer_id self_ = 0;
    bool planted_ = false;
};

/// The ticket from a file that the server may not have written yet.
std::string read_ticket(const std::string& path) {
    const std::int64_t until = fixed_rate::now() + static_cast<std::int64_t>(patience_s * 1e9);
    std::string ticket;
    while (!stop_requested() && fixed_rate::now() < until) {
        std::ifstream file(path);
        if (file && std::getline(file, ticket) && !ticket.empty()) {
            return ticket;
        }
        const timespec pause{0, 50'000'000};
        nanosleep(&pause, nullptr);
    }
    return {};
}

}  // namespace

int main(int count, char** values) {
    arguments given(count, values);
    options wanted;
    wanted.ticket = given.text("--ticket");
    const std::string ticket_file = given.text("--ticket-file");
    wanted.index = static_cast<std::uint32_t>(given.number("--index", 0, 0, 9999));
    wanted.name = given.text("--name", "cpp-" + std::to_string(wanted.index));
    wanted.motion_files = given.text("--motion", "builtin");
    wanted.hash_file = given.text("--hash-file");
    wanted.report_file = given.text("--report");
    wanted.seconds = given.number("--seconds", 0, 0, 1e6);
    wanted.divergence_tick = static_cast<std::uint32_t>(given.number("--plant-divergence", 0, 0, 4294967295.0));
    wanted.conditions = conditions_of(given, wanted.index);
    wanted.live = given.flag("--live");
    std::string problem = given.problem();
    if (problem.empty() && wanted.ticket.empty() == ticket_file.empty()) {
        problem = "give either --ticket or --ticket-file";
    }
    if (!problem.empty()) {
        std::fprintf(stderr, "client_cpp: %s\n", problem.c_str());
        return 2;
    }
    stop_on_signals();

    motion played;
    if (!played.load(wanted.motion_files, SAMPLES_BUILTIN_MOTION, problem)) {
        std::fprintf(stderr, "client_cpp: %s\n", problem.c_str());
        return 1;
    }
    if (!ticket_file.empty()) {
        wanted.ticket = read_ticket(ticket_file);
        if (wanted.ticket.empty()) {
            std::fprintf(stderr, "client_cpp: no ticket in %s within 20 s\n", ticket_file.c_str());
            return 1;
        }
    }

    auto runtime = theta::runtime::create();
    if (!runtime) {
        return failed("client_cpp: cannot start the library", runtime.error());
    }
    if (auto bad = theta::experimental::condition_links(*runtime, wanted.conditions); !bad) {
        return failed("client_cpp: cannot make the network a bad one", bad.error());
    }
    auto registry = theta::registry::create(*runtime);
    if (!registry) {
        return failed("client_cpp: cannot make a registry", registry.error());
    }
    const auto known = register_components(*registry);
    if (!known) {
        return failed("client_cpp: cannot register the components", known.error());
    }
    theta::join_options joining;
    joining.ticket = wanted.ticket;
    joining.name = wanted.name;
    auto session = theta::joined_session::open(*runtime, *registry, joining);
    if (!session) {
        return failed("client_cpp: cannot join", session.error());
    }

    client running(*session, *known, wanted, played);
    if (!running.open_hash_file()) {
        std::fprintf(stderr, "client_cpp: cannot write %s\n", wanted.hash_file.c_str());
        return 1;
    }
    const auto ran = running.run();
    const bool reported = running.write_report();
    session->close();
    const auto report = runtime->shutdown(std::chrono::seconds(3));
    if (!ran) {
        return failed("client_cpp: stopped", ran.error());
    }
    if (!report) {
        return failed("client_cpp: shutdown", report.error());
    }
    if (!reported) {
        std::fprintf(stderr, "client_cpp: cannot write %s\n", wanted.report_file.c_str());
        return 1;
    }
    return 0;
}
