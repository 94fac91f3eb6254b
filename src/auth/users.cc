#include "auth/users.h"

#include <fmt/format.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>

#include <algorithm>

#include "base/check.h"
#include "base/glob.h"

namespace sluice::auth {
namespace {

using Digest = std::array<uint8_t, 32>;

Digest Sha256(std::string_view bytes) {
  Digest digest;
  unsigned size = 0;
  const int done =
      EVP_Digest(bytes.data(), bytes.size(), digest.data(), &size, EVP_sha256(), nullptr);
  SLUICE_CHECK(done == 1 && size == digest.size());
  return digest;
}

uint8_t Nibble(char hex) {
  return static_cast<uint8_t>(hex <= '9' ? hex - '0' : hex - 'a' + 10);
}

User Make(const config::UserConfig& from) {
  User user;
  user.name = from.name;
  user.has_password = !from.password_sha256.empty();
  if (user.has_password) {
    SLUICE_CHECK(from.password_sha256.size() == 2 * user.password_sha256.size());
    for (size_t i = 0; i < user.password_sha256.size(); ++i) {
      const char* hex = &from.password_sha256[2 * i];
      user.password_sha256[i] = static_cast<uint8_t>(Nibble(hex[0]) << 4 | Nibble(hex[1]));
    }
  }
  for (const std::string& command : from.commands) {
    if (command == "read") user.categories |= kRead;
    if (command == "write") user.categories |= kWrite;
    if (command == "admin") user.categories |= kAdmin;
  }
  user.keys = from.keys;
  user.all_keys = std::find(user.keys.begin(), user.keys.end(), "*") != user.keys.end();
  return user;
}

}  // namespace

std::string NoPermCommand(std::string_view command) {
  return fmt::format("NOPERM this user has no permissions to run the '{}' command", command);
}

Users::Users(std::span<const config::UserConfig> users) : configured_(!users.empty()) {
  for (const config::UserConfig& user : users) users_.push_back(Make(user));
  if (configured_) return;
  User everyone;
  everyone.name = config::kDefaultName;
  everyone.categories = kRead | kWrite | kAdmin;
  everyone.keys = {"*"};
  everyone.all_keys = true;
  users_.push_back(std::move(everyone));
}

const User* Users::Authenticate(std::string_view name, std::string_view password) const {
  const User* user = Find(name);
  const Digest given = Sha256(password);
  const Digest expected = user != nullptr ? user->password_sha256 : Digest{};
  const bool same = CRYPTO_memcmp(given.data(), expected.data(), given.size()) == 0;
  if (user == nullptr) return nullptr;
  return same || !user->has_password ? user : nullptr;
}

const User* Users::Unauthenticated() const {
  const User* user = Find(config::kDefaultName);
  return user != nullptr && !user->has_password ? user : nullptr;
}

const User* Users::Find(std::string_view name) const {
  const auto found = std::find_if(users_.begin(), users_.end(),
                                  [&](const User& user) { return user.name == name; });
  return found == users_.end() ? nullptr : &*found;
}

std::shared_ptr<const Users> LiveUsers::Get() const {
  const std::lock_guard lock(mutex_);
  return now_;
}

void LiveUsers::Replace(std::span<const config::UserConfig> users) {
  auto next = std::make_shared<const Users>(users);
  const std::lock_guard lock(mutex_);
  now_ = std::move(next);
  version_.fetch_add(1, std::memory_order_release);
}

bool MayRun(const User& user, uint32_t categories) {
  return (categories & ~user.categories) == 0;
}

bool MayUse(const User& user, std::string_view key) {
  return user.all_keys || std::any_of(user.keys.begin(), user.keys.end(),
                                      [&](const auto& glob) { return GlobMatch(glob, key); });
}

bool MayUseAll(const User& user, std::span<const std::string_view> keys) {
  return std::all_of(keys.begin(), keys.end(),
                     [&](std::string_view key) { return MayUse(user, key); });
}

}  // namespace sluice::auth
