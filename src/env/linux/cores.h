// How many cores this process may use: those that it may run on, and no more than the share of
// processor time that its cgroup has comes to. A container that has two cores' time on a machine of
// sixty-four has two: more threads that want all of a core would only be stopped more often, all at
// once.
//
// cgroup v2: cpu.max of a group is "150000 100000" (of each 100 ms it may run for 150 ms, over all
// cores) or "max 100000"; what a group's parents have bounds it too.
//
// Threads:  any.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace sluice::env {

// At least one.
size_t Cores();

// The cores that `max`, the content of a cpu.max, comes to, rounded up. Nothing: all of them, or it
// is no such content.
std::optional<size_t> CoresOfShare(std::string_view max);
// The least of what cpu.max of the group, and of those above it, come to. `root` is where cgroups
// are mounted, `group` what /proc/self/cgroup has of version 2: "0::/a/b\n" among other lines.
std::optional<size_t> CoresOfGroup(const std::string& root, std::string_view group);

}  // namespace sluice::env
