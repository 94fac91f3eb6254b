// What a PgSink does to a table that is well and a server that is well; pg_fault_test.cc has the
// rest.
#include "project/pg_sink.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <latch>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include "project/pg_kit_test.h"

namespace sluice::project {
namespace {

using config::ProjectionAdopt;
using config::ProjectionMode;
using config::ProjectionOnExpire;
using Lines = std::vector<std::string>;

PgServer& Server() {
  return PgServer::Shared();
}

void Table(const std::string& name, const std::string& columns) {
  MakeTable(Server(), name, columns);
}

void ExpectOpen(PgSink& sink, const Position& position = {}, uint64_t epoch = 1) {
  const auto opened = sink.Open(epoch);
  ASSERT_TRUE(opened.has_value()) << opened.error().message;
  EXPECT_EQ(*opened, position);
}

void ExpectOk(const Status& status) {
  EXPECT_TRUE(status.ok()) << CodeName(status.error().code) << ": " << status.error().message;
}

void ExpectRefusedToOpen(const PgSinkOptions& options, const std::string& words) {
  const auto opened = MakeSink(options)->Open(1);
  ASSERT_FALSE(opened.has_value()) << words;
  EXPECT_EQ(opened.error().code, Code::kInvalid) << opened.error().message;
  EXPECT_NE(opened.error().message.find(words), std::string::npos) << opened.error().message;
}

struct TypeCase {
  const char* type;
  Lines good, bad;
};

const std::vector<TypeCase>& TypeCases() {
  static const std::string nul("a\0b", 3);
  static const std::vector<TypeCase> cases = {
      {"smallint", {"0", "-32768", "32767"}, {"32768", "", "1.5", "x"}},
      {"integer", {"-2147483648", " 7 "}, {"2147483648", "1e3"}},
      {"bigint", {"9223372036854775807"}, {"9223372036854775808", "--1"}},
      {"numeric", {"1.50", "1e3", "NaN", "-0.0001"}, {"1,5", "abc"}},
      {"numeric(5,2)", {"999.99", "1.005"}, {"1000"}},
      {"real", {"1.5", "inf"}, {"1e50", "y"}},
      {"double precision", {"1e308", "0.1", "-Infinity"}, {"1e309", "1.2.3"}},
      {"text", {"", "é€😀", "\"{}\\,NULL", "NULL", " a\nb "}, {nul, "\xff", "\xc3"}},
      {"varchar(3)", {"", "abc", "ééé"}, {"abcd", "éééé"}},
      {"char(3)", {"a", "abc"}, {"abcd"}},
      {"jsonb", {"{\"a\": [1, null]}", "1", "\"x\""}, {"{", "", "{\"a\": \"\\u0000\"}"}},
      {"json", {"{\"a\":1,\"a\":2}"}, {"nope"}},
      {"timestamptz",
       {"2024-02-29 12:00:00+02", "2024-01-01T00:00:00Z", "epoch"},
       {"2023-02-29", "yesterdy", "1700000000"}},
      {"timestamp", {"2024-02-29 12:00:00"}, {"24:61"}},
      {"date", {"2024-02-29", "20240229"}, {"2024-02-30", "x"}},
      {"time", {"23:59:59.5"}, {"25:00"}},
      {"interval", {"1 day 2 hours"}, {"1 dy"}},
      {"bytea", {"", "abc", nul, "\xff\xfe", "\\x41", "é\"\\"}, {}},
      {"boolean", {"t", "true", "1", "off"}, {"2", "maybe", ""}},
      {"uuid", {"A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11"}, {"a0eebc99", ""}},
      {"inet", {"10.0.0.1/8", "::1"}, {"10.0.0.256"}},
      {"int4range", {"[1,5)", "empty"}, {"[5,1)"}},
      {"mood", {"happy", "sad"}, {"angry"}},
      {"positive", {"1", "2"}, {"0", "-1", "x"}},
  };
  return cases;
}

// Goal:   each type takes what it is written as, and refuses what it is not, row by row, with the
//         server's reason; what is taken reads back as the server itself reads that text.
// Method: every type with its values, good ones and bad ones, written in one batch; what is found
//         to be refused must be the bad ones, and without them the batch is written.
TEST(PgSink, EveryTypeTakesItsValues) {
  Server().Ask("DROP DOMAIN IF EXISTS positive CASCADE");
  Server().Ask("DROP TYPE IF EXISTS mood CASCADE");
  Server().Ask("CREATE DOMAIN positive AS int CHECK (VALUE > 0)");
  Server().Ask("CREATE TYPE mood AS ENUM ('happy', 'sad')");
  for (const TypeCase& one : TypeCases()) {
    SCOPED_TRACE(one.type);
    Table("types", fmt::format("id bigint PRIMARY KEY, likes {}", one.type));
    const auto sink = MakeSink(LikesOptions(Server(), "types"));
    ExpectOpen(*sink);
    std::vector<Change> good, all;
    std::map<std::string, std::string> bad;  // by key
    for (const auto& value : one.good) good.push_back(ValueOf(std::to_string(good.size()), value));
    all = good;
    for (const auto& value : one.bad) {
      all.push_back(ValueOf(std::to_string(100 + bad.size()), value));
      bad[all.back().key] = value;
    }
    const Batch batch = BatchOf(all, 0, 5);
    if (!bad.empty()) {
      const Status written = sink->Write(batch);
      ASSERT_FALSE(written.ok());
      EXPECT_EQ(written.error().code, Code::kInvalid) << written.error().message;
    }
    const auto letters = sink->FindRefused(batch);
    ASSERT_TRUE(letters.has_value()) << letters.error().message;
    EXPECT_EQ(letters->size(), bad.size());
    for (const DeadLetter& letter : *letters) {
      EXPECT_TRUE(bad.contains(letter.change.key)) << letter.change.key << ": " << letter.reason;
      EXPECT_FALSE(letter.reason.empty());
    }
    ExpectOk(sink->Write(BatchOf(good, 0, 5)));
    for (size_t i = 0; i < good.size(); ++i) {
      const std::string hex = PgBytes(good[i].value);
      const std::string as_text = fmt::format("convert_from('{}'::bytea, 'UTF8')", hex);
      const bool bytes = std::string(one.type) == "bytea";
      EXPECT_EQ(Server().Lines(fmt::format("SELECT likes::text = ({})::{}::text FROM types "
                                           "WHERE id = {}",
                                           bytes ? "'" + hex + "'" : as_text, one.type, i)),
                Lines{"t"})
          << good[i].value;
    }
    const auto differences = sink->Compare(good);
    ASSERT_TRUE(differences.has_value()) << differences.error().message;
    EXPECT_TRUE(differences->empty()) << (*differences)[0].key << ": " << (*differences)[0].what;
  }
}

// Goal:   no two keys get one row: each type of a key takes one way of writing a value only.
TEST(PgSink, KeysNeverShareRows) {
  const TypeCase cases[] = {
      {"bigint", {"1", "-1", "0"}, {"01", "+1", " 1", "-0", "1.0", "9223372036854775808"}},
      {"smallint", {"1"}, {"32768", "1e1"}},
      {"uuid",
       {"a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"},
       {"A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11", "a0eebc999c0b4ef8bb6d6bb9bd380a11"}},
      {"date", {"2024-02-29"}, {"2024-2-29", "20240229", "2024-02-30", "epoch"}},
      {"text", {"a", "A", "a ", " a", "é", "e\u0301"}, {std::string("a\0", 2), "\xff"}},
      {"varchar(3)", {"abc", " ab"}, {"abc ", "a ", "abcd"}},
      {"bytea", {"a", "\xff", std::string("\0", 1)}, {}},
  };
  for (const TypeCase& one : cases) {
    SCOPED_TRACE(one.type);
    Table("keyed", fmt::format("id {} PRIMARY KEY, likes bigint", one.type));
    const auto sink = MakeSink(LikesOptions(Server(), "keyed"));
    ExpectOpen(*sink);
    std::vector<Change> good, all;
    for (const auto& id : one.good) good.push_back(ValueOf(id, "1"));
    all = good;
    for (const auto& id : one.bad) all.push_back(ValueOf(id, "2"));
    const auto letters = sink->FindRefused(BatchOf(all, 0, 5));
    ASSERT_TRUE(letters.has_value()) << letters.error().message;
    EXPECT_EQ(letters->size(), one.bad.size());
    for (const DeadLetter& letter : *letters) EXPECT_EQ(letter.change.value, "2") << letter.reason;
    ExpectOk(sink->Write(BatchOf(good, 0, 5)));
    EXPECT_EQ(Server().Lines("SELECT count(*), sum(likes) FROM keyed"),
              Lines{fmt::format("{0}|{0}", good.size())});
    std::vector<Change> gone;
    for (const auto& id : one.good) gone.push_back(GoneOf(id));
    ExpectOk(sink->Write(BatchOf(gone, 5, 6)));
    EXPECT_EQ(Server().Lines("SELECT count(*) FROM keyed"), Lines{"0"});
  }
  for (const char* type : {"numeric", "double precision", "timestamptz", "char(3)", "boolean"}) {
    Table("keyed", fmt::format("id {} PRIMARY KEY, likes bigint", type));
    ExpectRefusedToOpen(LikesOptions(Server(), "keyed"), "written in several ways");
  }
}

// Goal:   a change touches the named columns only; what is absent gets the column's default.
// Method: a table with a default, an unmapped column and a row of somebody else; each kind of
//         change.
TEST(PgSink, WritesNamedColumnsOnly) {
  Table("people",
        "id text PRIMARY KEY, name text, age int DEFAULT 7, seen timestamptz, "
        "seen_ms bigint, writes bigint, note text DEFAULT 'mine'");
  Server().Ask("INSERT INTO people (id, name, note) VALUES ('other', 'Eve', 'theirs')");
  PgSinkOptions options = LikesOptions(Server(), "people");
  options.columns = {{"id", "{post_id}"}, {"name", "name"},    {"age", "field(age)"},
                     {"seen", "time"},    {"seen_ms", "time"}, {"writes", "writes"}};
  options.adopt = ProjectionAdopt::kOverwrite;
  const auto sink = MakeSink(options);
  ExpectOpen(*sink);
  const auto rows = [] {
    return Server().Lines("SELECT id, name, age, writes, note FROM people ORDER BY id");
  };
  ExpectOk(sink->Write(BatchOf({HashOf("1", {{"name", "Ann"}, {"age", "30"}}, true),
                                HashOf("2", {{"name", "Bob"}}, true), HashOf("3", {{"x", "y"}})},
                               0, 1)));
  EXPECT_EQ(rows(), (Lines{"1|Ann|30|1|mine", "2|Bob|7|1|mine", "3|NULL|7|1|mine",
                           "other|Eve|7|NULL|theirs"}));
  EXPECT_EQ(Server().Lines("SELECT seen, seen_ms FROM people WHERE id = '1'"),
            Lines{"2023-11-14 22:13:20.123+00|1700000000123"});
  Server().Ask("UPDATE people SET note = 'changed' WHERE id = '1'");
  // A field alone; one that is gone; a hash that began anew; somebody's row, taken over.
  ExpectOk(
      sink->Write(BatchOf({HashOf("1", {{"age", "31"}}), HashOf("2", {{"name", std::nullopt}}),
                           HashOf("3", {{"name", "Cy"}}, true), HashOf("other", {{"age", "9"}})},
                          1, 2)));
  EXPECT_EQ(rows(), (Lines{"1|Ann|31|2|changed", "2|NULL|7|2|mine", "3|Cy|7|2|mine",
                           "other|Eve|9|1|theirs"}));
  ExpectOk(sink->Write(BatchOf({HashOf("1", {{"age", "40"}}, true), GoneOf("2"),
                                GoneOf("3", Change::Kind::kExpired), GoneOf("nobody")},
                               2, 3)));
  EXPECT_EQ(rows(), (Lines{"1|NULL|40|3|changed", "3|Cy|7|2|mine", "other|Eve|9|1|theirs"}));
  // A string is no hash.
  const auto letters = sink->FindRefused(BatchOf({ValueOf("1", "x")}, 3, 4));
  ASSERT_EQ(letters->size(), 1u);
  EXPECT_EQ((*letters)[0].reason, "the key is a string, and columns map fields of a hash");
}

TEST(PgSink, DeletesWhatExpiredWhenTold) {
  Table("expiring", "id bigint PRIMARY KEY, likes bigint");
  PgSinkOptions options = LikesOptions(Server(), "expiring");
  options.on_expire = ProjectionOnExpire::kDelete;
  const auto sink = MakeSink(options);
  ExpectOpen(*sink);
  ExpectOk(sink->Write(BatchOf({ValueOf("1", "1"), ValueOf("2", "2")}, 0, 1)));
  ExpectOk(sink->Write(BatchOf({GoneOf("1", Change::Kind::kExpired)}, 1, 2)));
  EXPECT_EQ(Server().Lines("SELECT * FROM expiring"), Lines{"2|2"});
}

// Goal:   "add" adds to what is there, and takes nothing but increments.
TEST(PgSink, AddsToWhatOthersHave) {
  Table("sums", "id bigint PRIMARY KEY, likes numeric(12,1), n int");
  Server().Ask("INSERT INTO sums VALUES (1, 100.5, NULL)");
  PgSinkOptions options = LikesOptions(Server(), "sums");
  options.columns.emplace_back("n", "writes");
  options.mode = ProjectionMode::kAdd;
  options.adopt = ProjectionAdopt::kAdd;
  const auto sink = MakeSink(options);
  ExpectOpen(*sink);
  ExpectOk(sink->Write(BatchOf({DeltaOf("1", 5), DeltaOf("2", -3)}, 0, 1)));
  ExpectOk(sink->Write(
      BatchOf({DeltaOf("1", -7), DeltaOf("2", 1), GoneOf("1", Change::Kind::kExpired)}, 1, 2)));
  EXPECT_EQ(Server().Lines("SELECT * FROM sums ORDER BY id"), (Lines{"1|98.5|2", "2|-2.0|2"}));
  const Batch refused = BatchOf({ValueOf("1", "8"), DeltaOf("2", 1), GoneOf("3")}, 2, 3);
  EXPECT_EQ(sink->Write(refused).error().code, Code::kInvalid);
  EXPECT_EQ(sink->FindRefused(refused)->size(), 2u);
  EXPECT_EQ(sink->Compare({ValueOf("1", "8")}).error().code, Code::kInvalid);
  Batch anew = BatchOf({}, 0, 3);
  anew.anew = true;
  EXPECT_EQ(sink->Write(anew).error().code, Code::kInvalid);
}

// Goal:   nobody's rows are touched unless that was said, and no two projections write one table.
TEST(PgSink, AdoptsOnlyWhatItWasTold) {
  Table("taken", "id bigint PRIMARY KEY, likes bigint");
  Server().Ask("INSERT INTO taken VALUES (1, 1)");
  PgSinkOptions options = LikesOptions(Server(), "taken");
  ExpectRefusedToOpen(options, "adopt: taken has rows");
  options.adopt = ProjectionAdopt::kOverwrite;
  const auto sink = MakeSink(options);
  ExpectOpen(*sink);
  ExpectOk(sink->Write(BatchOf({ValueOf("2", "2")}, 0, 4)));
  // Once it is the projection's own, its rows are no surprise.
  options.adopt = ProjectionAdopt::kRefuse;
  ExpectOpen(*MakeSink(options), {{model::Lineage(7), model::ShardSeq(4)}});

  PgSinkOptions other = options;
  other.name = "other";
  ExpectRefusedToOpen(other, "projection taken_pg writes to taken already");
  PgSinkOptions moved = options;
  Table("taken2", "id bigint PRIMARY KEY, likes bigint");
  moved.table = "taken2";
  ExpectRefusedToOpen(moved, "has written to taken so far");

  // A rebuild leaves what was there before.
  ExpectOpen(*sink, {{model::Lineage(7), model::ShardSeq(4)}}, 2);
  Batch anew = BatchOf({ValueOf("3", "3")}, 0, 9);
  anew.anew = true;
  ExpectOk(sink->Write(anew));
  EXPECT_EQ(Server().Lines("SELECT * FROM taken ORDER BY id"), (Lines{"1|1", "2|2", "3|3"}));
  ExpectOpen(*sink, {{model::Lineage(7), model::ShardSeq(9)}}, 2);
}

// Goal:   rows of others are read for a seed: each once, as PostgreSQL prints it; until the sink
//         has a position, and no longer.
// Method: numbers whose order is not that of their texts, NULLs, bytes; several page sizes.
TEST(PgSink, ReadsRowsForASeed) {
  Table("sown", "a int, b bigint, paid boolean, raw bytea, unmapped text, UNIQUE (a, b)");
  Server().Ask(
      "INSERT INTO sown SELECT i % 3, i, CASE WHEN i % 2 = 0 THEN i % 4 = 0 END, "
      "CASE WHEN i % 3 > 0 THEN '\\x00ff'::bytea END, 'x' FROM generate_series(-5, 120) i");
  PgSinkOptions options = LikesOptions(Server(), "sown");
  options.segments = {"b", "a"};
  options.columns = {{"a", "{a}"}, {"b", "{b}"}, {"paid", "field(paid)"}, {"raw", "bytes"}};
  options.key = {"a", "b"};
  options.adopt = ProjectionAdopt::kSeed;
  Server().Ask("INSERT INTO sown (b) VALUES (1)");
  ExpectRefusedToOpen(options, "NULL in a column of key");
  Server().Ask("DELETE FROM sown WHERE a IS NULL");
  const auto sink = MakeSink(options);
  ExpectOpen(*sink);
  EXPECT_TRUE(sink->wants_seed());
  using Fields = std::vector<std::pair<std::string, std::string>>;
  std::map<std::vector<std::string>, Fields> wanted;
  for (int i = -5; i <= 120; ++i) {
    Fields& fields = wanted[{std::to_string(i), std::to_string(i % 3)}];
    if (i % 2 == 0) fields.emplace_back("paid", i % 4 == 0 ? "true" : "false");
    if (i % 3 > 0) fields.emplace_back("bytes", std::string("\0\xff", 2));
  }
  for (const size_t most : {1, 7, 1000}) {
    std::map<std::vector<std::string>, Fields> found;
    std::string place;
    for (;;) {
      const auto rows = sink->ReadRows(place, most);
      ASSERT_TRUE(rows.has_value()) << rows.error().message;
      if (rows->empty()) break;
      for (const Row& row : *rows) {
        EXPECT_FALSE(row.value.has_value());
        EXPECT_TRUE(found.emplace(row.segments, row.fields).second);
      }
      place = rows->back().place;
    }
    EXPECT_EQ(found, wanted) << most;
  }
  // What was begun is not taken for the projection's own.
  options.adopt = ProjectionAdopt::kRefuse;
  ExpectRefusedToOpen(options, "adopt: sown has rows");
  options.adopt = ProjectionAdopt::kSeed;
  ExpectOk(sink->Write(BatchOf({}, 0, 4)));
  const auto again = MakeSink(options);
  ExpectOpen(*again, {{model::Lineage(7), model::ShardSeq(4)}});
  EXPECT_FALSE(again->wants_seed());
}

TEST(PgSink, MakesItsTable) {
  Server().Ask("DROP TABLE IF EXISTS \"Made\"");
  PgSinkOptions options = LikesOptions(Server(), "Made");
  options.columns = {{"id", "{post_id}::bigint"},
                     {"a", "a::numeric(6,2)"},
                     {"b", "b"},
                     {"at", "time"},
                     {"n", "writes"}};
  ExpectRefusedToOpen(options, "create = true");
  options.create = true;
  const auto sink = MakeSink(options);
  ExpectOpen(*sink);
  ExpectOk(sink->Write(BatchOf({HashOf("1", {{"a", "1.5"}, {"b", "x"}})}, 0, 1)));
  EXPECT_EQ(Server().Lines("SELECT id, a, b, n, pg_typeof(id), pg_typeof(a), pg_typeof(b), "
                           "pg_typeof(at), pg_typeof(n) FROM \"Made\""),
            Lines{"1|1.50|x|1|bigint|numeric|text|timestamp with time zone|bigint"});
  options.columns[2].second = "b::int";
  ExpectRefusedToOpen(options, "columns: b of Made is text, and not int");
}

// Goal:   projections that all begin on a new database open at once, and are in one ledger.
// Method: many at one moment, each with a table of its own, over and over in new schemas. Without
//         the lock all but one failed in each: "duplicate key", 23505.
TEST(PgSink, MakesItsLedgerOnce) {
  constexpr size_t kSinks = 8, kRounds = 10;
  for (size_t round = 0; round < kRounds; ++round) {
    const std::string schema = fmt::format("begins{}", round);
    Server().Ask("CREATE SCHEMA " + schema);
    std::vector<std::unique_ptr<PgSink>> sinks;
    for (size_t i = 0; i < kSinks; ++i) {
      const std::string table = fmt::format("{}.t{}", schema, i);
      Server().Ask(fmt::format("CREATE TABLE {} (id bigint PRIMARY KEY, likes bigint)", table));
      sinks.push_back(MakeSink(LikesOptions(Server(), table)));
    }
    std::vector<std::string> errors(kSinks);
    std::latch begin(kSinks);
    std::vector<std::thread> threads;
    for (size_t i = 0; i < kSinks; ++i) {
      threads.emplace_back([&, i] {
        begin.arrive_and_wait();
        const auto opened = sinks[i]->Open(1);
        if (!opened.has_value()) errors[i] = opened.error().message;
      });
    }
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(errors, std::vector<std::string>(kSinks)) << round;
    EXPECT_EQ(Server().Lines(fmt::format("SELECT count(*) FROM {}.sluice_projections", schema)),
              Lines{std::to_string(kSinks)});
  }
}

// Goal:   a table that does not fit is refused at once, in words that say what to do.
TEST(PgSink, NamesWhatDoesNotFit) {
  Server().Ask("DROP VIEW IF EXISTS a_view");
  Server().Ask("CREATE VIEW a_view AS SELECT 1 AS id, 2 AS likes");
  ExpectRefusedToOpen(LikesOptions(Server(), "a_view"), "is no table of this server");
  ExpectRefusedToOpen(LikesOptions(Server(), "nowhere.posts"), "there is no table nowhere.posts");
  struct Case {
    const char* columns;
    const char* words;
  };
  const Case cases[] = {
      {"id bigint PRIMARY KEY, like_count bigint", "has no column likes"},
      {"id bigint, likes bigint", "no unique index on exactly (id)"},
      {"id bigint UNIQUE DEFERRABLE, likes bigint", "no unique index on exactly (id)"},
      {"id bigint, likes bigint, UNIQUE (id, likes)", "no unique index on exactly (id)"},
      {"id bigint PRIMARY KEY, likes bigint, x int NOT NULL", "x of misfit must not be NULL"},
      {"id bigint PRIMARY KEY, likes bigint GENERATED ALWAYS AS (id) STORED", "is generated"},
      {"id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, likes bigint", "is generated"},
      {"id bigint PRIMARY KEY, likes bigint[]", "cannot be sent"},
  };
  for (const Case& one : cases) {
    Table("misfit", one.columns);
    ExpectRefusedToOpen(LikesOptions(Server(), "misfit"), one.words);
  }
  Table("misfit", "id bigint PRIMARY KEY, likes text");
  PgSinkOptions options = LikesOptions(Server(), "misfit");
  options.mode = ProjectionMode::kAdd;
  ExpectRefusedToOpen(options, "must be a number");
  Server().Ask("ALTER TABLE misfit SET UNLOGGED");
  ExpectRefusedToOpen(LikesOptions(Server(), "misfit"), "SET LOGGED");
  Table("misfit", "id bigint PRIMARY KEY, likes bigint");
  Server().Ask("CREATE RULE r AS ON INSERT TO misfit DO ALSO NOTIFY x");
  ExpectRefusedToOpen(LikesOptions(Server(), "misfit"), "has rules");
  Table("misfit", "id bigint PRIMARY KEY, likes bigint, x int NOT NULL DEFAULT 1");
  ExpectOpen(*MakeSink(LikesOptions(Server(), "misfit")));
}

TEST(PgSink, SaysWhichRightIsMissing) {
  Server().Ask("DROP SCHEMA IF EXISTS guarded CASCADE");
  Server().Ask("DROP ROLE IF EXISTS clerk");
  Server().Ask("CREATE ROLE clerk LOGIN");
  Server().Ask("CREATE SCHEMA guarded");
  Server().Ask("CREATE TABLE guarded.t (id bigint PRIMARY KEY, likes bigint)");
  Server().Ask("GRANT USAGE ON SCHEMA guarded TO clerk");
  PgSinkOptions options = LikesOptions(Server(), "guarded.t");
  options.url = fmt::format("postgresql://clerk@127.0.0.1:{}/postgres", Server().port());
  ExpectRefusedToOpen(options, "permission denied for table t");
  Server().Ask("GRANT SELECT ON guarded.t TO clerk");
  ExpectRefusedToOpen(options, "permission denied for schema guarded");
  Server().Ask("GRANT CREATE ON SCHEMA guarded TO clerk");
  ExpectRefusedToOpen(options, "permission denied for table t");
  Server().Ask("GRANT INSERT, UPDATE, DELETE ON guarded.t TO clerk");
  ExpectOpen(*MakeSink(options));
}

// Goal:   what slows each batch is listed, and nothing else.
TEST(PgSink, ReportsWhatSlowsABatch) {
  Server().Ask("DROP TABLE IF EXISTS parents CASCADE");
  Server().Ask("CREATE TABLE parents (id bigint PRIMARY KEY)");
  Table("slow", "id bigint PRIMARY KEY, likes bigint REFERENCES parents, other int");
  const auto sink = MakeSink(LikesOptions(Server(), "slow"));
  Server().Ask("CREATE INDEX slow_likes ON slow (likes)");
  Server().Ask("CREATE INDEX slow_other ON slow (other)");
  Server().Ask(
      "CREATE OR REPLACE FUNCTION nothing() RETURNS trigger LANGUAGE plpgsql AS "
      "'BEGIN RETURN NULL; END'");
  Server().Ask(
      "CREATE TRIGGER each_row AFTER INSERT ON slow FOR EACH ROW EXECUTE FUNCTION "
      "nothing()");
  Server().Ask("CREATE TRIGGER each_statement AFTER INSERT ON slow EXECUTE FUNCTION nothing()");
  ExpectOpen(*sink);
  const Lines expected = {
      "index slow_likes is written for each changed row, as likes is in it",
      "index slow_other is written for each new row",
      "foreign key slow_likes_fkey (a look into parents for each row)",
      "trigger each_row runs for each row",
      "trigger each_statement runs once or more a batch",
  };
  EXPECT_EQ(sink->report().notes, expected);
}

// Goal:   a letter comes back as the change that it was, bytes and all, and goes when it is
//         revived.
TEST(PgSink, KeepsDeadLetters) {
  Table("letters", "id bigint PRIMARY KEY, likes bigint");
  const auto sink = MakeSink(LikesOptions(Server(), "letters"));
  ExpectOpen(*sink);
  Batch batch = BatchOf({}, 0, 1);
  Change hash =
      HashOf("1\xff", {{"a\"", "\\"}, {"b", std::nullopt}, {std::string("\0", 1), ""}}, true);
  hash.fields[2].added = true;
  hash.fields[2].delta = -4;
  hash.last = {model::Lineage(0xffff'ffff'ffff'fff0), model::ShardSeq(77)};
  Change value = ValueOf("2", std::string("x\0y", 3));
  value.added = true;
  value.delta = -9;
  value.writes = 12;
  Change gone = GoneOf("3", Change::Kind::kExpired);
  gone.segments = {"a", "", "\"b\\"};
  batch.dead = {{.id = 5, .change = hash, .reason = "no \"good\"", .at_ms = 1'700'000'000'001},
                {.id = 6, .change = value, .reason = "b", .at_ms = 2},
                {.id = 7, .change = gone, .reason = "c", .at_ms = 3}};
  ExpectOk(sink->Write(batch));
  const auto same = [](const DeadLetter& a, const DeadLetter& b) {
    const auto fields_equal = [](const FieldChange& x, const FieldChange& y) {
      return x.name == y.name && x.value == y.value && x.delta == y.delta && x.added == y.added;
    };
    const Change &c = a.change, &d = b.change;
    return a.id == b.id && a.reason == b.reason && a.at_ms == b.at_ms && c.kind == d.kind &&
           c.key == d.key && c.segments == d.segments && c.whole == d.whole && c.value == d.value &&
           c.delta == d.delta && c.added == d.added && c.writes == d.writes && c.last == d.last &&
           c.time_ms == d.time_ms &&
           std::equal(c.fields.begin(), c.fields.end(), d.fields.begin(), d.fields.end(),
                      fields_equal);
  };
  auto letters = sink->Dead();
  ASSERT_TRUE(letters.has_value()) << letters.error().message;
  ASSERT_EQ(letters->size(), 3u);
  for (size_t i = 0; i < 3; ++i) EXPECT_TRUE(same((*letters)[i], batch.dead[i])) << i;
  // One again with another reason, one gone, in one step with its row.
  Batch next = BatchOf({ValueOf("2", "8")}, 1, 2);
  batch.dead[0].reason = "still";
  next.dead = {batch.dead[0]};
  next.revived = {6, 99};
  ExpectOk(sink->Write(next));
  letters = sink->Dead();
  ASSERT_EQ(letters->size(), 2u);
  EXPECT_EQ((*letters)[0].reason, "still");
  EXPECT_EQ((*letters)[1].id, 7u);
  // Without any place to move, too.
  Batch purge;
  purge.revived = {5, 7};
  ExpectOk(sink->Write(purge));
  EXPECT_TRUE(sink->Dead()->empty());
  ExpectOpen(*sink, {{model::Lineage(7), model::ShardSeq(2)}});
}

// Goal:   the rows that differ are named, with what they are and should be, and no others.
TEST(PgSink, ComparesRows) {
  Table("compared", "id bigint PRIMARY KEY, likes numeric(8,2), tags jsonb DEFAULT '[]'");
  PgSinkOptions options = LikesOptions(Server(), "compared");
  options.columns = {{"id", "{post_id}"}, {"likes", "n"}, {"tags", "tags"}};
  const auto sink = MakeSink(options);
  ExpectOpen(*sink);
  std::vector<Change> changes;
  for (int i = 10; i < 60; ++i) {
    changes.push_back(HashOf(std::to_string(i), {{"n", fmt::format("{}.125", i)}}, true));
  }
  changes[3].fields.push_back({.name = "tags", .value = "{\"b\":1,  \"a\":2}"});
  ExpectOk(sink->Write(BatchOf(changes, 0, 1)));
  changes.push_back(GoneOf("99"));
  ASSERT_TRUE(sink->Compare(changes).has_value());
  EXPECT_TRUE(sink->Compare(changes)->empty());
  Server().Ask("UPDATE compared SET likes = 0 WHERE id = 11");
  Server().Ask("UPDATE compared SET likes = NULL, tags = '{}' WHERE id = 13");
  Server().Ask("DELETE FROM compared WHERE id = 12");
  Server().Ask("INSERT INTO compared VALUES (99, 1)");
  changes[20].fields[0].value = "no number";
  const auto differences = sink->Compare(changes);
  ASSERT_TRUE(differences.has_value()) << differences.error().message;
  std::map<std::string, std::string> by_key;
  for (const Difference& one : *differences) by_key[one.key] = one.what;
  EXPECT_EQ(by_key.size(), 5u);
  EXPECT_EQ(by_key["likes:11"], "likes is 0.00 and should be 11.13");
  EXPECT_EQ(by_key["likes:13"],
            "likes is NULL and should be 13.13, tags is {} and should be {\"a\": 2, \"b\": 1}");
  EXPECT_EQ(by_key["likes:12"], "there is no such row");
  EXPECT_EQ(by_key["likes:99"], "there is a row, and should be none");
  EXPECT_NE(by_key["likes:30"].find("invalid input syntax"), std::string::npos);
}

// Goal:   all rows are listed by their keys, page by page, and those of others are not.
// Method: a key of three columns, texts that need quotes and bytes among them; several page sizes.
TEST(PgSink, ListsItsRows) {
  Table("listed", "a bytea, b bigint, c text, v text, PRIMARY KEY (b, c, a)");
  PgSinkOptions options = LikesOptions(Server(), "listed");
  options.segments = {"a", "b", "c"};
  options.columns = {{"a", "{a}"}, {"b", "{b}"}, {"c", "{c}"}, {"v", "value"}};
  options.key = {"c", "a", "b"};
  const auto sink = MakeSink(options);
  ExpectOpen(*sink);
  std::vector<Change> changes;
  std::set<std::vector<std::string>> wanted;
  for (int i = 0; i < 60; ++i) {
    Change change = ValueOf(std::to_string(100 + i), "x");
    change.segments = {std::string("\x00\xff\"\\", 4) + std::to_string(i % 7),
                       std::to_string(i % 5 - 2), fmt::format("it's \"{}\", {{}} NULL", i)};
    wanted.insert(change.segments);
    changes.push_back(std::move(change));
  }
  ExpectOk(sink->Write(BatchOf(changes, 0, 1)));
  for (const size_t most : {1, 7, 60, 1000}) {
    std::set<std::vector<std::string>> found;
    std::string place;
    for (;;) {
      const auto rows = sink->RowsBehind(place, most);
      ASSERT_TRUE(rows.has_value()) << rows.error().message;
      if (rows->empty()) break;
      EXPECT_LE(rows->size(), most);
      for (const RowKey& row : *rows) {
        EXPECT_FALSE(row.key.has_value());
        EXPECT_TRUE(found.insert(row.segments).second);
      }
      place = rows->back().place;
    }
    EXPECT_EQ(found, wanted);
  }
  Table("listed_theirs", "id bigint PRIMARY KEY, likes text");
  Server().Ask("INSERT INTO listed_theirs VALUES (1, 'x')");
  PgSinkOptions theirs = LikesOptions(Server(), "listed_theirs");
  theirs.adopt = config::ProjectionAdopt::kOverwrite;
  const auto adopted = MakeSink(theirs);
  ExpectOpen(*adopted);
  EXPECT_TRUE(adopted->RowsBehind("", 10)->empty());
}

// Goal:   several connections come to the same as one.
TEST(PgSink, DividesABatchByLineage) {
  const ToyLog log(5, 3000, 200);
  for (const uint64_t connections : {1, 2, 3, 8}) {
    Table("divided", "id bigint PRIMARY KEY, likes bigint");
    PgSinkOptions options = LikesOptions(Server(), "divided");
    options.mode = ProjectionMode::kAdd;
    options.connections = connections;
    const auto sink = MakeSink(options);
    EXPECT_EQ(Drain(*sink, log, 1, 100, 0, [] {}), 0u);
    EXPECT_EQ(Server().Lines("SELECT * FROM divided ORDER BY id"), log.Rows());
  }
}

}  // namespace
}  // namespace sluice::project
