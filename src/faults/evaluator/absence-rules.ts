import { hasNvidiaMigUuid, migInstanceOf } from "../../domain/mig-instance.ts";
import { type Rule, type RuleOf, rulesOf } from "../rules/rule.ts";
import { ofDevice } from "./observation.ts";
import type { DeviceState, FleetState, HostState, Owner } from "./state.ts";
import { type Beginning, faultOf, type Transitions } from "./transitions.ts";

/** A host with its devices. */
export interface HostDevices {
  readonly host: HostState;
  readonly devices: readonly DeviceState[];
}

interface Silence {
  readonly rule: RuleOf<"absence">;
  readonly silentMs: number;
  readonly intervalMs: number;
  readonly atMs: number;
  readonly mayRaise: boolean;
  readonly what: string;
}

/** Judges silence. A device is silent by the newest record of its host, a host by the newest record of the fleet: what stops the
 *  pipeline is no fault of a host. Only the fleet is silent by the time. */
export class AbsenceRules {
  private readonly ofDevices: readonly RuleOf<"absence">[];
  private readonly ofHosts: readonly RuleOf<"absence">[];
  private readonly ofFleet: readonly RuleOf<"absence">[];

  constructor(
    rules: readonly Rule[],
    private readonly transitions: Transitions,
  ) {
    const absence = rulesOf(rules, "absence");
    this.ofDevices = absence.filter((rule) => rule.of === "device");
    this.ofHosts = absence.filter((rule) => rule.of === "host");
    this.ofFleet = absence.filter((rule) => rule.of === "fleet");
  }

  /** @param intervalMs the shortest interval of a device */
  advance(hosts: Iterable<HostDevices>, fleet: FleetState, intervalMs: number): void {
    for (const each of hosts) this.advanceHost(each, fleet);
    const silentMs = fleet.nowMs - Math.max(fleet.newestMs, fleet.tickingSinceMs);
    for (const rule of this.ofFleet) {
      const subject = { kind: "fleet", clusterId: "", hostname: "", uuid: "", job: "" } as const;
      const silence = { rule, silentMs, intervalMs, atMs: fleet.nowMs, mayRaise: fleet.newestMs > 0, what: "any host" };
      this.judge(fleet, silence, () => ({ subject, holders: [] }));
    }
  }

  private advanceHost({ host, devices }: HostDevices, fleet: FleetState): void {
    const present = devices.filter(({ isSuppressed, isLive }) => isLive && !isSuppressed);
    if (present.length === 0) return;
    let [newestMs, heardMs, intervalMs] = [0, 0, 0];
    for (const device of present) {
      newestMs = Math.max(newestMs, device.lastMs);
      heardMs = Math.max(heardMs, device.lastMs, device.excusedMs);
      intervalMs = Math.max(intervalMs, device.intervalMs);
    }
    const [atMs, mayRaise] = [fleet.nowMs, fleet.nowMs >= fleet.graceUntilMs];
    for (const rule of this.ofHosts) {
      const { clusterId, hostname } = host;
      const subject = { kind: "host", clusterId, hostname, uuid: "", job: "" } as const;
      const holders = (): Beginning["holders"] => present.flatMap(({ occupants }) => occupants);
      const silence = {
        rule,
        silentMs: fleet.newestMs - heardMs,
        intervalMs,
        atMs,
        mayRaise,
        what: `the host ${hostname}`,
      };
      this.judge(host, silence, () => ({ subject, holders: holders() }));
    }
    for (const device of present) {
      const silentMs = newestMs - Math.max(device.lastMs, device.excusedMs);
      // nearly all devices have reported with their host
      if (silentMs <= 0 && device.faults.length === 0) continue;
      const isExpected = !isInstance(device) && !isReplaced(device, devices);
      this.advanceDevice(device, { silentMs, atMs, mayRaise: mayRaise && isExpected });
    }
  }

  private advanceDevice(device: DeviceState, silence: Pick<Silence, "silentMs" | "atMs" | "mayRaise">): void {
    for (const rule of this.ofDevices) {
      const what = `GPU ${device.gpuId} of ${device.hostname}, which reports other GPUs`;
      this.judge(device, { ...silence, rule, intervalMs: device.intervalMs, what }, () => ofDevice(device));
    }
  }

  private judge(owner: Owner, silence: Silence, beginning: () => Pick<Beginning, "subject" | "holders">): void {
    const { rule, silentMs, intervalMs, atMs, mayRaise, what } = silence;
    const isBad = silentMs > Math.max(rule.for_seconds * 1000, rule.intervals * intervalMs);
    if (!isBad && faultOf(owner, rule.id) === undefined) return;
    const value = Math.max(0, silentMs / 1000);
    const why = (): string => (isBad ? `No record of ${what} for ${Math.round(value)} s.` : "Records arrive again.");
    this.transitions.judge(
      owner,
      { isBad, isClear: !isBad, value, atMs, mayRaise, why },
      { rule, durations: { forMs: 0, resolveForMs: 0, maxGapMs: Infinity }, beginning },
    );
  }
}

/** MIG instances come and go as the GPU is divided. */
function isInstance({ uuid }: DeviceState): boolean {
  return hasNvidiaMigUuid(uuid) || migInstanceOf(uuid) !== undefined;
}

/** True if another board is in the slot. */
function isReplaced(device: DeviceState, others: readonly DeviceState[]): boolean {
  return others.some((other) => other.gpuId === device.gpuId && other.lastMs > device.lastMs && !isInstance(other));
}
