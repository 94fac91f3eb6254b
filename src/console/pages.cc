#include "console/pages.h"

#include <cstdint>
#include <nlohmann/json.hpp>

#include "console/status_page.h"

namespace sluice::console {
namespace {

constexpr std::string_view kHtml = "text/html; charset=utf-8";
constexpr std::string_view kJson = "application/json";
constexpr std::string_view kPrometheus = "text/plain; version=0.0.4; charset=utf-8";
constexpr std::string_view kHealth = "/healthz";

Response Json(const Result<std::string>& json) {
  if (json.has_value()) return {200, kJson, *json};
  const int status = json.error().code == Code::kUnavailable ? 503 : 500;
  const nlohmann::json error{{"error", json.error().message}};
  return {status, kJson, error.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace)};
}

Response Ready(Source& source) {
  const Readiness readiness = source.Ready();
  if (readiness.ready) return {.body = "ready\n"};
  return {.status = 503, .body = readiness.reason + "\n"};
}

struct Page {
  std::string_view path;
  Response (*answer)(Source& source);
  Access needs = Access::kUser;
};
constexpr Page kPages[] = {
    {"/",
     [](Source&) {
       return Response{200, kHtml, std::string(kStatusPage)};
     }},
    {kHealth, [](Source&) { return Response{.body = "alive\n"}; }},
    {"/readyz", Ready},
    {"/metrics",
     [](Source& source) {
       return Response{200, kPrometheus, source.MetricsText()};
     }},
    {"/api/v1/shards", [](Source& source) { return Json(source.ShardsJson()); }},
    {"/api/v1/keyspaces", [](Source& source) { return Json(source.KeyspacesJson()); }},
    {"/api/v1/projections", [](Source& source) { return Json(source.ProjectionsJson()); }},
    {"/api/v1/config", [](Source& source) { return Json(source.ConfigJson()); }, Access::kAdmin},
};

// The bits of one base64 digit, or -1.
int Base64Bits(char c) {
  if (c >= 'A' && c <= 'Z') return c - 'A';
  if (c >= 'a' && c <= 'z') return c - 'a' + 26;
  if (c >= '0' && c <= '9') return c - '0' + 52;
  if (c == '+') return 62;
  return c == '/' ? 63 : -1;
}

bool DecodeBase64(std::string_view text, std::string* bytes) {
  while (text.ends_with('=')) text.remove_suffix(1);
  uint32_t bits = 0;
  int count = 0;
  for (const char c : text) {
    const int digit = Base64Bits(c);
    if (digit < 0) return false;
    bits = bits << 6 | static_cast<uint32_t>(digit);
    count += 6;
    if (count < 8) continue;
    count -= 8;
    bytes->push_back(static_cast<char>(bits >> count));
  }
  return count < 6;  // a single digit left over carries no byte
}

}  // namespace

bool ParseBasicAuthorization(std::string_view header, std::string* user, std::string* password) {
  const size_t space = header.find(' ');
  if (space == std::string_view::npos) return false;
  std::string scheme(header.substr(0, space));
  for (char& c : scheme) c = static_cast<char>(c | 0x20);
  std::string bytes;
  if (scheme != "basic" || !DecodeBase64(header.substr(space + 1), &bytes)) return false;
  const size_t colon = bytes.find(':');
  if (colon == std::string::npos) return false;
  *user = bytes.substr(0, colon);
  *password = bytes.substr(colon + 1);
  return true;
}

Access Pages::AccessOf(std::string_view authorization) const {
  if (!authenticate_) return Access::kAdmin;
  std::string user, password;
  if (authorization.empty()) return authenticate_(user, password);
  if (!ParseBasicAuthorization(authorization, &user, &password)) return Access::kNone;
  return authenticate_(user, password);
}

Response Pages::Answer(const Request& request) const {
  const std::string_view path = request.target.substr(0, request.target.find('?'));
  const Access access = AccessOf(request.authorization);
  if (path != kHealth && access == Access::kNone) {
    return {.status = 401, .body = "a user and a password are needed\n"};
  }
  for (const Page& page : kPages) {
    if (page.path != path) continue;
    if (path != kHealth && access < page.needs) {
      return {.status = 403, .body = "this page takes a user with admin commands\n"};
    }
    if (request.method == "GET" || request.method == "HEAD") return page.answer(source_);
    return {.status = 405, .body = "this page can only be read: GET or HEAD\n"};
  }
  return {.status = 404, .body = "no such page\n"};
}

}  // namespace sluice::console
