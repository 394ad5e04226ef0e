import postgres from "postgres";

// The server that bench/http.ts compares a gateway with: plain Bun.serve, in a separate process. If the environment has
// BODY_FILE, it answers with the bytes of that file. Otherwise, it runs the SQL statements in STATEMENTS (JSON) on
// the database at DATABASE_URL, and answers with the result of the first one.

interface Statement {
  readonly text: string;
  readonly params: readonly string[];
}

const { BODY_FILE, DATABASE_URL = "", STATEMENTS = "[]" } = process.env;

async function fixedAnswer(path: string): Promise<() => Response> {
  const body = await Bun.file(path).text();
  return () => new Response(body, { headers: { "content-type": "application/json" } });
}

function sqlAnswer(statements: readonly Statement[]): () => Promise<Response> {
  const sql = postgres(DATABASE_URL, { max: 8, fetch_types: false });
  return async () => {
    const answers: unknown[] = [];
    for (const { text, params } of statements) {
      answers.push(await sql.unsafe(text, params as never[], { prepare: true }));
    }
    return Response.json({ success: true, data: answers[0] });
  };
}

const fetch = BODY_FILE === undefined ? sqlAnswer(JSON.parse(STATEMENTS) as Statement[]) : await fixedAnswer(BODY_FILE);
const server = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch });
process.stdout.write(`http://127.0.0.1:${server.port}\n`);
