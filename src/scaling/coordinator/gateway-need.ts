import { type Need, type NeedInput, readSignals, type RoleNeed } from "./need.ts";
import { counted, shown } from "./reason.ts";

/** The gateways that clients, processor time and latency need. Latency counts only while the gateways are busy: if they are
 *  not, the store is slow, and more gateways would not help.
 *  @returns a reason to hold if a figure is missing or too old */
export function gatewayNeed(input: NeedInput): RoleNeed {
  const { clients, cpuPercent, latencyMsP95 } = input.signals.gateways;
  const read = readSignals(input, { clients, cpuPercent }, { latencyMsP95 });
  if ("hold" in read) return read;
  const { values } = read;
  const { gateway } = input.policy;
  const latency = values.latencyMsP95;
  const isSlow = latency !== undefined && latency > gateway.latencyMsP95;
  const isBusy = values.cpuPercent > gateway.cpuPercent / 2;
  const latencyText = latency === undefined ? "" : `, p95 ${shown(latency)} ms (target ${gateway.latencyMsP95} ms)`;
  const need: Need = {
    instances: Math.max(
      values.clients / gateway.clientsEach,
      (input.current * values.cpuPercent) / gateway.cpuPercent,
      isSlow && isBusy ? input.base + 1 : 0,
    ),
    upCode: "load",
    text: `${counted(values.clients, "client")}, a gateway uses ${shown(values.cpuPercent)} % of a core (target ${gateway.cpuPercent} %)${latencyText}`,
    urgent: isSlow && isBusy,
  };
  return { need };
}
