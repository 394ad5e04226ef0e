import { hasNvidiaMigUuid, migInstanceOf } from "../../domain/mig-instance.ts";
import { type Rule, type RuleOf, rulesOf } from "../rules/rule.ts";
import { ofDevice } from "./observation.ts";
import type { ClusterState, DeviceState, HostState, Owner } from "./state.ts";
import { type Beginning, faultOf, type Transitions } from "./transitions.ts";

/** A host with its devices, and its cluster. */
export interface HostDevices {
  readonly cluster: ClusterState;
  readonly host: HostState;
  readonly devices: readonly DeviceState[];
}

/** A cluster at a time. */
export interface ClusterAt {
  readonly cluster: ClusterState;
  readonly nowMs: number;
  /** Since when the time passes without a long gap. */
  readonly tickingSinceMs: number;
  /** The shortest interval of a device that ought to report; undefined if no device ought to. */
  readonly intervalMs: number | undefined;
}

interface Silence {
  readonly rule: RuleOf<"absence">;
  /** The arrival of the newest record. */
  readonly heardMs: number;
  /** Silence before this instant is excused. */
  readonly excusedMs: number;
  /** The instant by which it is judged. */
  readonly untilMs: number;
  /** The newest record's own instant. */
  readonly lastMs: number;
  readonly intervalMs: number;
  readonly atMs: number;
  readonly mayRaise: boolean;
  readonly what: string;
}

/** Judges silence. A device is silent by the newest arrival from its host, a host by the newest one from its cluster: what stops the
 *  pipeline is no fault of a host. Only a cluster is silent by the time. Arrivals count, not the instants of records: clocks of hosts
 *  differ. */
export class AbsenceRules {
  private readonly ofDevices: readonly RuleOf<"absence">[];
  private readonly ofHosts: readonly RuleOf<"absence">[];
  private readonly ofClusters: readonly RuleOf<"absence">[];

  constructor(
    rules: readonly Rule[],
    private readonly transitions: Transitions,
  ) {
    const absence = rulesOf(rules, "absence");
    this.ofDevices = absence.filter((rule) => rule.of === "device");
    this.ofHosts = absence.filter((rule) => rule.of === "host");
    this.ofClusters = absence.filter((rule) => rule.of === "cluster");
  }

  advanceCluster({ cluster, nowMs, tickingSinceMs, intervalMs }: ClusterAt): void {
    if (intervalMs === undefined || cluster.newestMs === 0) return;
    const { clusterId } = cluster;
    const { newestMs: lastMs, arrivedMs: heardMs } = cluster;
    for (const rule of this.ofClusters) {
      const subject = { kind: "cluster", clusterId, hostname: "", uuid: "", job: "" } as const;
      const what = `any host of the cluster ${clusterId}`;
      const times = { heardMs, excusedMs: tickingSinceMs, untilMs: nowMs, lastMs, intervalMs, atMs: nowMs };
      const silence = { rule, ...times, mayRaise: true, what };
      this.judge(cluster, silence, () => ({ subject, holders: [] }));
    }
  }

  advanceHost({ cluster, host, devices }: HostDevices, nowMs: number): void {
    const present = devices.filter(oughtToReport);
    if (present.length === 0) return;
    let [lastMs, heardMs, excusedMs, intervalMs] = [0, 0, 0, 0];
    for (const device of present) {
      lastMs = Math.max(lastMs, device.lastMs);
      heardMs = Math.max(heardMs, device.arrivedMs);
      excusedMs = Math.max(excusedMs, device.excusedMs);
      intervalMs = Math.max(intervalMs, device.intervalMs);
    }
    const mayRaise = nowMs >= cluster.graceUntilMs;
    for (const rule of this.ofHosts) {
      const { clusterId, hostname } = host;
      const subject = { kind: "host", clusterId, hostname, uuid: "", job: "" } as const;
      const what = `the host ${hostname}`;
      const times = { heardMs, excusedMs, untilMs: cluster.arrivedMs, lastMs, intervalMs, atMs: nowMs };
      const silence = { rule, ...times, mayRaise, what };
      this.judge(host, silence, () => ({ subject, holders: present.flatMap(({ occupants }) => occupants) }));
    }
    for (const device of present) {
      // nearly all devices have reported with their host
      if (device.arrivedMs >= heardMs && device.faults.length === 0) continue;
      const isExpected = !isInstance(device) && !isReplaced(device, devices);
      this.advanceDevice(device, { untilMs: heardMs, atMs: nowMs, mayRaise: mayRaise && isExpected });
    }
  }

  private advanceDevice(device: DeviceState, silence: Pick<Silence, "untilMs" | "atMs" | "mayRaise">): void {
    const { arrivedMs: heardMs, excusedMs, lastMs } = device;
    for (const rule of this.ofDevices) {
      const what = `GPU ${device.gpuId} of ${device.hostname}`;
      this.judge(device, { ...silence, heardMs, excusedMs, lastMs, rule, intervalMs: device.intervalMs, what }, () =>
        ofDevice(device),
      );
    }
  }

  private judge(owner: Owner, silence: Silence, beginning: () => Pick<Beginning, "subject" | "holders">): void {
    const { rule, heardMs, excusedMs, untilMs, lastMs, intervalMs, atMs, mayRaise, what } = silence;
    const limitMs = Math.max(rule.for_seconds * 1000, rule.intervals * intervalMs);
    const silentMs = untilMs - Math.max(heardMs, excusedMs);
    const isBad = silentMs > limitMs;
    if (!isBad && faultOf(owner, rule.id) === undefined) return;
    const value = Math.max(0, silentMs / 1000);
    const why = (): string =>
      isBad ? `No record of ${what} for ${Math.round(value)} s${others[rule.of]}.` : "Records arrive again.";
    this.transitions.judge(
      owner,
      { isBad, isClear: untilMs - heardMs <= limitMs, value, atMs, mayRaise, why },
      {
        rule,
        durations: { forMs: 0, resolveForMs: 0, maxGapMs: Infinity },
        beginning: () => ({ ...beginning(), startedAtMs: Math.max(lastMs, excusedMs) }),
      },
    );
  }
}

const others = { device: ", while its host reports", host: ", while its cluster reports", cluster: "" } as const;

/** True if silence of the device means something. */
export function oughtToReport({ isLive, isSuppressed }: DeviceState): boolean {
  return isLive && !isSuppressed;
}

/** MIG instances come and go as the GPU is divided. */
function isInstance({ uuid }: DeviceState): boolean {
  return hasNvidiaMigUuid(uuid) || migInstanceOf(uuid) !== undefined;
}

/** True if another board is in the slot. */
function isReplaced(device: DeviceState, others: readonly DeviceState[]): boolean {
  return others.some((other) => other.gpuId === device.gpuId && other.lastMs > device.lastMs && !isInstance(other));
}
