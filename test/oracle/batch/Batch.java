// Apache Kafka's LogValidator behind lines of text, to judge what a leader makes of a client's batch. One line in, one
// line out, tab-separated:
//   base64 of the batch, codec and level wanted (-1: the producer's), offset, now, compacted, append time, before, after
//   -> ok, base64 of what Kafka would append   or   refused, the exception, indices of the records to blame
// Run by run.ts with the jars of Apache Kafka on the class path; JDK 17 runs this file unbuilt.

import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.lang.reflect.Proxy;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Base64;
import java.util.stream.Collectors;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.compress.Compression;
import org.apache.kafka.common.record.TimestampType;
import org.apache.kafka.common.record.internal.CompressionType;
import org.apache.kafka.common.record.internal.MemoryRecords;
import org.apache.kafka.common.record.internal.RecordBatch;
import org.apache.kafka.common.utils.BufferSupplier;
import org.apache.kafka.common.utils.PrimitiveRef;
import org.apache.kafka.common.utils.Time;
import org.apache.kafka.storage.internals.log.AppendOrigin;
import org.apache.kafka.storage.internals.log.LogValidator;
import org.apache.kafka.storage.internals.log.RecordValidationException;

public final class Batch {
  public static void main(String[] args) throws Exception {
    BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    PrintStream out = new PrintStream(System.out, false, StandardCharsets.UTF_8);
    for (String line = in.readLine(); line != null; line = in.readLine()) {
      try {
        out.println("ok\t" + Base64.getEncoder().encodeToString(append(line.split("\t"))));
      } catch (RecordValidationException refused) {
        String blamed = refused.recordErrors().stream().map(error -> String.valueOf(error.batchIndex))
            .collect(Collectors.joining(","));
        out.println("refused\t" + refused.invalidException().getClass().getSimpleName() + "\t" + blamed);
      } catch (Throwable refused) {
        out.println("refused\t" + refused.getClass().getSimpleName() + "\t");
      }
    }
    out.flush();
  }

  private static byte[] append(String[] cells) {
    MemoryRecords records = MemoryRecords.readableRecords(ByteBuffer.wrap(Base64.getDecoder().decode(cells[0])));
    RecordBatch batch = records.batches().iterator().next();
    batch.ensureValid();
    int codec = Integer.parseInt(cells[1]);
    CompressionType source = batch.compressionType();
    long now = Long.parseLong(cells[4]);
    LogValidator validator = new LogValidator(records, new TopicPartition("t", 0), at(now), source,
        codec < 0 ? Compression.of(source).build() : compression(codec, Integer.parseInt(cells[2])),
        cells[5].equals("1"), RecordBatch.CURRENT_MAGIC_VALUE,
        cells[6].equals("1") ? TimestampType.LOG_APPEND_TIME : TimestampType.CREATE_TIME,
        Long.parseLong(cells[7]), Long.parseLong(cells[8]), 0, AppendOrigin.CLIENT);
    MemoryRecords validated = validator.validateMessagesAndAssignOffsets(
        PrimitiveRef.ofLong(Long.parseLong(cells[3])), new Nobody(), BufferSupplier.NO_CACHING)
        .validatedRecords();
    ByteBuffer buffer = validated.buffer().duplicate();
    byte[] bytes = new byte[buffer.remaining()];
    buffer.get(bytes);
    return bytes;
  }

  private static Compression compression(int codec, int level) {
    return switch (codec) {
      case 1 -> Compression.gzip().level(level).build();
      case 2 -> Compression.snappy().build();
      case 3 -> Compression.lz4().level(level).build();
      case 4 -> Compression.zstd().level(level).build();
      default -> Compression.NONE;
    };
  }

  private static Time at(long now) {
    return (Time) Proxy.newProxyInstance(Batch.class.getClassLoader(), new Class<?>[] {Time.class},
        (self, method, given) -> method.getName().equals("milliseconds") ? now : 0L);
  }

  private static final class Nobody implements LogValidator.MetricsRecorder {
    public void recordInvalidMagic() {}
    public void recordInvalidOffset() {}
    public void recordInvalidSequence() {}
    public void recordInvalidChecksums() {}
    public void recordNoKeyCompactedTopic() {}
  }
}
