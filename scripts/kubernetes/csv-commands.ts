import { type Deployment, deploymentOf, type Environment, textIn } from "./deployment.ts";
import { csvClaim, csvConfigMap, csvFile, csvLoader, csvName, loaderName } from "./csv-objects.ts";
import { deploy } from "./deploy.ts";
import { waitingReason } from "./pods.ts";
import { mustRun, outputOf, requireTools, runTool } from "./tools.ts";

/** A ConfigMap takes 1 MiB, with the names in it. */
const configMapMaxBytes = 1_000_000;
const unchanged = "The streamers read what they have read before";

/** Puts CSV_FILE into a ConfigMap, and lets the streamers read it.
 *  @throws Error with a sentence for people */
export async function csvToConfigMap(env: Environment): Promise<void> {
  const deployment = deploymentOf(env);
  const content = await csvIn(env, "csv-deploy-configmap");
  if (content.size > configMapMaxBytes) {
    throw new Error(
      `CSV_FILE=${textIn(env, "CSV_FILE")} has ${content.size} bytes, and a ConfigMap takes ${configMapMaxBytes}: make csv-deploy-pvc puts it into a volume`,
    );
  }
  requireTools("kubectl", "helm");
  await ensureNamespace(deployment);
  await apply(csvConfigMap(deployment.namespace, await content.bytes()));
  await deploy(deployment, await csvValues(content, { configMap: csvName, existingClaim: "" }));
}

/** Puts CSV_FILE into a volume of SIZE, and lets the streamers read it.
 *  @throws Error with a sentence for people */
export async function csvToVolume(env: Environment): Promise<void> {
  const deployment = deploymentOf(env);
  const content = await csvIn(env, "csv-deploy-pvc");
  const size = sizeIn(env, content);
  requireTools("kubectl", "helm");
  await ensureNamespace(deployment);
  await apply(csvClaim(deployment.namespace, size, textIn(env, "STORAGE_CLASS")));
  await copyToVolume(deployment, content);
  await deploy(deployment, await csvValues(content, { configMap: "", existingClaim: csvName }));
}

async function copyToVolume({ namespace, image, timeout }: Deployment, content: Blob): Promise<void> {
  const kubectl = (verb: string, ...args: readonly string[]): string[] => [
    ...["kubectl", verb, "--namespace", namespace],
    ...args,
  ];
  await runTool(kubectl("delete", "pod", loaderName, "--ignore-not-found"));
  await apply(csvLoader(namespace, image));
  try {
    const wait = kubectl("wait", "--for=condition=Ready", `pod/${loaderName}`, `--timeout=${timeout}`);
    if ((await runTool(wait)) !== 0) {
      const reason = waitingReason(outputOf(kubectl("get", "pod", loaderName, "--output", "json")));
      throw new Error(`the pod ${loaderName}, which receives the file, is not ready: ${reason}. ${unchanged}`);
    }
    // the file has its name when it is whole
    const [part, whole] = [`/csv/.${csvFile}.part`, `/csv/${csvFile}`];
    const script = `cat > ${part} && [ "$(sha256sum < ${part} | cut -d ' ' -f 1)" = ${await hashOf(content)} ] && mv ${part} ${whole}`;
    const copy = kubectl("exec", "--stdin", loaderName, "--", "sh", "-c", script);
    if ((await runTool(copy, content)) !== 0)
      throw new Error(`the file could not be copied to the volume. ${unchanged}`);
  } finally {
    await runTool(kubectl("delete", "pod", loaderName, "--ignore-not-found"));
  }
}

async function csvValues(
  content: Blob,
  { configMap, existingClaim }: { readonly configMap: string; readonly existingClaim: string },
): Promise<string[]> {
  const values = { configMap, existingClaim, file: csvFile, checksum: await hashOf(content) };
  return Object.entries(values).flatMap(([name, value]) => ["--set-string", `nexusStreamer.csv.${name}=${value}`]);
}

async function csvIn(env: Environment, command: string): Promise<Bun.BunFile> {
  const path = textIn(env, "CSV_FILE");
  if (path === undefined) throw new Error(`which file? For example: CSV_FILE=fleet.csv make ${command}`);
  const file = Bun.file(path);
  // a pipe, too, exists, but can be read only once
  if (!(await file.exists()) || !(await file.stat()).isFile()) {
    throw new Error(`CSV_FILE=${path} does not exist, or is no file`);
  }
  if (file.size === 0) throw new Error(`CSV_FILE=${path} is empty`);
  return file;
}

const unitBytes = { Mi: 2 ** 20, Gi: 2 ** 30, Ti: 2 ** 40 };

function sizeIn(env: Environment, content: Blob): string {
  const size = textIn(env, "SIZE") ?? "1Gi";
  const [, count, unit] = /^([1-9]\d*)(Mi|Gi|Ti)$/.exec(size) ?? [];
  if (Number(count) * unitBytes[unit as keyof typeof unitBytes] < content.size) {
    throw new Error(`SIZE=${size} is too small: CSV_FILE=${textIn(env, "CSV_FILE")} has ${content.size} bytes`);
  }
  if (unit !== undefined) return size;
  throw new Error(`SIZE=${size} is not usable: expected a whole number with Mi, Gi or Ti, such as 5Gi`);
}

async function hashOf(content: Blob): Promise<string> {
  const hash = new Bun.CryptoHasher("sha256");
  for await (const chunk of content.stream()) hash.update(chunk);
  return hash.digest("hex");
}

async function ensureNamespace({ namespace }: Deployment): Promise<void> {
  if (outputOf(["kubectl", "get", "namespace", namespace]) !== undefined) return;
  await mustRun(["kubectl", "create", "namespace", namespace]);
}

/** Applied on the server: the client would copy the whole object into an annotation, which takes 256 KiB. */
async function apply(object: object): Promise<void> {
  await mustRun(
    ["kubectl", "apply", "--server-side", "--force-conflicts", "--filename", "-"],
    new Blob([JSON.stringify(object)]),
  );
}
