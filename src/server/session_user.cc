// Session: whom it serves, and what they may.
#include <memory>
#include <string_view>

#include "auth/users.h"
#include "server/handlers.h"
#include "server/session.h"

namespace sluice::server {
namespace {

constexpr std::string_view kReserved = "sluice:";

}  // namespace

void Session::Welcome() {
  users_version_ = context_.users.version();
  users_ = context_.users.Get();
  client_.user = users_->Unauthenticated();
  client_.authenticated = client_.user != nullptr;
  parser_.set_limits(client_.authenticated ? resp::kLimits : resp::kLimitsBeforeAuth);
  knew_password_ = knew_password_ || client_.authenticated;
}

void Session::MeetNewUsers() {
  const std::shared_ptr<const auth::Users> before = users_;
  const auth::User* const was = client_.user;
  Welcome();
  const auth::User* const now = was == nullptr ? nullptr : users_->Find(was->name);
  if (now == nullptr || now->has_password != was->has_password ||
      now->password_sha256 != was->password_sha256) {
    return;
  }
  LogIn(*now);
}

void Session::LogIn(const auth::User& user) {
  client_.user = &user;
  client_.authenticated = true;
  parser_.set_limits(resp::kLimits);
  knew_password_ = true;
}

bool Session::Permits(const command::Spec& spec, command::Args args, resp::Reply& reply) {
  if (!client_.authenticated) {
    if (spec.flags & command::kNoAuth) return true;
    return Deny(reply, auth::kNoAuth);
  }
  const auth::User& user = *client_.user;
  // What a container's commands need differs from one to the next: Handle asks for each.
  if (!auth::MayRun(user, CategoriesOf(spec.flags)) && SubcommandsOf(spec).empty()) {
    return Deny(reply, auth::NoPermCommand(spec.name));
  }
  if (!user.all_keys) {
    const bool named = spec.face != command::Face::kGather || spec.first_key != 0;
    if (!named || !command::ForEachKey(
                      spec, args, [&](std::string_view key) { return auth::MayUse(user, key); })) {
      return Deny(reply, auth::kNoPermKeys);
    }
  }
  if ((spec.flags & command::kWrite) && !command::ForEachKey(spec, args, [](std::string_view key) {
        return !key.starts_with(kReserved);
      })) {
    reply.Error("ERR keys that begin with 'sluice:' are reserved");
    return false;
  }
  return true;
}

bool Session::Deny(resp::Reply& reply, std::string_view error) {
  meters_.denied.Add();
  reply.Error(error);
  return false;
}

}  // namespace sluice::server
