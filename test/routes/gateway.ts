import { MemoryScalingRecords } from "../../src/scaling/coordinator/memory/memory-scaling-records.ts";
import pino, { type Logger } from "pino";
import { Registry } from "prom-client";
import { type AppOptions, composeApp } from "../../src/app.ts";
import { parseConfig } from "../../src/config/parse-config.ts";
import type { RejectedInput } from "../../src/domain/batch.ts";
import { BatchBuilder } from "../../src/domain/batch-builder.ts";
import { systemClock } from "../../src/kit/clock.ts";
import { HostNames } from "../../src/kit/host-names.ts";
import type { Gpu, Workload } from "../../src/domain/gpu.ts";
import { metricIndexOf } from "../../src/domain/metrics.ts";
import { openToAll } from "../../src/access/access.ts";
import { DamagedHistory } from "../../src/routes/answers/costs/damaged-history.ts";
import { QueryPressure } from "../../src/routes/answers/costs/query-pressure.ts";
import { costLimits } from "../../src/roles/cost-limits.ts";
import { administrationOf } from "../../src/roles/open-access.ts";
import { type GatewayOptions, gatewayRoutes } from "../../src/roles/gateway-routes.ts";
import type { LiveFleet } from "../../src/routes/fleet/fleet.ts";
import { faultGuideOf } from "../../src/faults/fault-guide.ts";
import { defaultRules, defaultXids } from "../../src/faults/rules/default-rules.ts";
import { SqlFaultStore } from "../../src/faults/sql/sql-fault-store.ts";
import { FleetProjection } from "../../src/routes/fleet/fleet-projection.ts";
import { MemoryHotTier } from "../../src/pipeline/hot/memory/memory-hot-tier.ts";
import { encodeBatch } from "../../src/pipeline/queue/batch-codec.ts";
import { MemoryServiceRegistry } from "../../src/scaling/registry/memory/memory-service-registry.ts";
import { MemoryTargetStates } from "../../src/pipeline/source/states/memory/memory-target-states.ts";
import { SqlRejectedInputs } from "../../src/pipeline/store/sql/sql-rejected-inputs.ts";
import { MemoryQueue } from "../../src/pipeline/queue/memory/memory-queue.ts";
import { silentListener } from "../../src/pipeline/observe/pipeline-listener.ts";
import { openPush } from "../../src/roles/open-push.ts";
import { openUploadIntake } from "../../src/roles/open-uploads.ts";
import { openRemoteWrite } from "../../src/roles/open-remote-write.ts";
import type { TelemetryQueries } from "../../src/pipeline/store/telemetry-queries.ts";
import { openMemoryStore } from "../support/open-store.ts";
import { logSerializers } from "../../src/terminal/log.ts";

/** 2025-07-18T20:42:34Z, the instant of the first record of `fleet`. */
export const firstSecondMs = Date.UTC(2025, 6, 18, 20, 42, 34);

/** A record to store. */
export interface FleetRecord {
  readonly gpu: Gpu;
  readonly timeMs: number;
  readonly values: Readonly<Record<string, number>>;
  readonly custom?: Readonly<Record<string, number>>;
  readonly workload?: Workload;
}

/** A GPU with the uuid `GPU-{hostname}-{gpuId}`.
 *  @param more attributes that replace those of this GPU */
export function gpuOf(clusterId: string, hostname: string, gpuId: number, more: Partial<Gpu> = {}): Gpu {
  return {
    uuid: `GPU-${hostname}-${gpuId}`,
    clusterId,
    hostname,
    gpuId,
    device: `nvidia${gpuId}`,
    modelName: "NVIDIA H100 80GB HBM3",
    driverVersion: "535.129.03",
    properties: { job: "dcgm" },
    ...more,
  };
}

const a0 = gpuOf("alpha", "host-a", 0);
const a1 = gpuOf("alpha", "host-a", 1, { driverVersion: "", properties: {} });
const b0 = gpuOf("alpha", "host-b", 0);
/** A GPU whose uuid has characters that a path must encode. Its hostname exists in both clusters. */
const x0 = gpuOf("beta", "host-a", 0, { uuid: "GPU/x y+%é" });

/** The records of two clusters. Those of alpha's host-a are from the same four seconds. The record of host-b is two minutes
 *  older, and the record of beta is a year older. */
