// The bytes of segments and groups, with the checksums made right: what is inside may be anything.
#include <string>
#include <string_view>
#include <vector>

#include "base/check.h"
#include "base/fuzz_test.h"
#include "log/format.h"
#include "log/group_buffer.h"

namespace sluice::log {
namespace {

constexpr uint64_t kSalt = 7;

// A header of any content before a body of any content. False if the header is refused.
bool Forge(sluice::Reader& reader, GroupHeader* header, std::string* frame) {
  header->flags = reader.Le<uint8_t>();
  header->records = reader.Le<uint16_t>();
  header->batches = reader.Le<uint8_t>();
  header->spans = reader.Le<uint8_t>();
  header->place.next = model::Lsn(reader.Le<uint64_t>());
  const std::string_view body = reader.rest();
  header->bytes = static_cast<uint32_t>(kGroupHeaderBytes + body.size());
  *frame = std::string(kGroupHeaderBytes, '\0') + std::string(body);
  EncodeGroupHeader(*header, kSalt, frame->data());
  GroupHeader read;
  const bool sound = DecodeGroupHeader(*frame, kSalt, &read);
  if (sound) SLUICE_CHECK(read.after() == header->after() && BodyMatches(read, kSalt, *frame));
  return sound;
}

// What was taken apart, laid out again, is the same body.
void CheckLayout(const GroupHeader& header, std::string_view frame,
                 const std::vector<BatchView>& batches, const std::vector<ShardSpan>& spans) {
  GroupBuffer buffer;
  buffer.Clear();
  uint64_t records = 0;
  for (const BatchView& batch : batches) {
    SLUICE_CHECK(batch.first.value == header.place.next.value + records);
    records += batch.records;
    buffer.AddBatch(batch.bytes, batch.records, batch.time);
  }
  SLUICE_CHECK(records == header.records);
  uint32_t count = 0;
  uint64_t counted = 0;
  SLUICE_CHECK(CountBatches(buffer.batches(), &count, &counted));
  SLUICE_CHECK(count == header.batches && counted == header.records);
  GroupHeader again = header;
  const std::string_view laid_out = buffer.Frame(again, spans, kSalt);
  SLUICE_CHECK(again.bytes == header.bytes && laid_out.size() == header.padded());
  std::vector<BatchView> batches_again;
  std::vector<ShardSpan> spans_again;
  SLUICE_CHECK(ParseBody(again, laid_out.substr(0, again.bytes), &batches_again, &spans_again));
  SLUICE_CHECK(batches_again.size() == batches.size() && spans_again.size() == spans.size());
  SLUICE_CHECK(frame.size() == again.bytes);
}

}  // namespace
}  // namespace sluice::log

SLUICE_FUZZ(log_groups) {
  using namespace sluice;
  using namespace sluice::log;
  GroupHeader read;
  SLUICE_CHECK(!DecodeSegmentHeader(bytes).has_value());  // no input is as long and so summed
  DecodeGroupHeader(bytes, kSalt, &read);
  uint32_t count = 0;
  uint64_t records = 0;
  CountBatches(bytes, &count, &records);

  sluice::Reader reader(bytes);
  GroupHeader header;
  std::string frame;
  if (!Forge(reader, &header, &frame)) return;
  std::vector<BatchView> batches;
  std::vector<ShardSpan> spans;
  if (ParseBody(header, frame, &batches, &spans)) CheckLayout(header, frame, batches, spans);
}
