import { chartFolder } from "../chart/chart-folder.ts";
import { type Deployment, release } from "./deployment.ts";

/** The arguments with which helm installs or upgrades the release. Values of earlier deployments stay unless something here sets them:
 *  what the chart itself sets is taken from its new version.
 *  @param helmVersion what `helm version --short` prints
 *  @param more arguments that set further values */
export function deployArguments(deployment: Deployment, helmVersion: string, more: readonly string[] = []): string[] {
  const { namespace, values, timeout } = deployment;
  // what Helm 4 applies on the server is refused if kubectl scale has set a number of pods meanwhile; later calls of helm go on in the
  // way of the last one
  const server = helmVersion.startsWith("v3.") ? [] : ["--server-side=false"];
  return [
    ...["upgrade", "--install", release, chartFolder, "--namespace", namespace, "--create-namespace"],
    ...["--reset-then-reuse-values", "--values", `${chartFolder}/values-nexus.yaml`],
    ...["--wait", "--timeout", timeout, ...server, ...values, ...more],
  ];
}
