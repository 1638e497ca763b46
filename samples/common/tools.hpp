// Command line, real-time clock, percentiles and reports: what a sample needs besides Theta.
#ifndef SAMPLES_TOOLS_HPP
#define SAMPLES_TOOLS_HPP

#include <theta/experimental.hpp>
#include <theta/theta.hpp>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cmath>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace samples {

/// Arguments of the form `--name value` and `--flag`; whatever nobody asked for is an error.
class arguments {
public:
    arguments(int count, char** values)
        : words_(values + 1, values + count),
          used_(words_.size(), false) {}

    std::string text(std::string_view name, std::string fallback = {}) {
        for (std::size_t i = 0; i + 1 < words_.size(); ++i) {
            if (!used_[i] && words_[i] == name) {
                used_[i] = used_[i + 1] = true;
                return words_[i + 1];
            }
        }
        return fallback;
    }
    double number(std::string_view name, double fallback, double lowest, double highest) {
        const std::string word = text(name);
        if (word.empty()) {
            return fallback;
        }
        char* end = nullptr;
        const double value = std::strtod(word.c_str(), &end);
        if (*end != '\0' || !(value >= lowest && value <= highest)) {
            problem_ = std::string(name) + " takes a number from " + std::to_string(lowest) + " to "
                       + std::to_string(highest) + ", not " + word;
            return fallback;
        }
        return value;
    }
    bool flag(std::string_view name) {
        for (std::size_t i = 0; i < words_.size(); ++i) {
            if (!used_[i] && words_[i] == name) {
                return used_[i] = true;
            }
        }
        return false;
    }
    /// What is wrong with the command line; empty when nothing is. Ask after all options were read.
    std::string problem() const {
        for (std::size_t i = 0; i < words_.size() && problem_.empty(); ++i) {
            if (!used_[i]) {
                return "unknown option, or one without its value: " + words_[i];
            }
        }
        return problem_;
    }

private:
    std::vector<std::string> words_;
    std::vector<bool> used_;
    std::string problem_;
};

