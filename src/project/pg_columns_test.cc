// Goal:   what `columns` and `key` mean is read as written, and every mistake in them is named.
// Method: each form once; a list of mistakes, each with the word that its message must hold.
#include "project/pg_columns.h"

#include <gtest/gtest.h>

#include "project/pg_fault.h"
#include "project/pg_rows.h"
#include "project/pg_sink.h"
#include "project/pg_text.h"

namespace sluice::project {
namespace {

using Kind = PgSource::Kind;

PgSinkOptions Good() {
  PgSinkOptions options;
  options.columns = {{"post", "{post_id}"}, {"likes", "value"}};
  options.key = {"post"};
  options.segments = {"post_id"};
  return options;
}

TEST(PgColumns, ReadsEveryForm) {
  PgSinkOptions options = Good();
  options.columns = {{"k", "{key}"},
                     {"b", "{post_id}::bigint"},
                     {"n", "amount::numeric(10,2)"},
                     {"v", "field(value)"},
                     {"w", "writes"},
                     {"t", "time"},
                     {"o", "field(a:(b))::text"}};
  options.key = {"b", "k"};
  const auto mapping = ParsePgMapping(options);
  ASSERT_TRUE(mapping.has_value()) << mapping.error().message;
  EXPECT_EQ(mapping->key_columns, 2u);
  EXPECT_TRUE(mapping->has_fields);
  EXPECT_FALSE(mapping->has_value);
  const auto& c = mapping->columns;
  ASSERT_EQ(c.size(), 7u);
  EXPECT_EQ(c[0].name, "b");
  EXPECT_EQ(c[0].source.kind, Kind::kSegment);
  EXPECT_EQ(c[0].source.type, "bigint");
  EXPECT_EQ(c[1].source.kind, Kind::kKey);
  EXPECT_EQ(c[2].source.field, "amount");
  EXPECT_EQ(c[2].source.type, "numeric(10,2)");
  EXPECT_EQ(c[3].source.field, "value");
  EXPECT_EQ(c[4].source.kind, Kind::kWrites);
  EXPECT_TRUE(mapping->AddsUp(c[4]));
  EXPECT_FALSE(mapping->AddsUp(c[3]));
  EXPECT_EQ(c[5].source.kind, Kind::kTime);
  EXPECT_EQ(c[6].source.field, "a:(b)");
  EXPECT_EQ(c[6].source.type, "text");
}

TEST(PgColumns, NamesEachMistake) {
  using Change = void (*)(PgSinkOptions&);
  const std::pair<Change, const char*> mistakes[] = {
      {[](auto& o) { o.columns[0].second = "{post_od}"; }, "did you mean \"post_id\"?"},
      {[](auto& o) { o.segments.clear(); }, "has no template"},
      {[](auto& o) { o.columns[0].second = "{post_id"; }, "no \"}\""},
      {[](auto& o) { o.columns[1].second = ""; }, "names no field"},
      {[](auto& o) { o.columns[1].second = "field(a"; }, "no \")\""},
      {[](auto& o) { o.columns[1].second = "field(a)b"; }, "does not end in \")\""},
      {[](auto& o) { o.columns[1].second = "field()"; }, "names no field"},
      {[](auto& o) { o.columns[1].second = "value::int; DROP TABLE a"; }, "is no type"},
      {[](auto& o) { o.columns[1].second = "value::"; }, "is no type"},
      {[](auto& o) { o.columns[1].first = ""; }, "a name is empty"},
      {[](auto& o) { o.columns[1].first = std::string(64, 'a'); }, "at most 63 bytes"},
      {[](auto& o) {
         o.columns.push_back({"likes", "time"});
       },
       "likes is there twice"},
      {[](auto& o) {
         o.columns.resize(kPgColumnsMax + 1, {"a", "{key}"});
       },
       "at most 256"},
      {[](auto& o) { o.key = {}; }, "at least one"},
      {[](auto& o) { o.key = {"pots"}; }, "\"pots\" is none of columns"},
      {[](auto& o) {
         o.key = {"post", "post"};
       },
       "or is there twice"},
      {[](auto& o) { o.key = {"likes"}; }, "must be a segment"},
      {[](auto& o) {
         o.segments = {"post_id", "user"};
       },
       "{user} would share a row"},
      {[](auto& o) {
         o.mode = config::ProjectionMode::kAdd;
         o.columns[1].second = "time";
       },
       "no column is a value"},
      {[](auto& o) {
         o.mode = config::ProjectionMode::kAdd;
         o.on_expire = config::ProjectionOnExpire::kDelete;
       },
       "would delete what others added"},
  };
  ASSERT_TRUE(ParsePgMapping(Good()).has_value());
  for (const auto& [change, words] : mistakes) {
    PgSinkOptions options = Good();
    change(options);
    const auto mapping = ParsePgMapping(options);
    ASSERT_FALSE(mapping.has_value()) << words;
    EXPECT_EQ(mapping.error().code, Code::kInvalid);
    EXPECT_NE(mapping.error().message.find(words), std::string::npos) << mapping.error().message;
  }
}

TEST(PgColumns, ReadsTableNames) {
  const auto with = ParsePgTableName("shop.orders");
  ASSERT_TRUE(with.has_value());
  EXPECT_EQ(with->schema, "shop");
  EXPECT_EQ(with->table, "orders");
  EXPECT_EQ(ParsePgTableName("orders")->schema, "");
  for (const char* wrong : {"", ".a", "a.", "a.sluice_positions"}) {
    EXPECT_FALSE(ParsePgTableName(wrong).has_value()) << wrong;
  }
}

// Goal:   what PostgreSQL would refuse as text is known before, and nothing else is.
TEST(PgText, KnowsUtf8) {
  for (const std::string_view good : {"", "a", "é", "€", "😀", "\xf4\x8f\xbf\xbf", "\xed\x9f\xbf"}) {
    EXPECT_TRUE(IsPgText(good)) << good;
  }
  const std::string_view bad[] = {std::string_view("\0", 1),
                                  "\x80",
                                  "\xc0\x80",
                                  "\xc1\xbf",
                                  "\xc3",
                                  "\xe0\x9f\xbf",
                                  "\xed\xa0\x80",
                                  "\xf0\x8f\xbf\xbf",
                                  "\xf4\x90\x80\x80",
                                  "\xf5\x80\x80\x80",
                                  "\xe2\x82",
                                  "\xff"};
  for (const std::string_view text : bad) EXPECT_FALSE(IsPgText(text));
}

TEST(PgText, ArraysAreReadAsWritten) {
  PgArray array;
  for (const char* text : {"", "a", "\"", "\\", "{,}", "NULL", " a b "}) array.Add(text);
  array.AddNull();
  array.AddBytes("\x01z");
  array.AddNumber(-5);
  const PgElements read = ParsePgArray(array.Take());
  ASSERT_TRUE(read.has_value());
  const std::vector<std::optional<std::string>> expected = {
      "", "a", "\"", "\\", "{,}", "NULL", " a b ", std::nullopt, "\\x017a", "-5"};
  EXPECT_EQ(*read, expected);
  EXPECT_EQ(ParsePgArray("{}")->size(), 0u);
  for (const char* wrong : {"", "{", "a", "{\"a}", "{a\\}"}) {
    EXPECT_FALSE(ParsePgArray(wrong).has_value()) << wrong;
  }
  EXPECT_EQ(ParsePgBytes("\\x017a"), "\x01z");
  EXPECT_FALSE(ParsePgBytes("\\x0").has_value());
  EXPECT_FALSE(ParsePgBytes("0a").has_value());
}

TEST(PgText, PrintsTimes) {
  EXPECT_EQ(PgTime(0), "1970-01-01 00:00:00.000+00");
  EXPECT_EQ(PgTime(1'709'208'000'007), "2024-02-29 12:00:00.007+00");
  EXPECT_EQ(PgTime(253'402'300'799'999), "9999-12-31 23:59:59.999+00");
}

TEST(PgFault, ClassesAreOfCodes) {
  using Of = PgFault::Kind;
  const std::pair<const char*, Of> codes[] = {
      {"40001", Of::kRace},     {"40P01", Of::kRace},    {"08006", Of::kLost},
      {"57P01", Of::kLost},     {"57P03", Of::kBusy},    {"57014", Of::kBusy},
      {"53100", Of::kNoSpace},  {"53200", Of::kNoSpace}, {"53300", Of::kBusy},
      {"25006", Of::kReadOnly}, {"28P01", Of::kLogin},   {"3D000", Of::kLogin},
      {"42P01", Of::kMisfit},   {"42501", Of::kMisfit},  {"22P02", Of::kRefused},
      {"23505", Of::kRefused},  {"23503", Of::kRefused}, {"P0001", Of::kRefused},
      {"54000", Of::kRefused},  {"55P03", Of::kBusy},    {"XX000", Of::kBusy},
      {"", Of::kLost}};
  for (const auto& [state, kind] : codes) EXPECT_EQ(KindOfState(state), kind) << state;
}

}  // namespace
}  // namespace sluice::project
