// Members of one group in one Java machine, with Apache Kafka's own consumer: java Members ADDRESS GROUP TOPIC [STYLE]. The lines it
// takes and says are those of members.mjs. Each member is a thread that commits what it has reported.

import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.time.Duration;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.concurrent.ConcurrentHashMap;
import java.util.stream.Collectors;
import org.apache.kafka.clients.consumer.CommitFailedException;
import org.apache.kafka.clients.consumer.ConsumerRebalanceListener;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.RebalanceInProgressException;
import org.apache.kafka.common.errors.RetriableException;
import org.apache.kafka.common.errors.WakeupException;

public final class Members {
    private static final Map<String, Member> MEMBERS = new ConcurrentHashMap<>();

    public static void main(String[] words) throws Exception {
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in));
        for (String line = in.readLine(); line != null; line = in.readLine()) {
            String[] said = line.split(" ");
            if (said[0].equals("join")) {
                String instance = said.length > 2 ? said[2] : null;
                Member member = new Member(said[1], instance, words);
                MEMBERS.put(said[1], member);
                Thread thread = new Thread(member, said[1]);
                thread.setDaemon(true);
                thread.start();
            } else {
                Member member = MEMBERS.remove(said[1]);
                if (member != null) member.end(said[0].equals("leave"));
            }
        }
        System.exit(0);
    }

    private static synchronized void say(String who, String what, String more) {
        System.out.println("{\"who\":\"" + who + "\",\"what\":\"" + what + "\"" + more + "}");
        System.out.flush();
    }

    private static final class Member implements Runnable, ConsumerRebalanceListener {
        private final String name;
        private final String topic;
        private final boolean isCooperative;
        private final boolean isModern;
        private final KafkaConsumer<String, String> consumer;
        private volatile boolean isOver = false;
        private volatile boolean isLeaving = false;
        private boolean isToCommit = false;

        Member(String name, String instance, String[] words) {
            this.name = name;
            this.topic = words[2];
            this.isCooperative = words.length > 3 && words[3].equals("cooperative");
            this.isModern = words.length > 3 && words[3].equals("modern");
            Properties set = new Properties();
            set.put("bootstrap.servers", words[0]);
            set.put("client.id", name);
            set.put("group.id", words[1]);
            if (instance != null) set.put("group.instance.id", instance);
            if (isModern) {
                set.put("group.protocol", "consumer");
            } else {
                set.put("session.timeout.ms", "6000");
                set.put("heartbeat.interval.ms", "400");
                set.put(
                    "partition.assignment.strategy",
                    isCooperative
                        ? "org.apache.kafka.clients.consumer.CooperativeStickyAssignor"
                        : "org.apache.kafka.clients.consumer.RangeAssignor,"
                            + "org.apache.kafka.clients.consumer.RoundRobinAssignor");
            }
            set.put("max.poll.interval.ms", "20000");
            set.put("auto.offset.reset", "earliest");
            set.put("enable.auto.commit", "false");
            set.put("fetch.max.wait.ms", "300");
            set.put("default.api.timeout.ms", "20000");
            set.put("key.deserializer", "org.apache.kafka.common.serialization.StringDeserializer");
            set.put("value.deserializer", "org.apache.kafka.common.serialization.StringDeserializer");
            consumer = new KafkaConsumer<>(set);
        }

        void end(boolean isInOrder) {
            isLeaving = isInOrder;
            isOver = true;
            consumer.wakeup();
        }

        @Override
        public void run() {
            try {
                consumer.subscribe(List.of(topic), this);
                while (!isOver) poll();
            } catch (WakeupException ignored) {
                // Told to end.
            } catch (RuntimeException problem) {
                if (!isOver) say(name, "failed", ",\"why\":\"" + problem.getClass().getName() + "\"");
            }
            close();
        }

        private void close() {
            try {
                consumer.close(Duration.ofSeconds(isLeaving ? 10 : 0));
            } catch (KafkaException problem) {
                // What it could not say to the broker, the session's end will.
            }
            if (isLeaving) say(name, "left", "");
        }

        private void poll() {
            for (ConsumerRecord<String, String> record : consumer.poll(Duration.ofMillis(200))) {
                say(
                    name,
                    "read",
                    ",\"partition\":" + record.partition() + ",\"offset\":" + record.offset()
                        + ",\"values\":[\"" + record.value() + "\"]");
                isToCommit = true;
            }
            if (!isToCommit) return;
            try {
                consumer.commitSync(Duration.ofSeconds(5));
                isToCommit = false;
            } catch (CommitFailedException | RebalanceInProgressException | RetriableException problem) {
                // The group has moved on, or the coordinator is away: it is read or committed again.
            }
        }

        @Override
        public void onPartitionsRevoked(Collection<TopicPartition> partitions) {}

        @Override
        public void onPartitionsAssigned(Collection<TopicPartition> partitions) {
            if (isCooperative || isModern) return;
            String owned =
                partitions.stream()
                    .map(one -> String.valueOf(one.partition()))
                    .collect(Collectors.joining(","));
            say(name, "owns", ",\"partitions\":[" + owned + "]");
        }
    }
}
