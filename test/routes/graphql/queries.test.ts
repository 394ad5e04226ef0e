import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import fc from "fast-check";
import { addTwoDeadLetters, gatewayOver, openFleetStore, type TestGateway } from "../gateway.ts";
import { openRealStore, realCsv } from "./real-fleet.ts";

interface Answer {
  readonly data?: Record<string, unknown> | null;
  readonly errors?: readonly { readonly message: string; readonly extensions: Readonly<Record<string, unknown>> }[];
}

type Ask = (query: string, variables?: Record<string, unknown>) => Promise<Answer>;

function asker(gateway: TestGateway): Ask {
  return async (query, variables) => {
    const body = JSON.stringify({ query, ...(variables === undefined ? {} : { variables }) });
    const headers = { "content-type": "application/json" };
    return (await (await gateway.get("/graphql", { method: "POST", headers, body })).json()) as Answer;
  };
}

let stored: Awaited<ReturnType<typeof openFleetStore>>;
let gateway: TestGateway;
let ask: Ask;
beforeAll(async () => {
  stored = await openFleetStore();
  gateway = gatewayOver(stored);
  ask = asker(gateway);
});
afterAll(() => stored.close());

const codeOf = ({ errors }: Answer): unknown => errors?.[0]?.extensions["code"];

describe("a query", () => {
  test("follows the hierarchy from clusters down to records, and from a GPU up to its cluster", async () => {
    const { data, errors } = await ask(`{
      clusters { id gpuCount hosts { hostname gpus { uuid telemetry(limit: 2) { timestamp temperature } } } }
      gpu(uuid: "GPU-host-a-1") { host { hostname cluster { id } } latest { temperature gpu { name } } }
    }`);
    expect(errors).toBeUndefined();
    expect(data).toMatchObject({
      clusters: [
        {
          id: "alpha",
          gpuCount: 3,
          hosts: [
            {
              hostname: "host-a",
              gpus: [
                { uuid: "GPU-host-a-0", telemetry: [{ temperature: null }, { timestamp: "2025-07-18T20:42:37.250Z" }] },
                { uuid: "GPU-host-a-1", telemetry: [{ temperature: 60 }] },
              ],
            },
            { hostname: "host-b" },
          ],
        },
        { id: "beta" },
      ],
      gpu: {
        host: { hostname: "host-a", cluster: { id: "alpha" } },
        latest: { temperature: 60, gpu: { name: "NVIDIA H100 80GB HBM3" } },
      },
    });
  });

  test("gets filtered lists, pages, aggregates and the quarantine", async () => {
    const { data, errors } = await ask(`{
      gpus(clusterId: "alpha", status: active) { uuid }
      gpuPage(limit: 2) { totalCount nextCursor gpus { uuid } }
      latestTelemetry(namespace: "ml") { uuid namespace }
      telemetry(gpuUuid: "GPU-host-a-0", limit: 1) { resolution nextCursor records { telemetryId } }
      aggregates(groupBy: model, startTime: "2025-07-18T00:00:00Z", endTime: "2025-07-18T23:00:00Z") { resolution rows { timestamp } }
      daily: aggregates(groupBy: cluster, resolution: day, metrics: temperature, startTime: "2025-07-18T00:00:00Z", endTime: "2025-07-18T23:00:00Z") {
        resolution
        rows { timestamp metrics { name count increase } }
      }
      quarantine { reason }
      pipeline { queue { depth } rejected { name value } settling { enabled oldestHour dueHours lagSeconds } services { name } }
    }`);
    expect(errors).toBeUndefined();
    expect(data).toMatchObject({
      gpus: [{ uuid: "GPU-host-a-0" }, { uuid: "GPU-host-a-1" }],
      gpuPage: { totalCount: 4, gpus: [{ uuid: "GPU-host-a-0" }, {}] },
      latestTelemetry: [{ uuid: "GPU-host-a-0", namespace: "ml" }],
      telemetry: { resolution: "raw", records: [{ telemetryId: "host-a_0_1752871357.250" }] },
      aggregates: { resolution: "minute" },
      daily: {
        resolution: "day",
        rows: [{ timestamp: "2025-07-18T00:00:00Z", metrics: [{ name: "temperature", count: 3, increase: null }] }],
      },
      quarantine: [{ reason: "value_out_of_range" }, { reason: "value_out_of_range" }],
      pipeline: {
        queue: { depth: 0 },
        rejected: [{ name: "value_out_of_range", value: 2 }],
        settling: { enabled: true, oldestHour: "2024-07-18T00:00:00Z", dueHours: 0, lagSeconds: 0 },
        services: [],
      },
    });
  });
});

