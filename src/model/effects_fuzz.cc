// Records and effects of a log: what is read is written as what is read the same.
#include <string>
#include <string_view>
#include <vector>

#include "base/check.h"
#include "base/fuzz_test.h"
#include "model/effect.h"

namespace sluice::model {
namespace {

void CheckEffects(std::string_view bytes) {
  Reader reader(bytes);
  Effect effect, again;
  std::vector<Field> fields, fields_again;
  while (!reader.done() && ReadEffect(reader, &effect, &fields)) {
    std::string once, twice;
    AppendEffect(once, effect);
    Reader written(once);
    SLUICE_CHECK(ReadEffect(written, &again, &fields_again) && written.done());
    AppendEffect(twice, again);
    SLUICE_CHECK(once == twice);
    SLUICE_CHECK(again.key == effect.key && again.writes == effect.writes);
    SLUICE_CHECK(fields.size() == fields_again.size() || effect.fields.empty());
  }
}

}  // namespace
}  // namespace sluice::model

SLUICE_FUZZ(model_effects) {
  using namespace sluice;
  using namespace sluice::model;
  CheckEffects(bytes);
  Reader reader(bytes);
  std::vector<RecordPart> parts, again;
  while (!reader.done() && ReadRecord(reader, &parts)) {
    std::string written;
    AppendRecord(written, parts);
    Reader rereader(written);
    SLUICE_CHECK(ReadRecord(rereader, &again) && rereader.done());
    SLUICE_CHECK(again.size() == parts.size());
    for (size_t i = 0; i < parts.size(); ++i) {
      SLUICE_CHECK(again[i].shard == parts[i].shard && again[i].effects == parts[i].effects);
      CheckEffects(parts[i].effects);
    }
  }
}
