// One consuming connection of a group: one Fetch after another over its partitions, with a fetch
// session where the broker has them (KIP-227), as Kafka's consumer does. Every stamp is read, every
// batch's checksum compared.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "connection.h"
#include "run.h"

namespace ottla::load {

class Consumer {
 public:
  // Reads the partitions p with p mod `group_connections` == member.
  Consumer(Run& run, Group& group, int member, const std::vector<int64_t>& offsets);

  bool open(std::string* problem);
  int fd() const { return connection_.fd(); }
  bool has_unsent() const { return connection_.has_unsent(); }
  bool flush() { return connection_.flush(); }
  bool fetch();
  bool on_readable();

 private:
  struct Partition {
    int32_t number = 0;
    int64_t offset = 0;
    bool is_changed = true;  // since the session heard of it
  };

  void on_answer(Bytes frame, int64_t now);
  void take(Partition& partition, Bytes records, int64_t now);
  void take_stamps(const BatchView& batch, Partition& partition, int64_t now);
  void count(size_t stream, uint64_t first, uint64_t records, int64_t now);
  void end_to_end(int64_t due_ns, int64_t now);

  Run& run_;
  Group& group_;
  std::vector<Partition> partitions_;
  Connection connection_;
  std::vector<uint8_t> request_;
  int32_t correlation_ = 0;
  int32_t session_id_ = 0;
  int32_t session_epoch_ = 0;
};

}  // namespace ottla::load
