import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { join } from "node:path";
import { SQL } from "bun";
import { Value } from "@sinclair/typebox/value";
import { stringify } from "yaml";
import { type PipelineProcess, startPipeline, stopPipeline, urlOf } from "../../dev/pipeline-process.ts";
import { clientTools } from "../../dev/servers/client-tools.ts";
import { type OpenPrometheus, openPrometheus } from "../../dev/servers/prometheus.ts";
import { type ProvidedDatabase, provideDatabase } from "../../dev/servers/provide-database.ts";
import { spellingOf } from "../../src/domain/dialects/spelling-of.ts";
import { until } from "../../dev/until.ts";
import { type Dashboard, dashboards, dashboardSchema, type Variable } from "./dashboard.ts";
import { type Chosen, promqlOf, type Shown, sqlOf } from "./interpolate.ts";

// Every query of every dashboard is asked as Grafana asks it, with the rights that Grafana has: SQL with the role of deploy/grafana/reader.sql,
// PromQL with a key, and of a Prometheus that scrapes the pipeline.

/** The panels that show nothing here, by file and title, each with the reason. */
const mayBeEmpty: Readonly<Record<string, string>> = {
  "gpu.json NVLink and PCIe": "the simulated fleet has no rates of links",
  "host.json NVLink": "the simulated fleet has no rates of links",
  "host.json PCIe": "the simulated fleet has no rates of links",
  "job.json NVLink": "the simulated fleet has no rates of links",
  "job.json PCIe": "the simulated fleet has no rates of links",
  "job.json Faults of these devices": "a device with a fault need not be held by the first pod",
  "pipeline.json etcd's database": "the pipeline has no etcd",
  "pipeline.json Missed readings of live sources": "the simulated fleet misses none",
};

const key = `gtp_first_${"k".repeat(43)}`;
const password = "it's a password";
const reader = join(import.meta.dir, "../../deploy/grafana/reader.sql");
const basic = { authorization: `Basic ${Buffer.from(`grafana:${key}`).toString("base64")}` };

let database: ProvidedDatabase;
let pipeline: PipelineProcess;
let prometheus: OpenPrometheus;
let sql: SQL;
let url: string;

interface Fault {
  readonly id: string;
  readonly rule: string;
  readonly hostname: string;
  readonly uuid: string;
}

beforeAll(async () => {
  database = await provideDatabase();
  pipeline = startPipeline({
    ...{
      DATABASE_URL: database.url,
      AUTH: "required",
      AUTH_BOOTSTRAP_KEY: key,
      SIM_HOSTS: "3",
      SIM_GPUS_PER_HOST: "4",
    },
    ...{ SIM_INTERVAL: "500ms", SIM_MIG: "0.1", SIM_TIME_SLICING: "0.2" },
    SIM_FAULTS: "nvidia.xid.reset@2s,nvidia.xid.application@2s",
  });
  url = await urlOf(pipeline);
  const target = {
    static_configs: [{ targets: [`127.0.0.1:${new URL(url).port}`] }],
    authorization: { credentials: key },
  };
  const config = { global: { scrape_interval: "1s" }, scrape_configs: [{ job_name: "pipeline", ...target }] };
  prometheus = await openPrometheus(stringify(config), {});
  await makeReader();
  await until(async () =>
    JSON.stringify(await askPromql("prometheus", "query", { query: "up == 1" })).includes("pipeline"),
  );
  const ask = async (path: string, method = "GET") =>
    (await (await fetch(`${url}/api/v1/${path}`, { method, headers: basic })).json()) as { data: Fault[] };
  const found = await until(
    async () => {
      const { data } = await ask("faults");
      return (
        ["nvidia.xid.reset", "nvidia.xid.application"].every((rule) => data.some((each) => each.rule === rule)) && data
      );
    },
    { timeoutMs: 60_000, everyMs: 200 },
  );
  const ended = found.find(({ rule }) => rule === "nvidia.xid.application");
  const told = await ask(`faults/${encodeURIComponent(ended?.id ?? "")}/acknowledge`, "POST");
  expect(told).toMatchObject({ success: true });
  await until(async () => ((await sql`select 1 from faults where ended_at is not null`) as unknown[]).length > 0);
  // a rate needs several scrapes since the first requests
  const hasRates = { query: "count_over_time(up[5m]) > 8" };
  await until(async () => JSON.stringify(await askPromql("prometheus", "query", hasRates)).includes("pipeline"), {
    timeoutMs: 60_000,
  });
}, 300_000);
afterAll(async () => {
  await sql.close();
  await prometheus.close();
  await stopPipeline(pipeline, "SIGKILL");
  await database.stop();
});

