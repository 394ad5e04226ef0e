import { makeBatch, messageOf, type TestRecord } from "../../dev/make-batch.ts";
import { metrics } from "../../src/domain/metrics.ts";
import { migUuid } from "../../src/domain/mig-instance.ts";
import { hourMs } from "../../src/domain/time-range.ts";
import { openPostgresStore } from "../../src/pipeline/store/sql/open-postgres-store.ts";

/** The first instant of all records. */
export const firstMs = Date.UTC(2026, 0, 3);
const stepMs = 60_000;
/** The minutes of a message. */
const minutesAtOnce = 5;

/** Names that files, SQL and JSON have to escape. */
const clusterIds = ["alpha", "beta/2 ü", "γ=1%25 'x'"] as const;

const texts = ['17"b', "a, b=c; \\d", "it's ü 🚀", "=1+1", "null", "NaN", "007", "\u{10fffd}x"];
const extremes = [5e-324, 1.7976931348623157e308, -1e-7, 0.1 + 0.2, 2 ** 53, 1e21, -0, 1 / 3];

/** So many GPUs with a record a minute. */
export interface FleetSize {
  readonly gpus: number;
  readonly hours: number;
}

const textOf = (index: number): string => texts[index % texts.length] as string;
const numberOf = (index: number): number => extremes[index % extremes.length] as number;

function gpuOf(index: number) {
  const plain = `GPU-${index.toString(16).padStart(8, "0")}-12a0-9fbe-13a2-17733a5f68e4`;
  const isInstance = index % 7 === 3;
  const uuid = isInstance ? migUuid({ parentUuid: plain, instanceId: String(index % 9), profile: "1g.10gb" }) : plain;
  return {
    uuid: index === 1 ? 'GPU/x y+%é "1"' : uuid,
    hostname: index % 11 === 5 ? `host ü "${index >> 3}"` : `host-${index >> 3}`,
    gpuId: index % 8,
    clusterId: clusterIds[index % clusterIds.length] as string,
    modelName: index % 13 === 2 ? "" : "NVIDIA H100 80GB HBM3",
    driverVersion: index % 5 === 0 ? "" : "550.54.15",
    properties:
      index % 5 === 1 ? {} : { job: "dcgm", serial: textOf(index), [`label_${index % 4}`]: textOf(index + 3) },
  };
}

/** 12 to 24 metrics that change from record to record; at times the least and the greatest that a metric can have. */
function metricsOf(index: number, minute: number): Record<string, number> {
  const values: Record<string, number> = {};
  const count = 12 + (index % 13);
  for (let nth = 0; nth < count; nth += 1) {
    const { name, min, max } = metrics[
      (index * 3 + nth * 2 + (minute % 50 === 0 ? 1 : 0)) % metrics.length
    ] as (typeof metrics)[number];
    const draw = ((index * 7919 + minute * 104_729 + nth * 31) % 1000) / 1000;
    const value = minute % 97 === index % 97 ? (nth % 2 === 0 ? min : max) : min + (Math.min(max, 1000) - min) * draw;
    values[name] = Math.min(max, Math.max(min, value));
  }
  if (index % 4 === 0) Object.assign(values, { 'xid_errors{xid="31"}': minute % 3, 'xid_errors{xid="79"}': 1 });
  if (index % 6 === 1) values["odd, name"] = numberOf(minute + index);
  if (index % 17 === 0) values["DCGM_FI_DEV_FAN_SPEED"] = numberOf(minute);
  return values;
}

function recordOf(index: number, minute: number): TestRecord {
  const timeMs = firstMs + minute * stepMs + (index % 10 === 9 ? 250 : 0);
  const namespace = "ml";
  // a GPU's workload changes each hour
  const pod = `job ${textOf(index)} ${Math.floor(minute / 60)}`;
  const held = index % 3 === 0 ? {} : { workload: { container: index % 2 === 0 ? "" : "c", pod, namespace } };
  const sharing = [1, 2].map((nth) => ({ container: "c", pod: `shared-${nth}`, namespace: `${namespace}-ü` }));
  const shared = index % 9 === 4 ? { sharing } : {};
  return { ...gpuOf(index), timeMs, metrics: metricsOf(index, minute), ...held, ...shared };
}

/** Stores the records of a fleet in an empty database. @returns how many */
export async function fill(url: string, { gpus, hours }: FleetSize): Promise<number> {
  const { store, close } = await openPostgresStore({ url, migrate: true });
  try {
    for (let from = 0; from < hours * 60; from += minutesAtOnce) {
      const records = Array.from({ length: gpus * minutesAtOnce }, (_, at) =>
        recordOf(at % gpus, from + Math.floor(at / gpus)),
      );
      await store.ingest(messageOf(`minutes from ${from}`, makeBatch(records)));
    }
  } finally {
    await close();
  }
  return gpus * hours * 60;
}

/** A part of the fleet that fits into memory: an hour of a cluster. */
export interface Part {
  readonly hour: number;
  readonly clusterId: string;
}

/** All parts of a fleet, hour by hour. */
export function partsOf({ hours }: FleetSize): Part[] {
  return Array.from({ length: hours }, (_, nth) => firstMs + nth * hourMs).flatMap((hour) =>
    clusterIds.map((clusterId) => ({ hour, clusterId })),
  );
}
