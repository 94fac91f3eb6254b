// SLUICE PROJECTIONS, PROJECTION, DEAD and WAIT.
#include <fmt/format.h>

#include <vector>

#include "base/number.h"
#include "base/text.h"
#include "server/handlers.h"
#include "server/projections.h"

namespace sluice::server {
namespace {

project::Projector* Find(Call& call, std::string_view name) {
  if (call.context.projections != nullptr) {
    for (project::Projector* one : call.context.projections->All()) {
      if (one->name() == name) return one;
    }
  }
  Refuse(call, fmt::format("ERR there is no projection '{}'", name));
  return nullptr;
}

void FieldName(resp::Reply& reply, std::string_view name) {
  reply.Bulk(name);
}

void Number(resp::Reply& reply, std::string_view name, uint64_t value) {
  FieldName(reply, name);
  reply.Int(static_cast<int64_t>(value));
}

// What is not known is null, never 0.
void Number(resp::Reply& reply, std::string_view name, const std::optional<uint64_t>& value) {
  if (value) return Number(reply, name, *value);
  FieldName(reply, name);
  reply.Null();
}

void Describe(resp::Reply& reply, const project::Projector& projector) {
  const project::Report report = projector.report();
  reply.Map(15);
  FieldName(reply, "projection");
  reply.Bulk(projector.name());
  FieldName(reply, "from");
  reply.Bulk(projector.source().keyspace.name);
  FieldName(reply, "state");
  reply.Bulk(project::StateName(report.state));
  FieldName(reply, "why");
  reply.Bulk(report.why);
  Number(reply, "lag_ms", report.lag_ms);
  Number(reply, "lag_bytes", report.lag_bytes);
  Number(reply, "rows", report.rows);
  Number(reply, "rows_per_second", report.rows_per_second);
  Number(reply, "batches", report.batches);
  Number(reply, "batch_rows", report.batch_rows);
  Number(reply, "errors", report.errors);
  Number(reply, "copied", report.copied);
  Number(reply, "seeded", report.seeded);
  Number(reply, "dead", report.dead);
  FieldName(reply, "notes");
  reply.Array(report.notes.size());
  for (const std::string& note : report.notes) reply.Bulk(note);
}

std::string_view KindName(project::Change::Kind kind) {
  switch (kind) {
    case project::Change::Kind::kValue:
      return "value";
    case project::Change::Kind::kFields:
      return "fields";
    case project::Change::Kind::kDeleted:
      return "deleted";
    case project::Change::Kind::kExpired:
      return "expired";
  }
  return "?";
}

void Describe(resp::Reply& reply, const project::DeadLetter& letter) {
  const project::Change& change = letter.change;
  reply.Map(6);
  Number(reply, "id", letter.id);
  FieldName(reply, "key");
  reply.Bulk(change.key);
  FieldName(reply, "reason");
  reply.Bulk(letter.reason);
  Number(reply, "at_ms", letter.at_ms);
  FieldName(reply, "kind");
  reply.Bulk(KindName(change.kind));
  FieldName(reply, "value");
  if (change.kind != project::Change::Kind::kFields) {
    reply.Bulk(change.value);
    return;
  }
  reply.Map(change.fields.size());
  for (const project::FieldChange& field : change.fields) {
    reply.Bulk(field.name);
    field.value ? reply.Bulk(*field.value) : reply.Null();
  }
}

void Describe(resp::Reply& reply, const project::Verdict& verdict) {
  reply.Map(4);
  Number(reply, "compared", verdict.compared);
  Number(reply, "differing", verdict.differing);
  Number(reply, "letters", verdict.letters);
  FieldName(reply, "differences");
  reply.Map(verdict.differences.size());
  for (const project::Difference& difference : verdict.differences) {
    reply.Bulk(difference.key);
    reply.Bulk(difference.what);
  }
}

// Brings an answer that another thread has to the connection, over its lane.
std::function<void(std::string)> Later(Call& call) {
  ingest::Fabric& fabric = call.lane.node().fabric;
  return [&fabric, origin = call.session.origin()](const std::string& bytes) {
    fabric.Post(origin.lane,
                [origin, bytes](ingest::Lane& home) { home.Finish(origin, bytes, {}); });
  };
}

Answer VerifyProjection(Call& call, project::Projector& projector) {
  const Status taken = projector.Verify([later = Later(call), version = call.client.version](
                                            const Result<project::Verdict>& verdict) {
    std::string bytes;
    resp::Reply reply(bytes, version);
    if (verdict.has_value()) {
      Describe(reply, *verdict);
    } else {
      reply.Error("ERR " + verdict.error().message);
    }
    later(bytes);
  });
  if (!taken.ok()) return Refuse(call, "ERR " + taken.error().message);
  return {.now = false};
}

Answer PauseProjection(Call& call, project::Projector& projector, bool paused) {
  auto then = [later = Later(call), version = call.client.version](const Status& kept) {
    std::string bytes;
    resp::Reply reply(bytes, version);
    if (kept.ok()) {
      reply.Simple("OK");
    } else {
      reply.Error("ERR done, but the next start will not know of it: " + kept.error().message);
    }
    later(bytes);
  };
  const Status taken = call.context.projections->SetPaused(projector, paused, std::move(then));
  if (!taken.ok()) return Refuse(call, "ERR " + taken.error().message);
  return {.now = false};
}

}  // namespace

Answer ListProjections(Call& call) {
  if (call.context.projections == nullptr) {
    call.reply.Array(0);
    return {};
  }
  const auto& all = call.context.projections->All();
  call.reply.Array(all.size());
  for (const project::Projector* one : all) Describe(call.reply, *one);
  return {};
}

Answer OrderProjection(Call& call) {
  const std::string verb = Lower(call.args[2]);
  if (verb != "pause" && verb != "resume" && verb != "rebuild" && verb != "verify") {
    return RefuseSyntax(call);
  }
  project::Projector* projector = Find(call, call.args[3]);
  if (projector == nullptr) return {};
  if (verb == "verify") return VerifyProjection(call, *projector);
  if (verb != "rebuild") return PauseProjection(call, *projector, verb == "pause");
  projector->Rebuild();
  return Okay(call);
}

Answer DeadLetters(Call& call) {
  project::Projector* projector = Find(call, call.args[2]);
  if (projector == nullptr) return {};
  if (call.args.size() == 3) {
    const std::vector<project::DeadLetter> letters = projector->dead();
    call.reply.Array(letters.size());
    for (const project::DeadLetter& letter : letters) Describe(call.reply, letter);
    return {};
  }
  const bool replay = EqualFolded(call.args[3], "replay");
  if (!replay && !EqualFolded(call.args[3], "purge")) return RefuseSyntax(call);
  std::vector<uint64_t> ids;
  for (const std::string_view arg : call.args.subspan(4)) {
    int64_t id = 0;
    if (!ParseInt(arg, &id) || id <= 0) return RefuseNoInteger(call);
    ids.push_back(static_cast<uint64_t>(id));
  }
  auto then = [later = Later(call), version = call.client.version](const Result<uint64_t>& gone) {
    std::string bytes;
    resp::Reply reply(bytes, version);
    if (gone.has_value()) {
      reply.Int(static_cast<int64_t>(*gone));
    } else {
      reply.Error("ERR " + gone.error().message);
    }
    later(bytes);
  };
  const Status taken = replay ? projector->Replay(std::move(ids), std::move(then))
                              : projector->Purge(std::move(ids), std::move(then));
  if (!taken.ok()) return Refuse(call, "ERR " + taken.error().message);
  return {.now = false};
}

Answer WaitForProjection(Call& call) {
  int64_t timeout_ms = 0;
  if (!ParseInt(call.args[3], &timeout_ms)) {
    return Refuse(call, "ERR timeout is not an integer or out of range");
  }
  if (timeout_ms < 0) return Refuse(call, "ERR timeout is negative");
  project::Projector* projector = Find(call, call.args[2]);
  if (projector == nullptr) return {};
  const auto answer = [later = Later(call), version = call.client.version](bool there) {
    std::string bytes;
    resp::Reply(bytes, version).Int(there ? 1 : 0);
    later(bytes);
  };
  // All that this connection sent is answered, so it was handed to the log when this turn has been.
  call.lane.AfterTurn([projector, answer, projections = call.context.projections, timeout_ms](
                          ingest::Lane& lane, model::Lsn) {
    const model::Lsn written = lane.node().committer->appended();
    const Status waits =
        projections->Wait(*projector, written, static_cast<uint64_t>(timeout_ms), answer);
    if (!waits.ok()) answer(false);
  });
  return {.now = false};
}

}  // namespace sluice::server
