// Many runs of Apache Kafka's command-line tools in one JVM: a JVM's start costs more than most of the commands.
// One JSON object per line in, {"id", "main", "args", "input"} to run or {"stop": id} for what SIGTERM would do; one
// out when a run has ended, {"id", "code", "out", "err"}. Each run has a thread, and the threads that it starts
// inherit its streams. Exits are intercepted where Kafka's tools call them, and end the run; the shutdown hooks that
// it has added are run then. JDK 17 runs this file unbuilt, with the jars of Apache Kafka on the class path.

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.BufferedReader;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.OutputStream;
import java.io.PrintStream;
import java.lang.reflect.InvocationTargetException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.locks.LockSupport;
import java.util.function.Function;
import org.apache.kafka.common.utils.Exit;

public final class Driver {
  private static final ObjectMapper JSON = new ObjectMapper();
  private static final InheritableThreadLocal<Run> CURRENT = new InheritableThreadLocal<>();
  private static final Map<Integer, Run> RUNS = new ConcurrentHashMap<>();
  private static final PrintStream ANSWERS = new PrintStream(System.out, false, StandardCharsets.UTF_8);

  private static final class Run {
    final int id;
    final ByteArrayOutputStream out = new ByteArrayOutputStream();
    final ByteArrayOutputStream err = new ByteArrayOutputStream();
    final InputStream in;
    final List<Runnable> hooks = new ArrayList<>();
    Integer code;

    Run(int id, String input) {
      this.id = id;
      this.in = new ByteArrayInputStream(input.getBytes(StandardCharsets.UTF_8));
    }

    synchronized void exited(int status) {
      if (code == null) code = status;
    }

    void runHooks() {
      List<Runnable> all;
      synchronized (this) {
        all = new ArrayList<>(hooks);
        hooks.clear();
      }
      for (Runnable hook : all) hook.run();
    }
  }

  @SuppressWarnings("removal")
  public static void main(String[] args) throws Exception {
    Exit.Procedure leave =
        (status, message) -> {
          Run run = CURRENT.get();
          if (message != null) System.err.println(message);
          run.exited(status);
          daemon(run, () -> finish(run));
          // As in a JVM that exits, nothing after the call happens: no catch, no finally.
          for (;;) LockSupport.park();
        };
    java.security.Policy.setPolicy(
        new java.security.Policy() {
          @Override
          public boolean implies(java.security.ProtectionDomain who, java.security.Permission what) {
            return true;
          }
        });
    System.setSecurityManager(new NoExit(leave));
    Exit.setExitProcedure(leave);
    Exit.setHaltProcedure(leave);
    Exit.setShutdownHookAdder(
        (name, hook) -> {
          Run run = CURRENT.get();
          synchronized (run) {
            run.hooks.add(hook);
          }
        });
    System.setOut(new PrintStream(new PerRun(run -> run.out), true, StandardCharsets.UTF_8));
    System.setErr(new PrintStream(new PerRun(run -> run.err), true, StandardCharsets.UTF_8));
    System.setIn(new InputOfRun());
    BufferedReader commands = new BufferedReader(new InputStreamReader(stdin(), StandardCharsets.UTF_8));
    for (String line = commands.readLine(); line != null; line = commands.readLine()) {
      JsonNode command = JSON.readTree(line);
      if (command.has("stop")) stop(RUNS.get(command.get("stop").asInt()));
      else start(command);
    }
    Runtime.getRuntime().halt(0);
  }

  /** The real standard input: System.in belongs to the runs. */
  private static InputStream stdin() {
    return new java.io.FileInputStream(java.io.FileDescriptor.in);
  }

  private static void start(JsonNode command) {
    Run run = new Run(command.get("id").asInt(), command.path("input").asText(""));
    RUNS.put(run.id, run);
    List<String> args = new ArrayList<>();
    for (JsonNode arg : command.get("args")) args.add(arg.asText());
    String main = command.get("main").asText();
    daemon(run, () -> execute(run, main, args.toArray(new String[0])));
  }

  private static void stop(Run run) {
    if (run != null) daemon(run, run::runHooks);
  }

  private static void daemon(Run run, Runnable body) {
    Thread thread =
        new Thread(
            () -> {
              CURRENT.set(run);
              body.run();
            });
    thread.setDaemon(true);
    thread.start();
  }

  private static void execute(Run run, String main, String[] args) {
    try {
      Class.forName(main).getMethod("main", String[].class).invoke(null, (Object) args);
    } catch (InvocationTargetException failure) {
      System.err.print("Exception in thread \"main\" ");
      failure.getCause().printStackTrace();
      run.exited(1);
    } catch (ReflectiveOperationException failure) {
      failure.printStackTrace();
      run.exited(1);
    }
    run.exited(0);
    finish(run);
  }

  private static void finish(Run run) {
    if (RUNS.remove(run.id) == null) return;
    run.runHooks();
    System.out.flush();
    System.err.flush();
    ObjectNode answer = JSON.createObjectNode();
    answer.put("id", run.id);
    answer.put("code", run.code);
    answer.put("out", run.out.toString(StandardCharsets.UTF_8));
    answer.put("err", run.err.toString(StandardCharsets.UTF_8));
    synchronized (ANSWERS) {
      ANSWERS.println(answer);
      ANSWERS.flush();
    }
  }

  /** Some tools call the JVM's own exit. */
  @SuppressWarnings("removal")
  private static final class NoExit extends SecurityManager {
    private final Exit.Procedure leave;

    NoExit(Exit.Procedure leave) {
      this.leave = leave;
    }

    @Override
    public void checkExit(int status) {
      if (CURRENT.get() != null) leave.execute(status, null);
    }

    @Override
    public void checkPermission(java.security.Permission permission) {}
  }

  /** What a thread writes goes to its run; what belongs to none is dropped. */
  private static final class PerRun extends OutputStream {
    private final Function<Run, ByteArrayOutputStream> stream;

    PerRun(Function<Run, ByteArrayOutputStream> stream) {
      this.stream = stream;
    }

    @Override
    public void write(int value) {
      Run run = CURRENT.get();
      if (run != null) stream.apply(run).write(value);
    }

    @Override
    public void write(byte[] bytes, int from, int length) {
      Run run = CURRENT.get();
      if (run != null) stream.apply(run).write(bytes, from, length);
    }
  }

  private static final class InputOfRun extends InputStream {
    @Override
    public int read() throws java.io.IOException {
      return CURRENT.get().in.read();
    }

    @Override
    public int read(byte[] bytes, int from, int length) throws java.io.IOException {
      return CURRENT.get().in.read(bytes, from, length);
    }
  }
}
