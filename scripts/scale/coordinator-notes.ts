import { parseConfig } from "../../src/config/parse-config.ts";
import { type ScaledRole, scaledRoles, type ScalingPolicy } from "../../src/scaling/coordinator/policy.ts";
import { scalingPolicy } from "../../src/scaling/coordinator/scaling-policy.ts";
import { environmentOf, type Settings } from "../supervisor/child-settings.ts";
import type { ShownRole, Status } from "../supervisor/protocol.ts";

/** What a person should know who sets a number while a coordinator decides it; empty if none does.
 *  @param settings of the pipeline
 *  @param nowMs on the supervisor's clock */
export function coordinatorNotes({ roles }: Status, settings: Settings, nowMs: number): readonly string[] {
  if (roles.coordinator.count === 0) return [];
  const policy = scalingPolicy(parseConfig(environmentOf({ role: "coordinator", number: 1, socket: "" }, settings)));
  return [
    "A coordinator decides how many streamers, collectors and gateways there are.",
    "COORDINATOR_INSTANCES=0 bun run scale-local stops it, and nothing else.",
    ...scaledRoles.flatMap((role) => commandNote(role, roles[role], { policy, nowMs }) ?? []),
  ];
}

interface At {
  readonly policy: ScalingPolicy;
  readonly nowMs: number;
}

/** @returns undefined if no command about the role counts any more */
function commandNote(role: ScaledRole, { command }: ShownRole, { policy, nowMs }: At): string | undefined {
  if (command === undefined) return undefined;
  const leftSeconds = Math.ceil((Date.parse(command.at) - nowMs) / 1000 + policy.steps.commandHoldSeconds);
  if (leftSeconds <= 0) return undefined;
  const { min, max } = policy[role];
  const told = `${role}s: a command set ${command.count}`;
  const setting = `SCALING_${role.toUpperCase()}`;
  if (command.count > max) return `${told}, but ${setting}_MAX=${max}`;
  // no count falls below the minimum anyway
  if (command.count === min) return undefined;
  if (command.count < min) return `${told}, but ${setting}_MIN=${min}`;
  const time = leftSeconds < 100 ? `${leftSeconds} s` : `${Math.round(leftSeconds / 60)} min`;
  return `${told}; not fewer for ${time}, more if the load needs them`;
}
