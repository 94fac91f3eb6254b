// SeedRoad: the way of a table's rows into a keyspace, and who may write to it meanwhile.
//
// Seeded remembers which projections need no seed any more, so that a start without the database
// knows whether clients may write.
//
// Owns:     what is under way. Borrows the node.
// Threads:  SeedRoad: its projection's. Seeded: any.
// Failure:  a list that cannot be written leaves clients' writes refused; it is tried again.
#pragma once

#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "app/names_file.h"
#include "app/node_process.h"
#include "ingest/own_writes.h"
#include "project/seeder.h"

namespace sluice::app {

class Seeded {
 public:
  explicit Seeded(NamesFile file) : file_(std::move(file)) {}

  Status Read();
  bool Has(const std::string& projection) const;
  Status Set(const std::string& projection, bool seeded);

 private:
  NamesFile file_;
  mutable std::mutex mutex_;  // guards what follows
  Names names_;
};

class SeedRoad final : public project::SeedWriter {
 public:
  // Clients' writes are refused from the start on, unless the projection was seeded before.
  SeedRoad(NodeProcess& node, model::KeyspaceId keyspace, std::string projection, Seeded& seeded);

  void Hold() override;
  Status LetGo() override;
  void Begin(const std::vector<Words>& writes) override { writes_.Begin(writes); }
  std::optional<Outcome> Take() override;
  void BeginStore() override { writes_.BeginStore(); }
  bool Stored() const override { return writes_.Stored(); }

 private:
  NodeProcess& node_;
  const model::KeyspaceId keyspace_;
  const std::string projection_;
  Seeded& seeded_;
  ingest::OwnWrites writes_;
  bool told_ = false;
};

}  // namespace sluice::app