/** Makes the role as docs/grafana.md says, and connects with it. */
async function makeReader(): Promise<void> {
  const script = `${await clientTools()}psql --quiet --set=password="$PASSWORD" --file='${reader}' '${database.url}'`;
  const psql = () => Bun.spawnSync(["bash", "-c", script], { env: { ...process.env, PASSWORD: password } });
  // the tables of roles belong to the whole server, and other tests change them at the same time
  const concurrent = /tuple concurrently updated/;
  // again, as after an upgrade
  for (let done = 0, attempts = 0; done < 2; attempts += 1) {
    const { exitCode, stderr } = psql();
    if (concurrent.test(stderr.toString()) && attempts < 20) continue;
    expect([exitCode, stderr.toString()]).toEqual([0, ""]);
    done += 1;
  }
  const own = new URL(database.url);
  own.username = "grafana";
  own.password = encodeURIComponent(password);
  sql = new SQL(own.href, { max: 2 });
}

interface PromqlAnswer {
  readonly status: string;
  readonly error?: string;
  readonly data: unknown;
}

/** Asks what a data source of the kind Prometheus asks. */
async function askPromql(uid: string, path: string, parameters: Readonly<Record<string, string>>): Promise<unknown> {
  const [origin, headers] = uid === "prometheus" ? [prometheus.url, {}] : [url, basic];
  const answer = await fetch(`${origin}/api/v1/${path}?${new URLSearchParams(parameters).toString()}`, { headers });
  const { status, error, data } = (await answer.json()) as PromqlAnswer;
  expect([path, parameters, status, error]).toEqual([path, parameters, "success", undefined]);
  return data;
}

function shown(): Shown {
  const toMs = Date.now();
  return { fromMs: toMs - 3_600_000, toMs, intervalMs: 15_000, scrapeMs: 15_000 };
}

/** The texts that a variable offers. */
async function offered(variable: Variable, variables: ReadonlyMap<string, Chosen>): Promise<string[]> {
  if (variable.type === "custom") return variable.query.split(",");
  const { query, definition } = variable;
  expect(definition).toBe(typeof query === "string" ? query : query.query);
  if (typeof query === "string") {
    const rows = (await sql.unsafe(sqlOf(query, variables, shown()))) as Record<string, string>[];
    return rows.map((row) => Object.values(row)[0] ?? "");
  }
  const [, selector = "", label = ""] = /^label_values\((.*), (\w+)\)$/.exec(query.query) ?? [];
  const match = promqlOf(selector, variables, shown());
  return (await askPromql(variable.datasource.uid, `label/${label}/values`, { "match[]": match })) as string[];
}

/** Chooses a text of each variable: a preferred one, otherwise all of them, otherwise the first. */
async function choose({ templating }: Dashboard, preferred: Readonly<Record<string, string>>) {
  const variables = new Map<string, Chosen>();
  for (const variable of templating.list) {
    const texts = await offered(variable, variables);
    expect([variable.name, texts.length > 0]).toEqual([variable.name, true]);
    const wanted = preferred[variable.name];
    if (wanted !== undefined) expect(texts).toContain(wanted);
    const isMulti = variable.multi;
    const [first = ""] = wanted === undefined ? texts : [wanted];
    variables.set(variable.name, { texts: isMulti ? texts : [first], isMulti });
  }
  return variables;
}

type Panel = Dashboard["panels"][number];
type Target = Panel["targets"][number];

