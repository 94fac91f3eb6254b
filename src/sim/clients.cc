#include "sim/clients.h"

#include <algorithm>

namespace sluice::sim {
namespace {

constexpr size_t kShownBytes = 60;  // of a command, in the trace

// Nothing was applied.
bool IsRefusal(const std::string& error) {
  return error.starts_with("NOSPACE ") || error.starts_with("OVERLOADED ") ||
         error.starts_with("THROTTLED ") || error.starts_with("ERR reading from disk failed");
}

// What the clients must live with whatever the faults are: a bound that the settings made small, a
// keyspace that is being seeded.
bool IsForeseen(const std::string& error) {
  return error.starts_with("OVERLOADED reason=once_bytes") ||
         error.starts_with("OVERLOADED reason=seed");
}

// The log failed: nobody knows.
bool IsDoubt(const std::string& error) {
  return error.starts_with("INDOUBT ") || error.starts_with("ERR the log failed");
}

std::string Shown(const Command& command) {
  std::string text;
  for (const std::string& word : command) text += (text.empty() ? "" : " ") + word;
  return text.substr(0, kShownBytes);
}

}  // namespace

std::string Encode(const Command& command) {
  std::string bytes = fmt::format("*{}\r\n", command.size());
  for (const std::string& word : command) {
    bytes += fmt::format("${}\r\n", word.size()) + word + "\r\n";
  }
  return bytes;
}

Clients::Clients(Scene& scene, std::vector<std::unique_ptr<Workload>>& workloads, size_t count,
                 uint64_t seed)
    : scene_(scene), workloads_(workloads), prng_(seed), clients_(count) {}

void Clients::Attach(Machine* machine) {
  for (Client& client : clients_) Lose(client);
  machine_ = machine;
  if (machine != nullptr) return;
  for (const auto& workload : workloads_) workload->Ended();
}

void Clients::Lose(Client& client) {
  for (const Sent& sent : client.under_way) {
    if (sent.workload != nullptr) sent.workload->Lost(sent.tag);
  }
  client = Client();
}

void Clients::Cut() {
  Client& client = clients_[prng_.Below(clients_.size())];
  if (client.connection == 0) return;
  scene_.Note("session {} is cut with {} under way", client.session, client.under_way.size());
  machine_->Disconnect(client.lane, client.connection);
  Lose(client);
}

void Clients::Step() {
  Client& client = clients_[prng_.Below(clients_.size())];
  if (client.connection == 0) {
    if (quiet_) return;
    Connect(client);
  }
  Take(client);
  if (!quiet_ && client.connection != 0) Send(client);
}

void Clients::TakeAll() {
  for (Client& client : clients_) {
    if (client.connection != 0) Take(client);
  }
}

bool Clients::Idle() const {
  return std::all_of(clients_.begin(), clients_.end(),
                     [](const Client& client) { return client.under_way.empty(); });
}

void Clients::Connect(Client& client) {
  client.lane = prng_.Below(machine_->lanes());
  client.connection = machine_->Connect(client.lane);
  client.session = ++sessions_;
  if (!prng_.OneIn(3)) return;
  client.under_way.push_back({nullptr, 0, "HELLO 3"});
  machine_->Send(client.lane, client.connection, Encode({"HELLO", "3"}));
}

void Clients::Send(Client& client) {
  std::string bytes;
  for (size_t i = prng_.Below(5); i > 0 && client.under_way.size() < kPipelineMax; --i) {
    Workload& workload = *workloads_[prng_.Below(workloads_.size())];
    const Request request = workload.Next(client.session, prng_);
    if (request.command.empty()) continue;
    scene_.Note("session {} sends {}", client.session, Shown(request.command));
    client.under_way.push_back({&workload, request.tag, Shown(request.command)});
    bytes += Encode(request.command);
  }
  if (!bytes.empty()) machine_->Send(client.lane, client.connection, bytes);
}

void Clients::Take(Client& client) {
  const auto taken = machine_->Take(client.lane, client.connection);
  if (!taken) return Lose(client);
  client.inbox += *taken;
  resp::Value reply;
  while (true) {
    size_t consumed = 0;
    const auto got = client.decoder.Next(client.inbox, &consumed, &reply);
    client.inbox.erase(0, consumed);
    if (got == resp::Decoder::Got::kNeedMore) return;
    if (got == resp::Decoder::Got::kError) return scene_.Broken("bytes that are no reply");
    if (client.under_way.empty()) return scene_.Broken("a reply that nobody asked for");
    TakeReply(client, reply);
  }
}

void Clients::TakeReply(Client& client, const resp::Value& reply) {
  const Sent sent = std::move(client.under_way.front());
  client.under_way.pop_front();
  scene_.Note("session {} hears {} to {}", client.session, TextOf(reply).substr(0, kShownBytes),
              sent.name);
  if (sent.workload == nullptr) return;
  if (!reply.is_error() || sent.workload->Foresees(reply.text)) {
    return sent.workload->Answered(sent.tag, reply);
  }
  if (IsDoubt(reply.text)) return sent.workload->Lost(sent.tag);
  if (IsForeseen(reply.text) || (IsRefusal(reply.text) && scene_.refusals)) {
    return sent.workload->Refused(sent.tag);
  }
  scene_.Broken(
      fmt::format("session {}: {} was answered -{}", client.session, sent.name, reply.text));
}

}  // namespace sluice::sim
