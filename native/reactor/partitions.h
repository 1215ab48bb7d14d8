// OwnedPartitions: the partitions one reactor writes, from `create` to the end of `retire`, and the
// verbs that TypeScript says about them.
//
//   create ─► opening (a recovery thread has it; verbs wait in order) ─► open ─► retiring ─► gone
//
// A retired partition is no longer found by new reads; its memory goes once no message of it is
// under way and every reactor has passed a quiescent point.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "../partition/partition.h"

namespace ottla {

class Reactor;

class OwnedPartitions {
 public:
  using Verb = std::function<void(Partition* partition)>;  // null: no such partition

  explicit OwnedPartitions(Reactor* reactor) : reactor_(reactor) {}
  ~OwnedPartitions();

  void create(PartitionOptions options, double ticket);
  // Now, or in its turn once the partition is open.
  void with(int32_t slot, Verb verb);
  void append(int32_t slot, int32_t leader_epoch, std::vector<uint8_t> batches, double ticket);
  void mark(int32_t slot, int32_t leader_epoch, std::vector<uint8_t> batch,
            int32_t transaction_version, double ticket);
  void flush(int32_t slot, double ticket);
  void clean(int32_t slot, const CleanRequest& request, int64_t bytes_per_second, double ticket);
  // The next batches of another slot's log, which may be another reactor's, into this one.
  void copy(int32_t slot, int32_t source, int64_t bytes_max, double ticket);
  void read(int32_t slot, int64_t offset, int64_t bytes_max, double ticket);
  void retire(int32_t slot, bool is_deleted, double ticket);
  // What is open in a directory that failed; what is being opened follows when it is.
  void take_offline(const std::string& directory);
  // Shutdown: closes every one of them; is_empty() once they are gone.
  void close_all(bool is_clean);
  bool is_empty() const {
    return opening_.empty() && open_.empty() && retiring_.empty() && copies_ == 0;
  }
  // Once per turn.
  void reclaim();

 private:
  struct Opening {
    std::vector<Verb> verbs;
  };
  struct Retiring {
    std::unique_ptr<Partition> partition;
    int32_t slot;
    double ticket;   // kNoTicket: nobody asked
    Status opening;  // bad: it was never open to anybody, and that is the answer
  };
  static constexpr double kNoTicket = -1;

  void opened(int32_t slot, Status status, std::unique_ptr<Partition> partition,
              const Log::Recovery& recovery, double ticket);
  void start_retiring(std::unique_ptr<Partition> partition, bool is_deleted, bool is_clean,
                      double ticket, const Status& opening = Status::good());
  void tell_disorder(const Partition& partition);
  void begin_copy(Partition* partition, int32_t source, int64_t bytes_max, double ticket);
  static void copy_read(PartitionWork* work, PartitionHost& host);
  static void maintain(void* object, PartitionHost& host);
  static void look_at_flushes(void* object, PartitionHost& host);

  Reactor* const reactor_;
  std::map<int32_t, Opening> opening_;  // by slot
  std::map<int32_t, std::unique_ptr<Partition>> open_;
  std::vector<Retiring> retiring_;
  int copies_ = 0;  // that helpers read for
  bool is_closing_ = false;
  bool is_clean_ = false;  // of the close
  bool is_maintaining_ = false;
  int32_t maintained_ = -1;  // the last slot that upkeep came by
};

}  // namespace ottla
