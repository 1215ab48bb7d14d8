// What numbers.mjs does, by Apache Kafka's own producer. ADDRESS TOPIC ACKNOWLEDGED GO STOP.

import java.io.File;
import java.io.FileWriter;
import java.io.PrintWriter;
import java.util.Properties;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.serialization.StringSerializer;

public final class Numbers {
  public static void main(String[] args) throws Exception {
    Properties settings = new Properties();
    settings.put("bootstrap.servers", args[0]);
    settings.put("enable.idempotence", "true");
    settings.put("delivery.timeout.ms", "600000");
    settings.put("buffer.memory", "500000");
    settings.put("max.block.ms", "600000");
    settings.put("linger.ms", "5");
    settings.put("key.serializer", StringSerializer.class);
    settings.put("value.serializer", StringSerializer.class);
    File go = new File(args[3]);
    File stop = new File(args[4]);
    String filler = ".".repeat(1024);
    try (PrintWriter acknowledged = new PrintWriter(new FileWriter(args[2]), true);
        KafkaProducer<String, String> producer = new KafkaProducer<>(settings)) {
      for (long number = 0; !stop.exists(); number++) {
        long sent = number;
        String value = (number + filler).substring(0, 1024);
        producer.send(
            new ProducerRecord<>(args[1], 0, null, value),
            (to, problem) ->
                acknowledged.println(problem == null ? sent : "failed " + sent + " " + problem));
        if (number == 0) producer.flush();
        while (!go.exists() && !stop.exists()) Thread.sleep(50);
        if (number % 20 == 0) Thread.sleep(5);
      }
      producer.flush();
      acknowledged.println("done");
    }
  }
}
