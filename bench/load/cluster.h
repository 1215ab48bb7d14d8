// What has to be asked before the load: versions, the topic's partitions and id, offsets to start
// from, producer ids. Blocking, over one connection to the bootstrap address.
#pragma once

#include <string>
#include <vector>

#include "connection.h"
#include "options.h"
#include "wire.h"

namespace ottla::load {

struct Cluster {
  std::string host;  // of the leader of all partitions
  int port = 0;
  TopicName topic;
  int partitions = 0;
  int16_t produce_version = 0;
  int16_t fetch_version = 0;
};

struct ProducerId {
  int64_t id = -1;
  int16_t epoch = -1;
};

class Bootstrap {
 public:
  // False with a sentence: nobody there, no version in common, no such topic, leaders on several
  // brokers.
  bool open(const Options& options, Cluster* cluster, std::string* problem);
  // The offset after the last record, or the first, of every partition.
  bool list_offsets(const Cluster& cluster, bool earliest, std::vector<int64_t>* offsets,
                    std::string* problem);
  bool init_producer_id(ProducerId* id, std::string* problem);

 private:
  struct Range {
    int16_t min = 0;
    int16_t max = -1;
  };

  bool ask(int16_t api_key, int16_t version, std::string* problem);
  bool ask_versions(std::string* problem);
  bool choose(int16_t api_key, int16_t most, int16_t* version, std::string* problem);
  bool await_topic(const std::string& name, Cluster* cluster, std::string* problem);
  bool ask_topic(const std::string& name, Cluster* cluster, std::string* problem);

  Connection connection_;
  std::vector<uint8_t> request_;
  std::vector<uint8_t> response_;
  std::vector<Range> served_;
};

bool split_address(const std::string& address, std::string* host, int* port);

}  // namespace ottla::load
