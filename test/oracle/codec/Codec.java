// Kafka's own codecs behind lines of text, to judge ours. One line in, one line out, tab-separated:
//   encode: name, version, JSON          -> name, version, JSON, base64 of Kafka's bytes
//   verify: name, version, JSON, base64  -> nothing, or a complaint: Kafka must read our bytes to the end,
//           find the JSON in them, and write the same bytes again
// Run by run.ts with the jars of Apache Kafka on the class path; JDK 17 runs this file unbuilt.

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.lang.reflect.Method;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Base64;
import java.util.HashMap;
import java.util.Map;
import org.apache.kafka.common.protocol.ByteBufferAccessor;
import org.apache.kafka.common.protocol.Message;
import org.apache.kafka.common.protocol.ObjectSerializationCache;

public final class Codec {
  private static final String[] PACKAGES = {
    "org.apache.kafka.common.message",
    "org.apache.kafka.common.metadata",
    "org.apache.kafka.coordinator.group.generated",
    "org.apache.kafka.coordinator.transaction.generated",
    "org.apache.kafka.coordinator.share.generated",
    "org.apache.kafka.raft.generated",
    "org.apache.kafka.server.log.remote.metadata.storage.generated",
  };
  private static final ObjectMapper JSON = new ObjectMapper();
  private static final Map<String, Kind> KINDS = new HashMap<>();

  /** A message class with the two methods of its JSON converter. */
  private record Kind(Class<?> type, Method read, Method write) {}

  public static void main(String[] args) throws Exception {
    boolean verify = args[0].equals("verify");
    BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    PrintStream out = new PrintStream(System.out, false, StandardCharsets.UTF_8);
    for (String line = in.readLine(); line != null; line = in.readLine()) {
      String[] cells = line.split("\t", -1);
      String where = cells[0] + " v" + cells[1];
      try {
        short version = Short.parseShort(cells[1]);
        Kind kind = kind(cells[0]);
        if (verify) {
          String complaint = verify(kind, version, JSON.readTree(cells[2]), cells[3]);
          if (complaint != null) out.println(where + ": " + complaint);
        } else {
          byte[] bytes = bytes((Message) kind.read.invoke(null, JSON.readTree(cells[2]), version), version);
          out.println(line + "\t" + Base64.getEncoder().encodeToString(bytes));
        }
      } catch (Exception failure) {
        Throwable cause = failure.getCause() == null ? failure : failure.getCause();
        if (!verify) throw new IllegalStateException(where + " " + cells[2], cause);
        out.println(where + ": " + cause);
      }
    }
    out.flush();
  }

  private static String verify(Kind kind, short version, JsonNode json, String base64) throws Exception {
    byte[] ours = Base64.getDecoder().decode(base64);
    ByteBuffer buffer = ByteBuffer.wrap(ours);
    Message message = (Message) kind.type.getConstructor().newInstance();
    message.read(new ByteBufferAccessor(buffer), version);
    if (buffer.hasRemaining()) return buffer.remaining() + " bytes left over";
    JsonNode found = (JsonNode) kind.write.invoke(null, message, version);
    // Through text, so that number types and binary nodes compare by value.
    JsonNode plain = JSON.readTree(JSON.writeValueAsBytes(found));
    // Kafka's JSON leaves records empty; the bytes below still tell whether they were read.
    withoutRecords(plain);
    withoutRecords(json);
    if (!plain.equals(json)) return "reads " + plain + " for " + json;
    if (!Arrays.equals(bytes(message, version), ours)) return "writes other bytes";
    return null;
  }

  private static void withoutRecords(JsonNode node) {
    for (String name : new String[] {"records", "unalignedRecords"}) {
      if (node instanceof ObjectNode object && object.path(name).isTextual()) object.put(name, "");
    }
    for (JsonNode child : node) withoutRecords(child);
  }

  private static byte[] bytes(Message message, short version) {
    ObjectSerializationCache cache = new ObjectSerializationCache();
    ByteBuffer buffer = ByteBuffer.allocate(message.size(cache, version));
    message.write(new ByteBufferAccessor(buffer), cache, version);
    if (buffer.hasRemaining()) throw new IllegalStateException("size and bytes differ");
    return buffer.array();
  }

  private static Kind kind(String name) throws Exception {
    Kind known = KINDS.get(name);
    if (known != null) return known;
    for (String where : PACKAGES) {
      for (String suffix : new String[] {"", "Data"}) {
        Kind found = find(where + "." + name + suffix);
        if (found == null) continue;
        KINDS.put(name, found);
        return found;
      }
    }
    throw new IllegalArgumentException("Kafka has no message " + name);
  }

  private static Kind find(String className) throws Exception {
    try {
      Class<?> type = Class.forName(className);
      Class<?> converter = Class.forName(className + "JsonConverter");
      return new Kind(
          type,
          converter.getMethod("read", JsonNode.class, short.class),
          converter.getMethod("write", type, short.class));
    } catch (ClassNotFoundException absent) {
      return null;
    }
  }
}