test("dead letters are listed, redriven and deleted", async () => {
  const ownGateway = gatewayOver(stored);
  const [one, two] = await addTwoDeadLetters(ownGateway.queue);
  const askOwn = asker(ownGateway);
  expect((await askOwn("{ deadLetters { letters { id lastError } nextCursor } }")).data).toEqual({
    deadLetters: {
      letters: [one, two].map((id) => ({ id, lastError: "the store refused the data" })),
      nextCursor: null,
    },
  });
  const redrive = "mutation ($id: String!) { redriveDeadLetter(id: $id) { id attempts } }";
  expect((await askOwn(redrive, { id: one })).data).toEqual({ redriveDeadLetter: { id: one, attempts: 1 } });
  expect(codeOf(await askOwn(redrive, { id: one }))).toBe("NOT_FOUND");
  expect((await askOwn(`mutation { deleteDeadLetter(id: "${two}") { id } }`)).data).toEqual({
    deleteDeadLetter: { id: two },
  });
  expect(await ownGateway.queue.stats()).toMatchObject({ readyMessages: 2, deadMessages: 0 });
});

test("redriveDeadLetters redrives dead letters, the oldest first, up to its limit", async () => {
  const ownGateway = gatewayOver(stored);
  const [one, two] = await addTwoDeadLetters(ownGateway.queue);
  const askOwn = asker(ownGateway);
  const redrive = "mutation ($limit: Int) { redriveDeadLetters(limit: $limit) { id } }";
  expect((await askOwn(redrive, { limit: 1 })).data).toEqual({ redriveDeadLetters: [{ id: one }] });
  expect((await askOwn(redrive)).data).toEqual({ redriveDeadLetters: [{ id: two }] });
  expect((await askOwn(redrive)).data).toEqual({ redriveDeadLetters: [] });
  expect(await ownGateway.queue.stats()).toMatchObject({ readyMessages: 3, deadMessages: 0 });
});

describe("an operation that fails", () => {
  const refused: [name: string, query: string, code: string][] = [
    ["a text that is not GraphQL", "{ gpus {", "GRAPHQL_PARSE_FAILED"],
    ["an unknown field", "{ gpus { warmth } }", "GRAPHQL_VALIDATION_FAILED"],
    ["an argument out of range", "{ gpus(limit: 0) { uuid } }", "BAD_USER_INPUT"],
    ["a text that is not an instant", '{ telemetry(startTime: "yesterday") { resolution } }', "BAD_USER_INPUT"],
    [
      "too many aliases",
      `{ ${Array.from({ length: 31 }, (_, at) => `a${at}: gpus { uuid }`).join(" ")} }`,
      "OPERATION_TOO_LARGE",
    ],
    [
      "fields nested too deeply",
      `{ gpus { ${"host { gpus { ".repeat(9)} uuid ${"} }".repeat(9)} } }`,
      "OPERATION_TOO_LARGE",
    ],
    ["the same field too often", `{ gpus { ${"uuid ".repeat(1900)} } }`, "OPERATION_TOO_LARGE"],
    ["too many tokens", `{ gpus { ${"uuid ".repeat(3000)} } }`, "OPERATION_TOO_LARGE"],
    ["an unknown dead letter", 'mutation { redriveDeadLetter(id: "none") { id } }', "NOT_FOUND"],
  ];
  for (const [name, query, code] of refused) {
    test(`has an error with a code: ${name}`, async () => {
      const answer = await ask(query);
      expect([codeOf(answer), answer.errors?.[0]?.message]).toEqual([code, expect.any(String)]);
    });
  }
});

