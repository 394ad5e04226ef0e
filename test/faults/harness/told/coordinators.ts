import { join } from "node:path";
import { defaultRules } from "../../../../src/faults/rules/default-rules.ts";
import { coordinators, pipelineEnvironment, type PipelineOptions, withShortLimit } from "../processes.ts";
import { clockSkewsMs } from "../inflict.ts";
import { Worker } from "../workers.ts";
import { brokenName, heat } from "./script.ts";

/** Rules that the watched GPUs break. The others are switched off, and heat is above what the file has, so that any further fault is
 *  a violation. */
const rulesInForce: Readonly<Record<string, object>> = {
  "gpu.temperature.high": {
    ...{ above: heat.above, resolve: heat.resolve },
    ...{ for_seconds: heat.forSeconds, resolve_for_seconds: heat.resolveForSeconds },
  },
  "nvidia.xid.reboot": {},
  "nvidia.xid.reset": {},
  [brokenName]: {},
};

/** Makes the coordinators of a run, which evaluate faults and notify a receiver, without starting them. */
export async function makeCoordinators(
  options: PipelineOptions & { readonly seed: number },
  webhookUrl: string,
): Promise<Worker[]> {
  const { logFolder, leaseSeconds, databaseUrl } = options;
  const rulesFile = join(logFolder, "rules.yaml");
  const changes = (await defaultRules()).map(({ id }) => [id, rulesInForce[id] ?? { enabled: false }]);
  await Bun.write(rulesFile, JSON.stringify(Object.fromEntries(changes)));
  return Array.from({ length: coordinators }, (_, index) => {
    const name = `coordinator-${index}`;
    const coordinator = new Worker({
      name,
      env: {
        ...pipelineEnvironment(options),
        ...{
          ROLE: "coordinator",
          DATABASE_URL: withShortLimit(databaseUrl),
          SERVICE_LEASE_SECONDS: String(leaseSeconds),
        },
        ...{ FAULT_RULES_FILE: rulesFile, FAULT_WEBHOOK_URL: webhookUrl },
      },
      logFile: join(logFolder, `${name}.log`),
      onLine: () => undefined,
    });
    // leaders take turns, and each has a clock of its own
    if (index > 0) coordinator.setClock(clockSkewsMs[options.seed % clockSkewsMs.length] as number);
    return coordinator;
  });
}
