// LiveConfig: the configuration of the running node, and the ways to change it.
//
//   Set()     CONFIG SET: all of it or nothing; it lasts until the next Reload or the next start.
//   Reload()  SIGHUP: reads the file again. What may change while running is as the file and the
//             command line say from then on; the rest is noted and waits for the next start.
//
// Threads:  any; one change at a time.
// Failure:  a change that is refused leaves everything as it was.
#pragma once

#include <functional>
#include <mutex>
#include <string>
#include <vector>

#include "config/live.h"
#include "server/context.h"

namespace sluice::app {

class LiveConfig final : public server::Settings {
 public:
  LiveConfig(std::string file, config::Overrides overrides, config::Config now)
      : file_(std::move(file)), overrides_(std::move(overrides)), now_(std::move(now)) {}

  // Called with every configuration that holds from then on. Set before the first change.
  void OnChange(std::function<void(const config::Config&)> hook) { on_change_ = std::move(hook); }

  config::Config Now() override;
  Status Set(std::span<const config::NewValue> values) override;

  struct Reloaded {
    std::vector<std::string> changed;  // names of settings that have a new value; "user" for users
    std::vector<std::string> waiting;  // names of those that the next start will take
  };
  // As config::LoadFile and config::Adopt; kNotFound too when there is no file.
  Result<Reloaded> Reload();

 private:
  const std::string file_;
  const config::Overrides overrides_;
  std::function<void(const config::Config&)> on_change_ = [](const config::Config&) {};
  std::mutex mutex_;
  config::Config now_;
};

}  // namespace sluice::app
