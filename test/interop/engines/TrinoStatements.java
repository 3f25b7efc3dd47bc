import com.fasterxml.jackson.core.json.JsonWriteFeature;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.json.JsonMapper;
import io.trino.Session;
import io.trino.spi.type.TimeZoneKey;
import io.trino.testing.LocalQueryRunner;
import io.trino.testing.MaterializedResult;
import io.trino.testing.MaterializedRow;
import io.trino.testing.TestingSession;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/** Trino, one statement a line of standard input (a text in JSON), one answer a line: {"columns", "rows"} or {"error"}. No catalog, in UTC as Athena is. */
public class TrinoStatements {
  public static void main(String[] args) throws Exception {
    // Some readers of lines take U+2028 for the end of one.
    ObjectMapper json = JsonMapper.builder().enable(JsonWriteFeature.ESCAPE_NON_ASCII).build();
    PrintStream out = new PrintStream(System.out, true, StandardCharsets.UTF_8);
    // Libraries warn there.
    System.setOut(System.err);
    Session session = TestingSession.testSessionBuilder().setTimeZoneKey(TimeZoneKey.UTC_KEY).build();
    try (LocalQueryRunner engine = LocalQueryRunner.create(session)) {
      BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
      for (String line = in.readLine(); line != null; line = in.readLine())
        out.println(json.writeValueAsString(answer(engine, json.readValue(line, String.class))));
    }
    System.exit(0);
  }

  private static Map<String, Object> answer(LocalQueryRunner engine, String statement) {
    try {
      MaterializedResult result = engine.execute(statement);
      List<List<String>> rows = new ArrayList<>();
      for (MaterializedRow row : result.getMaterializedRows()) {
        List<String> texts = new ArrayList<>();
        for (Object field : row.getFields()) texts.add(field == null ? null : field.toString());
        rows.add(texts);
      }
      return Map.of("columns", result.getColumnNames(), "rows", rows);
    } catch (RuntimeException error) {
      return Map.of("error", String.valueOf(error.getMessage()));
    }
  }
}
