#include "console/pages.h"

#include <algorithm>
#include <cstdint>
#include <nlohmann/json.hpp>

#include "base/number.h"
#include "console/page.h"

namespace sluice::console {
namespace {

constexpr std::string_view kHtml = "text/html; charset=utf-8";
constexpr std::string_view kScript = "text/javascript; charset=utf-8";
constexpr std::string_view kStyle = "text/css; charset=utf-8";
constexpr std::string_view kJson = "application/json";
constexpr std::string_view kPrometheus = "text/plain; version=0.0.4; charset=utf-8";
constexpr std::string_view kHealth = "/healthz";

int StatusOf(Code code) {
  switch (code) {
    case Code::kUnavailable:
      return 503;
    case Code::kNotFound:
      return 404;
    case Code::kInvalid:
      return 400;
    default:
      return 500;
  }
}

Response Json(const Result<std::string>& json) {
  if (json.has_value()) return {200, kJson, *json};
  const int status = StatusOf(json.error().code);
  const nlohmann::json error{{"error", json.error().message}};
  return {status, kJson, error.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace)};
}

Response Ready(Source& source) {
  const Readiness readiness = source.Ready();
  if (readiness.ready) return {.body = "ready\n"};
  return {.status = 503, .body = readiness.reason + "\n"};
}

// %41 as A, + as a blank.
std::string Unescaped(std::string_view text) {
  const auto digit = [](char c) {
    if (c >= '0' && c <= '9') return c - '0';
    const char lower = static_cast<char>(c | 0x20);
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
  };
  std::string plain;
  for (size_t i = 0; i < text.size(); ++i) {
    const bool coded =
        text[i] == '%' && i + 2 < text.size() && digit(text[i + 1]) >= 0 && digit(text[i + 2]) >= 0;
    plain += text[i] == '+' ? ' ' : text[i];
    if (!coded) continue;
    plain.back() = static_cast<char>(digit(text[i + 1]) * 16 + digit(text[i + 2]));
    i += 2;
  }
  return plain;
}

Result<HeatmapQuery> ParseHeatmapQuery(std::string_view text) {
  HeatmapQuery query;
  while (!text.empty()) {
    const std::string_view pair = text.substr(0, text.find('&'));
    text.remove_prefix(std::min(text.size(), pair.size() + 1));
    const std::string_view name = pair.substr(0, pair.find('='));
    const std::string value = Unescaped(pair.substr(std::min(pair.size(), name.size() + 1)));
    std::optional<uint64_t>* number = name == "from"      ? &query.from_s
                                      : name == "to"      ? &query.to_s
                                      : name == "buckets" ? &query.buckets
                                                          : nullptr;
    if (name == "keyspace") {
      query.keyspace = value;
    } else if (name == "resolution") {
      query.resolution = value;
    } else if (number == nullptr) {
      return Fail(Code::kInvalid, "parameters are keyspace, resolution, from, to and buckets");
    } else if (int64_t parsed = 0; ParseInt(value, &parsed) && parsed >= 0) {
      *number = static_cast<uint64_t>(parsed);
    } else {
      return Fail(Code::kInvalid, std::string(name) + " takes a number");
    }
  }
  return query;
}

Response Heatmap(Source& source, std::string_view query) {
  const Result<HeatmapQuery> parsed = ParseHeatmapQuery(query);
  if (!parsed.has_value()) return Json(Fail(parsed.error()));
  return Json(source.HeatmapJson(*parsed));
}

struct Page {
  std::string_view path;
  Response (*answer)(Source& source, std::string_view query);
  bool Access::*needs = &Access::known;
};
constexpr Page kPages[] = {
    {"/",
     [](Source&, std::string_view) {
       return Response{200, kHtml, std::string(kPageHtml)};
     }},
    {"/console.js",
     [](Source&, std::string_view) {
       return Response{200, kScript, std::string(kPageScript)};
     }},
    {"/console.css",
     [](Source&, std::string_view) {
       return Response{200, kStyle, std::string(kPageStyle)};
     }},
    {kHealth, [](Source&, std::string_view) { return Response{.body = "alive\n"}; }},
    {"/readyz", [](Source& source, std::string_view) { return Ready(source); }},
    {"/metrics",
     [](Source& source, std::string_view) {
       return Response{200, kPrometheus, source.MetricsText()};
     }},
    {"/api/v1/shards", [](Source& source, std::string_view) { return Json(source.ShardsJson()); }},
    {"/api/v1/keyspaces",
     [](Source& source, std::string_view) { return Json(source.KeyspacesJson()); }},
    {"/api/v1/jobs", [](Source& source, std::string_view) { return Json(source.JobsJson()); }},
    {"/api/v1/projections",
     [](Source& source, std::string_view) { return Json(source.ProjectionsJson()); }},
    {"/api/v1/hotkeys", [](Source& source, std::string_view) { return Json(source.HotKeysJson()); },
     &Access::all_keys},
    {"/api/v1/heatmap", Heatmap, &Access::all_keys},
    {"/api/v1/samples", [](Source& source, std::string_view) { return Json(source.SamplesJson()); },
     &Access::all_keys},
    {"/api/v1/config", [](Source& source, std::string_view) { return Json(source.ConfigJson()); },
     &Access::admin},
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
  if (!authenticate_) return kEverything;
  std::string user, password;
  if (authorization.empty()) return authenticate_(user, password);
  if (!ParseBasicAuthorization(authorization, &user, &password)) return {};
  return authenticate_(user, password);
}

Response Pages::Answer(const Request& request) const {
  const std::string_view path = request.target.substr(0, request.target.find('?'));
  const std::string_view query =
      request.target.substr(std::min(request.target.size(), path.size() + 1));
  const Access access = AccessOf(request.authorization);
  if (path != kHealth && !access.known) {
    return {.status = 401, .body = "a user and a password are needed\n"};
  }
  for (const Page& page : kPages) {
    if (page.path != path) continue;
    if (path != kHealth && !(access.*page.needs)) {
      const bool admin = page.needs == &Access::admin;
      return {.status = 403,
              .body = admin ? "this page takes a user with admin commands\n"
                            : "this page takes a user of all keys\n"};
    }
    if (request.method == "GET" || request.method == "HEAD") return page.answer(source_, query);
    return {.status = 405, .body = "this page can only be read: GET or HEAD\n"};
  }
  return {.status = 404, .body = "no such page\n"};
}

}  // namespace sluice::console
