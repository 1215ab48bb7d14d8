// A small application of Kafka Streams with exactly_once_v2: it copies what it reads, and counts it by key with a state
// that only its changelog keeps across kills. ADDRESS STATE_DIRECTORY; says `RUNNING` when it runs, and ends itself when
// it cannot go on, so that another one is started.

import java.util.Properties;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.errors.StreamsUncaughtExceptionHandler.StreamThreadExceptionResponse;
import org.apache.kafka.streams.kstream.KStream;
import org.apache.kafka.streams.kstream.Materialized;

public final class Counts {
  public static void main(String[] args) {
    Properties settings = new Properties();
    settings.put("application.id", "counts");
    settings.put("bootstrap.servers", args[0]);
    settings.put("state.dir", args[1]);
    settings.put("processing.guarantee", "exactly_once_v2");
    settings.put("replication.factor", "1");
    settings.put("num.stream.threads", "2");
    settings.put("commit.interval.ms", "100");
    settings.put("statestore.cache.max.bytes", "0");
    settings.put("default.key.serde", Serdes.StringSerde.class);
    settings.put("default.value.serde", Serdes.StringSerde.class);
    settings.put("auto.offset.reset", "earliest");
    settings.put("session.timeout.ms", "6000");
    settings.put("heartbeat.interval.ms", "1000");
    settings.put("producer.transaction.timeout.ms", "6000");

    StreamsBuilder builder = new StreamsBuilder();
    KStream<String, String> input = builder.stream("input");
    input.to("copies");
    input.groupByKey().count(Materialized.as("counts")).toStream().mapValues(String::valueOf).to("counts");
    KafkaStreams streams = new KafkaStreams(builder.build(), settings);
    streams.setUncaughtExceptionHandler(
        problem -> {
          problem.printStackTrace();
          Runtime.getRuntime().halt(3);
          return StreamThreadExceptionResponse.SHUTDOWN_CLIENT;
        });
    streams.setStateListener(
        (now, before) -> {
          if (now == KafkaStreams.State.RUNNING) System.out.println("{\"name\":\"RUNNING\"}");
        });
    streams.start();
  }
}
