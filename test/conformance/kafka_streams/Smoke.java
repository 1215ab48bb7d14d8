// Kafka Streams' own smoke test on one broker: its driver makes data and verifies what comes out, its client is the
// application under test. One case in one process: ADDRESS GUARANTEE CLIENTS, where `bounce` starts and ends clients
// while data flows. Prints `VERDICT passed` or `VERDICT failed`, and says why.

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.streams.tests.SmokeTestClient;
import org.apache.kafka.streams.tests.SmokeTestDriver;
import org.apache.kafka.streams.tests.SmokeTestUtil.VerificationResult;

public final class Smoke {
  private static final int KEYS = 20;
  private static final int RECORDS_PER_KEY = 250;
  private static final int PARTITIONS = 3;
  private static final Duration TIME = Duration.ofSeconds(15);

  public static void main(String[] args) throws Exception {
    String address = args[0];
    boolean exactlyOnce = args[1].startsWith("exactly");
    makeTopics(address);
    Properties settings = settings(address, args[1]);
    List<SmokeTestClient> clients = new ArrayList<>();
    clients.add(started(settings));
    CompletableFuture<Map<String, Set<Integer>>> data =
        CompletableFuture.supplyAsync(
            () -> SmokeTestDriver.generate(address, KEYS, RECORDS_PER_KEY, TIME));
    System.out.println("FLOWING");
    while (args[2].equals("bounce") && !data.isDone() && clients.size() < 5) {
      clients.add(started(settings));
      Thread.sleep(1000);
      clients.get(clients.size() - 2).closeAsync();
    }
    VerificationResult result =
        SmokeTestDriver.verify(address, data.get(), RECORDS_PER_KEY, exactlyOnce);
    for (SmokeTestClient client : clients) client.close();
    boolean failed = clients.stream().anyMatch(SmokeTestClient::error);
    System.out.println(result.result());
    System.out.println(result.passed() && !failed ? "VERDICT passed" : "VERDICT failed");
    Runtime.getRuntime().halt(0);
  }

  private static Properties settings(String address, String guarantee) {
    Properties all = new Properties();
    all.put("bootstrap.servers", address);
    all.put("application.id", "SmokeTest-" + UUID.randomUUID());
    all.put("processing.guarantee", guarantee);
    all.put("num.stream.threads", "2");
    all.put("replication.factor", "1");
    all.put("auto.offset.reset", "earliest");
    all.put("commit.interval.ms", "1000");
    all.put("session.timeout.ms", "10000");
    all.put("acceptable.recovery.lag", String.valueOf(Long.MAX_VALUE));
    return all;
  }

  private static SmokeTestClient started(Properties settings) {
    SmokeTestClient client = new SmokeTestClient(UUID.randomUUID().toString());
    client.start(settings);
    return client;
  }

  private static void makeTopics(String address) throws Exception {
    Properties properties = new Properties();
    properties.put("bootstrap.servers", address);
    try (Admin admin = Admin.create(properties)) {
      List<String> names = List.of(SmokeTestDriver.topics());
      List<String> there = new ArrayList<>(admin.listTopics().names().get());
      there.retainAll(names);
      admin.deleteTopics(there).all().get();
      List<NewTopic> topics =
          names.stream().map(name -> new NewTopic(name, PARTITIONS, (short) 1)).toList();
      for (int left = 50; ; left--) {
        try {
          admin.createTopics(topics).all().get();
          return;
        } catch (ExecutionException stillThere) {
          if (left == 0) throw stillThere;
          Thread.sleep(200);
        }
      }
    }
  }
}
