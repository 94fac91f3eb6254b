// Which path answers what: HTTP without its wire.
//
// Borrows:  the Source.
// Threads:  none of its own; as the Source.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "console/source.h"

namespace sluice::console {

struct Request {
  std::string_view method;
  std::string_view target;         // path and query
  std::string_view authorization;  // the header, empty if there was none
};

struct Response {
  int status = 200;
  std::string_view content_type = "text/plain; charset=utf-8";
  std::string body;
};

// What a user with this password may look at. Who sends no user is asked for as the user without a
// name.
struct Access {
  bool known = false;     // pages that name no keys
  bool all_keys = false;  // those that do
  bool admin = false;     // the configuration
};
inline constexpr Access kEverything{true, true, true};
using Authenticate = std::function<Access(std::string_view user, std::string_view password)>;

class Pages {
 public:
  // Without `authenticate` everybody may look.
  Pages(Source& source, Authenticate authenticate)
      : source_(source), authenticate_(std::move(authenticate)) {}

  // The whole answer to a GET; of a HEAD the caller leaves the body out. 401 before everything
  // else (but for /healthz, which tells nothing), so that a stranger learns no paths; 403 for a
  // page that takes more than a user.
  Response Answer(const Request& request) const;

 private:
  Access AccessOf(std::string_view authorization) const;

  Source& source_;
  const Authenticate authenticate_;
};

// Takes "Basic dXNlcjpwYXNz" apart. False if it is anything else.
bool ParseBasicAuthorization(std::string_view header, std::string* user, std::string* password);

}  // namespace sluice::console
