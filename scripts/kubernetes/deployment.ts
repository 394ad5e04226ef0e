import { version } from "../../package.json";
import { images } from "../docker/images.ts";

/** The environment of a command. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** The name of the release, and the beginning of all names of objects. */
export const release = "telemetry-pipeline";

/** Selects every object of the release. */
export const releaseSelector = `app.kubernetes.io/instance=${release}`;

/** Where and how the pipeline is deployed, as the environment says it. */
export interface Deployment {
  readonly namespace: string;
  /** The program's image, as the chart names it. */
  readonly image: string;
  /** Arguments of helm that set the values. */
  readonly values: readonly string[];
  readonly timeout: string;
}

const counts = {
  STREAMER_INSTANCES: "nexusStreamer.replicaCount",
  COLLECTOR_INSTANCES: "nexusCollector.replicaCount",
  API_GW_INSTANCES: "nexusGateway.replicaCount",
} as const;

/** Reads NAMESPACE, DOCKER_REGISTRY, IMAGE_TAG, TIMEOUT and the numbers of processes.
 *  @throws Error with a sentence for people */
export function deploymentOf(env: Environment): Deployment {
  const [registry, tag] = [textIn(env, "DOCKER_REGISTRY")?.replace(/\/+$/, ""), textIn(env, "IMAGE_TAG")];
  const values = Object.entries(counts).flatMap(([variable, value]) => {
    const count = countIn(env, variable);
    return count === undefined ? [] : ["--set", `${value}=${count}`];
  });
  if (registry !== undefined) values.push("--set-string", `image.registry=${registry}`);
  if (tag !== undefined) values.push("--set-string", `image.tag=${tag}`);
  return {
    namespace: namespaceIn(env),
    image: images({ registry, tag: tag ?? version }).pipeline,
    values,
    timeout: timeoutIn(env),
  };
}

/** NAMESPACE, or telemetry-system.
 *  @throws Error with a sentence for people */
export function namespaceIn(env: Environment): string {
  const namespace = textIn(env, "NAMESPACE") ?? "telemetry-system";
  if (/^[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?$/.test(namespace)) return namespace;
  throw new Error(`NAMESPACE=${namespace} is not usable: expected up to 63 small letters, digits and dashes`);
}

/** A variable; undefined if it is absent or empty. */
export function textIn(env: Environment, variable: string): string | undefined {
  const text = env[variable]?.trim();
  return text === "" ? undefined : text;
}

function timeoutIn(env: Environment): string {
  const text = textIn(env, "TIMEOUT") ?? "10m";
  if (/^(?:\d+(?:h|m|s))+$/.test(text)) return text;
  throw new Error(`TIMEOUT=${text} is not usable: expected a time with its unit, such as 10m or 1h30m`);
}

function countIn(env: Environment, variable: string): number | undefined {
  const text = textIn(env, variable);
  if (text === undefined) return undefined;
  if (/^\d{1,4}$/.test(text)) return Number(text);
  throw new Error(`${variable}=${text} is not usable: expected a whole number from 0 to 9999`);
}
