import { openToAll } from "../../../src/access/access.ts";
import { gatewayOver, openFleetStore } from "../../routes/gateway.ts";
import { mutated } from "../mutate.ts";
import { type Subject, WrongInput } from "../subject.ts";

const uuid = "GPU-host-a-0";
const targets = [
  `GET /api/v1/gpus?limit=2&hostname=host-a`,
  `GET /api/v1/gpus/${uuid}/telemetry?start_time=2025-07-18T20:42:34Z&limit=3&metrics=temperature`,
  `GET /api/v1/gpus/${uuid}/changes?end_time=2025-07-19T00:00:00Z`,
  `GET /api/v1/clusters/alpha/hosts/host-a/gpus/0`,
  `GET /api/v1/telemetry/aggregates?group_by=namespace&resolution=1h&start_time=2025-07-18T20:00:00Z&end_time=2025-07-18T21:00:00Z`,
  `GET /api/v1/coverage?group_by=host&step=total`,
  `GET /api/v1/inventory?state=active&limit=2`,
  `GET /api/v1/metrics/series?metric=xid_errors`,
  `GET /api/v1/quarantine?source_id=csv:fleet.csv`,
  `POST /api/v1/inventory/maintenance?hostname=host-b&note=x`,
  `POST /api/v1/inventory/restore?gpu_uuid=${uuid}`,
  `POST /api/v1/keys?name=x&scopes=read`,
  `DELETE /api/v1/pipeline/dead-letters/01K0F3Z8Q4W5X6Y7Z8A9B0C1D2`,
  `GET /graphql?query={gpus{uuid}}`,
  `GET /swagger/swagger.json`,
  `GET /health`,
];

const documents = [
  "query Q($n: Int = 2) { gpus(limit: $n) { edges: uuid ...F @include(if: true) } } fragment F on Gpu { hostname latest { temperature } }",
  '{ telemetry(startTime: "2025-07-18T20:42:34Z", limit: 3, metrics: ["temperature"]) { records { uuid timestamp custom { name value } } } }',
  '{ aggregates(groupBy: GPU, resolution: "1h", limit: 5) { count } __schema { types { name fields { name } } } }',
  'mutation { deleteDeadLetter(id: "01K0F3Z8Q4W5X6Y7Z8A9B0C1D2") { id } startMaintenance(hostname: "host-b") { state } }',
  '{ gpu(uuid: "GPU-host-a-0") { uuid a: telemetry(limit: 2) { records { timestamp } } b: telemetry(limit: 1) { records { temperature } } } }',
];

/** A gateway over a store in memory, which gets mutated requests and mutated documents of GraphQL. It opens with the first of them. */
export function appSubjects(): Subject[] {
  let opening: ReturnType<typeof openApp> | undefined;
  const ask = async (input: string, path: string, init: RequestInit): Promise<void> => {
    const request = requestOf(path, init);
    if (request === undefined) return;
    const { gateway } = await (opening ??= openApp());
    const answer = await gateway.app.handle(request);
    const text = await answer.text();
    if (answer.status >= 500 && answer.status !== 503)
      throw new WrongInput(input, new Error(`${answer.status}: ${text}`));
    if (/"INTERNAL_SERVER_ERROR"|Unexpected error/.test(text)) throw new WrongInput(input, new Error(text));
  };
  return [
    {
      name: "requests of REST",
      run: async (random) => {
        const [method = "", target = ""] = pick(targets, random).split(" ");
        const changed = mutated(Buffer.from(target), random).toString(random() < 0.5 ? "utf8" : "latin1");
        const accept =
          random() < 0.3 ? mutated(Buffer.from("text/csv, application/json"), random).toString("latin1") : "*/*";
        const body = method === "GET" || random() < 0.8 ? {} : { body: mutated(Buffer.from('{"a":1}'), random) };
        await ask(`${method} ${changed} accept: ${accept}`, changed, { method, headers: { accept }, ...body });
      },
    },
    {
      name: "documents of GraphQL",
      run: async (random) => {
        const query = mutated(Buffer.from(pick(documents, random)), random).toString();
        const whole = JSON.stringify({ query, variables: { n: random() < 0.5 ? 1 : "x" } });
        const body = random() < 0.8 ? whole : mutated(Buffer.from(whole), random);
        await ask(String(body), "/graphql", { method: "POST", headers: { "content-type": "application/json" }, body });
      },
      close: async () => (await opening)?.stored.close(),
    },
  ];
}

async function openApp() {
  const stored = await openFleetStore();
  const gateway = gatewayOver(stored, { access: openToAll });
  await gateway.get("/health/live");
  return { stored, gateway };
}

function pick<Item>(items: readonly Item[], random: () => number): Item {
  return items[Math.floor(random() * items.length)] as Item;
}

/** @returns undefined if no request can be such */
function requestOf(path: string, init: RequestInit): Request | undefined {
  try {
    return new Request(`http://localhost/${path.replace(/^\//, "")}`, init);
  } catch {
    return undefined;
  }
}