test("an error about the value of an enum lists its values, unless introspection is switched off", async () => {
  const literal = '{ telemetry(resolution: "1h") { resolution } }';
  const choice = "query ($choice: ResolutionChoice) { telemetry(resolution: $choice) { resolution } }";
  const messages = async (gateway: ReturnType<typeof gatewayOver>) => {
    const ask = asker(gateway);
    const answers = [
      await ask(literal),
      await ask(choice, { choice: "1h" }),
      await ask("{ aggregates(metrics: [nope]) { groupBy } }"),
    ];
    return answers.map(({ errors }) => errors?.[0]?.message);
  };
  expect(await messages(gateway)).toEqual([
    expect.stringMatching(/non-enum value: "1h"\. Its values are auto, raw, minute, hour, day, without quotes\.$/),
    expect.stringMatching(
      /"1h" does not exist in "ResolutionChoice" enum\. Its values are auto, raw, minute, hour, day\.$/,
    ),
    expect.stringMatching(/ Its values are those that \{ metrics \{ name \} \} lists\.$/),
  ]);
  const closed = gatewayOver(stored, { graphql: { introspection: false, graphiql: false } });
  expect((await messages(closed)).join(" ")).not.toMatch(/Did you mean|Its values/);
});

test("without the store, a query for history gets an error, and a query for the fleet is still answered", async () => {
  const orphanStore = await openFleetStore();
  const orphan = gatewayOver(orphanStore);
  await orphan.get("/health/live");
  await orphanStore.close();
  const askOrphan = asker(orphan);
  expect(codeOf(await askOrphan("{ telemetry { resolution } }"))).toBe("SERVICE_UNAVAILABLE");
  expect((await askOrphan("{ gpus { uuid } }")).data).toMatchObject({ gpus: [{}, {}, {}, {}] });
});

test("introspection and GraphiQL can be switched off; GraphiQL's page loads nothing from other servers", async () => {
  const closed = gatewayOver(stored, { graphql: { introspection: false, graphiql: false } });
  expect(codeOf(await asker(closed)("{ __schema { types { name } } }"))).toBe("GRAPHQL_VALIDATION_FAILED");
  expect((await asker(closed)("{ gpus { uuidd } }")).errors?.[0]?.message).not.toContain("Did you mean");
  const browser = { headers: { accept: "text/html" } };
  expect(await (await closed.get("/graphql", browser)).text()).not.toContain("GraphiQL");
  const page = await (await gateway.get("/graphql", browser)).text();
  expect(page).toContain("GraphiQL");
  expect(page).not.toMatch(/<(?:script|link)[^>]+https?:\/\//);
  const policy = (await gateway.get("/graphql", browser)).headers.get("content-security-policy");
  expect(policy).toContain("default-src 'none'");
});

test("GraphiQL opens with queries that are answered, about a GPU that exists", async () => {
  const answer = await gateway.get("/graphql", { headers: { accept: "text/html" } });
  const page = await answer.text();
  const [, tabs = ""] = /"defaultTabs":(\[[^\]]*\])/.exec(page) ?? [];
  const queries = (JSON.parse(tabs) as { query: string }[]).map(({ query }) => query);
  expect(queries).toHaveLength(3);
  for (const query of queries) expect(await ask(query)).not.toHaveProperty("errors");
  expect((await ask(queries[1] ?? "")).data).toMatchObject({ gpu: { uuid: expect.any(String) as string } });
  // the policy names the script that the page has
  const from = page.indexOf("<script>") + "<script>".length;
  const script = page.slice(from, page.indexOf("</script", from));
  const hash = new Bun.CryptoHasher("sha256").update(script).digest("base64");
  expect(answer.headers.get("content-security-policy")).toContain(hash);
});

