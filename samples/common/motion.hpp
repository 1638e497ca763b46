// A recording of head and hands as a function of (index, motion time), the same in every language: samples/README.md,
// "Motion". The sender plays it, and whoever sees the avatar evaluates it again to know how far off the picture is.
#ifndef SAMPLES_MOTION_HPP
#define SAMPLES_MOTION_HPP

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <string>
#include <vector>

namespace samples {

struct limb {
    std::array<double, 3> position{};
    std::array<double, 4> rotation{0, 0, 0, 1};
};

/// Head, left hand, right hand.
using body_pose = std::array<limb, 3>;

/// Where the player of an index stands, metres.
inline std::array<double, 3> standing_place(std::uint32_t index) {
    return {(index % 4 - 1.5) * 2.0, 0.0, (index / 4 % 4 - 1.5) * 2.0};
}

class recording {
public:
    /// Reads a .motion file. False, with a sentence in `problem`, when it is not one.
    bool load(const std::string& path, std::string& problem) {
        std::ifstream file(path);
        if (!file) {
            problem = "cannot open the motion file " + path;
            return false;
        }
        std::string line;
        for (std::size_t number = 1; std::getline(file, line); ++number) {
            if (line.empty() || line[0] == '#') {
                continue;
            }
            frame read{};
            if (!parse(line, read) || (!frames_.empty() && read.t_us <= frames_.back().t_us)) {
                problem = path + ":" + std::to_string(number) + ": expected an ascending time and 21 finite numbers";
                return false;
            }
            frames_.push_back(read);
        }
        if (frames_.size() < 2) {
            problem = path + ": a motion needs at least two frames";
            return false;
        }
        return true;
    }

    /// The pose at a time since the start.
    [[nodiscard]] body_pose at(double time_us) const {
        // Forth and back: a recording seldom ends where it began, and a jump would be scored as an error of the
        // network.
        const double length = frames_.back().t_us - frames_.front().t_us;
        double u = std::fmod(time_us, 2 * length);
        if (u > length) {
            u = 2 * length - u;
        }
        const double t = frames_.front().t_us + u;

        std::size_t low = 0;
        std::size_t high = frames_.size() - 1;
        while (high - low > 1) {
            const std::size_t middle = (low + high) / 2;
            (frames_[middle].t_us <= t ? low : high) = middle;
        }
        const frame& a = frames_[low];
        const frame& b = frames_[high];
        const double share = (t - a.t_us) / (b.t_us - a.t_us);

        body_pose pose;
        for (std::size_t part = 0; part < pose.size(); ++part) {
            for (std::size_t axis = 0; axis < 3; ++axis) {
                const double from = a.parts[part].position[axis];
                pose[part].position[axis] = from + (b.parts[part].position[axis] - from) * share;
            }
            pose[part].rotation = turned(a.parts[part].rotation, b.parts[part].rotation, share);
        }
        return pose;
    }

private:
    struct frame {
        double t_us;
        body_pose parts;
    };

    static std::array<double, 4> turned(const std::array<double, 4>& a, const std::array<double, 4>& b, double share) {
        const double dot = a[0] * b[0] + a[1] * b[1] + a[2] * b[2] + a[3] * b[3];
        const double sign = dot < 0 ? -1 : 1;
        std::array<double, 4> mixed{};
        double square = 0;
        for (std::size_t i = 0; i < 4; ++i) {
            mixed[i] = a[i] + (sign * b[i] - a[i]) * share;
            square += mixed[i] * mixed[i];
        }
        const double length = std::sqrt(square);
        if (length < 1e-9) {
            return {0, 0, 0, 1};
        }
        for (double& component : mixed) {
            component /= length;
        }
        return mixed;
    }

    static bool parse(const std::string& line, frame& out) {
        const char* next = line.c_str();
        const auto number = [&next](double& value) {
            char* end = nullptr;
            value = std::strtod(next, &end);
            const bool found = end != next && std::isfinite(value);
            next = end;
            return found;
        };
        if (!number(out.t_us)) {
            return false;
        }
        for (limb& part : out.parts) {
            for (double& value : part.position) {
                if (!number(value)) {
                    return false;
                }
            }
            for (double& value : part.rotation) {
                if (!number(value)) {
                    return false;
                }
            }
        }
        return true;
    }

    std::vector<frame> frames_;
};

/// The recordings of a session; each index plays one of them.
class motion {
public:
    /// Reads the files of a list with commas between them; `builtin` is the file of that name. False, with a sentence
    /// in `problem`, when one of them is no motion.
    bool load(const std::string& list, const std::string& builtin, std::string& problem) {
        for (std::size_t start = 0; start <= list.size();) {
            const std::size_t end = std::min(list.find(',', start), list.size());
            const std::string name = list.substr(start, end - start);
            if (!recordings_.emplace_back().load(name == "builtin" ? builtin : name, problem)) {
                return false;
            }
            start = end + 1;
        }
        return true;
    }

    /// The pose that peer `index` has at its motion time.
    [[nodiscard]] body_pose at(std::uint32_t index, double motion_time_us) const {
        body_pose pose = recordings_[index % recordings_.size()].at(motion_time_us + index * 1'700'000.0);
        const auto place = standing_place(index);
        for (limb& part : pose) {
            for (std::size_t axis = 0; axis < 3; ++axis) {
                part.position[axis] += place[axis];
            }
        }
        return pose;
    }

private:
    std::vector<recording> recordings_;
};

}  // namespace samples

#endif