export const fleet: readonly FleetRecord[] = [
  { gpu: a0, timeMs: firstSecondMs, values: { gpu_utilization: 85.5, power_draw: 320.1 } },
  { gpu: a0, timeMs: firstSecondMs + 1000, values: { temperature: 72, memory_used_mb: 62560, memory_free_mb: 17920 } },
  { gpu: a0, timeMs: firstSecondMs + 2000, values: { dec_utilization: 0 } },
  {
    gpu: a0,
    timeMs: firstSecondMs + 3250,
    values: { sm_clock_mhz: 1980 },
    custom: { DCGM_FI_DEV_FAN_SPEED: 33 },
    workload: { container: "train", pod: "job-1", namespace: "ml" },
  },
  { gpu: a1, timeMs: firstSecondMs + 3000, values: { temperature: 60, power_draw: 100, gpu_utilization: 10 } },
  { gpu: b0, timeMs: firstSecondMs - 120_000, values: { temperature: 90 } },
  { gpu: x0, timeMs: Date.UTC(2024, 6, 18), values: { temperature: 40 } },
];

const guide = faultGuideOf(await defaultRules(), await defaultXids());

const rejected: readonly RejectedInput[] = [17, 18].map((line) => ({
  line,
  byte: line * 100,
  reason: "value_out_of_range",
  field: "value",
  value: "345",
  message: 'The value "345" of temperature is outside its range: -40 to 150 celsius.',
  raw: "a,row,as,it,was",
}));

/** A gateway over a real store, and its parts that a test examines. */
export interface TestGateway {
  get(path: string, init?: RequestInit): Promise<Response>;
  /** The JSON body of the answer, even if its status is an error. */
  json(path: string): Promise<Record<string, unknown>>;
  readonly app: ReturnType<typeof composeApp>;
  readonly queue: MemoryQueue;
  readonly logged: string[];
}

/** An open store. */
export type FleetStore = Awaited<ReturnType<typeof openMemoryStore>>;

/** The parts of a gateway that a test may replace. */
export interface TestOptions
  extends
    Partial<Omit<AppOptions, "routes" | "webSocket">>,
    Partial<Omit<GatewayOptions, "app" | "fleet" | "queue" | "services" | "registry" | "version" | "clock" | "log">> {
  /** By default, the fleet that the gateway reads from the store. Undefined stands for a process without the role gateway. */
  readonly fleet?: LiveFleet | undefined;
  readonly queue?: GatewayOptions["queue"];
  /** Answers all questions. */
  readonly queries?: TelemetryQueries;
}

/** Opens a store in memory, with the given records and two rejected inputs. */
export async function openFleetStore(records: readonly FleetRecord[] = fleet): Promise<FleetStore> {
  const opened = await openMemoryStore();
  await opened.store.ingest({
    messageId: "01K0000000000000000000000A",
    idempotencyKey: "csv:fleet.csv:0-1",
    source: { sourceId: "csv:fleet.csv", from: { offset: 0, line: 1 }, to: { offset: 1, line: 2 } },
    batch: batchOf(records),
  });
  return opened;
}

/** A gateway over a store.
 *  @param options parts that replace those of the gateway */
