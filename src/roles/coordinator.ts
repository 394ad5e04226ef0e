import { Coordinator } from "../scaling/coordinator/coordinator.ts";
import { scalingPolicy } from "../scaling/coordinator/scaling-policy.ts";
import { ScalingInstruments } from "../scaling/coordinator/scaling-instruments.ts";
import type { Executor } from "../scaling/executor/executor.ts";
import { LocalExecutor } from "../scaling/executor/local/local-executor.ts";
import { NoExecutor } from "../scaling/executor/none/no-executor.ts";
import type { Config } from "../config/parse-config.ts";
import type { Role } from "./role.ts";

/** Decides how many processes each role should have. Several may run; one leads. */
export const coordinator: Role = {
  name: "coordinator",
  writesHotTier: false,
  open(shared) {
    const { config, registry, serviceRegistry: services, scaling } = shared;
    const instruments = new ScalingInstruments(registry);
    const parts = { ...shared, services, ...scaling, instruments };
    return Promise.resolve({
      services: [new Coordinator({ ...parts, executor: executorOf(config), policy: scalingPolicy(config) })],
      banner: { pages: [], facts: [["executor", config.executor]] },
      servesFromMemory: () => false,
      load: () => Promise.resolve({}),
      routes: () => [],
    });
  },
};

function executorOf({ executor, supervisorSocket: socket }: Config): Executor {
  return executor === "local" ? new LocalExecutor({ socket }) : new NoExecutor();
}