test("any query with any variables is answered with 200 or 400, and causes no internal error", async () => {
  const word = fc.constantFrom(
    "{",
    "}",
    "gpus",
    "gpu",
    "uuid",
    "(",
    ")",
    ":",
    '"x"',
    "limit",
    "-1",
    "...",
    "on",
    "Gpu",
    "query",
    "$a",
    "@skip",
    "__schema",
    "telemetry",
  );
  const queries = fc.oneof(
    fc.string(),
    fc.array(word, { maxLength: 30 }).map((words) => words.join(" ")),
  );
  await fc.assert(
    fc.asyncProperty(queries, fc.oneof(fc.jsonValue(), fc.constant(undefined)), async (query, variables) => {
      const body = JSON.stringify({ query, variables });
      const response = await gateway.get("/graphql", {
        method: "POST",
        headers: { "content-type": "application/json" },
        body,
      });
      expect([200, 400]).toContain(response.status);
      const { errors = [] } = (await response.json()) as Answer;
      for (const { extensions } of errors) expect(extensions["code"]).not.toBe("INTERNAL_SERVER_ERROR");
    }),
    { numRuns: 300 },
  );
  expect(gateway.logged.filter((line) => line.includes("GraphQL operation failed"))).toEqual([]);
}, 60_000);

test("a body whose content type is not JSON gets the status 415, and a body that is too long gets 413", async () => {
  const post = (type: string, body: string) =>
    gateway.get("/graphql", { method: "POST", headers: { "content-type": type }, body });
  expect((await post("text/plain", "{ gpus { uuid } }")).status).toBe(415);
  expect((await post("application/json", JSON.stringify({ query: "x".repeat(300_000) }))).status).toBe(413);
});

describe.skipIf(realCsv === undefined)("the documented queries on the real CSV", () => {
  let real: Awaited<ReturnType<typeof openRealStore>>;
  let askReal: Ask;
  beforeAll(async () => {
    real = await openRealStore();
    askReal = asker(gatewayOver(real));
  });
  afterAll(() => real.close());

  test("all GPUs", async () => {
    const { data } = await askReal(`{
      # Get all GPUs with basic info
      gpus { id uuid hostname name device status }
    }`);
    const gpus = data?.["gpus"] as { uuid: string }[];
    expect(gpus.length).toBe(247);
    expect(gpus.find(({ uuid }) => uuid === "GPU-75ca836f-12a0-9fbe-13a2-17733a5f68e4")).toEqual({
      id: "4",
      uuid: "GPU-75ca836f-12a0-9fbe-13a2-17733a5f68e4",
      hostname: expect.any(String) as string,
      name: "NVIDIA H100 80GB HBM3",
      device: "nvidia4",
      status: "active",
    } as never);
  });

  test("a GPU with its telemetry", async () => {
    const { data } = await askReal(`{
      gpu(uuid: "GPU-75ca836f-12a0-9fbe-13a2-17733a5f68e4") {
        id uuid hostname name
        telemetry(limit: 10) { timestamp gpuUtilization memoryUtilization temperature powerDraw }
      }
    }`);
    const { telemetry } = data?.["gpu"] as { telemetry: { temperature: number | null; powerDraw: number | null }[] };
    expect(telemetry.length).toBe(4);
    expect(telemetry.map(({ temperature }) => temperature)).toContain(28);
    expect(telemetry.map(({ powerDraw }) => powerDraw)).toContain(73.136);
  });

  test("the overview of clusters", async () => {
    const { data } = await askReal("{ clusters { id hosts { hostname gpus { id uuid name status } } } }");
    const [cluster] = data?.["clusters"] as { hosts: { gpus: unknown[] }[] }[];
    expect(cluster?.hosts.length).toBe(31);
    expect(cluster?.hosts.flatMap(({ gpus }) => gpus).length).toBe(247);
  });
});
