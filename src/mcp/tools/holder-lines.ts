import type { Workload } from "../../domain/gpu.ts";
import { counted, figure, holdersText, shown } from "../text.ts";

/** A GPU or MIG instance, with what its newest record says. */
export interface Device {
  readonly uuid: string;
  readonly clusterId: string;
  readonly hostname: string;
  readonly gpuId: string;
  readonly recordAt: string;
  readonly utilization: number | undefined;
  /** True if the record is too old to say who holds the device now. */
  readonly isSilent: boolean;
  readonly holders: readonly Workload[];
  /** The job of a batch system and its user; empty if no label names them. */
  readonly job: string;
  readonly user: string;
}

/** True if nothing is known to hold the device. */
export function isFree({ holders, job }: Device): boolean {
  return holders.length === 0 && job === "";
}

/** Workloads, a job and its user, in words. */
export function whoText({ holders, job, user }: Pick<Device, "holders" | "job" | "user">): string {
  const parts = [holdersText(holders), job === "" ? "" : `job ${shown(job)}`, user === "" ? "" : `user ${shown(user)}`];
  return parts.filter((part) => part !== "").join(", ");
}

/** A device as a line. */
export function deviceLine(device: Device): string {
  const { clusterId, hostname, gpuId, uuid, recordAt, utilization, isSilent } = device;
  const held = isFree(device) ? "free" : `held by ${whoText(device)}`;
  const state = isSilent ? `silent since ${recordAt}, then ${held}` : held;
  const busy = utilization === undefined ? "utilization not measured" : `utilization ${figure(utilization)} percent`;
  return `${shown(clusterId)} ${shown(hostname)} GPU ${shown(gpuId)} (${shown(uuid)}): ${state}; ${busy}, at ${recordAt}`;
}

/** How many hosts a line names. */
const maxHosts = 10;

/** A line for each pod, or job without a pod, or for each namespace, those with the most devices first. Devices that are silent are not
 *  counted. */
export function groupLines(devices: readonly Device[], by: "pod" | "namespace"): string[] {
  const groups = new Map<string, Set<Device>>();
  for (const device of devices.filter(({ isSilent }) => !isSilent)) {
    for (const key of groupsOf(device, by)) groups.set(key, (groups.get(key) ?? new Set()).add(device));
  }
  return [...groups]
    .sort(([a, ofA], [b, ofB]) => ofB.size - ofA.size || (a < b ? -1 : 1))
    .map(([name, held]) => `${name}: ${counted(held.size, "device")}; ${hostsText(held)}; ${busyText(held)}`);
}

function groupsOf(device: Device, by: "pod" | "namespace"): string[] {
  const { holders, user } = device;
  if (isFree(device)) return [];
  if (holders.length === 0)
    return [by === "pod" ? whoText(device) : `(no namespace)${user === "" ? "" : `, user ${shown(user)}`}`];
  return holders.map(({ namespace, pod, container }) =>
    by === "pod" ? holdersText([{ namespace, pod: pod || container }]) : shown(namespace) || "(no namespace)",
  );
}

function hostsText(devices: ReadonlySet<Device>): string {
  const counts = new Map<string, number>();
  for (const { hostname } of devices) counts.set(hostname, (counts.get(hostname) ?? 0) + 1);
  const named = [...counts].slice(0, maxHosts).map(([host, count]) => `${shown(host)} (${count})`);
  return named.join(", ") + (counts.size > maxHosts ? ` and ${counts.size - maxHosts} more hosts` : "");
}

function busyText(devices: ReadonlySet<Device>): string {
  const measured = [...devices].flatMap(({ utilization }) => (utilization === undefined ? [] : [utilization]));
  if (measured.length === 0) return "utilization not measured";
  const mean = measured.reduce((sum, value) => sum + value, 0) / measured.length;
  return `mean utilization ${figure(mean)} percent of ${measured.length}`;
}
