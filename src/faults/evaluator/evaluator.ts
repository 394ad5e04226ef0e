import { futureMs } from "../../domain/future-records.ts";
import type { StateSpan } from "../../domain/inventory.ts";
import type { StoredRecord } from "../../domain/query.ts";
import type { ActiveFault, FaultChange } from "../fault.ts";
import { type Rule, rulesOf } from "../rules/rule.ts";
import type { XidCatalogue } from "../rules/xid-catalogue.ts";
import { AbsenceRules, oughtToReport } from "./absence-rules.ts";
import { CounterRises } from "./counter-rises.ts";
import { DriverRules } from "./driver-rules.ts";
import { Fleet } from "./fleet.ts";
import { jobOf } from "./job-of.ts";
import { maxGapOf, type Observation } from "./observation.ts";
import { SiblingRules } from "./sibling-rules.ts";
import type { ClusterState, DeviceState, EvaluatorState, HostState, Owner } from "./state.ts";
import { learnInterval, StreamRules } from "./stream-rules.ts";
import { Suppression } from "./suppression.ts";
import { Transitions } from "./transitions.ts";
import { ValueRules } from "./value-rules.ts";
import { WindowRules } from "./window-rules.ts";
import { XidRules } from "./xid-rules.ts";

/** A record that is so much older than the evaluator's time when it arrives does not show that its device reports now. */
const presentMs = 600_000;
/** Without a record or a tick for so long, the pipeline has stopped. Afterwards, hosts return one by one. */
const stoppedMs = 60_000;
const graceMs = 120_000;
/** A device that has not reported for so long is forgotten. */
const forgottenMs = 7 * 86_400_000;
/** A device that has not reported for so long has no condition that lasts. One whose newest record was of the past when it arrived, as in
 *  a file of the last hour, waits less: a pipeline that stops for a while delays the others. */
const waitingMs = { live: 3_600_000, past: 600_000 };
/** The counter of the energy begins again with the driver: it falls at a reset or reboot, to a fraction of its value. */
const energy = "total_energy_mj";

export interface FaultEvaluatorOptions {
  readonly rules: readonly Rule[];
  readonly catalogue: XidCatalogue;
  /** What `save` has returned; absent for an evaluator that knows nothing. */
  readonly state?: EvaluatorState;
}

/** Where a reset or reboot was. */
export interface BoundaryPlace {
  readonly clusterId: string;
  readonly hostname: string;
  /** Empty for all devices of the host. */
  readonly uuid: string;
}

/** Evaluates rules on records as they are stored, and on the passing of time. It neither waits nor reads a clock: the same inputs give
 *  the same changes. Of each device, instants are judged in their order; a record that is older than the newest one of its device is
 *  late and has no effect, nor has a repeated one. */
export class FaultEvaluator {
  /** What it remembers. */
  readonly fleet: Fleet;
  private readonly transitions = new Transitions();
  private readonly suppression: Suppression;
  private readonly rises: CounterRises;
  private readonly values: ValueRules;
  private readonly windows: WindowRules;
  private readonly streams: StreamRules;
  private readonly siblings: SiblingRules;
  private readonly absence: AbsenceRules;
  private readonly drivers: DriverRules;
  private readonly xids: XidRules;
  private readonly ruleIds: ReadonlySet<string>;

  constructor({ rules, catalogue, state }: FaultEvaluatorOptions) {
    const { transitions } = this;
    this.fleet = new Fleet(state);
    this.suppression = new Suppression(this.fleet, transitions);
    const counters = [...rulesOf(rules, "rate"), ...rulesOf(rules, "increase")].map(({ metric }) => metric);
    const compared = rulesOf(rules, "siblings").flatMap((rule) => (rule.per_second ? [rule.metric] : []));
    this.rises = new CounterRises([...new Set([...counters, ...compared, energy])]);
    this.values = new ValueRules(rules, this.rises, transitions);
    this.windows = new WindowRules(rules, this.rises, transitions);
    this.streams = new StreamRules(rules, transitions);
    this.siblings = new SiblingRules(rules, this.rises, transitions);
    this.absence = new AbsenceRules(rules, transitions);
    this.drivers = new DriverRules(rules, transitions);
    const devices = (): Iterable<DeviceState> => this.fleet.devices();
    const clusterOf = (device: DeviceState): Owner => this.fleet.clusterOf(device);
    this.xids = new XidRules({ rules, catalogue, transitions, devices, clusterOf });
    this.ruleIds = new Set(rules.flatMap(({ id, enabled }) => (enabled === false ? [] : [id])));
  }

