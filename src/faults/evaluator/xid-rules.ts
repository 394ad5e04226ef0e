import { type Rule, type RuleOf, rulesOf } from "../rules/rule.ts";
import { type Xid, type XidCatalogue, xidOfCode } from "../rules/xid-catalogue.ts";
import type { ActiveFault } from "../fault.ts";
import { type Observation, ofDevice } from "./observation.ts";
import { type DeviceState, type HostState, maxActiveXids, maxJobXids, type Owner } from "./state.ts";
import { faultOf, type Transitions } from "./transitions.ts";
import { UncuredRules } from "./uncured-rules.ts";
import { countBursts, forgetXids, rememberXid, XidEvents } from "./xid-events.ts";

export interface XidRulesOptions {
  readonly rules: readonly Rule[];
  readonly catalogue: XidCatalogue;
  readonly transitions: Transitions;
  /** All devices, for the XIDs of one job. */
  readonly devices: () => Iterable<DeviceState>;
  /** The cluster of a device, which has the faults of its jobs. */
  readonly clusterOf: (device: DeviceState) => Owner;
}

/** The classes of XIDs after which a reset or reboot is a remediation. */
const remediedClasses = ["reset", "reboot", "memory", "link"];
/** A reboot resets all GPUs of a host: it is one remediation. */
const oneRemediationMs = 600_000;
const maxRemediations = 20;

/** Judges XIDs. An XID is an event: it fires at once, and ends by a boundary, not when the gauge falls. */
export class XidRules {
  private readonly events = new XidEvents();
  private readonly byClass: ReadonlyMap<string, RuleOf<"xid">>;
  private readonly again: readonly RuleOf<"xid-again">[];
  private readonly ofJobs: readonly RuleOf<"xid-job">[];
  private readonly uncured: UncuredRules;
  private readonly remediations: readonly RuleOf<"remediations">[];
  private readonly keptMs: number;

  constructor(private readonly options: XidRulesOptions) {
    const { rules } = options;
    this.byClass = new Map(rulesOf(rules, "xid").map((rule) => [rule.class, rule]));
    this.again = rulesOf(rules, "xid-again");
    this.ofJobs = rulesOf(rules, "xid-job");
    this.uncured = new UncuredRules(rules, options.transitions);
    this.remediations = rulesOf(rules, "remediations");
    this.keptMs = 1000 * Math.max(86_400, ...[...this.again, ...this.ofJobs].map((rule) => rule.within_seconds));
  }

  observe(observation: Observation): void {
    const codes = this.events.observe(observation);
    if (codes.length === 0 || !observation.mayRaise) return;
    for (const code of codes) this.raise(observation, code);
  }

  /** Ends the XIDs of a device at a reset or reboot. */
  endByBoundary(device: DeviceState, host: HostState, { atMs, why }: Ending): void {
    const ended = device.faults.filter(({ rule }) => this.isEvent(rule));
    const isRemedy = ended.some(({ rule }) => remediedClasses.some((name) => this.byClass.get(name)?.id === rule));
    for (const fault of ended) this.options.transitions.resolve(device, fault, { atMs, why });
    this.uncured.remember(device, ended, atMs);
    if (isRemedy) this.remember(host, atMs);
  }

  /** True if faults of the rule end when an operator acknowledges them. */
  endsByAcknowledgement(ruleId: string): boolean {
    const others = [...this.again, ...this.ofJobs, ...this.remediations];
    return this.isEvent(ruleId) || this.uncured.has(ruleId) || others.some(({ id }) => id === ruleId);
  }

  /** Ends what ends by time, or with its job. */
  advance(device: DeviceState, nowMs: number): void {
    for (const fault of device.faults) this.endByTime(device, fault, nowMs);
    this.uncured.advance(device, nowMs);
    if (device.xids.length > 0) forgetXids(device, nowMs - this.keptMs);
  }

  advanceCluster(cluster: Owner, nowMs: number): void {
    for (const fault of cluster.faults) {
      const rule = this.ofJobs.find(({ id }) => fault.rule === id);
      if (rule === undefined || nowMs - fault.judgedMs <= rule.within_seconds * 1000) continue;
      this.options.transitions.resolve(cluster, fault, { atMs: nowMs, why: "The XID has not come again." });
    }
  }

  advanceHost(host: HostState, nowMs: number): void {
    for (const rule of this.remediations) {
      const count = host.remediatedMs.filter((atMs) => atMs > nowMs - rule.within_seconds * 1000).length;
      const fault = faultOf(host, rule.id);
      if (fault === undefined || count >= rule.at_least) continue;
      this.options.transitions.resolve(host, fault, { atMs: nowMs, why: "There were fewer resets and reboots since." });
    }
  }

