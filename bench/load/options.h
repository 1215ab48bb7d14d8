// What the load generator is asked to do; every option that decides a result is here and is printed
// with the result.
#pragma once

#include <cstdint>
#include <string>

#include "../../native/base/compress.h"

namespace ottla::load {

struct Options {
  std::string bootstrap;
  std::string topic;

  // Producing. Connection c of C owns every C-th stream; a stream is one connection's part of one
  // partition.
  bool produce = true;
  int connections = 1;
  int in_flight = 5;
  size_t message_bytes = 1024;  // of the value
  size_t key_bytes = 0;
  int batch_records = 1;
  int request_batches = 1;  // each of another partition, all due with the first
  Codec codec = Codec::kNone;
  int acks = 1;
  bool idempotent = false;
  double rate = 0;      // records per second at their intended times; 0: closed loop
  bool spread = false;  // records of a batch were due one after another, not all when the batch was
  int64_t count = 0;    // records after which it ends; 0: by time

  // Consuming: every group reads all partitions.
  int groups = 0;
  int group_connections = 1;
  bool from_earliest = false;
  int first_stream = 0;  // a topic that an earlier run filled has the numbers below
  int fetch_max_wait_ms = 500;
  int fetch_min_bytes = 1;
  int fetch_partition_bytes = 1 << 20;
  int fetch_bytes = 50 << 20;

  double seconds = 10;
  double warmup = 1;  // before them; not in the histograms
  double drain = 30;  // after them, at most, until everything is acknowledged and read back
  int idle_connections = 0;
  bool spin = true;          // never sleeps in an open loop
  bool spin_closed = false;  // nor in a closed one: no answer waits for us to wake up
  int produce_version = 13;  // at most
  int fetch_version = 18;    // at most
};

// False with a sentence when the line makes no sense or asks for what is not built.
bool parse_options(int argc, char** argv, Options* options, std::string* problem);

const char* usage();

}  // namespace ottla::load
