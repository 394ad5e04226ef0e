import { expect, test } from "bun:test";
import { parseConfig } from "../../src/config/parse-config.ts";
import { defaultPolicy } from "../../src/scaling/coordinator/policy.ts";
import { scalingPolicy } from "../../src/scaling/coordinator/scaling-policy.ts";

test("without settings, the rules are the ones that the load curves were tried with", () => {
  expect(scalingPolicy(parseConfig({}))).toEqual(defaultPolicy);
});

test("settings change the rules; the queue's capacity and marks count as well", () => {
  const policy = scalingPolicy(
    parseConfig({
      SCALING_COLLECTOR_MAX: "20",
      SCALING_OLDEST_AGE: "30s",
      SCALING_UP_COOLDOWN: "500ms",
      SCALING_CPU_PERCENT: "50",
      QUEUE_CAPACITY_MESSAGES: "1000",
    }),
  );
  expect(policy.collector).toMatchObject({
    max: 20,
    ageTargetSeconds: 30,
    marks: { lowMessages: 500, highMessages: 900 },
  });
  expect(policy.steps.upCooldownSeconds).toBe(0.5);
  expect([policy.streamer.cpuPercent, policy.gateway.cpuPercent]).toEqual([50, 50]);
});
