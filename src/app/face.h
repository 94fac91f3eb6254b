// Face: what the HTTP server shows of a node: readiness, metrics, shards, keyspaces, configuration.
//
// Threads:  as console::Source; Set… from the thread that starts and stops the node.
#pragma once

#include <mutex>
#include <string>
#include <vector>

#include "app/node_process.h"
#include "console/source.h"
#include "meter/registry.h"
#include "project/projector.h"
#include "server/context.h"

namespace sluice::app {

class Face final : public console::Source {
 public:
  Face(server::Settings& settings, meter::Registry& registry)
      : settings_(settings), registry_(registry) {}

  // Not ready, and why. Until SetNode, nothing but readiness and metrics is shown.
  void SetPhase(std::string phase);
  // Replaying: the progress is asked from the node.
  void SetRecovering(NodeProcess& node);
  void SetServing(NodeProcess& node, std::vector<project::Projector*> projections);

  console::Readiness Ready() override;
  std::string MetricsText() override { return registry_.PrometheusText(); }
  Result<std::string> ShardsJson() override;
  Result<std::string> KeyspacesJson() override;
  Result<std::string> HotKeysJson() override;
  Result<std::string> HeatmapJson(const console::HeatmapQuery& query) override;
  Result<std::string> JobsJson() override;
  Result<std::string> SamplesJson() override;
  Result<std::string> ProjectionsJson() override;
  Result<std::string> ConfigJson() override;

 private:
  NodeProcess* Serving();

  server::Settings& settings_;
  meter::Registry& registry_;
  std::mutex mutex_;
  std::string phase_ = "starting";
  NodeProcess* node_ = nullptr;
  std::vector<project::Projector*> projections_;
  bool replays_ = false, serving_ = false;
};

}  // namespace sluice::app
