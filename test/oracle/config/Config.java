// What Apache Kafka makes of configuration, to judge ours. Reads one of the judges in test/unit/config, puts its
// questions to Kafka again and prints the file anew, so `diff` tells whether Kafka still answers the same:
//   java -cp '<kafka>/libs/*' Config.java values     kafka_values.tsv     texts given to every key
//   java -cp '<kafka>/libs/*' Config.java startup    kafka_startup.tsv    settings of a whole node
//   java -cp '<kafka>/libs/*' Config.java describe   kafka_describe.tsv   DescribeConfigs
//   java -cp '<kafka>/libs/*' Config.java properties text/java_properties.json  (Biome formats it)
// To ask something new, add its line (or its column of `values`) to the file first. JDK 17, file unbuilt.

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.PrintStream;
import java.io.StringReader;
import java.lang.reflect.Proxy;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.TreeMap;
import kafka.server.ConfigHelper;
import kafka.server.KafkaConfig;
import org.apache.kafka.common.Endpoint;
import org.apache.kafka.common.config.ConfigDef;
import org.apache.kafka.common.config.types.Password;
import org.apache.kafka.common.message.DescribeConfigsRequestData.DescribeConfigsResource;
import org.apache.kafka.metadata.MetadataCache;

public class Config {
  static final PrintStream OUT = new PrintStream(System.out, true, StandardCharsets.UTF_8);
  static final String NODE =
      "process.roles=broker,controller; node.id=1; "
          + "controller.quorum.bootstrap.servers=localhost:9093; "
          + "listeners=PLAINTEXT://:9092,CONTROLLER://:9093; controller.listener.names=CONTROLLER";

  public static void main(String[] args) throws Exception {
    Path judge = Path.of(args[1]);
    switch (args[0]) {
      case "values" -> values(Files.readAllLines(judge));
      case "startup" -> startup(Files.readAllLines(judge));
      case "describe" -> describe(Files.readAllLines(judge));
      case "properties" -> properties(Files.readString(judge));
      default -> throw new IllegalArgumentException(args[0]);
    }
  }

  static Properties pairs(String text) {
    Properties properties = new Properties();
    if (text.isBlank()) return properties;
    for (String pair : text.split("; ")) {
      int equals = pair.indexOf('=');
      properties.setProperty(pair.substring(0, equals), pair.substring(equals + 1));
    }
    return properties;
  }

  static void values(List<String> lines) {
    String[] head = lines.get(0).split("\t", -1);
    OUT.println(lines.get(0));
    var scopes =
        List.of(
            Map.entry("broker", KafkaConfig.configDef()),
            Map.entry("topic", org.apache.kafka.storage.internals.log.LogConfig.configDefCopy()),
            Map.entry("group", org.apache.kafka.coordinator.group.GroupConfig.CONFIG_DEF),
            Map.entry(
                "client-metrics", org.apache.kafka.server.metrics.ClientMetricsConfigs.configDef()));
    for (var scope : scopes) {
      for (var key : new TreeMap<>(scope.getValue().configKeys()).values()) {
        if (key.type == ConfigDef.Type.CLASS) continue;
        StringBuilder line = new StringBuilder(scope.getKey() + "\t" + key.name);
        for (int i = 2; i < head.length; i++) line.append('\t').append(answer(key, head[i]));
        OUT.println(line);
      }
    }
  }

  static String answer(ConfigDef.ConfigKey key, String text) {
    try {
      ConfigDef alone =
          new ConfigDef()
              .define(
                  key.name,
                  key.type,
                  ConfigDef.NO_DEFAULT_VALUE,
                  key.validator,
                  key.importance,
                  key.name);
      Object value = alone.parse(Map.of(key.name, text)).get(key.name);
      return "="
          + (value instanceof Password secret
              ? secret.value()
              : ConfigDef.convertToString(value, key.type));
    } catch (Exception refused) {
      return "!";
    }
  }

