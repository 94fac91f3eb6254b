// Users: who a connection is, and what it may run on which keys.
//
// Without configured users there is one, `default`, who needs no password and may do everything.
// With users, nobody else exists: a connection that has not authenticated is `default` if that is
// configured without a password, and nobody otherwise.
//
// Threads:  any. Users is immutable: a change makes a new one, which LiveUsers swaps in whole; a
//           User is valid as long as the Users it is of.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "config/config.h"

namespace sluice::auth {

// What a command needs, as bits. Zero: nothing, like PING; anyone who is somebody may run it.
enum Category : uint32_t {
  kRead = 1,
  kWrite = 2,
  kAdmin = 4,
};

struct User {
  std::string name;
  bool has_password = false;
  std::array<uint8_t, 32> password_sha256 = {};
  uint32_t categories = 0;        // of Category
  bool all_keys = false;          // then `keys` is not asked
  std::vector<std::string> keys;  // globs
};

// The errors of Redis 7.0, without the dash.
inline constexpr std::string_view kNoAuth = "NOAUTH Authentication required.";
inline constexpr std::string_view kWrongPass =
    "WRONGPASS invalid username-password pair or user is disabled.";
inline constexpr std::string_view kNoPassword =
    "ERR AUTH <password> called without any password configured for the default user. Are you sure "
    "your configuration is correct?";
inline constexpr std::string_view kNoPermKeys =
    "NOPERM this user has no permissions to access one of the keys used as arguments";
// "NOPERM this user has no permissions to run the 'config|get' command"
std::string NoPermCommand(std::string_view command);

class Users {
 public:
  explicit Users(std::span<const config::UserConfig> users);

  // The user of that name if the password is theirs; nullptr otherwise. A user without a password
  // takes any. Takes as long for an unknown name as for a wrong password.
  const User* Authenticate(std::string_view name, std::string_view password) const;

  // Who a connection is before it authenticates; nullptr: nobody, and kNoAuth is the answer to all
  // but AUTH, HELLO, QUIT and RESET.
  const User* Unauthenticated() const;

  // nullptr when there is none of that name.
  const User* Find(std::string_view name) const;
  const std::vector<User>& all() const { return users_; }
  bool configured() const {
    return configured_;
  }  // else there is only the one who may do everything

 private:
  std::vector<User> users_;
  bool configured_;
};

// The users now. Whoever keeps them sees by version() that they changed.
class LiveUsers {
 public:
  explicit LiveUsers(std::span<const config::UserConfig> users)
      : now_(std::make_shared<const Users>(users)) {}

  std::shared_ptr<const Users> Get() const;
  uint64_t version() const { return version_.load(std::memory_order_acquire); }
  void Replace(std::span<const config::UserConfig> users);

 private:
  mutable std::mutex mutex_;
  std::shared_ptr<const Users> now_;
  std::atomic<uint64_t> version_{0};
};

// Whether the user may run a command of these categories.
bool MayRun(const User& user, uint32_t categories);
// Whether the user may use the key, and all of the keys. A command over keys that it does not name
// (SCAN, FLUSHALL) must ask all_keys, or ask for each key it shows.
bool MayUse(const User& user, std::string_view key);
bool MayUseAll(const User& user, std::span<const std::string_view> keys);

}  // namespace sluice::auth
