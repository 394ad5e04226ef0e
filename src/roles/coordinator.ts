import { Coordinator } from "../scaling/coordinator/coordinator.ts";
import { scalingPolicy } from "../scaling/coordinator/scaling-policy.ts";
import { ScalingInstruments } from "../scaling/coordinator/scaling-instruments.ts";
import type { Executor } from "../scaling/executor/executor.ts";
import { KubernetesExecutor } from "../scaling/executor/kubernetes/kubernetes-executor.ts";
import { readScaledWorkload } from "../scaling/executor/kubernetes/scaled-workload.ts";
import { LocalExecutor } from "../scaling/executor/local/local-executor.ts";
import { NoExecutor } from "../scaling/executor/none/no-executor.ts";
import type { Config } from "../config/parse-config.ts";
import type { Clock } from "../kit/clock.ts";
import { defined } from "../kit/defined.ts";
import { openKubernetes } from "./open-kubernetes.ts";
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
      services: [
        new Coordinator({ ...parts, executor: executorOf(config, shared.clock), policy: scalingPolicy(config) }),
      ],
      banner: { pages: [], facts: [["executor", config.executor]] },
      servesFromMemory: () => false,
      load: () => Promise.resolve({}),
      routes: () => [],
    });
  },
};

function executorOf(config: Config, clock: Clock): Executor {
  switch (config.executor) {
    case "none":
      return new NoExecutor();
    case "local":
      return new LocalExecutor({ socket: config.supervisorSocket });
    case "kubernetes":
      return kubernetesExecutor(config, clock);
  }
}

function kubernetesExecutor(config: Config, clock: Clock): Executor {
  const workloadOf = (text: string | undefined) => (text === undefined ? undefined : readScaledWorkload(text));
  return new KubernetesExecutor({
    api: openKubernetes(config, clock),
    namespace: config.kubernetesNamespace,
    workloads: defined({
      streamer: workloadOf(config.scalingStreamerWorkload),
      collector: workloadOf(config.scalingCollectorWorkload),
      gateway: workloadOf(config.scalingGatewayWorkload),
    }),
    minimums: {
      streamer: config.scalingStreamerMin,
      collector: config.scalingCollectorMin,
      gateway: config.scalingGatewayMin,
    },
    clock,
  });
}
