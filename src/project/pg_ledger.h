// PgLedger: Sluice's own tables beside the one it writes to: whose a projection is, and how far it
// is.
//
//   sluice_projections   one row each: the table it writes to, the epoch of its owner
//   sluice_positions     one row for each lineage: the last shard sequence whose effects are there
//   sluice_dead_letters  what the table refused
//
// Who deletes a row of the first has the projection forgotten, its places and letters with it. So
// has who drops the table: another one that gets its name has no places. (The first keeps it as a
// regclass, which a dump carries over.)
//
// Every transaction that writes rows locks the places that it moves first, and moves them only from
// where it believes them to be and under its own epoch: two owners cannot both succeed, and whoever
// waits for those locks knows what the other one did. Locks of the owner's row and of the places
// are taken in that order. Numbers of 64 bits without a sign are kept in a bigint, bit for bit.
//
// Threads:  any; makes statements only, but for the calls that take a connection.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "project/pg_connection.h"
#include "project/pg_table.h"
#include "project/sink.h"

namespace sluice::project {

struct PgOwner {
  uint64_t epoch = 0;
  std::string target;    // the table's name; it has the ledger's schema
  std::string oid;       // the table's; it may be gone
  bool adopted = false;  // the table had rows of others when it was taken
};

class PgLedger {
 public:
  PgLedger(const PgTable& table, std::string projection);

  // Makes the tables that are missing, in the transaction that is open. Where some are, waits for
  // whoever makes them.
  PgResult<void> MakeTables(PgConnection& connection) const;
  // Locks the owner's row, as LockEpoch does: against each other, and not against rows that refer
  // to it. Nothing when there is none.
  PgResult<std::optional<PgOwner>> LockOwner(PgConnection& connection) const;
  // The projection that writes to the table; empty: none.
  PgResult<std::string> WriterOf(PgConnection& connection, const std::string& target) const;
  PgResult<void> AddOwner(PgConnection& connection, const PgOwner& owner) const;
  PgResult<void> RemoveOwner(PgConnection& connection) const;
  // Locks all places, and makes them `epoch`'s. Waits for whoever is moving them.
  PgResult<Position> TakePlaces(PgConnection& connection, uint64_t epoch) const;
  // All places, as they are; none when the table is no longer the one that it was.
  PgResult<Position> ReadPlaces(PgConnection& connection) const;

  // One row: the owner's epoch. Locks it.
  PgStatement LockEpoch() const;
  // Moves places that are there; it affects as many rows as were where `from` says, and none when
  // the table is no longer the one that it was.
  PgStatement MovePlaces(const Position& from, const Position& to, uint64_t epoch) const;
  // Adds places; it affects as many rows as were not there.
  PgStatement AddPlaces(const Position& places, uint64_t epoch) const;
  PgStatement RemovePlaces() const;

  const std::string& letters() const { return letters_; }  // the table, quoted
  const std::string& projection() const { return projection_; }

 private:
  PgResult<void> MakeTable(PgConnection& connection, const std::string& path,
                           const std::string& create) const;

  const std::string projection_;
  const std::string table_, table_oid_;
  const std::string projections_, positions_, letters_;  // paths, quoted
};

// "7" of what LockEpoch found.
std::optional<uint64_t> EpochOf(const PgRows& rows);

}  // namespace sluice::project
