// Goal:   the PostgreSQL sink is a sink like the others.
#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "project/conformance_test.h"
#include "project/pg_kit_test.h"

namespace sluice::project {
namespace {

class PgBench {
 public:
  PgBench() {
    MakeTable(Server(), "conforming", "id text PRIMARY KEY, likes text, n text, m text");
    Reopen();
  }
  Sink& sink() { return *sink_; }
  void Reopen() {
    PgSinkOptions options = LikesOptions(Server(), "conforming");
    options.columns = {{"id", "{post_id}"}, {"likes", "value"}, {"n", "n"}, {"m", "m"}};
    sink_ = MakeSink(options);
  }
  Rows rows() {
    Rows rows;
    for (const PgRow& row : Server().Ask("SELECT id, likes, n, m FROM conforming").rows) {
      MemoryRow& found = rows["likes:" + row[0].value_or("")];
      found.value = row[1].value_or("");
      found.is_hash = !row[1].has_value();
      if (row[2].has_value()) found.fields["n"] = *row[2];
      if (row[3].has_value()) found.fields["m"] = *row[3];
    }
    return rows;
  }

 private:
  static PgServer& Server() { return PgServer::Shared(); }

  std::unique_ptr<PgSink> sink_;
};

INSTANTIATE_TYPED_TEST_SUITE_P(Pg, SinkConformance, testing::Types<PgBench>);

}  // namespace
}  // namespace sluice::project
