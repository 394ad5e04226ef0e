import { chartFolder } from "../chart/chart-folder.ts";
import { type Deployment, release } from "./deployment.ts";

/** The arguments with which helm installs or upgrades the release. Values of earlier deployments stay unless something here sets them:
 *  what the chart itself sets is taken from its new version.
 *  @param helmVersion what `helm version --short` prints
 *  @param more arguments that set further values */
export function deployArguments(deployment: Deployment, helmVersion: string, more: readonly string[] = []): string[] {
  const { namespace, values, timeout } = deployment;
  // Helm 4 applies on the server, which refuses a number of pods that kubectl scale has set meanwhile
  const server = helmVersion.startsWith("v3.") ? [] : ["--server-side=true", "--force-conflicts"];
  return [
    ...["upgrade", "--install", release, chartFolder, "--namespace", namespace, "--create-namespace"],
    ...["--reset-then-reuse-values", "--values", `${chartFolder}/values-nexus.yaml`],
    ...["--wait", "--timeout", timeout, ...server, ...values, ...more],
  ];
}
