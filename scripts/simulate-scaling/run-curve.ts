import { decide } from "../../src/scaling/coordinator/decide.ts";
import type { RoleMemory } from "../../src/scaling/coordinator/memory.ts";
import type { ScalingPolicy } from "../../src/scaling/coordinator/policy.ts";
import type { Curve } from "./curve.ts";
import { QueueModel, ratePerSecond } from "./model.ts";
import type { Outcome, Second } from "./outcome.ts";

const decisionSeconds = 5;

/** Runs a curve through the decisions about collectors. The same arguments give the same outcome. */
export function runCurve(curve: Curve, policy: ScalingPolicy, seed: number): Outcome {
  const { marks, min, max, ageTargetSeconds } = policy.collector;
  const model = new QueueModel(curve, marks, seed);
  const seconds: Second[] = [];
  const decisions: Outcome["decisions"][number][] = [];
  const reversals: number[] = [];
  let memory: RoleMemory = {};
  let desired = curve.collectors;
  let lastDirection: string | undefined;
  for (let second = 0; second < curve.seconds; second += 1) {
    if (second % decisionSeconds === 0) {
      const nowMs = second * 1000;
      const signals = model.signals();
      const decision = decide({ role: "collector", nowMs, current: model.alive, signals, policy, memory });
      const { direction, reason } = decision;
      memory = decision.memory;
      desired = decision.desired ?? desired;
      model.scale(desired);
      if (direction !== "hold" && lastDirection !== undefined && direction !== lastDirection) reversals.push(second);
      if (direction !== "hold") lastDirection = direction;
      if (direction !== "hold" || decisions.at(-1)?.code !== reason.code) {
        decisions.push({ second, desired, code: reason.code });
      }
    }
    model.advance();
    const load = curve.load(second);
    const ideal = Math.min(max, Math.max(min, Math.ceil(load / ratePerSecond)));
    seconds.push({ load, collectors: model.alive, desired, ideal, ageSeconds: model.ageSeconds });
  }
  const sum = (of: (second: Second) => number): number => seconds.reduce((total, second) => total + of(second), 0);
  return {
    seconds,
    decisions,
    reversals,
    overTargetSeconds: seconds.filter(({ ageSeconds }) => ageSeconds > ageTargetSeconds).length,
    instanceSeconds: sum(({ collectors }) => collectors),
    idealInstanceSeconds: sum(({ ideal }) => ideal),
    publishedShare: model.arrived / model.offered,
  };
}
