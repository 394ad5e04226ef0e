import { type Rule, type RuleOf, rulesOf } from "../rules/rule.ts";
import type { Xid } from "../rules/xid-catalogue.ts";
import type { ActiveFault } from "../fault.ts";
import { type Observation, ofDevice } from "./observation.ts";
import { type DeviceState, maxRemedied } from "./state.ts";
import { faultOf, type Transitions } from "./transitions.ts";

/** Judges XIDs that come again although the device was reset, or its host rebooted, after the same XID. */
export class UncuredRules {
  private readonly rules: readonly RuleOf<"uncured">[];
  private readonly keptMs: number;

  constructor(
    rules: readonly Rule[],
    private readonly transitions: Transitions,
  ) {
    this.rules = rulesOf(rules, "uncured");
    this.keptMs = 1000 * Math.max(0, ...this.rules.map((rule) => rule.within_seconds));
  }

  has(ruleId: string): boolean {
    return this.rules.some(({ id }) => id === ruleId);
  }

  /** Notes a reset or reboot, and the XIDs that it ended. */
  remember(device: DeviceState, ended: readonly ActiveFault[], atMs: number): void {
    // the value of an XID is its code
    const remedied = ended.map(({ value }) => ({ code: value ?? 0, atMs }));
    device.remedied = [...device.remedied, ...remedied].slice(-maxRemedied);
  }

  observe({ device, atMs }: Observation, xid: Xid): void {
    for (const rule of this.rules) {
      if (!rule.classes.includes(xid.class)) continue;
      const name = `${rule.id}.${xid.code}`;
      const active = faultOf(device, name);
      if (active !== undefined) active.judgedMs = atMs;
      const fromMs = atMs - rule.within_seconds * 1000;
      const count = device.remedied.filter((each) => each.code === xid.code && each.atMs > fromMs).length;
      if (active !== undefined || count < rule.at_least) continue;
      const why = `XID ${xid.code} came again after ${count} resets or reboots within ${rule.within_seconds / 3600} h.`;
      this.transitions.begin({ owner: device, rule, ...ofDevice(device), name, atMs, value: count, why }, "firing");
    }
  }

  advance(device: DeviceState, nowMs: number): void {
    device.remedied = device.remedied.filter(({ atMs }) => atMs > nowMs - this.keptMs);
    for (const fault of device.faults) {
      const rule = this.rules.find(({ id }) => id === fault.rule);
      if (rule === undefined || nowMs - fault.judgedMs <= rule.within_seconds * 1000) continue;
      this.transitions.resolve(device, fault, { atMs: nowMs, why: "The XID has not come again." });
    }
  }
}
