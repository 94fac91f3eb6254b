#include "cli/row_source.h"

#include <bzlib.h>

#include <algorithm>
#include <cstring>

#include "base/prng.h"
#include "cli/kit_test.h"

namespace sluice::cli {
namespace {

using namespace std::string_literals;

std::vector<std::string> Csv(const std::string& text,
                             std::vector<std::string> wanted = {"a", "b"}) {
  PieceSource bytes(text, text.size() + 1);
  return RowsOf(bytes, Format::kCsv, std::move(wanted));
}

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

// Goal:   CSV is read as RFC 4180 says, and what else people send is read or handed out as bad.
// Method: one text per rule, the expected rows by hand.
TEST(RowSource, ReadsCsv) {
  EXPECT_THAT(Csv("a,b\n1,2\n3,4\n"), ElementsAre("2|1|2", "3|3|4"));
  EXPECT_THAT(Csv("a,b\n1,2"), ElementsAre("2|1|2"));
  EXPECT_THAT(Csv("b,x,a\n1,2,3\n"), ElementsAre("2|3|1"));
  EXPECT_THAT(Csv("\xef\xbb\xbf"
                  "a,b\r\n1,2\r\n\r\n\r\n3,4\r\n"),
              ElementsAre("2|1|2", "5|3|4"));
  EXPECT_THAT(Csv("\xef\xbb\xbf\"a\",b\n1,2\n"), ElementsAre("2|1|2"));
  EXPECT_THAT(Csv("a,b\r1,2\r3,4"), ElementsAre("2|1|2", "3|3|4"));
  EXPECT_THAT(Csv("a,b\n\"x, \"\"y\"\"\",\"\"\n"), ElementsAre("2|x, \"y\"|"));
  EXPECT_THAT(Csv("a,b\n\"one\ntwo\r\n\r\nthree\",2\n4,5\n"),
              ElementsAre("2|one\ntwo\r\n\r\nthree|2", "6|4|5"));
  EXPECT_THAT(Csv("a,b\n 1 ,\t2\t\n"), ElementsAre("2| 1 |\t2\t"));
  EXPECT_THAT(Csv("a,b\n,\n"), ElementsAre("2||"));
  EXPECT_THAT(Csv("a,b\nx\0y,\xff\xfe\n"s), ElementsAre("2|x\0y|\xff\xfe"s));
  EXPECT_THAT(Csv("a,b\n"), IsEmpty());
}

TEST(RowSource, HandsOutBadCsvRowsWithTheirReasonAndGoesOn) {
  EXPECT_THAT(Csv("a,b\n1\n1,2,3\n4,5\n"),
              ElementsAre("2!1 fields where the header has 2|1",
                          "3!3 fields where the header has 2|1,2,3", "4|4|5"));
  const std::string quote =
      "a quote inside a field that is not quoted, or text behind a closing quote";
  EXPECT_THAT(Csv("a,b\nx\"y,2\n3,4\n"), ElementsAre("2!" + quote + "|x\"y,2", "3|3|4"));
  EXPECT_THAT(Csv("a,b\n\"x\"y,2\r\n3,4\n"), ElementsAre("2!" + quote + "|\"x\"y,2", "3|3|4"));
  EXPECT_THAT(Csv("a,b\n1,2\n3,\"4\n5,6\n"),
              ElementsAre("2|1|2", "3!a quote is never closed|3,\"4\n5,6"));
}

TEST(RowSource, RefusesHeadersThatDoNotServe) {
  EXPECT_THAT(Csv(""), ElementsAre(HasSubstr("no header row")));
  EXPECT_THAT(Csv("\xef\xbb\xbf\n\n"), ElementsAre(HasSubstr("no header row")));
  EXPECT_THAT(Csv("a,c\n1,2\n"),
              ElementsAre(HasSubstr("no column \"b\"; the header names \"a\", \"c\"")));
  EXPECT_THAT(Csv("a,b,a\n1,2,3\n"), ElementsAre(HasSubstr("column \"a\" is there twice")));
  EXPECT_THAT(Csv("a,\"b\n"), ElementsAre(HasSubstr("never closed")));
  EXPECT_THAT(Csv("x,b,x\n1,2,3\n", {"b"}), ElementsAre("2|2"));
}

TEST(RowSource, ReadsTsv) {
  PieceSource bytes("a\tb\nx, y\t\"t\tab\"\n", 1000);
  EXPECT_THAT(RowsOf(bytes, Format::kTsv, {"a", "b"}), ElementsAre("2|x, y|t\tab"));
}

// Goal:   NDJSON scalars become the text they are written as; anything else is a bad row.
TEST(RowSource, ReadsNdjson) {
  const auto read = [](const std::string& text) {
    PieceSource bytes(text, text.size() + 1);
    return RowsOf(bytes, Format::kNdjson, {"a", "b"});
  };
  EXPECT_THAT(read("{\"a\":1,\"b\":\"x y\"}\n\n {\"b\":true,\"c\":[{\"a\":9}],\"a\":-7}\r\n"),
              ElementsAre("1|1|x y", "3|-7|true"));
  EXPECT_THAT(read(R"({"a":18446744073709551615,"b":123456789012345678901234567890})"),
              ElementsAre("1|18446744073709551615|123456789012345678901234567890"));
  EXPECT_THAT(read(R"({"a":1.50,"b":1e3})"), ElementsAre("1|1.50|1e3"));
  EXPECT_THAT(read(R"({"a":"A\u00e9\n\u0000.","b":""})"), ElementsAre("1|A\xc3\xa9\n\0.|"s));
  EXPECT_THAT(read(R"({"a":1,"a":2,"b":3})"), ElementsAre("1|2|3"));
  EXPECT_THAT(read(R"({"a":1})"), ElementsAre("1!no column \"b\"|{\"a\":1}"));
  EXPECT_THAT(read(R"({"a":null,"b":2})"), ElementsAre(HasSubstr("1!column \"a\" is null|")));
  EXPECT_THAT(read(R"({"a":{"a":1},"b":2})"), ElementsAre(HasSubstr("column \"a\" is nested|")));
  EXPECT_THAT(read(R"({"a":[1,2],"b":2})"), ElementsAre(HasSubstr("column \"a\" is nested|")));
  EXPECT_THAT(
      read("[1]\n7\n\"x\"\nnull\n{}x\n{\"a\":\n{\"a\":\"\xff\"}\n"),
      ElementsAre("1!not a JSON object|[1]", "2!not a JSON object|7", "3!not a JSON object|\"x\"",
                  "4!not a JSON object|null", HasSubstr("5!not JSON"), HasSubstr("6!not JSON"),
                  HasSubstr("7!not JSON")));
  EXPECT_THAT(read(std::string(100'000, '[')), ElementsAre(HasSubstr("not a JSON object")));
  EXPECT_THAT(read(""), IsEmpty());
}

// Goal:   the rows do not depend on how the bytes arrive.
// Method: random texts of the characters that matter, whole against pieces of every small size,
//         with and without waiting.
TEST(RowSource, RowsDoNotDependOnReads) {
  const std::string letters = "ab\"\"\"\n\n\r,,{}:1 ";
  for (uint64_t seed = 0; seed < 400; ++seed) {
    Prng prng(seed);
    for (const Format format : {Format::kCsv, Format::kNdjson}) {
      std::string text = "a,b\n";
      for (uint64_t size = prng.Below(60); size > 0; --size)
        text += letters[prng.Below(letters.size())];
      PieceSource whole(text, text.size());
      const std::vector<std::string> expected = RowsOf(whole, format, {"a"});
      for (size_t piece = 1; piece < 8; ++piece) {
        PieceSource pieces(text, piece, prng.OneIn(2));
        ASSERT_EQ(RowsOf(pieces, format, {"a"}), expected) << "seed " << seed << ": " << text;
      }
    }
  }
}

// Goal:   a row at the bound is taken, one past it is handed out as bad, and the next row is good.
TEST(RowSource, BoundsRows) {
  for (const Format format : {Format::kCsv, Format::kNdjson}) {
    const bool csv = format == Format::kCsv;
    const auto row = [&](size_t size) {
      return csv ? std::string(size - 3, 'x') + ",2\n"
                 : "{\"a\":\"" + std::string(size - 9, 'x') + "\"}\n";
    };
    const std::string good = csv ? "5,6\n" : "{\"a\":5}\n";
    for (const auto& [size, taken] :
         {std::pair{kRowMax, true}, std::pair{kRowMax + 1, false}, std::pair{3 * kRowMax, false}}) {
      PieceSource bytes((csv ? "a,b\n" : "") + row(size) + good + row(size), 1 << 20);
      const std::vector<std::string> rows = RowsOf(bytes, format, {"a"});
      ASSERT_EQ(rows.size(), 3u) << size;
      EXPECT_EQ(rows[0].find("longer than") == std::string::npos, taken) << size;
      EXPECT_THAT(rows[1], testing::EndsWith("|5"));
      EXPECT_EQ(rows[2].find("longer than") == std::string::npos, taken) << size;
    }
  }
  PieceSource bytes(
      "a,b\n\"" + std::string(1000, '\n') + std::string(kRowMax, 'x') + "\n5\",6\n7,8\n", 1 << 20);
  const std::vector<std::string> rows = RowsOf(bytes, Format::kCsv, {"a"});
  ASSERT_EQ(rows.size(), 3u);
  EXPECT_THAT(rows[0], HasSubstr("2!the row is longer than"));
  EXPECT_THAT(rows[1], HasSubstr("!a quote inside"));
  EXPECT_THAT(rows[2], testing::EndsWith("|7"));
}

std::string Packed(std::string text) {
  std::string packed(text.size() + 1000, '\0');
  unsigned size = static_cast<unsigned>(packed.size());
  EXPECT_EQ(BZ2_bzBuffToBuffCompress(packed.data(), &size, text.data(),
                                     static_cast<unsigned>(text.size()), 1, 0, 0),
            BZ_OK);
  return packed.substr(0, size);
}

class TemporaryFile {
 public:
  explicit TemporaryFile(const std::string& bytes) {
    std::FILE* file = fdopen(mkstemp(path_.data()), "wb");
    std::fwrite(bytes.data(), 1, bytes.size(), file);
    std::fclose(file);
  }
  ~TemporaryFile() { std::remove(path_.c_str()); }
  const std::string& path() const { return path_; }

 private:
  std::string path_ = testing::TempDir() + "sluice-rows-XXXXXX";
};

std::vector<std::string> FileRows(const std::string& bytes) {
  const TemporaryFile file(bytes);
  Result<Input> input = OpenInput(file.path());
  EXPECT_TRUE(input.has_value());
  EXPECT_EQ(input->size, bytes.size());
  EXPECT_EQ(input->beginning, bytes.substr(0, kIdentityBytes));
  std::vector<std::string> rows = RowsOf(*input->bytes, Format::kCsv, {"a"});
  return rows;
}

// Goal:   bzip2 is unpacked, in one stream or several; cut short anywhere it is an error, after the
//         rows before the cut.
TEST(RowSource, UnpacksBzip2) {
  const std::string text = "a,b\n1,2\n3,4\n";
  EXPECT_THAT(FileRows(Packed(text)), ElementsAre("2|1", "3|3"));
  EXPECT_THAT(FileRows(Packed("a,b\n1,") + Packed("2\n3,4\n")), ElementsAre("2|1", "3|3"));
  const std::string packed = Packed(text);
  for (size_t size = 10; size < packed.size(); ++size) {
    const std::vector<std::string> rows = FileRows(packed.substr(0, size));
    ASSERT_FALSE(rows.empty());
    EXPECT_THAT(rows.back(), HasSubstr("the bzip2 data ends too early")) << size;
  }
  std::string large = "a,b\n";
  while (large.size() < 3 * kIdentityBytes) large += std::to_string(large.size()) + ",x\n";
  EXPECT_TRUE(FileRows(large) == FileRows(Packed(large)));
}

TEST(RowSource, NamesTheMissingFile) {
  const Result<Input> input = OpenInput("/no/such/file.csv");
  ASSERT_FALSE(input.has_value());
  EXPECT_EQ(input.error().code, Code::kNotFound);
  EXPECT_THAT(input.error().message, HasSubstr("/no/such/file.csv: No such file"));
}

TEST(RowSource, KnowsFormatsByName) {
  Format format;
  ASSERT_TRUE(FormatOfName("x.y.CSV.bz2", &format));
  EXPECT_EQ(format, Format::kCsv);
  ASSERT_TRUE(FormatOfName("x.tab", &format));
  EXPECT_EQ(format, Format::kTsv);
  ASSERT_TRUE(FormatOfName("a.b/x.jsonl", &format));
  EXPECT_EQ(format, Format::kNdjson);
  EXPECT_FALSE(FormatOfName("csv", &format));
  EXPECT_FALSE(FormatOfName("x.parquet", &format));
}

}  // namespace
}  // namespace sluice::cli
