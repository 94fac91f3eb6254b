#include "app/seed_road.h"

#include "base/log_line.h"

namespace sluice::app {

Status Seeded::Read() {
  const std::lock_guard lock(mutex_);
  SLUICE_ASSIGN(names_, file_.Read());
  return Ok();
}

bool Seeded::Has(const std::string& projection) const {
  const std::lock_guard lock(mutex_);
  return names_.contains(projection);
}

Status Seeded::Set(const std::string& projection, bool seeded) {
  const std::lock_guard lock(mutex_);
  if (names_.contains(projection) == seeded) return Ok();
  Names names = names_;
  seeded ? static_cast<void>(names.insert(projection)) : static_cast<void>(names.erase(projection));
  SLUICE_TRY(file_.Write(names));
  names_ = std::move(names);
  return Ok();
}

SeedRoad::SeedRoad(NodeProcess& node, model::KeyspaceId keyspace, std::string projection,
                   Seeded& seeded)
    : node_(node),
      keyspace_(keyspace),
      projection_(std::move(projection)),
      seeded_(seeded),
      writes_(node.node()) {
  node_.SetSeeding(keyspace_, !seeded_.Has(projection_));
}

void SeedRoad::Hold() {
  node_.SetSeeding(keyspace_, true);
  if (std::exchange(told_, true)) return;
  LogWarning("project", "writes to a keyspace are refused until a table is read into it",
             {{"projection", projection_},
              {"keyspace", node_.node().layout().router->keyspace(keyspace_).name}});
  if (const Status kept = seeded_.Set(projection_, false); !kept.ok()) {
    LogWarning("project", "a restart will not know that the table is still to be read",
               {{"projection", projection_}, {"error", kept.error().message}});
  }
}

Status SeedRoad::LetGo() {
  SLUICE_TRY(seeded_.Set(projection_, true));
  node_.SetSeeding(keyspace_, false);
  told_ = false;
  return Ok();
}

std::optional<SeedRoad::Outcome> SeedRoad::Take() {
  auto taken = writes_.Take();
  if (!taken) return std::nullopt;
  return Outcome{taken->written, taken->there, taken->at, std::move(taken->error)};
}

}  // namespace sluice::app
