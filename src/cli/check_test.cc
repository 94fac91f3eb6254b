#include "cli/check.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <fstream>
#include <sstream>

namespace sluice::cli {
namespace {

using ::testing::HasSubstr;

struct Outcome {
  int status;
  std::string out, err;
};

Outcome CheckText(const std::string& text) {
  const std::string path = ::testing::TempDir() + "check_test.toml";
  std::ofstream(path) << text;
  std::ostringstream out, err;
  const int status = Check(path, out, err);
  std::remove(path.c_str());
  return {status, out.str(), err.str()};
}

// Goal:   a good file prints resolved, with what each keyspace's tokens are made of, and what is
//         printed checks out the same.
TEST(Check, PrintsTheResolvedConfiguration) {
  const Outcome once = CheckText("[keyspace.likes]\nkey = \"likes:{post_id}\"\n");
  EXPECT_EQ(once.status, 0);
  EXPECT_EQ(once.err, "");
  EXPECT_THAT(once.out, HasSubstr("listen = \"127.0.0.1:7379\""));
  EXPECT_THAT(once.out, HasSubstr("shard = \"hash(post_id)\"\nshards = 8\nack = \"durable\""));
  EXPECT_THAT(once.out, HasSubstr("# token: hash of post_id (8 bytes); 8 shards to begin with"));
  const Outcome again = CheckText(once.out);
  EXPECT_EQ(again.status, 0) << again.err;
  EXPECT_EQ(again.out, once.out);
}

// Goal:   a wrong file, and one that is not there, end with status 2 and all that is wrong.
TEST(Check, ExplainsMistakes) {
  const Outcome wrong = CheckText("[server]\nlanez = 1\n[log]\nsegment = 5\n");
  EXPECT_EQ(wrong.status, 2);
  EXPECT_EQ(wrong.out, "");
  EXPECT_THAT(wrong.err, HasSubstr("check_test.toml:2:1: unknown setting \"lanez\""));
  EXPECT_THAT(wrong.err, HasSubstr("check_test.toml:4:11: log.segment must be from"));
  std::ostringstream out, err;
  EXPECT_EQ(Check("/nonexistent.toml", out, err), 2);
  EXPECT_EQ(err.str(), "/nonexistent.toml: No such file or directory\n");
}

}  // namespace
}  // namespace sluice::cli
