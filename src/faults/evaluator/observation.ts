import type { StoredRecord } from "../../domain/query.ts";
import { metricIndexOf } from "../../domain/metrics.ts";
import type { FaultSubject } from "../fault.ts";
import type { DeviceState } from "./state.ts";
import type { Beginning } from "./transitions.ts";

/** A record that is being judged, and the state of its device before it. */
export interface Observation {
  readonly device: DeviceState;
  readonly record: StoredRecord;
  readonly atMs: number;
  /** Since the record before; 0 for the first one, and for another part of the same instant. */
  readonly elapsedMs: number;
  /** True if the gap before the record is so long that what was counted over time begins again. */
  readonly isAfterGap: boolean;
  /** False under maintenance: no fault begins, and nothing is counted. */
  readonly mayRaise: boolean;
}

/** Reads a metric of a record. */
export type ReadMetric = (record: StoredRecord) => number | undefined;

/** @param name a metric of the catalogue, or another one */
export function readerOf(name: string): ReadMetric {
  return metricIndexOf(name) === undefined ? (record) => record.custom[name] : (record) => record.metrics[name];
}

/** The device as the subject of a fault, with the workloads that hold it. */
export function ofDevice(device: DeviceState): Pick<Beginning, "subject" | "holders"> {
  const { clusterId, hostname, uuid } = device;
  const subject: FaultSubject = { kind: "device", clusterId, hostname, uuid, job: "" };
  return { subject, holders: device.occupants };
}

/** A condition continues over a gap between records that is at most this long, or three intervals. */
const shortestGapMs = 300_000;

/** The gap after which a condition begins again. */
export function maxGapOf({ intervalMs }: DeviceState): number {
  return Math.max(shortestGapMs, 3 * intervalMs);
}

/** A number for a sentence: at most four significant digits after the first. */
export const shownNumber = (value: number): string => String(Number(value.toPrecision(5)));