/// The network that a sample asked for: `--loss PCT --latency MS --jitter MS`, each direction. The seed makes samples of
/// one session differ.
inline theta::experimental::link_conditions conditions_of(arguments& given, std::uint64_t seed) {
    const auto milliseconds = [&](std::string_view name) {
        return std::chrono::microseconds(std::llround(1000 * given.number(name, 0, 0, 10'000)));
    };
    theta::experimental::link_conditions conditions;
    conditions.loss_percent = given.number("--loss", 0, 0, 100);
    conditions.latency = milliseconds("--latency");
    conditions.jitter = milliseconds("--jitter");
    conditions.seed = seed;
    return conditions;
}

namespace detail {
inline volatile std::sig_atomic_t stop_requested = 0;
}

/// SIGTERM and SIGINT end the loop, not the process.
inline void stop_on_signals() {
    const auto request = [](int) { detail::stop_requested = 1; };
    std::signal(SIGTERM, request);
    std::signal(SIGINT, request);
}
inline bool stop_requested() { return detail::stop_requested != 0; }

/// A loop of a fixed rate against the monotonic clock: absolute deadlines, so that sleeping too long once does not
/// shift the rest.
class fixed_rate {
public:
    explicit fixed_rate(double rate_hz)
        : period_ns_(static_cast<std::int64_t>(1e9 / rate_hz)),
          deadline_ns_(now() + period_ns_) {}

    static std::int64_t now() {
        timespec time{};
        clock_gettime(CLOCK_MONOTONIC, &time);
        return time.tv_sec * 1'000'000'000LL + time.tv_nsec;
    }

    /// Sleeps until the next tick is due, or returns at once when it already is. Returns how late it starts, in
    /// nanoseconds.
    std::int64_t wait() {
        const timespec until{static_cast<time_t>(deadline_ns_ / 1'000'000'000),
                             static_cast<long>(deadline_ns_ % 1'000'000'000)};
        while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, nullptr) == EINTR && !stop_requested()) {
        }
        const std::int64_t late_ns = now() - deadline_ns_;
        deadline_ns_ += period_ns_;
        // Ten ticks behind is a stall, not jitter: go on from here instead of running them all at once.
        if (late_ns > 10 * period_ns_) {
            deadline_ns_ = now() + period_ns_;
        }
        return late_ns;
    }
    [[nodiscard]] std::int64_t period_ns() const { return period_ns_; }

private:
    std::int64_t period_ns_;
    std::int64_t deadline_ns_;
};

/// Collects numbers; percentiles by nearest rank, of everything and of what came since the last `recent_done`.
class distribution {
public:
    void add(double value) { values_.push_back(static_cast<float>(value)); }
    [[nodiscard]] std::size_t size() const { return values_.size(); }
    [[nodiscard]] std::optional<double> percentile(double share) const { return of(values_, share); }
    [[nodiscard]] std::optional<double> recent_percentile(double share) const {
        return of({values_.begin() + static_cast<std::ptrdiff_t>(seen_), values_.end()}, share);
    }
    void recent_done() { seen_ = values_.size(); }

private:
    static std::optional<double> of(std::vector<float> values, double share) {
        if (values.empty()) {
            return std::nullopt;
        }
        const double rank = std::ceil(share * static_cast<double>(values.size())) - 1;
        const auto place =
            values.begin() + static_cast<std::ptrdiff_t>(std::clamp(rank, 0.0, static_cast<double>(values.size() - 1)));
        std::nth_element(values.begin(), place, values.end());
        return *place;
    }
    std::vector<float> values_;
    std::size_t seen_ = 0;
};

/// A number as JSON or as a status column: `none` when there is none.
inline std::string shown(std::optional<double> value, int decimals, const char* none) {
    if (!value || !std::isfinite(*value)) {
        return none;
    }
    char text[64];
    std::snprintf(text, sizeof text, "%.*f", decimals, *value);
    return text;
}

/// A JSON object, written member by member.
class json_object {
public:
    json_object& number(std::string_view name, std::optional<double> value, int decimals = 0) {
        return raw(name, shown(value, decimals, "null"));
    }
    json_object& boolean(std::string_view name, bool value) { return raw(name, value ? "true" : "false"); }
    json_object& text(std::string_view name, std::string_view value) { return raw(name, quoted(value)); }
    json_object& raw(std::string_view name, std::string_view value) {
        body_ += (body_.empty() ? "" : ", ") + quoted(name) + ": " + std::string(value);
        return *this;
    }
    [[nodiscard]] std::string str() const { return "{" + body_ + "}"; }

private:
    static std::string quoted(std::string_view text) {
        std::string out = "\"";
        for (const char c : text) {
            if (c == '"' || c == '\\') {
                out += {'\\', c};
            } else if (static_cast<unsigned char>(c) < 0x20) {
                char escape[8];
                std::snprintf(escape, sizeof escape, "\\u%04x", static_cast<unsigned>(static_cast<unsigned char>(c)));
                out += escape;
            } else {
                out += c;
            }
        }
        return out + "\"";
    }
    std::string body_;
};

/// Writes a file under another name first, so that whoever waits for it never reads half.
inline bool write_whole(const std::string& path, std::string_view content) {
    const std::string draft = path + ".part";
    {
        std::ofstream file(draft, std::ios::binary | std::ios::trunc);
        file << content;
        if (!file.flush()) {
            return false;
        }
    }
    return std::rename(draft.c_str(), path.c_str()) == 0;
}

/// One sentence on stderr; returns the exit code of a run that failed.
inline int failed(std::string_view what, const theta::error& why) {
    std::fprintf(stderr, "%.*s: %s\n", static_cast<int>(what.size()), what.data(), why.message().c_str());
    return 1;
}

}  // namespace samples

#endif