  private isEvent(ruleId: string): boolean {
    for (const { id } of this.byClass.values()) if (id === ruleId) return true;
    return false;
  }

  private raise(observation: Observation, code: number): void {
    const { device, atMs } = observation;
    const xid = xidOfCode(this.options.catalogue, code);
    const lastMs = device.xids.find((each) => each.code === code)?.bursts.at(-1)?.[1] ?? -Infinity;
    rememberXid(device, code, atMs);
    const rule = this.byClass.get(xid.class);
    if (rule !== undefined) this.raiseEvent({ rule, xid, observation, lastMs });
    this.judgeJob(device, code, atMs);
    this.judgeAgain(device, xid, atMs);
    this.uncured.observe(observation, xid);
  }

  private raiseEvent({ rule, xid, observation, lastMs }: Raising): void {
    const { device, atMs } = observation;
    const name = `nvidia.xid.${xid.code}`;
    const active = faultOf(device, name);
    if (active !== undefined) active.judgedMs = atMs;
    else if (atMs - lastMs > rule.burst_seconds * 1000) {
      const [summary, action] = [`XID ${xid.code}: ${xid.name}`, xid.action];
      const why = `The driver reported XID ${xid.code} (class ${xid.class}, source ${xid.source}).`;
      const texts = { name, summary, action, why, value: xid.code };
      this.makeRoom(device, atMs);
      this.options.transitions.begin({ owner: device, rule, ...heldBefore(device), ...texts, atMs }, "firing");
    }
  }

  /** Memory is bounded: the oldest XID ends if a device has too many. */
  private makeRoom(device: DeviceState, atMs: number): void {
    const events = device.faults.filter(({ rule }) => this.isEvent(rule));
    const [oldest] = events;
    if (oldest === undefined || events.length < maxActiveXids) return;
    const why = `The device has more than ${maxActiveXids} XIDs, and this is the oldest.`;
    this.options.transitions.resolve(device, oldest, { atMs, why });
  }

  private judgeAgain(device: DeviceState, xid: Xid, atMs: number): void {
    for (const rule of this.again) {
      const isOfCode = rule.codes?.includes(xid.code) === true;
      if (!isOfCode && rule.classes?.includes(xid.class) !== true) continue;
      const name = isOfCode ? `${rule.id}.${xid.code}` : rule.id;
      const count = this.countOf(device, rule, { code: isOfCode ? xid.code : undefined, atMs });
      const active = faultOf(device, name);
      if (active !== undefined) active.judgedMs = atMs;
      if (active !== undefined || count < rule.at_least || this.isOfProgram(device, xid.code)) continue;
      const why = `XID ${xid.code} came ${isOfCode ? "" : "as one of several fatal XIDs "}in ${count} bursts within ${rule.within_seconds / 3600} h.`;
      this.options.transitions.begin(
        { owner: device, rule, ...heldBefore(device), name, atMs, value: count, why },
        "firing",
      );
    }
  }

  private countOf(device: DeviceState, rule: RuleOf<"xid-again">, { code, atMs }: CodeAt): number {
    const histories = device.xids.filter((each) => {
      if (code !== undefined) return each.code === code;
      return rule.classes?.includes(xidOfCode(this.options.catalogue, each.code).class) === true;
    });
    return countBursts(histories, { fromMs: atMs - rule.within_seconds * 1000, burstMs: rule.burst_seconds * 1000 });
  }

  /** True if several GPUs of the device's job had the code: its program is at fault, not the GPU. */
  private isOfProgram(device: DeviceState, code: number): boolean {
    const job = device.jobXids.findLast((each) => each.code === code)?.job;
    const cluster = this.options.clusterOf(device);
    return this.ofJobs.some((rule) => rule.codes.includes(code) && faultOf(cluster, jobName(rule, job)) !== undefined);
  }

  private judgeJob(device: DeviceState, code: number, atMs: number): void {
    const job = device.job || device.formerJob;
    for (const rule of job === "" ? [] : this.ofJobs) {
      if (!rule.codes.includes(code)) continue;
      const others = device.jobXids.filter((each) => each.job !== job || each.code !== code);
      device.jobXids = [...others, { code, job, atMs }].slice(-maxJobXids);
      const name = jobName(rule, job);
      const active = faultOf(this.options.clusterOf(device), name);
      if (active !== undefined) active.judgedMs = Math.max(active.judgedMs, atMs);
      else this.beginJob({ rule, device, job, name, code, atMs });
    }
  }