/** How many rows or series a query has. */
async function sizeOf(target: Target, uid: string, variables: ReadonlyMap<string, Chosen>): Promise<number> {
  const time = shown();
  if ("rawSql" in target) {
    const rows = (await sql.unsafe(sqlOf(target.rawSql, variables, time))) as Record<string, unknown>[];
    if (target.format === "time_series" && rows[0] !== undefined) expect(Object.keys(rows[0])[0]).toBe("time");
    return rows.length;
  }
  const query = promqlOf(target.expr, variables, time);
  const [start, end] = [time.fromMs / 1000, time.toMs / 1000].map(String) as [string, string];
  const data =
    target.instant === true
      ? await askPromql(uid, "query", { query, time: end })
      : await askPromql(uid, "query_range", { query, start, end, step: String(time.intervalMs / 1000) });
  return (data as { result: unknown[] }).result.length;
}

/** What people would look at: a place that has a fault. */
async function preferredOf(file: string): Promise<Record<string, string>> {
  if (file !== "host.json" && file !== "gpu.json") return {};
  const [fault] =
    (await sql`select hostname, uuid from faults where fired_at is not null order by name limit 1`) as Fault[];
  return { host: fault?.hostname ?? "", uuid: fault?.uuid.split(":mig:")[0] ?? "" };
}

describe.each([...dashboards])("the dashboard %s", (file, dashboard) => {
  test("has the shape that Grafana stores", () => {
    const errors = [...Value.Errors(dashboardSchema, dashboard)];
    expect(errors.map(({ path, message }) => `${path}: ${message}`)).toEqual([]);
  });

  test("names metrics that there are", () => {
    const names = JSON.stringify(dashboard).match(/DCGM_\w+/g) ?? [];
    expect(names.filter((name) => spellingOf(name) === undefined)).toEqual([]);
  });

  test("asks what is accepted and has an answer", async () => {
    const variables = await choose(dashboard, await preferredOf(file));
    const empty: string[] = [];
    for (const { title, datasource, targets } of dashboard.panels) {
      let size = 0;
      for (const target of targets) size += await sizeOf(target, datasource.uid, variables);
      if (size === 0) empty.push(`${file} ${title}`);
    }
    for (const { name, target } of dashboard.annotations.list) {
      if ((await sizeOf(target, "gpu-sql", variables)) === 0) empty.push(`${file} ${name}`);
    }
    expect(empty.filter((each) => mayBeEmpty[each] === undefined)).toEqual([]);
  }, 60_000);
});

/** Schemas in which an extension or PostgreSQL itself keeps what everyone may read. */
const ofServer = "^(pg_|information_schema$|_?timescaledb_)";

test("Grafana's role reads no other table, and writes nothing", async () => {
  expect((await allowed("true")).length).toBeGreaterThan(20);
  const readable = await allowed("has_table_privilege(c.oid, 'select') and has_schema_privilege(n.oid, 'usage')");
  expect(readable.map(({ name }) => name)).toEqual([
    ...["blocks", "fault_changes", "faults", "gpu_attributes", "gpu_workloads", "gpus"],
    ...["telemetry", "telemetry_all", "telemetry_named"],
  ]);
  expect(await allowed("has_table_privilege(c.oid, 'insert, update, delete, truncate, references, trigger')")).toEqual(
    [],
  );
  const schemas = sql.unsafe(
    `select nspname from pg_namespace where nspname !~ '${ofServer}' and has_schema_privilege(oid, 'create')`,
  );
  expect((await schemas) as unknown[]).toEqual([]);
  await expect(sql.unsafe("select * from access_keys")).rejects.toThrow("permission denied");
  await expect(sql.unsafe("delete from faults")).rejects.toThrow(/permission denied|read-only/);
});

/** The tables and views of which a condition holds for Grafana's role, sorted. */
async function allowed(condition: string): Promise<{ readonly name: string }[]> {
  const statement = `select c.relname as name from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where c.relkind in ('r', 'v', 'm', 'p', 'f') and n.nspname !~ '${ofServer}' and ${condition} order by c.relname collate "C"`;
  return (await sql.unsafe(statement)) as { readonly name: string }[];
}