export function gatewayOver(
  {
    store,
    queries,
    questions,
    inventory,
    archive,
    client,
  }: Pick<FleetStore, "store" | "queries" | "questions" | "inventory" | "archive" | "client">,
  options: TestOptions = {},
): TestGateway {
  const { queries: replaced } = options;
  const clock = options.clock ?? systemClock;
  const queue = new MemoryQueue({ topic: "telemetry", clock, capacityMessages: 10, leaseSeconds: 30, maxAttempts: 1 });
  const registry = options.registry ?? new Registry();
  const logged: string[] = [];
  const log = logInto(logged);
  const hotTier = new MemoryHotTier({ onCoalesced: () => undefined });
  const projection = new FleetProjection({ hotTier, store: queries.fleet, clock, log });
  const started = projection.start();
  const http = options.http ?? { rateLimitPerSecond: 0, trustsForwardedFor: false, corsOrigins: undefined };
  const parts = {
    fleet: projection as LiveFleet | undefined,
    questions: replaced === undefined ? questions : { ...questions, ask: () => replaced },
    costs: costLimits(parseConfig({}), false),
    pressure: new QueryPressure({ clock, log }),
    damage: new DamagedHistory({ registry: new Registry(), clock, log }),
    settleAfterMinutes: 15,
    settleHistory: true,
    fleetMetrics: { areServed: true, staleAfterMs: 300_000 },
    inventory,
    archive,
    faults: new SqlFaultStore(client),
    faultGuide: () => Promise.resolve(guide),
    http,
    queue,
    ...openPush({ pushMaxMebibytes: 4, batchSize: 100 }, { queue, clock, listener: silentListener }),
    ...openRemoteWrite({ remoteWriteClusterLabel: "cluster" }, { queue, clock, listener: silentListener, registry }),
    ...openUploadIntake({ client, disk: undefined }, { config: parseConfig({ UPLOAD_MAX_MIB: "4" }), clock, registry }),
    bodyMaxBytes: 4 * 1024 * 1024,
    deadLetters: queue,
    rejectedInputs: new SqlRejectedInputs(client),
    clusterId: "alpha",
    serviceRegistry: new MemoryServiceRegistry(clock),
    targetStates: new MemoryTargetStates(clock),
    scaling: new MemoryScalingRecords("one"),
    access: openToAll,
    trail: { changed: () => undefined, refused: () => undefined },
    trustsForwardedFor: options.http?.trustsForwardedFor === true,
    unauthenticatedPerSecond: 0,
    administration: administrationOf(client),
    signIn: undefined,
    graphql: { introspection: true, graphiql: true },
    services: [],
    tls: undefined,
    door: { hosts: new HostNames({ listensOn: "127.0.0.1", own: [], allowed: [] }), corsOrigins: http.corsOrigins },
    registry,
    version: "1.2.3",
    webSocket: parseConfig({}),
    stopping: new AbortController().signal,
    clock,
    log,
    ...options,
  };
  const { fleet } = parts;
  const app = composeApp({
    roles: ["gateway"],
    store,
    engine: () => undefined,
    notice: () => undefined,
    servesFromMemory: () => fleet?.isLoaded === true,
    draining: new AbortController().signal,
    ...parts,
    routes: (whole) => (fleet === undefined ? [] : gatewayRoutes({ ...parts, fleet, app: whole })),
  });
  const get = async (path: string, init?: RequestInit): Promise<Response> => {
    await started;
    return app.handle(new Request(`http://localhost${path}`, init));
  };
  return {
    get,
    json: async (path) => (await (await get(path)).json()) as Record<string, unknown>,
    app,
    queue,
    logged,
  };
}

/** Publishes three messages to a queue; the first two become dead letters. @returns the ids of all three, oldest first */
export async function addTwoDeadLetters(queue: MemoryQueue): Promise<string[]> {
  const { signal } = new AbortController();
  const place = (offset: number) => ({ offset, line: offset });
  const message = (key: string) => ({
    ...encodeBatch(batchOf([fleet[0] as FleetRecord])),
    idempotencyKey: key,
    traceId: "trace",
    count: 1,
    source: { sourceId: "csv:lost.csv", from: place(10), to: place(20) },
  });
  const { receipts } = await queue.publish(["a", "b", "c"].map(message), { signal });
  for (const delivery of await queue.claim({ consumerId: "test", maxMessages: 2, signal })) {
    await queue.reject(delivery, "the store refused the data");
  }
  return receipts.map(({ id }) => id);
}

/** A batch with the records, and two rejected inputs. */
export function batchOf(records: readonly FleetRecord[]) {
  const builder = new BatchBuilder();
  for (const { gpu, timeMs, values, custom = {}, workload } of records) {
    const workloadIndex = workload === undefined ? 0 : builder.workloadIndex(workload);
    const record = builder.record(builder.gpuIndex(gpu), timeMs, workloadIndex);
    for (const [name, value] of Object.entries(values)) builder.set(record, metricIndexOf(name) ?? NaN, value);
    for (const [name, value] of Object.entries(custom)) builder.setCustom(record, name, value);
    builder.count("rows");
  }
  return { ...builder.build(), rejected };
}

function logInto(lines: string[]): Logger {
  return pino({ level: "debug", serializers: logSerializers }, { write: (line: string) => void lines.push(line) });
}
