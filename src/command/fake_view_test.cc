#include "command/fake_view.h"

#include <algorithm>

#include "base/bytes.h"
#include "resp/decoder.h"

namespace sluice::command {
namespace {

using model::EffectKind;

void ApplyToHash(FakeRow& row, const model::Effect& effect) {
  if (!row.is_hash || row.generation != effect.generation) row = FakeRow();
  row.is_hash = true;
  row.generation = effect.generation;
  row.expire_at_ms = effect.expire_at_ms;
  for (const model::Field& field : effect.fields) {
    if (effect.kind == EffectKind::kDeleteFields) {
      row.fields.erase(std::string(field.name));
    } else {
      row.fields[std::string(field.name)] = field.value;
    }
  }
  if (effect.kind == EffectKind::kAddField) {
    row.fields[std::string(effect.value)] = std::to_string(effect.number);
  }
}

void ApplyToString(FakeRow& row, const model::Effect& effect) {
  if (row.is_hash) row = FakeRow();
  row.expire_at_ms = effect.expire_at_ms;
  if (effect.kind == EffectKind::kPutValue) row.value = effect.value;
  if (effect.kind == EffectKind::kAddInt) row.value = std::to_string(effect.number);
  if (effect.kind == EffectKind::kPatch) {
    row.value.resize(std::max(row.value.size(), effect.offset + effect.value.size()));
    row.value.replace(effect.offset, effect.value.size(), effect.value);
  }
}

std::string Encoded(const model::Effect& effect) {
  std::string encoded;
  model::AppendEffect(encoded, effect);
  return encoded;
}

// A multi-key command, as the lanes would carry it out together.
void RunMulti(FakeView& view, const Spec& spec, Args args, resp::Reply& reply) {
  std::vector<KeyFact> facts;
  std::vector<const model::Policy*> policies;
  const bool needed =
      (spec.flags & kNeedsFacts) || ((spec.flags & kWrite) && view.rules.append_only);
  for (size_t at = 1; at < args.size(); at += spec.key_step) {
    policies.push_back(&view.rules);
    if (!needed) continue;
    KeyFact fact;
    if (const FakeRow* row = view.Find(args[at])) {
      fact.type = row->is_hash ? KeyFact::Type::kHash : KeyFact::Type::kString;
      if (spec.flags & kNeedsValues) fact.value = row->value;
    }
    facts.push_back(fact);
  }
  std::vector<KeyChange> changes;
  MultiCall call{args, facts, policies, changes, view.now, reply};
  spec.multi(call);
  for (const KeyChange& change : changes) {
    EXPECT_EQ(change.effect.key, args[1 + change.key * spec.key_step]);
    view.Emit(change.effect);
  }
}

std::string ReadableValue(const resp::Value& value) {
  using Type = resp::Value::Type;
  const auto list = [&](char open, char close) {
    std::string text(1, open);
    for (const resp::Value& item : value.items) {
      if (text.size() > 1) text += ' ';
      text += ReadableValue(item);
    }
    return text + close;
  };
  switch (value.type) {
    case Type::kNull:
      return "nil";
    case Type::kError:
      return "!" + value.text;
    case Type::kInt:
      return ":" + value.text;
    case Type::kBulk:
      return "'" + value.text + "'";
    case Type::kArray:
      return list('[', ']');
    case Type::kMap:
      return list('{', '}');
    default:
      return value.text;
  }
}

}  // namespace

void ApplyEffect(FakeRows& rows, std::string_view encoded) {
  model::Effect effect;
  std::vector<model::Field> scratch;
  Reader reader(encoded);
  ASSERT_TRUE(model::ReadEffect(reader, &effect, &scratch) && reader.done());
  const std::string key(effect.key);
  switch (effect.kind) {
    case EffectKind::kDelete:
      rows.erase(key);
      return;
    case EffectKind::kExpireAt:
      if (rows.contains(key)) rows[key].expire_at_ms = effect.expire_at_ms;
      return;
    case EffectKind::kPutFields:
    case EffectKind::kAddField:
    case EffectKind::kDeleteFields:
      return ApplyToHash(rows[key], effect);
    case EffectKind::kPutValue:
    case EffectKind::kAddInt:
    case EffectKind::kPatch:
      return ApplyToString(rows[key], effect);
    default:
      FAIL() << "no handler emits this";
  }
}

const FakeRow* FakeView::Find(std::string_view key) const {
  const auto found = rows.find(std::string(key));
  if (found == rows.end()) return nullptr;
  const uint64_t expire_at_ms = found->second.expire_at_ms;
  return expire_at_ms != 0 && expire_at_ms <= now ? nullptr : &found->second;
}

bool FakeView::IsCold(std::string what) {
  const auto seen = std::find(reads.begin(), reads.end(), what);
  if (seen != reads.end()) return false;
  reads.push_back(std::move(what));
  return cold.contains(reads.size() - 1);
}

void FakeView::ForgetReads() {
  reads.clear();
}

std::string_view FakeView::HandOut(std::string bytes) {
  return handed_out_.emplace_back(std::move(bytes));
}

View::Have FakeView::FindRow(std::string_view key, model::RowView* row) {
  if (IsCold("row " + std::string(key))) return Have::kCold;
  const FakeRow* found = Find(key);
  if (found == nullptr) return Have::kNo;
  *row = model::RowView();
  row->expire_at_ms = found->expire_at_ms;
  if (!found->is_hash) {
    row->body = HandOut(found->value);
    return Have::kYes;
  }
  const bool small = found->fields.size() <= 3;  // so that tests meet both forms
  row->type = small ? model::RowType::kSmallHash : model::RowType::kLargeHash;
  row->generation = found->generation;
  row->count = found->fields.size();
  std::string body;
  for (const auto& [name, value] : found->fields) {
    AppendSized(body, name);
    AppendSized(body, value);
  }
  if (small) row->body = HandOut(body);
  return Have::kYes;
}

View::Have FakeView::FindField(std::string_view key, const model::RowView& row,
                               std::string_view field, std::string_view* value) {
  EXPECT_TRUE(row.is_hash());
  if (row.type == model::RowType::kLargeHash &&
      IsCold("field " + std::string(key) + " " + std::string(field))) {
    return Have::kCold;
  }
  const FakeRow& found = *Find(key);
  const auto at = found.fields.find(std::string(field));
  if (at == found.fields.end()) return Have::kNo;
  *value = HandOut(at->second);
  return Have::kYes;
}

View::Have FakeView::AllFields(std::string_view key, const model::RowView& row,
                               std::vector<model::Field>* fields) {
  EXPECT_TRUE(row.is_hash());
  fields->clear();
  if (row.type == model::RowType::kLargeHash && IsCold("all " + std::string(key))) {
    return Have::kCold;
  }
  for (const auto& [name, value] : Find(key)->fields) {
    fields->push_back({HandOut(name), HandOut(value)});
  }
  return Have::kYes;
}

void FakeView::Emit(const model::Effect& effect) {
  effects.push_back(Encoded(effect));
  // Before the views go: what an effect builds on must be there, or replay would differ.
  const FakeRow* row = Find(effect.key);
  if (effect.kind == EffectKind::kPatch || effect.kind == EffectKind::kExpireAt) {
    EXPECT_NE(row, nullptr) << "changes a part of a key that is not there";
  }
  if (row != nullptr && row->is_hash && effect.generation != model::Generation()) {
    EXPECT_EQ(effect.generation, row->generation) << "a hash lost its generation";
  } else if (effect.generation != model::Generation()) {
    EXPECT_EQ(effect.generation, last_generation) << "a new hash without a new generation";
  }
  for (std::string& bytes : handed_out_) std::fill(bytes.begin(), bytes.end(), '~');
  handed_out_.clear();
  ApplyEffect(rows, effects.back());
  const auto after = rows.find(std::string(effect.key));
  if (after != rows.end() && after->second.is_hash && effect.kind != EffectKind::kExpireAt) {
    EXPECT_EQ(after->second.fields.size(), effect.count) << "the count is not the fields'";
    EXPECT_GT(effect.count, 0u) << "an empty hash";
  }
}

std::string Execute(FakeView& view, const std::vector<std::string>& command,
                    resp::Version version) {
  std::vector<std::string_view> args(command.begin(), command.end());
  std::string bytes = "before";
  resp::Reply reply(bytes, version);
  const Spec* spec = Resolve(args, reply);
  if (spec == nullptr) return bytes.substr(6);
  if (spec->face == Face::kMulti) {
    RunMulti(view, *spec, args, reply);
    return bytes.substr(6);
  }
  EXPECT_EQ(spec->face, Face::kKey) << spec->name;
  const size_t runs_max = view.cold.size() + 1;
  for (size_t run = 1; run <= runs_max; ++run) {
    const size_t emitted = view.effects.size();
    Call call{args, view, reply};
    if (spec->handler(call) == Outcome::kDone) return bytes.substr(6);
    EXPECT_EQ(bytes, "before") << "a cold " << spec->name << " left a reply";
    EXPECT_EQ(view.effects.size(), emitted) << "a cold " << spec->name << " emitted";
  }
  ADD_FAILURE() << spec->name << " is cold without end";
  return {};
}

std::vector<std::string> Words(std::string_view line) {
  std::vector<std::string> words(1);
  for (const char c : line) {
    if (c == ' ') {
      words.emplace_back();
    } else {
      words.back() += c;
    }
  }
  return words;
}

std::string Readable(std::string_view reply) {
  resp::Decoder decoder;
  resp::Value value;
  size_t consumed = 0;
  const bool whole = decoder.Next(reply, &consumed, &value) == resp::Decoder::Got::kReply;
  return whole && consumed == reply.size() ? ReadableValue(value)
                                           : "not one reply: " + std::string(reply);
}

std::string Say(FakeView& view, std::string_view words, resp::Version version) {
  return Readable(Execute(view, Words(words), version));
}

}  // namespace sluice::command
