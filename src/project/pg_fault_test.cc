// What a PgSink makes of a world that is not well: connections cut, servers killed, owners that are
// none any more, rows that are refused, other clients in the way. At the end the table must be the
// log, row for row, in mode "add", where nothing may be there twice.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "project/pg_kit_test.h"
#include "project/pg_proxy_test.h"

namespace sluice::project {
namespace {

using config::ProjectionMode;
using Lines = std::vector<std::string>;

bool Long() {
  return std::getenv("SLUICE_LONG") != nullptr;
}

PgServer& Server() {
  return PgServer::Shared();
}

void Table(const std::string& name, const std::string& columns) {
  MakeTable(Server(), name, columns);
}

PgSinkOptions AddOptions(const std::string& table) {
  PgSinkOptions options = LikesOptions(Server(), table);
  options.mode = ProjectionMode::kAdd;
  return options;
}

Position At(uint64_t seq) {
  return {{model::Lineage(7), model::ShardSeq(seq)}};
}

void ExpectOk(const Status& status) {
  EXPECT_TRUE(status.ok()) << CodeName(status.error().code) << ": " << status.error().message;
}

void ExpectCode(const Status& status, Code code) {
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().code, code) << status.error().message;
}

// A connection of somebody else.
std::unique_ptr<PgConnection> Somebody() {
  static env::LinuxClock clock;
  static std::vector<std::unique_ptr<env::Interrupt>> interrupts;
  interrupts.push_back(std::move(*env::Interrupt::Open()));
  auto opened = PgConnection::Open({.url = Server().Url(), .application = "somebody"}, clock,
                                   *interrupts.back());
  SLUICE_CHECK(opened.has_value());
  return *std::move(opened);
}

void Ask(PgConnection& connection, const std::string& sql) {
  const auto asked = connection.Ask(sql);
  ASSERT_TRUE(asked.has_value()) << sql << ": " << asked.error().message;
}

// Until a session of the projection waits for a lock.
void WaitUntilBlocked(const std::string& projection) {
  const std::string sql = fmt::format(
      "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'sluice/{}' "
      "AND wait_event_type = 'Lock'",
      projection);
  while (Server().Lines(sql) == Lines{"0"}) continue;
}

// Goal:   a connection that is cut anywhere, inside COMMIT and behind it too, loses and doubles
//         nothing.
// Method: a proxy cuts after one more piece of the conversation each time, until a run needs no
//         cut; with one connection and with two.
TEST(PgFaults, SurvivesACutAnywhere) {
  const ToyLog log(1, 200, 40);
  for (const uint64_t connections : {1, 2}) {
    for (uint64_t cut = 1;; ++cut) {
      ASSERT_LT(cut, 1000u);
      Table("cut", "id bigint PRIMARY KEY, likes bigint");
      PgProxy proxy(Server().port());
      proxy.CutAt(cut);
      PgSinkOptions options = AddOptions("cut");
      options.url = Server().Url(proxy.port());
      options.connections = connections;
      const auto sink = MakeSink(options);
      const size_t failures = Drain(*sink, log, 1, 40, 3, [] {});
      ASSERT_EQ(Server().Lines("SELECT * FROM cut ORDER BY id"), log.Rows()) << "cut at " << cut;
      if (!proxy.was_cut()) {
        EXPECT_EQ(failures, 0u);
        EXPECT_GT(cut, 30u);
        break;
      }
    }
  }
}

// Goal:   a COMMIT that is still on its way when the sink comes back is waited for, not guessed.
// Method: the proxy holds COMMIT until the sink has given up and opened again.
TEST(PgFaults, WaitsForACommitOnItsWay) {
  Table("held", "id bigint PRIMARY KEY, likes bigint");
  PgProxy proxy(Server().port());
  PgSinkOptions options = AddOptions("held");
  options.url = Server().Url(proxy.port());
  options.statement_ms = 1'000;
  options.lock_ms = 200;
  const auto sink = MakeSink(options);
  ASSERT_TRUE(sink->Open(1).has_value());
  ExpectOk(sink->Write(BatchOf({DeltaOf("1", 1)}, 0, 1)));
  proxy.Hold(std::string("COMMIT\0", 7));  // and not READ COMMITTED
  ExpectCode(sink->Write(BatchOf({DeltaOf("1", 2)}, 1, 2)), Code::kOutcomeUnknown);
  options.url = Server().Url();
  const auto again = MakeSink(options);
  const auto blocked = again->Open(1);
  ASSERT_FALSE(blocked.has_value());
  EXPECT_EQ(blocked.error().code, Code::kUnavailable) << blocked.error().message;
  proxy.Release();
  Result<Position> opened = again->Open(1);
  while (!opened.has_value()) opened = again->Open(1);
  EXPECT_EQ(*opened, At(2));
  EXPECT_EQ(Server().Lines("SELECT * FROM held"), Lines{"1|3"});
}

// Goal:   sessions that are ended by an operator or a crash at any time lose and double nothing.
// Method: while a log is drained, another thread ends the sessions, waiting a drawn time between;
//         every third time by a signal that makes the server recover from a crash, and every
//         seventh by killing all of it and starting it again.
TEST(PgFaults, SurvivesSessionsAndServersThatAreKilled) {
  const ToyLog log(2, Long() ? 30'000 : 3'000, 300);
  const int kills = Long() ? 50 : 8;
  for (const uint64_t connections : {1, 2}) {
    Table("killed", "id bigint PRIMARY KEY, likes bigint");
    PgSinkOptions options = AddOptions("killed");
    options.connections = connections;
    options.connect_ms = 30'000;
    const auto sink = MakeSink(options);
    std::atomic<bool> done{false};
    std::thread killer([&] {
      Prng prng(connections);
      const auto pause = std::move(*env::Interrupt::Open());
      for (int i = 1; i <= kills && !done; ++i) {
        pause->Wait(-1, env::Interrupt::Until::kReadable, prng.Below(30'000));
        if (i % 7 == 0) {
          Server().Kill();
          continue;
        }
        const std::string ours = "FROM pg_stat_activity WHERE application_name LIKE 'sluice/%'";
        if (i % 3 != 0) {
          Server().Ask("SELECT pg_terminate_backend(pid) " + ours);
          continue;
        }
        for (const std::string& pid : Server().Lines("SELECT pid " + ours)) {
          Server().KillBackend(pid);
          break;
        }
        Server().WaitUntilUp();
      }
    });
    // Enough writes that the killer seldom comes too late; failures while the server starts are
    // many.
    Drain(*sink, log, 1, 20, 1'000'000, [] {});
    done = true;
    killer.join();
    EXPECT_EQ(Server().Lines("SELECT * FROM killed ORDER BY id"), log.Rows());
  }
}

// Goal:   of two owners only the one with the greater epoch writes, whenever the other one speaks.
TEST(PgFaults, FencesTheOlderOwner) {
  Table("fenced", "id bigint PRIMARY KEY, likes bigint");
  const auto old = MakeSink(AddOptions("fenced"));
  const auto young = MakeSink(AddOptions("fenced"));
  ASSERT_TRUE(old->Open(3).has_value());
  // Without any place, which nobody has to wait for.
  ASSERT_TRUE(young->Open(4).has_value());
  ExpectCode(old->Write(BatchOf({DeltaOf("1", 1)}, 0, 1)), Code::kFenced);
  ExpectOk(young->Write(BatchOf({DeltaOf("1", 10)}, 0, 1)));
  ExpectCode(old->Write(BatchOf({DeltaOf("1", 1)}, 1, 2)), Code::kFenced);
  const auto refused = old->Open(3);
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, Code::kFenced);
  Batch letter;
  letter.dead = {{.id = 1, .change = DeltaOf("1", 1), .reason = "r", .at_ms = 1}};
  ExpectCode(old->Write(letter), Code::kConflict);  // it is not open any more
  EXPECT_EQ(old->Open(5).value(), At(1));
  ExpectCode(young->Write(letter), Code::kFenced);
  ExpectOk(old->Write(BatchOf({DeltaOf("1", 100)}, 1, 2)));
  ExpectCode(young->Write(BatchOf({DeltaOf("1", 1)}, 2, 3)), Code::kFenced);
  EXPECT_EQ(Server().Lines("SELECT * FROM fenced"), Lines{"1|110"});
}

// Goal:   a batch that begins somewhere else is not written, in part neither.
TEST(PgFaults, WritesOnlyWhatFollows) {
  const auto place = [](uint64_t lineage, uint64_t seq) {
    return Place{model::Lineage(lineage), model::ShardSeq(seq)};
  };
  for (const uint64_t connections : {1, 2}) {
    Table("follows", "id bigint PRIMARY KEY, likes bigint");
    PgSinkOptions options = AddOptions("follows");
    options.connections = connections;
    const auto sink = MakeSink(options);
    ASSERT_TRUE(sink->Open(1).has_value());
    Batch first = BatchOf({DeltaOf("1", 1)}, 0, 5);
    first.to = {place(7, 5), place(8, 5)};
    ExpectOk(sink->Write(first));
    const std::pair<Position, Position> wrong[] = {
        {{}, {place(7, 6)}},
        {{place(7, 4)}, {place(7, 6)}},
        {{place(7, 5), place(8, 6)}, {place(7, 6), place(8, 7)}},
        {{place(7, 5), place(9, 1)}, {place(7, 6), place(9, 2)}},
        {{place(7, 5)}, {place(7, 6), place(8, 1)}},
    };
    for (const auto& [from, to] : wrong) {
      Batch batch = BatchOf({DeltaOf("1", 1)}, 0, 1);
      batch.from = from;
      batch.to = to;
      ExpectCode(sink->Write(batch), Code::kConflict);
    }
    EXPECT_EQ(Server().Lines("SELECT * FROM follows"), Lines{"1|1"});
    EXPECT_EQ(sink->Open(1).value(), first.to);
  }
}

// Goal:   what the table's own rules refuse is found, exactly that, with the server's words.
// Method: a table with every kind of constraint; a batch in which each row breaks one or none, in
//         places drawn by seeds.
TEST(PgFaults, FindsEveryRefusedRow) {
  Server().Ask("DROP TABLE IF EXISTS owners CASCADE");
  Server().Ask("CREATE TABLE owners (id int PRIMARY KEY)");
  Server().Ask("INSERT INTO owners VALUES (1)");
  Server().Ask(
      "CREATE OR REPLACE FUNCTION raise_on_66() RETURNS trigger LANGUAGE plpgsql AS "
      "'BEGIN IF NEW.likes = 66 THEN RAISE EXCEPTION ''not 66''; END IF; RETURN NEW; "
      "END'");
  const std::vector<std::pair<const char*, const char*>> bad[] = {
      {{"likes", "1000"}}, {{"likes", "66"}},  {{"owner", "2"}},  {{"late", "2"}},
      {{"likes", "x"}},    {{"tag", "taken"}}, {{"tag", "\xff"}}, {{"big", nullptr}},
  };
  for (uint64_t seed = 1; seed <= (Long() ? 50u : 6u); ++seed) {
    Prng prng(seed);
    Table("poison",
          "id bigint PRIMARY KEY, likes int NOT NULL CHECK (likes < 1000), "
          "owner int REFERENCES owners, tag text UNIQUE, big text, "
          "late int REFERENCES owners DEFERRABLE INITIALLY DEFERRED");
    Server().Ask(
        "CREATE TRIGGER t BEFORE INSERT OR UPDATE ON poison FOR EACH ROW "
        "EXECUTE FUNCTION raise_on_66()");
    Server().Ask("CREATE INDEX ON poison (big)");
    Server().Ask("INSERT INTO poison VALUES (-1, 1, 1, 'taken')");
    PgSinkOptions options = LikesOptions(Server(), "poison");
    options.adopt = config::ProjectionAdopt::kOverwrite;
    options.columns = {{"id", "{post_id}"}, {"likes", "likes"}, {"owner", "owner"},
                       {"tag", "tag"},      {"big", "big"},     {"late", "late"}};
    const auto sink = MakeSink(options);
    ASSERT_TRUE(sink->Open(1).has_value());
    std::vector<Change> changes;
    std::set<std::string> expected;
    for (int i = 0; i < 120; ++i) {
      std::map<std::string, std::string> fields = {{"likes", "5"}, {"owner", "1"}};
      const bool refused = prng.OneIn(15);
      if (refused) {
        for (const auto& [name, value] : bad[prng.Below(std::size(bad))]) {
          // An index entry that no compression makes small enough.
          std::string large;
          while (value == nullptr && large.size() < 20'000) large += std::to_string(prng());
          fields[name] = value == nullptr ? large : value;
        }
      }
      Change change = HashOf(std::to_string(i), {fields.begin(), fields.end()}, true);
      if (refused) expected.insert(change.key);
      changes.push_back(std::move(change));
    }
    Batch batch = BatchOf(changes, 0, 9);
    if (expected.empty()) continue;
    ExpectCode(sink->Write(batch), Code::kInvalid);
    auto letters = sink->FindRefused(batch);
    ASSERT_TRUE(letters.has_value()) << letters.error().message;
    std::set<std::string> found;
    for (DeadLetter& letter : *letters) {
      found.insert(letter.change.key);
      letter.id = found.size();
    }
    EXPECT_EQ(found, expected);
    EXPECT_EQ(Server().Lines("SELECT count(*) FROM poison"), Lines{"1"});
    std::erase_if(batch.changes, [&](const Change& c) { return found.contains(c.key); });
    batch.dead = *letters;
    ExpectOk(sink->Write(batch));
    EXPECT_EQ(Server().Lines("SELECT count(*) FROM poison"),
              Lines{std::to_string(121 - expected.size())});
    EXPECT_EQ(sink->Dead()->size(), expected.size());
  }
}

// Goal:   a deadlock with somebody else ends with both writes there.
TEST(PgFaults, OutlivesADeadlock) {
  Table("dead_end", "id bigint PRIMARY KEY, likes bigint");
  const auto sink = MakeSink(AddOptions("dead_end"));
  ASSERT_TRUE(sink->Open(1).has_value());
  ExpectOk(sink->Write(BatchOf({DeltaOf("1", 1), DeltaOf("2", 1)}, 0, 1)));
  int other_won = 0;
  for (uint64_t round = 1; round <= 4; ++round) {
    const auto other = Somebody();
    Ask(*other, "BEGIN");
    Ask(*other, "UPDATE dead_end SET likes = likes + 100 WHERE id = 2");
    Status written = Ok();
    std::thread writer([&] {
      written = sink->Write(BatchOf({DeltaOf("1", 1), DeltaOf("2", 1)}, round, round + 1));
    });
    WaitUntilBlocked("dead_end_pg");
    const auto second = other->Ask("UPDATE dead_end SET likes = likes + 100 WHERE id = 1");
    if (second.has_value()) ++other_won;
    Ask(*other, second.has_value() ? "COMMIT" : "ROLLBACK");
    writer.join();
    ExpectOk(written);
    EXPECT_EQ(Server().Lines("SELECT * FROM dead_end ORDER BY id"),
              (Lines{fmt::format("1|{}", 1 + round + 100 * other_won),
                     fmt::format("2|{}", 1 + round + 100 * other_won)}));
  }
}

// Goal:   parts that wait for each other, which the server cannot see, are written together.
TEST(PgFaults, PartsThatWaitForEachOtherAreJoined) {
  Table("joined", "id bigint PRIMARY KEY, likes bigint");
  Server().Ask("DROP TABLE IF EXISTS total");
  Server().Ask("CREATE TABLE total (n bigint)");
  Server().Ask("INSERT INTO total VALUES (0)");
  Server().Ask(
      "CREATE OR REPLACE FUNCTION count_up() RETURNS trigger LANGUAGE plpgsql AS "
      "'BEGIN UPDATE total SET n = n + 1; RETURN NULL; END'");
  Server().Ask("CREATE TRIGGER t AFTER INSERT OR UPDATE ON joined EXECUTE FUNCTION count_up()");
  PgSinkOptions options = AddOptions("joined");
  options.connections = 2;
  options.lock_ms = 200;
  const auto sink = MakeSink(options);
  const ToyLog log(3, 300, 30);
  EXPECT_EQ(Drain(*sink, log, 1, 10, 0, [] {}), 0u);
  EXPECT_EQ(Server().Lines("SELECT * FROM joined ORDER BY id"), log.Rows());
}

// Goal:   what the server says of its own trouble is told apart.
// Method: a trigger raises each code; a sequence counts beyond transactions, so that it raises as
//         often as it is told.
TEST(PgFaults, TellsTroubleApart) {
  Table("trouble", "id bigint PRIMARY KEY, likes bigint");
  Server().Ask("DROP TABLE IF EXISTS raising");
  Server().Ask("CREATE TABLE raising (code text, times int)");
  Server().Ask("DROP SEQUENCE IF EXISTS raised");
  Server().Ask("CREATE SEQUENCE raised");
  Server().Ask(
      "CREATE OR REPLACE FUNCTION raise_code() RETURNS trigger LANGUAGE plpgsql AS "
      "'DECLARE r record; BEGIN SELECT * INTO r FROM raising; "
      "IF nextval(''raised'') <= r.times THEN RAISE EXCEPTION ''told to'' "
      "USING ERRCODE = r.code; END IF; RETURN NULL; END'");
  Server().Ask("CREATE TRIGGER t AFTER INSERT OR UPDATE ON trouble EXECUTE FUNCTION raise_code()");
  Server().Ask("INSERT INTO raising VALUES ('00000', 0)");
  struct Case {
    const char* code;
    int times;
    std::optional<Code> answer;
  };
  const Case cases[] = {
      {"40001", kRaceRetriesMax, std::nullopt},
      {"40P01", kRaceRetriesMax + 1, Code::kUnavailable},
      {"53100", 1, Code::kNoSpace},
      {"53200", 1, Code::kNoSpace},
      {"25006", 1, Code::kUnavailable},
      {"57014", 1, Code::kUnavailable},
      {"P0001", 1, Code::kInvalid},
      {"23514", 1, Code::kInvalid},
      {"42P01", 1, Code::kConflict},
      {"XX000", 1, Code::kUnavailable},
      {"57P01", 1, Code::kUnavailable},
  };
  const auto sink = MakeSink(AddOptions("trouble"));
  uint64_t at = 0;
  for (const Case& one : cases) {
    SCOPED_TRACE(one.code);
    Server().Ask("UPDATE raising SET times = 0");
    const auto opened = sink->Open(1);
    ASSERT_TRUE(opened.has_value()) << opened.error().message;
    EXPECT_EQ(*opened, at == 0 ? Position() : At(at));
    Server().Ask("SELECT setval('raised', 1, false)");
    Server().Ask(fmt::format("UPDATE raising SET code = '{}', times = {}", one.code, one.times));
    const Status written = sink->Write(BatchOf({DeltaOf("1", 1)}, at, at + 1));
    if (one.answer.has_value()) {
      ExpectCode(written, *one.answer);
    } else {
      ExpectOk(written);
      ++at;
    }
  }
  EXPECT_EQ(Server().Lines("SELECT * FROM trouble"), Lines{"1|1"});
}

// Goal:   of two projections that take one table in the same moment, one is told who has it.
// Method: the transaction of the other is held until the sink waits for it.
TEST(PgFaults, OneOfTwoGetsATable) {
  Table("sought", "id bigint PRIMARY KEY, likes bigint");
  ASSERT_TRUE(MakeSink(AddOptions("sought"))->Open(1).has_value());  // makes the ledger
  Server().Ask("DELETE FROM sluice_projections WHERE target = 'sought'");
  const auto other = Somebody();
  ASSERT_TRUE(other->Ask("BEGIN").has_value());
  ASSERT_TRUE(other
                  ->Ask("INSERT INTO sluice_projections (projection, target, relation, epoch, "
                        "adopted) VALUES ('other', 'sought', 'sought', 1, false)")
                  .has_value());
  const auto sink = MakeSink(AddOptions("sought"));
  std::thread commits([&] {
    WaitUntilBlocked(AddOptions("sought").name);
    EXPECT_TRUE(other->Ask("COMMIT").has_value());
  });
  EXPECT_EQ(sink->Open(1).error().code, Code::kUnavailable);
  commits.join();
  const auto again = sink->Open(1);
  ASSERT_FALSE(again.has_value());
  EXPECT_EQ(again.error().code, Code::kInvalid);
  EXPECT_NE(again.error().message.find("projection other writes to sought already"),
            std::string::npos);
  Server().Ask("DELETE FROM sluice_projections WHERE target = 'sought'");
}

// Goal:   a table that is changed or dropped under way is seen, and what gets its name is another.
// Method: each kind of change between two batches; a new table of the name, empty and with a row.
TEST(PgFaults, SeesATableThatIsGoneOrChanged) {
  Table("going", "id bigint PRIMARY KEY, likes bigint");
  const auto sink = MakeSink(AddOptions("going"));
  ASSERT_TRUE(sink->Open(1).has_value());
  ExpectOk(sink->Write(BatchOf({DeltaOf("1", 1)}, 0, 1)));
  Server().Ask("ALTER TABLE going RENAME likes TO hearts");
  ExpectCode(sink->Write(BatchOf({DeltaOf("1", 1)}, 1, 2)), Code::kConflict);
  EXPECT_EQ(sink->Open(1).error().code, Code::kInvalid);
  Server().Ask("ALTER TABLE going RENAME hearts TO likes");
  EXPECT_EQ(sink->Open(1).value(), At(1));
  Server().Ask("ALTER TABLE going ALTER likes TYPE numeric");
  const Status changed = sink->Write(BatchOf({DeltaOf("1", 1)}, 1, 2));
  if (!changed.ok()) {
    EXPECT_EQ(changed.error().code, Code::kConflict) << changed.error().message;
    EXPECT_EQ(sink->Open(1).value(), At(1));
    ExpectOk(sink->Write(BatchOf({DeltaOf("1", 1)}, 1, 2)));
  }
  EXPECT_EQ(Server().Lines("SELECT * FROM going"), Lines{"1|2"});
  Server().Ask("DROP TABLE going");
  ExpectCode(sink->Write(BatchOf({DeltaOf("1", 1)}, 2, 3)), Code::kConflict);
  EXPECT_EQ(sink->Open(1).error().code, Code::kInvalid);
  // One of the same name has nothing of what was written, and so no place.
  Server().Ask("CREATE TABLE going (id bigint PRIMARY KEY, likes bigint)");
  EXPECT_EQ(sink->Open(1).value(), Position());
  ExpectOk(sink->Write(BatchOf({DeltaOf("1", 5)}, 0, 9)));
  Server().Ask("DROP TABLE going");
  Server().Ask("CREATE TABLE going (id bigint PRIMARY KEY, likes bigint)");
  Server().Ask("INSERT INTO going VALUES (3, 3)");
  EXPECT_EQ(sink->Look().value(), Position());
  ExpectCode(sink->Write(BatchOf({DeltaOf("1", 1)}, 9, 10)), Code::kConflict);
  const auto of_others = sink->Open(1);
  ASSERT_FALSE(of_others.has_value());
  EXPECT_NE(of_others.error().message.find("adopt: going has rows"), std::string::npos);
  EXPECT_EQ(Server().Lines("SELECT * FROM going"), Lines{"3|3"});
}

TEST(PgFaults, WaitsForWhoCannotLetItIn) {
  Table("closed", "id bigint PRIMARY KEY, likes bigint");
  const uint16_t nobody = (*env::Listener::Open("127.0.0.1:0"))->port();
  for (const std::string& url :
       {Server().Url(nobody), Server().Url(0, "no_such_database"),
        fmt::format("postgresql://nobody@127.0.0.1:{}/postgres", Server().port())}) {
    PgSinkOptions options = AddOptions("closed");
    options.url = url;
    const auto opened = MakeSink(options)->Open(1);
    ASSERT_FALSE(opened.has_value());
    EXPECT_EQ(opened.error().code, Code::kUnavailable) << opened.error().message;
    EXPECT_FALSE(opened.error().message.empty());
  }
  // Somebody who accepts and says nothing.
  const auto silent = std::move(*env::Listener::Open("127.0.0.1:0"));
  PgSinkOptions options = AddOptions("closed");
  options.url = Server().Url(silent->port());
  options.connect_ms = 100;
  EXPECT_EQ(MakeSink(options)->Open(1).error().code, Code::kUnavailable);
  // A server, or a role, that only reads.
  Server().Ask("ALTER ROLE sluice IN DATABASE postgres SET default_transaction_read_only = on");
  const auto opened = MakeSink(AddOptions("closed"))->Open(1);
  Server().Ask("ALTER ROLE sluice IN DATABASE postgres SET default_transaction_read_only = off",
               "template1");
  ASSERT_FALSE(opened.has_value());
  EXPECT_EQ(opened.error().code, Code::kUnavailable) << opened.error().message;
  EXPECT_NE(opened.error().message.find("read-only"), std::string::npos);
  ASSERT_TRUE(MakeSink(AddOptions("closed"))->Open(1).has_value());
}

TEST(PgFaults, ShowsNoPassword) {
  PgSinkOptions options = AddOptions("closed");
  options.url = "postgresql://a:secret@[::1/x";
  static env::LinuxClock clock;
  const auto made = PgSink::Make(options, clock);
  ASSERT_FALSE(made.has_value());
  EXPECT_EQ(made.error().code, Code::kInvalid);
  EXPECT_EQ(made.error().message.find("secret"), std::string::npos) << made.error().message;
}

// Goal:   Cancel ends a call that waits, and nothing of it stays.
TEST(PgFaults, CancelEndsACallThatWaits) {
  Table("cancelled", "id bigint PRIMARY KEY, likes bigint");
  const auto sink = MakeSink(AddOptions("cancelled"));
  ASSERT_TRUE(sink->Open(1).has_value());
  ExpectOk(sink->Write(BatchOf({DeltaOf("1", 1)}, 0, 1)));
  const auto other = Somebody();
  Ask(*other, "BEGIN");
  Ask(*other, "UPDATE cancelled SET likes = likes WHERE id = 1");
  Status written = Ok();
  std::thread writer([&] { written = sink->Write(BatchOf({DeltaOf("1", 1)}, 1, 2)); });
  WaitUntilBlocked("cancelled_pg");
  sink->Cancel();
  writer.join();
  ExpectCode(written, Code::kUnavailable);
  Ask(*other, "COMMIT");
  EXPECT_EQ(sink->Open(1).value(), At(1));
  // One that comes between two calls ends the next one, so that none is lost.
  sink->Cancel();
  ExpectCode(sink->Write(BatchOf({DeltaOf("1", 1)}, 1, 2)), Code::kUnavailable);
  EXPECT_EQ(sink->Open(1).value(), At(1));
  ExpectOk(sink->Write(BatchOf({DeltaOf("1", 1)}, 1, 2)));
  EXPECT_EQ(Server().Lines("SELECT * FROM cancelled"), Lines{"1|2"});
}

// Goal:   a server restored from an older backup is at an older position, and catches up.
TEST(PgFaults, CatchesUpFromAnOlderBackup) {
  Table("restored", "id bigint PRIMARY KEY, likes bigint");
  const ToyLog log(4, 600, 50);
  const auto sink = MakeSink(AddOptions("restored"));
  size_t calls = 0;
  Drain(*sink, log, 1, 20, 0, [&] {
    if (++calls != 4) return;
    Server().Ask("DROP TABLE IF EXISTS backup_rows, backup_places");
    // Nothing is written meanwhile, so that both are of one moment, as in a backup.
    Server().Ask("CREATE TABLE backup_rows AS SELECT * FROM restored");
    Server().Ask(
        "CREATE TABLE backup_places AS SELECT * FROM sluice_positions "
        "WHERE projection = 'restored_pg'");
  });
  EXPECT_EQ(Server().Lines("SELECT * FROM restored ORDER BY id"), log.Rows());
  Server().Ask("DELETE FROM restored");
  Server().Ask("INSERT INTO restored SELECT * FROM backup_rows");
  Server().Ask("DELETE FROM sluice_positions WHERE projection = 'restored_pg'");
  Server().Ask("INSERT INTO sluice_positions SELECT * FROM backup_places");
  EXPECT_NE(Server().Lines("SELECT * FROM restored ORDER BY id"), log.Rows());
  EXPECT_EQ(Drain(*sink, log, 1, 20, 0, [] {}), 0u);
  EXPECT_EQ(Server().Lines("SELECT * FROM restored ORDER BY id"), log.Rows());
}

}  // namespace
}  // namespace sluice::project