  /** Judges a stored record.
   *  @param arrivedMs when it arrived: by default, now
   *  @returns the changes of state, in their order */
  observe(record: StoredRecord, arrivedMs = this.fleet.time.nowMs): FaultChange[] {
    if (this.isAhead(record)) return [];
    const device = this.fleet.deviceOf(record);
    if (record.timeMs < device.lastMs) return [];
    const observation = this.observationOf(device, record, arrivedMs);
    const energyBefore = device.counters[energy]?.[0];
    this.rises.observe(observation);
    const hasRestarted = energyBefore !== undefined && (device.counters[energy]?.[0] ?? Infinity) < energyBefore / 2;
    if (hasRestarted) this.endXids(device, record.timeMs, "The GPU was reset, or its node restarted.");
    this.xids.observe(observation);
    this.values.observe(observation);
    this.windows.observe(observation);
    this.streams.observe(observation);
    this.siblings.observe(observation);
    return this.transitions.take();
  }

  /** True if the record is of the future, as that of a device whose clock is ahead: it has no effect, because it would make those of the
   *  present late. */
  isAhead({ timeMs }: Pick<StoredRecord, "timeMs">): boolean {
    const { nowMs } = this.fleet.time;
    return nowMs > 0 && timeMs > nowMs + futureMs;
  }

  /** Lets time pass; it is called before the first record and then every few seconds, as silence and differences between devices are judged only here.
   *  @param nowMs a time that is not later than the last one has no effect
   *  @returns the changes of state, in their order */
  advance(nowMs: number): FaultChange[] {
    const { time } = this.fleet;
    if (nowMs <= time.nowMs) return [];
    const wasStopped = nowMs - time.nowMs > stoppedMs;
    if (wasStopped) time.tickingSinceMs = nowMs;
    time.nowMs = nowMs;
    this.suppression.advance(nowMs);
    this.advanceClusters(wasStopped);
    for (const { host, devices } of this.fleet.hosts()) {
      this.absence.advanceHost({ cluster: this.fleet.clusterOf(host), host, devices }, nowMs);
    }
    this.siblings.advance(this.fleet.devices(), nowMs);
    this.drivers.advance(this.fleet.clusters(), this.fleet.devices(), nowMs);
    this.advanceOwners(nowMs);
    return this.transitions.take();
  }

  /** An operator has seen a fault. An event, such as an XID, ends thereby.
   *  @returns no change if no fault with this id fires */
  acknowledge(faultId: string, by: string, atMs: number): FaultChange[] {
    for (const owner of this.owners()) {
      const fault = owner.faults.find(({ id }) => id === faultId);
      const why = `Acknowledged by ${by}.`;
      if (fault === undefined || !this.transitions.acknowledge(fault, { atMs, why })) continue;
      if (this.xids.endsByAcknowledgement(fault.rule)) this.transitions.resolve(owner, fault, { atMs, why });
    }
    return this.transitions.take();
  }

  /** A device was reset, or a host rebooted: the XIDs there end. */
  endByBoundary(
    { clusterId, hostname, uuid }: BoundaryPlace,
    boundary: "reset" | "reboot",
    atMs: number,
  ): FaultChange[] {
    const why = boundary === "reset" ? "The GPU was reset." : "The node was rebooted.";
    for (const device of this.fleet.devices()) {
      const isThere = device.clusterId === clusterId && device.hostname === hostname;
      if (isThere && (uuid === "" || uuid === device.uuid)) this.endXids(device, atMs, why);
    }
    return this.transitions.take();
  }

  /** Replaces the spans of maintenance and decommissioning. They have an effect at the next `advance`, and on later records. */
  setSpans(spans: readonly StateSpan[]): void {
    this.suppression.set(spans);
  }

  /** The faults that have not ended. */
  active(): readonly ActiveFault[] {
    return Array.from(this.owners(), ({ faults }) => faults).flat();
  }

  /** All that the evaluator remembers. An evaluator that is created with it continues as this one would. */
  save(): EvaluatorState {
    return this.fleet.save();
  }

  private observationOf(device: DeviceState, record: StoredRecord, arrivedMs: number): Observation {
    const { nowMs } = this.fleet.time;
    const elapsedMs = record.timeMs - device.lastMs;
    const isAfterGap = elapsedMs > maxGapOf(device);
    if (elapsedMs > 0) learnInterval(device, elapsedMs);
    if (elapsedMs > 0) device.formerJob = device.job;
    const job = jobOf(record.gpu, record.occupants);
    if (job !== device.job) [device.job, device.jobSinceMs] = [job, record.timeMs];
    const isLive = record.timeMs > nowMs - presentMs;
    if (elapsedMs > 0) {
      device.formerOccupants = device.occupants;
      device.isLive = isLive;
    } else device.isLive ||= isLive;
    const isRepeated = elapsedMs === 0 && device.arrivedMs > 0;
    if (!isRepeated) device.arrivedMs = Math.max(device.arrivedMs, arrivedMs);
    device.occupants = record.occupants;
    device.lastMs = record.timeMs;
    this.fleet.place(device, record);
    const cluster = this.fleet.clusterOf(device);
    if (isLive) cluster.newestMs = Math.max(cluster.newestMs, record.timeMs);
    if (isLive && !isRepeated) cluster.arrivedMs = Math.max(cluster.arrivedMs, arrivedMs);
    const mayRaise = !this.suppression.covers(device, record.timeMs);
    if (!mayRaise && elapsedMs > 0) forgetCounted(device);
    return { device, record, atMs: record.timeMs, elapsedMs, isAfterGap, mayRaise };
  }