  private beginJob({ rule, device, job, name, code, atMs }: JobXid): void {
    const { clusterId } = device;
    const fromMs = atMs - rule.within_seconds * 1000;
    let gpus = 0;
    for (const other of this.options.devices()) {
      if (other.jobXids.length === 0 || other.clusterId !== clusterId) continue;
      if (other.jobXids.some((each) => each.code === code && each.job === job && each.atMs > fromMs)) gpus += 1;
    }
    if (gpus < rule.at_least) return;
    const why = `XID ${code} occurred on ${gpus} GPUs of the job within ${rule.within_seconds / 3600} h.`;
    const subject = { kind: "job", clusterId, hostname: "", uuid: "", job } as const;
    const { holders } = heldBefore(device);
    this.options.transitions.begin(
      { owner: this.options.clusterOf(device), rule, subject, holders, name, atMs, value: gpus, why },
      "firing",
    );
  }

  private endByTime(device: DeviceState, fault: ActiveFault, nowMs: number): void {
    const again = this.again.find(({ id }) => id === fault.rule);
    if (again !== undefined) this.endAgain(device, fault, { rule: again, nowMs });
    const rule = [...this.byClass.values()].find(({ id }) => id === fault.rule);
    if (rule === undefined) return;
    const end = (why: string): void => this.options.transitions.resolve(device, fault, { atMs: nowMs, why });
    if (rule.ends_with_job && isReleased(device, fault)) return end("The workloads that held the device are gone.");
    if (rule.quiet_seconds > 0 && nowMs - fault.judgedMs > rule.quiet_seconds * 1000)
      end("The XID has not come again.");
  }

  private endAgain(
    device: DeviceState,
    fault: ActiveFault,
    { rule, nowMs }: { readonly rule: RuleOf<"xid-again">; readonly nowMs: number },
  ): void {
    if (nowMs - fault.judgedMs <= rule.sticky_seconds * 1000) return;
    const code = rule.codes === undefined ? undefined : Number(fault.name.slice(rule.id.length + 1));
    if (this.countOf(device, rule, { code, atMs: nowMs }) >= rule.at_least) return;
    this.options.transitions.resolve(device, fault, { atMs: nowMs, why: "The XIDs have not come again." });
  }

  private remember(host: HostState, atMs: number): void {
    const lastMs = host.remediatedMs.at(-1);
    if (lastMs !== undefined && atMs - lastMs < oneRemediationMs) return;
    host.remediatedMs = [...host.remediatedMs, atMs].slice(-maxRemediations);
    for (const rule of this.remediations) {
      const count = host.remediatedMs.filter((each) => each > atMs - rule.within_seconds * 1000).length;
      if (count < rule.at_least || faultOf(host, rule.id) !== undefined) continue;
      const why = `GPUs of the host were reset or rebooted after XIDs ${count} times within ${rule.within_seconds / 86_400} days.`;
      const subject = { kind: "host", clusterId: host.clusterId, hostname: host.hostname, uuid: "", job: "" } as const;
      this.options.transitions.begin({ owner: host, rule, subject, holders: [], atMs, value: count, why }, "firing");
    }
  }
}

/** When a fault ends, and why. */
interface Ending {
  readonly atMs: number;
  readonly why: string;
}

interface Raising {
  readonly rule: RuleOf<"xid">;
  readonly xid: Xid;
  readonly observation: Observation;
  /** The last XID of this code before. */
  readonly lastMs: number;
}

interface CodeAt {
  /** Undefined: all codes of the rule. */
  readonly code: number | undefined;
  readonly atMs: number;
}

interface JobXid {
  readonly rule: RuleOf<"xid-job">;
  readonly device: DeviceState;
  readonly job: string;
  readonly name: string;
  readonly code: number;
  readonly atMs: number;
}

const jobName = (rule: Rule, job: string | undefined): string => `${rule.id}:${job ?? ""}`;

/** The device with the workloads that held it when the XID came: its job may have ended since, before the record. */
function heldBefore(device: DeviceState): ReturnType<typeof ofDevice> {
  const facts = ofDevice(device);
  return facts.holders.length > 0 ? facts : { ...facts, holders: device.formerOccupants };
}

function isReleased(device: DeviceState, { holders, startedAtMs }: ActiveFault): boolean {
  if (holders.length === 0 || device.lastMs <= startedAtMs) return false;
  return !device.occupants.some(({ namespace, pod }) =>
    holders.some((holder) => holder.namespace === namespace && holder.pod === pod),
  );
}
