import { csvToConfigMap, csvToVolume } from "./csv-commands.ts";
import { deploy } from "./deploy.ts";
import { deploymentOf, type Environment, namespaceIn, release, releaseSelector, textIn } from "./deployment.ts";
import { csvName } from "./csv-objects.ts";
import { reasonAgainstPods } from "./pods.ts";
import { mustRun, outputOf, requireTools, runTool } from "./tools.ts";
import { unreadyIn } from "./unready.ts";
import { print, printError } from "../../src/terminal/print.ts";

/** A command. @returns its exit code @throws Error with a sentence for people */
type Command = (env: Environment) => Promise<number>;

const commands: Readonly<Record<string, Command>> = {
  deploy: async (env) => {
    const deployment = deploymentOf(env);
    requireTools("kubectl", "helm");
    await deploy(deployment);
    return 0;
  },
  status,
  logs,
  "port-forward": portForward,
  undeploy,
  "csv-configmap": (env) => csvToConfigMap(env).then(() => 0),
  "csv-pvc": (env) => csvToVolume(env).then(() => 0),
};

/** The names of the commands. */
export const kubernetesCommands = Object.keys(commands);

/** @returns undefined if there is no such command */
export function kubernetesCommand(name: string): Command | undefined {
  return Object.hasOwn(commands, name) ? commands[name] : undefined;
}

async function status(env: Environment): Promise<number> {
  const get = ["kubectl", "get", "--namespace", namespaceIn(env), "--selector", releaseSelector];
  requireTools("kubectl");
  const code = await runTool([...get, "deployments,statefulsets,jobs,pods,services"]);
  if (code !== 0) return code;
  const unready = unreadyIn(outputOf([...get, "deployments,statefulsets", "--output", "json"]));
  if (unready.length === 0) return 0;
  printError(`\n${unready.join("\n")}`);
  return 1;
}

async function logs(env: Environment): Promise<number> {
  const namespace = namespaceIn(env);
  requireTools("kubectl");
  requirePods(namespace, releaseSelector);
  return runTool([
    ...["kubectl", "logs", "--follow", "--namespace", namespace, "--selector", releaseSelector],
    ...["--all-containers", "--prefix", "--tail=50", "--max-log-requests=100"],
  ]);
}

async function portForward(env: Environment): Promise<number> {
  const [namespace, port] = [namespaceIn(env), portIn(env)];
  requireTools("kubectl");
  requirePods(namespace, `${releaseSelector},app.kubernetes.io/component=nexus-gateway`);
  return runTool([
    ...["kubectl", "port-forward", `service/${release}-nexus-gateway`, `${port}:8080`, "--namespace", namespace],
  ]);
}

function portIn(env: Environment): string {
  const text = textIn(env, "PORT") ?? "8080";
  if (/^[1-9]\d{0,4}$/.test(text) && Number(text) < 65_536) return text;
  throw new Error(`PORT=${text} is not usable: expected a port of this machine, from 1 to 65535`);
}

/** If kubectl cannot even list the pods, the command says why.
 *  @throws Error with a sentence for people if none of the pods has started */
function requirePods(namespace: string, selector: string): void {
  const pods = outputOf(["kubectl", "get", "pods", "--namespace", namespace, "--selector", selector, "--output=json"]);
  const reason = pods === undefined ? undefined : reasonAgainstPods(pods);
  if (reason !== undefined) throw new Error(reason);
}

async function undeploy(env: Environment): Promise<number> {
  const namespace = namespaceIn(env);
  requireTools("kubectl", "helm");
  await mustRun(["helm", "uninstall", release, "--namespace", namespace, "--ignore-not-found", "--wait"]);
  const remove = ["kubectl", "delete", "--namespace", namespace, "--ignore-not-found"];
  await mustRun([...remove, "configmap", csvName]);
  if (textIn(env, "DELETE_DATA") === "true") {
    await mustRun([...remove, "persistentvolumeclaims,secrets,jobs", "--selector", releaseSelector]);
  } else {
    print(
      "The volumes of etcd, of the trial database and of a CSV file stay, and so does the database's password; DELETE_DATA=true make k8s-undeploy-nexus deletes them.",
    );
  }
  return 0;
}
