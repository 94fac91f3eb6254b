// What an HTTP request says, behind its wire: any method, target and Authorization is answered, and
// nobody looks without a password.
#include <string>
#include <string_view>

#include "base/check.h"
#include "base/fuzz_test.h"
#include "console/pages.h"

namespace sluice::console {
namespace {

class FixedSource final : public Source {
 public:
  Readiness Ready() override { return {.ready = true, .reason = {}}; }
  std::string MetricsText() override { return "secret"; }
  Result<std::string> ShardsJson() override { return "secret"; }
  Result<std::string> KeyspacesJson() override { return "secret"; }
  Result<std::string> HotKeysJson() override { return "secret"; }
  Result<std::string> HeatmapJson(const HeatmapQuery&) override { return "secret"; }
  Result<std::string> JobsJson() override { return "secret"; }
  Result<std::string> SamplesJson() override { return "secret"; }
  Result<std::string> ProjectionsJson() override { return "{}"; }
  Result<std::string> ConfigJson() override { return "secret"; }
};

}  // namespace
}  // namespace sluice::console

SLUICE_FUZZ(console_pages) {
  using namespace sluice;
  using namespace sluice::console;
  FixedSource source;
  const Pages open(source, {});
  const Pages guarded(source, [](std::string_view user, std::string_view password) {
    return user == "u" && password == "p" ? Access{.known = true} : Access();
  });
  Reader reader(bytes);
  const std::string_view method = TakePiece(reader, 8), target = TakePiece(reader, 60);
  const std::string_view authorization = reader.rest();
  const int status = open.Answer({method, target, authorization}).status;
  SLUICE_CHECK(status == 200 || status == 400 || status == 404 || status == 405);
  std::string user, password;
  const bool basic = ParseBasicAuthorization(authorization, &user, &password);
  const Response answer = guarded.Answer({method, target, authorization});
  if (!basic || user != "u" || password != "p") SLUICE_CHECK(answer.body != "secret");
}