  static void startup(List<String> lines) {
    OUT.println(lines.get(0));
    for (String line : lines.subList(1, lines.size())) {
      String settings = line.split("\t", -1)[3];
      try {
        KafkaConfig config = new KafkaConfig(pairs(settings), false);
        List<String> told = new ArrayList<>();
        for (Endpoint one :
            scala.jdk.javaapi.CollectionConverters.asJava(
                config.effectiveAdvertisedBrokerListeners())) {
          String host = one.host() == null ? "" : one.host();
          if (host.contains(":")) host = "[" + host + "]";
          told.add(one.listener() + "://" + host + ":" + one.port());
        }
        String between = config.interBrokerListenerName().value();
        OUT.println("ok\t" + String.join(" ", told) + "\t" + between + "\t" + settings);
      } catch (Exception refused) {
        OUT.println("err\t\t\t" + settings);
      }
    }
  }

  /** Asks again for the keys that each question of the file lists; a question without any asks for all. */
  static void describe(List<String> lines) {
    for (int at = 0; at < lines.size(); ) {
      String question = lines.get(at++);
      OUT.println(question);
      List<String> keys = new ArrayList<>();
      while (at < lines.size() && !lines.get(at).startsWith("#\t")) {
        keys.add(lines.get(at++).split("\t", -1)[0]);
      }
      String[] fields = question.split("\t", -1);
      described(fields, keys).forEach((name, line) -> OUT.println(line));
    }
  }

  static TreeMap<String, String> described(String[] fields, List<String> keys) {
    KafkaConfig config =
        new KafkaConfig(pairs(NODE + (fields[1].isBlank() ? "" : "; " + fields[1])), false);
    config.dynamicConfig().initialize(scala.Option.empty());
    config.dynamicConfig().updateDefaultConfig(pairs(fields[2]), false);
    config.dynamicConfig().updateBrokerConfig(1, pairs(fields[3]), false);
    MetadataCache everyTopicExists =
        (MetadataCache)
            Proxy.newProxyInstance(
                Config.class.getClassLoader(),
                new Class<?>[] {MetadataCache.class},
                (proxy, method, given) -> method.getReturnType() == boolean.class ? true : null);
    byte type =
        switch (fields[4]) {
          case "topic" -> 2;
          case "broker", "cluster" -> 4;
          case "group" -> 32;
          default -> 16;
        };
    String name = Map.of("cluster", "", "broker", "1").getOrDefault(fields[4], "x");
    var resource = new DescribeConfigsResource().setResourceType(type).setResourceName(name);
    if (!keys.isEmpty()) resource.setConfigurationKeys(keys);
    var asked = scala.jdk.javaapi.CollectionConverters.asScala(List.of(resource)).toList();
    var result =
        new ConfigHelper(everyTopicExists, config, any -> pairs(fields[5]))
            .describeConfigs(asked, true, false)
            .head();
    TreeMap<String, String> answers = new TreeMap<>();
    for (var one : result.configs()) {
      List<String> chain = new ArrayList<>();
      one.synonyms().forEach(s -> chain.add(s.name() + "=" + s.value() + "@" + s.source()));
      answers.put(
          one.name(),
          String.join(
              "\t",
              one.name(),
              String.valueOf(one.value()),
              String.valueOf(one.configSource()),
              String.valueOf(one.readOnly()),
              String.valueOf(one.isSensitive()),
              String.valueOf(one.configType()),
              String.join(" ", chain)));
    }
    return answers;
  }

  static void properties(String judge) throws Exception {
    List<String> answers = new ArrayList<>();
    for (JsonNode one : new ObjectMapper().readTree(judge)) {
      String text = one.get("text").asText();
      String loaded = "null";
      try {
        Properties properties = new Properties();
        properties.load(new StringReader(text));
        List<String> entries = new ArrayList<>();
        new TreeMap<>(properties)
            .forEach((k, v) -> entries.add(quoted((String) k) + ":" + quoted((String) v)));
        loaded = "{" + String.join(",", entries) + "}";
      } catch (IllegalArgumentException refused) {
        // Stays null: Java refuses the text.
      }
      answers.add("{\"text\":" + quoted(text) + ",\"loaded\":" + loaded + "}");
    }
    OUT.println("[\n" + String.join(",\n", answers) + "\n]");
  }

  static String quoted(String text) {
    StringBuilder quoted = new StringBuilder("\"");
    for (char c : text.toCharArray()) {
      if (c < 32 || c > 126 || c == '"' || c == '\\') quoted.append(String.format("\\u%04x", (int) c));
      else quoted.append(c);
    }
    return quoted.append('"').toString();
  }
}