  /** @param wasStopped true if the time has a gap: records arrive again, host by host */
  private advanceClusters(wasStopped: boolean): void {
    const { nowMs, tickingSinceMs } = this.fleet.time;
    const intervals = new Map<string, number>();
    for (const device of this.fleet.devices()) {
      if (!oughtToReport(device)) continue;
      const shortestMs = intervals.get(device.clusterId) ?? Infinity;
      intervals.set(device.clusterId, Math.min(shortestMs, device.intervalMs || Infinity));
    }
    for (const cluster of this.fleet.clusters()) {
      const shortestMs = intervals.get(cluster.clusterId);
      const intervalMs = shortestMs === Infinity ? 0 : shortestMs;
      const isSilent = nowMs - cluster.arrivedMs > Math.max(stoppedMs, 3 * (intervalMs ?? 0));
      if (wasStopped || isSilent) cluster.graceUntilMs = nowMs + graceMs;
      this.absence.advanceCluster({ cluster, nowMs, tickingSinceMs, intervalMs });
    }
  }

  private advanceOwners(nowMs: number): void {
    for (const device of this.fleet.devices()) {
      if (device.faults.length > 0 || device.xids.length > 0) this.xids.advance(device, nowMs);
      if (device.arrivedMs === 0) device.arrivedMs = nowMs;
      else if (nowMs - device.arrivedMs > forgottenMs) this.forget(device, nowMs);
      if (device.faults.length > 0) this.endPending(device, nowMs);
    }
    for (const { host, devices } of this.fleet.hosts()) {
      this.xids.advanceHost(host, nowMs);
      if (devices.length === 0) this.forgetHost(host, nowMs);
    }
    const clusterIds = new Set(Array.from(this.fleet.hosts(), ({ host }) => host.clusterId));
    for (const cluster of this.fleet.clusters()) {
      this.xids.advanceCluster(cluster, nowMs);
      if (!clusterIds.has(cluster.clusterId)) this.forgetCluster(cluster, nowMs);
    }
    for (const owner of this.owners()) {
      for (const fault of owner.faults) {
        const why = "The rule was removed or disabled.";
        if (!this.ruleIds.has(fault.rule)) this.transitions.resolve(owner, fault, { atMs: nowMs, why });
      }
    }
  }

  /** Ends what is pending of a device that sends nothing more: no record would ever end it. */
  private endPending(device: DeviceState, nowMs: number): void {
    const untilMs = device.arrivedMs + waitingMs[device.isLive ? "live" : "past"];
    if (nowMs <= Math.max(untilMs, device.arrivedMs + maxGapOf(device))) return;
    for (const fault of device.faults) {
      const why = "It did not last: the device sends no more records.";
      if (fault.state === "pending") this.transitions.resolve(device, fault, { atMs: nowMs, why });
    }
  }

  private forget(device: DeviceState, nowMs: number): void {
    const why = "The device has not reported for 7 days.";
    for (const fault of device.faults) this.transitions.resolve(device, fault, { atMs: nowMs, why });
    this.fleet.forget(device);
  }

  private forgetHost(host: HostState, nowMs: number): void {
    for (const fault of host.faults)
      this.transitions.resolve(host, fault, { atMs: nowMs, why: "The host has no device any more." });
    this.fleet.forgetHost(host);
  }

  private endXids(device: DeviceState, atMs: number, why: string): void {
    this.xids.endByBoundary(device, this.fleet.hostOf(device), { atMs, why });
  }

  private forgetCluster(cluster: ClusterState, nowMs: number): void {
    const why = "The cluster has no host any more.";
    for (const fault of cluster.faults) this.transitions.resolve(cluster, fault, { atMs: nowMs, why });
    this.fleet.forgetCluster(cluster);
  }

  private *owners(): Iterable<Owner> {
    yield* this.fleet.devices();
    for (const { host } of this.fleet.hosts()) yield host;
    yield* this.fleet.clusters();
  }
}

/** What is counted over time does not continue after maintenance. */
function forgetCounted(device: DeviceState): void {
  device.windows = {};
  device.fastValues = null;
  for (const kept of Object.values(device.compared)) kept[1] = 0;
}
