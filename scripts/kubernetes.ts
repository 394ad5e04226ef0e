import { kubernetesCommand, kubernetesCommands } from "./kubernetes/commands.ts";
import { answersHelp } from "../src/terminal/answers-help.ts";
import { printError } from "../src/terminal/print.ts";

const usage = `Runs the pipeline in the Kubernetes cluster of kubectl's current context, by the chart in deployments/helm/telemetry-pipeline.
  bun run k8s-deploy-nexus        bun run csv-deploy-configmap
  bun run k8s-status-nexus        bun run csv-deploy-pvc
  bun run k8s-logs-nexus          bun run k8s-port-forward
  bun run k8s-undeploy-nexus
Variables: NAMESPACE (telemetry-system), STREAMER_INSTANCES, COLLECTOR_INSTANCES, API_GW_INSTANCES, DOCKER_REGISTRY, IMAGE_TAG,
TIMEOUT (10m), PORT of k8s-port-forward (8080); CSV_FILE, and SIZE (1Gi) and STORAGE_CLASS of csv-deploy-pvc; DELETE_DATA=true of
k8s-undeploy-nexus. Needs kubectl and helm.`;

try {
  if (answersHelp(process.argv.slice(2), usage)) process.exit(0);
  const command = kubernetesCommand(process.argv[2] ?? "");
  if (command === undefined) throw new Error(`expected one of ${kubernetesCommands.join(", ")}`);
  process.exit(await command(process.env));
} catch (error) {
  printError((error as Error).message);
  process.exit(1);
}
