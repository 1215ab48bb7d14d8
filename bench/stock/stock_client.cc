// A stock client under load: librdkafka as anybody would use it, for comparing brokers. One process
// is one slice.
//
//   stock_client produce HOST:PORT TOPIC PARTITIONS COUNT BYTES LINGER_MS ACKS
//   stock_client consume HOST:PORT TOPIC PARTITIONS COUNT
//
// Prints one JSON line: messages, payload bytes, seconds. Every option that matters is set, so that
// a default that changes does not change a result. Exit code 1 when a message failed.
#include <librdkafka/rdkafka.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

namespace {

using Clock = std::chrono::steady_clock;

int64_t failures = 0;
int64_t delivered = 0;

void on_delivery(rd_kafka_t*, const rd_kafka_message_t* message, void*) {
  if (message->err) failures++;
  delivered++;
}

void set(rd_kafka_conf_t* conf, const char* name, const std::string& value) {
  char problem[512];
  if (rd_kafka_conf_set(conf, name, value.c_str(), problem, sizeof problem) != RD_KAFKA_CONF_OK) {
    std::fprintf(stderr, "%s: %s\n", name, problem);
    std::exit(2);
  }
}

void report(int64_t messages, int64_t bytes, Clock::time_point begin) {
  const double seconds = std::chrono::duration<double>(Clock::now() - begin).count();
  std::printf("{\"messages\":%lld,\"bytes\":%lld,\"seconds\":%.6f}\n",
              static_cast<long long>(messages), static_cast<long long>(bytes), seconds);
}

rd_kafka_t* client(rd_kafka_type_t type, rd_kafka_conf_t* conf) {
  char problem[512];
  rd_kafka_t* handle = rd_kafka_new(type, conf, problem, sizeof problem);
  if (handle == nullptr) {
    std::fprintf(stderr, "%s\n", problem);
    std::exit(2);
  }
  return handle;
}

int produce(char** argv) {
  const int partitions = std::atoi(argv[4]);
  const int64_t count = std::atoll(argv[5]);
  const size_t size = static_cast<size_t>(std::atoll(argv[6]));
  rd_kafka_conf_t* conf = rd_kafka_conf_new();
  set(conf, "bootstrap.servers", argv[2]);
  set(conf, "linger.ms", argv[7]);
  set(conf, "acks", argv[8]);
  set(conf, "enable.idempotence", "false");
  set(conf, "compression.type", "none");
  set(conf, "batch.size", "1000000");
  set(conf, "queue.buffering.max.messages", "500000");
  set(conf, "queue.buffering.max.kbytes", "262144");
  rd_kafka_conf_set_dr_msg_cb(conf, on_delivery);
  rd_kafka_t* producer = client(RD_KAFKA_PRODUCER, conf);
  rd_kafka_topic_t* topic = rd_kafka_topic_new(producer, argv[3], nullptr);
  std::vector<char> payload(size);
  for (size_t i = 0; i < size; i++) payload[i] = static_cast<char>(i * 31 + 7);
  const auto begin = Clock::now();
  for (int64_t sent = 0; sent < count;) {
    const int partition = static_cast<int>(sent % partitions);
    if (rd_kafka_produce(topic, partition, 0, payload.data(), size, nullptr, 0, nullptr) == 0) {
      sent++;
      if ((sent & 1023) == 0) rd_kafka_poll(producer, 0);
    } else {
      rd_kafka_poll(producer, 1);
    }
  }
  while (delivered < count) rd_kafka_poll(producer, 10);
  report(count, count * static_cast<int64_t>(size), begin);
  rd_kafka_topic_destroy(topic);
  rd_kafka_destroy(producer);
  return failures == 0 ? 0 : 1;
}

int consume(char** argv) {
  const int partitions = std::atoi(argv[4]);
  const int64_t count = std::atoll(argv[5]);
  rd_kafka_conf_t* conf = rd_kafka_conf_new();
  set(conf, "bootstrap.servers", argv[2]);
  set(conf, "group.id", "stock-client");
  set(conf, "enable.auto.commit", "false");
  set(conf, "auto.offset.reset", "earliest");
  set(conf, "check.crcs", "false");
  set(conf, "fetch.message.max.bytes", "4194304");
  set(conf, "queued.max.messages.kbytes", "131072");
  rd_kafka_t* consumer = client(RD_KAFKA_CONSUMER, conf);
  rd_kafka_poll_set_consumer(consumer);
  rd_kafka_topic_partition_list_t* all = rd_kafka_topic_partition_list_new(partitions);
  for (int partition = 0; partition < partitions; partition++) {
    rd_kafka_topic_partition_list_add(all, argv[3], partition)->offset = RD_KAFKA_OFFSET_BEGINNING;
  }
  rd_kafka_assign(consumer, all);
  rd_kafka_queue_t* queue = rd_kafka_queue_get_consumer(consumer);
  std::vector<rd_kafka_message_t*> messages(10000);
  int64_t received = 0;
  int64_t bytes = 0;
  Clock::time_point begin{};
  while (received < count) {
    const ssize_t got = rd_kafka_consume_batch_queue(queue, 1000, messages.data(), messages.size());
    for (ssize_t i = 0; i < got; i++) {
      if (messages[i]->err == 0) {
        if (received == 0) begin = Clock::now();
        received++;
        bytes += static_cast<int64_t>(messages[i]->len);
      }
      rd_kafka_message_destroy(messages[i]);
    }
  }
  report(received, bytes, begin);
  rd_kafka_topic_partition_list_destroy(all);
  rd_kafka_queue_destroy(queue);
  rd_kafka_consumer_close(consumer);
  rd_kafka_destroy(consumer);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc == 9 && std::strcmp(argv[1], "produce") == 0) return produce(argv);
  if (argc == 6 && std::strcmp(argv[1], "consume") == 0) return consume(argv);
  std::fprintf(stderr, "usage: stock_client produce|consume …, see the top of stock_client.cc\n");
  return 2;
}
