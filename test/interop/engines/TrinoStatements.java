import com.fasterxml.jackson.core.json.JsonWriteFeature;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.json.JsonMapper;
import io.trino.Session;
import io.trino.plugin.hive.HivePlugin;
import io.trino.spi.type.TimeZoneKey;
import io.trino.testing.MaterializedResult;
import io.trino.testing.MaterializedRow;
import io.trino.testing.StandaloneQueryRunner;
import io.trino.testing.TestingSession;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/**
 * Trino with its Hive connector over a folder, which is local:/// there. One statement a line of standard input (a text in JSON), one answer a line:
 * {"columns", "rows"} or {"error"}. The catalog has the name that Athena gives Glue's, and the time zone is UTC, as there.
 */
public class TrinoStatements {
  private static final String CATALOG = "awsdatacatalog";

  public static void main(String[] args) throws Exception {
    PrintStream out = new PrintStream(System.out, true, StandardCharsets.UTF_8);
    // Libraries log there.
    System.setOut(System.err);
    // Some readers of lines take U+2028 for the end of one.
    ObjectMapper json = JsonMapper.builder().enable(JsonWriteFeature.ESCAPE_NON_ASCII).build();
    Session session =
        TestingSession.testSessionBuilder().setCatalog(CATALOG).setTimeZoneKey(TimeZoneKey.UTC_KEY).build();
    try (StandaloneQueryRunner engine = new StandaloneQueryRunner(session)) {
      engine.installPlugin(new HivePlugin());
      engine.createCatalog(CATALOG, "hive", Map.of(
          "hive.metastore", "file",
          "hive.metastore.catalog.dir", "local:///metastore",
          "fs.local.enabled", "true",
          "local.location", args[0],
          "hive.security", "allow-all",
          "hive.recursive-directories", "true",
          "hive.partition-projection-enabled", "true",
          // On S3 no folder is absent.
          "hive.ignore-absent-partitions", "true"));
      BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
      for (String line = in.readLine(); line != null; line = in.readLine())
        out.println(json.writeValueAsString(answer(engine, session, json.readValue(line, String.class))));
    }
    System.exit(0);
  }

  private static Map<String, Object> answer(StandaloneQueryRunner engine, Session session, String statement) {
    try {
      MaterializedResult result = engine.execute(session, statement);
      List<List<String>> rows = new ArrayList<>();
      for (MaterializedRow row : result.getMaterializedRows()) {
        List<String> texts = new ArrayList<>();
        for (Object field : row.getFields()) texts.add(field == null ? null : field.toString());
        rows.add(texts);
      }
      // What makes a table has no columns.
      boolean answers = result.getUpdateType().isEmpty();
      return Map.of("columns", answers ? result.getColumnNames() : List.of(), "rows", rows);
    } catch (RuntimeException error) {
      return Map.of("error", String.valueOf(error.getMessage()));
    }
  }
}
